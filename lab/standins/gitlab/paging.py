# ruff: noqa: ANN401 - JSON answers have any type
"""Answers with more than a body, and pages of lists: by number (with `X-Total` etc.) or by key (`Link` only)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from lab.standins.gitlab.errors import parameter
from lab.standins.gitlab.params import Paging
from lab.standins.store import Document

_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with body, status (None for the route's default) and headers."""

    body: Any
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def page(
    items: Sequence[Document], given: Paging, render: Callable[[Document], Any], url: str, query: dict[str, Any]
) -> Reply:
    """Return one page of rendered `items`; `url` and `query` of the request are for the links.

    With `pagination=keyset`, the next page starts after the last item of this page, also if items were added or
    deleted.
    """
    size = min(given.per_page, _MOST)

    def link(relation: str, **change: Any) -> str:
        pairs = {**query, **change, "per_page": size}
        return f'<{url}?{urlencode(pairs, doseq=True)}>; rel="{relation}"'

    if given.pagination == "keyset":
        start = _after(items, given.cursor)
        chosen = items[start : start + size]
        headers = {}
        if len(items) > start + size:
            headers["Link"] = link("next", cursor=_cursor(chosen[-1]["id"]))
        return Reply([render(item) for item in chosen], headers=headers)
    total, last = len(items), max(1, -(-len(items) // size))
    number = given.page
    links = []
    if number > 1:
        links.append(link("prev", page=number - 1))
    if number < last:
        links.append(link("next", page=number + 1))
    links += [link("first", page=1), link("last", page=last)]
    headers = {
        "X-Page": str(number),
        "X-Per-Page": str(size),
        "X-Prev-Page": str(number - 1) if number > 1 else "",
        "X-Next-Page": str(number + 1) if number < last else "",
        "X-Total": str(total),
        "X-Total-Pages": str(last),
        "Link": ", ".join(links),
    }
    return Reply([render(item) for item in items[(number - 1) * size : number * size]], headers=headers)


def _cursor(last: int) -> str:
    return base64.urlsafe_b64encode(json.dumps({"id": str(last), "_kd": "n"}).encode()).decode()


def _after(items: Sequence[Document], cursor: str | None) -> int:
    if not cursor:
        return 0
    try:
        content = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        last = int(content["id"])
    except (ValueError, KeyError, TypeError):
        raise parameter("cursor is invalid") from None
    ids = [item["id"] for item in items]
    if last in ids:
        return ids.index(last) + 1
    rising = len(ids) < 2 or ids[0] < ids[-1]  # noqa: PLR2004 - two make an order
    return sum(1 for one in ids if (one <= last if rising else one >= last))

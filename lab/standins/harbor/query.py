"""Harbor's list parameters: the `q` grammar, `sort`, and pages with `X-Total-Count` and `Link`.

`q` has `key=value` pairs separated by commas: `k=v` exact, `k=~v` contains, `k=[min~max]` range, `k={a b}` one of,
`k=(a b)` all of. Keys match fields in any spelling (`ProjectID`, `project_id`); unknown ones are ignored.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any
from urllib.parse import unquote_plus

from fastapi import Query
from starlette.datastructures import URL

from lab.standins.harbor import errors

_LARGEST = 2**63 - 1
Test = Callable[[Any], bool]

Page = Annotated[int, Query(ge=-_LARGEST, le=_LARGEST)]
PageSize = Annotated[int, Query(ge=-_LARGEST, le=100)]
Text = Annotated[str, Query()]


class HarborPaging:
    """The parameters of a list."""

    def __init__(self, q: Text = "", sort: Text = "", page: Page = 1, page_size: PageSize = 10) -> None:
        """Store the client's parameters; raises `HarborError` for a `q` that cannot be parsed."""
        self.tests = parse(q)
        self.sort = sort
        self.page = page
        self.page_size = page_size

    def value(self, key: str) -> str | None:
        """Return and remove the exact value of a key that the handler itself processes."""
        found = self.tests.pop(_plain(key), None)
        return None if found is None else found[1]

    def apply(self, items: Iterable[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], int]:
        """Filter, sort and cut; return the page's items and the number of all items."""
        kept = [item for item in items if self._matches(item)]
        for key in reversed([part for part in self.sort.split(",") if part]):
            name = _plain(key.removeprefix("-"))
            kept.sort(key=lambda item, name=name: _order(_field(item, name)), reverse=key.startswith("-"))  # type: ignore[misc]  # name is bound
        total = len(kept)
        if self.page_size > 0:
            start = max(self.page - 1, 0) * self.page_size
            kept = kept[start : start + self.page_size]
        return kept, total

    def _matches(self, item: Mapping[str, Any]) -> bool:
        for name, (test, _value) in self.tests.items():
            value = _field(item, name)
            if value is not _ABSENT and not test(value):
                return False
        return True

    def headers(self, url: URL, total: int) -> dict[str, str]:
        """Return `X-Total-Count`, and `Link` if there is another page."""
        links = []
        size = self.page_size
        if size > 0:
            if self.page > 1 and (self.page - 1) * size < total:
                links.append(_link(url, self.page - 1, size, "prev"))
            if self.page * size < total:
                links.append(_link(url, self.page + 1, size, "next"))
        return {"X-Total-Count": str(total), **({"Link": " , ".join(links)} if links else {})}


class _Absent:
    """Marks an unknown field, which does not filter."""


_ABSENT = _Absent()


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _field(item: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - a value of any field
    for key, value in item.items():
        if _plain(key) == name:
            return value
    return _ABSENT


def _order(value: Any) -> tuple[int, Any]:  # noqa: ANN401 - a value of any field
    if isinstance(value, bool | int | float):
        return (1, value)
    return (2, str(value)) if isinstance(value, str) else (0, 0)


def _link(url: URL, page: int, size: int, relation: str) -> str:
    changed = url.include_query_params(page=page, page_size=size)
    shown = f"{changed.path}?{unquote_plus(changed.query)}"
    return f'<{shown.encode("ascii", "ignore").decode()}>; rel="{relation}"'


def parse(text: str) -> dict[str, tuple[Test, str | None]]:
    """Parse a `q`: return for each plain key a test, and the value if it is exact. Raises `HarborError`."""
    tests: dict[str, tuple[Test, str | None]] = {}
    for part in unquote_plus(text).split(",") if text else ():
        key, equals, value = part.partition("=")
        if not (equals and key and value):
            raise errors.bad_request('the query string must contain "=" and the key/value cannot be empty')
        tests[_plain(key)] = _pattern(value)
    return tests


def _pattern(value: str) -> tuple[Test, str | None]:
    first, refused = value[0], errors.bad_request(f"invalid query string value: {value}")
    if first == "~":
        if len(value) == 1:
            raise refused
        return (lambda found, wanted=value[1:]: wanted.lower() in str(found).lower()), None
    if first == "[":
        low, tilde, high = value[1:-1].partition("~")
        if not value.endswith("]") or value.count("~") != 1 or not tilde or not (low.strip() or high.strip()):
            raise refused
        return _between(low.strip(), high.strip()), None
    if first in "{(":
        if not value.endswith("}" if first == "{" else ")"):
            raise refused
        wanted = [item.strip("\"'") for item in value[1:-1].split()]
        if first == "{":
            return (lambda found: any(_equal(found, item) for item in wanted)), None
        return (lambda found: all(_equal(found, item) for item in wanted)), None
    exact = value.removeprefix("\\")
    return (lambda found: _equal(found, exact)), exact


def _equal(found: Any, wanted: str) -> bool:  # noqa: ANN401 - a value of any field
    if isinstance(found, list):
        return any(_equal(item, wanted) for item in found)
    if isinstance(found, bool):
        return wanted.lower() == str(found).lower()
    return str(found) == wanted


def _between(low: str, high: str) -> Test:
    def test(found: Any) -> bool:  # noqa: ANN401 - a value of any field
        try:
            value = _comparable(found)
            return (not low or _comparable(low) <= value) and (not high or value <= _comparable(high))
        except TypeError:  # text and number cannot be compared
            return False

    return test


def _comparable(value: Any) -> Any:  # noqa: ANN401 - numbers, moments or words
    if isinstance(value, bool | int | float):
        return float(value)
    try:
        return datetime.datetime.fromisoformat(str(value)).replace(tzinfo=None)
    except ValueError:
        pass
    try:
        return float(value)
    except (ValueError, TypeError):
        return str(value)

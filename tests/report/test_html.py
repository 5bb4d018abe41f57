"""The page as text: it loads nothing, and runs only its own script."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given

from tests.report import samples
from tests.report.test_markdown import REPORTS
from tests.report.texts import UNTIMED
from usine.report import html
from usine.report.grouping import by_effect
from usine.report.model import Report

_EMPTY = {"meta", "link", "input", "path", "circle"}
#: The allowed attributes. Those with texts from files are quoted, and have no effect in a browser.
_ATTRIBUTES = {
    "aria-hidden", "aria-label", "aria-labelledby", "autocomplete", "charset", "class", "colspan", "content",
    "cx", "cy", "d", "data-action", "data-side", "data-system", "data-tenant", "focusable", "for", "hidden",
    "href", "http-equiv", "id", "lang", "name", "open", "r", "rel", "role", "scope", "spellcheck", "tabindex",
    "type", "value", "viewbox",
}  # fmt: skip


class Elements(HTMLParser):
    """Collects elements, and fails if they are not nested correctly."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in _EMPTY:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open, tag
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in {"style", "script"}:
            self.texts[self._open[-1]] = self.texts.get(self._open[-1], "") + data


def check(page: str) -> Elements:
    elements = Elements(page)
    tags = [tag for tag, _attributes in elements.found]
    assert tags.count("script") == tags.count("style") == 1
    assert not {"img", "iframe", "object", "embed", "base", "audio", "video"} & set(tags)
    for tag, attributes in elements.found:
        assert set(attributes) <= _ATTRIBUTES, (tag, attributes)
        if "href" in attributes:
            assert attributes["href"] == "data:," if tag == "link" else (attributes["href"] or "").startswith("#")
    policy = next(a["content"] for tag, a in elements.found if a.get("http-equiv") == "Content-Security-Policy")
    allowed = dict(re.findall(r"(\w+)-src '(sha256-[^']+)'", policy or ""))
    for kind, text in elements.texts.items():
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert allowed[kind] == f"sha256-{digest}"
    assert (policy or "").startswith("default-src 'none'; ")
    assert "unsafe" not in (policy or "")
    return elements


@pytest.mark.parametrize("name", ["diff", "run", "drift", "nothing", "hostile", "large"])
def test_every_sample_is_one_file_without_active_content(name: str) -> None:
    report: Report = getattr(samples, name)()
    page = html.render(report)
    check(page)
    assert html.render(report) == page
    assert page.startswith("<!doctype html>\n")


@UNTIMED
@given(REPORTS)
def test_any_report_is_one_file_without_active_content(report: Report) -> None:
    page = html.render(report)
    assert page.encode()
    elements = check(page)
    objects = [attributes for _tag, attributes in elements.found if attributes.get("class") == "object"]
    assert len(objects) == sum(len(group.entries) for group in by_effect(report))


def test_every_id_is_unique() -> None:
    elements = check(html.render(samples.diff()))
    ids = [attributes["id"] for _tag, attributes in elements.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {a["href"] for tag, a in elements.found if tag == "a"}
    assert {str(target).removeprefix("#") for target in targets} <= set(ids)

"""The page in a real browser: its content and use, without foreign markup and without requests."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import expect

from tests.report import samples
from tests.report.conftest import NARROW, WIDE, Motion, Pages, Scheme
from usine.report.model import Action, Report

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.servers

SHOWN = ".object:not([hidden])"
#: WCAG 2.2 A and AA, and axe's own best practices.
_RULES = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    },
    "resultTypes": ["violations"],
}
_KINDS = {"diff": samples.diff, "run": samples.run, "drift": samples.drift, "nothing": samples.nothing}


def shown(page: Page) -> int:
    """Count the objects that match the filters."""
    return page.locator(SHOWN).count()


def violations(page: Page) -> list[str]:
    found = Axe().run(page, options=_RULES).response["violations"]
    return [f"{each['id']}: {node['target']} {node['failureSummary']}" for each in found for node in each["nodes"]]


def fits(page: Page) -> bool:
    """Return whether the page does not scroll sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def overfull(page: Page) -> list[str]:
    """Return the cards whose text overflows."""
    found: list[str] = page.locator(".tiles li").evaluate_all(
        "(all) => all.filter((each) => each.scrollWidth > each.clientWidth).map((each) => each.innerText)"
    )
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", _KINDS)
def test_the_page_is_accessible(pages: Pages, kind: str, scheme: Scheme) -> None:
    page = pages.show(_KINDS[kind](), scheme=scheme)
    for each in page.locator("#open").all():  # closed parts are checked too
        each.click()
    assert violations(page) == []
    page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    assert violations(page) == []
    assert page.locator("h1").count() == 1
    assert page.locator("html").get_attribute("lang") == "en"


def test_the_page_shows_the_whole_report(pages: Pages) -> None:
    report = samples.diff()
    page = pages.show(report)
    assert page.title() == "Refused · usine diff: main..retire-annuaire"
    assert page.locator(".verdict .status").inner_text() == "Refused"
    assert report.verdict in page.locator(".verdict").inner_text()
    assert [tile.inner_text().split() for tile in page.locator(".tiles li").all()] == [
        ["5", "-", "to", "destroy"],
        ["1", "-/+", "to", "replace"],
        ["6", "~", "to", "change"],
        ["12", "+", "to", "create"],
    ]
    assert page.locator(".risk li").count() == 3
    assert page.locator(".notices li").count() == len(report.notices)
    page.locator("#open").click()
    text = page.locator(".objects").inner_text()
    for entry in report.entries:
        assert entry.name in text
        for change in entry.properties:
            assert change.path in text
    assert '"4"' in text
    assert '"8"' in text
    assert text.count("(another secret)") == 1


def expected(report: Report, **wanted: str) -> int:
    return sum(
        all(str(getattr(entry, name) or "(foundation)") == value for name, value in wanted.items())
        for entry in report.entries
    )


def test_filters_select_objects_and_are_kept_in_the_url(pages: Pages) -> None:
    report = samples.diff()
    page = pages.show(report)
    total = len(report.entries)
    assert shown(page) == total
    page.get_by_label("Tenant", exact=True).select_option("teleservice")
    assert shown(page) == expected(report, tenant="teleservice")
    assert page.locator("#shown").inner_text() == f"{shown(page)} of {total} objects"
    assert page.url.endswith("#tenant=teleservice")
    page.get_by_role("checkbox", name="vault").check()
    assert shown(page) == expected(report, tenant="teleservice", system="vault")
    page.get_by_role("checkbox", name="to replace").check()
    assert shown(page) == expected(report, tenant="teleservice", system="vault", action="replaced") == 1
    page.get_by_role("checkbox", name="to change").check()
    assert shown(page) == 3
    page.get_by_role("searchbox").fill("PASSWORD nowhere")
    expect(page.locator("#none")).to_be_visible()
    assert shown(page) == 0
    page.get_by_role("searchbox").fill("TOKENttl")
    expect(page.locator(SHOWN)).to_have_count(1)
    address = page.url
    assert "q=TOKENttl" in address
    page.get_by_role("button", name="Clear filters").click()
    expect(page.locator(SHOWN)).to_have_count(total)
    assert "#" not in page.url

    again = pages.show(report, fragment="#" + address.partition("#")[2])
    assert shown(again) == 1
    assert again.get_by_label("Tenant", exact=True).input_value() == "teleservice"
    assert again.get_by_role("checkbox", name="vault").is_checked()
    # Links in the table set filters too, also that of the foundation, and so does the back button.
    again.get_by_role("link", name="(foundation)").click()
    assert shown(again) == expected(report, tenant="(foundation)") == 1
    again.go_back()
    expect(again.get_by_label("Tenant", exact=True)).to_have_value("teleservice")
    unknown = pages.show(report, fragment="#" + urlencode({"tenant": "no-such", "system": "none"}))
    assert shown(unknown) == total


def test_every_filter_can_be_used_by_keyboard_alone(pages: Pages) -> None:
    report = samples.diff()
    page = pages.show(report)

    def focused() -> str:
        seen: str = page.evaluate(
            "(({tagName, id, name, value, innerText, href}) =>"
            " [tagName.toLowerCase(), id || name || href?.split('#')[1] || innerText, value || ''].join(' '))"
            "(document.activeElement)"
        )
        return seen

    def visible_focus() -> bool:
        return bool(
            page.evaluate(
                "(() => { const style = getComputedStyle(document.activeElement);"
                " return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2; })()"
            )
        )

    def tab_to(wanted: str) -> list[str]:
        seen = []
        for _ in range(80):
            page.keyboard.press("Tab")
            seen.append(focused())
            assert visible_focus(), seen[-1]
            if wanted in seen[-1]:
                return seen
        raise AssertionError(f"{wanted} is not reached: {seen}")

    assert "objects" in tab_to("objects")[-1]  # the first link skips everything before the objects
    page.keyboard.press("Enter")
    passed = tab_to("search")
    assert len(passed) == 1, passed
    page.keyboard.type("kubernetes")
    expect(page.locator("#shown")).to_contain_text(" of ")
    tab_to("select tenant")
    page.keyboard.type("tele")
    tab_to("system kubernetes")
    page.keyboard.press("Space")
    tab_to("action changed")
    page.keyboard.press("Space")
    assert shown(page) == expected(report, tenant="teleservice", system="kubernetes", action="changed") == 2
    tab_to("Clear filters")
    page.keyboard.press("Enter")
    expect(page.locator(SHOWN)).to_have_count(len(report.entries))
    tab_to("summary annuaire-2019")
    page.keyboard.press("Enter")
    assert page.locator("details.tenant").first.get_attribute("open") is None
    tab_to("summary teleservice")
    tab_to("SecretV2")
    page.keyboard.press("Space")
    closed = page.locator(".object", has_text="pipelines/secret/ci").get_attribute("open")
    assert closed is None


def test_the_theme_is_the_systems_until_the_reader_chooses(pages: Pages) -> None:
    page = pages.show(samples.drift(), scheme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    page.get_by_role("button", name="Light theme").click()
    light = page.evaluate(background)
    assert dark != light
    assert page.get_by_role("button", name="Dark theme").is_visible()
    page.reload()
    assert page.evaluate(background) == light
    page.emulate_media(color_scheme="light")
    page.get_by_role("button", name="Dark theme").click()
    assert page.evaluate(background) == dark
    assert violations(page) == []


def test_the_page_works_without_javascript(pages: Pages) -> None:
    report = samples.diff()
    page = pages.show(report, script=False)
    assert not page.locator("#filters").is_visible()
    assert not page.locator("#theme").is_visible()
    assert page.locator(".object").count() == len(report.entries)
    assert page.locator(".object summary").last.is_visible()
    page.get_by_role("link", name="guichet").click()
    page.wait_for_timeout(100)
    assert page.locator("[id='tenant=guichet']").bounding_box()["y"] < WIDE[1]  # type: ignore[index]
    assert page.get_by_text('"teleservice-development"').is_visible()


def test_everything_is_open_in_print(pages: Pages) -> None:
    report = samples.diff()
    for script in (True, False):  # the style sheet alone is enough
        page = pages.show(report, script=script)
        page.emulate_media(media="print")
        assert not page.locator("#filters").is_visible()
        unfolded = page.locator(".identity").evaluate_all("(all) => all.map((each) => each.checkVisibility())")
        assert unfolded == [True] * len(report.entries)
        assert page.pdf().startswith(b"%PDF-")
    page = pages.show(report)
    closed = page.locator("details:not([open])").count()
    assert closed > 0
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not([open])").count() == closed


@pytest.mark.parametrize("kind", [*_KINDS, "hostile"])
def test_the_page_fits_a_phone(pages: Pages, kind: str) -> None:
    report = samples.hostile() if kind == "hostile" else _KINDS[kind]()
    page = pages.show(report, size=NARROW)
    for each in page.locator("#open").all():
        each.click()
    for width in (NARROW[0], 420, 320):
        page.set_viewport_size({"width": width, "height": 640})
        assert fits(page)
        assert overfull(page) == [], width


def test_reduced_motion_is_respected(pages: Pages) -> None:
    motions: tuple[tuple[Motion, bool], ...] = (("reduce", False), ("no-preference", True))
    for motion, moves in motions:
        page = pages.show(samples.diff(), motion=motion)
        durations = page.evaluate(
            "[...document.querySelectorAll('*')].flatMap((each) => ['', '::before'].map("
            "(part) => parseFloat(getComputedStyle(each, part || null).transitionDuration)))"
        )
        assert (max(durations) > 0) is moves


def test_hostile_texts_have_no_effect(pages: Pages) -> None:
    report = samples.hostile()
    page = pages.show(report)
    page.locator("#open").click()
    assert page.evaluate("window.owned") is None
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 1
    assert page.locator("style").count() == 1
    assert page.locator(".object").count() == len(report.entries)
    links = [link.get_attribute("href") for link in page.locator("a").all()]
    assert all(link and link.startswith("#") for link in links)
    text = page.content()
    assert not any(character in text for character in "\u202e\u2066\u2069\u200b\x1b\x07")
    assert "\\u202egnp.exe" in page.locator(".objects").inner_text()
    # Each tenant can be chosen, and its name has no effect in the URL.
    options = page.locator("#tenant option").count()
    assert options == len(report.tenants) + 1
    for number in range(1, options):
        page.locator("#tenant").select_option(index=number)
        assert 1 <= shown(page) <= len(report.entries)
    assert page.evaluate("window.owned") is None


def test_thousands_of_objects_stay_usable(pages: Pages) -> None:
    report = samples.large(3_000)
    page = pages.show(report)
    assert page.locator("#shown").inner_text() == "3,000 objects"
    assert page.locator("details.tenant").count() == 60
    assert page.locator(".risk li").count() == sum(entry.loses_data for entry in report.entries)
    page.get_by_role("checkbox", name="to destroy").check()
    counts = Counter(entry.action for entry in report.entries)
    assert shown(page) == counts[Action.DESTROYED]
    page.get_by_role("checkbox", name="to destroy").uncheck()
    page.get_by_role("searchbox").fill("thing-1234")
    expect(page.locator(SHOWN)).to_have_count(1)
    assert page.locator(SHOWN).is_visible()  # its tenant was opened
    page.get_by_role("searchbox").fill("")
    expect(page.locator(SHOWN)).to_have_count(3000)
    assert not page.locator(".object").first.is_visible()
    page.locator("#open").click()
    page.locator(".object").last.scroll_into_view_if_needed()
    assert page.locator(".object").last.is_visible()
    assert fits(page)

"""Tenants for which the same happens: one of them is shown in full, the others by name, in every form."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter

import pytest

from tests.report import samples
from tests.report.test_terminal import rendered
from usine.report import as_json, html, markdown
from usine.report.grouping import by_effect, by_tenant
from usine.report.model import Action, Report

REPORT = samples.effects()


def comment(report: Report) -> str:
    return markdown.render(report, marker="usine:diff")


def test_one_tenant_of_an_effect_is_shown_with_the_others_in_its_numbers() -> None:
    groups = by_effect(REPORT)
    assert [(group.tenant, group.others) for group in groups] == [("alpha", ("beta", "delta", "gamma")), ("omega", ())]
    assert [group.counts for group in groups] == [Counter({Action.CHANGED: 2}), Counter({Action.CHANGED: 1})]
    assert sum(sum(group.numbers.values()) for group in groups) == len(REPORT.entries)


def test_without_effects_each_tenant_is_shown() -> None:
    alone = dataclasses.replace(REPORT, effects=())
    assert by_effect(alone) == by_tenant(REPORT.entries)


def test_an_effect_names_only_tenants_of_the_report() -> None:
    """A report that is read from JSON may state anything."""
    more = dataclasses.replace(REPORT, effects=(("alpha", "beta", "nobody"), ("zeta",)))
    assert [(group.tenant, group.others) for group in by_effect(more)] == [
        ("alpha", ("beta",)),
        ("delta", ()),
        ("gamma", ()),
        ("omega", ()),
    ]


def test_the_terminal_shows_the_example_and_the_other_tenants() -> None:
    text = rendered(REPORT)
    assert "\nalpha and 3 others\n  the same for: beta, delta, gamma\n" in text
    assert re.search(r"^ *alpha and 3 others +8 *$", text, re.MULTILINE)
    assert re.search(r"^ *all +9 *$", text, re.MULTILINE)
    assert "of beta" not in text
    assert "  the same for: beta, delta … and 1 more\n" in rendered(REPORT, most=2)


def test_the_comment_folds_the_other_tenants() -> None:
    text = comment(REPORT)
    assert "| alpha and 3 others | 8 |" in text
    assert "<b><code>alpha</code></b> and 3 others: 2 to change (each)</summary>" in text
    assert "<details><summary>The same for</summary>\n\n`beta`, `delta`, `gamma`\n\n</details>" in text
    assert "of beta" not in text
    assert text.count("<details>") == text.count("</details>") == 3


@pytest.mark.parametrize("slug", ["beta<img>", "`@all`", "a</details>b"])
def test_names_of_other_tenants_insert_no_markup(slug: str) -> None:
    entries = tuple(dataclasses.replace(e, tenant=slug) if e.tenant == "beta" else e for e in REPORT.entries)
    hostile = dataclasses.replace(REPORT, entries=entries, effects=(("alpha", slug, "gamma"),))
    folded = comment(hostile).split("The same for</summary>")[1]
    outside = re.sub(r"(`+).*?\1", "", folded.split("\n\n</details>")[0])
    assert not set("<@`") & set(outside)
    page = html.render(hostile)
    assert (slug in page) == ("<" not in slug)


def test_the_page_has_the_example_and_the_names_of_the_others() -> None:
    page = html.render(REPORT)
    assert re.search(r"alpha</a> and 3 others</th>\s*<td class=\"number\">8</td>", page)
    assert "<summary>the same for 3 other tenants</summary>" in page
    assert "<code>beta</code>, <code>delta</code>, <code>gamma</code>" in page
    assert page.count('class="object"') == 3
    assert ">3 objects</output>" in page


def test_the_json_has_every_object_and_the_groups() -> None:
    read = as_json.load(as_json.render(REPORT))
    assert read == REPORT
    assert (len(read.entries), read.effects) == (9, (("alpha", "beta", "delta", "gamma"),))

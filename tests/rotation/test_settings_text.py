"""Credential generations in the text of a settings file: only they change, and every comment stays."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
import yaml
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from model.problems import SpecError
from model.reading.settings_load import read_settings
from model.settings import Credential
from usine.rotation.settings_text import Lists, lists_of, rewritten

ROOT = Path(__file__).resolve().parents[2]
LAB = (ROOT / "Pulumi.lab.yaml").read_text(encoding="utf-8")
PROD = (ROOT / "Pulumi.prod.yaml").read_text(encoding="utf-8")
NEW = Credential("2026-11-30", datetime.date(2027, 5, 29))


def edited(text: str, lists: Lists) -> str:
    found = rewritten(text, "Pulumi.x.yaml", lists)
    assert lists_of(read_settings(found.encode(), "Pulumi.x.yaml")) == lists
    return found


def changed_lines(before: str, after: str) -> tuple[list[str], list[str]]:
    old, new = before.split("\n"), after.split("\n")
    return [line for line in old if line not in new], [line for line in new if line not in old]


def test_a_generation_is_added_to_a_block_and_taken_out_again_without_a_trace() -> None:
    old = Credential("2026-2", datetime.date(2027, 3, 31))
    both = edited(PROD, {None: (old, NEW)})
    assert changed_lines(PROD, both) == ([], ['    - {name: "2026-11-30", until: 2027-05-29}'])
    assert edited(both, {None: (old,)}) == PROD
    after = edited(both, {None: (NEW,)})
    assert changed_lines(PROD, after) == (
        ["    - {name: 2026-2, until: 2027-03-31}"],
        ['    - {name: "2026-11-30", until: 2027-05-29}'],
    )


def test_a_generation_is_added_within_a_line_and_its_comment_stays() -> None:
    both = edited(LAB, {None: (Credential("1"), NEW)})
    ((line,), (changed,)) = changed_lines(LAB, both)
    assert changed.startswith(
        '  usine:credentials: [{name: "1"}, {name: "2026-11-30", until: 2027-05-29}]   # to renew'
    )
    assert changed.partition("#")[2] == line.partition("#")[2]
    after = edited(both, {None: (NEW,)})
    assert '  usine:credentials: [{name: "2026-11-30", until: 2027-05-29}]   # to renew' in after


def test_a_tenant_gets_a_list_of_its_own_beside_the_others_and_loses_it_again() -> None:
    listed = read_settings(PROD.encode(), "Pulumi.x.yaml").credentials
    one = edited(PROD, {None: listed, "teleservice": (*listed, NEW)})
    two = edited(one, {None: listed, "teleservice": (*listed, NEW), "miroirs": (NEW,)})
    assert changed_lines(PROD, two) == (
        [],
        [
            "  usine:tenantCredentials:",
            '    teleservice: [{name: "2026-2", until: 2027-03-31}, {name: "2026-11-30", until: 2027-05-29}]',
            '    miroirs: [{name: "2026-11-30", until: 2027-05-29}]',
        ],
    )
    three = edited(two, {None: listed, "teleservice": (NEW,), "miroirs": (NEW,)})
    assert '    teleservice: [{name: "2026-11-30", until: 2027-05-29}]' in three.split("\n")
    assert edited(edited(three, {None: listed, "miroirs": (NEW,)}), {None: listed}) == PROD


def test_the_list_is_written_where_there_was_none() -> None:
    text = "\n".join(line for line in LAB.split("\n") if "usine:credentials" not in line)
    both = edited(text, {None: (Credential("1"), NEW)})
    assert changed_lines(text, both)[0] == []


@pytest.mark.parametrize(
    "written",
    [
        "  usine:credentials:\n  - name: '1'\n    # for the audit\n  - name: b   # why\n    until: 2027-01-01\n",
        '  usine:credentials: [\n    {name: "1"},\n    {name: b, until: 2027-01-01}]\n',
        "  usine:credentials: [{name: '1'}, {name: b, until: 2027-01-01}]\n"
        "  usine:tenantCredentials: {alpha: [{name: c}], beta: [{name: '1'}]}\n",
    ],
)
def test_every_form_of_a_list_can_be_edited(written: str) -> None:
    text = "\n".join(written.rstrip("\n") if "usine:credentials" in line else line for line in LAB.split("\n"))
    before = dict(lists_of(read_settings(text.encode(), "x")))
    last = Credential("b", datetime.date(2027, 1, 1))
    rest = {slug: listed for slug, listed in before.items() if slug is not None}
    bare: dict[str | None, tuple[Credential, ...]] = dict(rest.items())
    for listed in ((Credential("1"), last, NEW), (last, NEW), (last,), (Credential("1"),)):
        edited(text, {**bare, None: listed})
    for slug, own in rest.items():
        edited(text, {key: listed for key, listed in before.items() if key != slug})
        edited(text, {**before, slug: (*own, NEW)})
    edited(text, {**before, "gamma": (NEW,)})


def test_a_list_as_text_is_refused_and_the_file_stays() -> None:
    text = LAB.replace('[{name: "1"}]', '\'[{"name": "1"}]\'')
    assert read_settings(text.encode(), "x").credentials == (Credential("1"),)
    with pytest.raises(SpecError, match="cannot be edited"):
        rewritten(text, "Pulumi.x.yaml", {None: (Credential("1"), NEW)})


_NAMES = st.from_regex(r"g(?:-?[a-z0-9]){0,5}", fullmatch=True)
_DATES = st.none() | st.dates(datetime.date(2027, 1, 1), datetime.date(2028, 1, 1))
_LISTS = st.lists(st.builds(Credential, _NAMES, _DATES), min_size=1, max_size=3, unique_by=lambda one: one.name).map(
    tuple
)


# Without shrinking: the settings are read four times for each example.
@settings(max_examples=8, deadline=None, phases=[Phase.generate])
@given(_LISTS, _LISTS, st.dictionaries(st.sampled_from(["alpha", "beta"]), _LISTS), st.booleans())
def test_any_lists_follow_any_others(before: tuple[Credential, ...], after: tuple[Credential, ...],
                                     tenants: dict[str, tuple[Credential, ...]], block: bool) -> None:  # fmt: skip
    whole = yaml.safe_load(LAB)
    whole["config"]["usine:credentials"] = [{"name": c.name, **({"until": c.until} if c.until else {})} for c in before]
    text = yaml.safe_dump(whole, default_flow_style=False if block else None)
    kept = [one for one in before if one in after]
    fresh = [one for one in after if one.name not in {c.name for c in before}]
    if not (kept or fresh):
        return
    wanted: dict[str | None, tuple[Credential, ...]] = dict(tenants.items())
    wanted[None] = (*kept, *fresh)
    if not kept:  # a rotation keeps the last one
        wanted[None] = (*before, *fresh)
    edited(text, wanted)
    edited(rewritten(text, "x", wanted), {None: wanted[None]})

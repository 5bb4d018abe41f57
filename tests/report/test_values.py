"""Values: unambiguous, complete, and without invisible characters."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_facts.values import ABSENT, SECRET
from tests.report.texts import TEXTS, UNTIMED
from usine.report.model import PropertyChange
from usine.report.values import both_sides, code_pieces, compare_lines, cut, one_line, visible

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (ABSENT, "(absent)"),
        ("(absent)", '"(absent)"'),
        (None, "null"),
        ("null", '"null"'),
        (True, "true"),
        ("", '""'),
        (SECRET, "(secret)"),
        ("é ok", '"é ok"'),
        ("a\u202eb\u00a0", r'"a\u202eb\u00a0"'),
        ("a\tb\n", r'"a\tb\n"'),
        ({"b": [1, 2.5], "a": None}, '{"a": null, "b": [1, 2.5]}'),
    ],
)
def test_different_values_have_different_lines(value: object, shown: str) -> None:
    assert one_line(value) == shown


@UNTIMED
@given(JSON)
def test_invisible_characters_are_never_shown(value: object) -> None:
    lines = compare_lines(PropertyChange("x", ABSENT, value)) or ()
    for text in (one_line(value), *(line.text for line in lines)):
        assert not [c for c in text if unicodedata.category(c)[0] in "CZ" and c != " "]


@UNTIMED
@given(JSON, JSON)
def test_a_comparison_has_every_line_that_differs(before: object, after: object) -> None:
    lines = compare_lines(PropertyChange("x", before, after))
    if lines is None:
        return
    assert any(line.sign in "-+" for line in lines)
    if isinstance(after, str) and isinstance(before, str):
        gone, come = ({visible(line) for line in text.split("\n")} for text in (before, after))
        assert {line.text for line in lines if line.sign == "+"} >= come - gone
        assert {line.text for line in lines if line.sign == "-"} >= gone - come


def test_a_text_of_many_lines_is_compared_line_by_line() -> None:
    before = "\n".join(f"line {number}" for number in range(30))
    after = before.replace("line 5\n", "line five\n").replace("line 20\n", "")
    lines = compare_lines(PropertyChange("policy", before, after))
    assert lines is not None
    assert [f"{line.sign}{line.text}" for line in lines] == [
        " line 3", " line 4", "-line 5", "+line five", " line 6", " line 7", "…",
        " line 18", " line 19", "-line 20", " line 21", " line 22",
    ]  # fmt: skip


def test_short_values_need_no_comparison() -> None:
    assert compare_lines(PropertyChange("x", "a", {"b": 1})) is None


def test_a_changed_secret_is_shown_as_another_secret() -> None:
    assert both_sides(PropertyChange("password", SECRET, SECRET)) == ("(secret)", "(another secret)")
    assert both_sides(PropertyChange("password", ABSENT, SECRET)) == ("(absent)", "(secret)")


def test_a_cut_text_has_the_number_of_cut_characters() -> None:
    assert cut("abcdef", 6) == "abcdef"
    assert cut("x" * 2_000, 3) == "xxx… (1,997 more characters)"


def test_backticks_mark_code() -> None:
    assert code_pieces("set `state: archived` first") == (
        ("set ", False),
        ("state: archived", True),
        (" first", False),
    )
    assert code_pieces("one ` alone") == (("one ` alone", False),)

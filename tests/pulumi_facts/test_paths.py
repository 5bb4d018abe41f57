"""Property paths: read, written, looked up, and matched with patterns."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pulumi_facts.paths import below, covers, lookup, parse, render, touches, with_any_index
from pulumi_facts.values import ABSENT, SECRET


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("policy", ("policy",)),
        ("members[0]", ("members", 0)),
        ('spec.hard["limits.cpu"]', ("spec", "hard", "limits.cpu")),
        ('data[".dockerconfigjson"].x', ("data", ".dockerconfigjson", "x")),
        ('["a\\"b"]', ('a"b',)),
        ("rules[*].*", ("rules", "*", "*")),
        ("", ()),
        ("a[b", ("a[b",)),
    ],
)
def test_a_path_is_read(text: str, path: tuple[str | int, ...]) -> None:
    assert parse(text) == path


#: Any key, and often one with the characters of the grammar.
_KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.text('.[]"\\*0 a\n', max_size=6)


@given(st.lists(st.one_of(_KEYS, st.integers(0, 99)), max_size=5))
@example(['."\\\n', 0, "", "]", "\\", "["])
def test_a_written_path_is_read_back(path: list[str | int]) -> None:
    assert parse(render(path)) == tuple(path)


@given(st.lists(st.one_of(_KEYS, st.integers(0, 99)), max_size=5))
def test_a_path_can_be_written_part_by_part(path: list[str | int]) -> None:
    text = ""
    for part in path:
        text = below(text, part)
    assert text == render(path)


def test_a_lookup_stops_at_a_secret_and_where_nothing_is() -> None:
    value = {"a": [{"b": None}], "s": SECRET}
    assert lookup(value, ("a", 0, "b")) is None
    assert lookup(value, ("a", 1)) is ABSENT
    assert lookup(value, ("a", "b")) is ABSENT
    assert lookup(value, ("a", 0, "b", "c")) is ABSENT
    assert lookup(value, ("s", "deeper", 3)) == SECRET


@pytest.mark.parametrize(
    ("path", "pattern", "touched", "covered"),
    [
        ("metadata.name", "metadata.name", True, True),
        ("metadata", "metadata.name", True, False),
        ("metadata.namespace", "metadata.name", False, False),
        ("roleRef.name", "roleRef", True, True),
        ("rules[3].verbs[0]", "rules[*].verbs", True, True),
        ('data["a.b"]', "data", True, True),
        ('data["a.b"]', 'data["a.b"]', True, True),
        ('data["a.c"]', 'data["a.b"]', False, False),
        ("(protect)", "content", False, False),
    ],
)
def test_a_pattern_names_what_is_at_and_below_it(path: str, pattern: str, touched: bool, covered: bool) -> None:
    assert touches(path, pattern) is touched
    assert covers(pattern, path) is covered


def test_paths_that_differ_in_indexes_and_quoted_keys_have_one_form() -> None:
    assert with_any_index('a[12].hard["limits.cpu"].b') == with_any_index('a[3].hard["x\\"]y"].b') == "a[*].hard[*].b"

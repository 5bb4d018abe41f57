"""Property paths: read and written, looked up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usine.drift.paths import lookup, parse, render
from usine.plan.model import SECRET
from usine.report.model import ABSENT


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("policy", ("policy",)),
        ("members[0]", ("members", 0)),
        ('spec.hard["limits.cpu"]', ("spec", "hard", "limits.cpu")),
        ('data[".dockerconfigjson"].x', ("data", ".dockerconfigjson", "x")),
        ('["a\\"b"]', ('a"b',)),
        ("", ()),
    ],
)
def test_paths_are_read(text: str, path: tuple[str | int, ...]) -> None:
    assert parse(text) == path


_KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


@given(st.lists(st.one_of(_KEYS, st.integers(0, 99)), max_size=5))
def test_what_is_written_is_read_back(path: list[str | int]) -> None:
    assert parse(render(path)) == tuple(path)


def test_nothing_is_found_where_nothing_is() -> None:
    value = {"a": [{"b": None}], "s": SECRET}
    assert lookup(value, ("a", 0, "b")) is None
    assert lookup(value, ("a", 1)) is ABSENT
    assert lookup(value, ("a", "b")) is ABSENT
    assert lookup(value, ("a", 0, "b", "c")) is ABSENT
    assert lookup(value, ("s", "deeper", 3)) == SECRET

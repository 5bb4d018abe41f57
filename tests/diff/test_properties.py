"""The difference of two values, property by property."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_facts.values import ABSENT
from usine.diff.properties import differences
from usine.report.model import PropertyChange

_KEYS = st.text(st.characters(codec="utf-8"), max_size=4)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=12,
)
_OBJECTS = st.dictionaries(_KEYS, _JSON, max_size=4)


def found(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, object, object]]:
    return [(change.path, change.before, change.after) for change in differences(before, after)]


def test_paths_are_written_as_pulumi_does() -> None:
    before = {"spec": {"hard": {"limits.cpu": "4", 'a"b': 1, "c\\d": 1}, "rules": [{"x": 1}, {"y": [1, {"z": 2}]}]}}
    after = {"spec": {"hard": {"limits.cpu": "6", 'a"b': 2, "c\\d": 2}, "rules": [{"x": 1}, {"y": [1, {"z": 3}]}]}}
    assert [path for path, *_ in found(before, after)] == [
        'spec.hard["a\\"b"]',
        r"spec.hard.c\d",
        'spec.hard["limits.cpu"]',
        "spec.rules[1].y[1].z",
    ]  # fmt: skip


def test_a_removed_item_is_one_change_even_if_others_move() -> None:
    assert found({"members": ["a", "b", "c", "d"]}, {"members": ["a", "c", "d", "e"]}) == [
        ("members[1]", "b", ABSENT),
        ("members[3]", ABSENT, "e"),
    ]


def test_a_changed_order_is_one_change() -> None:
    assert found({"files": ["a", "b", "b"]}, {"files": ["b", "a", "b"]}) == [
        ("files", ["a", "b", "b"], ["b", "a", "b"])
    ]


def test_a_structure_added_to_a_list_is_one_change() -> None:
    rule = {"to": [{"port": 443}], "from": "x"}
    assert found({"egress": [{"a": 1}, {"b": 2}]}, {"egress": [{"a": 1}, rule, {"b": 2}]}) == [
        ("egress[1]", ABSENT, rule)
    ]
    assert found({"egress": [{"a": 1}, rule]}, {"egress": [{"a": 1}, rule | {"from": "y"}]}) == [
        ("egress[1].from", "x", "y")
    ]


@pytest.mark.parametrize(("one", "other"), [(True, 1), (None, ABSENT), ("1", 1), ([], {}), ({}, ABSENT), ([], ABSENT)])
def test_values_that_differ_in_json_are_different(one: object, other: object) -> None:
    before, after = ({} if value is ABSENT else {"a": value} for value in (one, other))
    assert found(before, after) == [("a", one, other)]
    assert found(after, before) == [("a", other, one)]


@given(_OBJECTS)
def test_equal_values_have_no_difference(value: dict[str, Any]) -> None:
    assert found(value, copy.deepcopy(value)) == []


@given(_OBJECTS, _OBJECTS)
def test_every_difference_is_found_once_in_both_directions(before: dict[str, Any], after: dict[str, Any]) -> None:
    there, back = list(differences(before, after)), list(differences(after, before))
    assert bool(there) == bool(back) == (json.dumps(before, sort_keys=True) != json.dumps(after, sort_keys=True))
    assert len({(change.path, repr(change.before)) for change in there}) == len(there)
    assert all(
        (isinstance(change, PropertyChange) and change.before != change.after) or _types(change) for change in there
    )


def _types(change: PropertyChange) -> bool:
    """In Python, true and 1 are equal; in JSON they are not."""
    return json.dumps(change.before, default=str) != json.dumps(change.after, default=str)

"""Ignore rules: they are read with their places, applied, and reported."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from model.problems import SpecError
from model.reading.drift_ignores import IgnoreRule, load_ignores, read_ignores
from tests.drift.values import finding
from usine.drift.ignore import sift
from usine.report.model import Action, Severity

TODAY = datetime.date(2026, 11, 25)
GOOD = """\
ignores:
  - type: kubernetes:core/v1:Namespace
    property: metadata.annotations["field.cattle.io/*"]
    reason: Rancher notes where it shows a namespace
    owner: alice.martin
    expires: 2027-06-30
  - name: alpha/vault/*
    kind: missing
    reason: being moved by hand this week
    owner: bob.durand
    expires: 2026-12-01
"""


def problems(text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        read_ignores(text.encode(), TODAY, "drift-ignore.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_rules_are_read_with_their_places() -> None:
    first, second = read_ignores(GOOD.encode(), TODAY)
    assert (first.name, first.type, first.line) == ("*", "kubernetes:core/v1:Namespace", 2)
    assert (second.kind, second.expires, second.line) == ("missing", datetime.date(2026, 12, 1), 7)


def test_all_mistakes_are_reported_at_once_with_their_places() -> None:
    assert problems(
        """\
ignores:
  - tpye: kubernetes:*
    reason: because I say so
    owner: alice.martin
    expires: 2026-12-01
  - type: kubernets:core/v1:Secret
    reason: short
    owner: alice.martin
    expires: 2026-12-01
  - name: x
    kind: unmanged
    reason: because I say so
    owner: alice.martin
    expires: 31/12/2026
"""
    ) == [
        "drift-ignore.yaml:2:5: ignores[0]: unknown key tpye; did you mean type? Allowed: expires, kind, name, owner, "
        "property, reason, type",
        'drift-ignore.yaml:6:11: ignores[1].type: no such type: "kubernets:core/v1:Secret"; a type starts with a '
        "provider's name and a colon, as in the report; did you mean kubernetes? Allowed: gitlab, harbor, keycloak, "
        "kubernetes, pulumi-python, vault",
        "drift-ignore.yaml:7:13: ignores[1].reason: expected a line of at least 10 characters that says why",
        'drift-ignore.yaml:11:11: ignores[2].kind: no such kind: "unmanged"; did you mean unmanaged? Allowed: changed, '
        "missing, unmanaged",
        "drift-ignore.yaml:14:14: ignores[2].expires: expected a date such as 2027-06-30",
    ]


def test_rules_that_make_no_sense_are_reported() -> None:
    assert problems(
        """\
ignores:
  - property: spec
    reason: about no object at all
    owner: alice.martin
    expires: 2026-12-01
  - name: a
    kind: missing
    property: spec
    reason: whole objects are missing
    owner: alice.martin
    expires: 2030-12-01
  - name: b
    reason: the same, said twice
    owner: alice.martin
    expires: 2026-12-01
  - name: b
    reason: the same, said twice
    owner: bob.durand
    expires: 2026-12-02
"""
    ) == [
        "drift-ignore.yaml:2:5: ignores[0]: the rule names no object: name or type is missing",
        "drift-ignore.yaml:8:15: ignores[1].property: an object that is missing has no property that differs: leave "
        "out property, or kind",
        "drift-ignore.yaml:11:14: ignores[1].expires: a rule lasts 366 days at most: until 2027-11-26 if it starts "
        "today",
        "drift-ignore.yaml:16:5: ignores[3]: the same is ignored by ignores[2]: keep one of them",
    ]


def test_a_folder_in_place_of_the_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be read"):
        load_ignores(tmp_path, TODAY)


def rule(**values: object) -> IgnoreRule:
    base: dict[str, object] = {
        "name": "*", "type": "*", "property": None, "kind": None, "reason": "because", "owner": "alice.martin",
        "expires": TODAY, "line": 3,
    }  # fmt: skip
    return IgnoreRule(**(base | values))  # type: ignore[arg-type]  # by keyword


@pytest.mark.parametrize(
    ("about", "covered"),
    [
        ({"name": "alpha/*"}, True),
        ({"name": "beta/*"}, False),
        ({"name": "alpha/vault"}, False),
        ({"type": "vault:*"}, True),
        ({"property": "policy"}, True),
        ({"property": "pol"}, False),
        ({"kind": "missing"}, False),
        ({"kind": "changed", "property": "*"}, True),
    ],
)
def test_a_rule_matches_kind_name_type_and_property(about: dict[str, object], covered: bool) -> None:
    sifted = sift([finding()], [rule(**about)], TODAY, source="f", whole=False)
    assert bool(sifted.ignored) is covered


def test_a_property_matches_everything_below_it_and_brackets_are_literal() -> None:
    below = finding(path='spec.hard["limits.cpu"]')
    assert sift([below], [rule(property="spec.hard")], TODAY, source="f", whole=False).ignored == (below,)
    assert sift([below], [rule(property='spec.hard["limits.cpu"]')], TODAY, source="f", whole=False).ignored == (below,)
    assert sift([finding(path="spec.harder")], [rule(property="spec.hard")], TODAY, source="f", whole=False).kept


def test_a_rule_for_a_property_does_not_match_a_missing_object() -> None:
    gone = finding(kind=Action.MISSING)
    assert sift([gone], [rule(property="*")], TODAY, source="f", whole=False).kept == (gone,)


def test_rules_are_reported_expired_unused_and_used() -> None:
    yesterday = TODAY - datetime.timedelta(days=1)
    rules = [rule(expires=yesterday), rule(name="nothing"), rule(type="vault:*")]
    sifted = sift([finding(), finding("beta/x", type="gitlab:x")], rules, TODAY, source="f.yaml", whole=True)
    assert [n.rule for n in sifted.notices] == ["ignore-expired", "ignore-unused", "ignored"]
    assert "2 differences" in sifted.notices[0].text
    assert [n.severity for n in sifted.notices] == [Severity.WARNING, Severity.WARNING, Severity.INFO]
    assert {(n.path, n.line) for n in sifted.notices} == {("f.yaml", 3)}
    assert [f.name for f in sifted.kept] == ["beta/x"], "an expired rule ignores nothing"


def test_no_rule_is_reported_as_unused_after_a_partial_scan() -> None:
    assert sift([], [rule(name="nothing")], TODAY, source="f", whole=False).notices == ()

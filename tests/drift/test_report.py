"""Causes and the report: one entry per object, one line per cause, and the parts that could not be scanned."""

from __future__ import annotations

from importlib import metadata
from typing import Any

from pulumi_facts.values import ABSENT
from tests.drift.values import finding
from usine.drift.causes import group, upgrades
from usine.drift.findings import DriftFinding, Means, Unseen
from usine.drift.history import History, Past, compare
from usine.drift.report import Subject, folded, make_report
from usine.report.model import Action, Report, Severity

NOW, BEFORE = "2026-11-25T02:00:00Z", "2026-11-20T02:00:00Z"


def many(count: int, **values: Any) -> list[DriftFinding]:
    return [finding(f"t{n}/vault/role", **values) for n in range(count)]


def report(*findings: DriftFinding, unseen: tuple[Unseen, ...] = (), past: Past | None = None) -> Report:
    past = past or Past()
    record: History = compare(past, findings, unseen, NOW)
    causes, _ = group(findings, {})
    return make_report(Subject("lab", 600, causes=causes), findings, unseen, record, past)


def test_equal_changes_have_one_cause() -> None:
    alike = many(12, path="tokenTtl", expected=ABSENT, found=3600)
    other = finding(path="tokenTtl", expected=60, found=3600)
    causes, single = group([*alike, other], {"vault": "7.13.0 -> 7.14.0"})
    assert [cause.objects for cause in causes] == [12]
    assert causes[0].text == (
        "provider upgrade (vault 7.13.0 -> 7.14.0): 12 objects changed in the same way, "
        "tokenTtl of Policy: nothing -> 3600"
    )
    assert single == (other,)


def test_few_or_different_changes_have_no_cause() -> None:
    assert group(many(9), {})[0] == ()
    assert group([finding(f"t{n}", path="x", expected=n, found=n + 1) for n in range(20)], {})[0] == ()


def test_changes_at_different_indexes_and_keys_are_equal() -> None:
    alike = [finding(f"t{n}", path=f"rules[{n}].max", expected="a", found="b") for n in range(10)]
    assert "rules[*].max" in group(alike, {})[0][0].text


def test_a_provider_upgrade_is_read_from_the_state() -> None:
    installed = metadata.version("pulumi-vault")
    states = [
        {"type": "pulumi:providers:vault", "inputs": {"version": "1.0.0"}},
        {"type": "pulumi:providers:kubernetes", "inputs": {"version": metadata.version("pulumi-kubernetes")}},
        {"type": "pulumi:providers:gitlab", "inputs": {}},
        {"type": "vault:index/mount:Mount", "inputs": {"version": "2"}},
    ]
    assert upgrades(states) == {"vault": f"1.0.0 -> {installed}"}


def test_an_object_is_one_entry_with_all_its_properties_and_how_to_repair_it() -> None:
    two = finding(path="a", by="kubectl-edit"), finding(path="b")
    made = report(*two)
    (entry,) = made.entries
    assert [change.path for change in entry.properties] == ["a", "b"]
    assert entry.note == f"since {NOW}; by kubectl-edit; --repair {two[0].object_key}"
    assert made.verdict == "1 object differs from the stack's state: 1 changed, 1 of them gives access"


def test_a_manual_repair_has_the_call_to_make() -> None:
    found = finding("group tenants/alpha: share with x", Action.UNMANAGED, means=Means.HAND, call="DELETE /share/1")
    assert report(found).entries[0].note.endswith("; manually: DELETE /share/1")


def test_a_partly_repairable_object_names_the_manual_part() -> None:
    made = report(finding(path="a"), finding(path="b", means=Means.HAND, call="set it back"))
    assert made.entries[0].note.endswith(f"--repair {finding().object_key}; manually (b): set it back")


def test_the_longest_known_property_dates_the_object() -> None:
    old, new = finding(path="a"), finding(path="b")
    made = report(old, new, past=Past(BEFORE, {old.key: BEFORE}, {old.key: old}))
    assert made.entries[0].note.startswith(f"since {BEFORE}")
    assert ("new since then", "1 difference") in made.facts


def test_a_part_that_could_not_be_scanned_is_an_error_and_the_rest_is_reported() -> None:
    made = report(finding(), unseen=(Unseen("beta", "vault", "does not answer"), Unseen(None, "vault", "same")))
    assert [n.severity for n in made.notices] == [Severity.ERROR, Severity.ERROR]
    assert "could not scan vault for beta: does not answer" in made.notices[0].text
    assert "vault could not be scanned for (foundation), beta" in made.verdict
    assert "1 changed" in made.verdict


def test_a_finding_that_is_gone_is_reported_once() -> None:
    gone = finding(path="a"), finding(path="b")
    made = report(past=Past(BEFORE, dict.fromkeys((g.key for g in gone), BEFORE), {g.key: g for g in gone}))
    (notice,) = made.notices
    assert "alpha/vault/policy/env/dev changed" in notice.text
    assert made.entries == ()


def test_a_cause_is_one_entry_for_people_and_all_objects_for_machines() -> None:
    alike = many(40, path="x", expected=False, found=True, type="vault:kv/secretV2:SecretV2")
    more = [finding("t3/vault/role", path="y", type="vault:kv/secretV2:SecretV2")]
    lost = [finding(f"m{n}", Action.MISSING, type="vault:index/mount:Mount", holds_data=True) for n in range(10)]
    whole = report(*alike, *more, *lost)
    assert len(whole.entries) == 50
    short = folded(whole, group([*alike, *more, *lost], {})[0])
    names = [entry.name for entry in short.entries]
    assert "39 objects" in names
    assert "t3/vault/role" in names, "it has more to say than the cause"
    assert sum(entry.loses_data for entry in short.entries) == 10, "each loss of data is reported"
    assert len(names) == 12


def test_very_long_texts_are_cut_in_the_report() -> None:
    (change,) = report(finding(found="x" * 10_000)).entries[0].properties
    assert len(str(change.after)) < 4_100

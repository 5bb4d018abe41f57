"""A run with nothing to do ends after the preview: no resource changes, and the last run ended with this state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.guard.samples import REALM, STACK, checkpoint, end, error, pre, vault
from tests.guard.test_guarded import OTHER, POLICY, Fake
from usine.engine.events import make_events
from usine.engine.guarded import Status, guarded_preview
from usine.engine.lock import unlocked
from usine.engine.redact import Redactor
from usine.engine.report import run_report
from usine.report.model import Kind

SAME = tuple(event for urn in (STACK, POLICY, OTHER, REALM) for event in (pre("same", urn), end("same", urn)))


@pytest.fixture
def settled(tmp_path: Path) -> Fake:
    """A stack after a complete run, with a preview without changes."""
    fake = Fake(tmp_path)
    fake.events("preview", *SAME)
    fake.events("up", *SAME)
    assert fake.up().status is Status.APPLIED
    assert len(fake.calls("up")) == 1, "no record yet: the engine runs"
    return fake


def applies(fake: Fake, **options: Any) -> bool:
    before = len(fake.calls("up"))
    assert fake.up(**options).status is Status.APPLIED
    return len(fake.calls("up")) > before


def test_a_run_with_nothing_to_do_is_only_a_preview_and_reports_as_usual(settled: Fake) -> None:
    outcome = settled.up()
    assert len(settled.calls("up")) == 1
    report = run_report(outcome, "usine up")
    assert (outcome.status, report.kind, report.verdict) == (Status.APPLIED, Kind.RUN, "No changes.")
    assert ("unchanged objects", "3") in report.facts
    assert not report.entries
    assert not applies(settled), "and it stays so"


def test_a_bound_plan_without_steps_is_also_bound_to_its_sources(settled: Fake) -> None:
    plan = guarded_preview(settled.engine, unlocked(settled.engine), settled.guardrails).plan
    assert plan is not None
    assert not applies(settled, plan=plan)
    settled.state(checkpoint(POLICY, OTHER))
    assert [notice.rule for notice in settled.up(plan=plan).notices] == ["moved-state"]


def write(name: str, text: str) -> Callable[[Fake], None]:
    def change(fake: Fake) -> None:
        path = fake.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text((path.read_text("utf-8") if path.exists() else "") + text, encoding="utf-8")

    return change


def protect(fake: Fake) -> None:
    fake.state(checkpoint(POLICY, OTHER, REALM, protected=(REALM,)))


def another_provider(fake: Fake) -> None:
    state = checkpoint(POLICY, OTHER, REALM)
    state["deployment"]["secrets_providers"] = {"type": "cloud", "state": {"url": "hashivault://other"}}
    fake.state(state)


def outputs(fake: Fake) -> None:
    fake.guardrails = replace(fake.guardrails, refresh=False)
    given = end("same", STACK)
    given["resOutputsEvent"]["metadata"] |= {"old": {"outputs": {}}, "new": {"outputs": {"tenants": {"alpha": {}}}}}
    fake.events("preview", *SAME, given)


def refresh(fake: Fake) -> None:
    fake.guardrails = replace(fake.guardrails, refresh=True)


#: Changes, one after the other. Each run but the last two writes a record, which the next change invalidates.
CHANGES: dict[str, Callable[[Fake], None]] = {
    "the program (protection is in no preview)": write("components/vault.py", "protect = True\n"),
    "the tenants": write("projects.d/gamma.yaml", "slug: gamma\n"),
    "the settings": write("Pulumi.lab.yaml", "  usine:gates: []\n"),
    "the secrets provider asked for": write("Pulumi.lab.yaml", "secretsprovider: hashivault://other\n"),
    "the secrets provider in use": another_provider,
    "the state": protect,
    "a record that cannot be read": write(".usine/applied/lab.json", "cut"),
    "a refresh": refresh,
    "an output of the stack": outputs,
}


def test_the_engine_runs_after_every_change_that_it_could_write(settled: Fake) -> None:
    for what, change in CHANGES.items():
        change(settled)
        assert applies(settled), what


def test_a_run_with_targets_leaves_no_record(tmp_path: Path) -> None:
    fake = Fake(tmp_path)
    fake.events("preview", *SAME)
    fake.guardrails = replace(fake.guardrails, targets=(POLICY,))
    assert applies(fake)
    fake.guardrails = replace(fake.guardrails, targets=())
    assert applies(fake)


def test_files_that_change_during_a_run_leave_no_record(tmp_path: Path) -> None:
    fake = Fake(tmp_path)
    fake.events("preview", *SAME)
    fake.events("up", *SAME, then="echo 'slug: gamma' > projects.d/gamma.yaml")
    assert applies(fake)
    fake.events("up", *SAME)
    assert applies(fake)
    assert not applies(fake)


def test_a_run_that_fails_leaves_no_record(tmp_path: Path) -> None:
    fake = Fake(tmp_path)
    fake.events("preview", *SAME)
    fake.events("up", *SAME, error(POLICY, "403"), code=255)
    assert fake.up().status is Status.FAILED
    fake.events("up", *SAME)
    assert applies(fake)


def idle(*events: dict[str, Any]) -> bool:
    return make_events(events, Redactor()).idle


def test_a_preview_is_idle_when_every_resource_equals_the_state() -> None:
    assert idle(*SAME)
    assert not idle()
    assert not idle(*SAME, pre("same", vault("beta", "Policy", "policy/env/prod"))), "not finished"
    for op in ("create", "update", "delete", "refresh", "read", "read-replacement"):
        assert not idle(*SAME, pre(op, REALM), end(op, REALM)), op
    assert not idle(*SAME, error(STACK, "the program failed"))
    for field in ({"inputs": {"a": 1}}, {"protect": True}, {"provider": "p::2"}, {"parent": STACK}):
        ended = end("same", REALM)
        ended["resOutputsEvent"]["metadata"] |= {"old": {"urn": REALM}, "new": {"urn": REALM, **field}}
        assert not idle(*SAME, ended), field

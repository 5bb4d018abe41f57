"""The order of a guarded run, with a `pulumi` that answers from files: a refused plan is never applied."""

from __future__ import annotations

import datetime
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model.reading.settings_load import load_settings
from tests.guard.samples import REALM, checkpoint, end, error, failed, pre, program_files, vault
from tests.template import SETTINGS_FILE
from usine.engine.binding import bind
from usine.engine.cli import Engine, EngineError
from usine.engine.guarded import Guardrails, Outcome, Status, guarded_preview, guarded_up
from usine.engine.lock import Pace, acquire, unlocked
from usine.engine.lock_files import LockFiles, Record
from usine.engine.owner import this_run
from usine.engine.report import run_report
from usine.engine.storage import state_storage
from usine.program import PROGRAM
from usine.report.model import Action, Kind, Notice, Severity

ROOT = Path(__file__).resolve().parents[2]
POLICY = vault("alpha", "Policy", "policy/env/dev")
OTHER = vault("beta", "Policy", "policy/env/dev")

#: Writes its arguments to a file, exports the state, and writes prepared events to its event log.
PULUMI = """#!/bin/sh
cd {folder}
echo "$@" >> calls
case "$1" in
    stack) cat state.json; exit 0 ;;
esac
while [ $# -gt 0 ]; do
    case "$1" in preview|up) command=$1 ;; --event-log) events=$2 ;; esac
    shift
done
[ -f $command.events ] && cat $command.events > "$events"
[ -f $command.then ] && . ./$command.then
[ -f $command.code ] && exit $(cat $command.code)
exit 0
"""


class Fake:
    """A stack whose engine answers from the files in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bin").mkdir()
        program = folder / "bin" / "pulumi"
        program.write_text(PULUMI.format(folder=folder), encoding="utf-8")
        program.chmod(0o755)
        shutil.copy(SETTINGS_FILE, folder)
        (folder / "projects.d").mkdir()
        program_files(folder)
        path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        self.engine = Engine(folder, "lab", {"PATH": path, "PULUMI_BACKEND_URL": f"file://{folder}"})
        self.guardrails = Guardrails(load_settings(folder / "Pulumi.lab.yaml"), folder / "out" / "log")
        self.state(checkpoint(POLICY, OTHER, REALM))
        self.events("preview", pre("update", POLICY), end("update", POLICY))
        self.events("up", pre("update", POLICY, 10), end("update", POLICY, 12))

    def state(self, state: dict[str, Any]) -> None:
        (self.folder / "state.json").write_text(json.dumps(state), encoding="utf-8")

    def events(self, command: str, *events: dict[str, Any], code: int = 0, then: str = "") -> None:
        text = "".join(json.dumps(event, separators=(",", ":")) + "\n" for event in events)
        (self.folder / f"{command}.events").write_text(text, encoding="utf-8")
        (self.folder / f"{command}.code").write_text(str(code), encoding="utf-8")
        (self.folder / f"{command}.then").write_text(then, encoding="utf-8")

    def calls(self, command: str) -> list[str]:
        path = self.folder / "calls"
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        return [line for line in lines if line.split()[0] == command]

    def up(self, **options: Any) -> Outcome:
        return guarded_up(self.engine, unlocked(self.engine), self.guardrails, **options)


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    return Fake(tmp_path)


def test_an_accepted_plan_is_applied_without_a_second_preview(fake: Fake) -> None:
    outcome = fake.up()
    assert outcome.status is Status.APPLIED
    (call,) = fake.calls("up")
    assert "--skip-preview" in call
    assert "--continue-on-error" in call
    assert "--policy-pack" not in call
    report = run_report(outcome, "usine up")
    assert (report.kind, report.verdict) == (Kind.RUN, "1 change applied.")
    assert report.entries[0].seconds == 2


def test_targets_refresh_and_policies_apply_to_both_preview_and_up(fake: Fake) -> None:
    (fake.folder / "policy" / "PulumiPolicy.yaml").write_text("runtime: python\n", encoding="utf-8")
    fake.guardrails = replace(fake.guardrails, targets=(POLICY, OTHER), refresh=True)
    assert fake.up().status is Status.APPLIED
    for call in (*fake.calls("preview"), *fake.calls("up")):
        assert f"--policy-pack {fake.folder}/policy" in call
        assert f"--target {POLICY} --target {OTHER} --refresh" in call


def test_variables_set_no_option_of_the_engine(fake: Fake) -> None:
    """Such as a target in the variables of a CI job: the run would be incomplete, and be recorded as complete."""
    variables = {**fake.engine.environment, "PULUMI_OPTION_TARGET": OTHER, "PULUMI_CONFIG_PASSPHRASE": "x"}
    fake.engine = replace(fake.engine, environment=variables)
    fake.events("up", pre("update", POLICY, 10), end("update", POLICY, 12), then="env > variables")
    assert fake.up().status is Status.APPLIED
    seen = (fake.folder / "variables").read_text(encoding="utf-8")
    assert ("PULUMI_CONFIG_PASSPHRASE=x" in seen, "PULUMI_OPTION_" in seen) == (True, False)


def test_a_state_that_was_exported_already_is_exported_again_before_it_changes(fake: Fake) -> None:
    known = fake.engine.export_state()
    fake.up(checkpoint=known)
    assert len(fake.calls("stack")) == 1 + 2, "before the plan is applied, and for the record of the run"
    fake.state(checkpoint(POLICY, REALM))
    assert fake.up(checkpoint=known).status is Status.REFUSED, "another run changed the state meanwhile"


def test_a_preview_changes_nothing_and_reports_what_would_be_done(fake: Fake) -> None:
    outcome = guarded_preview(fake.engine, unlocked(fake.engine), fake.guardrails)
    assert outcome.status is Status.PLANNED
    assert fake.calls("up") == []
    report = run_report(outcome, "usine preview")
    assert (report.kind, report.verdict) == (Kind.DIFF, "1 change would be made.")
    assert report.entries[0].action is Action.CHANGED


def test_a_check_of_the_state_can_refuse_a_run_before_the_engine_starts(fake: Fake) -> None:
    judged: list[object] = []

    def judge(checkpoint: Mapping[str, object]) -> tuple[Notice, ...]:
        judged.append(checkpoint["deployment"])
        return (Notice("namespace-takeover", Severity.ERROR, "it exists"),)

    fake.guardrails = replace(fake.guardrails, on_state=judge)
    outcome = fake.up()
    assert (outcome.status, fake.calls("preview"), fake.calls("up"), len(judged)) == (Status.REFUSED, [], [], 1)
    assert [notice.text for notice in run_report(outcome, "usine up").notices] == ["it exists"]


def test_a_plan_that_destroys_data_is_refused_before_anything_changes(fake: Fake) -> None:
    fake.events("preview", pre("delete", REALM), end("delete", REALM))
    outcome = fake.up()
    assert (outcome.status, fake.calls("up")) == (Status.REFUSED, [])
    report = run_report(outcome, "usine up")
    assert report.refused
    assert report.verdict == "Refused, nothing was touched: 1 reason."
    assert report.entries[0].loses_data


def test_a_violation_of_a_policy_refuses_the_run(fake: Fake) -> None:
    said = {"policyName": "public", "message": "nothing is public", "resourceUrn": POLICY}
    fake.events("preview", {"policyEvent": {**said, "enforcementLevel": "mandatory"}}, code=255)
    outcome = fake.up()
    assert (outcome.status, fake.calls("up")) == (Status.REFUSED, [])
    assert [notice.rule for notice in outcome.notices] == ["public"]


def test_a_preview_that_fails_applies_nothing(fake: Fake) -> None:
    fake.events("preview", error(POLICY, "403"), failed("update", POLICY), code=255)
    outcome = fake.up()
    assert (outcome.status, fake.calls("up")) == (Status.FAILED, [])
    assert run_report(outcome, "usine up").verdict == "vault failed for: alpha; nothing was touched."


@pytest.mark.parametrize(
    ("moving", "what"),
    [
        ('sed -i \'s/"custom": true/"custom": false/\' state.json', "moved-state"),
        ("echo 1 > projects.d/gamma.yaml", "moved-tenants"),
        ("sed -i 's/robotDays: 180/robotDays: 90/' Pulumi.lab.yaml", "moved-settings"),
        ("echo 1 > components/new.py", "moved-program"),
    ],
)
def test_a_source_that_changes_between_preview_and_up_refuses_the_run(fake: Fake, moving: str, what: str) -> None:
    fake.events("preview", pre("update", POLICY), end("update", POLICY), then=moving)
    outcome = fake.up()
    assert (outcome.status, fake.calls("up")) == (Status.REFUSED, [])
    assert [notice.rule for notice in outcome.notices] == [what]


def test_a_bound_plan_is_applied_unchanged_or_refused(fake: Fake) -> None:
    plan = guarded_preview(fake.engine, unlocked(fake.engine), fake.guardrails).plan
    assert plan is not None
    assert fake.up(plan=replace(plan, stack="prod")).status is Status.REFUSED
    fake.events("preview", pre("update", OTHER), end("update", OTHER))
    refused = fake.up(plan=plan)
    assert [notice.rule for notice in refused.notices] == ["moved-steps"]
    fake.events("preview", pre("update", POLICY), end("update", POLICY))
    fake.state(checkpoint(POLICY, OTHER))
    before = len(fake.calls("preview"))
    assert [notice.rule for notice in fake.up(plan=plan).notices] == ["moved-state"]
    assert len(fake.calls("preview")) == before, "refused before the engine starts"
    fake.state(checkpoint(POLICY, OTHER, REALM))
    moved = bind("lab", replace(plan.sources, commit="0" * 40), ())
    assert [notice.rule for notice in fake.up(plan=moved).notices] == ["moved-commit"]
    assert fake.calls("up") == []
    assert fake.up(plan=plan).status is Status.APPLIED


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.write_text("2", encoding="utf-8"),
        lambda file: file.unlink(),
        lambda file: file.rename(file.with_name("b.py")),
    ],
    ids=["changed", "removed", "moved"],
)
@pytest.mark.parametrize("name", [name for name in PROGRAM if "." not in name])
def test_a_bound_plan_is_refused_when_a_file_of_the_program_was_changed_removed_or_moved(
    fake: Fake, name: str, change: Callable[[Path], object]
) -> None:
    plan = guarded_preview(fake.engine, unlocked(fake.engine), fake.guardrails).plan
    change(fake.folder / name / "a.py")
    outcome = fake.up(plan=plan)
    assert (outcome.status, fake.calls("up"), len(fake.calls("preview"))) == (Status.REFUSED, [], 1)
    assert [notice.rule for notice in outcome.notices] == ["moved-program"]


def test_a_bound_plan_is_refused_when_a_whole_part_of_the_program_is_gone(fake: Fake) -> None:
    plan = guarded_preview(fake.engine, unlocked(fake.engine), fake.guardrails).plan
    for name in PROGRAM:
        (fake.folder / name).rename(fake.folder / "elsewhere")
        with pytest.raises(EngineError, match=rf"^{fake.folder}/{name}: no such file or folder"):
            fake.up(plan=plan)
        (fake.folder / "elsewhere").rename(fake.folder / name)
    assert fake.calls("up") == []


def test_the_report_distinguishes_failed_done_and_not_begun(fake: Fake) -> None:
    third = vault("beta", "Policy", "policy/env/prod")
    fake.events("preview", *(pre("update", urn) for urn in (POLICY, OTHER, third)))
    fake.events(
        "up",
        pre("update", POLICY, 1),
        end("update", POLICY, 2),
        pre("update", OTHER, 1),
        error(OTHER, "500 from vault"),
        failed("update", OTHER, 4),
        code=255,
    )
    outcome = fake.up()
    assert outcome.status is Status.PARTIAL
    report = run_report(outcome, "usine up")
    assert [(e.action, e.name, e.note) for e in report.entries] == [
        (Action.FAILED, "beta/vault/policy/env/dev", "500 from vault"),
        (Action.FAILED, "beta/vault/policy/env/prod", "not begun: what it needs failed, or the run was stopped"),
        (Action.CHANGED, "alpha/vault/policy/env/dev", ""),
    ]
    assert report.verdict == "1 change applied, 2 objects failed or not reached: vault failed for: beta."


def test_a_refusal_by_the_engine_s_own_lock_is_reported(fake: Fake) -> None:
    fake.events("up", code=255, then="echo 'error: the stack is currently locked by 1 lock(s)'; exit 255")
    outcome = fake.up()
    assert outcome.status is Status.FAILED
    assert run_report(outcome, "usine up").verdict == "Failed: the stack is currently locked by 1 lock(s)"


#: An engine that runs until SIGINT, and then acknowledges it.
PATIENT = """
trap 'echo "^C received; cancelling."; touch stopped; exit 255' INT
touch started
while true; do sleep 0.05; done
"""


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 20
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert path.exists()


def test_a_run_that_loses_the_lock_stops_its_engine(fake: Fake) -> None:
    fake.events("up", pre("update", POLICY), then=PATIENT)
    files = LockFiles(state_storage(fake.engine.environment), "lab")
    owner = this_run({"GITLAB_USER_LOGIN": "ann"}, None)
    pace = Pace(heartbeat=0.1, silence=60, poll=0.02)
    lock = acquire(files, owner, {}, wait=datetime.timedelta(), say=lambda _text: None, pace=pace)

    def take_over() -> None:
        wait_for(fake.folder / "started")
        assert files.claim(2, Record(this_run({"GITLAB_USER_LOGIN": "bob"}, None), datetime.datetime.now(datetime.UTC)))

    thread = threading.Thread(target=take_over)
    thread.start()
    outcome = guarded_up(fake.engine, lock, fake.guardrails)
    thread.join()
    lock.release()
    assert (fake.folder / "stopped").exists()
    assert outcome.status is Status.FAILED
    assert [notice.rule for notice in outcome.notices] == ["lock-lost"]
    assert "the lock was taken by bob" in outcome.notices[0].text
    assert files.latest()[0] == 2


def test_the_engine_stops_in_order_when_its_run_is_killed(fake: Fake) -> None:
    fake.events("preview", then=PATIENT)
    program = (
        "from pathlib import Path\nfrom usine.engine.cli import Engine\nfrom usine.engine.lock import unlocked\n"
        "from usine.engine.run import run_engine\n"
        f"engine = Engine(Path({str(fake.folder)!r}), 'lab', {dict(fake.engine.environment)!r})\n"
        "run_engine(engine, unlocked(engine), engine.root / 'log', lambda *_: None, 'preview')\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT) as process:
        wait_for(fake.folder / "started")
        process.kill()
    wait_for(fake.folder / "stopped")


def test_an_interrupted_run_stops_its_engine_once_and_reports(fake: Fake) -> None:
    fake.events("up", pre("update", POLICY), then=PATIENT)

    def interrupt() -> None:
        wait_for(fake.folder / "started")
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    outcome = fake.up()
    thread.join()
    assert (fake.folder / "stopped").exists()
    assert outcome.interrupted
    entry = run_report(outcome, "usine up").entries[0]
    assert (entry.action, entry.note) == (Action.FAILED, "begun, but not finished")

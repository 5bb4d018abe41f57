"""`usine fleet` with a `usine` per stack that answers from a file: order, records, failures, interruption, reports."""

from __future__ import annotations

import datetime
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from model.reading.settings_load import load_settings
from tests.guard.samples import program_files
from tests.spec.helpers import LAB, ROOT
from usine import cli
from usine.commands import fleet_drift, fleet_open, fleet_up
from usine.report import as_json
from usine.report.model import Report

SLUGS = ("alpha", "beta", "delta", "gamma")
#: Writes the report that `answers.json` has for its stack, and notes the call. `signal`: interrupts the fleet first.
USINE = """\
import json, os, signal, sys, time
command, words = sys.argv[1], sys.argv[2:]
named = dict(zip(words[::2], words[1::2]))
answer = json.load(open("answers.json")).get(named["--stack"], {})
with open("calls", "a") as calls:
    calls.write(named["--stack"] + " " + command + "\\n")
if answer.get("signal"):
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
    os.kill(os.getppid(), signal.SIGINT)
    time.sleep(30)
if "entries" in answer or "exit" not in answer:
    kind = "drift" if command == "drift" else answer.get("kind", "run")
    report = {"format": "usine-report/1", "kind": kind, "title": "t",
              "verdict": answer.get("verdict", "No changes."), "facts": [], "entries": answer.get("entries", []),
              "notices": answer.get("notices", [])}
    json.dump(report, open(named["--json"], "w"))
else:
    print("usine up: the system does not answer")
sys.exit(answer.get("exit", 0))
"""
PULUMI = """#!/bin/sh
echo "pulumi $@" >> {root}/calls
[ "$2" = export ] || exit 0
case "$*" in *"prod."*) cat {root}/tenant.json ;; *) cat {root}/state.json ;; esac
"""

TENANT = """\
apiVersion: usine/v1
kind: Project
slug: {slug}
name: Projet {slug}
owner: alice.martin
contact: team@example.fr
repositories:
  api: {{}}
"""


class Fake:
    """A fleet in a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "projects.d").mkdir()
        for slug in SLUGS:
            self.tenant(slug)
        document = yaml.safe_load(LAB.read_text(encoding="utf-8"))
        document["config"]["usine:projects"] = "projects.d"
        self.settings = root / "Pulumi.prod.yaml"
        self.settings.write_text(yaml.safe_dump(document), encoding="utf-8")
        shutil.copytree(ROOT / "catalogue", root / "catalogue")
        program_files(root)
        (root / "usine" / "__init__.py").touch()
        (root / "usine" / "__main__.py").write_text(USINE, encoding="utf-8")
        for path in load_settings(self.settings).authorities:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text("certificate", encoding="ascii")
        self.state("1")
        (root / "tenant.json").write_text('{"version": 3, "deployment": {"resources": []}}', encoding="utf-8")
        self.answers()

    def tenant(self, slug: str, more: str = "") -> None:
        (self.root / "projects.d" / f"{slug}.yaml").write_text(TENANT.format(slug=slug) + more, encoding="utf-8")

    def settle(self, **keys: object) -> None:
        """Set keys of the settings."""
        document = yaml.safe_load(self.settings.read_text(encoding="utf-8"))
        document["config"].update(keys)
        self.settings.write_text(yaml.safe_dump(document), encoding="utf-8")

    def state(self, realm: str) -> None:
        """Set the id of an object of the foundation."""
        urn = "urn:pulumi:prod::usine::usine:usine:Foundation$keycloak:index/realm:Realm::foundation/keycloak/realm"
        resource = {"urn": urn, "type": "keycloak:index/realm:Realm", "id": realm, "custom": True}
        state = {"version": 3, "deployment": {"resources": [resource]}}
        (self.root / "state.json").write_text(json.dumps(state), encoding="utf-8")

    def answers(self, **answers: dict[str, Any]) -> None:
        """Set what the runs of these tenants report; `foundation` stands for the foundation."""
        stacks = {"prod" if slug == "foundation" else f"prod.{slug}": answer for slug, answer in answers.items()}
        (self.root / "answers.json").write_text(json.dumps(stacks), encoding="utf-8")

    def calls(self) -> list[str]:
        """Return the calls since the last time."""
        path = self.root / "calls"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return [line for line in lines if "export" not in line]

    def run(self, action: str, *arguments: str) -> int:
        return cli.main(["fleet", action, "--stack", "prod", "--settings", str(self.settings), *arguments])

    def report(self, action: str, *arguments: str) -> tuple[int, Report]:
        path = self.root / "report.json"
        code = self.run(action, "--json", str(path), *arguments)
        return code, as_json.load(path.read_text(encoding="utf-8"))


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    made = Fake(tmp_path)
    (tmp_path / "bin").mkdir()
    pulumi = tmp_path / "bin" / "pulumi"
    pulumi.write_text(PULUMI.format(root=tmp_path), encoding="utf-8")
    pulumi.chmod(0o755)
    (tmp_path / "Pulumi.yaml").write_text("name: usine\nruntime: python\n", encoding="utf-8")
    monkeypatch.setenv("PATH", f"{pulumi.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    for module in (fleet_open, fleet_up, fleet_drift):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    return made


def destroyed(slug: str, name: str = "x") -> dict[str, Any]:
    return {
        "action": "destroyed",
        "tenant": slug,
        "system": "vault",
        "type": "vault:index/policy:Policy",
        "name": f"{slug}/vault/{name}",
    }


def test_the_foundation_runs_first_and_a_second_run_has_nothing_to_do(
    fleet: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    code, report = fleet.report("up")
    calls = fleet.calls()
    assert (code, calls[0], sorted(calls[1:])) == (0, "prod up", [f"prod.{slug} up" for slug in SLUGS])
    assert report.verdict == "5 stacks run: 5 applied; 0 unchanged."
    assert "5 stacks, it has no run yet: (foundation), alpha, beta" in capsys.readouterr().out
    code, report = fleet.report("up")
    assert (code, fleet.calls(), report.verdict) == (0, [], "0 stacks run; 5 unchanged.")


def test_only_a_tenant_whose_file_changed_runs(fleet: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    assert fleet.run("up") == 0
    fleet.calls()
    fleet.tenant("beta", "labels: {a: b}\n")
    capsys.readouterr()
    path = fleet.root / "plan.json"
    assert fleet.run("plan", "--json", str(path)) == 0
    assert capsys.readouterr().out == "1 stack, its file changed: beta\n1 stack to run, 4 unchanged\n"
    assert json.loads(path.read_text(encoding="utf-8")) == {
        "stacks": [{"tenant": "beta", "reasons": ["its file changed"], "removed": False}],
        "waiting": [],
        "unchanged": 4,
    }
    assert fleet.run("up") == 0
    assert fleet.calls() == ["prod.beta up"]


def test_tenants_follow_when_the_foundation_created_objects_again(fleet: Fake) -> None:
    assert fleet.run("up") == 0
    fleet.calls()
    fleet.state("2")
    fleet.tenant("beta", "members: {admin: [bob.durand]}\n")
    assert fleet.run("up") == 0
    assert fleet.calls()[0] == "prod up"
    assert fleet.run("up") == 0
    assert fleet.calls() == []


def test_a_failing_tenant_does_not_stop_the_others_and_is_run_again(fleet: Fake) -> None:
    refusal = {"rule": "mass-removal", "severity": "error", "text": "too many", "tenant": None}
    fleet.answers(
        beta={"exit": 1, "entries": [], "notices": [refusal], "verdict": "Refused, nothing was touched: 1 reason."},
        gamma={"exit": 1},
    )
    code, report = fleet.report("up", "--workers", "1")
    assert (code, len(fleet.calls())) == (4, 5)
    assert report.verdict == "5 stacks run: 3 applied, 1 failed, 1 refused; 0 unchanged."
    assert not report.refused, "others were applied"
    texts = {notice.tenant: notice.text for notice in report.notices if notice.rule == "fleet"}
    assert texts == {
        "beta": "beta was refused: Refused, nothing was touched: 1 reason.",
        "gamma": "gamma failed: usine up: the system does not answer",
    }
    fleet.answers()
    assert fleet.run("up") == 0
    assert sorted(fleet.calls()) == ["prod.beta up", "prod.gamma up"]


def test_no_tenant_runs_after_a_foundation_that_failed(fleet: Fake) -> None:
    fleet.answers(foundation={"exit": 1})
    code, report = fleet.report("up")
    assert (code, fleet.calls()) == (1, ["prod up"])
    assert report.verdict == "1 stack run: 1 failed; 0 unchanged; 4 not begun."
    assert report.refused


def test_an_interrupted_run_ends_in_order_and_continues(fleet: Fake) -> None:
    fleet.answers(beta={"signal": True})
    code, report = fleet.report("up", "--workers", "1")
    assert (code, fleet.calls()) == (130, ["prod up", "prod.alpha up", "prod.beta up"])
    assert report.verdict == "3 stacks run: 2 applied, 1 interrupted; 0 unchanged; 2 not begun."
    fleet.answers()
    assert fleet.run("up") == 0
    assert sorted(fleet.calls()) == ["prod.beta up", "prod.delta up", "prod.gamma up"]


def test_a_chosen_tenant_and_a_limit(fleet: Fake) -> None:
    assert fleet.run("up", "--tenant", "gamma") == 0
    assert fleet.calls() == ["prod up", "prod.gamma up"]
    assert fleet.run("up", "--limit", "2") == 0
    assert sorted(fleet.calls()) == ["prod.alpha up", "prod.beta up"]
    assert fleet.run("up", "--all", "--limit", "1") == 0
    assert fleet.calls() == ["prod up", "prod.delta up"]


def test_no_other_tenant_runs_when_the_first_one_is_not_applied(fleet: Fake) -> None:
    fleet.answers(gamma={"exit": 4, "entries": []})
    code, report = fleet.report("up", "--first", "gamma", "--first", "delta", "--workers", "1")
    assert (code, fleet.calls()) == (4, ["prod up", "prod.delta up", "prod.gamma up"])
    assert "no other stack was begun: of those that go first, not applied: gamma" in {n.text for n in report.notices}
    assert report.verdict == "3 stacks run: 2 applied, 1 failed in part; 0 unchanged; 2 not begun."
    fleet.answers()
    assert fleet.run("up", "--first", "gamma", "--workers", "1") == 0
    assert fleet.calls() == ["prod.gamma up", "prod.alpha up", "prod.beta up"]


def test_a_run_stops_after_a_number_of_failures(fleet: Fake) -> None:
    fleet.answers(alpha={"exit": 1}, beta={"exit": 1})
    code, report = fleet.report("up", "--max-failures", "2", "--workers", "1")
    assert (code, fleet.calls()) == (4, ["prod up", "prod.alpha up", "prod.beta up"])
    texts = [notice.text for notice in report.notices if notice.rule == "fleet"]
    assert texts[0] == "no other stack was begun: too many stacks failed (--max-failures)"
    assert fleet.run("up", "--max-failures", "3", "--workers", "1") == 4
    assert sorted(fleet.calls()) == [f"prod.{slug} up" for slug in SLUGS]


def test_a_tenant_that_does_not_exist(fleet: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--tenant", "--first"):
        assert fleet.run("up", option, "gama") == 1
        assert "did you mean gamma?" in capsys.readouterr().err
    assert fleet.calls() == []


def test_a_wrong_file_stops_everything(fleet: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    fleet.tenant("beta", "ownr: bob\n")
    for action in ("plan", "up", "status", "drift"):
        assert fleet.run(action) == 1
        assert "beta.yaml:9:1: unknown key ownr; did you mean owner?" in capsys.readouterr().err
    assert fleet.calls() == []


def test_people_without_an_account_are_asked_about_again(fleet: Fake) -> None:
    pending = {"rule": "pending-people", "severity": "info", "text": "bob", "tenant": None}
    fleet.answers(beta={"entries": [], "notices": [pending]})
    assert fleet.run("up") == 0
    fleet.calls()
    fleet.answers()
    assert fleet.run("up") == 0
    assert fleet.calls() == ["prod.beta up"]


# Waves and holds --------------------------------------------------------------------------------------------------


def test_a_change_of_the_platform_comes_in_waves(fleet: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    fleet.settle(**{"usine:fleet": {"waves": [{"tenants": ["gamma"]}, {"tenants": ["beta"]}], "soak": "1h"}})
    assert fleet.run("up") == 0
    assert len(fleet.calls()) == 5, "new tenants do not wait"
    (fleet.root / "components" / "a.py").write_text("2", encoding="utf-8")
    capsys.readouterr()
    assert fleet.run("plan") == 0
    waiting = "3 stacks waiting, wave 1 comes first: to be run: gamma: alpha, beta, delta"
    assert waiting in capsys.readouterr().out.splitlines()
    code, report = fleet.report("up")
    assert (code, fleet.calls()) == (0, ["prod up", "prod.gamma up"])
    assert report.verdict == "2 stacks run: 2 applied; 0 unchanged; 3 held or in a later wave."
    (notice,) = (notice for notice in report.notices if notice.rule == "fleet-waits")
    assert "3 stacks not run, wave 1 comes first: no drift scan since its run: gamma" in notice.text
    assert fleet.run("drift", "--share", "0.1") == 0
    assert fleet.calls() == ["prod.gamma drift"], "before stacks that were never scanned"
    fleet.report("up")
    assert fleet.calls() == []
    assert "wave 1 comes first: its changes have to last until" in capsys.readouterr().out
    assert fleet.run("up", "--tenant", "delta") == 0
    assert fleet.calls() == ["prod.delta up"]
    assert fleet.run("up", "--now") == 0
    assert sorted(fleet.calls()) == ["prod.alpha up", "prod.beta up"]


def test_the_next_wave_runs_in_the_same_run_if_nothing_is_to_wait_for(fleet: Fake) -> None:
    waves = {"waves": [{"tenants": ["gamma"]}, {"tenants": ["beta", "delta"]}], "scanned": False}
    fleet.settle(**{"usine:fleet": waves})
    assert fleet.run("up") == 0
    fleet.calls()
    (fleet.root / "components" / "a.py").write_text("2", encoding="utf-8")
    fleet.answers(delta={"exit": 1})
    code, report = fleet.report("up", "--workers", "1")
    assert (code, fleet.calls()) == (4, ["prod up", "prod.gamma up", "prod.beta up", "prod.delta up"])
    assert report.verdict == "4 stacks run: 3 applied, 1 failed; 0 unchanged; 1 held or in a later wave."
    fleet.answers()
    assert fleet.run("up") == 0
    assert fleet.calls() == ["prod.delta up", "prod.alpha up"]


def test_a_held_tenant_is_not_run(fleet: Fake) -> None:
    until = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=3)
    hold = f"hold: {{until: {until}, reason: The election is near.}}\n"
    fleet.settle(**{"usine:fleet": {"longestHold": "30d"}})
    assert fleet.run("up") == 0
    fleet.calls()
    fleet.tenant("beta", hold)
    code, report = fleet.report("up")
    assert (code, fleet.calls(), report.verdict) == (
        0,
        [],
        "0 stacks run; 4 unchanged; 1 held or in a later wave.",
    )
    path = fleet.root / "status.json"
    assert fleet.run("status", "--json", str(path)) == 0
    rows = {row["tenant"]: row for row in json.loads(path.read_text(encoding="utf-8"))}
    why = f"held until {until}: The election is near."
    assert (rows["beta"]["pending"], rows["beta"]["held until"]) == (
        f"its file changed; {why}",
        f"{until}: The election is near.",
    )
    assert fleet.run("up", "--tenant", "beta") == 0
    assert fleet.calls() == ["prod.beta up"]


# Removals ---------------------------------------------------------------------------------------------------------


def test_the_stack_of_a_removed_tenant_is_removed(fleet: Fake) -> None:
    assert fleet.run("up") == 0
    (fleet.root / "projects.d" / "beta.yaml").unlink()
    fleet.calls()
    assert fleet.run("up") == 0
    assert fleet.calls() == ["prod.beta up", "pulumi stack rm --force --yes --non-interactive --stack prod.beta"]
    assert fleet.run("up") == 0
    assert fleet.calls() == []


def test_a_stack_that_still_has_objects_is_not_removed(fleet: Fake) -> None:
    assert fleet.run("up") == 0
    (fleet.root / "projects.d" / "beta.yaml").unlink()
    (fleet.root / "tenant.json").write_text((fleet.root / "state.json").read_text(encoding="utf-8"), encoding="utf-8")
    fleet.calls()
    code, report = fleet.report("up")
    assert (code, fleet.calls()) == (4, ["prod.beta up"])
    (notice,) = (notice for notice in report.notices if notice.rule == "fleet")
    assert "still has 1 objects, such as foundation/keycloak/realm" in notice.text


def test_a_removed_tenant_whose_run_is_refused_keeps_its_stack(fleet: Fake) -> None:
    assert fleet.run("up") == 0
    (fleet.root / "projects.d" / "beta.yaml").unlink()
    fleet.calls()
    fleet.answers(beta={"exit": 1})
    assert fleet.run("up") == 1
    assert fleet.calls() == ["prod.beta up"]
    fleet.answers()
    assert fleet.run("drift") == 0, "until then, its stack is scanned without a tenant"
    settings = yaml.safe_load(
        (fleet.root / "out" / "fleet" / "prod.beta" / "settings.yaml").read_text(encoding="utf-8")
    )
    assert settings["config"]["usine:tenants"] == []
    fleet.calls()
    assert fleet.run("up") == 0
    assert fleet.calls()[0] == "prod.beta up"


def test_too_many_removed_tenants_are_refused_before_anything(fleet: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    document = yaml.safe_load(fleet.settings.read_text(encoding="utf-8"))
    fleet.settle(**{"usine:changes": {**document["config"]["usine:changes"], "massRemoval": {"count": 1}}})
    assert fleet.run("up") == 0
    fleet.calls()
    for slug in ("beta", "gamma"):
        (fleet.root / "projects.d" / f"{slug}.yaml").unlink()
    assert fleet.run("up") == 1
    assert "refused: 2 of 4 tenants would be archived or removed" in capsys.readouterr().out
    assert fleet.calls() == []
    assert fleet.run("up", "--allow-removals", "tenant=2") == 0
    assert len(fleet.calls()) == 4


def test_what_a_refused_run_would_remove_is_not_removed(fleet: Fake) -> None:
    planned = [destroyed("alpha", str(number)) for number in range(60)]
    fleet.answers(alpha={"exit": 1, "kind": "diff", "entries": planned})
    code, report = fleet.report("up", "--workers", "1")
    assert (code, len(fleet.calls()), report.entries) == (4, 5, ())


def test_a_change_that_removes_too_much_stops_after_a_few_stacks(fleet: Fake) -> None:
    fleet.answers(alpha={"entries": [destroyed("alpha", str(number)) for number in range(51)]})
    code, report = fleet.report("up", "--workers", "1")
    assert (code, fleet.calls()) == (4, ["prod up", "prod.alpha up"])
    (notice,) = (notice for notice in report.notices if notice.rule == "fleet")
    assert notice.text == "no other stack was begun: 51 objects of type vault:index/policy:Policy were removed"


# Scans and status -------------------------------------------------------------------------------------------------


def test_the_oldest_scans_come_first_and_the_report_has_all_stacks(
    fleet: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fleet.run("drift") == 0
    assert fleet.run("up") == 0
    fleet.calls()
    changed = {**destroyed("alpha"), "action": "changed"}
    fleet.answers(alpha={"exit": 2, "entries": [changed], "verdict": "1 object differs."})
    code, report = fleet.report("drift", "--share", "0.4", "--workers", "1")
    assert (code, fleet.calls()) == (2, ["prod drift", "prod.alpha drift"])
    assert report.verdict == "1 object of 1 stack differ."
    assert dict(report.facts)["never scanned"] == "3"
    code, report = fleet.report("drift", "--share", "0.4", "--workers", "1")
    assert (code, fleet.calls()) == (2, ["prod.beta drift", "prod.delta drift"])
    assert [entry.tenant for entry in report.entries] == ["alpha"], "the last scan of alpha still counts"
    fleet.answers(gamma={"exit": 1})
    code, report = fleet.report("drift")
    assert (code, len(fleet.calls())) == (1, 5)
    assert report.entries == ()
    assert report.verdict == "No drift. 1 stack could not be scanned."
    capsys.readouterr()
    path = fleet.root / "status.json"
    assert fleet.run("status", "--json", str(path)) == 0
    rows = {row["tenant"]: row for row in json.loads(path.read_text(encoding="utf-8"))}
    assert (rows["alpha"]["drift"], rows["alpha"]["result"], rows["gamma"]["drift"]) == ("0", "applied", "")
    assert "applied" in capsys.readouterr().out


@pytest.mark.parametrize("words", [("--workers", "0"), ("--limit", "-1"), ("--workers", "two")])
def test_numbers_of_the_command_line(
    fleet: Fake, words: tuple[str, str], capsys: pytest.CaptureFixture[str], refuses: Callable[..., None]
) -> None:
    refuses(lambda: fleet.run("up", *words))
    assert "expected a whole number from 1" in capsys.readouterr().err


@pytest.mark.parametrize("share", ["0", "1.5", "x", "nan"])
def test_shares_of_the_command_line(
    fleet: Fake, share: str, capsys: pytest.CaptureFixture[str], refuses: Callable[..., None]
) -> None:
    refuses(lambda: fleet.run("drift", "--share", share))
    assert "expected a number above 0 and up to 1" in capsys.readouterr().err


@pytest.fixture
def refuses() -> Callable[[Callable[[], int]], None]:
    def check(call: Callable[[], int]) -> None:
        with pytest.raises(SystemExit) as raised:
            call()
        assert raised.value.code == 2

    return check

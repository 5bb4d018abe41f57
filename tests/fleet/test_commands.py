"""`usine fleet` with a `usine` per stack that answers from a file: order, records, failures, interruption, reports."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable

import pytest
import yaml

from tests.fleet.fake import SLUGS, Fake, destroyed
from usine.drift.findings import key_of
from usine.report.model import Action


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
        "pinned": [],
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
    assert fleet.run("up", "--workers", "1") == 0, "with one, the order of the names is that of the runs"
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
    calls = fleet.calls()
    # The oldest run is first, and the two workers of the run before end in any order.
    assert (code, calls[:2], sorted(calls[2:])) == (4, ["prod up", "prod.gamma up"], ["prod.beta up", "prod.delta up"])
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


def test_a_repair_reaches_the_stacks_whose_last_scan_had_the_finding(
    fleet: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fleet.run("up") == 0
    changed = {slug: {**destroyed(slug), "action": "changed"} for slug in ("alpha", "beta")}
    unmanaged = {**destroyed("alpha", "y"), "action": "unmanaged", "tenant": None}
    fleet.answers(
        alpha={"exit": 2, "entries": [changed["alpha"]]},
        beta={"exit": 2, "entries": [changed["beta"]]},
        foundation={"exit": 2, "entries": [unmanaged]},
    )
    assert fleet.run("drift") == 2
    fleet.calls()
    key = {
        slug: key_of(Action.CHANGED, slug, "vault", changed[slug]["type"], changed[slug]["name"]) for slug in changed
    }
    base = key_of(Action.UNMANAGED, None, "vault", unmanaged["type"], unmanaged["name"])

    # A key that no scan has found stops all of it.
    capsys.readouterr()
    assert fleet.run("drift", "--repair", key["alpha"], "nonsense", f"{base[:-1]}x") == 1
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "usine fleet drift: nonsense: the last scan of no stack has a finding with this key",
        f"usine fleet drift: {base[:-1]}x: the last scan of no stack has a finding with this key; did you mean {base}?",
    ]
    assert fleet.calls() == []

    # Only these stacks are run. Another finding stays in the report, and does not count.
    fleet.answers(beta={"exit": 2, "entries": [changed["beta"]]})
    fleet.state("2")
    code, report = fleet.report("drift", "--workers", "1", "--repair", base, key["alpha"])
    assert (code, fleet.calls()) == (0, [f"prod drift --repair {base}", f"prod.alpha drift --repair {key['alpha']}"])
    assert [entry.tenant for entry in report.entries] == ["beta"]
    assert "said by usine drift of prod.alpha" in capsys.readouterr().out
    # A repair may have created objects of the foundation again, to which tenants refer.
    assert fleet.run("plan") == 0
    assert "4 stacks, objects of the foundation were created again" in capsys.readouterr().out

    # The stack still differs, or its repair was refused.
    fleet.answers(beta={"exit": 1, "entries": [changed["beta"]]})
    assert fleet.run("drift", "--repair", key["beta"]) == 1
    fleet.answers(beta={"exit": 1})
    code, report = fleet.report("drift", "--repair", key["beta"])
    assert (code, [entry.tenant for entry in report.entries], report.notices) == (1, ["beta"], ())
    assert "beta: not repaired: usine up: the system does not answer" in capsys.readouterr().out


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

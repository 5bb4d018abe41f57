"""Tenants that are pinned to a version: a commit of a temporary repository, with a program of its own."""

from __future__ import annotations

import datetime
import json
import sys
from pathlib import Path

import pytest
import yaml

from model.reading.settings_load import load_settings
from tests.fleet.repository import OLD_USINE, TODAY, VERSION, Repository, other_packages
from usine.engine.sources import program_digest


def by_the_old_version(repository: Repository, slug: str = "beta") -> list[str]:
    return [f"prod.{slug} up by the old version from {repository.checkout}"]


# What a pin does ---------------------------------------------------------------------------------------------------


def test_a_pinned_tenant_is_run_by_its_version_and_the_others_by_the_present_one(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet = repository.fleet
    assert fleet.run("up") == 0
    fleet.calls()
    repository.pin()
    repository.change()
    assert fleet.run("up") == 0
    assert sorted(fleet.calls()) == ["prod up", "prod.alpha up", "prod.delta up", "prod.gamma up"]
    assert repository.old_calls() == by_the_old_version(repository)
    record = repository.record()
    assert (record.version, record.commit) == (repository.first, repository.git("rev-parse", "HEAD"))
    assert record.inputs.program == program_digest(repository.checkout)
    # Another change of the platform is none for it; one of its own file is, and has no other effect.
    repository.change("3")
    repository.pin(more="labels: {a: b}\n")
    capsys.readouterr()
    path = fleet.root / "plan.json"
    assert fleet.run("plan", "--json", str(path)) == 0
    until = TODAY + datetime.timedelta(3)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:] == [
        "1 stack, its file changed: beta",
        f"1 stack pinned to {VERSION} until {until}: The audit is in January.: beta",
        "5 stacks to run, 0 unchanged",
    ]
    assert json.loads(path.read_text(encoding="utf-8"))["pinned"] == [
        {"tenant": "beta", "version": VERSION, "until": str(until), "reason": "The audit is in January."}
    ]
    assert fleet.run("up") == 0
    assert repository.old_calls() == by_the_old_version(repository)
    assert fleet.run("plan") == 0
    assert capsys.readouterr().out.endswith("0 stacks to run, 5 unchanged\n")
    rows_file = fleet.root / "status.json"
    assert fleet.run("status", "--json", str(rows_file)) == 0
    rows = {row["tenant"]: row for row in json.loads(rows_file.read_text(encoding="utf-8"))}
    assert rows["beta"]["pinned to"] == f"{VERSION} until {until}: The audit is in January."
    assert (rows["beta"]["pending"], rows["alpha"]["pinned to"]) == ("", "")


def test_the_agent_of_the_operator_runs_the_version_too(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """The operator's clone is complete unless `shallow` (its agent/cmd/init.go, 2.9.0), so that it has the commit."""
    repository.pin()
    for action in ("preview", "up"):
        words = ("--tenant", "beta", "--mode", action, "--run", "1", "--", action)
        assert repository.fleet.run("agent", *words) == 0
        assert repository.old_calls() == [f"prod.beta {action} by the old version from {repository.checkout}"]
    other_packages(repository)
    for action in ("preview", "up"):
        capsys.readouterr()
        assert repository.fleet.run("agent", "--tenant", "beta", "--mode", action, "--", action) == 1
        said = capsys.readouterr()
        assert "pinned to 2026.11, which cannot run it: it has other packages" in said.out + said.err
    assert (repository.fleet.calls(), repository.old_calls()) == ([], [])


def test_an_old_version_gets_no_option_that_it_may_not_know(repository: Repository) -> None:
    main = repository.fleet.root / "usine" / "__main__.py"
    present = main.read_text(encoding="utf-8")
    main.write_text('import sys\nif "--run" in sys.argv:\n    sys.exit(2)\n' + OLD_USINE, encoding="utf-8")
    repository.first = repository.commit()
    main.write_text(present, encoding="utf-8")
    repository.fleet.settle(**{"usine:fleet": {"versions": {VERSION: repository.first}, "longestPin": "30d"}})
    repository.pin()
    assert repository.up("--run", "7") == 0
    assert repository.old_calls() == by_the_old_version(repository)


def test_a_pin_ends_with_its_last_day(repository: Repository) -> None:
    repository.pin(days=0)
    assert repository.up() == 0
    assert repository.old_calls() == by_the_old_version(repository)
    repository.fleet.calls()
    repository.pin(days=-1)
    assert repository.up() == 0
    assert (repository.fleet.calls(), repository.old_calls()) == (["prod.beta up"], [])
    assert repository.record().version == ""


def test_a_held_tenant_is_not_run_by_its_version_either(repository: Repository) -> None:
    fleet = repository.fleet
    fleet.settle(
        **{"usine:fleet": {"versions": {VERSION: repository.first}, "longestPin": "30d", "longestHold": "30d"}}
    )
    repository.pin(more=f"hold: {{until: {TODAY}, reason: The election is near.}}\n")
    assert fleet.run("up", "--among", "beta") == 0
    assert repository.old_calls() == []
    # Both options lift a hold; neither chooses a version.
    for words in (("--among", "beta", "--now"), ("--tenant", "beta", "--all")):
        assert fleet.run("up", "--only", "tenants", *words) == 0
        assert repository.old_calls() == by_the_old_version(repository)


def test_another_commit_under_the_same_name_reaches_pinned_tenants(repository: Repository) -> None:
    repository.pin()
    assert repository.up() == 0
    old = repository.checkout
    assert old.is_dir()
    repository.change("corrected")
    repository.first = repository.commit()
    repository.fleet.settle(**{"usine:fleet": {"versions": {VERSION: repository.first}, "longestPin": "30d"}})
    assert repository.up() == 0
    assert repository.record().version == repository.first
    assert not old.exists(), "no version is that commit any more"
    assert str(old) not in repository.git("worktree", "list")


def test_a_scan_needs_no_version(repository: Repository) -> None:
    """It compares the systems with the state, and runs no program."""
    repository.pin()
    assert repository.up() == 0
    repository.fleet.calls()
    repository.old_calls()
    assert repository.fleet.run("drift") == 0
    assert "prod.beta drift" in repository.fleet.calls()
    assert repository.old_calls() == []
    assert load_settings(repository.settings()).projects == repository.fleet.root / "projects.d"


# What the old version gets -----------------------------------------------------------------------------------------


def test_the_version_has_its_own_settings_and_the_present_credentials(repository: Repository) -> None:
    fleet = repository.fleet
    before = yaml.safe_load(fleet.settings.read_text(encoding="utf-8"))["config"]
    generations = [{"name": "g2", "until": str(TODAY + datetime.timedelta(90))}]
    fleet.settle(**{"usine:tenantCredentials": {"beta": [{"name": "leaked"}]}})
    repository.first = repository.commit()
    versions = {"versions": {VERSION: repository.first}, "longestPin": "30d"}
    fleet.settle(**{"usine:limits": {"members": 90}, "usine:credentials": generations, "usine:fleet": versions})
    fleet.unsettle("usine:tenantCredentials")
    repository.pin()
    assert repository.up() == 0
    found = yaml.safe_load(repository.settings().read_text(encoding="utf-8"))["config"]
    assert found["usine:limits"] == before["usine:limits"]
    assert found["usine:credentials"] == generations, "a pin does not delay a rotation"
    assert found.keys() & {"usine:tenantCredentials", "usine:fleet"} == set()


def test_the_version_has_its_certificate_authorities_or_the_present_ones(repository: Repository) -> None:
    """Git may not have them, as on the local platform."""
    fleet = repository.fleet
    first, *others = load_settings(fleet.settings).authorities
    assert not others
    repository.git("rm", "--quiet", "--cached", str(first))
    with (fleet.root / ".gitignore").open("a", encoding="utf-8") as ignored:
        ignored.write(f"/{first}\n")
    without = repository.commit()
    for commit, place in ((repository.first, first), (without, fleet.root / first)):
        fleet.settle(**{"usine:fleet": {"versions": {VERSION: commit}, "longestPin": "30d"}})
        repository.pin()
        assert repository.up() == 0
        assert load_settings(repository.settings()).authorities == (place,)


def test_the_version_gets_this_tenant_without_keys_that_it_may_not_know(repository: Repository) -> None:
    repository.pin(more="labels: {a: b}\n")
    assert repository.up() == 0
    folder = Path(yaml.safe_load(repository.settings().read_text(encoding="utf-8"))["config"]["usine:projects"])
    assert [file.name for file in folder.iterdir()] == ["beta.yaml"]
    text = (folder / "beta.yaml").read_text(encoding="utf-8")
    whole = (repository.fleet.root / "projects.d" / "beta.yaml").read_text(encoding="utf-8")
    assert "pin" not in text
    assert "labels: {a: b}" in text
    assert len(text.splitlines()) == len(whole.splitlines()), "positions in messages are those of the file"


def test_no_hook_of_the_clone_runs(repository: Repository) -> None:
    hook = repository.fleet.root / ".git" / "hooks" / "post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {repository.fleet.root}/hooked\n", encoding="utf-8")
    hook.chmod(0o755)
    assert repository.problem() == ""
    assert repository.checkout.is_dir()
    assert not (repository.fleet.root / "hooked").exists()


def test_a_version_has_the_environment_of_the_present_one(repository: Repository) -> None:
    (repository.fleet.root / ".venv").mkdir()
    assert (repository.problem(), repository.problem()) == ("", "")
    assert (repository.checkout / ".venv").resolve() == repository.fleet.root / ".venv", "Pulumi.yaml names it"


def test_a_version_with_other_packages_runs_in_an_environment_of_its_own(repository: Repository) -> None:
    (repository.fleet.root / ".venv").mkdir()
    assert repository.problem() == ""
    other_packages(repository)
    assert "run `make venv` in " in repository.problem()
    assert not (repository.checkout / ".venv").is_symlink(), "that would change the present one"
    python = repository.checkout / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\necho own > {repository.fleet.root}/own.json\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    repository.pin()
    assert repository.up() == 0
    assert repository.old_calls() == by_the_old_version(repository)
    assert (repository.fleet.root / "own.json").exists()


# Who chooses a version ---------------------------------------------------------------------------------------------


def test_a_tenant_file_names_no_commit(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """Only the settings, which belong to the platform team, say which commits there are."""
    repository.git("branch", "branch", repository.first)
    for version in (repository.first, "branch", "2026.10", "HEAD"):
        repository.pin(version=version)
        assert repository.fleet.run("plan") == 1
        assert "projects.d/beta.yaml:9:16: pin.version: the platform lists no version" in capsys.readouterr().err
    assert not repository.checkout.parent.exists()


def test_an_old_version_does_not_choose_the_commit(repository: Repository) -> None:
    """Neither its settings nor its tenant files count."""
    fleet = repository.fleet
    fleet.settle(**{"usine:fleet": {"versions": {VERSION: repository.first, "other": "0" * 40}, "longestPin": "30d"}})
    repository.pin(version="other")
    second = repository.commit()
    fleet.settle(**{"usine:fleet": {"versions": {VERSION: second}, "longestPin": "30d"}})
    repository.pin()
    assert repository.up() == 0
    assert repository.record().version == second

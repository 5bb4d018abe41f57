"""Bound plans, and the digests of the sources that they are bound to."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from model.problems import SpecError
from tests.guard.samples import REALM, checkpoint, program_files, step, vault
from usine.engine.binding import bind, load_plan, moved, other_stack, steps_moved
from usine.engine.cli import Engine
from usine.engine.sources import Sources, commit_of, read_sources, state_digest

SOURCES = Sources("c" * 40, "p" * 64, "t" * 64, "s" * 64, "x" * 64)
POLICY = vault("alpha", "Policy", "policy/env/dev")


def test_a_plan_is_read_as_it_was_written_and_has_names_only(tmp_path: Path) -> None:
    plan = bind("lab", SOURCES, [step("update", POLICY), step("create", REALM)])
    path = tmp_path / "plan.json"
    path.write_text(plan.dumps(), encoding="utf-8")
    assert load_plan(path) == plan
    assert json.loads(plan.dumps())["steps"] == [["create", REALM], ["update", POLICY]]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("{", ":1:2: not JSON"),
        ("[]", ":1:1: : input should be an object"),
        ('{"stack": "lab",\n"steps": [1}', ":2:12: not JSON"),
        ('{"version": "usine-plan/2"}', "version: input should be 'usine-plan/1'"),
    ],
)
def test_a_file_that_is_not_a_plan_is_refused_with_its_position(tmp_path: Path, text: str, place: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        load_plan(path)
    assert str(path) in str(caught.value)
    assert place in str(caught.value)
    with pytest.raises(SpecError, match="No such file"):
        load_plan(tmp_path / "none.json")


@pytest.mark.parametrize("what", [field.name for field in fields(Sources)])
def test_each_source_that_changed_is_reported(what: str) -> None:
    now = replace(SOURCES, **{what: "n" * 64})
    (notice,) = moved(SOURCES, now)
    assert (notice.rule, notice.refuses) == (f"moved-{what}", True)
    assert f"was {getattr(SOURCES, what)[:12]}, is nnnnnnnnnnnn" in notice.text
    assert moved(SOURCES, now, ignore={what}) == ()
    assert moved(SOURCES, SOURCES) == ()


def test_steps_that_changed_are_reported_by_name() -> None:
    plan = bind("lab", SOURCES, [step("update", POLICY)])
    assert steps_moved(plan, [step("update", POLICY)]) == ()
    (notice,) = steps_moved(plan, [step("delete", POLICY)])
    assert notice.text == (
        "the steps changed: not planned before: delete alpha/vault/policy/env/dev; "
        "no longer planned: update alpha/vault/policy/env/dev"
    )
    many = [step("create", vault("alpha", "Policy", f"policy/{i}")) for i in range(9)]
    assert "and 4 more" in steps_moved(replace(plan, steps=()), many)[0].text
    assert other_stack(plan, "lab") == ()
    assert other_stack(plan, "prod")[0].text == "the plan is for the stack lab, not for prod"


def _first(state: dict[str, Any]) -> dict[str, Any]:
    resource: dict[str, Any] = state["deployment"]["resources"][1]
    return resource


def _secret(cipher: str) -> dict[str, str]:
    return {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": cipher}


SAME: list[Callable[[dict[str, Any]], Any]] = [
    lambda state: state["deployment"]["manifest"].update(time="later"),
    lambda state: state["deployment"]["resources"].reverse(),
    lambda state: _first(state).update(modified="2026", created="2026", sourcePosition="x#1", stackTrace=[1]),
    lambda state: _first(state).update(dependencies=[POLICY, REALM]),
    lambda state: _first(state).update(propertyDependencies={"a": [POLICY, REALM]}),
    lambda state: _first(state).update(inputs={"token": _secret("again")}),
]
OTHER: list[Callable[[dict[str, Any]], Any]] = [
    lambda state: state["deployment"]["resources"].pop(),
    lambda state: _first(state).update(protect=True),
    lambda state: _first(state).update(id="another"),
    lambda state: _first(state).update(inputs={"token": "plain"}),
    lambda state: _first(state).update(dependencies=[POLICY]),
    lambda state: state["deployment"].update(pending_operations=[{"type": "creating"}]),
]


def _state() -> dict[str, Any]:
    state = checkpoint(REALM, POLICY)
    _first(state).update(
        inputs={"token": _secret("one")}, dependencies=[REALM, POLICY], propertyDependencies={"a": [REALM, POLICY]}
    )
    return state


@pytest.mark.parametrize("change", SAME)
def test_what_a_run_without_changes_rewrites_does_not_change_the_digest(
    change: Callable[[dict[str, Any]], Any],
) -> None:
    state = _state()
    change(state)
    assert state_digest(state) == state_digest(_state())


@pytest.mark.parametrize("change", OTHER)
def test_every_other_change_of_the_state_changes_the_digest(change: Callable[[dict[str, Any]], Any]) -> None:
    state = _state()
    change(state)
    assert state_digest(state) != state_digest(_state())


def test_sources_are_of_the_files_on_disk_also_without_git(tmp_path: Path) -> None:
    for name in ("components/a.py", "projects.d/alpha.yaml", "README.md", "components/__pycache__/a.pyc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1", encoding="utf-8")
    program_files(tmp_path)
    settings = tmp_path / "Pulumi.lab.yaml"
    settings.write_text("config: {usine:stages: {dev: {}}}\n", encoding="utf-8")
    engine = Engine(tmp_path, "lab", {})

    def now() -> Sources:
        return read_sources(engine, tmp_path / "projects.d", checkpoint(REALM))

    def moves() -> list[str]:
        return [notice.rule for notice in moved(before, now())]

    before = now()
    assert before.commit is None
    settings.write_text("# a comment\nencryptionsalt: v1\nconfig: {'usine:stages': {dev: {}}}\n", encoding="utf-8")
    (tmp_path / "README.md").write_text("2", encoding="utf-8")
    (tmp_path / "components/__pycache__/a.pyc").write_text("2", encoding="utf-8")
    assert moves() == []
    (tmp_path / "components/a.py").write_text("2", encoding="utf-8")
    assert moves() == ["moved-program"]
    (tmp_path / "components/a.py").write_text("1", encoding="utf-8")
    (tmp_path / "projects.d/beta.yaml").write_text("1", encoding="utf-8")
    assert moves() == ["moved-tenants"]
    (tmp_path / "projects.d/beta.yaml").unlink()
    settings.write_text("config: {usine:stages: {dev: {}, prod: {}}}\n", encoding="utf-8")
    assert moves() == ["moved-settings"]


def test_the_commit_is_the_one_that_is_checked_out(tmp_path: Path) -> None:
    assert commit_of(tmp_path) is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    assert commit_of(tmp_path) is None
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "one"], check=True)
    assert len(commit_of(tmp_path) or "") == 40

"""The policy pack on the real stack: the sample tenants pass, and a wrong component creates nothing."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.testing.platforms import TestLab
from tests.engine import live_forge
from tests.engine.harness import ROOT, Stack
from usine.engine.events import Violation, read_events
from usine.engine.redact import Redactor
from usine.program import PROGRAM

pytestmark = pytest.mark.servers

PACK = ("--policy-pack", "policy", "--policy-pack-config", "policy/lab.json")
#: The folders that a test copies and changes; it links everything else.
CHANGED = ("components", "stacks")
BESIDE = (*(name for name in PROGRAM if name not in CHANGED), ".venv", ".lab-test")


@pytest.fixture
def stack(lab: TestLab, tmp_path: Path) -> Iterator[Stack]:
    """A stack with two of the sample tenants that is only previewed: tests/policy checks the plan of all of them."""
    stack = Stack(lab, "policy", tmp_path / "stack")
    for name in ("statistiques", "teleservice"):
        shutil.copy(ROOT / "projects.d" / f"{name}.yaml", stack.projects)
    yield stack
    stack.close()


def violations(stack: Stack) -> tuple[Violation, ...]:
    return read_events(stack.folder / "events.json", Redactor()).violations


def test_the_sample_tenants_pass_and_a_wrong_component_creates_nothing(stack: Stack, tmp_path: Path) -> None:
    before = live_forge.harbor(stack.lab)
    clean = stack.preview(*PACK).must()
    assert len(clean.steps) > 300
    assert violations(stack) == ()

    program = tmp_path / "program"
    program.mkdir()
    for name in CHANGED:
        shutil.copytree(ROOT / name, program / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in BESIDE:
        (program / name).symlink_to(ROOT / name)
    component = program / "components" / "harbor.py"
    text = component.read_text(encoding="utf-8")
    assert text.count("public=False") == 1
    component.write_text(text.replace("public=False", "public=True"), encoding="utf-8")
    engine = dataclasses.replace(stack.engine, root=program)
    events = stack.folder / "events.json"
    events.unlink()
    done = subprocess.run(
        engine.command("up", "--yes", "--color=never", "--event-log", str(events), *PACK),
        cwd=program,
        env=engine.variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode != 0
    projects = {f"{path.stem}/harbor/project" for path in stack.projects.glob("*.yaml")}
    found = {(v.policy, v.address.name, v.mandatory) for v in violations(stack) if v.address is not None}
    assert found == {("harbor-private", name, True) for name in projects}, done.stdout + done.stderr
    assert "To fix: set public to false" in done.stdout + done.stderr
    assert stack.state().get("resources", []) == []
    assert live_forge.harbor(stack.lab) == before

"""`usine up` killed in the middle: the next one converges, nothing is doubled, nothing lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine import live
from tests.engine.harness import ROOT, Stack
from tests.engine.test_platform import ALPHA, BETA
from tests.lab_fixture import TestLab

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def reference(lab: TestLab, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the systems hold after a run that nobody disturbed."""
    stack = Stack(lab, "reference", tmp_path_factory.mktemp("reference"))
    stack.tenant("alpha", ALPHA)
    stack.tenant("beta", BETA)
    stack.up().must()
    snapshot = live.snapshot(lab)
    stack.close()
    return snapshot


@pytest.fixture
def stack(lab: TestLab, tmp_path: Path) -> Iterator[Stack]:
    stack = Stack(lab, "lab", tmp_path / "lab")
    stack.tenant("alpha", ALPHA)
    stack.tenant("beta", BETA)
    yield stack
    stack.close()


def usine_up(stack: Stack, *extra: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "usine", "up", "--settings", str(stack.settings_file), *extra]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "USINE_LAB_HOME": str(stack.lab.home.root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def checkpoint(stack: Stack) -> dict[str, list[object]]:
    text = stack.checkpoint_text()
    try:
        latest = json.loads(text)["checkpoint"]["latest"] if text else None
    except (json.JSONDecodeError, KeyError):
        latest = None
    return latest or {}


def kill_in_the_middle(stack: Stack, resources: int) -> int:
    """Kill -9 the run and all it started, once the state knows so many resources and is creating another.

    Return the number of its process.
    """
    process = usine_up(stack)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        state = checkpoint(stack)
        if len(state.get("resources") or ()) >= resources and state.get("pending_operations"):
            break
        assert process.poll() is None, process.stdout.read() if process.stdout else ""
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return process.pid


@pytest.mark.parametrize("resources", [12, 45, 90])
def test_a_killed_run_is_taken_up_by_the_next(reference: dict[str, Any], stack: Stack, resources: int) -> None:
    killed = kill_in_the_middle(stack, resources)
    # Two at once, as when a pipeline is retried by hand and by itself: one takes over, the other waits for it.
    successors = [usine_up(stack, "--wait", "10m") for _ in range(2)]
    outputs = [process.communicate(timeout=600)[0] for process in successors]
    assert [process.returncode for process in successors] == [0, 0], outputs
    assert sum(f"process {killed})" in output and "took over the lock of" in output for output in outputs) == 1
    assert sum("waiting for" in output for output in outputs) == 1
    assert not checkpoint(stack).get("pending_operations")

    assert live.snapshot(stack.lab) == reference
    assert stack.drift().must().steps == ()
    assert stack.up("--expect-no-changes").exit_code == 0


def test_an_interrupted_run_notes_what_it_did_and_resumes(stack: Stack) -> None:
    process = usine_up(stack)
    while len(checkpoint(stack).get("resources") or ()) < 30:
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode not in {0, None}
    again = usine_up(stack)
    output, _ = again.communicate(timeout=300)
    assert again.returncode == 0, output
    assert stack.drift().must().steps == ()

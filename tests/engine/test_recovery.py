"""An interrupted run: the next run continues it, no object is created twice, and none is lost."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.engine import live
from tests.engine.fleet import Fleet
from tests.engine.harness import Stack, ended
from tests.engine.tenants import ALPHA, like

pytestmark = [pytest.mark.servers, pytest.mark.timeout(1200)]

SLUG = "delta"
TENANT = like(ALPHA, SLUG)


def interrupt(stack: Stack, number: signal.Signals, resources: int) -> int:
    """Send a signal to a run and all its processes, once the state has so many resources and another is being created.

    Return the id of its process.
    """
    process = stack.start("up", "--wait", "10m")
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        state = stack.checkpoint()
        if len(state.get("resources") or ()) >= resources and state.get("pending_operations"):
            break
        assert process.poll() is None, process.stdout.read() if process.stdout else ""
        time.sleep(0.005)
    os.killpg(process.pid, number)
    process.communicate(timeout=300)
    assert process.returncode not in {0, None}
    return process.pid


def test_a_run_that_is_interrupted_several_times_ends_with_the_same_platform(fleet: Fleet) -> None:
    stack = fleet.stack
    before, known = live.snapshot(fleet.lab), len(stack.state()["resources"])
    stack.tenant(SLUG, TENANT)
    interrupt(stack, signal.SIGINT, known + 12)
    interrupt(stack, signal.SIGKILL, known + 45)
    killed = interrupt(stack, signal.SIGKILL, known + 90)
    # Two runs at once, as when a job is retried twice: one takes over the lock, the other waits for it.
    both = [stack.start("up", "--wait", "10m") for _ in range(2)]
    outputs = [ended(process).must().output for process in both]
    assert sum(f"process {killed})" in output and "took over the lock of" in output for output in outputs) == 1
    assert sum("waiting for" in output for output in outputs) == 1
    assert not stack.checkpoint().get("pending_operations")

    made = live.snapshot(fleet.lab)
    expected = live.of_tenant(fleet.after, "alpha")
    assert len(expected) > 50
    assert live.of_tenant(made, SLUG) == expected
    assert stack.drift().must().steps == ()
    assert stack.up("--expect-no-changes").exit_code == 0

    # No object was created twice: removing the tenant removes everything.
    stack.tenant(SLUG, TENANT + "state: archived\n")
    stack.up().must()
    stack.remove(SLUG)
    stack.up().must()
    assert live.snapshot(fleet.lab) == before

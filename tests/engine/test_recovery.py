"""A tenant in a stack of its own, with runs that are interrupted: it becomes the same as in the whole stack.

The next run continues an interrupted one: no object is created twice, and none is lost. Tests share the stack, in
order.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.engine import live
from tests.engine.breaks import widen_a_policy
from tests.engine.fleet import TENANTS, Fleet
from tests.engine.harness import Stack, ended
from tests.engine.tenants import ALPHA, like

pytestmark = [pytest.mark.servers, pytest.mark.timeout(1200), pytest.mark.random_order(disabled=True)]

SLUG = "delta"
TENANT = like(ALPHA, SLUG)


@dataclasses.dataclass(frozen=True)
class Own:
    """The tenant's own stack, which looks up the foundation of the whole stack; and the objects without the tenant."""

    fleet: Fleet
    stack: Stack
    before: dict[str, Any]


@pytest.fixture(scope="module")
def own(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    before = live.snapshot(fleet.lab)
    stack = Stack(fleet.lab, SLUG, tmp_path_factory.mktemp("own") / SLUG, checkpoints=True)
    for slug, text in {**TENANTS, SLUG: TENANT}.items():
        stack.tenant(slug, text)
    stack.configure(foundation="skip", tenants=[SLUG])
    yield Own(fleet, stack, before)
    if stack.folder.exists():
        stack.close()


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


def test_a_tenant_s_stack_whose_runs_are_interrupted_creates_the_same_objects_as_the_whole_stack(own: Own) -> None:
    stack = own.stack
    interrupt(stack, signal.SIGINT, 12)
    interrupt(stack, signal.SIGKILL, 45)
    killed = interrupt(stack, signal.SIGKILL, 90)
    # Two runs at once, as when a job is retried twice: one takes over the lock, the other waits for it.
    both = [stack.start("up", "--wait", "10m") for _ in range(2)]
    outputs = [ended(process).must().output for process in both]
    assert sum(f"process {killed})" in output and "took over the lock of" in output for output in outputs) == 1
    assert sum("waiting for" in output for output in outputs) == 1
    assert not stack.checkpoint().get("pending_operations")
    stack.checkpoints = False  # nothing is interrupted from here on

    expected = live.of_tenant(own.fleet.after, "alpha")
    assert len(expected) > 50
    assert live.of_tenant(live.snapshot(own.fleet.lab), SLUG) == expected
    assert stack.drift().must().steps == ()
    assert stack.up("--expect-no-changes").exit_code == 0


def test_a_tenant_s_stack_changes_its_own_objects_only_and_removes_each_of_them(own: Own) -> None:
    stack, lab = own.stack, own.fleet.lab
    made = live.snapshot(lab)
    stack.tenant(SLUG, TENANT + "state: suspended\n")
    assert {step.name.split("/")[0] for step in stack.up().must().steps} == {SLUG}
    widen_a_policy(lab, SLUG)
    broken = live.vault(lab)
    stack.tenant(SLUG, TENANT)
    stack.up("--refresh").must()
    assert live.vault(lab) != broken
    assert live.snapshot(lab) == made
    # An object that an interrupted run created twice would be left.
    stack.close()
    assert live.snapshot(lab) == own.before

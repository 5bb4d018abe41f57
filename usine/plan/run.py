"""Run the program on mocks, in this process."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import pulumi
from pulumi.runtime.stack import run_pulumi_func

from model.settings import Settings
from model.tenant import Tenant
from stacks.platform.program import Files, build
from usine.plan.model import Plan
from usine.plan.monitor import RecordingMonitor

#: The SDKs put these variables' values into provider inputs; a plan must not depend on who makes it.
_PROVIDER_VARIABLES = (
    "KUBECONFIG",
    "PULUMI_K8S_",
    "VAULT_",
    "TERRAFORM_VAULT_",
    "KEYCLOAK_",
    "GITLAB_",
    "HARBOR_",
    "SONAR_",
)


def authorities_by_name(settings: Settings) -> dict[str, str]:
    """Return a stand-in text for each CA file the settings name: a plan reads no file of the platform."""
    return {str(path): f"[contents of {path}]" for path in settings.authorities}


def make_plan(
    settings: Settings,
    projects: Sequence[Tenant],
    catalogue: Mapping[str, str] | None = None,
    people: frozenset[str] | None = None,
) -> Plan:
    """Return the full graph the program registers for these settings, tenants and files of the CI catalogue.

    `people` are those the foundation knows, where `projects` are not every tenant; None: the people of `projects`.
    Raises whatever the program raises. Not to be called from a running event loop.
    """
    files = Files(authorities_by_name(settings), catalogue or {})
    return record(lambda: build(settings, projects, files, people), settings.stack)


def record(program: Callable[[], None], stack: str) -> Plan:
    """Return the full graph that any program registers. Raises whatever it raises; not for a running event loop."""
    monitor = RecordingMonitor()
    with _quiet_environment(), _half_the_work(), _own_event_loop() as loop:
        pulumi.runtime.set_mocks(monitor.mocks, project="usine", stack=stack, preview=False, monitor=monitor)

        async def run() -> None:
            program()

        loop.run_until_complete(run_pulumi_func(run))
    return monitor.planned()


@contextmanager
def _own_event_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Give the program an event loop of its own: the SDK keeps per-loop state, and Python 3.14 makes none by itself."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        yield loop
    finally:
        asyncio.set_event_loop(None)
        loop.close()


@contextmanager
def _half_the_work() -> Iterator[None]:
    """Leave out what takes more than half of the time and is of no use to a plan.

    What the SDK makes lives until the end, so a collection of garbage finds nothing, and costs more with every
    resource. And the SDK takes a stack trace of every resource for the engine, which a plan does not have: with a limit
    of one frame the trace is empty.
    """
    collecting, limit = gc.isenabled(), getattr(sys, "tracebacklimit", None)
    gc.disable()
    sys.tracebacklimit = 1
    try:
        yield
    finally:
        if limit is None:
            del sys.tracebacklimit
        else:
            sys.tracebacklimit = limit
        if collecting:
            gc.enable()


@contextmanager
def _quiet_environment() -> Iterator[None]:
    """Hide the variables that the provider SDKs read."""
    hidden = {k: v for k, v in os.environ.items() if k.startswith(_PROVIDER_VARIABLES)}
    for key in hidden:
        del os.environ[key]
    try:
        yield
    finally:
        os.environ.update(hidden)

"""Runs the program on mocks, in this process."""

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
from stacks.platform.messages import drop
from stacks.platform.program import Files, build
from usine.plan.model import Plan
from usine.plan.monitor import RecordingMonitor

#: The SDKs put the values of these variables into provider inputs. A plan must not depend on its environment.
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
    """Return a placeholder for each CA file of the settings: a plan reads no file of the platform."""
    return {str(path): f"[contents of {path}]" for path in settings.authorities}


def make_plan(
    settings: Settings,
    projects: Sequence[Tenant],
    catalogue: Mapping[str, str] | None = None,
    people: frozenset[str] | None = None,
) -> Plan:
    """Return everything that the program registers for these settings, tenants and files of the CI catalogue.

    `people` are the people of the foundation if `projects` are not all tenants; None: the people of `projects`. Raises
    every error of the program. Must not be called from a running event loop.
    """
    files = Files(authorities_by_name(settings), catalogue or {})
    return record(lambda: build(settings, projects, files, people), settings.stack)


def record(program: Callable[[], None], stack: str) -> Plan:
    """Return everything that a program registers. Raises every error of the program; see `make_plan`."""
    monitor = RecordingMonitor()
    with _quiet_environment(), _without_overhead(), _own_event_loop() as loop:
        pulumi.runtime.set_mocks(monitor.mocks, project="usine", stack=stack, preview=False, monitor=monitor)

        async def run() -> None:
            program()

        loop.run_until_complete(run_pulumi_func(run))
    return monitor.planned()


@contextmanager
def _own_event_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Run the program in its own event loop: the SDK keeps state per loop, and Python 3.14 does not create one."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        yield loop
    finally:
        asyncio.set_event_loop(None)
        loop.close()


@contextmanager
def _without_overhead() -> Iterator[None]:
    """Switch off garbage collection, stack traces and debug messages, which take more than half of the time.

    All objects of the SDK live until the end of a plan, so that a collection finds nothing and takes longer with each
    resource. The SDK takes a stack trace of each resource for the engine; with a limit of one frame it is empty.
    """
    collecting, limit = gc.isenabled(), getattr(sys, "tracebacklimit", None)
    debug = pulumi.log.debug
    gc.disable()
    sys.tracebacklimit = 1
    pulumi.log.debug = drop
    try:
        yield
    finally:
        pulumi.log.debug = debug
        if limit is None:
            del sys.tracebacklimit
        else:
            sys.tracebacklimit = limit
        if collecting:
            gc.enable()


@contextmanager
def _quiet_environment() -> Iterator[None]:
    """Remove the variables that the provider SDKs read, for the time of a plan."""
    hidden = {k: v for k, v in os.environ.items() if k.startswith(_PROVIDER_VARIABLES)}
    for key in hidden:
        del os.environ[key]
    try:
        yield
    finally:
        os.environ.update(hidden)

"""Fixtures of every test."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from tests.engine.fleet import Fleet, Fleets
    from tests.lab_fixture import TestLab

pytest_plugins = ["tests.distribution", "tests.timing"]

# What a script starts in the background ignores SIGINT, and so would every engine that a test wants to interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No property test is a timed one: a busy machine makes it slow, not wrong.
hypothesis.settings.register_profile(
    "usine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.load_profile("usine")

# The platform's modules are imported where they are needed: unit tests start without them.


@pytest.fixture(scope="session")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder of the whole run and all its workers: a plan in it is named by all that goes into it."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "caches"


@pytest.fixture(scope="session")
def lab() -> Iterator[TestLab]:
    """Real servers on loopback: a fresh platform for the first test that asks, stopped at the end whatever happens.

    USINE_TEST_PLUGINS: auto (the default), official or stand-in.
    """
    from tests.lab_fixture import PORT_BASE, running  # noqa: PLC0415

    with running(".lab-test", PORT_BASE) as platform:
        yield platform


@pytest.fixture(scope="session")
def light_lab() -> Iterator[TestLab]:
    """A platform of the quick servers only: OpenBao, and the stand-ins for GitLab and Harbor.

    For what the engine does, whatever the system it does it in.
    """
    from tests.lab_fixture import LIGHT_PORT_BASE, running  # noqa: PLC0415

    with running(".lab-light", LIGHT_PORT_BASE, ("gitlab", "registry", "harbor", "openbao")) as platform:
        yield platform


@pytest.fixture(scope="session")
def fleets(lab: TestLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleets]:
    """The one fleet of a test run; its end is a test of its own: nothing may be left."""
    from tests.engine.fleet import Fleets  # noqa: PLC0415

    fleets = Fleets(lab, tmp_path_factory.mktemp("fleet") / "lab")
    yield fleets
    fleets.end()


@pytest.fixture(scope="module")
def fleet(fleets: Fleets, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """The fleet as it was made. A module that fails may leave it changed: the next one gets a new fleet."""
    failed = request.session.testsfailed
    yield fleets.get()
    if request.session.testsfailed > failed:
        fleets.spoil()

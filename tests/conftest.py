"""Fixtures of every test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from tests.engine.fleet import Fleet, Fleets
    from tests.lab_fixture import TestLab

# No property test is a timed one: a busy machine makes it slow, not wrong.
hypothesis.settings.register_profile(
    "usine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.load_profile("usine")

# The platform's modules are imported where they are needed: unit tests start without them.


def pytest_collection_finish(session: pytest.Session) -> None:
    """Make the parts of the platform before any test: the first time it takes longer than a test may."""
    if session.config.option.collectonly:
        return
    if any("lab" in getattr(item, "fixturenames", ()) for item in session.items):
        from lab import parts  # noqa: PLC0415
        from lab.errors import LabError  # noqa: PLC0415
        from lab.reporter import Lines  # noqa: PLC0415

        try:
            parts.ensure(reporter=Lines())
        except LabError as error:
            pytest.exit(f"the local platform cannot be made: {error}", returncode=1)


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

"""The pytest plugin of the local platform: `lab` and `light_lab`, order of the tests, and where their time goes."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from lab.testing.platforms import TestLab

pytest_plugins = ["lab.testing.distribution", "lab.testing.timing"]

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
def lab() -> Iterator[TestLab]:
    """Real servers on loopback: a fresh platform for the first test that asks, stopped at the end whatever happens.

    USINE_TEST_PLUGINS: auto (the default), official or stand-in.
    """
    from lab.testing.platforms import PORT_BASE, running  # noqa: PLC0415

    with running(".lab-test", PORT_BASE) as platform:
        yield platform


@pytest.fixture(scope="session")
def light_lab() -> Iterator[TestLab]:
    """A platform of the quick servers only: OpenBao, and the stand-ins for GitLab and Harbor.

    For what the engine does, whatever the system it does it in. A test that needs another server starts it:
    `light_lab.start("sonarqube")`.
    """
    from lab.testing.platforms import LIGHT_PORT_BASE, running  # noqa: PLC0415

    with running(".lab-light", LIGHT_PORT_BASE, ("gitlab", "registry", "harbor", "openbao")) as platform:
        yield platform

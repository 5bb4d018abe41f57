"""The pytest plugin of the local platform: the fixtures `lab` and `light_lab`, the order and the times of tests."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from lab.testing.platforms import TestLab

pytest_plugins = ["lab.testing.distribution", "lab.testing.timing"]

# The tests start hundreds of Python processes, each with the modules of this checkout. Compile them once, also on a
# machine whose environment forbids it.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Background processes of a shell script ignore SIGINT, and so would every engine that a test interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Property tests have no deadline: a busy machine makes them slow, not wrong.
hypothesis.settings.register_profile(
    "usine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.load_profile("usine")

# The fixtures import the platform's modules, so that unit tests start without them.


@pytest.fixture(scope="session")
def lab() -> Iterator[TestLab]:
    """Real servers on loopback: a new platform starts for the first test that needs it and stops at the end.

    USINE_TEST_PLUGINS is auto (the default), official or stand-in.
    """
    from lab.testing.platforms import PORT_BASE, running  # noqa: PLC0415 - only tests with this fixture need it

    with running(".lab-test", PORT_BASE) as platform:
        yield platform


@pytest.fixture(scope="session")
def light_lab() -> Iterator[TestLab]:
    """A platform of quick servers only: OpenBao, and the stand-ins for GitLab and Harbor.

    It is for tests of the engine that do not depend on a system. A test that needs another server uses `lab`.
    """
    from lab.testing.platforms import LIGHT_PORT_BASE, running  # noqa: PLC0415 - only tests with this fixture need it

    with running(".lab-light", LIGHT_PORT_BASE, ("gitlab", "registry", "harbor", "openbao")) as platform:
        yield platform

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
    from lab import platform  # noqa: PLC0415
    from lab.engine.plugins import PluginChoice  # noqa: PLC0415
    from tests.lab_fixture import TestLab, home_of_tests  # noqa: PLC0415

    home = home_of_tests()
    platform.reset(home)
    try:
        platform.up(home, plugins=PluginChoice(os.environ.get("USINE_TEST_PLUGINS", "auto")))
        running = TestLab(home)
        yield running
        running.close()
    finally:
        platform.down(home)

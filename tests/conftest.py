"""Fixtures of the product's tests. Those of the local platform are in lab/testing/plugin.py."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lab.testing.platforms import TestLab
    from tests.engine.fleet import Fleet, Fleets


@pytest.fixture(scope="session")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder of the whole run and all its workers: a plan in it is named by all that goes into it."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "caches"


@pytest.fixture(scope="session")
def fleets(lab: TestLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleets]:
    """The one fleet of a test run; its end is a test of its own: nothing may be left."""
    from tests.engine.fleet import Fleets  # noqa: PLC0415 - only tests with this fixture need it

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

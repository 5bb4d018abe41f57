"""Which tests share a worker of pytest-xdist, and their order.

A module stays in one worker, so that its fixtures are made once. If several modules share an expensive fixture, the
tests that use it are a group: the group `platform` uses the servers of the `lab` fixture, `light platform` the quick
servers of `light_lab`, and `pipelines` those of `factory`. Groups take longest, so they start first. On the platform,
tests of single servers run before those of the fleet, because they change objects of its foundation.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

#: The group of the tests that use the `lab` fixture.
PLATFORM = "platform"
#: Fixtures that start servers of the local platform, with their group.
_PLATFORMS = {"lab": PLATFORM, "light_lab": "light platform", "factory": "pipelines"}
#: Folders with tests that run the catalogue's jobs with their tools.
_WITH_TOOLS = ("tests/pipelines/", "tests/ci_tool/")
#: Tests that run promtool, amtool or Prometheus, and those that also run its operator and Alertmanager.
_WITH_OPERATOR = "tests/engine/test_alerts.py"
_WITH_PROMETHEUS = ("tests/observability/", _WITH_OPERATOR)
#: The test that runs Argo CD.
_WITH_ARGOCD = "tests/engine/test_argocd.py"
#: Folders with expensive session fixtures.
_FOLDERS = {"tests/ci/": "ci", "lab/tests/plugins/": "plugins"}


@pytest.hookimpl(tryfirst=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    """Set a test's group. Tests that use the platform get the mark `servers`, also if their module does not have it."""
    if uses_platform(item):
        item.add_marker(pytest.mark.servers)
    if item.get_closest_marker("xdist_group") is None and (group := _group(item)) is not None:
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests: the platform's first, with those of the fleet at their end, then other groups, then modules.

    Within each of them, the order does not change.
    """
    items.sort(key=_turn)


def uses_platform(item: pytest.Item) -> bool:
    """Whether a test uses servers of the local platform, directly or through another fixture."""
    return _platform(item) is not None


def _platform(item: pytest.Item) -> str | None:
    used = getattr(item, "fixturenames", ())
    return next((group for fixture, group in _PLATFORMS.items() if fixture in used), None)


def _group(item: pytest.Item) -> str | None:
    if group := _platform(item):
        return group
    return next((group for folder, group in _FOLDERS.items() if item.nodeid.startswith(folder)), None)


def _unit(item: pytest.Item) -> str:
    """Return the unit of tests that share a worker with this test: its group, else its module."""
    marker = item.get_closest_marker("xdist_group")
    return str(marker.args[0]) if marker is not None else item.nodeid.partition("::")[0]


def _turn(item: pytest.Item) -> int:
    if item.get_closest_marker("xdist_group") is None:
        return 3
    if _unit(item) != PLATFORM:
        return 2
    return 1 if "fleets" in getattr(item, "fixturenames", ()) else 0


# Only workers collect tests, so the first worker writes the groups to a file for the controller ---------------------

_FILE = pytest.StashKey[Path]()
_INPUT = "usine-groups"


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Pass the file's name to a new worker."""
    stash = node.config.stash
    if _FILE not in stash:
        folder = tempfile.TemporaryDirectory(prefix="usine-tests-")
        node.config.add_cleanup(folder.cleanup)
        stash[_FILE] = Path(folder.name) / "groups.json"
    node.workerinput[_INPUT] = str(stash[_FILE])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Write the file before this worker reports its collection to the controller; without workers, make the parts."""
    given: Mapping[str, str] | None = getattr(session.config, "workerinput", None)
    if given is None:
        if not session.config.option.collectonly:
            _make_parts(_parts(session.items))
    elif given["workerid"] == "gw0":
        units = {item.nodeid: _unit(item) for item in session.items}
        Path(given[_INPUT]).write_text(json.dumps({"units": units, "parts": _parts(session.items)}), "utf-8")


class _ByGroupOrModule(LoadScopeScheduling):  # type: ignore[misc]  # untyped
    """Assigns groups and whole modules to workers, in the order of collection."""

    _units: Mapping[str, str] = {}

    def schedule(self) -> None:
        """Assign tests after all workers have collected. The platform's parts are made before that, once."""
        if not self._units:
            found = json.loads(self.config.stash[_FILE].read_text("utf-8"))
            self._units = found["units"]
            _make_parts(found["parts"])
        super().schedule()

    def _split_scope(self, nodeid: str) -> str:
        return self._units[nodeid]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> _ByGroupOrModule:
    """Return our scheduler, because the default one starts modules with many tests first."""
    config.option.loadscopereorder = False
    return _ByGroupOrModule(config, log)


def _parts(items: Sequence[pytest.Item]) -> list[str]:
    """Return the parts that these tests need: those of the platform, and those of the catalogue's jobs."""
    from lab.parts.catalogue import PARTS  # noqa: PLC0415 - other tests start without the platform's modules
    from lab.parts.job_tools import (  # noqa: PLC0415 - see above
        ARGOCD_PROGRAM,
        DATABASE_WRITER,
        JOB_TOOLS,
        MONITORING_SERVERS,
        MONITORING_TOOLS,
    )

    servers = [item for item in items if item.get_closest_marker("servers")]
    names = [part.name for part in PARTS if not part.on_request] if any(map(uses_platform, servers)) else []
    if any(item.nodeid.startswith(_WITH_TOOLS) for item in servers):
        names += [*(part.name for part in (*JOB_TOOLS, DATABASE_WRITER)), "examples", "go-build-cache"]
    if any(item.nodeid.startswith(_WITH_PROMETHEUS) for item in servers):
        names.append(MONITORING_TOOLS.name)
    if any(item.nodeid.startswith(_WITH_OPERATOR) for item in servers):
        names.append(MONITORING_SERVERS.name)
    if any(item.nodeid.startswith(_WITH_ARGOCD) for item in servers):
        names += [ARGOCD_PROGRAM.name, "helm"]
    return names


def _make_parts(names: Sequence[str]) -> None:
    """Make parts before any test: the first time, that takes longer than a test's limit."""
    if not names:
        return
    from lab import parts  # noqa: PLC0415 - other tests start without the platform's modules
    from lab.errors import LabError  # noqa: PLC0415 - only runs with server tests need it
    from lab.reporter import Lines  # noqa: PLC0415 - only runs with server tests need it

    try:
        parts.ensure(names, reporter=Lines())
    except LabError as error:
        pytest.exit(f"the local platform cannot be made: {error}", returncode=1)

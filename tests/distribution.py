"""Which tests share a worker of pytest-xdist, and which start first.

A module stays in one worker, so that its fixtures are made once. Where an expensive fixture serves more than a module,
the tests that use it are a group: `platform` has the servers of the `lab` fixture, `light platform` the quick ones of
`light_lab`. Groups take longest: they are first.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import pytest
from xdist.scheduler import LoadGroupScheduling  # type: ignore[import-untyped]

#: The group of all that runs on the local platform's servers.
PLATFORM = "platform"
#: The fixtures that start servers of the local platform, and the group of each.
_PLATFORMS = {"lab": PLATFORM, "light_lab": "light platform"}
#: Folders whose session fixtures are expensive.
_FOLDERS = {"tests/ci/": "ci", "tests/plugins/": "plugins"}


@pytest.hookimpl(tryfirst=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    """Say which group a test is of. What uses the platform needs servers, whether its module says so or not."""
    if uses_platform(item):
        item.add_marker(pytest.mark.servers)
    if item.get_closest_marker("xdist_group") is None and (group := _group(item)) is not None:
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the platform's tests start first, then other groups, then modules; within each, the order stays."""
    items.sort(key=_turn)


def uses_platform(item: pytest.Item) -> bool:
    """Say whether a test uses servers of the local platform, itself or through another fixture."""
    return _platform(item) is not None


def _platform(item: pytest.Item) -> str | None:
    used = getattr(item, "fixturenames", ())
    return next((group for fixture, group in _PLATFORMS.items() if fixture in used), None)


def _group(item: pytest.Item) -> str | None:
    if group := _platform(item):
        return group
    return next((group for folder, group in _FOLDERS.items() if item.nodeid.startswith(folder)), None)


def _turn(item: pytest.Item) -> int:
    marker = item.get_closest_marker("xdist_group")
    if marker is None:
        return 2
    return 0 if marker.args == (PLATFORM,) else 1


class _ByGroupOrModule(LoadGroupScheduling):  # type: ignore[misc]  # untyped
    """Gives out groups and whole modules."""

    def _split_scope(self, nodeid: str) -> str:
        group: str = super()._split_scope(nodeid)
        return nodeid.partition("::")[0] if group == nodeid else group


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> _ByGroupOrModule:
    """Give out groups and modules in the order of collection, not those with the most tests first."""
    config.option.loadscopereorder = False
    return _ByGroupOrModule(config, log)


# The parts of the platform are made before any test: the first time it takes longer than a test may ------------------


def pytest_collection_finish(session: pytest.Session) -> None:
    """Make the parts where there are no workers."""
    if session.config.option.collectonly or hasattr(session.config, "workerinput"):
        return
    if any(uses_platform(item) for item in session.items):
        _make_parts()


def pytest_xdist_node_collection_finished(ids: Sequence[str]) -> None:
    """Make the parts where there are workers: only the controller does, before any of them starts."""
    if any(test.endswith(f"@{group}") for test in ids for group in _PLATFORMS.values()):
        _make_parts()


@functools.cache
def _make_parts() -> None:
    from lab import parts  # noqa: PLC0415 - other tests start without the platform's modules
    from lab.errors import LabError  # noqa: PLC0415
    from lab.reporter import Lines  # noqa: PLC0415

    try:
        parts.ensure(reporter=Lines())
    except LabError as error:
        pytest.exit(f"the local platform cannot be made: {error}", returncode=1)

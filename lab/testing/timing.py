"""Prints the seconds per folder and the longest tests at the end of a test run, also with several workers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import pytest

#: Number of the longest tests that are shown.
LONGEST = 20


class Timing:
    """Adds up the time of tests and their fixtures. Workers of pytest-xdist report to the controller, which prints."""

    def __init__(self) -> None:
        """Start without times."""
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add setup, call or teardown of a test."""
        self._seconds[report.nodeid] += report.duration

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the two tables, before pytest's last line."""
        if not self._seconds:
            return
        terminalreporter.section("seconds per folder")
        for line in by_folder(self._seconds):
            terminalreporter.write_line(line)
        terminalreporter.section(f"the {LONGEST} longest")
        for line in longest(self._seconds):
            terminalreporter.write_line(line)


def by_folder(seconds: Mapping[str, float]) -> list[str]:
    """Return a line for each folder of `tests/`, the longest first, and one for the total."""
    folders: defaultdict[str, list[float]] = defaultdict(list)
    for test, duration in seconds.items():
        path = test.partition("::")[0]
        folders["/".join(path.split("/")[:-1][:2])].append(duration)
    rows = sorted(folders.items(), key=lambda row: -sum(row[1]))
    rows.append(("in all, fixtures included", list(seconds.values())))
    return [f"{sum(durations):8.1f}s {len(durations):5} {folder}" for folder, durations in rows]


def longest(seconds: Mapping[str, float]) -> list[str]:
    """Return a line for each of the longest tests."""
    most = sorted(seconds.items(), key=lambda one: -one[1])[:LONGEST]
    return [f"{duration:8.1f}s {test}" for test, duration in most]


def pytest_configure(config: pytest.Config) -> None:
    """Register the plugin, but not in a worker."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Timing(), "usine-timing")

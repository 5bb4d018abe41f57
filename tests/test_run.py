"""How the tests themselves are run: what shares a worker, what needs servers, and where the time is shown."""

from __future__ import annotations

import pytest

from lab.testing.timing import LONGEST, by_folder, longest

pytest_plugins = ["pytester"]

MODULE = """
import pytest

@pytest.fixture
def lab(): ...

@pytest.fixture
def platform(lab): ...

def test_plain(): ...
def test_direct(lab): ...
def test_through_another(platform): ...
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(test_some=MODULE, test_others="def test_one(): ...\ndef test_two(): ...")
    pytester.makeini("[pytest]\nmarkers = servers: x")
    return pytester


def run(project: pytest.Pytester, *arguments: str) -> list[str]:
    done = project.runpytest_inprocess(
        "-p", "lab.testing.distribution", "-p", "lab.testing.timing", "-p", "no:hypothesis", *arguments
    )
    assert done.ret == 0, done.outlines
    return done.outlines


def test_what_uses_the_platform_needs_servers(project: pytest.Pytester) -> None:
    found = run(project, "--collect-only", "-q", "-m", "not servers")
    assert [line for line in found if "::" in line] == [
        "test_others.py::test_one",
        "test_others.py::test_two",
        "test_some.py::test_plain",
    ]


def test_the_platforms_tests_come_first_whatever_the_order_was(project: pytest.Pytester) -> None:
    found = run(project, "--collect-only", "-q")
    assert [line.partition("::")[2] for line in found if "::" in line] == [
        *("test_direct", "test_through_another"),
        *("test_one", "test_two", "test_plain"),
    ]


def test_groups_and_modules_stay_in_one_worker_and_the_times_are_shown(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    monkeypatch.setattr("lab.testing.distribution._make_parts", lambda names: made.append(len(names)))
    lines = run(project, "-n", "2", "-v")
    workers = {line.split()[-1]: line.split()[0] for line in lines if line.startswith("[gw") and "PASSED" in line}
    assert len(workers) == 5
    assert workers["test_some.py::test_direct"] == workers["test_some.py::test_through_another"]
    assert workers["test_others.py::test_one"] == workers["test_others.py::test_two"]
    assert workers["test_others.py::test_one"] != workers["test_some.py::test_direct"], "they are first, side by side"
    assert len(made) == 1, "once, by the controller"
    assert made[0] > 5, "the platform's parts"
    assert any("in all, fixtures included" in line for line in lines)
    assert "5 passed in " in lines[-1]


def test_seconds_are_added_up_by_folder_the_longest_first() -> None:
    seconds = {
        "tests/a/test_x.py::test_1": 1.0,
        "tests/b/c/test_y.py::test_2": 2.5,
        "tests/b/test_z.py::test_3[a/b]": 2.0,
    }
    assert [line.split(None, 2) for line in by_folder(seconds)] == [
        ["4.5s", "2", "tests/b"],
        ["1.0s", "1", "tests/a"],
        ["5.5s", "3", "in all, fixtures included"],
    ]
    many = {f"tests/a/test_x.py::test_{number}": float(number) for number in range(LONGEST + 5)}
    shown = [line.split() for line in longest(many)]
    assert len(shown) == LONGEST
    assert shown[0] == [f"{LONGEST + 4}.0s", f"tests/a/test_x.py::test_{LONGEST + 4}"]

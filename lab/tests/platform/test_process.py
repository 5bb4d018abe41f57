"""Processes of the platform: found by later commands, never confused with others, stopped with their children."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab import process
from lab.errors import LabError
from lab.home import LabHome
from lab.process import Command

SLEEP = Command((sys.executable, "-c", "import time; time.sleep(300)"))
STUBBORN = Command(
    (
        sys.executable,
        "-c",
        "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(300)",
    )
)
#: Starts a child, which survives when only the parent is killed.
PARENT = Command(("/bin/sh", "-c", f"{sys.executable} -c 'import time; time.sleep(300)'; exit 3"))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[LabHome]:
    home = LabHome.open(tmp_path / "lab")
    yield home
    for name in process.names(home):
        process.stop(home, name, patience=0.1)


def eventually(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_started_process_runs_until_it_is_stopped(home: LabHome) -> None:
    started = process.start(home, "one", SLEEP)
    found = process.running(home, "one")
    assert found is not None
    assert found.pid == started.pid
    assert os.getpgid(started.pid) == started.pid
    assert process.names(home) == ("one",)
    assert process.stop(home, "one")
    assert process.running(home, "one") is None
    assert process.names(home) == ()
    assert not process.stop(home, "one")


@pytest.fixture
def stranger() -> Iterator[int]:
    """Yield the pid of a process that does not belong to the platform."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True) as process:
        time.sleep(0.05)  # so that the next process has another start time, in clock ticks of 10 ms
        yield process.pid
        assert process.poll() is None, "another process was stopped"
        process.kill()


def test_a_reused_pid_is_not_mistaken_for_the_server(home: LabHome, stranger: int) -> None:
    process.start(home, "one", SLEEP)
    path = home.run / "one.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    process.stop(home, "one")
    # The state after a crash, when the kernel has reused the pid.
    path.write_text(json.dumps(record | {"pid": stranger}), encoding="utf-8")
    assert process.running(home, "one") is None
    assert not process.stop(home, "one")


def test_a_record_of_another_boot_is_ignored(home: LabHome) -> None:
    process.start(home, "one", SLEEP)
    path = home.run / "one.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(record | {"boot": "another"}), encoding="utf-8")
    assert process.running(home, "one") is None


@pytest.mark.parametrize("record", ["", "{", "[]", '{"pid": "x"}', '{"pid": 1}'])
def test_a_process_with_a_damaged_record_is_stopped(home: LabHome, record: str) -> None:
    started = process.start(home, "one", SLEEP)
    (home.run / "one.json").write_text(record, encoding="utf-8")
    assert process.members(home, "one") == [started.pid]
    assert process.stop(home, "one")
    assert process.members(home, "one") == []


def test_a_process_without_a_record_is_found(home: LabHome) -> None:
    process.start(home, "one", SLEEP)
    (home.run / "one.json").unlink()
    assert process.names(home) == ("one",)
    assert process.stop(home, "one")


def test_children_are_stopped_with_their_parent(home: LabHome) -> None:
    started = process.start(home, "one", PARENT)
    eventually(lambda: len(process.members(home, "one")) == 2)
    os.kill(started.pid, 9)
    eventually(lambda: process.running(home, "one") is None)
    assert len(process.members(home, "one")) == 1
    assert process.stop(home, "one")
    assert process.members(home, "one") == []


def test_a_process_that_ignores_sigterm_is_killed(home: LabHome) -> None:
    process.start(home, "one", STUBBORN)
    eventually(lambda: "deaf" in process.tail(home, "one"))
    assert process.stop(home, "one", patience=0.3)
    assert process.members(home, "one") == []


def test_platforms_do_not_affect_each_other(home: LabHome, tmp_path: Path) -> None:
    other = LabHome.open(tmp_path / "lab2")
    process.start(home, "one", SLEEP)
    assert process.names(other) == ()
    assert not process.stop(other, "one")
    assert process.running(home, "one")


def test_tail_starts_at_the_last_start(home: LabHome) -> None:
    for word in ("first", "second"):
        process.start(home, "one", Command(("/bin/echo", word)))
        eventually(lambda: process.running(home, "one") is None)
    assert process.tail(home, "one") == "second"
    assert process.log_path(home, "one").read_text(encoding="utf-8") == "first\nsecond\n"
    assert process.log_path(home, "one").stat().st_mode & 0o777 == 0o600


def test_a_command_that_cannot_be_executed_is_reported(home: LabHome) -> None:
    with pytest.raises(LabError, match="one: /nowhere/server cannot be started: No such file"):
        process.start(home, "one", Command(("/nowhere/server",)))


def test_servers_do_not_get_the_callers_credentials(home: LabHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "of-the-caller")
    process.start(home, "one", dataclasses.replace(SLEEP, environment={"GIVEN": "yes"}))
    variables = Path(f"/proc/{process.members(home, 'one')[0]}/environ")
    eventually(lambda: b"GIVEN=yes" in variables.read_bytes())
    assert b"of-the-caller" not in variables.read_bytes()


def test_fingerprint_changes_with_arguments_and_watched_files(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("a", encoding="utf-8")
    command = Command(("server",), watched=(file,))
    before = command.fingerprint
    assert Command(("server", "--more"), watched=(file,)).fingerprint != before
    file.write_text("b", encoding="utf-8")
    assert command.fingerprint != before

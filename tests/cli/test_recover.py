"""Recovery of an interrupted run in a file backend: its lock, and incomplete files beside the checkpoint."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from usine.engine.cli import Engine
from usine.engine.recover import release_dead_lock


@pytest.fixture
def backend(tmp_path: Path) -> Path:
    """A file backend with a checkpoint, and a `pulumi` that writes its arguments to a file."""
    stacks = tmp_path / "state" / ".pulumi" / "stacks" / "usine"
    stacks.mkdir(parents=True)
    for name in ("lab.json", "lab.json.bak", "other.json"):
        (stacks / name).write_text("{}", encoding="utf-8")
        (stacks / f"{name}.attrs").write_text("{}", encoding="utf-8")
    program = tmp_path / "bin" / "pulumi"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n', encoding="utf-8")
    program.chmod(0o755)
    return tmp_path


def engine(backend: Path) -> Engine:
    path = f"{backend / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return Engine(backend, "lab", {"PATH": path, "PULUMI_BACKEND_URL": f"file://{backend / 'state'}"})


def lock(backend: Path, pid: int, hostname: str | None = None) -> None:
    folder = backend / "state" / ".pulumi" / "locks" / "organization" / "usine" / "lab"
    folder.mkdir(parents=True)
    content = {"pid": pid, "username": "ann", "hostname": hostname or socket.gethostname(), "timestamp": "now"}
    (folder / "1.json").write_text(json.dumps(content), encoding="utf-8")


def gone() -> int:
    """The id of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def calls(backend: Path) -> str:
    path = backend / "calls"
    return path.read_text("utf-8") if path.exists() else ""


def test_the_lock_of_a_run_that_has_died_is_cancelled_and_its_owner_returned(backend: Path) -> None:
    lock(backend, gone())
    assert (release_dead_lock(engine(backend)) or "").startswith("ann, process ")
    assert calls(backend).startswith("cancel --yes ")


def test_a_process_that_has_ended_and_was_not_waited_for_has_died(backend: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # ended, still in the process table
    lock(backend, process.pid)
    assert release_dead_lock(engine(backend)) is not None
    process.wait()


@pytest.mark.parametrize("hostname", [None, "elsewhere.example"])
def test_a_lock_whose_owner_may_be_alive_stays(backend: Path, hostname: str | None) -> None:
    lock(backend, os.getpid() if hostname is None else gone(), hostname)
    half_written = backend / "state" / ".pulumi" / "stacks" / "usine" / "lab.json.attrs"
    half_written.write_bytes(b"")
    assert release_dead_lock(engine(backend)) is None
    assert calls(backend) == ""
    assert half_written.exists()


def test_an_incomplete_lock_file_stays_for_the_engine_to_report(backend: Path) -> None:
    lock(backend, gone())
    (file,) = (backend / "state" / ".pulumi" / "locks").rglob("*.json")
    file.write_text('{"pid": 1', encoding="utf-8")
    assert release_dead_lock(engine(backend)) is None
    assert file.exists()


def test_incomplete_files_are_removed_and_all_others_stay(backend: Path) -> None:
    lock(backend, gone())
    stacks = backend / "state" / ".pulumi" / "stacks" / "usine"
    (stacks / "lab.json.attrs").write_bytes(b"")
    (stacks / "lab.json.18ea.tmp").write_bytes(b"{")
    (stacks / "other.json.attrs").write_bytes(b"")
    before = {path.name for path in stacks.iterdir()}
    release_dead_lock(engine(backend))
    assert before - {path.name for path in stacks.iterdir()} == {"lab.json.attrs", "lab.json.18ea.tmp"}


def test_a_lock_of_another_kind_of_backend_stays(backend: Path) -> None:
    lock(backend, gone())
    remote = Engine(backend, "lab", {"PATH": os.environ["PATH"], "PULUMI_BACKEND_URL": "s3://bucket"})
    assert release_dead_lock(remote) is None

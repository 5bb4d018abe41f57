"""The product on macOS: nothing in it needs what only Linux has. Only the lab does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.diff.scratch import Scratch

ROOT = Path(__file__).resolve().parents[2]
RUNNER = ROOT / "tests" / "guard" / "without_linux.py"
#: What only Linux has, or what macOS lacked until recently.
ONLY_LINUX = ("/proc", "prctl", "/dev/fd", "readlink -f", "readlink --canonicalize")

#: Takes over the lock of a process that has ended, runs an engine under it, and gives it back.
LOCK_AND_RUN = """
import os, subprocess, sys
from pathlib import Path
from usine.engine.cli import Engine
from usine.engine.lock import hold
from usine.engine.owner import Life, Process
from usine.engine.run import run_engine

folder = Path(sys.argv[3])
engine = Engine(folder, "lab", {"PATH": f"{folder}:{os.environ['PATH']}", "PULUMI_BACKEND_URL": f"file://{folder}"})
if os.fork() == 0:
    with hold(engine):
        os._exit(0)
os.wait()
with hold(engine) as lock:
    assert lock.predecessor is not None
    assert lock.predecessor.owner.process.life is Life.GONE
    assert lock.owner.process.life is Life.ALIVE
    assert run_engine(engine, lock, folder / "log", lambda *_: None, "preview").exit_code == 7
print("done")
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(RUNNER), *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("command", [("check",), ("plan",), ("diff", "--base", "main")], ids=lambda command: command[0])
def test_commands_work_without_what_only_linux_has(
    scratch: Scratch, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(scratch.caches))
    done = run(scratch.root, "usine", *command)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_lock_and_the_engine_s_process_work_without_what_only_linux_has(tmp_path: Path) -> None:
    program = tmp_path / "pulumi"
    program.write_text("#!/bin/sh\nexit 7\n", encoding="utf-8")
    program.chmod(0o755)
    done = run(ROOT, "-c", LOCK_AND_RUN, str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("done\n")


@pytest.mark.parametrize(
    "use",
    ["open('/proc/self/stat')", "os.readlink('/proc/self/exe')", "os.listdir('/proc')", "ctypes.CDLL(None).prctl"],
)
def test_the_runner_refuses_what_only_linux_has(use: str) -> None:
    assert run(ROOT, "-c", f"import ctypes, os\n{use}").returncode == 97


def test_no_file_of_the_product_names_what_only_linux_has() -> None:
    files = [
        path
        for name in ("usine", "components", "model", "pulumi_facts", "stacks", "policy", "bin")
        for path in (ROOT / name).rglob("*")
    ]
    texts = {
        path.relative_to(ROOT).as_posix(): path.read_text("utf-8")
        for path in files
        if path.is_file() and path.suffix != ".pyc"
    }
    assert len(texts) > 100
    assert {name for name, text in texts.items() if any(word in text for word in ONLY_LINUX)} == set()

"""The environment of the catalogue's jobs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from lab import parts
from lab.errors import LabError
from lab.parts import python_tools, tools
from lab.parts.processes import Children, CommandRunner
from lab.parts.python_tools import PythonTools


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two parts: one with its program at the top, one with `bin` and an environment with a python of its own."""
    plain, python = tmp_path / "trivy", tmp_path / "wapiti"
    (python / "bin").mkdir(parents=True)
    (python / "environment" / "bin").mkdir(parents=True)
    plain.mkdir()
    for program in (plain / "trivy", python / "bin" / "wapiti", python / "environment" / "bin" / "python3"):
        program.write_text("#!/bin/sh\necho own\n")
        program.chmod(0o755)
    monkeypatch.setattr(parts, "ensure", lambda names: {name: tmp_path / name for name in names})
    return tmp_path


def test_a_job_finds_the_tools_and_nothing_of_this_process(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "marker")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "marker")
    home = made / "home"
    environment = tools.environment(home, ["trivy", "wapiti"])
    assert "marker" not in environment.values()
    assert environment["HOME"] == str(home)
    script = "command -v trivy wapiti bao usine-ci git bash; command -v python3"
    found = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=True).stdout
    lines = found.splitlines()
    assert lines[:2] == [str(made / "trivy" / "trivy"), str(made / "wapiti" / "bin" / "wapiti")]
    assert len(lines) == 7
    assert not lines[-1].startswith(str(made))  # a tool's own python replaces no python of a job
    assert environment["CONTAINERS_STORAGE_CONF"].startswith(str(home))


def test_the_folder_of_a_job_does_not_change_what_the_command_loads(made: Path) -> None:
    environment = tools.environment(made / "home", ["trivy"])
    (made / "yaml.py").write_text("raise SystemExit('loaded from the job')\n")
    done = subprocess.run(
        ["usine-ci", "--help"],
        cwd=made,
        env={**environment, "PYTHONPATH": str(made)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "usine-ci" in done.stdout


def test_an_unknown_tool_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no such tool: syft"):
        tools.environment(tmp_path, ["syft"])


def test_a_python_tool_can_be_moved_and_has_only_its_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_tools, "BUILD_MODULES", tmp_path / "build")
    (tmp_path / "build" / "tool").mkdir(parents=True)
    (tmp_path / "build" / "tool" / "requirements.txt").write_text("")
    staged, final = tmp_path / "staged", tmp_path / "final"
    staged.mkdir()
    runner = CommandRunner(Children(), tmp_path / "log", lambda _message: None)
    PythonTools("tool", ("pip",)).prepare(staged, runner)
    staged.rename(final)
    assert os.listdir(final / "bin") == ["pip"]
    done = subprocess.run([str(final / "bin" / "pip"), "--version"], capture_output=True, text=True, check=True)
    assert str(final / "environment") in done.stdout

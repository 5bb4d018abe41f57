"""A small Pulumi project that needs only the engine and our language host: no server, no platform."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.engine import install
from lab.home import LabHome
from lab.parts import ensure

VENV = Path(sys.prefix)
PROJECT = """\
name: tiny
runtime:
  name: python
  options: {toolchain: pip, virtualenv: .venv}
main: app/tiny
"""


@dataclass(frozen=True)
class Tiny:
    """A project with one dynamic resource; the engine finds its virtual environment by the option, not by the PATH."""

    home: LabHome
    folder: Path
    environment: dict[str, str]

    @property
    def program(self) -> Path:
        return self.folder / "app" / "tiny" / "__main__.py"

    def pulumi(self, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )

    def command(self, *arguments: str) -> list[str]:
        return [str(self.home.bin / "pulumi"), *arguments, "--non-interactive", "--color=never"]

    def must(self, *arguments: str) -> str:
        done = self.pulumi(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def outputs(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.pulumi("stack", "output", "--json").stdout)
        return found

    def processes(self) -> list[str]:
        """Return the command lines of the processes of this project's engine."""
        found = []
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
                folder = os.readlink(file.parent / "cwd")
            except OSError:
                continue
            if folder.startswith(str(self.folder)) or str(self.folder) in line:
                found.append(line)
        return found


@contextmanager
def tiny_project(root: Path, program: str) -> Iterator[Tiny]:
    """Create a project in `root` with this program and a stack `test`; check that no process is left at the end."""
    home = LabHome.open(root / "home")
    install(home, ensure(["pulumi", "pulumi-python"]))
    home.state.mkdir()
    folder = root / "project"
    (folder / "app" / "tiny").mkdir(parents=True)
    (folder / "Pulumi.yaml").write_text(PROJECT, encoding="utf-8")
    (folder / ".venv").symlink_to(VENV)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "PYTHON"))} | {
        # No virtual environment in the PATH: the program's Python is found only by the `virtualenv` option.
        "PATH": f"{home.bin}:/usr/bin:/bin",
        "PULUMI_HOME": str(home.pulumi_home),
        "PULUMI_BACKEND_URL": f"file://{home.state}",
        "PULUMI_CONFIG_PASSPHRASE": "only-a-test",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    project = Tiny(home, folder, environment)
    project.program.write_text(program, encoding="utf-8")
    project.must("stack", "init", "test")
    yield project
    deadline = time.monotonic() + 10
    while (left := project.processes()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not left, "processes left behind"

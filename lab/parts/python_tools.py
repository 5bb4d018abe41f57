"""Commands from the Python package index, each in an environment of its own: their dependencies conflict with ours."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.parts.defaults import DownloadDefaults
from lab.parts.processes import CommandRunner
from lab.parts.recipes import BUILD_MODULES

#: The first lines of a command. The shell starts the interpreter beside the command, so the folder can be moved; for
#: Python the second line is a string.
_RELOCATABLE = """#!/bin/sh
'''exec' "$(dirname -- "$(realpath -- "$0")")/../environment/bin/python" -P "$0" "$@"
' '''
"""


@dataclass(frozen=True, slots=True)
class PythonTools(DownloadDefaults):
    """Commands of the packages that `lab/build/<module>/requirements.txt` locks by version and hash.

    `bin` has only these commands. The rest of the environment, with its `python` and `pip`, is in `environment`, so
    that `bin` on a job's PATH replaces no command of the job.
    """

    module: str
    commands: tuple[str, ...]
    #: Packages that are published as source only. `build.txt` locks what builds them.
    built: tuple[str, ...] = ()
    #: An environment is for one version of Python.
    python: str = f"{sys.version_info.major}.{sys.version_info.minor}"

    @property
    def tools(self) -> tuple[str, ...]:
        """See `Recipe`."""
        return ()

    @property
    def sources(self) -> Path | None:
        """See `Recipe`."""
        return BUILD_MODULES / self.module

    def prepare(self, into: Path, runner: CommandRunner) -> None:
        """Download, check and install the packages."""
        environment = into / "environment"
        runner.progress("downloading Python packages")
        runner.run([sys.executable, "-m", "venv", str(environment)], cwd=into)
        install = [
            str(environment / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", "--no-input",
            "--no-deps", "--no-build-isolation", "--require-hashes", "--only-binary", ":all:",
        ]  # fmt: skip
        if self.built:
            self._install([*install, "--requirement", "build.txt"], runner)
            install += ["--no-binary", ",".join(self.built)]
        self._install([*install, "--requirement", "requirements.txt"], runner)
        (into / "bin").mkdir()
        for command in self.commands:
            first, _, rest = (environment / "bin" / command).read_text(encoding="utf-8").partition("\n")
            if not first.startswith("#!"):
                raise LabError(f"{self.module}: {command} is no script")
            target = into / "bin" / command
            target.write_text(_RELOCATABLE + rest, encoding="utf-8")
            target.chmod(0o755)

    def _install(self, command: list[str], runner: CommandRunner) -> None:
        runner.run(
            command,
            cwd=BUILD_MODULES / self.module,
            describe=lambda line: line[:90] if line.startswith(("Collecting", "Installing")) else None,
        )

"""Parts made by shell scripts, and a program that makes one in a separate process."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from lab.parts.cache import Cache
from lab.parts.installing import install
from lab.parts.part import Part
from lab.parts.processes import CommandRunner
from lab.reporter import Lines


@dataclass(frozen=True, slots=True)
class ScriptRecipe:
    """Runs shell commands in the part's folder."""

    script: str
    compiles: bool = False
    tools: tuple[str, ...] = ()
    sources: Path | None = None

    def prepare(self, into: Path, runner: CommandRunner) -> None:
        """Do nothing."""

    def finish(self, into: Path, runner: CommandRunner) -> None:
        """Run the script."""
        runner.run(["sh", "-euc", self.script], cwd=into, describe=str)


def part(script: str, name: str = "fake", *, compiles: bool = False, tools: tuple[str, ...] = ()) -> Part:
    """Return a part that must provide the file `program`."""
    return Part(name, "1.0", ScriptRecipe(script, compiles, tools), ("program",), about="fake")


if __name__ == "__main__":
    print(install([part(sys.argv[2])], Cache(Path(sys.argv[1])), Lines())["fake"])

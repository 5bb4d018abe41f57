"""Commands that the machine needs to make or run parts. All missing ones are reported at once."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Collection
from dataclasses import dataclass

Version = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Tool:
    """A command of the machine."""

    command: str
    #: The command that prints its version, and the pattern of the version in its output.
    version: tuple[str, ...]
    pattern: str
    oldest: Version
    #: Debian's package and other hints.
    package: str
    #: Whether an older version is sufficient on this machine.
    excused: Callable[[Version], bool] = lambda _found: False


def _go_fetches_itself(found: Version) -> bool:
    """Whether Go downloads the version that a module requires: from 1.21 on, unless GOTOOLCHAIN forbids it."""
    return found >= (1, 21) and _ask(("go", "env", "GOTOOLCHAIN")).strip() not in ("", "local")


TOOLS = {
    tool.command: tool
    for tool in (
        Tool(
            "go",
            ("go", "version"),
            r"go(\d+(?:\.\d+)*)",
            (1, 26, 3),  # highest `go` line of the modules that are built
            "Debian package golang-go; from 1.21 on it downloads the newer version itself with GOTOOLCHAIN=auto",
            _go_fetches_itself,
        ),
        Tool(
            "java",
            ("java", "-version"),
            r'version "(\d+(?:\.\d+)*)',
            (17,),
            "Debian package openjdk-17-jre-headless, or a later openjdk-*-jre-headless",
        ),
        # Only for buildah, a tool of the catalogue's jobs.
        Tool("gcc", ("gcc", "--version"), r"(\d+\.\d+(?:\.\d+)*)", (10,), "Debian packages gcc and libc6-dev"),
        # First version that reads configuration from the environment.
        Tool("git", ("git", "--version"), r"git version (\d+(?:\.\d+)*)", (2, 31), "Debian package git"),
        # Both are only for the tests of the HTML page, on machines without Chromium.
        Tool("node", ("node", "--version"), r"v(\d+(?:\.\d+)*)", (18,), "Debian package nodejs, or one of chromium"),
        Tool("npm", ("npm", "--version"), r"(\d+(?:\.\d+)*)", (8,), "Debian package npm, or one of chromium"),
        Tool("mvn", ("mvn", "--version"), r"Apache Maven (\d+(?:\.\d+)*)", (3, 6, 3), "Debian package maven"),
    )
}


def lacking(commands: Collection[str]) -> list[str]:
    """Return which `commands` (keys of TOOLS) are missing or too old, one line each, with the Debian package."""
    return [line for command in sorted(set(commands)) if (line := _complaint(TOOLS[command]))]


def _complaint(tool: Tool) -> str | None:
    wanted = f"{tool.command} >= {_dotted(tool.oldest)}"
    if shutil.which(tool.command) is None:
        return f"{wanted}: not found ({tool.package})"
    found = re.search(tool.pattern, _ask(tool.version))
    if not found:
        return f"{wanted}: `{' '.join(tool.version)}` does not print its version ({tool.package})"
    version = tuple(int(number) for number in found[1].split("."))
    if version >= tool.oldest or tool.excused(version):
        return None
    return f"{wanted}: found {found[1]} ({tool.package})"


def _dotted(version: Version) -> str:
    return ".".join(str(number) for number in version)


def _ask(command: tuple[str, ...]) -> str:
    """Return a command's output on both streams, empty if it cannot be run. Java's version is on standard error."""
    # Run outside any module: a go.mod near the working directory would change Go's output.
    environment = {**os.environ, "GOWORK": "off"}
    try:
        answer = subprocess.run(
            command, cwd="/", env=environment, capture_output=True, text=True, errors="replace", timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout + answer.stderr

"""What the machine must have before a part can be made or run: all that is missing, said at once."""

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
    #: What to ask it for its version, and how to read the answer.
    version: tuple[str, ...]
    pattern: str
    oldest: Version
    #: Debian's package and what else there is to know.
    package: str
    #: Whether an older one will do after all.
    excused: Callable[[Version], bool] = lambda _found: False


def _go_fetches_itself(found: Version) -> bool:
    """From 1.21 on, Go downloads the version that a module asks for, unless told to stay what it is."""
    return found >= (1, 21) and _ask(("go", "env", "GOTOOLCHAIN")).strip() not in ("", "local")


TOOLS = {
    tool.command: tool
    for tool in (
        Tool(
            "go",
            ("go", "version"),
            r"go(\d+(?:\.\d+)*)",
            (1, 26, 3),  # the highest `go` line among the modules we use
            "Debian package golang-go; from 1.21 on it fetches the newer version by itself with GOTOOLCHAIN=auto",
            _go_fetches_itself,
        ),
        Tool(
            "java",
            ("java", "-version"),
            r'version "(\d+(?:\.\d+)*)',
            (17,),
            "Debian package openjdk-17-jre-headless, or a later openjdk-*-jre-headless",
        ),
        # The first that takes configuration from the environment.
        Tool("git", ("git", "--version"), r"git version (\d+(?:\.\d+)*)", (2, 31), "Debian package git"),
        # Both only for the tests of the page, where the machine has no Chromium of its own.
        Tool("node", ("node", "--version"), r"v(\d+(?:\.\d+)*)", (18,), "Debian package nodejs, or one of chromium"),
        Tool("npm", ("npm", "--version"), r"(\d+(?:\.\d+)*)", (8,), "Debian package npm, or one of chromium"),
        Tool("mvn", ("mvn", "--version"), r"Apache Maven (\d+(?:\.\d+)*)", (3, 6, 3), "Debian package maven"),
    )
}


def lacking(commands: Collection[str]) -> list[str]:
    """What is missing or too old among `commands` (keys of TOOLS), one line each, with the Debian package."""
    return [line for command in sorted(set(commands)) if (line := _complaint(TOOLS[command]))]


def _complaint(tool: Tool) -> str | None:
    wanted = f"{tool.command} >= {_dotted(tool.oldest)}"
    if shutil.which(tool.command) is None:
        return f"{wanted}: not found ({tool.package})"
    found = re.search(tool.pattern, _ask(tool.version))
    if not found:
        return f"{wanted}: `{' '.join(tool.version)}` does not say its version ({tool.package})"
    version = tuple(int(number) for number in found[1].split("."))
    if version >= tool.oldest or tool.excused(version):
        return None
    return f"{wanted}: found {found[1]} ({tool.package})"


def _dotted(version: Version) -> str:
    return ".".join(str(number) for number in version)


def _ask(command: tuple[str, ...]) -> str:
    """What a command says on either stream; nothing when it cannot be run. Java answers on standard error."""
    # Asked outside any module: a go.mod near the working directory would change Go's answer.
    environment = {**os.environ, "GOWORK": "off"}
    try:
        answer = subprocess.run(
            command, cwd="/", env=environment, capture_output=True, text=True, errors="replace", timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout + answer.stderr

"""Every operation of a stand-in says who needs it, and the sources of who needs it mention the operation."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from lab.standins.listing import PAGE, served
from lab.standins.needs import Need, Operation

ROOT = PAGE.parents[1]
SERVERS = ("gitlab", "harbor")
#: How the clients of the sources name a method.
METHODS = {
    "GET": "get|find|all|pages|listed|list|read|probe|auth|clone|pull",
    "HEAD": "get|head|push",
    "POST": "post|create|play|login|token|clone|push",
    "PUT": "put|save|merge|finish|push",
    "PATCH": "patch|push",
    "DELETE": "delete|undo|push",
}


@cache
def operations(server: str) -> tuple[Operation, ...]:
    return tuple(served(server))


@cache
def words_of(need: Need, server: str) -> str:
    """All that the sources of a need say, in lower case."""
    files: list[Path] = []
    for glob in need.sources:
        found = sorted(ROOT.glob(glob.format(server=server)))
        assert found, f"{need.title}: {glob} is nothing"
        files += [file for file in found if file.is_file()]
    return "\n".join(file.read_text(encoding="utf-8") for file in files).lower()


def unneeded(server: str) -> list[str]:
    """The operations nobody needs, and the needs that no source shows."""
    found = []
    for one in operations(server):
        if not one.needs:
            found.append(f"{one.method} {one.path}: nobody needs it")
        for need in one.needs:
            if need.sources:
                said = words_of(need, server)
                missing = [trace for trace in one.traces if trace.lower() not in said]
                if missing or not re.search(rf"\b({METHODS[one.method]})\b", said):
                    found.append(f"{one.method} {one.path}: {need.title} does not show {missing or one.method}")
    return found


@pytest.mark.parametrize("server", SERVERS)
def test_every_operation_is_needed_by_who_it_says(server: str) -> None:
    assert unneeded(server) == []


def test_every_need_is_somebodys() -> None:
    used = {need for server in SERVERS for one in operations(server) for need in one.needs}
    assert used == set(Need)

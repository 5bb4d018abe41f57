"""Every operation of a stand-in declares its needs, and the sources of each need use the operation."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from lab.standins.listing import PAGE, served
from lab.standins.needs import Need, Operation

ROOT = PAGE.parents[1]
SERVERS = ("gitlab", "harbor")
#: Names of a method in the sources' clients.
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
    """Return all text of a need's sources, in lower case."""
    files: list[Path] = []
    for glob in need.sources:
        found = sorted(ROOT.glob(glob.format(server=server)))
        assert found, f"{need.title}: {glob} is nothing"
        files += [file for file in found if file.is_file()]
    return "\n".join(file.read_text(encoding="utf-8") for file in files).lower()


def unneeded(server: str) -> list[str]:
    """Return the operations without a need, and the needs without a source."""
    found = []
    for one in operations(server):
        if not one.needs:
            found.append(f"{one.method} {one.path}: no need is declared")
        for need in one.needs:
            if need.sources:
                text = words_of(need, server)
                missing = [trace for trace in one.traces if trace.lower() not in text]
                if missing or not re.search(rf"\b({METHODS[one.method]})\b", text):
                    found.append(f"{one.method} {one.path}: {need.title} does not show {missing or one.method}")
    return found


@pytest.mark.parametrize("server", SERVERS)
def test_the_sources_of_each_need_use_the_operation(server: str) -> None:
    assert unneeded(server) == []


def test_every_need_belongs_to_an_operation() -> None:
    used = {need for server in SERVERS for one in operations(server) for need in one.needs}
    assert used == set(Need)

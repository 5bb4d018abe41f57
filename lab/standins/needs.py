"""Declares why an operation of a stand-in server is needed.

`@needed_by(Need.LOOKUP)` comes after a route's decorator. `lab/tests/standins/test_needs.py` checks the routes of both
servers: it fails for a route without a need, and for a need whose sources do not mention the operation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeVar

from fastapi import APIRouter
from fastapi.routing import APIRoute

Handler = TypeVar("Handler", bound=Callable[..., object])

_ATTRIBUTE: Final = "needed_by"


class Need(Enum):
    """A reason for an operation: a name, its purpose, and the sources that use it (globs from the checkout's root).

    `{server}` in a glob is `gitlab` or `harbor`. A need without sources belongs to an open issue. When the issue is
    closed, it gets sources, or its operations are removed.
    """

    PROGRAM = ("program", "the components, and the lock, which checks whether a job still runs",
               "components/**/*.py usine/engine/*.py")  # fmt: skip
    PLUGINS = ("plugins", "the provider plugins, also the official ones, for the types that the platform uses",
               "lab/plugins/{server}/*.py")  # fmt: skip
    LOOKUP = ("lookup", "finding the objects of an interrupted run", "usine/engine/lookup/{server}.py")
    INVENTORY = ("inventory", "a drift scan, and the requests it suggests to remove its findings",
                 "usine/drift/inventory/{server}*.py")  # fmt: skip
    COMMENT = ("comment", "the comment on a merge request and the issue about drift", "usine/sticky/*.py")
    CHAIN = ("chain", "`usine lab chain`", "lab/chain/*.py")
    PIPELINE = ("pipeline", "jobs, the runner that takes them, and users who start and merge",
                "tests/ci/*.py tests/pipelines/*.py lab/testing/*.py .gitlab-ci.yml")  # fmt: skip
    CATALOGUE = ("catalogue", "the jobs of the catalogue's presets",
                 "catalogue/*.yml catalogue/templates/* catalogue/jobs/*")  # fmt: skip
    PEOPLE = ("people", "manual changes and reads by users, in the tests of drift and of the comment",
              "tests/engine/*.py tests/drift/inventory/*.py tests/sticky/*.py")  # fmt: skip
    LAB = (
        "lab",
        "starting and testing the servers",
        "lab/servers/{server}.py lab/tests/standins/{server}/*.py",
    )
    ISOLATION = ("issue 11", "the isolation matrix: who may do what, inherited levels, forks", "")
    CATALOGUE_JOBS = ("issue 13", "promotion by merge request, scans, proxy caches", "")
    ROTATION = ("rotation", "rotation and revocation of stored credentials", "usine/rotation/*.py")
    ZONES = ("zones", "repositories that clusters pull from, and what their Argo CD reports",
             "usine/zones/*.py components/argocd/zone.py tests/zones/*.py")  # fmt: skip
    CREDENTIALS = ("issue 14", "credentials that jobs and readers use", "")
    WAVES = ("waves", "pipelines that a wave of a fleet waits for", "usine/fleet/*.py")
    FLEET = ("issue 15", "child pipelines, and runs that are started again", "")

    def __init__(self, title: str, purpose: str, sources: str) -> None:
        """Set attributes from the tuple."""
        self.title = title
        self.purpose = purpose
        self.sources = tuple(sources.split())


@dataclass(frozen=True, slots=True)
class Operation:
    """A method of a path.

    `part` is its group in the API description, `traces` are words that a need's sources contain.
    """

    method: str
    path: str
    part: str
    needs: tuple[Need, ...]
    traces: tuple[str, ...]


def needed_by(*needs: Need, trace: str = "") -> Callable[[Handler], Handler]:
    """Declare why a handler is needed. `trace` is a word in the sources, if it is not in the last part of the path."""

    def declare(handler: Handler) -> Handler:
        setattr(handler, _ATTRIBUTE, (needs, trace))
        return handler

    return declare


def copy_needs(handler: Callable[..., object], endpoint: Callable[..., object]) -> None:
    """Copy the declaration of a handler to its endpoint."""
    setattr(endpoint, _ATTRIBUTE, getattr(handler, _ATTRIBUTE, ((), "")))


def operations(routers: Iterable[tuple[str, APIRouter]]) -> Iterator[Operation]:
    """Yield all operations of routers, each given with its prefix."""
    for prefix, router in routers:
        for route in router.routes:
            if isinstance(route, APIRoute):
                needs, trace = getattr(route.endpoint, _ATTRIBUTE, ((), ""))
                part = ", ".join(str(tag) for tag in router.tags)
                for method in sorted(route.methods or ()):
                    path = prefix + route.path
                    yield Operation(method, path, part, needs, tuple((trace or _last(path)).split("_")))


def _last(path: str) -> str:
    """Return the last part of a path that is not a parameter."""
    return [part for part in re.split(r"/|-", path) if part and "{" not in part][-1]

"""Who needs an operation of a stand-in server, said where the operation is.

`@needed_by(Need.LOOKUP)` stands under a route's decorator. `lab/tests/standins/test_needs.py` walks the routes of both
servers: it fails for one that nobody needs, and for a need whose sources do not mention the operation.
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
    """Who needs an operation: a name, what for, and the sources that show it (globs from the checkout's root).

    `{server}` in a glob is `gitlab` or `harbor`. A need without sources is the work of an issue that is open: it gets
    sources, or its operations go, when the issue is closed.
    """

    PROGRAM = ("program", "the components, and the lock that asks whether a job still runs",
               "components/**/*.py usine/engine/*.py")  # fmt: skip
    PLUGINS = ("plugins", "the provider plugins, the official ones too, for the types the platform uses",
               "lab/plugins/{server}/*.py")  # fmt: skip
    LOOKUP = ("lookup", "finding what an interrupted run made", "usine/engine/lookup/{server}.py")
    INVENTORY = ("inventory", "a drift scan, and the calls it names to remove what it found",
                 "usine/drift/inventory/{server}*.py")  # fmt: skip
    COMMENT = ("comment", "the comment on a merge request and the issue about drift", "usine/sticky/*.py")
    CHAIN = ("chain", "`usine lab chain`", "lab/chain/*.py")
    PIPELINE = ("pipeline", "jobs, the runner that takes them, and people who start and merge",
                "tests/ci/*.py lab/testing/ci_client.py .gitlab-ci.yml")  # fmt: skip
    CATALOGUE = ("catalogue", "the jobs of the catalogue's presets", "catalogue/*.yml catalogue/presets/*")
    PEOPLE = ("people", "what people change by hand and look at, in the tests of drift and of the comment",
              "tests/engine/*.py tests/drift/inventory/*.py tests/sticky/*.py")  # fmt: skip
    LAB = (
        "lab",
        "starting the servers and testing with them",
        "lab/servers/{server}.py lab/tests/standins/{server}/*.py",
    )
    ISOLATION = ("issue 11", "the isolation matrix: who may do what, inherited levels, forks", "")
    CATALOGUE_JOBS = ("issue 13", "promotion by merge request, scans, proxy caches", "")
    CREDENTIALS = ("issue 14", "expiry and rotation of credentials, repositories that a zone pulls", "")
    FLEET = ("issue 15", "child pipelines, and runs that are started again", "")

    def __init__(self, title: str, purpose: str, sources: str) -> None:
        """Give the members of the tuple their names."""
        self.title = title
        self.purpose = purpose
        self.sources = tuple(sources.split())


@dataclass(frozen=True, slots=True)
class Operation:
    """A method of a path. `part` is the group it is described in, `traces` the words that a need's sources have."""

    method: str
    path: str
    part: str
    needs: tuple[Need, ...]
    traces: tuple[str, ...]


def needed_by(*needs: Need, trace: str = "") -> Callable[[Handler], Handler]:
    """Say who needs a handler. `trace` is the word that shows it, where that is not in the last part of the path."""

    def said(handler: Handler) -> Handler:
        setattr(handler, _ATTRIBUTE, (needs, trace))
        return handler

    return said


def hand_on(handler: Callable[..., object], endpoint: Callable[..., object]) -> None:
    """Make what is said of a handler hold of the endpoint made from it."""
    setattr(endpoint, _ATTRIBUTE, getattr(handler, _ATTRIBUTE, ((), "")))


def operations(routers: Iterable[tuple[str, APIRouter]]) -> Iterator[Operation]:
    """Yield every operation of routers, each with the prefix it is included with."""
    for prefix, router in routers:
        for route in router.routes:
            if isinstance(route, APIRoute):
                needs, trace = getattr(route.endpoint, _ATTRIBUTE, ((), ""))
                part = ", ".join(str(tag) for tag in router.tags)
                for method in sorted(route.methods or ()):
                    path = prefix + route.path
                    yield Operation(method, path, part, needs, tuple((trace or _last(path)).split("_")))


def _last(path: str) -> str:
    """The last part of a path that is no parameter."""
    return [part for part in re.split(r"/|-", path) if part and "{" not in part][-1]

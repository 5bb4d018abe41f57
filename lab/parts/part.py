"""What a part of the local platform is: a name, a version, and a recipe that puts it into a folder."""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, Self

from lab.parts.processes import Runner
from lab.parts.releases import Release


class Recipe(Protocol):
    """How a part is obtained. A frozen dataclass: its fields are part of the cache key."""

    @property
    def compiles(self) -> bool:
        """Whether `finish` keeps all processors busy: few of these run at the same time."""

    @property
    def tools(self) -> tuple[str, ...]:
        """Commands it needs, named as in `lab.parts.prerequisites`."""

    @property
    def sources(self) -> Path | None:
        """Folder of the checkout whose content decides what comes out, if any."""

    def prepare(self, into: Path, runner: Runner) -> None:
        """What is mostly waiting for the network. `into` is an empty folder. Raises LabError."""

    def finish(self, into: Path, runner: Runner) -> None:
        """The rest: `into` holds the part afterwards. Raises LabError."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part. `provides` are paths that exist, relative to its folder, when it is whole."""

    name: str
    version: str
    recipe: Recipe
    provides: tuple[str, ...]
    #: What a newcomer reads while it is made.
    about: str
    #: What `recipe` downloads, and how long it compiles alone on two processors: for the estimate.
    megabytes: int = 0
    minutes: float = 0.0
    #: Taken instead of using `recipe` where it can be reached.
    official: Release | None = None
    #: Commands needed to run it, as opposed to make it.
    runs_on: tuple[str, ...] = ()
    #: Parts that `recipe` reads, by name: made before it.
    needs: tuple[str, ...] = ()
    #: Whether it is made only where it is asked for by name: the platform does without.
    on_request: bool = False
    #: Says why the part need not be made on this machine, or None.
    unneeded: Callable[[], str | None] = lambda: None
    #: Of a part as its official release: the part as its recipe makes it, for when the release does not arrive.
    otherwise: Self | None = None

    @property
    def released(self) -> Self | None:
        """The part as its official release; None where there is none for this machine."""
        if self.official is None or not self.official.urls:
            return None
        return replace(
            self,
            version=self.official.version,
            recipe=self.official,
            megabytes=self.official.megabytes,
            minutes=0.0,
            official=None,
            needs=(),
            otherwise=self,
        )

    @property
    def key(self) -> str:
        """`<name>-<version>-<hash>`: changes with anything that could change what comes out."""
        digest = hashlib.sha256()
        for text in (self.name, self.version, sys.platform, platform.machine(), repr(self.recipe)):
            digest.update(text.encode() + b"\0")
        if sources := self.recipe.sources:
            for path in sorted(sources.iterdir()):
                if path.is_file() and not path.name.startswith("."):
                    content = path.read_bytes()
                    digest.update(f"{path.name}\0{len(content)}\0".encode() + content)
        return f"{self.name}-{self.version}-{digest.hexdigest()[:12]}"

    def missing_from(self, folder: Path) -> list[str]:
        """What it provides and `folder` lacks."""
        return [path for path in self.provides if not (folder / path).exists()]

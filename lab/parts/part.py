"""The type of a part: a name, a version, and a recipe that puts it into a folder."""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, Self

from lab.parts.processes import CommandRunner
from lab.parts.releases import Release


class Recipe(Protocol):
    """How a part is obtained. Implementations are frozen dataclasses, because their fields are in the cache key."""

    @property
    def compiles(self) -> bool:
        """Whether `finish` uses all processors, so that only few of them may run at the same time."""

    @property
    def tools(self) -> tuple[str, ...]:
        """Names of the commands in `lab.parts.prerequisites` that it needs."""

    @property
    def sources(self) -> Path | None:
        """Folder of the checkout from which the part is made, if any."""

    def prepare(self, into: Path, runner: CommandRunner) -> None:
        """Do the work that mostly waits for the network. `into` is an empty folder. Raises LabError."""

    def finish(self, into: Path, runner: CommandRunner) -> None:
        """Do the rest. `into` contains the part afterwards. Raises LabError."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part. It is complete if the paths in `provides` exist, relative to its folder."""

    name: str
    version: str
    recipe: Recipe
    provides: tuple[str, ...]
    #: Description for the user while it is made.
    about: str
    #: Size of `recipe`'s downloads, and its minutes of compilation alone on two processors: for the estimate.
    megabytes: int = 0
    minutes: float = 0.0
    #: Used instead of `recipe` if it is reachable.
    official: Release | None = None
    #: Commands needed to run it, not to make it.
    runs_on: tuple[str, ...] = ()
    #: Names of parts that `recipe` reads. They are made first.
    needs: tuple[str, ...] = ()
    #: Whether it is made only when requested by name: the platform does not need it.
    on_request: bool = False
    #: Returns why the part is not needed on this machine, or None.
    unneeded: Callable[[], str | None] = lambda: None
    #: If this part is an official release: the same part with its recipe, for when the download fails.
    fallback: Self | None = None

    @property
    def released(self) -> Self | None:
        """Return the part as its official release; None if there is none for this machine."""
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
            fallback=self,
        )

    @property
    def key(self) -> str:
        """`<name>-<version>-<hash>`; the hash covers everything that can change the result."""
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
        """Return the paths in `provides` that `folder` lacks."""
        return [path for path in self.provides if not (folder / path).exists()]

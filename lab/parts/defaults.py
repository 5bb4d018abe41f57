"""Defaults for recipes (`lab.parts.part.Recipe`)."""

from __future__ import annotations

from pathlib import Path

from lab.parts.processes import CommandRunner


class DownloadDefaults:
    """Defaults for recipes that only download: no compilation, no sources in the checkout, nothing to finish."""

    __slots__ = ()

    @property
    def compiles(self) -> bool:
        """See `Recipe`."""
        return False

    @property
    def sources(self) -> Path | None:
        """See `Recipe`."""
        return None

    def finish(self, into: Path, runner: CommandRunner) -> None:
        """Do nothing: `prepare` did everything."""

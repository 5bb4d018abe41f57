"""Chooses how this machine obtains each part and estimates the time, before anything is done."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.parts.cache import Cache
from lab.parts.installing import install, missing_tools, select
from lab.parts.official import build_only
from lab.parts.part import Part
from lab.parts.releases import Release, reachable
from lab.reporter import Reporter

#: Assumed download speed of the estimate.
_MEGABYTES_PER_SECOND = 10
#: Processors of the machine on which `Part.minutes` was measured.
_PROCESSORS = 2
_OFFICIAL, _BUILT, _FETCHED = "official releases", "built from source", "from package registries"
_CACHED, _NOT_NEEDED = "from the cache", "the machine's own"


@dataclass(frozen=True, slots=True)
class PartsPlan:
    """Parts, each with the recipe that is used on this machine."""

    parts: tuple[Part, ...]
    cache: Cache
    #: Why parts are built although they have an official release.
    reason: str = ""

    def lacking(self) -> list[str]:
        """Return what the machine lacks, one line each with the Debian package; empty if it lacks nothing.

        Build tools of a part are not required if it is in the cache or its official release is used.
        """
        return missing_tools(self.parts, self.cache)

    def make(self, reporter: Reporter, names: Collection[str] | None = None) -> dict[str, Path]:
        """Make the parts that are not in the cache and return all folders by name. Raises as `install` does."""
        return install(self.parts if names is None else select(self.parts, names), self.cache, reporter)

    def summary(self) -> str:
        """Return one line: the estimated time, and how each part is obtained."""
        groups: dict[str, list[Part]] = {way: [] for way in (_OFFICIAL, _BUILT, _FETCHED, _CACHED, _NOT_NEEDED)}
        for part in self.parts:
            groups[self._way(part)].append(part)
        details = {
            _OFFICIAL: _size(groups[_OFFICIAL]),
            _BUILT: self.reason,
            _FETCHED: _size(groups[_FETCHED]),
            _CACHED: str(self.cache.root),
        }
        listed = [
            f"{way}{f' ({details[way]})' if details.get(way) else ''}: {', '.join(part.name for part in parts)}"
            for way, parts in groups.items()
            if parts
        ]
        return "; ".join((f"parts: {_estimate([*groups[_OFFICIAL], *groups[_BUILT], *groups[_FETCHED]])}", *listed))

    def _way(self, part: Part) -> str:
        if part.unneeded():
            return _NOT_NEEDED
        if self.cache.has(part):
            return _CACHED
        if isinstance(part.recipe, Release):
            return _OFFICIAL
        return _BUILT if part.minutes else _FETCHED


def choose(parts: Sequence[Part], cache: Cache) -> PartsPlan:
    """Choose the cache if it has the part, else the official release if it is reachable, else the part's recipe.

    The releases of missing parts are probed together, once. None is probed if a build is requested.
    """
    if build_only():
        return PartsPlan(tuple(parts), cache, "as requested")
    urls = {
        part.name: part.official.urls
        for part in parts
        if part.official and not part.unneeded() and not cache.has(part) and not cache.has(part.released or part)
    }
    probed = {url for each in urls.values() for url in each}
    answered = reachable(probed) if probed else frozenset()

    def chosen(part: Part) -> Part:
        released = part.released
        if released is None or part.unneeded():
            return part
        if cache.has(released) or (part.name in urls and answered.issuperset(urls[part.name])):
            return released
        return part

    return PartsPlan(tuple(map(chosen, parts)), cache, "official releases out of reach" if probed - answered else "")


def _size(parts: Sequence[Part]) -> str:
    return f"{sum(part.megabytes for part in parts):,} MB"


def _estimate(parts: Sequence[Part]) -> str:
    """Return an estimate of the time: compilations share the processors, downloads run in parallel."""
    if not parts:
        return "nothing to make"
    processors = os.cpu_count() or 1
    compiling = sum(part.minutes for part in parts) * _PROCESSORS / processors
    downloading = sum(part.megabytes for part in parts) / _MEGABYTES_PER_SECOND / 60
    minutes = max(compiling, downloading)
    took = f"about {round(minutes)} min" if minutes >= 1 else "less than a minute"
    return f"{took} at {_MEGABYTES_PER_SECOND} MB/s on {processors} processors, once for this machine"

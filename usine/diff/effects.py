"""Finds tenants for which a change has the same effect, apart from the names that are their own.

A change of the program or of the settings concerns every tenant. A reader wants to see how many different effects it
has, and one example of each, not a thousand times the same objects.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from typing import Final

from model.tenant import Tenant
from usine.report.model import Entry

#: Fewer tenants with the same effect are shown one by one.
LEAST: Final = 3


def same_effects(entries: Iterable[Entry], *sides: Mapping[str, Tenant]) -> tuple[tuple[str, ...], ...]:
    """Return the tenants with the same effect, at least `LEAST` in a group, sorted; the largest group comes first.

    `sides` have the tenants before and after the change, with the names that are replaced before the comparison: slug,
    name, contact and people, and repositories where the slug is in the same text.
    """
    by_tenant: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.tenant is not None:
            by_tenant[entry.tenant].append(entry)
    groups: dict[tuple[Hashable, ...], list[str]] = defaultdict(list)
    for slug in sorted(by_tenant):
        own = _Names(slug, [side[slug] for side in sides if slug in side])
        groups[tuple(sorted(map(own.effect, by_tenant[slug])))].append(slug)
    found = (tuple(slugs) for slugs in groups.values() if len(slugs) >= LEAST)
    return tuple(sorted(found, key=lambda slugs: (-len(slugs), slugs)))


class _Names:
    """The names of one tenant."""

    def __init__(self, slug: str, sides: Iterable[Tenant]) -> None:
        self._own: dict[str, str] = {}
        repositories: dict[str, str] = {}
        for tenant in sides:
            self._own |= dict.fromkeys(tenant.people, "<person>")
            self._own |= {tenant.name: "<name>", tenant.contact: "<contact>"}
            repositories |= dict.fromkeys((repository.name for repository in tenant.repositories), "<repository>")
        self._own[slug] = "<slug>"
        self._repositories = repositories
        self._words = _words(self._own)
        self._paths = _words(repositories)

    def effect(self, entry: Entry) -> str:
        """Return what happens to an object, without the tenant's own names."""
        changes = [(self._text(change.path), repr(change.before), repr(change.after)) for change in entry.properties]
        parts = (
            *(entry.action.value, entry.system, entry.type, self._text(entry.name)),
            *(str(entry.holds_data), self._text(entry.note), entry.severity.value),
            *(self._text(text) for change in sorted(changes) for text in change),
        )
        return repr(parts)

    def _text(self, text: str) -> str:
        replaced = self._words.sub(lambda match: self._own[match[0]], text)
        if "<slug>" not in replaced or not self._repositories:
            return replaced
        return self._paths.sub(lambda match: self._repositories[match[0]], replaced)


def _words(names: Mapping[str, str]) -> re.Pattern[str]:
    """Return an expression for whole names, the longest first."""
    longest = sorted(filter(None, names), key=len, reverse=True)
    return re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(map(re.escape, longest))})(?![A-Za-z0-9])")

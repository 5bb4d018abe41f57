"""What the rules look at, and what a rule says."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from model.problems import START, KeyPath, Position
from model.reading.waivers import Waiver
from model.settings import ChangeSettings, Settings
from model.tenant import Tenant
from usine.report.model import Entry, Severity

_SUFFIX = ".yaml"


@dataclass(frozen=True, slots=True)
class Change:
    """A change from one revision to another, as plain values.

    `settings` are the head's. `base` and `head` hold every tenant by slug. `base` is None when the base's files cannot
    be read by this program: then the rules that compare say nothing. `files` are the paths that differ, from the
    repository's root. `entries` is the semantic difference, `existing` how many objects of each type token the base has
    over the whole fleet (empty: unknown). `author` is the GitLab user name of who asks for it, None where nobody says.
    `today` is a date in UTC.

    `base_settings` are those of the base; None when they cannot be read, then the head's stand in for them. `projects`
    is the folder of tenant files, from the repository's root. `texts` are the bytes of the head's tenant files that
    differ, by path: notices then point to the line. `base_waivers` is what the target branch (else the base) waives,
    `head_waivers` what the head does, `used_waivers` those that waived something, known once the rules on the change
    itself have spoken. `trusted_settings` are those of the target branch as it is now; None where there is no such
    branch, then the base's stand in for them.
    """

    settings: Settings
    base: Mapping[str, Tenant] | None
    head: Mapping[str, Tenant]
    files: frozenset[str]
    entries: tuple[Entry, ...]
    existing: Mapping[str, int]
    author: str | None
    today: datetime.date
    base_settings: Settings | None = None
    projects: str = "projects.d"
    texts: Mapping[str, bytes] = field(default_factory=dict)
    base_waivers: tuple[Waiver, ...] = ()
    head_waivers: tuple[Waiver, ...] = ()
    used_waivers: frozenset[Waiver] = frozenset()
    trusted_settings: Settings | None = None

    @classmethod
    def of_fleet(
        cls, settings: Settings, tenants: Iterable[Tenant], today: datetime.date, waivers: tuple[Waiver, ...] = ()
    ) -> Change:
        """Return what stands for no change at all: of it, rules say only what holds of the tenants as they are."""
        head = {tenant.slug: tenant for tenant in tenants}
        return cls(
            settings,
            None,
            head,
            frozenset(),
            (),
            {},
            None,
            today,
            settings,
            str(settings.projects),
            base_waivers=waivers,
            head_waivers=waivers,
        )

    @property
    def standing(self) -> bool:
        """Say whether this is the fleet as it is, not a change."""
        return self.base is None and not self.files

    @property
    def trusted(self) -> ChangeSettings:
        """Who may change what, as the target branch says: no change makes its author one of the platform's team."""
        return (self.trusted_settings or self.base_settings or self.settings).changes

    @property
    def by_platform(self) -> bool | None:
        """Say whether the platform's team asks for the change; None where nobody says who asks, or who is the team."""
        if not self.author or not self.trusted.platform_team:
            return None
        return self.author.casefold() in self.trusted.platform_team

    def tenant_of(self, path: str) -> str | None:
        """Return the slug of a tenant's file; None for any other path."""
        pure = PurePosixPath(path)
        if str(pure.parent) != str(PurePosixPath(self.projects)) or pure.suffix != _SUFFIX:
            return None
        return pure.stem

    def path_of(self, slug: str) -> str:
        """Return the path of a tenant's file."""
        return str(PurePosixPath(self.projects) / f"{slug}{_SUFFIX}")

    @property
    def touched(self) -> tuple[str, ...]:
        """The tenants whose files differ, sorted."""
        return tuple(sorted(slug for path in self.files if (slug := self.tenant_of(path)) is not None))

    @property
    def edited(self) -> tuple[tuple[Tenant, Tenant], ...]:
        """Base and head of every tenant whose file differs and that is on both sides, by slug."""
        base = self.base or {}
        return tuple((base[slug], self.head[slug]) for slug in self.touched if slug in base and slug in self.head)

    @property
    def written(self) -> tuple[tuple[Tenant | None, Tenant], ...]:
        """Base (None: a new tenant) and head of every tenant whose file differs and that the head has, by slug.

        Nothing when the base cannot be read: then nobody knows what is new.
        """
        base = self.base
        if base is None:
            return ()
        return tuple((base.get(slug), self.head[slug]) for slug in self.touched if slug in self.head)

    @property
    def removed(self) -> tuple[Tenant, ...]:
        """The base's tenants that the head lacks, by slug."""
        return tuple(tenant for slug, tenant in sorted((self.base or {}).items()) if slug not in self.head)


@dataclass(frozen=True, slots=True)
class Flag:
    """What a rule says of one thing.

    `tenant` and `path` (a key path of its file, as in `model.problems`) say where; `file` and `place` do for any
    other file, and for one that is gone. `object` is what a waiver may name: a field, a resource, a kind. `amount` is
    how many objects it is about, where the rule counts. `severity` and `mend` take the place of the rule's own.
    """

    text: str
    tenant: str | None = None
    path: KeyPath = ()
    file: str = ""
    place: Position = START
    object: str = ""
    amount: int | None = None
    severity: Severity | None = None
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: a stable `id`, how bad it is to break it, `what` it asks for, how to `mend`, the function that looks.

    `waivable`: a person of the platform's team may waive it.
    """

    id: str
    severity: Severity
    what: str
    mend: str
    check: Callable[[Change], Iterable[Flag]]
    waivable: bool = True

"""The input of the rules, a change, and their output, flags."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from model.problems import START, KeyPath, Position
from model.reading.files import file_of, slug_of
from model.reading.waivers import Waiver
from model.settings import ChangeSettings, Settings
from model.tenant import Tenant
from usine.report.model import Entry, Severity


@dataclass(frozen=True, slots=True)
class Change:
    """A change from one revision to another, as plain values.

    `settings` are the head's. `base` and `head` hold every tenant by slug. `base` is None if this program cannot read
    the base's files; the rules that compare then report nothing. `files` are the paths that differ, from the
    repository's root. `entries` is the semantic difference, `existing` the number of objects of each type token in the
    base's whole fleet (empty: unknown). `author` is the author's GitLab user name, None if unknown. `today` is a date
    in UTC.

    `base_settings` are the base's settings; if None, the head's are used. `projects` is the folder of tenant files,
    from the repository's root. `texts` are the bytes of the head's changed tenant files, by path, so that notices point
    to a line. `base_waivers` are the waivers of the target branch (without one: of the base), `head_waivers` those of
    the head, `used_waivers` those that waived a notice, known after the rules on the change have run.
    `trusted_settings` are the settings of the target branch as it is now; if None, the base's are used.
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
        """Return a change of nothing: on it, rules report only problems of the tenants as they are."""
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
        """Whether this is the fleet as it is, not a change."""
        return self.base is None and not self.files

    @property
    def trusted(self) -> ChangeSettings:
        """Who may change what, by the target branch: no change can add its author to the platform team."""
        return (self.trusted_settings or self.base_settings or self.settings).changes

    @property
    def by_platform(self) -> bool | None:
        """Whether the author is in the platform team; None if the author is unknown or the team is empty."""
        if not self.author or not self.trusted.platform_team:
            return None
        return self.author.casefold() in self.trusted.platform_team

    def tenant_of(self, path: str) -> str | None:
        """Return the slug of a tenant's file; None for any other path."""
        return slug_of(path, PurePosixPath(self.projects))

    def path_of(self, slug: str) -> str:
        """Return the path of a tenant's file."""
        return str(file_of(slug, PurePosixPath(self.projects)))

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

        Empty if the base cannot be read: the new tenants are then unknown.
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
    """One finding of a rule.

    `tenant` and `path` (a key path of its file, as in `model.problems`) are the position in a tenant file; `file` and
    `place` are the position in any other file, or in a removed one. `object` is what a waiver may name: a field, a
    resource, a kind. `amount` is the number of objects, if the rule counts them. `severity` and `remedy` override the
    rule's own.
    """

    text: str
    tenant: str | None = None
    path: KeyPath = ()
    file: str = ""
    place: Position = START
    object: str = ""
    amount: int | None = None
    severity: Severity | None = None
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: a stable `id`, its severity, `what` it requires, the remediation, the function that checks it.

    `waivable`: a person of the platform team may waive it.
    """

    id: str
    severity: Severity
    what: str
    remedy: str
    check: Callable[[Change], Iterable[Flag]]
    waivable: bool = True

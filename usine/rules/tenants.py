"""Rules on tenants as a whole: whose file a change may touch, what a slug and an owner are, when to look again."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from model.tenant import State, Tenant
from model.texts import enumerate_words
from usine.report.model import Severity
from usine.rules.model import Change, Flag

#: Made from the tenant files, so it changes along with them (`usine codeowners`).
CODEOWNERS = "CODEOWNERS"
#: From this share of equal features on, an added file is taken for a removed one under another name.
_ALIKE = 0.5
#: So long after its review date, whoever edits a tenant's file sets a new one.
OVERDUE = datetime.timedelta(days=90)
_MOST_NAMED = 5


def one_tenant(change: Change) -> Iterator[Flag]:
    """Someone who is not of the platform's team changes one tenant's file and nothing else."""
    if change.by_platform:
        return
    severity, who = None, f"{change.author} is not of the platform's team"
    if not change.trusted.platform_team:
        severity, who = Severity.INFO, "usine:changes.platformTeam names nobody"
    elif change.author is None:
        severity, who = Severity.WARNING, "nobody says who asks for this (--author)"
    touched = change.touched
    if len(touched) > 1:
        yield Flag(
            f"{who}, and the change touches {len(touched)} tenants: {enumerate_words(touched, _MOST_NAMED)}",
            file=change.path_of(touched[1]),
            object="tenants",
            severity=severity,
        )
    others = sorted(path for path in change.files if change.tenant_of(path) is None)
    if touched:
        others = [path for path in others if path != CODEOWNERS]
    if others:
        names = enumerate_words(map(_printable, others), _MOST_NAMED)
        yield Flag(
            f"{who}, and the change touches what is no tenant's: {names}",
            file=others[0],
            object="files",
            severity=severity,
        )


def _printable(path: str) -> str:
    return path if path.isprintable() else path.encode("unicode_escape").decode("ascii")


def own_tenant(change: Change) -> Iterator[Flag]:
    """Someone who is not of the platform's team changes a tenant they have a role in."""
    if change.by_platform is not False or change.author is None:
        return
    base = change.base or {}
    for slug in change.touched:
        if slug in base and change.author.casefold() not in base[slug].people:
            yield Flag(f"{change.author} has no role in {slug}", tenant=slug, object=change.author.casefold())


def slug_renamed(change: Change) -> Iterator[Flag]:
    """No removed file comes back under another name."""
    base = change.base or {}
    added = [tenant for slug, tenant in sorted(change.head.items()) if slug not in base]
    for gone in change.removed:
        alike = max(added, key=lambda tenant: _likeness(gone, tenant), default=None)
        if alike is not None and _likeness(gone, alike) >= _ALIKE:
            yield Flag(
                f"{gone.slug} becomes {alike.slug}: every tool would get a new, empty tenant and lose the old one",
                tenant=alike.slug,
                path=("slug",),
                object=gone.slug,
            )


def _likeness(one: Tenant, other: Tenant) -> float:
    """Return the share of equal features of two projects, 0 to 1."""
    ours, theirs = _features(one), _features(other)
    return len(ours & theirs) / len(ours | theirs)


def _features(tenant: Tenant) -> frozenset[tuple[str, object]]:
    return frozenset(
        {
            ("name", tenant.name),
            ("owner", tenant.owner),
            ("contact", tenant.contact),
            *(("member", (role, person)) for role, people in tenant.members.items() for person in people),
            *(("environment", (environment.name, environment.cluster)) for environment in tenant.environments),
            *(("repository", (repository.name, repository.kind)) for repository in tenant.repositories),
            *(("label", label) for label in tenant.labels.items()),
        }
    )


def owner_stays(change: Change) -> Iterator[Flag]:
    """A tenant passes from hand to hand: the new owner was in it, or the former one stays in it."""
    for base, head in change.edited:
        if base.owner == head.owner:
            continue
        joined, left = head.owner not in base.people, base.owner not in head.people
        text = f"{head.slug} passes from {base.owner} to {head.owner}"
        severity = Severity.WARNING if joined or left else Severity.INFO
        if joined and left:
            text += ", who had no role in it, and the former owner keeps none"
            severity = Severity.WARNING if change.by_platform else Severity.ERROR
        elif joined:
            text += ", who had no role in it"
        elif left:
            text += "; the former owner keeps no role"
        yield Flag(text, tenant=head.slug, path=("owner",), object="owner", severity=severity)


def review_date(change: Change) -> Iterator[Flag]:
    """Somebody looks at a tenant again when its review date is there: whoever edits it, at the latest."""
    for slug in sorted(change.head) if change.standing else change.touched:
        tenant = change.head.get(slug)
        if tenant is None or tenant.review_after is None or tenant.state is State.ARCHIVED:
            continue
        late = change.today - tenant.review_after
        if late > datetime.timedelta():
            yield Flag(
                f"{slug} was to be looked at again by {tenant.review_after}, {late.days} days ago",
                tenant=slug,
                path=("reviewAfter",),
                object="reviewAfter",
                severity=Severity.ERROR if late > OVERDUE and not change.standing else Severity.WARNING,
            )

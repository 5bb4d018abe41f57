"""Rules on whole tenants: who may change a file, slug and owner, the review date."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from model.tenant import State, Tenant
from model.texts import enumerate_words
from usine.report.model import Severity
from usine.rules.model import Change, Flag

#: Generated from the tenant files by `usine codeowners`, so it changes with them.
CODEOWNERS = "CODEOWNERS"
#: An added file with at least this share of equal features counts as a removed file under another name.
_ALIKE = 0.5
#: This long after the review date, an edit of the tenant file must set a new date.
OVERDUE = datetime.timedelta(days=90)
_MOST_NAMED = 5


def one_tenant(change: Change) -> Iterator[Flag]:
    """Report a change by a person outside the platform team that touches more than one tenant file."""
    if change.by_platform:
        return
    severity, who = None, f"{change.author} is not in the platform team"
    if not change.trusted.platform_team:
        severity, who = Severity.INFO, "usine:changes.platformTeam is empty"
    elif change.author is None:
        severity, who = Severity.WARNING, "the author is unknown (--author)"
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
            f"{who}, and the change touches files that are no tenant files: {names}",
            file=others[0],
            object="files",
            severity=severity,
        )


def _printable(path: str) -> str:
    return path if path.isprintable() else path.encode("unicode_escape").decode("ascii")


def own_tenant(change: Change) -> Iterator[Flag]:
    """Report each changed tenant in which an author outside the platform team has no role."""
    if change.by_platform is not False or change.author is None:
        return
    base = change.base or {}
    for slug in change.touched:
        if slug in base and change.author.casefold() not in base[slug].people:
            yield Flag(f"{change.author} has no role in {slug}", tenant=slug, object=change.author.casefold())


def slug_renamed(change: Change) -> Iterator[Flag]:
    """Report each removed file that comes back under another name."""
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
    """Return the share of equal features of two tenants, 0 to 1."""
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
    """Report each new owner. It is an error if the new owner had no role and the former owner keeps none."""
    for base, head in change.edited:
        if base.owner == head.owner:
            continue
        joined, left = head.owner not in base.people, base.owner not in head.people
        text = f"the owner of {head.slug} changes from {base.owner} to {head.owner}"
        severity = Severity.WARNING if joined or left else Severity.INFO
        if joined and left:
            text += ", who had no role in it, and the former owner keeps none"
            severity = Severity.WARNING if change.by_platform else Severity.ERROR
        elif joined:
            text += ", who had no role in it"
        elif left:
            text += "; the former owner keeps no role"
        yield Flag(text, tenant=head.slug, path=("owner",), object="owner", severity=severity)


def hold_length(change: Change) -> Iterator[Flag]:
    """Report each hold and pin that is longer than `usine:fleet` allows, and each that has ended."""
    settings = change.trusted_settings or change.base_settings or change.settings
    for slug in sorted(change.head) if change.standing else change.touched:
        if (tenant := change.head.get(slug)) is not None:
            if tenant.hold is not None:
                yield from _length(change, slug, "hold", "held", tenant.hold.until, settings.fleet.longest_hold)
            if tenant.pin is not None:
                yield from _length(change, slug, "pin", "pinned", tenant.pin.until, settings.fleet.longest_pin)


def _length(
    change: Change, slug: str, key: str, word: str, until: datetime.date, longest: int | None
) -> Iterator[Flag]:
    if longest is None:
        return
    last = change.today + datetime.timedelta(days=longest)
    if until > last:
        text = f"{slug} is {word} for more than {longest} days: until {last} at most"
        yield Flag(text, tenant=slug, path=(key, "until"), object=key)
    elif until < change.today:
        text, severity = f"the {key} of {slug} ended on {until}", Severity.INFO
        yield Flag(text, tenant=slug, path=(key,), object=key, severity=severity, remedy="remove it")


def review_date(change: Change) -> Iterator[Flag]:
    """Report each tenant whose review date is past: all tenants of a fleet, the edited ones of a change."""
    for slug in sorted(change.head) if change.standing else change.touched:
        tenant = change.head.get(slug)
        if tenant is None or tenant.review_after is None or tenant.state is State.ARCHIVED:
            continue
        late = change.today - tenant.review_after
        if late > datetime.timedelta():
            yield Flag(
                f"the review of {slug} was due on {tenant.review_after}, {late.days} days ago",
                tenant=slug,
                path=("reviewAfter",),
                object="reviewAfter",
                severity=Severity.ERROR if late > OVERDUE and not change.standing else Severity.WARNING,
            )

"""Rules on access: every right or opening that a change adds is reported for review."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from model.problems import KeyPath
from model.rights import CHANGES_PRODUCTION, RIGHTS, with_included
from model.tenant import ImageSeverity, Right, Role, State, Tenant
from model.texts import enumerate_words
from usine.report.model import Severity
from usine.rules.model import Change, Flag

#: From the gate that blocks nothing to the one that blocks most.
_STRICTER = (
    ImageSeverity.NONE,
    ImageSeverity.CRITICAL,
    ImageSeverity.HIGH,
    ImageSeverity.MEDIUM,
    ImageSeverity.LOW,
)
_OPENNESS = (State.ARCHIVED, State.SUSPENDED, State.ACTIVE)
#: Roles that change the tenant. People in any other role only read, so people of other tenants there are guests.
_NOT_GUESTS = frozenset({Role.OWNER, Role.ADMIN, Role.DEVOPS, Role.DEVELOPER})


def access_widened(change: Change) -> Iterator[Flag]:
    """Report each added person, right or opening and each removed protection. Rights in production are warnings."""
    for base, head in change.edited:
        for rule in (_people, _roles, _environments, _branches, _registry, _findings):
            yield from rule(base, head)
        if _OPENNESS.index(head.state) > _OPENNESS.index(base.state):
            yield _restored(change, base, head)


def _restored(change: Change, base: Tenant, head: Tenant) -> Flag:
    """Return the flag for access that comes back: only the platform team restores what it took away (issue 11.A9)."""
    text = f"{head.slug} goes from {base.state} to {head.state}: access returns"
    if change.by_platform:
        return _flag(head, ("state",), text, Severity.WARNING if base.state is State.ARCHIVED else Severity.INFO)
    severity = Severity.WARNING if change.by_platform is None else Severity.ERROR
    return replace(_flag(head, ("state",), text, severity), remedy="ask the platform team to make this change")


def _flag(tenant: Tenant, path: KeyPath, text: str, severity: Severity, name: str = "") -> Flag:
    shown = name or ".".join(part for part in path if isinstance(part, str))
    return Flag(text, tenant=tenant.slug, path=path, object=shown, severity=severity)


@dataclass(frozen=True, slots=True)
class _Listed:
    """A role of a tenant file: the key path of its members, its rights, its people."""

    name: str
    path: KeyPath
    rights: frozenset[Right]
    people: tuple[str, ...]


def _listed(tenant: Tenant) -> Iterator[_Listed]:
    for role, people in tenant.members.items():
        yield _Listed(role.value, ("members", role.value), RIGHTS[role], people)
    for own in tenant.roles:
        yield _Listed(own.name, ("roles", own.name, "members"), with_included(own.rights), own.members)


def _people(base: Tenant, head: Tenant) -> Iterator[Flag]:
    before = {listed.name: listed for listed in _listed(base)}
    production = any(environment.production for environment in head.environments)
    for listed in _listed(head):
        known = before[listed.name].people if listed.name in before else ()
        powerful = not CHANGES_PRODUCTION.isdisjoint(listed.rights)
        severity = Severity.WARNING if powerful else Severity.INFO
        for index, person in enumerate(listed.people):
            if person in known:
                continue
            had = [other.name for other in before.values() if person in other.people]
            had = ["owner", *had] if person == base.owner else had
            text = f"{person} becomes {listed.name}" + (f" beside {enumerate_words(had)}" if had else "")
            if powerful and production:
                text += ", and may change production"
            path = (*listed.path, index)
            yield _flag(head, path, text, severity, ".".join((*map(str, listed.path), person)))


def _roles(base: Tenant, head: Tenant) -> Iterator[Flag]:
    """Report each custom role that gains rights. Its people are reported by `_people`."""
    before = {own.name: with_included(own.rights) for own in base.roles}
    for own in head.roles:
        more = with_included(own.rights) - before.get(own.name, frozenset())
        if more:
            severity = Severity.INFO if CHANGES_PRODUCTION.isdisjoint(more) else Severity.WARNING
            text = f"the role {own.name} may: {enumerate_words(sorted(more))}"
            yield _flag(head, ("roles", own.name, "rights"), text, severity)


def _environments(base: Tenant, head: Tenant) -> Iterator[Flag]:
    before = {environment.name: environment for environment in base.environments}
    for environment in head.environments:
        path: KeyPath = ("environments", environment.name)
        old = before.get(environment.name)
        known = old.egress if old is not None else ()
        for index, opening in enumerate(environment.egress):
            if opening not in known:
                text = f"{environment.name} may reach {opening.host}:{opening.port}"
                yield _flag(head, (*path, "egress", index), text, Severity.WARNING)
        if environment.production and environment.autosync and not (old is not None and old.autosync):
            text = f"{environment.name} is production and deploys every merge automatically"
            yield _flag(head, (*path, "autosync"), text, Severity.WARNING)


def _branches(base: Tenant, head: Tenant) -> Iterator[Flag]:
    before = {repository.name: repository for repository in base.repositories}
    for repository in head.repositories:
        old = before.get(repository.name)
        if old is None:
            continue
        dropped = [branch for branch in old.protected_branches if branch not in repository.protected_branches]
        if dropped:
            path: KeyPath = ("repositories", repository.name, "protectedBranches")
            text = f"{repository.name}: no longer protected: {enumerate_words(dropped)}"
            yield _flag(head, path, text, Severity.WARNING)


def _registry(base: Tenant, head: Tenant) -> Iterator[Flag]:
    old, new = base.registry, head.registry
    if _STRICTER.index(new.block_severity) < _STRICTER.index(old.block_severity):
        text = f"vulnerable images are blocked from severity {new.block_severity}, before: {old.block_severity}"
        if new.block_severity is ImageSeverity.NONE:
            text = f"vulnerable images are no longer blocked (before: from severity {old.block_severity})"
        yield _flag(head, ("registry", "blockSeverity"), text, Severity.WARNING)
    dropped = [pattern for pattern in old.immutable if pattern not in new.immutable]
    if dropped:
        text = f"tags that can now be overwritten: {enumerate_words(dropped)}"
        yield _flag(head, ("registry", "immutable"), text, Severity.WARNING)


def _findings(base: Tenant, head: Tenant) -> Iterator[Flag]:
    old, new = base.quality.findings, head.quality.findings
    if _STRICTER.index(new) < _STRICTER.index(old):
        text = f"findings make a job red from severity {new}, before: {old}"
        if new is ImageSeverity.NONE:
            text = f"findings no longer make a job red (before: from severity {old})"
        yield _flag(head, ("quality", "findings"), text, Severity.WARNING)


def guest_role(change: Change) -> Iterator[Flag]:
    """Report each new guest: a person of another tenant who gets a read-only role in this one."""
    for base, head in change.written:
        insiders = base.people if base is not None else frozenset()
        for listed in _listed(head):
            if listed.name in _NOT_GUESTS:
                continue
            for index, person in enumerate(listed.people):
                if person in insiders:
                    continue
                homes = [
                    slug for slug, other in sorted(change.head.items()) if slug != head.slug and person in other.people
                ]
                if homes:
                    yield Flag(
                        f"{person} of {enumerate_words(homes, 3)} gets the role {listed.name} in {head.slug}",
                        tenant=head.slug,
                        path=(*listed.path, index),
                        object=".".join((*map(str, listed.path), person)),
                    )

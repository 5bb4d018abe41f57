"""Rules on access: whatever a change opens is said, so that somebody looks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from usine.naming import READ_WRITE_PROD
from usine.report.model import Severity
from usine.rules.model import Change, Flag
from usine.spec import model as spec
from usine.spec.model import Project, Role, State
from usine.spec.problems import KeyPath
from usine.spec.texts import enumerate_words

#: From the gate that lets everything through to the one that stops most.
_STRICTER = (
    spec.Severity.NONE,
    spec.Severity.CRITICAL,
    spec.Severity.HIGH,
    spec.Severity.MEDIUM,
    spec.Severity.LOW,
)
_OPENNESS = (State.ARCHIVED, State.SUSPENDED, State.ACTIVE)
#: Roles that may look and not touch: what a guest gets.
_GUEST_ROLES = (Role.SECURITY, Role.READONLY)


def access_widened(change: Change) -> Iterator[Flag]:
    """More people, more rights, more openings, less protection: each is said, a right in production as a warning."""
    for base, head in change.edited:
        for found in (_people(base, head), _environments(base, head), _branches(base, head), _registry(base, head)):
            yield from found
        if _OPENNESS.index(head.state) > _OPENNESS.index(base.state):
            yield _restored(change, base, head)


def _restored(change: Change, base: Project, head: Project) -> Flag:
    """The platform's team took the access away, so it gives it back (issue 11.A9)."""
    text = f"{head.slug} goes from {base.state} to {head.state}: access returns"
    if change.by_platform:
        return _flag(head, ("state",), text, Severity.WARNING if base.state is State.ARCHIVED else Severity.INFO)
    severity = Severity.WARNING if change.by_platform is None else Severity.ERROR
    return replace(_flag(head, ("state",), text, severity), mend="let the platform's team make this change")


def _flag(project: Project, path: KeyPath, text: str, severity: Severity, name: str = "") -> Flag:
    shown = name or ".".join(part for part in path if isinstance(part, str))
    return Flag(text, tenant=project.slug, path=path, object=shown, severity=severity)


def _people(base: Project, head: Project) -> Iterator[Flag]:
    production = any(environment.production for environment in head.environments)
    for role, people in head.members.items():
        for index, person in enumerate(people):
            if person in base.people_of(role):
                continue
            had = [other.value for other in Role if person in base.people_of(other)]
            text = f"{person} becomes {role}" + (f" beside {enumerate_words(had)}" if had else "")
            powerful = role in READ_WRITE_PROD
            if powerful and production:
                text += ", and may change production"
            severity = Severity.WARNING if powerful else Severity.INFO
            yield _flag(head, ("members", role.value, index), text, severity, f"members.{role}.{person}")


def _environments(base: Project, head: Project) -> Iterator[Flag]:
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
            text = f"{environment.name} is production and deploys by itself whatever is merged"
            yield _flag(head, (*path, "autosync"), text, Severity.WARNING)


def _branches(base: Project, head: Project) -> Iterator[Flag]:
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


def _registry(base: Project, head: Project) -> Iterator[Flag]:
    old, new = base.registry, head.registry
    if _STRICTER.index(new.block_severity) < _STRICTER.index(old.block_severity):
        text = f"vulnerable images are stopped from {new.block_severity} on, not from {old.block_severity}"
        if new.block_severity is spec.Severity.NONE:
            text = f"vulnerable images are no longer stopped (before: from {old.block_severity} on)"
        yield _flag(head, ("registry", "blockSeverity"), text, Severity.WARNING)
    dropped = [pattern for pattern in old.immutable if pattern not in new.immutable]
    if dropped:
        text = f"tags that can be overwritten now: {enumerate_words(dropped)}"
        yield _flag(head, ("registry", "immutable"), text, Severity.WARNING)


def guest_role(change: Change) -> Iterator[Flag]:
    """A guest is someone who belongs to another tenant and is let look into this one; each new one is flagged."""
    for base, head in change.written:
        insiders = base.people if base is not None else frozenset()
        for role in _GUEST_ROLES:
            for index, person in enumerate(head.members.get(role, ())):
                if person in insiders:
                    continue
                homes = [
                    slug for slug, other in sorted(change.head.items()) if slug != head.slug and person in other.people
                ]
                if homes:
                    yield Flag(
                        f"{person} of {enumerate_words(homes, 3)} is let into {head.slug} as {role}",
                        tenant=head.slug,
                        path=("members", role.value, index),
                        object=f"members.{role}.{person}",
                    )

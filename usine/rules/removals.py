"""Rules on removal: data only after its tenant is archived, and never many objects at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from model.tenant import State
from model.texts import enumerate_words
from pulumi_facts.generations import generation_of
from usine.report.model import Action, Entry, Severity
from usine.rules.mass_removal import TENANT, mass_removals
from usine.rules.model import Change, Flag

_GOES = frozenset({Action.DESTROYED, Action.REPLACED})
_MOST_NAMED = 3
_KEEP = (
    "keep it; or save its data, ask the platform team to waive this rule for it, and destroy that one object "
    "with pulumi itself: `usine up` does not"
)


def data_destruction(change: Change) -> Iterator[Flag]:
    """Report each loss of data outside the two steps: merge `state: archived`, then remove the file."""
    losses = [entry for entry in change.entries if entry.loses_data and entry.action in _GOES]
    removed = {tenant.slug: tenant for tenant in change.removed}
    for slug, tenant in removed.items():
        lost = [entry for entry in losses if entry.tenant == slug]
        what = f"{len(lost)} objects that hold data ({_named(lost)})" if lost else "its data"
        if tenant.state is not State.ARCHIVED:
            yield Flag(
                f"the file of {slug} is removed while it is {tenant.state}: {what} would be destroyed",
                file=change.path_of(slug),
                tenant=slug,
                object=slug,
            )
        elif lost:
            yield Flag(
                f"{slug} was archived and is now deleted permanently, with {what}",
                file=change.path_of(slug),
                tenant=slug,
                object=slug,
                severity=Severity.INFO,
                remedy="no action is required: check that nobody needs the data any more",
            )
    for entry in losses:
        if entry.tenant not in removed:
            yield _loss(change, entry)


def _loss(change: Change, entry: Entry) -> Flag:
    """Return the flag for one lost object of the foundation, or of a tenant that is not removed."""
    slug = entry.tenant
    sides = [None if slug is None or side is None else side.get(slug) for side in (change.base, change.head)]
    archived = all(tenant is not None and tenant.state is State.ARCHIVED for tenant in sides)
    whose = "the foundation" if slug is None else slug
    why = f" ({entry.note})" if entry.note else ""
    return Flag(
        f"{entry.name} ({entry.type}) of {whose} holds data and would be {entry.action}{why}",
        tenant=slug,
        file="" if slug is None else change.path_of(slug),
        object=entry.name,
        severity=Severity.INFO if archived else None,
        remedy=_KEEP,
    )


def _named(entries: list[Entry]) -> str:
    return enumerate_words(sorted(entry.name for entry in entries), _MOST_NAMED)


def mass_removal(change: Change) -> Iterator[Flag]:
    """Report each kind with more removed objects than `usine:changes.massRemoval` of the base allows.

    The objects of an archived or removed tenant are not counted by kind: that tenant counts once, as a tenant. The
    credentials of a generation that the platform team takes out of the settings are not counted.
    """
    asked = {slug for slug, tenant in change.head.items() if tenant.state is State.ARCHIVED}
    asked |= {tenant.slug for tenant in change.removed}
    going = [entry for entry in change.entries if entry.action in _GOES and entry.tenant not in asked]
    withdrawn = Counter(entry.type for entry in going if _withdrawn(change, entry))
    removed = Counter(entry.type for entry in going) - withdrawn
    existing = dict(Counter(change.existing) - withdrawn)
    if change.base is not None:
        archived = [head for base, head in change.edited if head.state is State.ARCHIVED is not base.state]
        removed[TENANT], existing[TENANT] = len(change.removed) + len(archived), len(change.base)
    for removal in mass_removals(removed, existing, change.trusted.mass_removal):
        yield Flag(removal.text, object=removal.kind, amount=removal.removed)


def _withdrawn(change: Change, entry: Entry) -> bool:
    """Return whether a credential is deleted because its generation is no longer listed."""
    if entry.action is not Action.DESTROYED or change.base_settings is None or change.by_platform is False:
        return False
    sides = (change.base_settings, change.settings)
    listed = [{one.name for one in side.generations_of(entry.tenant)} for side in sides]
    return generation_of(entry.type, entry.name) in listed[0] - listed[1]

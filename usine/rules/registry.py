"""Every rule by its id, and the one function that asks them all. A test holds docs/rules.md to this list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from model.problems import Finding, KeyPath, Place, Position, locate
from model.reading.waivers import Waiver
from model.reading.yaml_reader import examine
from usine.report.model import Notice, Severity
from usine.rules import access, limits, references, removals, tenants, waiving
from usine.rules.model import Change, Flag, Rule

_ON_THE_CHANGE: Final[tuple[Rule, ...]] = (
    Rule(
        "one-tenant",
        Severity.ERROR,
        "A merge request of someone outside the platform's team changes one tenant's file and nothing else.",
        "make one merge request per tenant; leave what is no tenant's to the platform's team",
        tenants.one_tenant,
    ),
    Rule(
        "own-tenant",
        Severity.ERROR,
        "Someone outside the platform's team changes a tenant they have a role in; a new one is anybody's to ask for.",
        "let a member of the tenant make the merge request",
        tenants.own_tenant,
    ),
    Rule(
        "slug-renamed",
        Severity.ERROR,
        "A slug never changes: it is the tenant's name in every tool.",
        "keep the file and its slug: `name` is what people read; to move for good, add the new tenant, move what it "
        "holds, then archive the old one",
        tenants.slug_renamed,
    ),
    Rule(
        "owner-stays",
        Severity.ERROR,
        "A tenant passes from hand to hand: refused if the new owner had no role and the former one keeps none; "
        "said in any other case.",
        "let the new owner join first, or the former one stay as admin, and hand over in a second merge request",
        tenants.owner_stays,
    ),
    Rule(
        "quota-envelope",
        Severity.ERROR,
        "What goes beyond the archetype (envelope, registry), and a larger archetype, are given by the platform's "
        "team; an amount that doubles is flagged.",
        "ask for less, or let the platform's team make the change or waive this",
        limits.quota_envelope,
    ),
    Rule(
        "cross-tenant",
        Severity.ERROR,
        "Nothing in a tenant's file names what is another tenant's: a mirror of its repositories, its namespaces, its "
        "addresses, its secrets.",
        "take the reference out; tenants reach each other by public addresses their owners agree on",
        references.cross_tenant,
    ),
    Rule(
        "access-widened",
        Severity.WARNING,
        "More rights for a person, an opening to the outside, less protection of branches, tags or images, "
        "deployment to production by itself: somebody looks.",
        "if it is meant, a reviewer says so by approving; otherwise take it out",
        access.access_widened,
    ),
    Rule(
        "guest-role",
        Severity.WARNING,
        "A guest (a member of another tenant who gets security or readonly) is let in: somebody looks.",
        "if it is meant, a reviewer says so by approving; otherwise take the person out",
        access.guest_role,
    ),
    Rule(
        "data-destruction",
        Severity.ERROR,
        "What holds data goes in two steps: `state: archived` merged first, the removal of the file in a later change.",
        "put the file back with `state: archived` and merge that; remove it in a later merge request",
        removals.data_destruction,
    ),
    Rule(
        "mass-removal",
        Severity.ERROR,
        "No more objects of one kind, or tenants, are removed at once than `usine:changes.massRemoval` lets.",
        "remove them in several changes, or let the platform's team waive this by kind and number",
        removals.mass_removal,
    ),
    Rule(
        "review-date",
        Severity.WARNING,
        "Whoever edits a tenant whose review date is past looks at it again: a warning, and refused when it is more "
        f"than {tenants.OVERDUE.days} days past.",
        "look at members, quotas and state, then set `reviewAfter` to the next date",
        tenants.review_date,
    ),
)
_ON_WAIVERS: Final[tuple[Rule, ...]] = (
    Rule(
        "waiver-expired",
        Severity.WARNING,
        "A waiver counts until its last day.",
        "take it out of waivers.yaml, or let the platform's team renew it with a reason of today",
        waiving.waiver_expired,
        waivable=False,
    ),
    Rule(
        "waiver-refused",
        Severity.WARNING,
        "A change cannot waive itself: a waiver it brings counts only if the person the waiver names brings it.",
        "merge the waiver first, in a change of its own by the platform's team, then rebase this one",
        waiving.waiver_refused,
        waivable=False,
    ),
    Rule(
        "waiver-unused",
        Severity.INFO,
        "A waiver that waives nothing of the change it is for can go.",
        "take it out of waivers.yaml, or correct its rule, tenant or object",
        waiving.waiver_unused,
        waivable=False,
    ),
)

#: Every rule, in the order of docs/rules.md.
RULES: Final = _ON_THE_CHANGE + _ON_WAIVERS
_ORDER = {severity: position for position, severity in enumerate(Severity)}


def check(change: Change) -> tuple[Notice, ...]:
    """Return what every rule says of a change: what refuses it first, then by severity, place and rule."""
    places = _Places(change)
    waivers = waiving.counting(change)
    notices = []
    used = set()
    for rule in _ON_THE_CHANGE:
        for flag in rule.check(change):
            waiver = waiving.matching(waivers, rule, flag)
            if waiver is not None:
                used.add(waiver)
            notices.append(_notice(rule, flag, waiver, places))
    spoken = replace(change, used_waivers=frozenset(used))
    for rule in _ON_WAIVERS:
        notices += [_notice(rule, flag, None, places) for flag in rule.check(spoken)]
    return tuple(sorted(notices, key=_reading_order))


def _reading_order(notice: Notice) -> tuple[bool, int, str, int, int, str, str]:
    return (
        not notice.refuses,
        _ORDER[notice.severity],
        notice.path,
        notice.line,
        notice.column,
        notice.rule,
        notice.text,
    )


def _notice(rule: Rule, flag: Flag, waiver: Waiver | None, places: _Places) -> Notice:
    path, (line, column) = places.of(flag)
    return Notice(
        rule=rule.id,
        severity=flag.severity or rule.severity,
        text=flag.text,
        mend=flag.mend or rule.mend,
        path=path,
        line=line,
        column=column,
        tenant=flag.tenant,
        waived_by="" if waiver is None else waiving.said(waiver),
    )


class _Places:
    """Where in the head's tenant files things stand; each file is examined once, when something is said of it."""

    def __init__(self, change: Change) -> None:
        self._change = change
        self._places: dict[str, Mapping[KeyPath, Place]] = {}

    def of(self, flag: Flag) -> tuple[str, Position]:
        """Return path, line and column of what a rule says."""
        if flag.file or flag.tenant is None:
            return flag.file, flag.place
        path = self._change.path_of(flag.tenant)
        if path not in self._places:
            data = self._change.texts.get(path)
            self._places[path] = {} if data is None else examine(data, path).places
        problem = locate(Finding(path, flag.path, ""), self._places[path])
        return path, (problem.line, problem.column)

"""Every rule with its id, and `check`, which runs them all. A test compares docs/rules.md with this list."""

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
        "A merge request by a person outside the platform team changes one tenant file and nothing else.",
        "make one merge request per tenant; leave all other files to the platform team",
        tenants.one_tenant,
    ),
    Rule(
        "own-tenant",
        Severity.ERROR,
        "A person outside the platform team changes only tenants in which they have a role; anyone may ask "
        "for a new tenant.",
        "ask a member of the tenant to make the merge request",
        tenants.own_tenant,
    ),
    Rule(
        "slug-renamed",
        Severity.ERROR,
        "A slug never changes: it is the tenant's name in every tool.",
        "keep the file and its slug, and change `name`, which people read; to move permanently, add the new "
        "tenant, move the data, then archive the old one",
        tenants.slug_renamed,
    ),
    Rule(
        "owner-stays",
        Severity.ERROR,
        "A new owner is reported; it is refused if the new owner had no role and the former owner keeps none.",
        "add the new owner as a member first, or keep the former one as admin, and change the owner in a "
        "second merge request",
        tenants.owner_stays,
    ),
    Rule(
        "quota-envelope",
        Severity.ERROR,
        "Only the platform team gives more than the archetype (envelope, registry) or a larger archetype; an "
        "amount that doubles is a warning.",
        "ask for less, or ask the platform team to make the change or to waive the rule",
        limits.quota_envelope,
    ),
    Rule(
        "cross-tenant",
        Severity.ERROR,
        "A tenant file names no object of another tenant: no mirror of its repositories, none of its "
        "namespaces, addresses or secrets.",
        "remove the reference; tenants reach each other by public addresses that their owners agree on",
        references.cross_tenant,
    ),
    Rule(
        "access-widened",
        Severity.WARNING,
        "More rights for a person, a new egress opening, less protection of branches, tags or images, and "
        "automatic deployment to production need a review.",
        "if it is intended, a reviewer approves it; otherwise remove it",
        access.access_widened,
    ),
    Rule(
        "guest-role",
        Severity.WARNING,
        "A new guest (a member of another tenant who gets `security`, `readonly` or a custom role) needs a review.",
        "if it is intended, a reviewer approves it; otherwise remove the person",
        access.guest_role,
    ),
    Rule(
        "data-destruction",
        Severity.ERROR,
        "Data is deleted in two steps: merge `state: archived` first, remove the file in a later change.",
        "put the file back with `state: archived` and merge that; remove it in a later merge request",
        removals.data_destruction,
    ),
    Rule(
        "mass-removal",
        Severity.ERROR,
        "One change removes no more objects of one kind, or tenants, than `usine:changes.massRemoval` allows.",
        "remove them in several changes, or ask the platform team to waive the rule by kind and number",
        removals.mass_removal,
    ),
    Rule(
        "review-date",
        Severity.WARNING,
        "An edit of a tenant whose review date is past also sets the next date: a warning, and refused when "
        f"the date is more than {tenants.OVERDUE.days} days past.",
        "review members, quotas and state, then set `reviewAfter` to the next date",
        tenants.review_date,
    ),
    Rule(
        "hold-length",
        Severity.ERROR,
        "A tenant is held or pinned for no more days than `usine:fleet.longestHold` and `longestPin` allow.",
        "choose an earlier day, or ask the platform team to waive the rule",
        tenants.hold_length,
    ),
)
_ON_WAIVERS: Final[tuple[Rule, ...]] = (
    Rule(
        "waiver-expired",
        Severity.WARNING,
        "A waiver applies until its last day.",
        "remove it from waivers.yaml, or ask the platform team to renew it with a current reason",
        waiving.waiver_expired,
        waivable=False,
    ),
    Rule(
        "waiver-refused",
        Severity.WARNING,
        "A change cannot waive itself: a waiver that it adds applies only if the waiver names its author.",
        "merge the waiver first, in a separate change by the platform team, then rebase this one",
        waiving.waiver_refused,
        waivable=False,
    ),
    Rule(
        "waiver-unused",
        Severity.INFO,
        "A waiver that waives nothing in the change it is about can be removed.",
        "remove it from waivers.yaml, or correct its rule, tenant or object",
        waiving.waiver_unused,
        waivable=False,
    ),
)

#: Every rule, in the order of docs/rules.md.
RULES: Final = _ON_THE_CHANGE + _ON_WAIVERS
_ORDER = {severity: position for position, severity in enumerate(Severity)}


def check(change: Change) -> tuple[Notice, ...]:
    """Return the notices of all rules on a change: refusing ones first, then by severity, place and rule."""
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
        remedy=flag.remedy or rule.remedy,
        path=path,
        line=line,
        column=column,
        tenant=flag.tenant,
        waived_by="" if waiver is None else waiving.describe(waiver),
    )


class _Places:
    """Positions in the head's tenant files. Each file is examined once, when a rule reports something in it."""

    def __init__(self, change: Change) -> None:
        self._change = change
        self._places: dict[str, Mapping[KeyPath, Place]] = {}

    def of(self, flag: Flag) -> tuple[str, Position]:
        """Return path, line and column of a flag."""
        if flag.file or flag.tenant is None:
            return flag.file, flag.place
        path = self._change.path_of(flag.tenant)
        if path not in self._places:
            data = self._change.texts.get(path)
            self._places[path] = {} if data is None else examine(data, path).places
        problem = locate(Finding(path, flag.path, ""), self._places[path])
        return path, (problem.line, problem.column)

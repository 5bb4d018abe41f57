"""Waivers: which ones apply to a change, which notices they waive, and notices about the others.

A change cannot waive itself. A waiver applies if the base has it, unchanged, and the head keeps it. It also applies if
the head adds it, the author is in the platform team of the base, and the waiver names the author.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from model.reading.waivers import WAIVERS_FILE, Waiver
from model.texts import did_you_mean, show
from usine.rules.model import Change, Flag, Rule


def counting(change: Change) -> tuple[Waiver, ...]:
    """Return the waivers that apply, without expired ones."""
    return tuple(w for w in change.head_waivers if not w.expired(change.today) and _granted(change, w))


def _granted(change: Change, waiver: Waiver) -> bool:
    if waiver in change.base_waivers:
        return True
    return bool(change.by_platform) and change.author is not None and waiver.by == change.author.casefold()


def matching(waivers: Sequence[Waiver], rule: Rule, flag: Flag) -> Waiver | None:
    """Return the first waiver that covers a flag of a rule, or None."""
    return next((waiver for waiver in waivers if rule.waivable and _covers(waiver, rule, flag)), None)


def _covers(waiver: Waiver, rule: Rule, flag: Flag) -> bool:
    return (
        waiver.rule == rule.id
        and waiver.tenant == flag.tenant
        and fnmatchcase(flag.object, waiver.object)
        and (flag.amount is None or (waiver.removals is not None and flag.amount <= waiver.removals))
    )


def waiver_expired(change: Change) -> Iterator[Flag]:
    """Report each waiver that is past its last day."""
    for waiver in change.head_waivers:
        if waiver.expired(change.today) and _concerns(change, waiver):
            text = f"the waiver of {waiver.rule}{_for(waiver)} by {waiver.by} expired on {waiver.expires}"
            yield _flag(waiver, text)


def waiver_refused(change: Change) -> Iterator[Flag]:
    """Report each waiver that the change adds and that names another person than the author."""
    team = change.trusted.platform_team
    for waiver in change.head_waivers:
        if waiver.expired(change.today) or _granted(change, waiver):
            continue
        who = f"{change.author} is the author" if change.author is not None else "the author is unknown"
        named = waiver.by if waiver.by in team else f"{waiver.by}, who is not in the platform team yet"
        yield _flag(
            waiver, f"the waiver of {waiver.rule}{_for(waiver)} does not apply yet: it names {named}, and {who}"
        )


def waiver_unused(change: Change) -> Iterator[Flag]:
    """Report each waiver that applies to the change and waives nothing."""
    slugs = {*(change.base or {}), *change.head}
    for waiver in counting(change):
        if waiver in change.used_waivers or change.standing or not _concerns(change, waiver):
            continue
        text = f"the waiver of {waiver.rule}{_for(waiver)} waives nothing here"
        if waiver.tenant is not None and waiver.tenant not in slugs:
            text += f": no such tenant: {show(waiver.tenant)}; {did_you_mean(waiver.tenant, sorted(slugs))}"
        yield _flag(waiver, text)


def _concerns(change: Change, waiver: Waiver) -> bool:
    """Return whether a waiver is about this change: only then is it reported here."""
    return change.standing or WAIVERS_FILE in change.files or waiver.tenant in change.touched


def _for(waiver: Waiver) -> str:
    tenant = f" for {waiver.tenant}" if waiver.tenant is not None else ""
    return tenant + (f" ({show(waiver.object)})" if waiver.object != "*" else "")


def _flag(waiver: Waiver, text: str) -> Flag:
    return Flag(text, tenant=waiver.tenant, file=WAIVERS_FILE, place=(waiver.line, waiver.column), object=waiver.rule)


def describe(waiver: Waiver) -> str:
    """Return who waives, until when and why, in one line."""
    return f"{waiver.by} until {waiver.expires}: {waiver.reason}"

"""The verdict on a change, in one or a few sentences."""

from __future__ import annotations

from usine.report.model import Action, Report

_VERBS = (
    (Action.DESTROYED, "destroyed"),
    (Action.REPLACED, "replaced"),
    (Action.CHANGED, "changed"),
    (Action.CREATED, "created"),
)
_MOST_NAMES = 5
#: The name of the foundation in a verdict.
SHARED = "the foundation"


def verdict(report: Report) -> str:
    """Return the effect of a change: broken rules first, then lost data, then the numbers."""
    return " ".join(filter(None, (_refusal(report), _loss(report), _effect(report))))


def _refusal(report: Report) -> str:
    rules = sorted({notice.rule for notice in report.notices if notice.refuses})
    return f"It breaks {'the rule' if len(rules) == 1 else 'the rules'} {', '.join(rules)}." if rules else ""


def _loss(report: Report) -> str:
    lost = sum(entry.loses_data for entry in report.entries)
    return f"{_count(lost, 'object')} that {'holds' if lost == 1 else 'hold'} data will be destroyed." if lost else ""


def _effect(report: Report) -> str:
    counts = report.counts()
    if not report.entries:
        return "No object changes."
    parts = [(counts[action], word) for action, word in _VERBS if counts[action]]
    slugs = [tenant for tenant in report.tenants if tenant is not None]
    named = f"{len(slugs):,} tenants" if len(slugs) > _MOST_NAMES else ", ".join(slugs)
    where = " and ".join(filter(None, (named, SHARED if None in report.tenants else "")))
    objects = _count(len(report.entries), "object")
    if len(parts) == 1:
        return f"{objects} will be {parts[0][1]} in {where}."
    return f"{objects} will differ in {where}: {', '.join(f'{number:,} {word}' for number, word in parts)}."


def _count(number: int, word: str) -> str:
    return f"{number:,} {word if number == 1 else word + 's'}"

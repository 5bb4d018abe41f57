"""A bound plan: it records the sources it was made from, and is applied only while they are the same."""

from __future__ import annotations

import datetime
import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from model.problems import Problem, SpecError
from pulumi_facts.urns import address_of
from usine.engine.events import Step
from usine.engine.sources import Sources
from usine.report.ids import NoticeId
from usine.report.model import Notice, Severity

_SHOWN_STEPS = 5
#: The fields of `Sources`, and the text when one has changed.
_SOURCES = {
    "commit": "the commit moved",
    "program": "the program's files changed",
    "tenants": "the tenants' files changed",
    "settings": "the settings changed",
    "state": "the state changed: somebody applied a change or edited it",
}


@dataclass(frozen=True, slots=True)
class BoundPlan:
    """What `usine preview --out` writes: the sources, and every step as operation and URN, sorted. It has no values.

    `made` is the time (UTC), `version` is that of the file format.
    """

    stack: str
    made: datetime.datetime
    sources: Sources
    steps: tuple[tuple[str, str], ...]
    version: Literal["usine-plan/1"] = "usine-plan/1"

    def dumps(self) -> str:
        """Return the plan as JSON."""
        return _PLAN.dump_json(self, indent=1).decode() + "\n"


_PLAN = TypeAdapter(BoundPlan)


def bind(stack: str, sources: Sources, steps: Iterable[Step]) -> BoundPlan:
    """Return a plan of these steps, bound to their sources."""
    made = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    return BoundPlan(stack, made, sources, _names(steps))


def load_plan(path: Path) -> BoundPlan:
    """Read the file of a bound plan. Raises SpecError when it is not one."""
    try:
        text = path.read_text(encoding="utf-8")
        json.loads(text)
        return _PLAN.validate_json(text)
    except OSError as error:
        problems = [Problem(str(path), 1, 1, f"cannot be read: {error.strerror}")]
    except UnicodeDecodeError:
        problems = [Problem(str(path), 1, 1, "not a text file")]
    except json.JSONDecodeError as error:
        problems = [
            Problem(str(path), error.lineno, error.colno, "not JSON: expected what `usine preview --out` writes")
        ]
    except ValidationError as error:
        problems = [
            Problem(str(path), 1, 1, f"{'.'.join(str(part) for part in one['loc'])}: {one['msg'].lower()}")
            for one in error.errors(include_url=False, include_input=False)
        ]
    raise SpecError(problems)


def moved(before: Sources, now: Sources, *, ignore: Collection[str] = ()) -> tuple[Notice, ...]:
    """Return a notice for each field of `Sources` that changed, except those in `ignore`."""
    return tuple(
        _moved(what, f"{text}: was {_short(then)}, is {_short(is_)}")
        for what, text in _SOURCES.items()
        if what not in ignore and (then := getattr(before, what)) != (is_ := getattr(now, what))
    )


def steps_moved(plan: BoundPlan, steps: Iterable[Step]) -> tuple[Notice, ...]:
    """Return a notice when the engine now plans other steps than the bound plan has."""
    then, now = set(plan.steps), set(_names(steps))
    parts = [_describe("not planned before", now - then), _describe("no longer planned", then - now)]
    return (_moved("steps", f"the steps changed: {'; '.join(filter(None, parts))}"),) if then != now else ()


def other_stack(plan: BoundPlan, stack: str) -> tuple[Notice, ...]:
    """Return a notice when the plan was made for another stack."""
    return () if plan.stack == stack else (_moved("stack", f"the plan is for the stack {plan.stack}, not for {stack}"),)


def _moved(what: str, text: str) -> Notice:
    return Notice(
        rule=NoticeId(f"moved-{what}"),
        severity=Severity.ERROR,
        text=text,
        remedy="make a new plan and review it: usine preview --out FILE",
    )


def _describe(what: str, steps: set[tuple[str, str]]) -> str:
    if not steps:
        return ""
    shown = ", ".join(f"{op} {address_of(urn).name}" for op, urn in sorted(steps)[:_SHOWN_STEPS])
    return f"{what}: {shown}" + (f" and {len(steps) - _SHOWN_STEPS} more" if len(steps) > _SHOWN_STEPS else "")


def _short(value: str | None) -> str:
    return value[:12] if value else "none"


def _names(steps: Iterable[Step]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((step.op, step.address.urn) for step in steps))

"""The policy pack, run over an offline plan: the same functions as in the engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from policy.model import Hidden, Level, PolicyViolation, Resource
from policy.registry import Setting, violations
from pulumi_facts import urns
from pulumi_facts.values import SECRET
from usine.plan.model import UNKNOWN, Plan, PlannedResource
from usine.report.model import Notice, Severity


def check_plan(plan: Plan, settings: Mapping[str, Setting] | None = None) -> tuple[PolicyViolation, ...]:
    """Return the violations in a plan, in the order of the policies. `settings` are by policy id."""
    return tuple(violations([_resource(planned) for planned in plan.resources], settings))


def refuses(found: Sequence[PolicyViolation]) -> bool:
    """Return whether a mandatory policy is violated."""
    return any(violation.level is Level.MANDATORY for violation in found)


def lines(found: Sequence[PolicyViolation]) -> Iterator[str]:
    """Render violations: one line each for mandatory policies, then one line for each advice."""
    advice: dict[tuple[str, str], list[PolicyViolation]] = {}
    for violation in found:
        if violation.level is Level.MANDATORY:
            yield _line(violation.resource.name, violation)
        else:
            advice.setdefault((violation.policy.id, violation.text), []).append(violation)
    for same in advice.values():
        rest = f" and {len(same) - 1} more" if len(same) > 1 else ""
        yield _line(f"advice: {same[0].resource.name}{rest}", same[0])


def _line(subject: str, violation: PolicyViolation) -> str:
    return f"{subject}: {violation.policy.id}: {violation.text}. To fix: {violation.policy.remedy}"


def notices(found: Sequence[PolicyViolation]) -> tuple[Notice, ...]:
    """Return violations as notices of a report; the policy's id is the rule."""
    return tuple(
        Notice(
            rule=violation.policy.id,
            severity=Severity.ERROR if violation.level is Level.MANDATORY else Severity.WARNING,
            text=f"{violation.resource.name} ({violation.resource.type}): {violation.text}",
            remedy=violation.policy.remedy,
            tenant=violation.resource.tenant,
        )
        for violation in found
    )


def _resource(planned: PlannedResource) -> Resource:
    inputs = {key: _masked(value) for key, value in planned.inputs.items()}
    return Resource(planned.type, planned.name, urns.make("plan", "usine", planned.key), inputs, planned.protect)


def _masked(value: object) -> object:
    """Replace the placeholders of a plan by those of the policies."""
    if isinstance(value, str):
        if value == SECRET:
            return Hidden.SECRET
        return Hidden.UNKNOWN if UNKNOWN.fullmatch(value) else value
    if isinstance(value, Mapping):
        return {key: _masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item) for item in value]
    return value

"""The rule on amounts: only the platform team gives a tenant more than its archetype."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from model.problems import KeyPath
from model.quantities import render_cpu, render_size
from model.tenant import Envelope, Quota, Tenant
from usine.report.model import Severity
from usine.rules.model import Change, Flag

_RESOURCES: tuple[tuple[str, Callable[[int], str]], ...] = (
    ("cpu", render_cpu),
    ("memory", render_size),
    ("storage", render_size),
    ("gpu", str),
)
#: An amount raised by this factor is reported: it may be a typing error.
_SUDDEN = 2


def quota_envelope(change: Change) -> Iterator[Flag]:
    """Report each amount above the archetype, unless the platform team raises it, and each sudden increase."""
    beyond = {True: Severity.INFO, False: Severity.ERROR, None: Severity.WARNING}[change.by_platform]
    for base, head in change.written:
        archetype = change.settings.archetypes[head.archetype]
        moved = base is not None and base.archetype != head.archetype
        before = _amounts(base.envelope, base.registry.quota) if base is not None else {}
        given = _amounts(archetype.envelope, archetype.registry_quota)
        for path, (after, render) in _amounts(head.envelope, head.registry.quota).items():
            was = before[path][0] if path in before else None
            if was is not None and after <= was:
                continue
            limit = given[path][0]
            name = ".".join(map(str, path))
            raised = "is" if was is None else f"goes from {render(was)} to"
            if after > limit:
                yield Flag(
                    f"{name} {raised} {render(after)}; archetype {head.archetype} gives {render(limit)}",
                    tenant=head.slug,
                    path=path,
                    object=name,
                    severity=beyond,
                )
            elif moved:
                # Choosing a larger archetype also raises amounts (issue 11.A9).
                sudden = was is not None and after >= _SUDDEN * was
                yield Flag(
                    f"{name} {raised} {render(after)}: archetype {head.archetype}",
                    tenant=head.slug,
                    path=("archetype",),
                    object=name,
                    severity=Severity.WARNING if sudden and change.by_platform else beyond,
                )
            elif was is not None and after >= _SUDDEN * was:
                yield Flag(
                    f"{name} {raised} {render(after)}",
                    tenant=head.slug,
                    path=path,
                    object=name,
                    severity=Severity.WARNING,
                )
        if base is not None:
            yield from _sudden_quotas(base, head)


def _amounts(envelope: Envelope, registry: int) -> dict[KeyPath, tuple[int, Callable[[int], str]]]:
    """Return every bounded amount by its key path, with the function that renders it."""
    amounts: dict[KeyPath, tuple[int, Callable[[int], str]]] = {
        ("envelope", word, resource): (getattr(quota, resource), render)
        for word, quota in (("nonprod", envelope.nonprod), ("prod", envelope.prod))
        for resource, render in _RESOURCES
    }
    return amounts | {("registry", "quota"): (registry, render_size)}


def _sudden_quotas(base: Tenant, head: Tenant) -> Iterator[Flag]:
    before: dict[str, Quota] = {environment.name: environment.quota for environment in base.environments}
    for environment in head.environments:
        if environment.name not in before:
            continue
        for resource, render in _RESOURCES:
            was, now = getattr(before[environment.name], resource), getattr(environment.quota, resource)
            if now > was and now >= _SUDDEN * was:
                name = f"environments.{environment.name}.quota.{resource}"
                yield Flag(
                    f"{name} goes from {render(was)} to {render(now)}",
                    tenant=head.slug,
                    path=("environments", environment.name, "quota", resource),
                    object=name,
                    severity=Severity.WARNING,
                )

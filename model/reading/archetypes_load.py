"""The platform's own archetypes (`usine:archetypes`), resolved.

An archetype states only how it differs from its parent: mappings merge key by key, at every level; lists and plain
values replace. The parent is `extends`; without it, the built-in archetype of the same name, else `standard`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from model.archetypes import BUILT_IN, Archetype, EnvironmentDefaults, RepositoryDefaults
from model.problems import KeyPath
from model.reading import fields as f
from model.reading.schema import DEFAULT_ARCHETYPE, AmountsSection, EnvelopeSection, QuotaSection, RegistrySection, Section
from model.tenant import Envelope, ImageSeverity, Quota, Registry, Retention
from model.texts import did_you_mean, show


class ClassDefaultsSection(Section):
    """Defaults of the environments of one class."""

    quota: QuotaSection = QuotaSection()
    autosync: bool | None = None


class EnvironmentsDefaultsSection(Section):
    """Defaults of environments, by class of stage."""

    nonprod: ClassDefaultsSection = ClassDefaultsSection()
    prod: ClassDefaultsSection = ClassDefaultsSection()


class RepositoryDefaultsSection(Section):
    """Defaults of repositories."""

    preset: str | None = None
    default_branch: f.Branch | None = None
    protected_branches: list[f.BranchPattern] | None = None


class NewCodeDefaultsSection(Section):
    """Default length of the new-code period."""

    days: Annotated[int, Field(ge=1, le=90)] | None = None


class QualityDefaultsSection(Section):
    """Defaults of static analysis."""

    gate: str | None = None
    new_code: NewCodeDefaultsSection = NewCodeDefaultsSection()


class ObservabilityDefaultsSection(Section):
    """Defaults of logs."""

    log_retention: f.Days | None = None


class ArchetypeSection(Section):
    """One entry of `usine:archetypes`."""

    extends: str | None = None
    envelope: EnvelopeSection = EnvelopeSection()
    environment: EnvironmentsDefaultsSection = EnvironmentsDefaultsSection()
    repository: RepositoryDefaultsSection = RepositoryDefaultsSection()
    registry: RegistrySection = RegistrySection()
    quality: QualityDefaultsSection = QualityDefaultsSection()
    packages: list[str] | None = None
    observability: ObservabilityDefaultsSection = ObservabilityDefaultsSection()


def merge_quota(amounts: AmountsSection, default: Quota) -> Quota:
    """Return a quota: what is stated, the default for the rest."""
    pods = amounts.pods if isinstance(amounts, QuotaSection) else None
    return Quota(
        cpu=default.cpu if amounts.cpu is None else amounts.cpu,
        memory=default.memory if amounts.memory is None else amounts.memory,
        storage=default.storage if amounts.storage is None else amounts.storage,
        gpu=default.gpu if amounts.gpu is None else amounts.gpu,
        pods=default.pods if pods is None else pods,
    )


def merge_registry(stated: RegistrySection, default: Registry) -> Registry:
    """Return a registry: what is stated, the default for the rest."""
    keep = stated.keep
    return Registry(
        quota=default.quota if stated.quota is None else stated.quota,
        keep=Retention(
            tags=default.keep.tags if keep.tags is None else keep.tags,
            days=default.keep.days if keep.days is None else keep.days,
        ),
        immutable=default.immutable if stated.immutable is None else tuple(stated.immutable),
        block_severity=default.block_severity
        if stated.block_severity is None
        else ImageSeverity(stated.block_severity),
    )


def merge_envelope(stated: EnvelopeSection, default: Envelope) -> Envelope:
    """Return an envelope: what is stated, the default for the rest."""
    return Envelope(nonprod=merge_quota(stated.nonprod, default.nonprod), prod=merge_quota(stated.prod, default.prod))


def _merge_class(stated: ClassDefaultsSection, default: EnvironmentDefaults) -> EnvironmentDefaults:
    autosync = default.autosync if stated.autosync is None else stated.autosync
    return EnvironmentDefaults(merge_quota(stated.quota, default.quota), autosync)


def _merge(name: str, stated: ArchetypeSection, parent: Archetype) -> Archetype:
    repository, quality = stated.repository, stated.quality
    branches = repository.protected_branches
    retention = stated.observability.log_retention
    return replace(
        parent,
        name=name,
        envelope=merge_envelope(stated.envelope, parent.envelope),
        nonprod=_merge_class(stated.environment.nonprod, parent.nonprod),
        prod=_merge_class(stated.environment.prod, parent.prod),
        repository=RepositoryDefaults(
            preset=repository.preset or parent.repository.preset,
            default_branch=repository.default_branch or parent.repository.default_branch,
            protected_branches=parent.repository.protected_branches if branches is None else tuple(branches),
        ),
        registry=merge_registry(stated.registry, parent.registry),
        gate=quality.gate or parent.gate,
        new_code_days=quality.new_code.days or parent.new_code_days,
        packages=parent.packages if stated.packages is None else tuple(stated.packages),
        log_retention_days=parent.log_retention_days if retention is None else retention,
    )


def resolve_archetypes(
    declared: Mapping[str, ArchetypeSection], note: Callable[[KeyPath, str], None]
) -> dict[str, Archetype]:
    """Return every archetype of a platform by name, the built-in ones first.

    `note` is told of unknown parents and of archetypes that extend each other in a circle, with the path below
    `usine:archetypes`.
    """
    resolved = dict(BUILT_IN)
    done: set[str] = set()

    def resolve(name: str, above: tuple[str, ...]) -> Archetype:
        stated = declared.get(name)
        if stated is None or name in done:
            return resolved[name]
        done.add(name)
        parent = BUILT_IN.get(name, BUILT_IN[DEFAULT_ARCHETYPE])
        if stated.extends is not None:
            known = {**BUILT_IN, **declared}
            if stated.extends in (*above, name):
                circle = " -> ".join((*above, name, stated.extends))
                note((name, "extends"), f"archetypes extend each other in a circle: {circle}")
            elif stated.extends in known:
                parent = resolve(stated.extends, (*above, name))
            else:
                others = [other for other in known if other != name]
                note(
                    (name, "extends"),
                    f"no such archetype: {show(stated.extends)}; {did_you_mean(stated.extends, others)}",
                )
        resolved[name] = _merge(name, stated, parent)
        return resolved[name]

    for name in declared:
        resolve(name, ())
    return resolved


def misfits(archetype: Archetype) -> Iterator[str]:
    """Yield the amounts of which an archetype gives one environment more than all of them may have."""
    for word, quota, envelope in (
        ("nonprod", archetype.nonprod.quota, archetype.envelope.nonprod),
        ("prod", archetype.prod.quota, archetype.envelope.prod),
    ):
        for resource in ("cpu", "memory", "storage", "gpu"):
            if getattr(quota, resource) > getattr(envelope, resource):
                yield (
                    f"archetype {archetype.name}: {resource} of environment.{word}.quota is more than "
                    f"envelope.{word} allows for all environments"
                )


def undeclared_words(
    archetype: Archetype, presets: tuple[str, ...], gates: tuple[str, ...], packages: tuple[str, ...]
) -> Iterator[str]:
    """Yield what an archetype uses and the platform does not declare."""
    for kind, words, allowed in (
        ("preset", (archetype.repository.preset,), presets),
        ("gate", (archetype.gate,), gates),
        ("package", archetype.packages, packages),
    ):
        for word in words:
            if word not in allowed:
                yield f"archetype {archetype.name}: no such {kind}: {show(word)}; {did_you_mean(word, allowed)}"

"""The archetypes of the platform: `usine:archetypes` and the built-in ones, merged, validated and checked.

An archetype states only how it differs from its parent: mappings merge key by key, at every level; lists and plain
values replace. The parent is `extends`; without it, the built-in archetype of the same name, else `standard`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from model.archetypes import BUILT_IN, DEFAULT_ARCHETYPE, Archetype
from model.problems import Note
from model.reading import fields as f
from model.reading.convert import to_envelope
from model.reading.merge import overlay
from model.reading.schema import (
    BackupSection,
    EnvelopeSection,
    FindingsThreshold,
    NewCodeSection,
    ProtectedBranches,
    QuotaSection,
    RegistrySection,
)
from model.reading.section import Section
from model.texts import did_you_mean, show


class EnvironmentDefaultsSection(Section):
    """Defaults of the environments of one class of stage."""

    quota: QuotaSection
    autosync: bool


class ProductionDefaultsSection(EnvironmentDefaultsSection):
    """Defaults of the environments in production."""

    backup: BackupSection


class EnvironmentsDefaultsSection(Section):
    """Defaults of environments, by class of stage."""

    nonprod: EnvironmentDefaultsSection
    prod: ProductionDefaultsSection


class RepositoryDefaultsSection(Section):
    """Defaults of repositories."""

    preset: str
    default_branch: f.Branch
    protected_branches: ProtectedBranches


class QualityDefaultsSection(Section):
    """Defaults of static analysis."""

    gate: str
    new_code: NewCodeSection
    findings: FindingsThreshold


class ObservabilityDefaultsSection(Section):
    """Defaults of logs."""

    log_retention: f.Days


class ArchetypeSection(Section):
    """One entry of `usine:archetypes`, merged into its parent."""

    extends: str | None = None
    envelope: EnvelopeSection
    environment: EnvironmentsDefaultsSection
    repository: RepositoryDefaultsSection
    registry: RegistrySection
    quality: QualityDefaultsSection
    packages: list[str]
    observability: ObservabilityDefaultsSection


def merge_archetypes(declared: object, note: Note) -> object:
    """Return all archetypes by name, the built-in ones first, each merged into its parent; not validated.

    `declared` is the value of `usine:archetypes`, of any type. The function reports unknown parents
    and archetypes that extend each other in a circle to `note`, with the path below `usine:archetypes`.
    """
    if not isinstance(declared, dict):
        return declared
    merged: dict[str, Any] = dict(BUILT_IN)
    done: set[str] = set()

    def merge(name: str, above: tuple[str, ...]) -> object:
        if name not in declared or name in done:
            return merged[name]
        done.add(name)
        stated = declared[name]
        if not isinstance(stated, dict):
            merged[name] = stated
        else:
            default = BUILT_IN.get(name, BUILT_IN[DEFAULT_ARCHETYPE])
            parent = parent_of(name, stated.get("extends"), above)
            usable = parent if isinstance(parent, Mapping) and _is_like(parent, default) else default
            merged[name] = overlay({key: value for key, value in usable.items() if key != "extends"}, stated)
        return merged[name]

    def parent_of(name: str, extends: object, above: tuple[str, ...]) -> object:
        if not isinstance(extends, str):
            return None
        known = {**BUILT_IN, **declared}
        if extends in (*above, name):
            circle = " -> ".join((*above, name, extends))
            note((name, "extends"), f"archetypes extend each other in a circle: {circle}")
        elif extends in known:
            return merge(extends, (*above, name))
        else:
            others = [other for other in known if other != name]
            note((name, "extends"), f"no such archetype: {show(extends)}; {did_you_mean(extends, others)}")
        return None

    for name in declared:
        merge(name, ())
    return merged


def _is_like(value: object, like: object) -> bool:
    """Return whether a value has mappings with all keys wherever the other one has mappings."""
    if not isinstance(like, Mapping):
        return True
    return isinstance(value, Mapping) and all(key in value and _is_like(value[key], like[key]) for key in like)


def to_archetype(name: str, section: ArchetypeSection, defaults: Mapping[str, Any]) -> Archetype:
    """Return an archetype from its validated section and from the merged keys that were validated."""
    return Archetype(name, defaults, to_envelope(section.envelope), section.registry.quota, section.repository.preset)


def misfits(name: str, archetype: ArchetypeSection) -> Iterator[str]:
    """Yield a message for each amount that is larger for one environment than for the sum of all environments."""
    for word, quota, envelope in (
        ("nonprod", archetype.environment.nonprod.quota, archetype.envelope.nonprod),
        ("prod", archetype.environment.prod.quota, archetype.envelope.prod),
    ):
        for resource in ("cpu", "memory", "storage", "gpu"):
            if getattr(quota, resource) > getattr(envelope, resource):
                yield (
                    f"archetype {name}: {resource} of environment.{word}.quota is more than "
                    f"envelope.{word} allows for all environments"
                )


def undeclared_words(
    name: str, archetype: ArchetypeSection, presets: Collection[str], gates: Collection[str], packages: Collection[str]
) -> Iterator[str]:
    """Yield a message for each word of an archetype that the platform does not declare."""
    for kind, words, allowed in (
        ("preset", (archetype.repository.preset,), presets),
        ("gate", (archetype.quality.gate,), gates),
        ("package", archetype.packages, packages),
    ):
        for word in words:
            if word not in allowed:
                yield f"archetype {name}: no such {kind}: {show(word)}; {did_you_mean(word, allowed)}"

"""The keys of a tenant file, completed by its archetype and by the platform's stages before they are validated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from model.archetypes import DEFAULT_ARCHETYPE, Archetype
from model.reading.merge import overlay
from model.reading.observability_schema import ObservabilitySection
from model.reading.schema import BackupSection, EnvelopeSection, QualitySection, QuotaSection, RegistrySection
from model.reading.section import Section
from model.repository import RepositoryKind
from model.settings import Settings

#: The preset of repositories of kind infra: those of applications build nothing there.
INFRA_PRESET: Final = "infra"
#: The keys of a tenant file that an archetype has too, and what validates their values; a list validates itself.
_SECTIONS: Final[Mapping[str, type[Section] | None]] = {
    "envelope": EnvelopeSection,
    "registry": RegistrySection,
    "quality": QualitySection,
    "packages": None,
    "observability": ObservabilitySection,
}


#: What a backup is completed with where there is none: the conversion refuses the key.
_NO_BACKUP: Final = {"schedule": "0 0 * * *", "keep": "7d"}


class Completer:
    """Completes files by one platform's settings."""

    def __init__(self, settings: Settings) -> None:
        """Prepare the defaults of every archetype."""
        self._defaults = {name: _Defaults(archetype, settings) for name, archetype in settings.archetypes.items()}

    def complete(self, stated: Mapping[str, Any]) -> dict[str, Any]:
        """Return the keys that a file states over those of its archetype.

        The archetype is `standard` where the file names one that does not exist: the validation refuses the file.
        """
        archetype = stated.get("archetype")
        named = self._defaults.get(archetype) if isinstance(archetype, str) else None
        defaults = named or self._defaults[DEFAULT_ARCHETYPE]
        merged = {**defaults.validated, **stated}
        for key, section in _SECTIONS.items():
            if section is not None and type(stated.get(key)) is dict:
                merged[key] = overlay(defaults.keys[key], stated[key])
        quality = stated.get("quality")
        if type(quality) is dict and "newCode" in quality:
            merged["quality"]["newCode"] = quality["newCode"]  # its one key is required
        for key, of in (("environments", defaults.environment), ("repositories", defaults.repository)):
            if type(sections := stated.get(key)) is dict:
                merged[key] = {
                    name: of(name, section) if type(section) is dict else section for name, section in sections.items()
                }
        return merged


class _Defaults:
    """What one archetype gives: `keys` as plain values; `validated` the same, so that it is not validated again."""

    def __init__(self, archetype: Archetype, settings: Settings) -> None:
        self.keys = archetype.defaults
        self.validated = {
            key: self.keys[key] if section is None else section.model_validate(self.keys[key])
            for key, section in _SECTIONS.items()
        }
        self._nonprod = _Environment(self.keys["environment"]["nonprod"], {})
        self._by_stage = {}
        for stage in settings.stages.values():
            given = {"stage": stage.name}
            offering = [cluster.name for cluster in settings.clusters.values() if stage.name in cluster.stages]
            if len(offering) == 1:
                given["cluster"] = offering[0]
            defaults = self.keys["environment"]["prod" if stage.production else "nonprod"]
            self._by_stage[stage.name] = _Environment(defaults, given)
        self._repository = repository = self.keys["repository"]
        # An archetype that protects its default branch only also protects a default branch that the tenant names.
        alone = repository["protectedBranches"] == [repository["defaultBranch"]]
        self._other_branch = {**repository, "protectedBranches": []} if alone else repository
        self._infra = {"preset": INFRA_PRESET} if INFRA_PRESET in settings.presets else {}

    def environment(self, name: str, stated: dict[str, Any]) -> dict[str, Any]:
        """Return the keys of an environment; without a stage where the file has to state it, or an unknown one."""
        stage = stated.get("stage", name)
        return (self._by_stage.get(stage, self._nonprod) if isinstance(stage, str) else self._nonprod).under(stated)

    def repository(self, _: str, stated: dict[str, Any]) -> dict[str, Any]:
        """Return the keys of a repository."""
        defaults = self._other_branch if "defaultBranch" in stated else self._repository
        return {**defaults, **(self._infra if stated.get("kind") == RepositoryKind.INFRA else {}), **stated}


class _Environment:
    """The defaults of the environments of one stage."""

    def __init__(self, defaults: Mapping[str, Any], given: Mapping[str, str]) -> None:
        self._quota = defaults["quota"]
        self._validated = {**defaults, **given, "quota": QuotaSection.model_validate(self._quota)}
        self._backup = defaults.get("backup", _NO_BACKUP)
        if "backup" in defaults:
            self._validated["backup"] = BackupSection.model_validate(self._backup)

    def under(self, stated: dict[str, Any]) -> dict[str, Any]:
        """Return the keys that a file states over these."""
        merged = {**self._validated, **stated}
        if type(quota := stated.get("quota")) is dict:
            merged["quota"] = {**self._quota, **quota}
        if type(backup := stated.get("backup")) is dict:
            merged["backup"] = {**self._backup, **backup}
        return merged

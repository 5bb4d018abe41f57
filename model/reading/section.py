"""A mapping of a YAML file as pydantic sees it, and the words that its texts are checked against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, WithJsonSchema
from pydantic.alias_generators import to_camel

from model.repository import OWN_REGISTRY
from model.settings import Settings
from model.texts import did_you_mean, show


@dataclass(frozen=True, slots=True)
class Words:
    """The words that the platform allows, by kind."""

    allowed: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, settings: Settings) -> Words:
        """Return the words of a platform."""
        return cls(
            {
                "cluster": tuple(settings.clusters),
                "stage": tuple(settings.stages),
                "preset": settings.presets,
                "gate": settings.gates,
                "package": settings.packages,
                "archetype": tuple(settings.archetypes),
                "source of charts": (OWN_REGISTRY, *settings.argocd.charts),
            }
        )


def _choice(value: str, kind: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError(f"no such {kind}: {show(value)}; {did_you_mean(value, allowed)}")
    return value


def fixed(kind: str, *allowed: str) -> tuple[AfterValidator, WithJsonSchema]:
    """Return the annotations of a text that is one of a few words."""
    return AfterValidator(lambda value: _choice(value, kind, allowed)), WithJsonSchema({"enum": list(allowed)})


def declared(kind: str) -> tuple[AfterValidator, WithJsonSchema]:
    """Return the annotations of a text that is one of the words that the platform declares."""

    def check(value: str, info: ValidationInfo) -> str:
        words = info.context
        return _choice(value, kind, words.allowed[kind]) if isinstance(words, Words) else value

    return AfterValidator(check), WithJsonSchema({"type": "string", "x-usine-declared": kind})


class Section(BaseModel):
    """A mapping of the file: unknown keys refused, no conversion between types, names in camelCase."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, alias_generator=to_camel, use_attribute_docstrings=True
    )


def from_archetype() -> Any:  # noqa: ANN401 - the default of fields of any type
    """Return the default of a field that a file may leave out, because `model.reading.complete` fills it in."""
    return Field(default_factory=_not_completed)


def _not_completed() -> Any:  # noqa: ANN401 - see above
    raise RuntimeError("keys of an archetype are missing: complete a file's keys before you validate them")

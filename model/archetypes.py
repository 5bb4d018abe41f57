"""Archetypes: where everything comes from that a tenant file leaves out.

Three are built in. The platform overrides them or declares more under `usine:archetypes`; see
`model.reading.archetypes_load`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from model.tenant import Envelope, ImageSeverity, Quota, Registry, Retention

_GIB: Final = 1024**3


@dataclass(frozen=True, slots=True)
class EnvironmentDefaults:
    """Defaults of the environments of one class of stage (production or not)."""

    quota: Quota
    autosync: bool


@dataclass(frozen=True, slots=True)
class RepositoryDefaults:
    """Defaults of repositories."""

    preset: str
    default_branch: str
    protected_branches: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Archetype:
    """A complete set of defaults."""

    name: str
    envelope: Envelope
    nonprod: EnvironmentDefaults
    prod: EnvironmentDefaults
    repository: RepositoryDefaults
    registry: Registry
    gate: str
    new_code_days: int
    packages: tuple[str, ...]
    log_retention_days: int


def _quota(cpu: int, memory: int, storage: int, pods: int = 0) -> Quota:
    return Quota(cpu=cpu * 1000, memory=memory * _GIB, storage=storage * _GIB, pods=pods)


_REPOSITORY = RepositoryDefaults(preset="generic", default_branch="main", protected_branches=("main",))

BUILT_IN: Final[Mapping[str, Archetype]] = MappingProxyType(
    {
        # One team, one application, few users: two to four modest environments outside production, one or two in it.
        "small": Archetype(
            name="small",
            envelope=Envelope(nonprod=_quota(4, 8, 50), prod=_quota(4, 8, 50)),
            nonprod=EnvironmentDefaults(_quota(1, 2, 10, pods=20), autosync=True),
            prod=EnvironmentDefaults(_quota(2, 4, 20, pods=30), autosync=False),
            repository=_REPOSITORY,
            registry=Registry(10 * _GIB, Retention(tags=5, days=30), ("v*",), ImageSeverity.CRITICAL),
            gate="platform",
            new_code_days=30,
            packages=(),
            log_retention_days=14,
        ),
        # What most tenants are.
        "standard": Archetype(
            name="standard",
            envelope=Envelope(nonprod=_quota(16, 32, 200), prod=_quota(32, 64, 500)),
            nonprod=EnvironmentDefaults(_quota(4, 8, 50, pods=40), autosync=True),
            prod=EnvironmentDefaults(_quota(8, 16, 100, pods=60), autosync=False),
            repository=_REPOSITORY,
            registry=Registry(50 * _GIB, Retention(tags=10, days=90), ("v*",), ImageSeverity.CRITICAL),
            gate="platform",
            new_code_days=30,
            packages=(),
            log_retention_days=30,
        ),
        # Many services, data that grows, an obligation to keep logs.
        "large": Archetype(
            name="large",
            envelope=Envelope(nonprod=_quota(64, 128, 1024), prod=_quota(128, 256, 4096)),
            nonprod=EnvironmentDefaults(_quota(8, 16, 100, pods=80), autosync=True),
            prod=EnvironmentDefaults(_quota(32, 64, 500, pods=200), autosync=False),
            repository=_REPOSITORY,
            registry=Registry(200 * _GIB, Retention(tags=20, days=180), ("v*",), ImageSeverity.HIGH),
            gate="platform",
            new_code_days=30,
            packages=(),
            log_retention_days=90,
        ),
    }
)

"""Archetypes: the values of all keys that a tenant file may leave out.

Three archetypes are built in. The platform changes them, or declares more, under `usine:archetypes`; see
`model.reading.archetypes_load`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from model.tenant import Envelope

#: The archetype of a tenant file that names none.
DEFAULT_ARCHETYPE: Final = "standard"


@dataclass(frozen=True, slots=True)
class Archetype:
    """A complete set of defaults.

    `defaults` has the keys of an entry of `usine:archetypes`, as YAML has them, all of them, and all of them legal. The
    reader merges a tenant file into it. The other fields are values of `defaults` that are needed without a tenant.
    """

    name: str
    defaults: Mapping[str, Any]
    envelope: Envelope
    registry_quota: int
    preset: str


def _amounts(cpu: int, memory: str, storage: str, **others: int) -> dict[str, int | str]:
    return {"cpu": cpu, "memory": memory, "storage": storage, "gpu": 0, **others}


def _backup(schedule: str, keep: str) -> dict[str, str]:
    return {"schedule": schedule, "keep": keep}


#: The same in all built-in archetypes.
_COMMON: Final[Mapping[str, Any]] = {
    "repository": {"preset": "generic", "defaultBranch": "main", "protectedBranches": ["main"]},
    "quality": {"gate": "platform", "newCode": {"days": 30}, "findings": "high"},
    "packages": [],
}

#: The keys of the built-in archetypes.
BUILT_IN: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        # One team, one application, few users: two to four modest environments outside production, one or two in it.
        "small": {
            "envelope": {"nonprod": _amounts(4, "8Gi", "50Gi"), "prod": _amounts(4, "8Gi", "50Gi")},
            "environment": {
                "nonprod": {"quota": _amounts(1, "2Gi", "10Gi", pods=20), "autosync": True},
                "prod": {
                    "quota": _amounts(2, "4Gi", "20Gi", pods=30),
                    "autosync": False,
                    "backup": _backup("0 2 * * *", "14d"),
                },
            },
            "registry": {
                "quota": "10Gi",
                "keep": {"tags": 5, "days": 30},
                "immutable": ["v*"],
                "blockSeverity": "critical",
            },
            "observability": {"logRetention": "14d"},
            **_COMMON,
        },
        # What most tenants are.
        "standard": {
            "envelope": {"nonprod": _amounts(16, "32Gi", "200Gi"), "prod": _amounts(32, "64Gi", "500Gi")},
            "environment": {
                "nonprod": {"quota": _amounts(4, "8Gi", "50Gi", pods=40), "autosync": True},
                "prod": {
                    "quota": _amounts(8, "16Gi", "100Gi", pods=60),
                    "autosync": False,
                    "backup": _backup("0 2 * * *", "30d"),
                },
            },
            "registry": {
                "quota": "50Gi",
                "keep": {"tags": 10, "days": 90},
                "immutable": ["v*"],
                "blockSeverity": "critical",
            },
            "observability": {"logRetention": "30d"},
            **_COMMON,
        },
        # Many services, data that grows, an obligation to keep logs.
        "large": {
            "envelope": {"nonprod": _amounts(64, "128Gi", "1Ti"), "prod": _amounts(128, "256Gi", "4Ti")},
            "environment": {
                "nonprod": {"quota": _amounts(8, "16Gi", "100Gi", pods=80), "autosync": True},
                "prod": {
                    "quota": _amounts(32, "64Gi", "500Gi", pods=200),
                    "autosync": False,
                    "backup": _backup("0 1,13 * * *", "90d"),
                },
            },
            "registry": {
                "quota": "200Gi",
                "keep": {"tags": 20, "days": 180},
                "immutable": ["v*"],
                "blockSeverity": "high",
            },
            "observability": {"logRetention": "90d"},
            **_COMMON,
        },
    }
)

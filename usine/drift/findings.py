"""The findings of a drift scan, as plain values without secrets."""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ConfigDict, TypeAdapter, with_config
from pydantic.alias_generators import to_camel

from pulumi_facts.values import ABSENT
from usine.report.model import Action

_KEY_DIGITS = 12


class Means(enum.StrEnum):
    """How a finding is repaired.

    ``engine``: by a guarded `up` of the resource. ``reveal``: also, but the property is removed from the state first,
    since the plugin sees no difference. ``patch``: the field is removed from the live object by a patch, since no
    update removes it. ``adopt``: the object is added to the state, and the guarded `up` deletes it. ``hand``: by a
    person.
    """

    ENGINE = "engine"
    REVEAL = "reveal"
    PATCH = "patch"
    ADOPT = "adopt"
    HAND = "hand"


@with_config(ConfigDict(alias_generator=to_camel, extra="ignore"))
@dataclass(frozen=True, slots=True)
class DriftFinding:
    """One difference between the state and a system.

    `kind` is CHANGED (one property), MISSING or UNMANAGED (a whole object). `tenant` is None for the foundation. `type`
    and `name` are as in `usine.report.model.Entry`. `path`, `expected` and `found` describe a changed property. `urn`
    is the resource in the state, empty for an unmanaged object. `import_id` is the id with which the provider imports
    an unmanaged object, or None; `provider` is the logical name of that provider; `detail` says which rights the object
    gives, and to whom. `by` is who made the change and when, if the system knows. `call` is the manual remedy.
    """

    kind: Action
    tenant: str | None
    system: str
    type: str
    name: str
    path: str = ""
    expected: object = ABSENT
    found: object = ABSENT
    urn: str = ""
    import_id: str | None = None
    provider: str = ""
    holds_data: bool = False
    detail: str = ""
    by: str = ""
    means: Means = Means.ENGINE
    call: str = ""

    @property
    def object_key(self) -> str:
        """The key for `--repair`: the same in every scan, short, and safe in a shell."""
        return key_of(self.kind, self.tenant, self.system, self.type, self.name)

    @property
    def key(self) -> str:
        """The key of this finding: unique, and the same in every scan, whatever its values are."""
        return f"{self.object_key}:{self.path}" if self.path else self.object_key

    def to_json(self) -> dict[str, object]:
        """Return JSON values; what is at its default is left out, but for `means`."""
        values = _FINDING.dump_python(self, by_alias=True, exclude_defaults=True)
        return {"key": self.key, **values, "means": self.means}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> DriftFinding:
        """Read what `to_json` wrote; other keys are ignored. Raises ValueError for anything else."""
        return _FINDING.validate_python(values)


_FINDING = TypeAdapter(DriftFinding)


@dataclass(frozen=True, slots=True, order=True)
class Unseen:
    """A part that could not be scanned: `tenant` (None: the foundation) in `system`, and the reason in one line."""

    tenant: str | None
    system: str
    why: str


def key_of(kind: Action, tenant: str | None, system: str, type_: str, name: str) -> str:
    """Return the key of an object with findings; an entry of a report has the same values."""
    words = (kind.value, tenant or "", system, type_, name)
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()[:_KEY_DIGITS]

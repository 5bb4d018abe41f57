"""What a look for drift finds, as plain values without secrets."""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from usine.report.model import ABSENT, Action

_KEY_DIGITS = 12


class Means(enum.StrEnum):
    """How a finding is put right.

    ``engine``: a guarded `up` of the resource does it. ``reveal``: so it does, once the state is made to forget the
    property, since the plugin sees no difference. ``patch``: the field is taken out of the live object, which no update
    does. ``adopt``: the object enters the state, and the guarded `up` deletes it. ``hand``: a person has to.
    """

    ENGINE = "engine"
    REVEAL = "reveal"
    PATCH = "patch"
    ADOPT = "adopt"
    HAND = "hand"


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference between what the state says and what a system holds.

    `kind` is CHANGED (one property), MISSING or UNMANAGED (a whole object). `tenant` is None for the foundation. `type`
    and `name` are as in `usine.report.model.Entry`. `path`, `expected` and `found` are of the property that changed.
    `urn` is the resource in the state, empty for an unmanaged object; `import_id` is the latter's id as its provider
    takes it, None where none does, `provider` the logical name of the one that reaches it; `detail` says what it gives,
    and to whom. `by` says who did it and when, where the system tells. `call` is what takes it away by hand.
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
        """The name `--repair` takes: the same for every look at the same object, short, safe in a shell."""
        return _digest(self.kind.value, self.tenant or "", self.system, self.type, self.name)

    @property
    def key(self) -> str:
        """What tells this finding from every other one, the same at every look, whatever the values."""
        return f"{self.object_key}:{self.path}" if self.path else self.object_key

    def to_json(self) -> dict[str, object]:
        """Return JSON values; a property that is absent has no value."""
        values: dict[str, object] = {
            "key": self.key,
            "kind": self.kind.value,
            "tenant": self.tenant,
            "system": self.system,
            "type": self.type,
            "name": self.name,
        }
        optional = {
            "path": self.path,
            "urn": self.urn,
            "importId": self.import_id,
            "provider": self.provider,
            "detail": self.detail,
            "holdsData": self.holds_data,
            "by": self.by,
            "call": self.call,
        }
        values |= {name: value for name, value in optional.items() if value}
        values |= {
            name: value for name, value in (("expected", self.expected), ("found", self.found)) if value is not ABSENT
        }
        return values | {"means": self.means.value}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Finding:
        """Read what `to_json` wrote. Raises KeyError, TypeError or ValueError for anything else."""
        return cls(
            kind=Action(values["kind"]),
            tenant=values["tenant"],
            system=str(values["system"]),
            type=str(values["type"]),
            name=str(values["name"]),
            path=str(values.get("path", "")),
            expected=values.get("expected", ABSENT),
            found=values.get("found", ABSENT),
            urn=str(values.get("urn", "")),
            import_id=values.get("importId"),
            provider=str(values.get("provider", "")),
            detail=str(values.get("detail", "")),
            holds_data=bool(values.get("holdsData", False)),
            by=str(values.get("by", "")),
            means=Means(values["means"]),
            call=str(values.get("call", "")),
        )


@dataclass(frozen=True, slots=True, order=True)
class Unseen:
    """A part that could not be looked at: `tenant` (None: the foundation) in `system`, and why, in one line."""

    tenant: str | None
    system: str
    why: str


def _digest(*words: str) -> str:
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()[:_KEY_DIGITS]

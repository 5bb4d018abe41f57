"""Mass removal: when a change, or a run of the engine, takes away too much of one kind of object to be meant.

`usine rules` asks this of the difference between two plans, `usine up` of the engine's own plan, which also knows what
a state edited by hand would lose.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from model.settings import MassRemoval
from model.texts import did_you_mean, show

#: The kind that stands for whole tenants, beside the Pulumi type tokens.
TENANT = "tenant"

_ALLOWANCE = re.compile(r"(?P<kind>[^=\s]+)=(?P<number>[1-9][0-9]{0,8})")


@dataclass(frozen=True, slots=True)
class Removal:
    """A removal that is refused: `removed` of the `existing` objects of a `kind` (0: nobody knows how many).

    `allowed` is how many somebody allowed, which was not enough (0: nobody did).
    """

    kind: str
    removed: int
    existing: int
    allowed: int = 0

    @property
    def text(self) -> str:
        """What is wrong, in one line."""
        of = f" of {self.existing}" if self.existing else ""
        what = "tenants" if self.kind == TENANT else f"objects of type {self.kind}"
        but = f" ({self.allowed} allowed)" if self.allowed else ""
        goes = "archived or removed" if self.kind == TENANT else "removed"
        return f"{self.removed}{of} {what} would be {goes}{but}"


def mass_removals(
    removed: Mapping[str, int],
    existing: Mapping[str, int],
    limits: MassRemoval,
    allowed: Mapping[str, int] | None = None,
) -> tuple[Removal, ...]:
    """Return the removals that are refused, by kind.

    `removed` and `existing` count objects by Pulumi type token, and tenants as `TENANT`; `existing` counts those before
    the removal, over the whole fleet, and a kind it lacks is unknown: only `limits.count` holds for it. `allowed` says
    how many of a kind may go this time. A replacement removes too: what replaces the object does not bring it back.
    """
    return tuple(
        Removal(kind, count, existing.get(kind, 0), (allowed or {}).get(kind, 0))
        for kind, count in sorted(removed.items())
        if _too_many(count, existing.get(kind, 0), limits) and count > (allowed or {}).get(kind, 0)
    )


def _too_many(removed: int, existing: int, limits: MassRemoval) -> bool:
    if removed > limits.count:
        return True
    return existing > 0 and removed >= limits.least and removed / existing > limits.fraction


def parse_allowance(text: str, kinds: Iterable[str] = ()) -> tuple[str, int]:
    """Return kind and number of ``vault:index/policy:Policy=12`` or ``tenant=3``.

    Where `kinds` are given, the kind is one of them or `TENANT`. Raises ValueError with what is allowed.
    """
    match = _ALLOWANCE.fullmatch(text)
    if match is None:
        raise ValueError(f"expected KIND=NUMBER, such as tenant=3 or vault:index/policy:Policy=12, found {show(text)}")
    kind, known = match["kind"], sorted({TENANT, *kinds})
    if len(known) > 1 and kind not in known:
        raise ValueError(f"no such kind of object: {show(kind)}; {did_you_mean(kind, known)}")
    return kind, int(match["number"])

"""Mass removal: a change or a run that removes too many objects of one kind, probably by mistake.

`usine rules` checks the difference between two plans. `usine up` checks the engine's own plan, which also covers a
state that was edited manually.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from model.settings import MassRemoval
from model.texts import did_you_mean, show

#: The kind of whole tenants. Every other kind is a Pulumi type token.
TENANT = "tenant"

_ALLOWANCE = re.compile(r"(?P<kind>[^=\s]+)=(?P<number>[1-9][0-9]{0,8})")


@dataclass(frozen=True, slots=True)
class Removal:
    """A refused removal: `removed` of the `existing` objects of a `kind` (`existing` 0: unknown).

    `allowed` is the number that was allowed and is too small (0: none was allowed).
    """

    kind: str
    removed: int
    existing: int
    allowed: int = 0

    @property
    def text(self) -> str:
        """The message, in one line."""
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

    `removed` and `existing` count objects by Pulumi type token, and tenants as `TENANT`. `existing` counts the whole
    fleet before the removal; for a kind it lacks, only `limits.count` applies. `allowed` is how many of a kind may be
    removed this time. A replacement counts as a removal, because the new object does not have the old one's data.
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

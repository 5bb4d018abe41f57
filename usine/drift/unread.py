"""Values that the plugin writes and never reads back: a secret in Vault is compared by its version.

The plugin keeps the version it wrote in the state (`metadata`), and reads that of now. No value is read for it.
"""

from __future__ import annotations

from collections.abc import Iterator

from usine.drift.findings import Finding, Means
from usine.drift.observe import Observation
from usine.drift.paths import lookup
from usine.plan.model import SECRET
from usine.report.model import ABSENT, Action

_SECRET = "vault:kv/secretV2:SecretV2"  # noqa: S105 - a type
_VALUE = "dataJson"


def rewritten(observation: Observation) -> Iterator[Finding]:
    """Yield a finding for a secret whose version is not the one that the last run wrote."""
    address, live = observation.address, observation.live
    if live is None or address.type != _SECRET:
        return
    wrote, there = (lookup(side.outputs, ("metadata", "version")) for side in (observation.known, live))
    if ABSENT in (wrote, there) or wrote == there:
        return
    yield Finding(
        Action.CHANGED,
        address.tenant,
        address.system,
        address.type,
        address.name,
        _VALUE,
        SECRET,
        SECRET,
        address.urn,
        detail=f"version {there} is not what a run wrote, which is version {wrote}",
        means=Means.REVEAL,
    )

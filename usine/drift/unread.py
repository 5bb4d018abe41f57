"""Drift of values that the plugin writes but never reads back; another output tells that they changed.

For a secret in Vault it is the version: the plugin keeps the version that it wrote in the state (`metadata`), and reads
the current one; the secret itself is not read. For a tag it is its commit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pulumi_facts.paths import lookup
from pulumi_facts.values import ABSENT, SECRET
from usine.drift.findings import DriftFinding, Means
from usine.drift.observe import Observation
from usine.report.model import Action

_SECRET = "vault:kv/secretV2:SecretV2"  # noqa: S105 - a type
_VALUE = "dataJson"
_TAG = "gitlab:index/projectTag:ProjectTag"


def rewritten(observation: Observation) -> Iterator[DriftFinding]:
    """Yield a finding for a secret or a tag that is no longer the one that the last run wrote."""
    if observation.address.type == _SECRET:
        yield from _secret(observation)
    if observation.address.type == _TAG:
        yield from _tag(observation)


def _moved(observation: Observation, *path: str) -> tuple[Any, Any] | None:
    """Return the output at a path after the last run and now; None if they are equal."""
    if observation.live is None:
        return None
    wrote, there = (lookup(side.outputs, path) for side in (observation.known, observation.live))
    return None if ABSENT in (wrote, there) or wrote == there else (wrote, there)


def _secret(observation: Observation) -> Iterator[DriftFinding]:
    address, moved = observation.address, _moved(observation, "metadata", "version")
    if moved is None:
        return
    wrote, there = moved
    yield DriftFinding(
        Action.CHANGED,
        address.tenant,
        address.system,
        address.type,
        address.name,
        _VALUE,
        SECRET,
        SECRET,
        address.urn,
        detail=f"it has version {there}, but the last run wrote version {wrote}",
        means=Means.REVEAL,
    )


def _tag(observation: Observation) -> Iterator[DriftFinding]:
    """Yield a finding for a tag that was deleted and created at another commit: a protected tag cannot be moved."""
    address, live, moved = observation.address, observation.live, _moved(observation, "target")
    if live is None or moved is None:
        return
    wrote, there = moved
    name = live.outputs.get("name")
    tags = f"/api/v4/projects/{live.outputs.get('project')}/repository/tags"
    yield DriftFinding(
        Action.CHANGED,
        address.tenant,
        address.system,
        address.type,
        address.name,
        "ref",
        wrote,
        there,
        address.urn,
        detail="no run moves an existing tag; pipelines that include it run the files at its commit",
        means=Means.HAND,
        call=f"DELETE {tags}/{name}, then POST {tags}?tag_name={name}&ref={wrote}",
    )

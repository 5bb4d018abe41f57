"""Values that the plugin writes and never reads back: another one tells that they are not what a run wrote any more.

Of a secret in Vault it is the version: the plugin keeps the one it wrote in the state (`metadata`), and reads that of
now. No value is read for it. Of a tag it is the commit it points at.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from usine.drift.findings import Finding, Means
from usine.drift.observe import Observation
from usine.drift.paths import lookup
from usine.plan.model import SECRET
from usine.report.model import ABSENT, Action

_SECRET = "vault:kv/secretV2:SecretV2"  # noqa: S105 - a type
_VALUE = "dataJson"
_TAG = "gitlab:index/projectTag:ProjectTag"


def rewritten(observation: Observation) -> Iterator[Finding]:
    """Yield a finding for a secret, or a tag, that is not the one that the last run wrote."""
    if observation.address.type == _SECRET:
        yield from _secret(observation)
    if observation.address.type == _TAG:
        yield from _tag(observation)


def _moved(observation: Observation, *path: str) -> tuple[Any, Any] | None:
    """Return what the last run left at a path of the outputs, and what is there now; None where these do not differ."""
    if observation.live is None:
        return None
    wrote, there = (lookup(side.outputs, path) for side in (observation.known, observation.live))
    return None if ABSENT in (wrote, there) or wrote == there else (wrote, there)


def _secret(observation: Observation) -> Iterator[Finding]:
    address, moved = observation.address, _moved(observation, "metadata", "version")
    if moved is None:
        return
    wrote, there = moved
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


def _tag(observation: Observation) -> Iterator[Finding]:
    """Yield a finding for a tag that was taken away and made again elsewhere: GitLab moves no protected one."""
    address, live, moved = observation.address, observation.live, _moved(observation, "target")
    if live is None or moved is None:
        return
    wrote, there = moved
    name = live.outputs.get("name")
    tags = f"/api/v4/projects/{live.outputs.get('project')}/repository/tags"
    yield Finding(
        Action.CHANGED,
        address.tenant,
        address.system,
        address.type,
        address.name,
        "ref",
        wrote,
        there,
        address.urn,
        detail="no run moves a tag that is there; pipelines that include it run what it points at",
        means=Means.HAND,
        call=f"DELETE {tags}/{name}, then POST {tags}?tag_name={name}&ref={wrote}",
    )

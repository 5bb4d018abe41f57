"""The checkpoint of a stack as `pulumi stack export` gives it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def deployment_of(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Return the deployment of a checkpoint; of a stack that was never applied, an empty one."""
    return checkpoint.get("deployment") or {}


def resources_of(checkpoint: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the resources of a checkpoint."""
    return deployment_of(checkpoint).get("resources") or []


def pending_of(checkpoint: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the operations that an interrupted run left unfinished."""
    return deployment_of(checkpoint).get("pending_operations") or []

"""A secret that the platform writes."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pulumi
import pulumi_vault as vault
from pulumi_vault import kv

from components.base import Component, secret


def write_secret(
    owner: Component,
    name: str,
    mount: pulumi.Input[str],
    path: str,
    fields: Mapping[str, pulumi.Input[str]],
    provider: vault.Provider,
    parent: vault.Mount | None = None,
) -> None:
    """Write fields to a path of a KV version 2 mount. They are encrypted in the state."""
    kv.SecretV2(
        name,
        mount=mount,
        name=path,
        data_json=secret(pulumi.Output.all(**fields).apply(lambda values: json.dumps(values, sort_keys=True))),
        # Versions of a rotated credential are of no use.
        delete_all_versions=True,
        opts=owner.child(provider, parent=parent),
    )

"""What all tenants share: the limits of their logs, in a config map that Loki reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from components.base import Component
from model.naming import LOG_LIMITS, LOG_LIMITS_KEY


@dataclass(frozen=True, slots=True)
class ObservabilityFoundationArgs:
    """`provider` is that of the cluster that Loki runs on, `namespace` Loki's. `retention` is in days, by tenant."""

    provider: kubernetes.Provider
    namespace: str
    retention: Mapping[str, int]


class ObservabilityFoundation(Component):
    """The limits of each tenant's logs. Loki's tenant is the slug (`X-Scope-OrgID`).

    Loki reads one file with the limits of all tenants (`runtime_config`) and reloads it when it changes.
    """

    system = "observability"

    def __init__(
        self, name: str, args: ObservabilityFoundationArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Register the config map."""
        super().__init__(name, opts)
        core.ConfigMap(
            f"{name}/log-limits",
            metadata=ObjectMetaArgs(
                name=LOG_LIMITS, namespace=args.namespace, labels={"app.kubernetes.io/managed-by": "usine"}
            ),
            data={LOG_LIMITS_KEY: log_limits(args.retention)},
            opts=self.child(args.provider),
        )
        self.register_outputs({})


def log_limits(retention: Mapping[str, int]) -> str:
    """Return Loki's runtime configuration. Loki reads YAML, and JSON is YAML."""
    overrides = {slug: {"retention_period": f"{days * 24}h"} for slug, days in sorted(retention.items())}
    return json.dumps({"overrides": overrides}, indent=1) + "\n"

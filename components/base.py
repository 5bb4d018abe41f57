"""What every component shares: its type token, and how its children are parented."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import pulumi
import pulumi_keycloak as keycloak
import pulumi_kubernetes as kubernetes
import pulumi_vault as vault

#: `system` of the components that compose others and belong to none.
COMPOSITION = "usine"


class Component(pulumi.ComponentResource):
    """A component of Usine. Its type token is ``usine:<system>:<class name>``.

    Subclasses set `system` and call `register_outputs` last.
    """

    system: ClassVar[str]

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register the component under the given logical name."""
        super().__init__(f"usine:{self.system}:{type(self).__name__}", name, None, opts)

    def child(
        self,
        provider: pulumi.ProviderResource,
        *,
        parent: pulumi.Resource | None = None,
        protect: bool = False,  # said either way: Pulumi lets children inherit it
        deleted_with: pulumi.Resource | None = None,
        depends_on: list[pulumi.Resource] | None = None,
    ) -> pulumi.ResourceOptions:
        """Return the options of a child managed by `provider`; its parent is the component unless told otherwise."""
        return pulumi.ResourceOptions(
            parent=parent or self,
            provider=provider,
            protect=protect,
            deleted_with=deleted_with,
            depends_on=depends_on,
        )


@dataclass(frozen=True, slots=True)
class Providers:
    """One explicit provider per system (each is a process), and one Kubernetes provider per cluster.

    A system that is switched off has None, or no clusters.
    """

    keycloak: keycloak.Provider | None
    vault: vault.Provider | None
    kubernetes: Mapping[str, kubernetes.Provider]


@dataclass(frozen=True, slots=True)
class OidcClient:
    """An OIDC client of the realm. `secret` is None for a public client, and always a Pulumi secret otherwise."""

    client_id: pulumi.Output[str]
    secret: pulumi.Output[str] | None


@dataclass(frozen=True, slots=True)
class FoundationRefs:
    """All that crosses from the foundation to a tenant: names, and ids that can be looked up.

    `accounts` maps a user name to the user name once the account exists. `kubernetes_auth_paths`, `cluster_roles`
    are by cluster name; the latter holds the names of the tenant cluster roles by their short name (see
    `components.kubernetes.ClusterRoleName`).
    """

    realm: pulumi.Input[str]
    accounts: Mapping[str, pulumi.Input[str]]
    oidc_accessor: pulumi.Input[str] | None
    kubernetes_auth_paths: Mapping[str, pulumi.Input[str]]
    cluster_roles: Mapping[str, Mapping[str, pulumi.Input[str]]]

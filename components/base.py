"""What every component shares: its type token, and how its children are parented."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, cast

import pulumi
import pulumi_gitlab as gitlab
import pulumi_keycloak as keycloak
import pulumi_kubernetes as kubernetes
import pulumi_vault as vault
import pulumiverse_harbor as harbor

#: The scope of tokens that do not end with the session.
OFFLINE_SCOPE = "offline_access"
#: `system` of the components that compose others and belong to none.
COMPOSITION = "usine"


class Component(pulumi.ComponentResource):
    """A component of Usine. Its type token is ``usine:<system>:<class name>``.

    Subclasses set `system` and call `register_outputs` last.
    """

    system: ClassVar[str]

    def __init__(
        self, name: str, opts: pulumi.ResourceOptions | None = None, inputs: Mapping[str, str] | None = None
    ) -> None:
        """Register the component under the given logical name, with what others may want to know of it as inputs."""
        super().__init__(f"usine:{self.system}:{type(self).__name__}", name, inputs, opts)

    def child(
        self,
        provider: pulumi.ProviderResource,
        *,
        parent: pulumi.Resource | None = None,
        protect: bool = False,  # said either way: Pulumi lets children inherit it
        deleted_with: pulumi.Resource | None = None,
        depends_on: list[pulumi.Resource] | None = None,
        delete_before_replace: bool = False,
    ) -> pulumi.ResourceOptions:
        """Return the options of a child managed by `provider`; its parent is the component unless told otherwise.

        `delete_before_replace` is for what its address alone tells apart: made anew first, the old one's deletion
        would take the new one away.
        """
        return pulumi.ResourceOptions(
            parent=parent or self,
            provider=provider,
            protect=protect,
            deleted_with=deleted_with,
            depends_on=depends_on,
            delete_before_replace=delete_before_replace or None,
        )


def secret(value: pulumi.Output[str]) -> pulumi.Output[str]:
    """Mark an output as secret, whatever its resource says of it."""
    return pulumi.Output.secret(cast(str, value))  # the SDK takes outputs too, though its types don't say so


def number(id_: pulumi.Output[str] | pulumi.Output[int]) -> pulumi.Output[int]:
    """Return an id as the whole number it is. An offline plan has words in place of ids, and keeps them."""

    def convert(value: str | int) -> int:
        return int(value) if str(value).isdigit() else cast(int, value)

    return cast("pulumi.Output[str | int]", id_).apply(convert)


@dataclass(frozen=True, slots=True)
class Providers:
    """One explicit provider per system (each is a process), and one Kubernetes provider per cluster.

    A system that is switched off has None, or no clusters. `operations` is GitLab as the account that owns the
    platform's schedules; None where the stack has none.
    """

    operations: gitlab.Provider | None
    keycloak: keycloak.Provider | None
    vault: vault.Provider | None
    gitlab: gitlab.Provider | None
    harbor: harbor.Provider | None
    sonarqube: pulumi.ProviderResource | None
    kubernetes: Mapping[str, kubernetes.Provider]


@dataclass(frozen=True, slots=True)
class OidcClient:
    """An OIDC client of the realm. `secret` is None for a public client, and always a Pulumi secret otherwise."""

    client_id: pulumi.Output[str]
    secret: pulumi.Output[str] | None


@dataclass(frozen=True, slots=True)
class UserPassword:
    """A credential made by a system for a machine. `password` is always a Pulumi secret."""

    username: pulumi.Output[str]
    password: pulumi.Output[str]


@dataclass(frozen=True, slots=True)
class FoundationRefs:
    """All that crosses from the foundation to a tenant: names, and ids that can be looked up.

    `accounts` maps a user name to the user name once the account exists. `kubernetes_auth_paths`, `cluster_roles`
    are by cluster name; the latter holds the names of the tenant cluster roles by their short name (see
    `components.kubernetes.cluster_roles.ClusterRoleName`). `pipeline_auth_path` is the Vault auth path that accepts
    GitLab's job tokens. `forge_root` is the id of the GitLab group that contains all tenants' groups,
    `forge_operations` the id of the group of the platform's scheduled work, `forge_users` the account id by user name,
    `forge_levels` the level that members of the root group have, `catalogue_tag` the tag of the CI catalogue.
    `registry_login` resolves once Harbor knows groups. `gates` maps a quality gate's name to that name once the gate
    exists. A system that is off leaves None or an empty mapping.
    """

    realm: pulumi.Input[str]
    accounts: Mapping[str, pulumi.Input[str]]
    oidc_accessor: pulumi.Input[str] | None
    kubernetes_auth_paths: Mapping[str, pulumi.Input[str]]
    cluster_roles: Mapping[str, Mapping[str, pulumi.Input[str]]]
    pipeline_auth_path: pulumi.Input[str] | None = None
    forge_root: pulumi.Input[int] | None = None
    forge_operations: pulumi.Input[int] | None = None
    forge_users: Mapping[str, pulumi.Input[int]] = field(default_factory=dict)
    forge_levels: Mapping[str, str] = field(default_factory=dict)
    catalogue_tag: pulumi.Input[str] | None = None
    registry_login: pulumi.Input[str] | None = None
    gates: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)

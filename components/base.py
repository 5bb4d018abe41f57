"""The base class of all components, and the values that components pass to each other."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, cast

import pulumi
import pulumi_gitlab as gitlab
import pulumi_keycloak as keycloak
import pulumi_kubernetes as kubernetes
import pulumi_vault as vault
import pulumiverse_harbor as harbor

#: The OIDC scope of tokens that outlive the session.
OFFLINE_SCOPE = "offline_access"
#: `system` of the components that compose others and belong to no single system.
COMPOSITION = "usine"


class Component(pulumi.ComponentResource):
    """A component of Usine. Its type token is ``usine:<system>:<class name>``.

    Subclasses set `system` and call `register_outputs` last.
    """

    system: ClassVar[str]

    def __init__(
        self, name: str, opts: pulumi.ResourceOptions | None = None, inputs: Mapping[str, str] | None = None
    ) -> None:
        """Register the component under the given logical name.

        `inputs` are kept in the state, for readers that see only resources (policies, guards).
        """
        super().__init__(f"usine:{self.system}:{type(self).__name__}", name, inputs, opts)

    def child(
        self,
        provider: pulumi.ProviderResource,
        *,
        parent: pulumi.Resource | None = None,
        protect: bool = False,  # always set: otherwise Pulumi lets children inherit it from the parent
        deleted_with: pulumi.Resource | None = None,
        depends_on: list[pulumi.Resource] | None = None,
        delete_before_replace: bool = False,
    ) -> pulumi.ResourceOptions:
        """Return the options of a child managed by `provider`; its parent is the component unless `parent` is given.

        Set `delete_before_replace` for an object that is identified only by its address (a branch's protection): if the
        engine created the new one first, the deletion of the old one would delete the new one.
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
    """Return the output as a Pulumi secret, whether or not its resource marks it as one."""
    return pulumi.Output.secret(cast(str, value))  # the SDK accepts outputs too, but its type hints do not


def encoded(text: str) -> str:
    """Return the text in base64, as the data of a Kubernetes Secret and the authorities in its objects have it."""
    return base64.b64encode(text.encode()).decode()


def number(id_: pulumi.Output[str] | pulumi.Output[int]) -> pulumi.Output[int]:
    """Return an id as an integer. Ids in an offline plan are placeholder texts: they are returned unchanged."""

    def convert(value: str | int) -> int:
        return int(value) if str(value).isdigit() else cast(int, value)

    return cast("pulumi.Output[str | int]", id_).apply(convert)


@dataclass(frozen=True, slots=True)
class Providers:
    """One explicit provider per system (each is a process), and one Kubernetes provider per cluster.

    The provider of a system that is switched off is None; `kubernetes` is then empty. `operations` is the GitLab
    provider that acts as the account that owns the platform's schedules; None if the stack has no schedules.
    """

    operations: gitlab.Provider | None
    keycloak: keycloak.Provider | None
    vault: vault.Provider | None
    gitlab: gitlab.Provider | None
    harbor: harbor.Provider | None
    sonarqube: pulumi.ProviderResource | None
    kubernetes: Mapping[str, kubernetes.Provider]


@dataclass(frozen=True, slots=True)
class OidcIssuer:
    """Keycloak's realm as an issuer of OIDC tokens.

    `authority` is the PEM text of the certificate authority to trust for `url`; None for a public one.
    """

    url: str
    authority: str | None


@dataclass(frozen=True, slots=True)
class OidcClient:
    """An OIDC client of the realm that `issuer` is.

    `secret` is None for a public client, and always a Pulumi secret otherwise.
    """

    client_id: pulumi.Output[str]
    secret: pulumi.Output[str] | None
    issuer: OidcIssuer


@dataclass(frozen=True, slots=True)
class UserPassword:
    """A credential that a system creates for a machine. `password` is always a Pulumi secret."""

    username: pulumi.Output[str]
    password: pulumi.Output[str]


@dataclass(frozen=True, slots=True)
class GitLabRefs:
    """What tenants need from GitLab's foundation.

    `root` is the id of the group that contains all tenants' groups, `catalogue_tag` the tag of the CI catalogue,
    `first_catalogue_tag` that of the tenants that use a new version first (None if there are none),
    `operations` the id of the group of the platform's scheduled work (None if the stack has none). `users` is the
    account id by user name, `levels` the access level of the members of the root group by user name.
    """

    root: pulumi.Input[int]
    catalogue_tag: pulumi.Input[str]
    first_catalogue_tag: pulumi.Input[str] | None = None
    operations: pulumi.Input[int] | None = None
    users: Mapping[str, pulumi.Input[int]] = field(default_factory=dict)
    levels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FoundationRefs:
    """Everything that tenants need from the foundation: names, and ids that can be looked up.

    `accounts` maps a user name to the user name once the account exists. `kubernetes_auth_paths` and `cluster_roles`
    are by cluster name; the latter holds the full names of the tenant cluster roles by their short name (see
    `components.kubernetes.cluster_roles.ClusterRoleName`). `pipeline_auth_path` is the Vault auth path that accepts
    GitLab's job tokens. `signing_mount` is the path of Vault's mount of signing keys, `platform_mount` that of the one
    for the platform's own machines. `registry_login` resolves once
    Harbor accepts OIDC groups. `gates` maps a quality gate's name to that name once the gate exists. A system that is
    switched off has None or an empty mapping.
    """

    realm: pulumi.Input[str]
    accounts: Mapping[str, pulumi.Input[str]]
    oidc_accessor: pulumi.Input[str] | None
    kubernetes_auth_paths: Mapping[str, pulumi.Input[str]]
    cluster_roles: Mapping[str, Mapping[str, pulumi.Input[str]]]
    pipeline_auth_path: pulumi.Input[str] | None = None
    signing_mount: pulumi.Input[str] | None = None
    platform_mount: pulumi.Input[str] | None = None
    gitlab: GitLabRefs | None = None
    registry_login: pulumi.Input[str] | None = None
    gates: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)

"""Vault (OpenBao): auth back ends for everyone; mount, policies, groups and workload roles for a tenant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_vault as vault
from pulumi_vault import identity, jwt
from pulumi_vault import kubernetes as kubernetes_auth

from components.base import Component, FoundationRefs, OidcClient
from components.vault_pipelines import PipelineAccess, PipelineAccessArgs
from components.vault_policies import environment_rules, role_rules, to_hcl
from usine.access import TenantRole, has_any, roles_of
from usine.lifecycle import protects_data, workloads_authenticate
from usine.naming import OIDC_AUTH_PATH, PIPELINE_AUTH_PATH, VAULT_SERVICE_ACCOUNT, kubernetes_auth_path, names_of
from usine.spec.model import Environment, Project
from usine.spec.settings import Cluster, Settings, System

#: Roles of the OIDC back end: ``person`` for the browser, ``token`` for a token that a command line already holds.
PERSON_ROLE = "person"
TOKEN_ROLE = "token"  # noqa: S105 - a role's name
_HOUR = 3600


@dataclass(frozen=True, slots=True)
class VaultFoundationArgs:
    """`client` is Keycloak's OIDC client for Vault, None when Keycloak is off: then nobody logs in as a person.

    `authorities` has the PEM text of each CA file the settings name, by its path as written there.
    """

    settings: Settings
    provider: vault.Provider
    client: OidcClient | None
    authorities: Mapping[str, str]


class VaultFoundation(Component):
    """How people (OIDC), pipelines (JWT) and workloads (Kubernetes) log in.

    `oidc_accessor` is the accessor of the OIDC mount (None without Keycloak), `kubernetes_paths` the auth path of each
    cluster once it is configured, `pipeline_path` the one that takes GitLab's job tokens (None without GitLab).
    """

    system = "vault"
    oidc_accessor: pulumi.Output[str] | None
    kubernetes_paths: Mapping[str, pulumi.Output[str]]
    pipeline_path: pulumi.Output[str] | None

    def __init__(self, name: str, args: VaultFoundationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register the auth back ends."""
        super().__init__(name, opts)
        self._args = args
        self.oidc_accessor = self._oidc(name, args.client) if args.client else None
        clusters = args.settings.clusters.values() if args.settings.on(System.KUBERNETES) else ()
        self.kubernetes_paths = {cluster.name: self._kubernetes(name, cluster) for cluster in clusters}
        self.pipeline_path = self._pipelines(name) if args.settings.on(System.GITLAB) else None
        self.register_outputs({"oidcAccessor": self.oidc_accessor, "kubernetesPaths": dict(self.kubernetes_paths)})

    def _pipelines(self, name: str) -> pulumi.Output[str]:
        issuer = self._args.settings.endpoints[System.GITLAB]
        backend = jwt.AuthBackend(
            f"{name}/auth/gitlab",
            type="jwt",
            path=PIPELINE_AUTH_PATH,
            description="Pipelines, by the identity GitLab signs for each job",
            oidc_discovery_url=issuer.url,
            oidc_discovery_ca_pem=self._authority(issuer.ca),
            bound_issuer=issuer.url,
            opts=self.child(self._args.provider),
        )
        return backend.path.apply(str)

    def _authority(self, path: object) -> str | None:
        return None if path is None else self._args.authorities[str(path)].strip()  # a final newline never settles

    def _oidc(self, name: str, client: OidcClient) -> pulumi.Output[str]:
        settings, provider = self._args.settings, self._args.provider
        issuer = settings.endpoints[System.KEYCLOAK]
        url = settings.endpoints[System.VAULT].url
        backend = jwt.AuthBackend(
            f"{name}/auth/oidc",
            type="oidc",
            path=OIDC_AUTH_PATH,
            description="People, by Keycloak",
            oidc_discovery_url=f"{issuer.url}/realms/{settings.keycloak.realm}",
            oidc_discovery_ca_pem=self._authority(issuer.ca),
            oidc_client_id=client.client_id,
            oidc_client_secret=client.secret,
            default_role=PERSON_ROLE,
            opts=self.child(provider),
        )
        jwt.AuthBackendRole(
            f"{name}/auth/oidc/{PERSON_ROLE}",
            backend=backend.path,
            role_name=PERSON_ROLE,
            role_type="oidc",
            user_claim="preferred_username",
            groups_claim="groups",
            oidc_scopes=["openid", "profile", "groups"],
            bound_audiences=[client.client_id],
            allowed_redirect_uris=[
                f"{url}/ui/vault/auth/oidc/oidc/callback",
                "http://localhost:8250/oidc/callback",
            ],
            token_policies=["default"],
            token_ttl=_HOUR,
            token_max_ttl=8 * _HOUR,
            opts=self.child(provider, parent=backend, deleted_with=backend),
        )
        jwt.AuthBackendRole(
            f"{name}/auth/oidc/{TOKEN_ROLE}",
            backend=backend.path,
            role_name=TOKEN_ROLE,
            role_type="jwt",
            user_claim="preferred_username",
            groups_claim="groups",
            bound_audiences=[client.client_id],
            token_policies=["default"],
            token_ttl=_HOUR,
            token_max_ttl=_HOUR,
            opts=self.child(provider, parent=backend, deleted_with=backend),
        )
        return backend.accessor

    def _kubernetes(self, name: str, cluster: Cluster) -> pulumi.Output[str]:
        provider = self._args.provider
        backend = vault.AuthBackend(
            f"{name}/auth/kubernetes/{cluster.name}",
            type="kubernetes",
            path=kubernetes_auth_path(cluster),
            description=f"Workloads of cluster {cluster.name}",
            opts=self.child(provider),
        )
        config = kubernetes_auth.AuthBackendConfig(
            f"{name}/auth/kubernetes/{cluster.name}/config",
            backend=backend.path,
            kubernetes_host=cluster.server,
            kubernetes_ca_cert=self._authority(cluster.ca),
            # No reviewer token is stored: Vault reviews a workload's token with that token itself, which the
            # workload's service account is allowed to do (the cluster role token-review).
            disable_local_ca_jwt=True,
            opts=self.child(provider, parent=backend, deleted_with=backend),
        )
        return config.backend.apply(lambda path: path or kubernetes_auth_path(cluster))


@dataclass(frozen=True, slots=True)
class VaultTenantArgs:
    """What one tenant's secrets need.

    `forge_group` is the id of its group in GitLab (None: GitLab is off), `forge_operations` of the project of the
    platform's scheduled work for it (None: there is none), `forge_publishers` of the projects whose protected pipelines
    publish, `pipeline_secrets` what the platform keeps for pipelines: fields by path in the mount.
    """

    project: Project
    settings: Settings
    provider: vault.Provider
    refs: FoundationRefs
    forge_group: pulumi.Output[int] | None = None
    forge_operations: pulumi.Output[int] | None = None
    forge_publishers: Sequence[pulumi.Output[int]] = ()
    pipeline_secrets: Mapping[str, Mapping[str, pulumi.Input[str]]] = field(default_factory=dict)


class VaultTenant(Component):
    """The tenant's secrets: KV version 2 mount, a policy and a group per role, a policy and a role per environment.

    `mount` is the mount's path once it exists.
    """

    system = "vault"
    mount: pulumi.Output[str]

    def __init__(self, name: str, args: VaultTenantArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register mount, policies, groups and roles."""
        super().__init__(name, opts)
        self._args = args
        project = args.project
        mount = vault.Mount(
            f"{name}/mount",
            path=names_of(project).secrets_mount,
            type="kv",
            options={"version": "2"},
            description=f"Secrets of {project.slug}",
            opts=self.child(args.provider, protect=protects_data(project)),
        )
        self.mount = mount.path
        for role in roles_of(project):
            if has_any(role.rights, System.VAULT):
                self._role(name, role)
        if workloads_authenticate(project):
            for environment in project.environments:
                self._environment(name, environment)
        PipelineAccess(
            f"{name}/pipelines",
            PipelineAccessArgs(
                project,
                args.settings,
                args.provider,
                args.refs,
                mount,
                args.forge_group,
                args.forge_operations,
                args.forge_publishers,
                args.pipeline_secrets,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"mount": self.mount})

    def _role(self, name: str, role: TenantRole) -> None:
        project, provider, accessor = self._args.project, self._args.provider, self._args.refs.oidc_accessor
        names = names_of(project)
        policy = vault.Policy(
            f"{name}/policy/role/{role.name}",
            name=names.role_policy(role.name),
            policy=to_hcl(role_rules(project, role.rights)),
            opts=self.child(provider),
        )
        if accessor is None:
            return
        group = identity.Group(
            f"{name}/group/{role.name}",
            name=names.role_identity_group(role.name),
            type="external",
            policies=[policy.name],
            metadata={"tenant": project.slug, "role": role.name},
            opts=self.child(provider),
        )
        identity.GroupAlias(
            f"{name}/group/{role.name}/alias",
            name=names.role_group_path(role.name),
            mount_accessor=accessor,
            canonical_id=group.id,
            opts=self.child(provider, parent=group, deleted_with=group),
        )

    def _environment(self, name: str, environment: Environment) -> None:
        project, provider = self._args.project, self._args.provider
        names = names_of(project)
        policy = vault.Policy(
            f"{name}/policy/env/{environment.name}",
            name=names.environment_policy(environment.name),
            policy=to_hcl(environment_rules(project, environment)),
            opts=self.child(provider),
        )
        path = self._args.refs.kubernetes_auth_paths.get(environment.cluster)
        if path is None:
            return
        namespace = names.namespace(environment.name)
        kubernetes_auth.AuthBackendRole(
            f"{name}/kubernetes-role/{environment.name}",
            backend=path,
            role_name=namespace,
            bound_service_account_names=[VAULT_SERVICE_ACCOUNT],
            bound_service_account_namespaces=[namespace],
            audience=self._args.settings.clusters[environment.cluster].token_audience,
            token_policies=[policy.name],
            token_ttl=_HOUR,
            token_max_ttl=8 * _HOUR,
            opts=self.child(provider),
        )

"""A tenant in Vault: its mount, policies, identity groups and workload roles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_vault as vault
from pulumi_vault import identity, jwt, transit
from pulumi_vault import kubernetes as kubernetes_auth

from components.base import Component
from components.vault.pipelines import PipelineAccess, PipelineAccessArgs, PipelineIdentity
from components.vault.policies import environment_rules, role_rules, to_hcl, verification_rules
from components.vault.secrets import write_secret
from model.access import TenantRole, has_any, roles_of
from model.clusters import Cluster
from model.lifecycle import protects_data, workloads_authenticate
from model.naming import VAULT_SERVICE_ACCOUNT, names_of
from model.settings import System
from model.tenant import Environment, Tenant

_HOUR = 3600


@dataclass(frozen=True, slots=True)
class VaultTenantArgs:
    """`url` is Vault's own address. `clusters` are those of the tenant's environments, by name.

    `oidc_accessor` is the accessor of the OIDC mount (None: people cannot log in), `kubernetes_auth_paths` the auth
    path of each cluster (missing: its workloads cannot log in). `pipelines` is None if GitLab is off;
    `pipeline_secrets` are those that the platform writes for pipelines: fields by path in the mount. `signing_mount` is
    the path of the mount of signing keys; None if no pipeline pushes images. `pulled_secrets` are the credentials of
    repositories for clusters that pull: fields by path in `platform_mount`.
    """

    tenant: Tenant
    provider: vault.Provider
    url: str
    clusters: Mapping[str, Cluster]
    oidc_accessor: pulumi.Input[str] | None = None
    kubernetes_auth_paths: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    pipelines: PipelineIdentity | None = None
    pipeline_secrets: Mapping[str, Mapping[str, pulumi.Input[str]]] = field(default_factory=dict)
    signing_mount: pulumi.Input[str] | None = None
    platform_mount: pulumi.Input[str] | None = None
    pulled_secrets: Mapping[str, Mapping[str, pulumi.Input[str]]] = field(default_factory=dict)


class VaultTenant(Component):
    """The tenant's secrets: a KV version 2 mount, a policy and a group per role, a policy and a role per environment.

    Also the key that signs the tenant's images. `mount` is the mount's path once it exists, `public_keys` the PEM texts
    of all versions of that key, oldest first (None if no pipeline pushes images).
    """

    system = "vault"
    mount: pulumi.Output[str]
    public_keys: pulumi.Output[Sequence[str]] | None

    def __init__(self, name: str, args: VaultTenantArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register mount, policies, groups and roles."""
        super().__init__(name, opts)
        self._args = args
        tenant = args.tenant
        mount = vault.Mount(
            f"{name}/mount",
            path=names_of(tenant).secrets_mount,
            type="kv",
            options={"version": "2"},
            description=f"Secrets of {tenant.slug}",
            opts=self.child(args.provider, protect=protects_data(tenant)),
        )
        self.mount = mount.path
        self.public_keys = None if args.signing_mount is None else self._signing_key(name, args.signing_mount)
        for role in roles_of(tenant):
            if has_any(role.rights, System.VAULT):
                self._role(name, role)
        if workloads_authenticate(tenant):
            for environment in tenant.environments:
                self._environment(name, environment)
        PipelineAccess(
            f"{name}/pipelines",
            PipelineAccessArgs(
                tenant=tenant,
                provider=args.provider,
                url=args.url,
                mount=mount,
                identity=args.pipelines,
                secrets=args.pipeline_secrets,
                signs=args.signing_mount is not None,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        if args.platform_mount is not None:
            for path, fields in args.pulled_secrets.items():
                write_secret(self, f"{name}/pulled/{path}", args.platform_mount, path, fields, args.provider)
        self.register_outputs({"mount": self.mount})

    def _signing_key(self, name: str, mount: pulumi.Input[str]) -> pulumi.Output[Sequence[str]]:
        """Create the key. Without its public keys nobody can verify an image, so it is protected like data."""
        protected = protects_data(self._args.tenant)
        key = transit.SecretBackendKey(
            f"{name}/signing-key",
            backend=mount,
            name=names_of(self._args.tenant).signing_key,
            type="ecdsa-p256",
            # Nobody reads the private key, and Vault deletes the key only when this allows it.
            exportable=False,
            allow_plaintext_backup=False,
            deletion_allowed=not protected,
            opts=self.child(self._args.provider, protect=protected),
        )
        return key.keys.apply(public_keys)

    def _role(self, name: str, role: TenantRole) -> None:
        tenant, provider, accessor = self._args.tenant, self._args.provider, self._args.oidc_accessor
        names = names_of(tenant)
        policy = vault.Policy(
            f"{name}/policy/role/{role.name}",
            name=names.role_policy(role.name),
            policy=to_hcl(
                (
                    *role_rules(tenant, role.rights),
                    *(verification_rules(tenant) if self._args.signing_mount is not None else ()),
                )
            ),
            opts=self.child(provider),
        )
        if accessor is None:
            return
        group = identity.Group(
            f"{name}/group/{role.name}",
            name=names.role_identity_group(role.name),
            type="external",
            policies=[policy.name],
            metadata={"tenant": tenant.slug, "role": role.name},
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
        tenant, provider = self._args.tenant, self._args.provider
        names = names_of(tenant)
        policy = vault.Policy(
            f"{name}/policy/env/{environment.name}",
            name=names.environment_policy(environment.name),
            policy=to_hcl(
                environment_rules(tenant, environment, pulls=self._args.clusters[environment.cluster].pull is not None)
            ),
            opts=self.child(provider),
        )
        path = self._args.kubernetes_auth_paths.get(environment.cluster)
        if path is None:
            return
        namespace = names.namespace(environment.name)
        cluster = self._args.clusters[environment.cluster]
        if cluster.pull is not None:
            # Vault verifies the signature and the end of a token, and asks nobody whether its pod still exists.
            jwt.AuthBackendRole(
                f"{name}/jwt-role/{environment.name}",
                backend=path,
                role_name=namespace,
                role_type="jwt",
                user_claim="sub",
                bound_audiences=[cluster.token_audience],
                bound_subject=f"system:serviceaccount:{namespace}:{VAULT_SERVICE_ACCOUNT}",
                token_policies=[policy.name],
                token_ttl=_HOUR,
                token_max_ttl=_HOUR,
                opts=self.child(provider),
            )
            return
        kubernetes_auth.AuthBackendRole(
            f"{name}/kubernetes-role/{environment.name}",
            backend=path,
            role_name=namespace,
            bound_service_account_names=[VAULT_SERVICE_ACCOUNT],
            bound_service_account_namespaces=[namespace],
            audience=cluster.token_audience,
            token_policies=[policy.name],
            token_ttl=_HOUR,
            token_max_ttl=8 * _HOUR,
            opts=self.child(provider),
        )


def public_keys(versions: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the public keys of all versions that Vault still verifies with. The provider returns them in no order."""
    return [key for _, key in sorted((version["creation_time"], version["public_key"]) for version in versions)]

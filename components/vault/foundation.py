"""The foundation in Vault: the auth back ends, and the mount of signing keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_vault as vault
from pulumi_vault import jwt
from pulumi_vault import kubernetes as kubernetes_auth

from components.base import Component, OidcClient
from components.vault.policies import to_hcl, zone_rules
from components.vault.secrets import write_secret
from model.clusters import Cluster, ClusterPull
from model.naming import OIDC_AUTH_PATH, PIPELINE_AUTH_PATH, PLATFORM_MOUNT, SIGNING_MOUNT, kubernetes_auth_path
from model.settings import Endpoint
from model.zone_naming import ZONE_ACCOUNT, ZONE_ROLE, zone_policy

#: Roles of the OIDC back end: ``person`` logs in by the browser, ``token`` with a token that a command line already
#: has.
PERSON_ROLE = "person"
TOKEN_ROLE = "token"  # noqa: S105 - a role's name

_HOUR = 3600
_BEGIN = "-----BEGIN"


@dataclass(frozen=True, slots=True)
class VaultFoundationArgs:
    """`url` is Vault's own address. `client` is Keycloak's OIDC client for Vault; None if people cannot log in.

    `gitlab` is the issuer of job tokens; None if there are no pipelines. Workloads of `clusters` can log in.
    `authorities` has the PEM text of each CA file that `gitlab` and `clusters` name, by its path. `signs`: pipelines
    push images, so the tenants have keys that sign these. `secrets` are credentials for the platform's own machines:
    fields by path in the platform's mount.
    """

    provider: vault.Provider
    url: str
    client: OidcClient | None
    gitlab: Endpoint | None
    clusters: Sequence[Cluster]
    authorities: Mapping[str, str]
    signs: bool
    secrets: Mapping[str, Mapping[str, pulumi.Input[str]]] = field(default_factory=dict)


class VaultFoundation(Component):
    """The auth back ends by which people (OIDC), pipelines (JWT) and workloads (Kubernetes) log in.

    `oidc_accessor` is the accessor of the OIDC mount (None without Keycloak), `kubernetes_paths` the auth path of each
    cluster once it is configured, `pipeline_path` the auth path that accepts GitLab's job tokens (None without GitLab),
    `signing_mount` the path of the mount of signing keys (None if nothing is signed), `platform_mount` that of the
    mount for the platform's own machines (None without secrets for them).
    """

    system = "vault"
    oidc_accessor: pulumi.Output[str] | None
    kubernetes_paths: Mapping[str, pulumi.Output[str]]
    pipeline_path: pulumi.Output[str] | None
    signing_mount: pulumi.Output[str] | None
    platform_mount: pulumi.Output[str] | None

    def __init__(self, name: str, args: VaultFoundationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register the auth back ends and the mount."""
        super().__init__(name, opts)
        self._args = args
        self.oidc_accessor = self._oidc(name, args.client) if args.client else None
        self.kubernetes_paths = {cluster.name: self._kubernetes(name, cluster) for cluster in args.clusters}
        self.pipeline_path = self._pipelines(name, args.gitlab) if args.gitlab else None
        self.signing_mount = self._signing_mount(name) if args.signs else None
        self.platform_mount = self._platform(f"{name}/platform", args.secrets) if args.secrets else None
        self.register_outputs({"oidcAccessor": self.oidc_accessor, "kubernetesPaths": dict(self.kubernetes_paths)})

    def _pipelines(self, name: str, issuer: Endpoint) -> pulumi.Output[str]:
        backend = jwt.AuthBackend(
            f"{name}/auth/gitlab",
            type="jwt",
            path=PIPELINE_AUTH_PATH,
            description="Pipelines, by the identity GitLab signs for each job",
            oidc_discovery_url=issuer.url,
            oidc_discovery_ca_pem=self._authority(issuer),
            bound_issuer=issuer.url,
            opts=self.child(self._args.provider),
        )
        return backend.path.apply(str)

    def _signing_mount(self, name: str) -> pulumi.Output[str]:
        mount = vault.Mount(
            f"{name}/mount/signing",
            path=SIGNING_MOUNT,
            type="transit",
            description="Keys that sign the tenants' images",
            opts=self.child(self._args.provider, protect=True),
        )
        return mount.path

    def _platform(self, name: str, secrets: Mapping[str, Mapping[str, pulumi.Input[str]]]) -> pulumi.Output[str]:
        """Create the mount for credentials of the platform's own machines. No policy of a tenant names it.

        The Argo CD of a cluster that pulls reads its own folders.
        """
        mount = vault.Mount(
            name,
            path=PLATFORM_MOUNT,
            type="kv",
            options={"version": "2"},
            description="Credentials that usine creates for the platform's own machines",
            opts=self.child(self._args.provider),
        )
        for path, fields in secrets.items():
            write_secret(self, f"{name}/{path}", mount.path, path, fields, self._args.provider, parent=mount)
        return mount.path

    def _authority(self, of: Endpoint | Cluster) -> str | None:
        authority = of.authority(self._args.authorities)
        return None if authority is None else _settled(authority)

    def _oidc(self, name: str, client: OidcClient) -> pulumi.Output[str]:
        provider, issuer = self._args.provider, client.issuer
        backend = jwt.AuthBackend(
            f"{name}/auth/oidc",
            type="oidc",
            path=OIDC_AUTH_PATH,
            description="People, by Keycloak",
            oidc_discovery_url=issuer.url,
            oidc_discovery_ca_pem=_settled(issuer.authority) if issuer.authority else None,
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
                f"{self._args.url}/ui/vault/auth/oidc/oidc/callback",
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
        if cluster.pull is not None:
            return self._issuer(name, cluster, cluster.pull)
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
            kubernetes_ca_cert=self._authority(cluster),
            # No reviewer token is stored: Vault reviews a workload's token with that same token. The cluster role
            # token-review allows the workload's service account to do so.
            disable_local_ca_jwt=True,
            opts=self.child(provider, parent=backend, deleted_with=backend),
        )
        return config.backend.apply(lambda path: path or kubernetes_auth_path(cluster))

    def _issuer(self, name: str, cluster: Cluster, pull: ClusterPull) -> pulumi.Output[str]:
        """Accept the tokens of a cluster that Vault does not reach, by the public keys of their issuer."""
        backend = jwt.AuthBackend(
            f"{name}/auth/jwt/{cluster.name}",
            type="jwt",
            path=kubernetes_auth_path(cluster),
            description=f"Workloads of cluster {cluster.name}",
            jwt_validation_pubkeys=_pems(self._args.authorities[str(pull.keys)]),
            bound_issuer=pull.issuer,
            opts=self.child(self._args.provider),
        )
        policy = vault.Policy(
            f"{name}/policy/zone/{cluster.name}",
            name=zone_policy(cluster),
            policy=to_hcl(zone_rules(cluster)),
            opts=self.child(self._args.provider),
        )
        # The cluster's own Argo CD: it reads the zone's repository, and those of the tenants.
        jwt.AuthBackendRole(
            f"{name}/auth/jwt/{cluster.name}/{ZONE_ROLE}",
            backend=backend.path,
            role_name=ZONE_ROLE,
            role_type="jwt",
            user_claim="sub",
            bound_audiences=[cluster.token_audience],
            bound_subject=f"system:serviceaccount:{pull.argocd_namespace}:{ZONE_ACCOUNT}",
            token_policies=[policy.name],
            token_ttl=_HOUR,
            token_max_ttl=_HOUR,
            opts=self.child(self._args.provider, parent=backend, deleted_with=backend),
        )
        return backend.path.apply(str)


def _pems(text: str) -> list[str]:
    """Return each of the PEM texts that stand one after the other."""
    return [
        f"{_BEGIN}{part}".strip() if _BEGIN in text else part.strip() for part in text.split(_BEGIN) if part.strip()
    ]


def _settled(authority: str) -> str:
    """Return a PEM text as Vault returns it, without the final newline.

    With the newline, each preview would show a change.
    """
    return authority.strip()

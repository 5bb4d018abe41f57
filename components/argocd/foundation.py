"""Argo CD's own settings, by its config maps: log-in by Keycloak, and rights."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs, ObjectMetaPatchArgs

from components.argocd.clusters import registration, secret_name
from components.base import Component, OidcClient, OidcIssuer
from model.argocd import ArgoCDInstance
from model.clusters import Cluster
from model.naming import MANAGED_BY_LABEL


@dataclass(frozen=True, slots=True)
class ArgoCDFoundationArgs:
    """`provider` is that of the cluster that the instance runs on.

    `client` is its OIDC client; None if Keycloak is off, and only Argo CD's own administrator can log in. Members of
    `admin_groups` administer it. `clusters` are those of the settings; it knows only those that it deploys to.
    `authorities` has the PEM text of each CA file by its path.
    """

    provider: kubernetes.Provider
    instance: ArgoCDInstance
    admin_groups: Sequence[str]
    client: OidcClient | None
    clusters: tuple[Cluster, ...]
    authorities: Mapping[str, str]


class ArgoCDFoundation(Component):
    """The own settings of one Argo CD, patched into the config maps of its installation.

    People log in by Keycloak, only the administrators' groups have rights everywhere, and deployments run as the
    deployer account of the namespace.
    """

    system = "argocd"

    def __init__(self, name: str, args: ArgoCDFoundationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register the patches."""
        super().__init__(name, opts)
        self._args = args
        client = args.client
        data: dict[str, pulumi.Input[str]] = {
            "url": args.instance.url,
            "application.sync.impersonation.enabled": "true",
            # Without an account in the AppProject nothing is deployed. Otherwise it would be with Argo CD's own rights.
            "application.sync.impersonation.enforced": "true",
            # With Keycloak, Argo CD's own administrator cannot log in. Nobody opens a shell in a pod through Argo CD.
            "admin.enabled": "false" if client is not None else "true",
            "exec.enabled": "false",
        }
        if client is not None:
            issuer = client.issuer
            data["oidc.config"] = client.client_id.apply(lambda client_id: _oidc_config(client_id, issuer))
        self._patch(f"{name}/settings", "argocd-cm", data)
        # Written even if it is empty, so that a line added manually is drift.
        policy = "".join(f"g, {group}, role:admin\n" for group in args.admin_groups)
        rights = {"policy.default": "", "policy.csv": policy, "scopes": "[groups]"}
        self._patch(f"{name}/rights", "argocd-rbac-cm", rights)
        for cluster in args.clusters:
            if cluster.argocd_token is not None and args.instance.deploys_to(cluster):
                self._register(f"{name}/cluster/{cluster.name}", cluster, cluster.argocd_token)
        self.register_outputs({"url": args.instance.url})

    def _register(self, name: str, cluster: Cluster, token: str) -> None:
        """Make a cluster known to Argo CD, which logs in there as its own service account."""
        authority = cluster.authority(self._args.authorities)
        core.Secret(
            name,
            metadata=ObjectMetaArgs(
                name=secret_name(cluster.name),
                namespace=self._args.instance.namespace,
                labels={MANAGED_BY_LABEL: "usine", "argocd.argoproj.io/secret-type": "cluster"},
            ),
            type="Opaque",
            data=registration(cluster.name, cluster.server, token, authority),
            opts=self.child(self._args.provider),
        )

    def _patch(self, name: str, config_map: str, data: Mapping[str, pulumi.Input[str]]) -> None:
        core.ConfigMapPatch(
            name,
            metadata=ObjectMetaPatchArgs(
                name=config_map,
                namespace=self._args.instance.namespace,
                annotations={"pulumi.com/patchForce": "true"},
            ),
            data=dict(data),
            opts=self.child(self._args.provider),
        )


def _oidc_config(client_id: str, issuer: OidcIssuer) -> str:
    """Return Argo CD's OIDC configuration. Argo CD reads YAML, and JSON is YAML."""
    config: dict[str, object] = {
        "name": "Keycloak",
        "issuer": issuer.url,
        "clientID": client_id,
        "enablePKCEAuthentication": True,  # a public client, so no secret has to be stored
        "requestedScopes": ["openid", "profile", "email", "groups"],
    }
    if issuer.authority is not None:
        config["rootCA"] = issuer.authority
    return json.dumps(config, sort_keys=True)

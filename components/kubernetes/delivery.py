"""Delivery of an environment's secrets from Vault into Kubernetes Secrets, by External Secrets.

No credential is stored: External Secrets requests a token of the account `vault` from the API server, and Vault gives
that account the rights of this environment only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from components.base import Component, encoded
from model.clusters import Cluster, SecretDelivery
from model.naming import (
    DELIVERY_STORE,
    MANAGED_BY_LABEL,
    PULL_SECRET,
    REGISTRY_SECRET,
    VAULT_SERVICE_ACCOUNT,
    environment_folder,
    kubernetes_auth_path,
    names_of,
)
from model.tenant import DeliveredSecret, Environment, Tenant

API = "external-secrets.io/v1"


@dataclass(frozen=True, slots=True)
class VaultAddress:
    """Vault's address. `authority` is the PEM text of the certificate authority to trust; None for a public one."""

    url: str
    authority: str | None = None


@dataclass(frozen=True, slots=True)
class NamespaceSecretsArgs:
    """One namespace. `deleted_with` is the namespace too if it is not protected, None otherwise.

    `registry` is the host of the registry whose pull secret is delivered as well; None if it is not.
    """

    tenant: Tenant
    environment: Environment
    cluster: Cluster
    delivery: SecretDelivery
    vault: VaultAddress
    namespace: core.Namespace
    deleted_with: core.Namespace | None
    labels: Mapping[str, str]
    provider: kubernetes.Provider
    registry: str | None = None


class NamespaceSecrets(Component):
    """A SecretStore that reads the environment's folder, and an ExternalSecret for each secret of the tenant file."""

    system = "kubernetes"

    def __init__(self, name: str, args: NamespaceSecretsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register store and secrets."""
        super().__init__(name, opts)
        self._args = args
        self._prefix = name
        self._store()
        for secret in secrets_of(args.tenant, args.environment):
            self._secret(secret)
        if args.registry is not None:
            self._pull_secret(args.registry)
        self.register_outputs({})

    def _object(self, logical: str, kind: str, name: str, spec: Mapping[str, object]) -> None:
        namespace = self._args.namespace
        CustomResource(
            f"{self._prefix}/{logical}",
            api_version=API,
            kind=kind,
            metadata=ObjectMetaArgs(
                name=name,
                namespace=namespace.metadata.apply(lambda metadata: str(metadata.name)),
                labels=dict(self._args.labels),
            ),
            spec=spec,
            opts=self.child(self._args.provider, parent=namespace, deleted_with=self._args.deleted_with),
        )

    def _store(self) -> None:
        names, vault = names_of(self._args.tenant), self._args.vault
        provider: dict[str, object] = {
            "server": vault.url,
            "path": names.secrets_mount,
            "version": "v2",
            "auth": _log_in(self._args.cluster, names.namespace(self._args.environment.name)),
        }
        if vault.authority is not None:
            provider["caBundle"] = encoded(vault.authority)
        self._object("store", "SecretStore", DELIVERY_STORE, {"provider": {"vault": provider}})

    def _secret(self, secret: DeliveredSecret) -> None:
        mount, folder = names_of(self._args.tenant).secrets_mount, environment_folder(self._args.environment.name)
        # External Secrets removes the mount from the beginning of a key. Without the mount here, it would remove the
        # folder for a tenant with the folder's name.
        key = f"{mount}/{folder}/{secret.path}"
        source: dict[str, object] = {"dataFrom": [{"extract": {"key": key}}]}
        if secret.keys:
            source = {
                "data": [
                    {"secretKey": name, "remoteRef": {"key": key, "property": field}}
                    for name, field in secret.keys.items()
                ]
            }
        self._external(f"secret/{secret.name}", secret.name, source, {})

    def _pull_secret(self, registry: str) -> None:
        """Deliver the credential by which the cluster pulls the tenant's images, from where pipelines read it."""
        key = f"{names_of(self._args.tenant).secrets_mount}/{PULL_SECRET}"
        template = {
            "type": "kubernetes.io/dockerconfigjson",
            "engineVersion": "v2",
            "data": {".dockerconfigjson": _docker_template(registry)},
        }
        self._external("pull-secret", REGISTRY_SECRET, {"dataFrom": [{"extract": {"key": key}}]}, template)

    def _external(self, logical: str, name: str, source: Mapping[str, object], template: Mapping[str, object]) -> None:
        self._object(
            logical,
            "ExternalSecret",
            name,
            {
                "refreshInterval": self._args.delivery.refresh_interval,
                "secretStoreRef": {"kind": "SecretStore", "name": DELIVERY_STORE},
                "target": {
                    "name": name,
                    # Owner: the Secret is deleted with this object. Retain: it stays if the secret in Vault is deleted.
                    "creationPolicy": "Owner",
                    "deletionPolicy": "Retain",
                    # Without a template, the Secret would have the label of objects that the program manages.
                    "template": {"metadata": {"labels": without_manager(self._args.labels)}, **template},
                },
                **source,
            },
        )


def secrets_of(tenant: Tenant, environment: Environment) -> tuple[DeliveredSecret, ...]:
    """Return the secrets that the tenant file delivers to an environment."""
    return tuple(secret for secret in tenant.delivered if environment.name in secret.environments)


def needs_store(tenant: Tenant, environment: Environment, cluster: Cluster) -> bool:
    """Return whether an environment uses a store: for its tenant file, or because its members may write secrets.

    On a cluster that pulls, every environment does.
    """
    opened = cluster.secret_delivery is not None and cluster.secret_delivery.operator in cluster.operators
    return opened or cluster.pull is not None or bool(secrets_of(tenant, environment))


def _log_in(cluster: Cluster, role: str) -> dict[str, object]:
    """Return how External Secrets logs in: with a token of the account `vault`, which it requests.

    The role of a cluster that pulls takes tokens for one audience only.
    """
    if cluster.pull is None:
        account: dict[str, object] = {"name": VAULT_SERVICE_ACCOUNT}
        return {
            "kubernetes": {"mountPath": kubernetes_auth_path(cluster), "role": role, "serviceAccountRef": account},
        }
    account = {"name": VAULT_SERVICE_ACCOUNT, "audiences": [cluster.token_audience]}
    return {
        "jwt": {
            "path": kubernetes_auth_path(cluster),
            "role": role,
            "kubernetesServiceAccountToken": {"serviceAccountRef": account},
        }
    }


def _docker_template(registry: str) -> str:
    """Return External Secrets' template of a docker configuration, for a secret with `username` and `password`."""
    entry = (
        '{"username":{{ .username | toJson }},"password":{{ .password | toJson }},'
        '"auth":{{ printf "%s:%s" .username .password | b64enc | toJson }}}'
    )
    return f'{{"auths":{{{json.dumps(registry)}:{entry}}}}}'


def without_manager(labels: Mapping[str, str]) -> dict[str, str]:
    """Return labels without that of the objects that the program manages: a delivered Secret is none of them."""
    return {key: value for key, value in labels.items() if key != MANAGED_BY_LABEL}

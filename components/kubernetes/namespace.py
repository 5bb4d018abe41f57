"""One namespace of a tenant: quota, limits, network policies, role bindings, service accounts, pull secret."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pulumi_kubernetes.rbac import v1 as rbac

from components.base import Component, UserPassword, encoded, secret
from components.kubernetes.backup import NamespaceBackup, NamespaceBackupArgs
from components.kubernetes.cluster_roles import ClusterRoleName
from components.kubernetes.delivery import NamespaceSecrets, NamespaceSecretsArgs, VaultAddress, needs_store
from components.kubernetes.network import NamespaceNetwork, NamespaceNetworkArgs
from components.kubernetes.signatures import SignedImages, SignedImagesArgs
from model.clusters import Cluster, ImageVerifier
from model.lifecycle import protects_data, workloads_authenticate
from model.naming import (
    CLUSTER_LABEL,
    DEPLOYER_SERVICE_ACCOUNT,
    HOSTS_ANNOTATION,
    LOG_RETENTION_LABEL,
    REGISTRY_SECRET,
    VAULT_SERVICE_ACCOUNT,
    Access,
    labels,
    names_of,
    vault_account_binding,
)
from model.quantities import render_cpu, render_size
from model.settings import System
from model.tenant import Environment, Tenant

_RBAC = "rbac.authorization.k8s.io"

#: For each pod of an environment's quota: bytes of ephemeral storage (logs, `emptyDir`, the container's writable
#: layer), as request and as limit, and the number of objects of each counted kind
#: (https://kubernetes.io/docs/concepts/policy/resource-quotas/).
_DISK_REQUESTED_A_POD = 1024**3
_DISK_A_POD = 4 * 1024**3
_OBJECTS_A_POD = 10
_COUNTED = (
    "configmaps",
    "persistentvolumeclaims",
    "secrets",
    "services",
    "count/cronjobs.batch",
    "count/deployments.apps",
    "count/ingresses.networking.k8s.io",
    "count/jobs.batch",
    "count/replicasets.apps",
    "count/statefulsets.apps",
)


@dataclass(frozen=True, slots=True)
class RegistryLogin:
    """The registry that images are pulled from, and the credential for it."""

    host: str
    robot: UserPassword


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """What verifies the tenant's images.

    `repositories` is what their names begin with, `public` are the PEM texts of all versions of the public key.
    """

    repositories: str
    public: pulumi.Output[Sequence[str]]


@dataclass(frozen=True, slots=True)
class TenantNamespaceArgs:
    """One environment of one tenant. `cluster_roles` is by short name; `registry` is None without a registry, `vault`
    without a Vault.

    `signing` is None if images are not signed. The namespace gets the service accounts that `systems` need there: Argo
    CD to deploy, Vault to read secrets.
    """

    tenant: Tenant
    environment: Environment
    cluster: Cluster
    provider: kubernetes.Provider
    cluster_roles: Mapping[str, pulumi.Input[str]]
    systems: frozenset[System]
    registry: RegistryLogin | None = None
    vault: VaultAddress | None = None
    signing: SigningKeys | None = None


class TenantNamespace(Component):
    """Namespace with Pod Security ``restricted``, quota, limits, network policies, role bindings, service accounts.

    `namespace` is the namespace's name, once it exists.
    """

    system = "kubernetes"
    namespace: pulumi.Output[str]

    def __init__(self, name: str, args: TenantNamespaceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register the namespace and the objects in it."""
        super().__init__(name, opts)
        self._args = args
        self._prefix = name
        self._labels = labels(args.tenant, args.environment)
        self._namespace_name = names_of(args.tenant).namespace(args.environment.name)
        level = "restricted"
        self._namespace = core.Namespace(
            f"{name}/namespace",
            metadata=ObjectMetaArgs(
                name=self._namespace_name,
                labels={
                    **self._labels,
                    CLUSTER_LABEL: args.cluster.name,
                    **self._log_retention(),
                    "pod-security.kubernetes.io/enforce": level,
                    "pod-security.kubernetes.io/audit": level,
                    "pod-security.kubernetes.io/warn": level,
                },
                annotations={
                    "usine.dev/contact": args.tenant.contact,
                    HOSTS_ANNOTATION: ",".join(args.environment.all_hosts),
                },
            ),
            # The deletion of a namespace deletes volumes, secrets and everything deployed in it.
            opts=self.child(args.provider, protect=protects_data(args.tenant)),
        )
        self.namespace = self._namespace.metadata.apply(lambda metadata: str(metadata.name))
        # The API server deletes the contents of a namespace with it. `deleted_with` is set only if the namespace is not
        # protected: the engine would otherwise drop the contents from the state, and then refuse to delete the
        # namespace.
        self._deleted_with = None if protects_data(args.tenant) else self._namespace
        self._quota()
        self._limits()
        NamespaceNetwork(
            f"{name}/network",
            NamespaceNetworkArgs(
                environment=args.environment,
                cluster=args.cluster,
                namespace=self._namespace,
                deleted_with=self._deleted_with,
                labels=self._labels,
                provider=args.provider,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self._people()
        if args.registry is not None and args.cluster.pull is None:
            self._pull_secret(args.registry)
        if args.cluster.image_verifier is not None and args.signing is not None:
            self._signed_images(args.cluster.image_verifier, args.signing)
        if System.ARGOCD in args.systems:
            self._deployer()
        if workloads_authenticate(args.tenant) and System.VAULT in args.systems:
            self._vault_account()
            if args.vault is not None:
                self._secrets(args.vault)
        if args.environment.backup is not None and args.cluster.backup is not None:
            NamespaceBackup(
                f"{name}/backup",
                NamespaceBackupArgs(
                    tenant=args.tenant,
                    environment=args.environment,
                    backup=args.environment.backup,
                    tool=args.cluster.backup,
                    provider=args.provider,
                    namespace=self._namespace,
                    labels=self._labels,
                ),
                pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({"namespace": self.namespace})

    def _inside(self) -> pulumi.ResourceOptions:
        """Return the options of an object in the namespace."""
        return self.child(self._args.provider, parent=self._namespace, deleted_with=self._deleted_with)

    def _metadata(self, name: str) -> ObjectMetaArgs:
        return ObjectMetaArgs(name=name, namespace=self.namespace, labels=self._labels)

    def _log_retention(self) -> dict[str, str]:
        """Return the label that the collector of logs copies to each line. No member of the tenant may change it."""
        if System.OBSERVABILITY not in self._args.systems:
            return {}
        return {LOG_RETENTION_LABEL: f"{self._args.tenant.observability.log_retention_days}d"}

    def _quota(self) -> None:
        quota = self._args.environment.quota
        cpu, memory = render_cpu(quota.cpu), render_size(quota.memory)
        objects = str(quota.pods * _OBJECTS_A_POD)
        core.ResourceQuota(
            f"{self._prefix}/quota",
            metadata=self._metadata("usine"),
            spec=core.ResourceQuotaSpecArgs(
                hard={
                    "requests.cpu": cpu,
                    "limits.cpu": cpu,
                    "requests.memory": memory,
                    "limits.memory": memory,
                    "requests.storage": render_size(quota.storage),
                    "requests.nvidia.com/gpu": str(quota.gpu),
                    "pods": str(quota.pods),
                    "requests.ephemeral-storage": render_size(quota.pods * _DISK_REQUESTED_A_POD),
                    "limits.ephemeral-storage": render_size(quota.pods * _DISK_A_POD),
                    # Objects that use no resources of a node still fill the cluster's etcd.
                    **dict.fromkeys(_COUNTED, objects),
                    # Traffic from outside comes only by the platform's ingress.
                    "services.loadbalancers": "0",
                    "services.nodeports": "0",
                }
            ),
            opts=self._inside(),
        )

    def _limits(self) -> None:
        core.LimitRange(
            f"{self._prefix}/limits",
            metadata=self._metadata("usine"),
            spec=core.LimitRangeSpecArgs(
                limits=[
                    core.LimitRangeItemArgs(
                        type="Container",
                        default={"cpu": "250m", "memory": "256Mi", "ephemeral-storage": "2Gi"},
                        default_request={"cpu": "50m", "memory": "128Mi", "ephemeral-storage": "128Mi"},
                    )
                ]
            ),
            opts=self._inside(),
        )

    def _people(self) -> None:
        names, environment = names_of(self._args.tenant), self._args.environment
        for access, role in (
            (Access.READ_WRITE, ClusterRoleName.READ_WRITE),
            (Access.READ_ONLY, ClusterRoleName.READ_ONLY),
        ):
            group = self._args.cluster.oidc_prefix + names.access_group_path(environment.name, access)
            self._bind(access.value, role, rbac.SubjectArgs(kind="Group", api_group=_RBAC, name=group))

    def _bind(self, name: str, role: ClusterRoleName, subject: rbac.SubjectArgs) -> None:
        rbac.RoleBinding(
            f"{self._prefix}/binding/{name}",
            metadata=self._metadata(f"usine-{name}"),
            role_ref=rbac.RoleRefArgs(api_group=_RBAC, kind="ClusterRole", name=self._args.cluster_roles[role.value]),
            subjects=[subject],
            opts=self._inside(),
        )

    def _pull_secret(self, registry: RegistryLogin) -> None:
        """Create the secret with which the cluster pulls this tenant's images only."""
        core.Secret(
            f"{self._prefix}/pull-secret",
            metadata=self._metadata(REGISTRY_SECRET),
            type="kubernetes.io/dockerconfigjson",
            data={".dockerconfigjson": secret(_login(registry))},
            opts=self._inside(),
        )

    def _signed_images(self, verifier: ImageVerifier, signing: SigningKeys) -> None:
        args = self._args
        SignedImages(
            f"{self._prefix}/signed-images",
            SignedImagesArgs(
                tenant=args.tenant,
                environment=args.environment,
                verifier=verifier,
                provider=args.provider,
                namespace=self._namespace,
                deleted_with=self._deleted_with,
                labels=self._labels,
                repositories=signing.repositories,
                keys=signing.public,
                login=None if args.registry is None else _login(args.registry),
            ),
            pulumi.ResourceOptions(parent=self),
        )

    def _account(self, name: str, *, mounts_token: bool) -> None:
        core.ServiceAccount(
            f"{self._prefix}/account/{name}",
            metadata=self._metadata(name),
            image_pull_secrets=[core.LocalObjectReferenceArgs(name=REGISTRY_SECRET)] if self._args.registry else None,
            automount_service_account_token=mounts_token,
            opts=self._inside(),
        )

    def _deployer(self) -> None:
        """Create the account that Argo CD impersonates: so it cannot deploy outside the namespace for this tenant."""
        self._account(DEPLOYER_SERVICE_ACCOUNT, mounts_token=False)
        self._bind(
            "deployer",
            ClusterRoleName.DEPLOYER,
            rbac.SubjectArgs(kind="ServiceAccount", name=DEPLOYER_SERVICE_ACCOUNT, namespace=self.namespace),
        )

    def _secrets(self, vault: VaultAddress) -> None:
        """Deliver secrets of Vault, if an operator of the cluster does that and the environment uses it.

        On a cluster that pulls, also the pull secret: no manifest contains a Secret.
        """
        args, delivery = self._args, self._args.cluster.secret_delivery
        if delivery is not None and needs_store(args.tenant, args.environment, args.cluster):
            NamespaceSecrets(
                f"{self._prefix}/secrets",
                NamespaceSecretsArgs(
                    tenant=args.tenant,
                    environment=args.environment,
                    cluster=args.cluster,
                    delivery=delivery,
                    vault=vault,
                    namespace=self._namespace,
                    deleted_with=self._deleted_with,
                    labels=self._labels,
                    provider=args.provider,
                    registry=args.registry.host
                    if args.registry is not None and args.cluster.pull is not None
                    else None,
                ),
                pulumi.ResourceOptions(parent=self),
            )

    def _vault_account(self) -> None:
        """Create the account by which workloads log in to Vault. It may only review its own token.

        Vault reviews no token of a cluster that it does not reach: it verifies the signature (`components.vault`).
        """
        self._account(VAULT_SERVICE_ACCOUNT, mounts_token=True)
        if self._args.cluster.pull is not None:
            return
        rbac.ClusterRoleBinding(
            f"{self._prefix}/binding/vault",
            # An earlier version had a binding of another name: the roleRef of a binding cannot be changed.
            metadata=ObjectMetaArgs(name=vault_account_binding(self._namespace_name), labels=self._labels),
            role_ref=rbac.RoleRefArgs(
                api_group=_RBAC, kind="ClusterRole", name=self._args.cluster_roles[ClusterRoleName.TOKEN_REVIEW.value]
            ),
            subjects=[rbac.SubjectArgs(kind="ServiceAccount", name=VAULT_SERVICE_ACCOUNT, namespace=self.namespace)],
            opts=self.child(self._args.provider),
        )


def _login(registry: RegistryLogin) -> pulumi.Output[str]:
    """Return the docker configuration of the robot that pulls."""
    return pulumi.Output.all(registry.robot.username, registry.robot.password).apply(
        lambda pair: docker_config(registry.host, str(pair[0]), str(pair[1]))
    )


def docker_config(host: str, username: str, password: str) -> str:
    """Return the value of a secret of type ``kubernetes.io/dockerconfigjson``, in base64."""
    pair = encoded(f"{username}:{password}")
    auths = {host: {"username": username, "password": password, "auth": pair}}
    return encoded(json.dumps({"auths": auths}, sort_keys=True))

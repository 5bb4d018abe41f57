"""The clusters of the settings, and what each of them offers to tenants: frozen dataclasses of checked values."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from model.tenant import Quota

#: RFC 1918, RFC 6598 and link-local addresses (where cloud metadata servers answer).
PRIVATE_NETWORKS = ("10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")


class Operator(enum.StrEnum):
    """Operators whose resources tenants may write, if the cluster allows it."""

    EXTERNAL_SECRETS = "external-secrets"
    MONITORING = "monitoring"
    CERT_MANAGER = "cert-manager"


@dataclass(frozen=True, slots=True)
class SecretDelivery:
    """Which operator of a cluster writes secrets of Vault into Kubernetes Secrets, and how often it reads them again.

    `refresh_interval` is a duration such as ``1h``.
    """

    operator: Operator = Operator.EXTERNAL_SECRETS
    refresh_interval: str = "1h"


#: Volume types that Pod Security ``restricted`` knows. By default a tenant may use those that need nothing
#: outside its namespace; the settings may add ``csi`` (inline) and ``image``.
VOLUME_TYPES = (
    *("configMap", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"),
    *("csi", "image"),
)


@dataclass(frozen=True, slots=True)
class WorkloadRules:
    """Shared objects of a cluster that tenants may use; the API server refuses all others.

    `images` are repositories (``registry.example.fr/tools/base``) or, with a final slash, all below a path. `volumes`
    are volume types. `storage_classes` None: all are allowed. `priority_classes` are those a pod may name.
    `ingress_annotations` are keys of annotations that an Ingress may have beside the harmless ones; with a final star,
    all that begin so.
    """

    images: tuple[str, ...] = ()
    volumes: tuple[str, ...] = VOLUME_TYPES[:7]
    storage_classes: tuple[str, ...] | None = None
    priority_classes: tuple[str, ...] = ()
    ingress_annotations: tuple[str, ...] = ()


class Verifier(enum.StrEnum):
    """Controllers that verify the signatures of images when a cluster admits pods."""

    KYVERNO = "kyverno"


@dataclass(frozen=True, slots=True)
class ImageVerifier:
    """The controller of a cluster that verifies images, and the namespace that it runs in."""

    kind: Verifier
    namespace: str


class BackupTool(enum.StrEnum):
    """Controllers that back up namespaces of a cluster."""

    VELERO = "velero"


class VolumeBackup(enum.StrEnum):
    """How the data of volumes gets into a backup.

    ``snapshots``: snapshots by the CSI driver, which stay in the cluster's storage. ``moved``: their data is then moved
    to the storage location. ``files``: Velero's agent on each node reads the files of the volumes.
    """

    SNAPSHOTS = "snapshots"
    MOVED = "moved"
    FILES = "files"


@dataclass(frozen=True, slots=True)
class ClusterBackup:
    """What backs up the production namespaces of a cluster, and the namespace that it runs in.

    `storage_location` is the name of Velero's BackupStorageLocation. `longest` is how many days a tenant may have its
    backups kept.
    """

    kind: BackupTool = BackupTool.VELERO
    namespace: str = "velero"
    storage_location: str = "default"
    volumes: VolumeBackup = VolumeBackup.MOVED
    longest: int = 90


@dataclass(frozen=True, slots=True)
class ClusterPull:
    """How a cluster that the platform does not reach gets its objects: its own Argo CD pulls them from a repository.

    `issuer` is the issuer of its service accounts' tokens, `keys` the file with the issuer's public keys (a JSON Web
    Key Set). `argocd_namespace` is the namespace of the Argo CD that pulls.
    """

    issuer: str
    keys: Path
    argocd_namespace: str = "argocd"


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Kubernetes cluster tenants deploy into.

    `server` is the API's https URL as Argo CD and Vault reach it; `context` the kubeconfig context the provider uses.
    `pull` is set instead of `context` (then empty) for a cluster that the platform does not reach.
    `ca` the PEM file of the API's certificate authority (None: a public one); `capacity` what all environments on it
    may add up to (None: not checked). `oidc_prefix` is what the API server puts before user and group names of tokens.
    `token_audience` is the audience of its service accounts' tokens (its issuer, unless set otherwise).
    `internal_networks` are the CIDRs that a tenant's egress openings never reach; `platform_networks` those of the
    platform's services (Vault, proxy, registry), open to every tenant namespace at `platform_ports` (TCP). `workloads`
    is what tenants may use there, `operators` whose resources they may write, `reserved_namespaces` the namespaces of
    the cluster's own services, which no tenant may take. `secret_delivery` None: no operator delivers secrets there.
    `image_verifier` verifies the tenants' images when pods are admitted; None: the cluster has no verifier.
    `backup` backs up the namespaces of production environments; None: nothing does. `argocd_token` is the file in Argo
    CD's pods with the current token of its service account for this cluster; None: Argo CD's installation registers
    the cluster.
    """

    name: str
    zone: str
    server: str
    context: str
    stages: tuple[str, ...]
    ca: Path | None = None
    capacity: Quota | None = None
    oidc_prefix: str = "oidc:"
    token_audience: str = "https://kubernetes.default.svc.cluster.local"  # noqa: S105 - an audience, not a token
    ingress_namespace: str = "ingress-nginx"
    monitoring_namespace: str = "monitoring"
    internal_networks: tuple[str, ...] = PRIVATE_NETWORKS
    platform_networks: tuple[str, ...] = ()
    platform_ports: tuple[int, ...] = (443,)
    workloads: WorkloadRules = WorkloadRules()
    operators: tuple[Operator, ...] = ()
    reserved_namespaces: tuple[str, ...] = ()
    secret_delivery: SecretDelivery | None = None
    image_verifier: ImageVerifier | None = None
    backup: ClusterBackup | None = None
    argocd_token: str | None = None
    pull: ClusterPull | None = None

    def authority(self, authorities: Mapping[str, str]) -> str | None:
        """Return the PEM text of its API's authority; `authorities` has those of the settings by path."""
        return authorities[str(self.ca)] if self.ca else None

"""The names of what has a zone: clusters that pull their objects (docs/zones.md), and Argo CDs of zones.

Clusters that pull need something in GitLab, Vault and Argo CD, and an Argo CD in Keycloak and GitLab.
"""

from __future__ import annotations

from model.argocd import ONLY_INSTANCE
from model.clusters import Cluster
from model.naming import OPERATIONS_FOLDER
from model.settings import GitLabSettings
from model.tenant import Tenant

#: The group, below the platform's, of the repositories that zones pull from, and the branch that they pull.
ZONES_GROUP = "zones"
ZONE_BRANCH = "main"
#: The name that reports give as their branch: GitLab lets nobody set a status for a branch that they cannot push to.
ZONE_REF = "argocd"
#: In Argo CD's namespace on a cluster that pulls: the account and the SecretStore by which Argo CD gets credentials,
#: and its role in Vault. No namespace of a tenant is called like the role: the slug usine is reserved.
ZONE_ACCOUNT = "usine-argocd"
ZONE_STORE = "usine"
ZONE_ROLE = "usine-argocd"


def zone_path(gitlab: GitLabSettings, zone: str) -> str:
    """Full path of the repository that the clusters of a zone pull from."""
    return f"{gitlab.platform}/{ZONES_GROUP}/{zone}"


def zone_application(cluster: Cluster) -> str:
    """Application and AppProject of the platform's objects on a cluster that pulls. The slug usine is reserved."""
    return f"usine-zone-{cluster.name}"


def zone_status(cluster: Cluster) -> str:
    """Name of the status by which a cluster reports a commit as synchronized."""
    return f"usine/{cluster.name}"


def zone_policy(cluster: Cluster) -> str:
    """Vault policy of the Argo CD of a cluster that pulls. The slug usine is reserved."""
    return f"usine.zone.{cluster.name}"


def zone_secret(zone: str, purpose: str) -> str:
    """Path, in the platform's mount, of a credential of a zone's Argo CD for the zone's repository."""
    return f"{zone_folder(zone)}/{purpose}"


def zone_folder(zone: str) -> str:
    """Folder, in the platform's mount, that the Argo CDs of a zone read."""
    return f"{OPERATIONS_FOLDER}/{ZONES_GROUP}/{zone}"


def pulled_secret(cluster: Cluster, tenant: Tenant, name: str) -> str:
    """Path, in the platform's mount, of a credential of a tenant's repository; `name` is that of Argo CD's Secret."""
    return f"{pulled_folder(cluster)}/{tenant.slug}/{name}"


def pulled_folder(cluster: Cluster) -> str:
    """Folder, in the platform's mount, that the Argo CD of a cluster that pulls reads: its tenants' repositories."""
    return f"{OPERATIONS_FOLDER}/clusters/{cluster.name}"


def argocd_client(instance: str) -> str:
    """OIDC client of an Argo CD. No slug is argocd, and no tenant's client begins with it (46 of 255)."""
    return ONLY_INSTANCE if instance == ONLY_INSTANCE else f"{ONLY_INSTANCE}-{instance}"


def reader_token(instance: str, generation: str) -> str:
    """Deploy token by which an Argo CD reads an infra repository. No name of an instance or generation has a dot."""
    return f"{ONLY_INSTANCE}-{generation}" if instance == ONLY_INSTANCE else f"{ONLY_INSTANCE}.{instance}.{generation}"

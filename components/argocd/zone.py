"""What the administrators of a zone apply once for each cluster that pulls. This module creates no object.

The Argo CD of the zone synchronizes the cluster's folder of the zone's repository, as an account that may write the
kinds below and nothing else, and reports the result as the status of the commit. Its credentials for the repository are
delivered from Vault. These objects are not in the repository: who writes there cannot change what limits it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from components.argocd.tenant import API
from components.kubernetes.delivery import API as SECRETS_API
from components.kubernetes.delivery import VaultAddress
from model.clusters import Cluster, ClusterPull
from model.naming import MANAGED_BY_LABEL, PLATFORM_MOUNT, kubernetes_auth_path
from model.settings import Settings, System
from model.zone_naming import (
    ZONE_ACCOUNT,
    ZONE_BRANCH,
    ZONE_REF,
    ZONE_ROLE,
    ZONE_STORE,
    zone_application,
    zone_path,
    zone_secret,
    zone_status,
)


@dataclass(frozen=True, slots=True)
class PulledKind:
    """A kind of object that the repository of a zone may contain."""

    group: str
    kind: str
    plural: str
    namespaced: bool = True


#: All kinds that the program renders (tests/zones checks it). Secret is none of them.
PULLED_KINDS: Final = (
    PulledKind("", "Namespace", "namespaces", namespaced=False),
    PulledKind("", "LimitRange", "limitranges"),
    PulledKind("", "ResourceQuota", "resourcequotas"),
    PulledKind("", "ServiceAccount", "serviceaccounts"),
    PulledKind("networking.k8s.io", "NetworkPolicy", "networkpolicies"),
    PulledKind("rbac.authorization.k8s.io", "ClusterRole", "clusterroles", namespaced=False),
    PulledKind("rbac.authorization.k8s.io", "RoleBinding", "rolebindings"),
    PulledKind(
        "admissionregistration.k8s.io",
        "ValidatingAdmissionPolicy",
        "validatingadmissionpolicies",
        namespaced=False,
    ),
    PulledKind(
        "admissionregistration.k8s.io",
        "ValidatingAdmissionPolicyBinding",
        "validatingadmissionpolicybindings",
        namespaced=False,
    ),
    PulledKind("external-secrets.io", "ExternalSecret", "externalsecrets"),
    PulledKind("external-secrets.io", "SecretStore", "secretstores"),
    PulledKind("monitoring.coreos.com", "AlertmanagerConfig", "alertmanagerconfigs"),
    PulledKind("monitoring.coreos.com", "PodMonitor", "podmonitors"),
    PulledKind("monitoring.coreos.com", "PrometheusRule", "prometheusrules"),
    PulledKind("monitoring.coreos.com", "ServiceMonitor", "servicemonitors"),
    PulledKind("velero.io", "Schedule", "schedules"),
    PulledKind("argoproj.io", "AppProject", "appprojects"),
    PulledKind("argoproj.io", "Application", "applications"),
    PulledKind("argoproj.io", "ApplicationSet", "applicationsets"),
)
_RBAC: Final = "rbac.authorization.k8s.io"
_SYNC_ACCOUNT: Final = "usine-zone"
_REPORT_KEY: Final = "usine-report-token"
#: GitLab's state of the commit, by what happened: the trigger's condition, in the language of Argo CD's notifications.
#: A condition without `oncePer` is reported each time it becomes true, one with `oncePer` also when the value changes:
#: a commit that changes nothing for this cluster starts no synchronization.
_REPORTS: Final[Mapping[str, tuple[str, tuple[Mapping[str, str], ...]]]] = {
    "synced": (
        "success",
        (
            {"when": "app.status.sync.status == 'Synced'"},
            {"when": "app.status.sync.status == 'Synced'", "oncePer": "app.status.sync.revision"},
        ),
    ),
    "out-of-sync": ("canceled", ({"when": "app.status.sync.status == 'OutOfSync'"},)),
    "failed": (
        "failed",
        ({"when": "app.status.operationState != nil and app.status.operationState.phase in ['Error', 'Failed']"},),
    ),
}

Json = dict[str, object]


def zone_manifests(settings: Settings, cluster: Cluster, pull: ClusterPull, vault: VaultAddress) -> list[Json]:
    """Return the objects for one cluster, in the order of their creation."""
    return [
        *_delivery(settings, cluster, pull, vault),
        *_account(pull),
        _argocd_settings(pull),
        _notifications(settings, cluster, pull),
        _project(settings, cluster, pull),
        _application(settings, cluster, pull),
    ]


def _meta(name: str, namespace: str | None = None, **more: object) -> Json:
    own = {} if namespace is None else {"namespace": namespace}
    return {"name": name, **own, "labels": {MANAGED_BY_LABEL: "usine"}, **more}


def zone_url(settings: Settings, zone: str) -> str:
    """Return the address of a zone's repository, as Argo CD reads it."""
    return f"{settings.endpoints[System.GITLAB].url}/{zone_path(settings.gitlab, zone)}.git"


def _delivery(settings: Settings, cluster: Cluster, pull: ClusterPull, vault: VaultAddress) -> list[Json]:
    """Return what delivers the credentials: an account, a store that logs in as it, and two external secrets."""
    namespace, zone = pull.argocd_namespace, cluster.zone
    account: Json = {"name": ZONE_ACCOUNT, "audiences": [cluster.token_audience]}
    provider: Json = {
        "server": vault.url,
        "path": PLATFORM_MOUNT,
        "version": "v2",
        "auth": {
            "jwt": {
                "path": kubernetes_auth_path(cluster),
                "role": ZONE_ROLE,
                "kubernetesServiceAccountToken": {"serviceAccountRef": account},
            }
        },
    }
    if vault.authority is not None:
        provider["caBundle"] = base64.b64encode(vault.authority.encode()).decode()

    def external(name: str, path: str, target: Json, data: Mapping[str, str], labels: Mapping[str, str]) -> Json:
        source: Json = {"dataFrom": [{"extract": {"key": f"{PLATFORM_MOUNT}/{path}"}}]}
        template: Json = {"engineVersion": "v2", "data": dict(data), "metadata": {"labels": dict(labels)}}
        return {
            "apiVersion": SECRETS_API,
            "kind": "ExternalSecret",
            "metadata": _meta(name, namespace),
            "spec": {
                "refreshInterval": "15m",
                "secretStoreRef": {"kind": "SecretStore", "name": ZONE_STORE},
                "target": {**target, "template": template},
                **source,
            },
        }

    repository = {"type": "git", "url": zone_url(settings, zone), "project": _project_name(cluster)}
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": _meta(ZONE_ACCOUNT, namespace),
            "automountServiceAccountToken": False,
        },
        {
            "apiVersion": SECRETS_API,
            "kind": "SecretStore",
            "metadata": _meta(ZONE_STORE, namespace),
            "spec": {"provider": {"vault": provider}},
        },
        external(
            "usine-zone",
            zone_secret(zone, "reader"),
            {"name": "usine-zone"},
            {**repository, "username": "{{ .username }}", "password": "{{ .password }}"},
            {"argocd.argoproj.io/secret-type": "repository"},
        ),
        external(
            "usine-zone-report",
            zone_secret(zone, "report"),
            # This Secret is Argo CD's own: only a key is added.
            {"name": "argocd-notifications-secret", "creationPolicy": "Merge"},
            {_REPORT_KEY: "{{ .token }}"},
            {},
        ),
    ]


def _account(pull: ClusterPull) -> list[Json]:
    """Return the account that synchronizes, with its rights: those kinds, and to give rights that it lacks."""
    groups: dict[str, list[str]] = {}
    for kind in PULLED_KINDS:
        groups.setdefault(kind.group, []).append(kind.plural)
    rules: list[Json] = [
        {"apiGroups": [group], "resources": plurals, "verbs": ["*"]} for group, plurals in groups.items()
    ]
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _meta(_SYNC_ACCOUNT, pull.argocd_namespace)},
        # The verb * includes `bind` and `escalate` of cluster roles.
        {"apiVersion": f"{_RBAC}/v1", "kind": "ClusterRole", "metadata": _meta("usine:zone"), "rules": rules},
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": _meta("usine:zone"),
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "usine:zone"},
            "subjects": [{"kind": "ServiceAccount", "name": _SYNC_ACCOUNT, "namespace": pull.argocd_namespace}],
        },
    ]


def _argocd_settings(pull: ClusterPull) -> Json:
    """Return what the platform's own Argo CD has as well: deployments run as the account of their namespace."""
    data = {"application.sync.impersonation.enabled": "true", "exec.enabled": "false"}
    return _config_map("argocd-cm", pull, data)


def _config_map(name: str, pull: ClusterPull, data: Mapping[str, str]) -> Json:
    # Without our label: the config map is Argo CD's own, and only these keys are added.
    metadata = {"name": name, "namespace": pull.argocd_namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(data)}


def _notifications(settings: Settings, cluster: Cluster, pull: ClusterPull) -> Json:
    """Return the triggers and templates of the reports. The token is in Argo CD's own Secret for notifications."""
    project = zone_path(settings.gitlab, cluster.zone).replace("/", "%2F")
    service = {
        "url": settings.endpoints[System.GITLAB].url,
        "headers": [
            {"name": "Content-Type", "value": "application/json"},
            {"name": "PRIVATE-TOKEN", "value": f"${_REPORT_KEY}"},
        ],
    }
    data = {"service.webhook.usine": json.dumps(service)}
    for what, (state, conditions) in _REPORTS.items():
        name = f"usine-{what}"
        body = {"state": state, "name": zone_status(cluster), "ref": ZONE_REF, "description": what}
        webhook = {
            "method": "POST",
            "path": f"/api/v4/projects/{project}/statuses/{{{{.app.status.sync.revision}}}}",
            "body": json.dumps(body),
        }
        data[f"template.{name}"] = json.dumps({"webhook": {"usine": webhook}})
        data[f"trigger.{name}"] = json.dumps([{**condition, "send": [name]} for condition in conditions])
    return _config_map("argocd-notifications-cm", pull, data)


def _project_name(cluster: Cluster) -> str:
    return zone_application(cluster)


def _project(settings: Settings, cluster: Cluster, pull: ClusterPull) -> Json:
    account = f"{pull.argocd_namespace}:{_SYNC_ACCOUNT}"

    def listed(*, namespaced: bool) -> list[Json]:
        return [{"group": k.group, "kind": k.kind} for k in PULLED_KINDS if k.namespaced is namespaced]

    return {
        "apiVersion": API,
        "kind": "AppProject",
        "metadata": _meta(_project_name(cluster), pull.argocd_namespace),
        "spec": {
            "description": f"Objects of the platform on {cluster.name}",
            "sourceRepos": [zone_url(settings, cluster.zone)],
            "destinations": [{"server": cluster.server, "namespace": "*"}],
            "destinationServiceAccounts": [
                {"server": cluster.server, "namespace": "*", "defaultServiceAccount": account}
            ],
            "clusterResourceWhitelist": listed(namespaced=False),
            "namespaceResourceWhitelist": listed(namespaced=True),
        },
    }


def _application(settings: Settings, cluster: Cluster, pull: ClusterPull) -> Json:
    subscriptions = {f"notifications.argoproj.io/subscribe.usine-{what}.usine": "" for what in _REPORTS}
    return {
        "apiVersion": API,
        "kind": "Application",
        "metadata": _meta(zone_application(cluster), pull.argocd_namespace, annotations=subscriptions),
        "spec": {
            "project": _project_name(cluster),
            "source": {
                "repoURL": zone_url(settings, cluster.zone),
                "targetRevision": ZONE_BRANCH,
                "path": cluster.name,
                "directory": {"recurse": True},
            },
            "destination": {"server": cluster.server, "namespace": pull.argocd_namespace},
            "syncPolicy": {
                "automated": {"prune": True, "selfHeal": True},
                "syncOptions": ["CreateNamespace=false", "ServerSideApply=true"],
                "retry": {"limit": 5, "backoff": {"duration": "10s", "factor": 2, "maxDuration": "5m"}},
            },
        },
    }

"""The key `observability.grafana` of the settings."""

from __future__ import annotations

from urllib.parse import urlsplit

from model.problems import KeyPath, Note
from model.reading.argocd import argocd_namespaces
from model.reading.settings_schema import DataStoreSection, GrafanaSection, SettingsSection
from model.settings import BoundBy, DataStore, GrafanaSettings, System
from model.texts import did_you_mean, show

#: The longest host is ``<slug>.<domain>``, which is the name in a certificate (64), with a slug of 20.
_LONGEST_DOMAIN = 64 - 20 - 1


def to_grafana(stated: GrafanaSection | None) -> GrafanaSettings | None:
    """Return where the Grafana instances of tenants run."""
    if stated is None:
        return None
    return GrafanaSettings(
        cluster=stated.cluster,
        namespace=stated.namespace,
        domain=stated.domain,
        image=stated.image,
        metrics=_store(stated.metrics),
        logs=None if stated.logs is None else _store(stated.logs),
        ingress_class=stated.ingress_class,
    )


def _store(stated: DataStoreSection) -> DataStore:
    return DataStore(stated.url, stated.header, BoundBy(stated.bound))


def check_grafana(stated: GrafanaSection, file: SettingsSection, systems: frozenset[System], note: Note) -> None:
    """Report a cluster that does not exist, a log-in that nothing provides, and names that are taken."""
    path: KeyPath = ("observability", "grafana")
    where = "usine:observability.grafana"
    if stated.cluster not in file.clusters:
        note(
            (*path, "cluster"),
            f"{where}.cluster: no such cluster: {show(stated.cluster)}; {did_you_mean(stated.cluster, file.clusters)}",
        )
    elif file.clusters[stated.cluster].pull is not None:
        note(
            (*path, "cluster"),
            f"{where}.cluster: {stated.cluster} pulls its objects: take a cluster that the platform reaches",
        )
    elif stated.namespace in _taken(stated.cluster, file):
        note(
            (*path, "namespace"),
            f"{where}.namespace: {stated.namespace} is the namespace of another service; Grafana needs its own, "
            "where everything is usine's",
        )
    if System.OBSERVABILITY in systems and System.KEYCLOAK not in systems:
        note(path, f"{where}: keycloak is not in usine:systems, by which people log in")
    if len(stated.domain) > _LONGEST_DOMAIN:
        note((*path, "domain"), f"{where}.domain: at most {_LONGEST_DOMAIN} characters, because of certificates")
    for system, endpoint in file.endpoints.items():
        host = urlsplit(endpoint.url).hostname or ""
        if host == stated.domain or host.endswith(f".{stated.domain}"):
            note((*path, "domain"), f"{where}.domain: {system} is at {host}; a tenant could have this name")


def _taken(name: str, file: SettingsSection) -> set[str | None]:
    cluster = file.clusters[name]
    return {
        "default",
        "kube-system",
        cluster.ingress_namespace or "ingress-nginx",
        cluster.monitoring_namespace or "monitoring",
        cluster.image_verifier.namespace or "kyverno" if cluster.image_verifier is not None else None,
        cluster.backup.namespace if cluster.backup is not None else None,
        *argocd_namespaces(file),
    }

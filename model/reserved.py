"""Names that the platform and its tools reserve: no tenant, environment or repository may take them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from model.clusters import Cluster
from model.naming import OIDC_AUTH_PATH, SIGNING_MOUNT
from model.settings import Settings

#: Names that a tool uses as a path, creates or reserves. A tenant of that name would not work, or hide something.
_SLUGS: Final[dict[str, tuple[str, ...]]] = {
    "GitLab": (
        *("admin", "api", "assets", "dashboard", "deploy", "explore", "files", "groups", "health-check", "help"),
        *("import", "invites", "jwt", "login", "oauth", "profile", "projects", "public", "robots", "s", "search"),
        *("sitemap", "slash-command-logo", "snippets", "unsubscribes", "uploads", "users", "v2"),
    ),
    "Vault": ("sys", "identity", "cubbyhole", "auth", "secret", "kubernetes", "oidc", "transit", "pki", "token"),
    "Harbor": ("library",),
    "Keycloak": ("master",),
    "Argo CD": ("default", "argocd"),
    "Kubernetes": ("default", "kube", "openshift", "cattle", "kubernetes"),
    "the platform": ("usine", SIGNING_MOUNT, "system", "root", "foundation", "all", "none"),
}
_PREFIXES: Final[dict[str, str]] = {"kube-": "Kubernetes", "openshift-": "Kubernetes", "cattle-": "Kubernetes"}

_WHO: Final = {slug: who for who, slugs in _SLUGS.items() for slug in slugs}

#: Paths that GitLab uses below that of a project.
_REPOSITORIES: Final = frozenset(
    {"badges", "blame", "blob", "builds", "commits", "create", "edit", "files", "new", "preview", "raw", "refs"}
    | {"tree", "update", "wikis"}
)


def who_reserves_slug(slug: str, settings: Settings) -> str | None:
    """Return who reserves a slug, or None."""
    if slug in settings.reserved:
        return "the platform"
    platform = {settings.keycloak.realm, settings.gitlab.root, settings.gitlab.platform}
    if slug in settings.argocd.namespaces | platform:
        return "the platform"
    if slug in _WHO:
        return _WHO[slug]
    return next((who for prefix, who in _PREFIXES.items() if slug.startswith(prefix)), None)


def is_reserved_repository(name: str) -> bool:
    """Return whether GitLab reserves the name of a repository."""
    return name in _REPOSITORIES


#: Namespaces that common services of a cluster make, as their documentation names them, of the shape
#: ``<slug>-<environment>``. Those called ``<name>-system`` or ``<name>-operator`` need no list: no environment has such
#: a name.
_SERVICES: Mapping[str, tuple[str, ...]] = {
    "cert-manager": ("cert-manager",),
    "External Secrets": ("external-secrets",),
    "ExternalDNS": ("external-dns",),
    "Istio": ("istio-ingress", "istio-egress", "istio-cni", "istio-ztunnel"),
    "Linkerd": ("linkerd-viz", "linkerd-jaeger", "linkerd-multicluster"),
    "Knative": ("knative-serving", "knative-eventing"),
    "Argo": ("argo-cd", "argo-rollouts", "argo-events", "argo-workflows"),
    "an ingress controller": ("ingress-nginx", "nginx-ingress", "nginx-gateway", "envoy-gateway", "haproxy-controller"),
    "Cilium": ("cilium-secrets", "cilium-monitoring", "cilium-test"),
    "Calico": ("calico-apiserver", "tigera-operator"),
    "Rook": ("rook-ceph",),
    "Sealed Secrets": ("sealed-secrets",),
    "the monitoring": ("kube-prometheus", "prometheus-stack", "grafana-agent", "node-exporter"),
    "NVIDIA's operator": ("gpu-operator",),
    "SPIRE": ("spire-server", "spire-mgmt"),
}


def reserved_namespaces(cluster: Cluster) -> Mapping[str, str]:
    """Return the namespaces of a cluster's services that no tenant may take, with whose each is.

    With `upsert_existing_objects`, the program would take over such a namespace, and give its quota, network and rights
    to the tenant (issue 11.A6). `usine.engine.takeover` asks the cluster for namespaces that are on no list.
    """
    known = {name: f"the namespace of {who}" for who, names in _SERVICES.items() for name in names}
    return known | dict.fromkeys(cluster.reserved_namespaces, f"reserved by the platform on cluster {cluster.name}")


def platform_names(settings: Settings) -> Mapping[str, frozenset[str]]:
    """Return the names that the platform or a tool uses itself, by the kinds of `all_names`."""
    clusters = settings.clusters.values()
    return {
        "Vault mount": frozenset(
            {"sys", "identity", "cubbyhole", "auth", "secret", "kubernetes", "transit", "pki", OIDC_AUTH_PATH}
        ),
        "Kubernetes namespace": frozenset(
            {"default", "kube-system", "kube-public", "kube-node-lease"}
            | settings.argocd.namespaces
            | {c.ingress_namespace for c in clusters}
            | {c.monitoring_namespace for c in clusters}
            | {c.image_verifier.namespace for c in clusters if c.image_verifier is not None}
            | {c.backup.namespace for c in clusters if c.backup is not None}
            | ({settings.observability.grafana.namespace} if settings.observability.grafana is not None else set())
            | {c.pull.argocd_namespace for c in clusters if c.pull is not None}
        ),
        "Argo CD project": frozenset({"default"}),
        "Harbor project": frozenset({"library"}),
    }

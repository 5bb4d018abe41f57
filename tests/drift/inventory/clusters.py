"""An API server that stands for the clusters of a scan, with what a scan finds there when nothing was added."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from model.settings import System
from tests.drift.inventory.api_server import Answers, serving
from tests.drift.inventory.scanning import ENVIRONMENT, MARKER, only, resource, scan
from usine.drift.inventory import Inventory, Managed

RBAC = "/apis/rbac.authorization.k8s.io/v1"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
DELIVERY = "/apis/external-secrets.io/v1"
KYVERNO = "/apis/policies.kyverno.io/v1"
ARGO = "/apis/argoproj.io/v1alpha1/namespaces/argocd"
NONPROD, PROD = "kubernetes-nonprod-1", "kubernetes-prod-1"
STATE = (
    resource("kubernetes:core/v1:Namespace", "alpha-dev", provider=NONPROD),
    resource("kubernetes:core/v1:Namespace", "alpha-prod", provider=PROD),
    resource("kubernetes:core/v1:ServiceAccount", "alpha-dev/vault", provider=NONPROD),
    resource("kubernetes:argoproj.io/v1alpha1:AppProject", "argocd/alpha-dev", provider=NONPROD),
)


def item(name: str, namespace: str | None = None, **more: Any) -> dict[str, Any]:
    labels, annotations = more.pop("labels", {}), more.pop("annotations", {})
    metadata = {"name": name, "labels": labels, "annotations": annotations}
    return {"metadata": {**metadata, **({"namespace": namespace} if namespace else {})}, **more}


def items(*found: dict[str, Any]) -> dict[str, Any]:
    return {"items": list(found), "metadata": {}}


def binding(name: str, namespace: str | None, kind: str, subject: str, of: str | None = None) -> dict[str, Any]:
    subjects = [{"kind": kind, "name": subject, **({"namespace": of} if of else {})}]
    return item(name, namespace, subjects=subjects, roleRef={"kind": "ClusterRole", "name": "cluster-admin"})


CLEAN: dict[str, Any] = {
    "/api/v1/namespaces": items(
        *(item(name) for name in ("default", "kube-system", "argocd", "ingress-nginx", "monitoring")),
        item("alpha-dev", labels={"usine.dev/tenant": "alpha"}),
        item("alpha-prod"),
    ),
    "/api/v1/serviceaccounts": items(
        item("default", "alpha-dev"),
        item("vault", "alpha-dev"),
        item("of-a-chart", "alpha-dev", annotations={"argocd.argoproj.io/tracking-id": "alpha-dev--deploy:/x"}),
        item("anything", "kube-system"),
    ),
    f"{RBAC}/clusterrolebindings": items(
        binding("cluster-admin", None, "Group", "system:masters"),
        binding("system:kube-dns", None, "ServiceAccount", "kube-dns", "kube-system"),
    ),
    f"{RBAC}/rolebindings": items(binding("argocd", "argocd", "ServiceAccount", "argocd-server", "argocd")),
}


def kubeconfig(tmp_path: Path, nonprod: str, prod: str | None) -> dict[str, str]:
    path = tmp_path / "kubeconfig"
    servers = {"nonprod-1": nonprod, **({"prod-1": prod} if prod else {})}
    path.write_text(
        json.dumps(
            {
                "clusters": [{"name": name, "cluster": {"server": url}} for name, url in servers.items()],
                "contexts": [{"name": name, "context": {"cluster": name, "user": "us"}} for name in servers],
                "users": [{"name": "us", "user": {"token": MARKER}}],
            }
        )
    )
    return {**ENVIRONMENT, "KUBECONFIG": f"/not/there:{path}"}


def cluster(
    tmp_path: Path,
    answers: dict[str, Any],
    system: System = System.KUBERNETES,
    state: tuple[Managed, ...] = STATE,
    **changes: Any,
) -> tuple[Inventory, Answers]:
    """Scan one API server that serves both clusters."""
    with serving({**CLEAN, **answers}) as api:
        environment = kubeconfig(tmp_path, api.url, api.url)
        inventory = scan(only(system, api.url, **changes), state, environment=environment)
        assert api.methods() == {"GET"}
        assert all(headers["Authorization"] == f"Bearer {MARKER}" for _, _, _, headers in api.asked)
        return inventory, api

"""Argo CD's API: its custom resources and its two configuration maps, in the Kubernetes API server.

No controller of Argo CD runs, because there are no nodes to deploy to. The API server validates all objects.
"""

from __future__ import annotations

from typing import Any

import httpx
import yaml

from lab import kubeconfig
from lab.errors import LabError
from lab.home import LabHome
from lab.servers.base import Context, LabServer, probe
from lab.servers.definitions import applied, apply_definitions, apply_namespace, check, served
from lab.servers.kubernetes import admin_client

NAMESPACE = "argocd"
_NAMES = ("applications.argoproj.io", "applicationsets.argoproj.io", "appprojects.argoproj.io")
_CONFIGURATION = ("argocd-cm", "argocd-rbac-cm")
#: Annotation of the namespace: the part whose definitions were applied, so that they are not sent at every start.
_APPLIED = "lab.usine/argocd"


class ArgoCd(LabServer):
    """A step after the start of the API server, without a process."""

    name = "argocd"
    after = ("kube-apiserver",)
    parts = ("argocd",)

    def where(self, home: LabHome) -> str:  # noqa: ARG002 - not an address
        """Namespace of its objects."""
        return f"namespace {NAMESPACE} of kube-apiserver"

    def answers(self, home: LabHome) -> bool:
        """Whether the API server is healthy."""
        return probe(home, kubeconfig.server(home), "/readyz", admin=True) == httpx.codes.OK

    def healthy(self, home: LabHome) -> bool:
        """Whether every custom resource is served."""
        try:
            with admin_client(home) as http:
                return served(http, _NAMES)
        except (LabError, httpx.HTTPError):
            return False

    def set_up(self, context: Context) -> None:
        """Apply the definitions unless this version was applied before, and create missing configuration."""
        part = context.parts["argocd"]
        version = part.resolve().name
        try:
            with admin_client(context.home) as http:
                if applied(http, NAMESPACE, _APPLIED) == version and self.healthy(context.home):
                    return
                apply_definitions(http, part / "crds")
                apply_namespace(http, NAMESPACE)
                for name in _CONFIGURATION:
                    manifest = (part / f"{name}.yaml").read_bytes()
                    _create(http, yaml.safe_load(manifest))
                apply_namespace(http, NAMESPACE, {_APPLIED: version})
        except (OSError, yaml.YAMLError, httpx.HTTPError, LabError) as error:
            raise LabError(f"{self.name}: {error}") from None


def _create(http: httpx.Client, manifest: dict[str, Any]) -> None:
    answer = http.post(f"/api/v1/namespaces/{NAMESPACE}/configmaps", json=manifest)
    if answer.status_code != httpx.codes.CONFLICT:  # it exists: the platform's changes to it are kept
        check(answer)

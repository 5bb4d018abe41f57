"""The Prometheus operator's API: its custom resources, in the Kubernetes API server.

No operator and no Prometheus runs, because there are no nodes. The API server validates all objects. In the
tests, promtool and amtool check rules and routes.
"""

from __future__ import annotations

import httpx
import yaml

from lab import kubeconfig
from lab.errors import LabError
from lab.home import LabHome
from lab.servers.base import Context, LabServer, probe
from lab.servers.definitions import applied, apply_definitions, apply_namespace, served
from lab.servers.kubernetes import admin_client

NAMESPACE = "monitoring"
_KINDS = ("alertmanagerconfigs", "podmonitors", "probes", "prometheusrules", "servicemonitors")
_NAMES = tuple(f"{kind}.monitoring.coreos.com" for kind in _KINDS)
#: Annotation of the namespace: the part whose definitions were applied, so that they are not sent at every start.
_APPLIED = "lab.usine/prometheus-operator"


class PrometheusOperator(LabServer):
    """A step after the start of the API server, without a process."""

    name = "prometheus-operator"
    after = ("kube-apiserver",)
    parts = ("prometheus-operator",)

    def where(self, home: LabHome) -> str:  # noqa: ARG002 - not an address
        """Namespace of the platform's monitoring."""
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
        """Apply the definitions unless this version was applied before."""
        part = context.parts["prometheus-operator"]
        version = part.resolve().name
        try:
            with admin_client(context.home) as http:
                if applied(http, NAMESPACE, _APPLIED) == version and self.healthy(context.home):
                    return
                apply_definitions(http, part / "crds")
                apply_namespace(http, NAMESPACE, {_APPLIED: version})
        except (OSError, yaml.YAMLError, httpx.HTTPError, LabError) as error:
            raise LabError(f"{self.name}: {error}") from None

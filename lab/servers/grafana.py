"""The namespace of the tenants' Grafana instances. Grafana does not run: there are no nodes."""

from __future__ import annotations

import httpx

from lab import kubeconfig
from lab.errors import LabError
from lab.home import LabHome
from lab.servers.base import Context, probe
from lab.servers.definitions import Definitions
from lab.servers.kubernetes import admin_client


class GrafanaNamespace(Definitions):
    """A step after the start of the API server: the platform's operators create this namespace by hand."""

    name = "grafana"
    namespace = "grafana"
    names = ()

    def healthy(self, home: LabHome) -> bool:
        """Whether the namespace exists."""
        path = f"/api/v1/namespaces/{self.namespace}"
        return probe(home, kubeconfig.server(home), path, admin=True) == httpx.codes.OK

    def set_up(self, context: Context) -> None:
        """Create the namespace, which is for pods without any privilege."""
        try:
            with admin_client(context.home) as http:
                self._check(self._apply_namespace(http, {}, {"pod-security.kubernetes.io/enforce": "restricted"}))
        except httpx.HTTPError as error:
            raise LabError(f"{self.name}: {error}") from None

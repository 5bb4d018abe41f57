"""The Kubernetes control plane: an API server, and the controllers that its objects need. There are no nodes."""

from __future__ import annotations

import httpx

from lab import kubeconfig
from lab.home import LabHome
from lab.process import Command
from lab.servers import etcd, keycloak
from lab.servers.base import Context, LabServer, client, probe
from lab.sockets import LOOPBACK

ISSUER = "https://kubernetes.default.svc.cluster.local"
#: Realm of the foundation: its tokens authenticate users to the API.
REALM = "usine"
#: Controllers that delete namespaces, create service accounts, count quotas and aggregate roles. None runs pods.
_CONTROLLERS = (
    "namespace-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "root-ca-certificate-publisher-controller",
    "resourcequota-controller",
    "garbage-collector-controller",
    "clusterrole-aggregation-controller",
)


class KubeApiServer(LabServer):
    """One API server for all clusters of the platform's settings."""

    name = "kube-apiserver"
    after = ("etcd",)
    parts = ("kubernetes",)
    limit = 120.0

    def ports(self, home: LabHome) -> tuple[int, ...]:
        """Port of the API."""
        return (home.ports.kube_apiserver,)

    def where(self, home: LabHome) -> str:
        """URL of the API."""
        return kubeconfig.server(home)

    def command(self, context: Context) -> Command:
        """Write the administrator's kubeconfig and return the command.

        The realm need not exist yet: the server retries until it does.
        """
        home, pki = context.home, context.pki
        kubeconfig.write(home.kubeconfig, home, "admin", pki.admin)
        arguments = (
            str(context.parts["kubernetes"] / "kube-apiserver"),
            f"--etcd-servers={etcd.address(home)}",
            f"--etcd-cafile={pki.ca}",
            f"--etcd-certfile={pki.etcd_client.certificate}",
            f"--etcd-keyfile={pki.etcd_client.key}",
            f"--bind-address={LOOPBACK}",
            f"--secure-port={home.ports.kube_apiserver}",
            # Without this option it needs a network interface, and a closed machine may have none.
            f"--advertise-address={LOOPBACK}",
            "--endpoint-reconciler-type=none",
            f"--tls-cert-file={pki.kube_apiserver.certificate}",
            f"--tls-private-key-file={pki.kube_apiserver.key}",
            f"--client-ca-file={pki.ca}",
            "--authorization-mode=Node,RBAC",
            "--service-cluster-ip-range=10.96.0.0/16",
            f"--service-account-issuer={ISSUER}",
            f"--api-audiences={ISSUER}",
            f"--service-account-key-file={pki.service_account.certificate}",
            f"--service-account-signing-key-file={pki.service_account.key}",
            f"--oidc-issuer-url={keycloak.address(home)}/realms/{REALM}",
            "--oidc-client-id=kubernetes",
            "--oidc-username-claim=preferred_username",
            "--oidc-username-prefix=oidc:",
            "--oidc-groups-claim=groups",
            "--oidc-groups-prefix=oidc:",
            f"--oidc-ca-file={pki.ca}",
            "--profiling=false",
        )
        watched = (pki.ca, pki.kube_apiserver.certificate, pki.etcd_client.certificate, pki.service_account.certificate)
        return Command(arguments, folder=home.data, watched=watched)

    def healthy(self, home: LabHome) -> bool:
        """Whether it is ready and has its built-in roles."""
        return probe(home, kubeconfig.server(home), "/readyz", admin=True) == httpx.codes.OK


class KubeControllerManager(LabServer):
    """Runs the controllers in `_CONTROLLERS`."""

    name = "kube-controller-manager"
    after = ("kube-apiserver",)
    parts = ("kubernetes",)

    def ports(self, home: LabHome) -> tuple[int, ...]:
        """Port of the health checks."""
        return (home.ports.kube_controller_manager,)

    def where(self, home: LabHome) -> str:
        """URL of the health checks."""
        return f"https://{LOOPBACK}:{home.ports.kube_controller_manager}"

    def command(self, context: Context) -> Command:
        """Write its kubeconfig and return the command."""
        home, pki = context.home, context.pki
        config = home.pki / "controller-manager.kubeconfig"
        kubeconfig.write(config, home, "system:kube-controller-manager", pki.controller_manager, ("lab",))
        arguments = (
            str(context.parts["kubernetes"] / "kube-controller-manager"),
            f"--kubeconfig={config}",
            f"--authentication-kubeconfig={config}",
            f"--authorization-kubeconfig={config}",
            f"--controllers={','.join(_CONTROLLERS)}",
            "--use-service-account-credentials",
            "--leader-elect=false",
            f"--bind-address={LOOPBACK}",
            f"--secure-port={home.ports.kube_controller_manager}",
            f"--tls-cert-file={pki.controller_manager_server.certificate}",
            f"--tls-private-key-file={pki.controller_manager_server.key}",
            f"--root-ca-file={pki.ca}",
            f"--service-account-private-key-file={pki.service_account.key}",
            "--profiling=false",
        )
        watched = (config, pki.controller_manager_server.certificate, pki.service_account.certificate)
        return Command(arguments, folder=home.data, watched=watched)

    def healthy(self, home: LabHome) -> bool:
        """Whether its controllers run and have created the first service account."""
        if probe(home, self.where(home), "/healthz") != httpx.codes.OK:
            return False
        path = "/api/v1/namespaces/default/serviceaccounts/default"
        return probe(home, kubeconfig.server(home), path, admin=True) == httpx.codes.OK


def admin_client(home: LabHome) -> httpx.Client:
    """Return a client of the API for the cluster administrator."""
    return client(home, kubeconfig.server(home), admin=True, timeout=30.0)

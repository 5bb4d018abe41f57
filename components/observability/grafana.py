"""A Grafana of one tenant, in the platform's namespace, where no member of a tenant has a right."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.apps import v1 as apps
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs
from pulumi_kubernetes.networking import v1 as networking

from components.base import Component, OidcIssuer
from components.kubernetes.network import dns, from_namespace, namespace_peer, to_platform
from components.observability.default_dashboards import default_dashboards
from components.observability.grafana_config import (
    CONFIGURATION,
    DASHBOARDS,
    DATA,
    PLACES,
    PORT,
    SECRET_KEY,
    LogIn,
    configuration,
    namespaces_of,
)
from model.clusters import Cluster
from model.naming import DOMAIN, TENANT_LABEL, labels, names_of
from model.settings import GrafanaSettings
from model.tenant import Tenant

#: The user of Grafana's images.
_USER = 472
_CONFIG, _BOARDS = "config", "dashboards"
#: Without it, the engine waits until the pod runs: an image that cannot be pulled would fail the run of the tenant.
_NO_WAIT = {"pulumi.com/skipAwait": "true"}
_NEW_KEY = f"[ -s {SECRET_KEY} ] || (umask 077 && head -c 32 /dev/urandom | base64 > {SECRET_KEY})"


@dataclass(frozen=True, slots=True)
class GrafanaPlace:
    """Where Grafana instances run, and whom people log in with. `provider` is that of `cluster`."""

    settings: GrafanaSettings
    cluster: Cluster
    provider: kubernetes.Provider
    issuer: OidcIssuer


@dataclass(frozen=True, slots=True)
class TenantGrafanaArgs:
    """`runbooks` is the page of procedures that dashboards link to."""

    tenant: Tenant
    place: GrafanaPlace
    runbooks: str


class TenantGrafana(Component):
    """Configuration, dashboards, pod, address and network of the instance.

    The pod has no stored credential and no right in the cluster. Its database is lost with it: dashboards are in the
    tenant file, and people in Keycloak. `url` is the address.
    """

    system = "observability"
    url: str

    def __init__(self, name: str, args: TenantGrafanaArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register the objects."""
        super().__init__(name, opts)
        self._prefix, self._tenant, self._place = name, args.tenant, args.place
        settings, issuer = args.place.settings, args.place.issuer
        self._name = names_of(args.tenant).grafana
        self._selected = {"app.kubernetes.io/name": "grafana", TENANT_LABEL: args.tenant.slug}
        host = names_of(args.tenant).grafana_host(settings.domain)
        self.url = f"https://{host}"
        log_in = LogIn(issuer.url, authority=issuer.authority is not None)
        config = configuration(args.tenant, settings, log_in, issuer.authority)
        self._config_map("config", self._name, config)
        shown = default_dashboards(args.tenant, args.runbooks, logs=settings.logs is not None)
        self._config_map("dashboards", names_of(args.tenant).grafana_dashboards, shown)
        self._deployment(config)
        self._address(host)
        self._network()
        self.register_outputs({"url": self.url})

    def _metadata(self, name: str = "", annotations: Mapping[str, str] | None = None) -> ObjectMetaArgs:
        return ObjectMetaArgs(
            name=name or self._name,
            namespace=self._place.settings.namespace,
            labels=labels(self._tenant),
            annotations=dict(annotations) if annotations else None,
        )

    def _config_map(self, part: str, name: str, data: Mapping[str, str]) -> None:
        core.ConfigMap(
            f"{self._prefix}/{part}",
            metadata=self._metadata(name),
            data=dict(data),
            opts=self.child(self._place.provider),
        )

    def _deployment(self, config: Mapping[str, str]) -> None:
        # Grafana reads its configuration when it starts; it looks for new dashboards every 30 seconds.
        version = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()
        apps.Deployment(
            f"{self._prefix}/deployment",
            metadata=self._metadata(annotations=_NO_WAIT),
            spec=apps.DeploymentSpecArgs(
                replicas=1,
                selector=LabelSelectorArgs(match_labels=self._selected),
                template=core.PodTemplateSpecArgs(
                    metadata=ObjectMetaArgs(
                        labels={**labels(self._tenant), **self._selected},
                        annotations={f"{DOMAIN}/configuration": version},
                    ),
                    spec=self._pod(config),
                ),
            ),
            opts=self.child(self._place.provider),
        )

    def _pod(self, config: Mapping[str, str]) -> core.PodSpecArgs:
        data = core.VolumeMountArgs(name="data", mount_path=DATA)
        return core.PodSpecArgs(
            automount_service_account_token=False,
            enable_service_links=False,
            security_context=core.PodSecurityContextArgs(
                run_as_non_root=True,
                run_as_user=_USER,
                run_as_group=_USER,
                fs_group=_USER,
                seccomp_profile=core.SeccompProfileArgs(type="RuntimeDefault"),
            ),
            init_containers=[self._container("key", [data], command=["sh", "-c", _NEW_KEY])],
            containers=[
                self._container(
                    "grafana",
                    [
                        data,
                        core.VolumeMountArgs(name="tmp", mount_path="/tmp"),  # noqa: S108 - a volume of the pod
                        core.VolumeMountArgs(name=_CONFIG, mount_path=CONFIGURATION, read_only=True),
                        core.VolumeMountArgs(name=_BOARDS, mount_path=DASHBOARDS, read_only=True),
                    ],
                    ports=[core.ContainerPortArgs(name="http", container_port=PORT)],
                    readiness_probe=core.ProbeArgs(
                        http_get=core.HTTPGetActionArgs(path="/api/health", port="http"), period_seconds=10
                    ),
                )
            ],
            volumes=[
                core.VolumeArgs(name="data", empty_dir=core.EmptyDirVolumeSourceArgs(size_limit="1Gi")),
                core.VolumeArgs(name="tmp", empty_dir=core.EmptyDirVolumeSourceArgs(size_limit="100Mi")),
                core.VolumeArgs(
                    name=_CONFIG,
                    config_map=core.ConfigMapVolumeSourceArgs(
                        name=self._name,
                        items=[core.KeyToPathArgs(key=key, path=PLACES[key]) for key in sorted(config)],
                    ),
                ),
                core.VolumeArgs(
                    name=_BOARDS,
                    config_map=core.ConfigMapVolumeSourceArgs(name=names_of(self._tenant).grafana_dashboards),
                ),
            ],
        )

    def _container(
        self,
        name: str,
        mounts: list[core.VolumeMountArgs],
        *,
        command: list[str] | None = None,
        ports: list[core.ContainerPortArgs] | None = None,
        readiness_probe: core.ProbeArgs | None = None,
    ) -> core.ContainerArgs:
        return core.ContainerArgs(
            name=name,
            image=self._place.settings.image,
            command=command,
            ports=ports,
            readiness_probe=readiness_probe,
            volume_mounts=mounts,
            resources=core.ResourceRequirementsArgs(
                requests={"cpu": "50m", "memory": "128Mi", "ephemeral-storage": "64Mi"},
                limits={"cpu": "1", "memory": "512Mi", "ephemeral-storage": "1Gi"},
            ),
            security_context=core.SecurityContextArgs(
                allow_privilege_escalation=False,
                read_only_root_filesystem=True,
                capabilities=core.CapabilitiesArgs(drop=["ALL"]),
            ),
        )

    def _address(self, host: str) -> None:
        """Create the service and the host's rule. The certificate is the ingress controller's, for all instances."""
        core.Service(
            f"{self._prefix}/service",
            metadata=self._metadata(annotations=_NO_WAIT),
            spec=core.ServiceSpecArgs(
                selector=self._selected, ports=[core.ServicePortArgs(name="http", port=80, target_port="http")]
            ),
            opts=self.child(self._place.provider),
        )
        service = networking.IngressServiceBackendArgs(
            name=self._name, port=networking.ServiceBackendPortArgs(name="http")
        )
        path = networking.HTTPIngressPathArgs(
            path="/", path_type="Prefix", backend=networking.IngressBackendArgs(service=service)
        )
        networking.Ingress(
            f"{self._prefix}/ingress",
            metadata=self._metadata(annotations=_NO_WAIT),
            spec=networking.IngressSpecArgs(
                ingress_class_name=self._place.settings.ingress_class,
                tls=[networking.IngressTLSArgs(hosts=[host])],
                rules=[networking.IngressRuleArgs(host=host, http=networking.HTTPIngressRuleValueArgs(paths=[path]))],
            ),
            opts=self.child(self._place.provider),
        )

    def _network(self) -> None:
        """Let only the ingress in, and only to DNS, the stores and the platform's services out."""
        settings, cluster = self._place.settings, self._place.cluster
        stores = [store for store in (settings.metrics, settings.logs) if store is not None]
        egress = [dns()]
        if inside := namespaces_of(stores):
            egress.append(networking.NetworkPolicyEgressRuleArgs(to=[namespace_peer(name) for name in inside]))
        if cluster.platform_networks:
            egress.append(to_platform(cluster))
        networking.NetworkPolicy(
            f"{self._prefix}/network",
            metadata=self._metadata(),
            spec=networking.NetworkPolicySpecArgs(
                pod_selector=LabelSelectorArgs(match_labels=self._selected),
                policy_types=["Ingress", "Egress"],
                ingress=[from_namespace(cluster.ingress_namespace)],
                egress=egress,
            ),
            opts=self.child(self._place.provider),
        )

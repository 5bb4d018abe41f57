"""Network policies of a tenant namespace: all traffic is denied, except for listed openings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs
from pulumi_kubernetes.networking import v1 as networking

from components.base import Component
from model.clusters import Cluster
from model.naming import DOMAIN
from model.tenant import Egress, Environment

#: Networks that no egress opening reaches, independent of the settings: carrier-grade NAT, which managed clusters use
#: for nodes and pods; link-local, where clouds serve a machine's credentials; and Azure's service for its virtual
#: machines.
NEVER_OPEN = ("100.64.0.0/10", "169.254.0.0/16", "168.63.129.16/32")


@dataclass(frozen=True, slots=True)
class NamespaceNetworkArgs:
    """One namespace. `deleted_with` is the namespace too if it is not protected, None otherwise."""

    environment: Environment
    cluster: Cluster
    namespace: core.Namespace
    deleted_with: core.Namespace | None
    labels: Mapping[str, str]
    provider: kubernetes.Provider


class NamespaceNetwork(Component):
    """Default deny in both directions, and openings: DNS, the own namespace, the platform's services, the ingress,
    monitoring, and the egress of the tenant file.

    Network policies have addresses, not host names. So an egress opening allows its port to all addresses except the
    cluster's `internal_networks` and `NEVER_OPEN`: a host name could otherwise resolve to an internal address. An
    annotation has the host name, for the egress proxy and for people.
    """

    system = "kubernetes"

    def __init__(self, name: str, args: NamespaceNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register the policies."""
        super().__init__(name, opts)
        self._args = args
        self._prefix = name
        own_pods = networking.NetworkPolicyPeerArgs(pod_selector=LabelSelectorArgs())
        self._policy("default-deny", types=("Ingress", "Egress"))
        self._policy("allow-dns", types=("Egress",), egress=[dns()])
        self._policy(
            "allow-same-namespace",
            types=("Ingress", "Egress"),
            ingress=[networking.NetworkPolicyIngressRuleArgs(from_=[own_pods])],
            egress=[networking.NetworkPolicyEgressRuleArgs(to=[own_pods])],
        )
        self._policy(
            "allow-monitoring", types=("Ingress",), ingress=[from_namespace(args.cluster.monitoring_namespace)]
        )
        if args.cluster.platform_networks:
            self._policy("allow-platform", types=("Egress",), egress=[to_platform(args.cluster)])
        if args.environment.all_hosts:
            self._policy("allow-ingress", types=("Ingress",), ingress=[from_namespace(args.cluster.ingress_namespace)])
        for port in sorted({opening.port for opening in args.environment.egress}):
            openings = [opening for opening in args.environment.egress if opening.port == port]
            self._egress(port, openings)
        self.register_outputs({})

    def _egress(self, port: int, openings: Sequence[Egress]) -> None:
        closed = dict.fromkeys((*self._args.cluster.internal_networks, *NEVER_OPEN))
        anywhere_public = networking.NetworkPolicyPeerArgs(
            ip_block=networking.IPBlockArgs(cidr="0.0.0.0/0", except_=list(closed))
        )
        self._policy(
            f"allow-egress-{port}",
            types=("Egress",),
            egress=[
                networking.NetworkPolicyEgressRuleArgs(
                    to=[anywhere_public], ports=[networking.NetworkPolicyPortArgs(port=port, protocol="TCP")]
                )
            ],
            annotations={f"{DOMAIN}/egress-hosts": ",".join(sorted(opening.host for opening in openings))},
        )

    def _policy(
        self,
        name: str,
        *,
        types: Sequence[str],
        ingress: list[networking.NetworkPolicyIngressRuleArgs] | None = None,
        egress: list[networking.NetworkPolicyEgressRuleArgs] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> None:
        namespace = self._args.namespace
        networking.NetworkPolicy(
            f"{self._prefix}/{name}",
            metadata=ObjectMetaArgs(
                name=name,
                namespace=namespace.metadata.apply(lambda metadata: str(metadata.name)),
                labels=dict(self._args.labels),
                annotations=dict(annotations) if annotations else None,
            ),
            spec=networking.NetworkPolicySpecArgs(
                pod_selector=LabelSelectorArgs(), policy_types=list(types), ingress=ingress, egress=egress
            ),
            opts=self.child(self._args.provider, deleted_with=self._args.deleted_with),
        )


def dns() -> networking.NetworkPolicyEgressRuleArgs:
    """Return the opening to the cluster's DNS."""
    return networking.NetworkPolicyEgressRuleArgs(
        to=[namespace_peer("kube-system")],
        ports=[
            networking.NetworkPolicyPortArgs(port=53, protocol="UDP"),
            networking.NetworkPolicyPortArgs(port=53, protocol="TCP"),
        ],
    )


def to_platform(cluster: Cluster) -> networking.NetworkPolicyEgressRuleArgs:
    """Return the opening to the platform's services, in the networks of the settings."""
    return networking.NetworkPolicyEgressRuleArgs(
        to=[
            networking.NetworkPolicyPeerArgs(ip_block=networking.IPBlockArgs(cidr=cidr))
            for cidr in cluster.platform_networks
        ],
        ports=[networking.NetworkPolicyPortArgs(port=port, protocol="TCP") for port in cluster.platform_ports],
    )


def namespace_peer(namespace: str) -> networking.NetworkPolicyPeerArgs:
    """Return the pods of a namespace as a peer."""
    return networking.NetworkPolicyPeerArgs(
        namespace_selector=LabelSelectorArgs(match_labels={"kubernetes.io/metadata.name": namespace})
    )


def from_namespace(namespace: str) -> networking.NetworkPolicyIngressRuleArgs:
    """Return the opening for the pods of a namespace."""
    return networking.NetworkPolicyIngressRuleArgs(from_=[namespace_peer(namespace)])

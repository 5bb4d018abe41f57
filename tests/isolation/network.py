"""Evaluates network policies as Kubernetes does: may a pod open a connection to another pod or to an address?

Source: https://kubernetes.io/docs/concepts/services-networking/network-policies/. Where network plugins differ, this
module allows more: an `ipBlock` also applies to the addresses of pods.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Policy = Mapping[str, Any]


@dataclass(frozen=True)
class Pod:
    """A pod, or an address outside of the cluster if the namespace is empty."""

    address: str
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Network:
    """The policies of a cluster. `kubernetes.io/metadata.name` is the only namespace label that they may select."""

    policies: Sequence[Policy]

    def connects(self, source: Pod, target: Pod, port: int, protocol: str = "TCP") -> bool:
        """Whether the source's egress and the target's ingress both let the connection through."""
        return self._lets("Egress", source, target, port, protocol) and self._lets(
            "Ingress", target, source, port, protocol
        )

    def _lets(self, direction: str, pod: Pod, peer: Pod, port: int, protocol: str) -> bool:
        rules, peers = ("egress", "to") if direction == "Egress" else ("ingress", "from")
        chosen = [
            policy["spec"]
            for policy in self.policies
            if policy["metadata"]["namespace"] == pod.namespace
            and direction in policy["spec"]["policyTypes"]
            and _selects(policy["spec"]["podSelector"], pod.labels)
        ]
        return not chosen or any(
            self._rule(rule, rule.get(peers), pod, peer, port, protocol)
            for spec in chosen
            for rule in spec.get(rules) or ()
        )

    @staticmethod
    def _rule(
        rule: Mapping[str, Any], peers: Iterable[Any] | None, pod: Pod, peer: Pod, port: int, protocol: str
    ) -> bool:
        ports = rule.get("ports")
        if ports and not any(
            one.get("port") in (None, port) and one.get("protocol", "TCP") == protocol for one in ports
        ):
            return False
        return not peers or any(_is_peer(one, pod, peer) for one in peers)


def _is_peer(peer: Mapping[str, Any], pod: Pod, other: Pod) -> bool:
    if block := peer.get("ipBlock"):
        address = ipaddress.ip_address(other.address)
        closed = any(address in ipaddress.ip_network(network) for network in block.get("except") or ())
        return address in ipaddress.ip_network(block["cidr"]) and not closed
    if not other.namespace:
        return False
    if "namespaceSelector" in peer:
        if not _selects(peer["namespaceSelector"], {"kubernetes.io/metadata.name": other.namespace}):
            return False
    elif other.namespace != pod.namespace:
        return False
    return _selects(peer.get("podSelector") or {}, other.labels)


def _selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    if selector.get("matchExpressions"):
        raise NotImplementedError("the program writes no matchExpressions in network policies")
    return all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())

"""Connections between all tenants, the platform and the outside are closed, except those that are declared."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import pytest

from model.tenant import Egress, Tenant
from tests import factories
from tests.isolation.network import Network, Pod
from tests.isolation.tenants import TENANTS
from tests.plans import plan_of

INTERNAL, PLATFORM = "10.0.0.0/8", "10.9.0.0/24"
NAMESPACES = {"dns": "kube-system", "ingress": "ingress-nginx", "monitoring": "monitoring", "other": "argocd"}
#: Addresses outside of the cluster that a file can open, and addresses that it can never open.
PUBLIC = Pod("93.184.216.34")
INSIDE = {
    "internal": Pod("10.1.2.3"),
    "the nodes of a managed cluster": Pod("100.64.7.7"),
    "a cloud's credentials": Pod("169.254.169.254"),
    "Azure's own service": Pod("168.63.129.16"),
}
SERVICE = Pod("10.9.0.7")
EGRESS = (Egress("api.example.fr", 443), Egress("smtp.example.fr", 587))


def _opened(tenant: Tenant) -> Tenant:
    """Return a tenant with egress openings in dev, and without openings or a host in prod."""
    dev, prod = tenant.environments
    changed = (dataclasses.replace(dev, egress=EGRESS), dataclasses.replace(prod, egress=(), url=None))
    return dataclasses.replace(tenant, environments=changed)


@pytest.fixture(scope="module")
def network() -> Network:
    base = factories.settings()
    clusters = {
        name: dataclasses.replace(
            cluster,
            internal_networks=(INTERNAL,),
            platform_networks=(PLATFORM,),
            platform_ports=(443, 8200),
            ingress_namespace=NAMESPACES["ingress"],
            monitoring_namespace=NAMESPACES["monitoring"],
        )
        for name, cluster in base.clusters.items()
    }
    plan = plan_of(*map(_opened, TENANTS.values()), settings=dataclasses.replace(base, clusters=clusters))
    found: list[Any] = [dict(r.inputs) for r in plan.resources if r.inputs.get("kind") == "NetworkPolicy"]
    return Network(found)


def pods() -> dict[str, tuple[Pod, Pod]]:
    """Return two pods of every namespace of the tenants."""
    names = [f"{slug}-{environment}" for slug, environment in itertools.product(TENANTS, ("dev", "prod"))]
    return {
        name: (Pod(f"10.{n}.0.1", name, {"app": "web"}), Pod(f"10.{n}.0.2", name, {"app": "db"}))
        for n, name in enumerate(names, 20)
    }


PLATFORM_PODS = {what: Pod(f"10.2.0.{n}", name, {"app": what}) for n, (what, name) in enumerate(NAMESPACES.items(), 1)}
PORTS = (22, 25, 53, 80, 443, 587, 5432, 8080, 8200, 9090, 10250)


def test_a_pod_reaches_its_own_namespace_and_no_other_tenants(network: Network) -> None:
    wrong = []
    for (home, (web, _)), (there, (_, db)), port in itertools.product(pods().items(), pods().items(), PORTS):
        if network.connects(web, db, port) != (home == there):
            wrong.append(f"{home} to {there}:{port}")
    assert not wrong, "\n".join(wrong)
    assert len(pods()) == 10


def test_a_pod_reaches_dns_the_platforms_ports_and_declared_destinations(network: Network) -> None:
    wrong = []
    for (home, (web, _)), port in itertools.product(pods().items(), PORTS):
        opened = {opening.port for opening in EGRESS} if home.endswith("-dev") else set()
        expected = {
            "public": port in opened,
            "a service of the platform": port in (443, 8200),
            **{what: port == 53 and what == "dns" for what in PLATFORM_PODS},
            **dict.fromkeys(INSIDE, False),
        }
        targets = {"public": PUBLIC, "a service of the platform": SERVICE, **PLATFORM_PODS, **INSIDE}
        found = {what: network.connects(web, target, port) for what, target in targets.items()}
        if found != expected:
            wrong.append(f"{home}:{port}: {sorted(set(found.items()) ^ set(expected.items()))}")
    assert not wrong, "\n".join(wrong)


def test_a_pod_is_reached_by_monitoring_and_if_it_has_a_host_by_the_ingress(network: Network) -> None:
    wrong = []
    for (home, (web, _)), (what, source) in itertools.product(
        pods().items(), {**PLATFORM_PODS, "public": PUBLIC, **INSIDE}.items()
    ):
        expected = what == "monitoring" or (what == "ingress" and home.endswith("-dev"))
        if network.connects(source, web, 8080) != expected:
            wrong.append(f"{what} to {home}")
    assert not wrong, "\n".join(wrong)


def test_the_evaluator_agrees_with_the_kubernetes_documentation() -> None:
    """Without a policy, everything is allowed. With a policy, only what its rules name is allowed."""
    one, two, far = Pod("10.0.0.1", "a", {"app": "x"}), Pod("10.0.0.2", "b", {"app": "y"}), Pod("8.8.8.8")

    def policy(**spec: Any) -> dict[str, Any]:
        spec = {"podSelector": {}, "policyTypes": ["Ingress"], **spec}
        return {"metadata": {"namespace": "b"}, "spec": spec}

    assert Network(()).connects(one, two, 80)
    assert not Network((policy(),)).connects(one, two, 80)
    assert Network((policy(), policy(ingress=[{}]))).connects(one, two, 80)
    assert Network((policy(podSelector={"matchLabels": {"app": "other"}}),)).connects(one, two, 80)
    by_port = policy(ingress=[{"ports": [{"port": 80}]}])
    assert Network((by_port,)).connects(one, two, 80)
    assert not Network((by_port,)).connects(one, two, 81)
    assert not Network((by_port,)).connects(one, two, 80, "UDP")
    assert not Network((policy(ingress=[{"from": [{"podSelector": {}}]}]),)).connects(one, two, 80)
    by_name = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "a"}}}
    assert Network((policy(ingress=[{"from": [by_name]}]),)).connects(one, two, 80)
    both = {**by_name, "podSelector": {"matchLabels": {"app": "y"}}}
    assert not Network((policy(ingress=[{"from": [both]}]),)).connects(one, two, 80)
    block = {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}
    assert Network((policy(ingress=[{"from": [block]}]),)).connects(far, two, 80)
    assert not Network((policy(ingress=[{"from": [block]}]),)).connects(one, two, 80)

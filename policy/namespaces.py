"""Isolation of namespaces: Pod Security, quota, limits, network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from policy.model import Hidden, Policy, Resource, is_missing, is_set, items_of, value_at

_ENFORCE = "pod-security.kubernetes.io/enforce"
#: What a quota must limit, and the two service types that it must forbid since they bypass the ingress.
_BOUNDED = ("limits.cpu", "limits.memory", "requests.cpu", "requests.memory", "requests.storage", "pods")
_FORBIDDEN = ("services.loadbalancers", "services.nodeports")
#: Kyverno's kinds of policies that verify images.
_IMAGE_POLICIES = ("ImageValidatingPolicy", "NamespacedImageValidatingPolicy")
_EVERYWHERE = ("0.0.0.0/0", "::/0")


def _pod_security(resource: Resource) -> Iterator[str]:
    if resource.kind != "Namespace":
        return
    level = resource.at("metadata", "labels", _ENFORCE)
    if isinstance(level, Hidden) or (resource.is_patch and level is None):
        return
    if level != "restricted":
        yield f"the label {_ENFORCE} is not restricted"


def _admission(resource: Resource) -> Iterator[str]:
    if resource.kind == "ValidatingAdmissionPolicy":
        if resource.at("spec", "failurePolicy") not in ("Fail", Hidden.UNKNOWN):
            yield "spec.failurePolicy is not Fail: a rule that cannot be evaluated would allow everything"
    elif resource.kind == "ValidatingAdmissionPolicyBinding":
        actions = resource.at("spec", "validationActions")
        if not isinstance(actions, Hidden) and "Deny" not in items_of(actions):
            yield "spec.validationActions does not contain Deny: nothing is refused"
        if is_set(resource.at("spec", "matchResources")):
            yield "spec.matchResources excludes objects of the policy"
    elif resource.kind in _IMAGE_POLICIES:
        if resource.at("spec", "failurePolicy") not in ("Fail", Hidden.UNKNOWN):
            yield "spec.failurePolicy is not Fail: images would run while nothing verifies them"
        actions = resource.at("spec", "validationActions")
        if not isinstance(actions, Hidden) and "Deny" not in items_of(actions):
            yield "spec.validationActions does not contain Deny: nothing is refused"
        if resource.at("spec", "validationConfigurations", "verifyDigest") is False:
            yield "spec.validationConfigurations.verifyDigest is false: a tag moves after its verification"


def _network(resource: Resource) -> Iterator[str]:
    if resource.kind != "NetworkPolicy":
        return
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(items_of(resource.at("spec", direction))):
            where = f"spec.{direction}[{index}]"
            among = value_at(rule, peers)
            if isinstance(rule, Hidden) or isinstance(among, Hidden):
                continue
            if is_missing(among):
                yield f"{where}.{peers} is empty, which means everywhere"
            ports = value_at(rule, "ports")
            for place, peer in enumerate(items_of(among)):
                if fault := _peer_fault(peer, outward=direction == "egress", ports=ports):
                    yield f"{where}.{peers}[{place}] {fault}"


def _peer_fault(peer: object, *, outward: bool, ports: object) -> str:
    if isinstance(peer, Hidden):
        return ""
    if not isinstance(peer, Mapping) or not peer:
        return "is empty, which means everywhere"
    namespaces = peer.get("namespaceSelector")
    if (
        namespaces is not None
        and is_missing(value_at(namespaces, "matchLabels"))
        and is_missing(value_at(namespaces, "matchExpressions"))
        and not isinstance(namespaces, Hidden)
    ):
        return "selects every namespace"
    if value_at(peer, "ipBlock", "cidr") in _EVERYWHERE:
        if not outward:
            return "allows traffic from every address"
        if is_missing(value_at(peer, "ipBlock", "except")):
            return "allows traffic to every address, also inside the platform"
        if is_missing(ports):
            return "allows traffic to every address on every port"
    return ""


def _guarded(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    inside: dict[str, list[Resource]] = {}
    namespaces = [r for r in resources if r.kind == "Namespace" and not r.is_patch]
    by_urn = {r.urn: r for r in namespaces}
    for resource in resources:
        if resource.kind in {"ResourceQuota", "LimitRange", "NetworkPolicy"} and not resource.is_patch:
            for urn in _homes(resource, by_urn):
                inside.setdefault(urn, []).append(resource)
    for namespace in namespaces:
        for text in _unguarded(inside.get(namespace.urn, [])):
            yield namespace, text


def _homes(resource: Resource, namespaces: Mapping[str, Resource]) -> Iterable[str]:
    """Return the URNs of the namespaces that a resource may be in.

    Parent and dependencies tell the namespace, also while its name is unknown; otherwise the name does.
    """
    name = resource.at("metadata", "namespace")
    related = [u for u in (resource.parent, *resource.dependencies) if u in namespaces]
    if related:
        return related[:1]
    return [urn for urn, n in namespaces.items() if isinstance(name, str) and n.at("metadata", "name") == name]


def _unguarded(inside: Sequence[Resource]) -> Iterator[str]:
    hard = [r.at("spec", "hard") for r in inside if r.kind == "ResourceQuota"]
    if not hard:
        yield "it has no ResourceQuota"
    elif not any(isinstance(h, Hidden) for h in hard):
        merged: dict[str, object] = {}
        for limits in hard:
            merged |= limits if isinstance(limits, Mapping) else {}
        if missing := [key for key in _BOUNDED if is_missing(merged.get(key))]:
            yield f"its quota has no limit for {', '.join(missing)}"
        if opened := [key for key in _FORBIDDEN if not _is_none_allowed(merged.get(key))]:
            yield f"its quota does not set {', '.join(opened)} to 0"
    if not any(r.kind == "LimitRange" for r in inside):
        yield "it has no LimitRange"
    denied = {direction for r in inside if r.kind == "NetworkPolicy" for direction in _denies(r)}
    if missing := [d for d in ("Ingress", "Egress") if d not in denied]:
        yield f"it has no default-deny NetworkPolicy for {' and '.join(missing)}"


def _is_none_allowed(value: object) -> bool:
    return isinstance(value, Hidden) or (value is not None and str(value) == "0")


def _denies(network: Resource) -> Iterator[str]:
    """Yield the directions in which a network policy denies all traffic of every pod of its namespace."""
    selector = network.at("spec", "podSelector")
    if not (is_missing(selector) or isinstance(selector, Hidden)):
        return
    for direction in items_of(network.at("spec", "policyTypes")):
        if isinstance(direction, str) and is_missing(network.at("spec", direction.lower())):
            yield direction


POLICIES = (
    Policy(
        "namespace-pod-security",
        "Every namespace enforces the Pod Security level restricted",
        f"label it {_ENFORCE}: restricted",
        check=_pod_security,
    ),
    Policy(
        "admission-refuses",
        "An admission policy denies violations, also if it cannot be evaluated",
        "set failurePolicy to Fail and validationActions to [Deny], and leave matchResources out of the binding",
        check=_admission,
    ),
    Policy(
        "namespace-guarded",
        "Every namespace has a quota, default limits, and a network policy that denies all traffic by default",
        "create namespaces with components.kubernetes.namespace.TenantNamespace",
        stack_check=_guarded,
    ),
    Policy(
        "network-policy-narrow",
        "A network policy allows named peers; to the outside, named ports only, without the platform's networks",
        "name namespaces, pods, or address blocks with `except` and `ports`",
        check=_network,
    ),
)

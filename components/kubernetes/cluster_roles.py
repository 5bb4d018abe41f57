"""What people, Argo CD and Vault may do in a tenant namespace, as plain values. No Pulumi here.

Kubernetes' own ``edit`` role is not used: it may write network policies, and so undo a tenant's isolation.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from model.settings import Operator


class ClusterRoleName(enum.StrEnum):
    """The tenant cluster roles of a cluster, bound namespace by namespace; `TOKEN_REVIEW` for the whole cluster."""

    READ_ONLY = "tenant-ro"
    READ_WRITE = "tenant-rw"
    DEPLOYER = "tenant-deployer"
    TOKEN_REVIEW = "token-review"  # noqa: S105 - a role's name


@dataclass(frozen=True, slots=True)
class Grant:
    """One RBAC rule: API groups, resources, verbs."""

    groups: tuple[str, ...]
    resources: tuple[str, ...]
    verbs: tuple[str, ...]


_READ = ("get", "list", "watch")
_WRITE = ("create", "delete", "deletecollection", "patch", "update")
_ALL = (*_READ, *_WRITE)

_WORKLOADS = (
    Grant(("",), ("configmaps", "persistentvolumeclaims", "pods", "services"), _READ),
    Grant(("apps",), ("daemonsets", "deployments", "replicasets", "statefulsets"), _READ),
    Grant(("batch",), ("cronjobs", "jobs"), _READ),
    Grant(("autoscaling",), ("horizontalpodautoscalers",), _READ),
    Grant(("networking.k8s.io",), ("ingresses",), _READ),
    # Routes name their hosts. What names none (TCP, UDP), listeners and grants for references stay the platform's.
    Grant(("gateway.networking.k8s.io",), ("grpcroutes", "httproutes", "tlsroutes"), _READ),
    Grant(("policy",), ("poddisruptionbudgets",), _READ),
)
#: Operators' resources, which act with the operator's rights.
_OPERATORS = (
    Grant(("external-secrets.io",), ("externalsecrets", "secretstores"), _READ),
    Grant(("monitoring.coreos.com",), ("podmonitors", "prometheusrules", "probes", "servicemonitors"), _READ),
    Grant(("cert-manager.io",), ("certificates", "issuers"), _READ),
)
#: Those of them that a cluster's `operators` open for writing. Probes and issuers have the operator call any address,
#: whatever their fields: they stay the platform's (issue 11.A8).
_OPENED: Mapping[Operator, Grant] = {
    Operator.EXTERNAL_SECRETS: Grant(("external-secrets.io",), ("externalsecrets", "secretstores"), _ALL),
    Operator.MONITORING: Grant(("monitoring.coreos.com",), ("podmonitors", "prometheusrules", "servicemonitors"), _ALL),
    Operator.CERT_MANAGER: Grant(("cert-manager.io",), ("certificates",), _ALL),
}
_GUARDS = (
    # Who writes these sends the ingress' traffic where network policies let nobody of the tenant go (CVE-2021-25740).
    Grant(("",), ("endpoints",), _READ),
    Grant(("discovery.k8s.io",), ("endpointslices",), _READ),
    Grant(("",), ("events", "limitranges", "pods/log", "pods/status", "resourcequotas", "serviceaccounts"), _READ),
    Grant(("networking.k8s.io",), ("networkpolicies",), _READ),
    Grant(("rbac.authorization.k8s.io",), ("rolebindings", "roles"), _READ),
)


def _writable(grants: tuple[Grant, ...]) -> tuple[Grant, ...]:
    return tuple(Grant(grant.groups, grant.resources, _ALL) for grant in grants)


def cluster_roles(operators: Collection[Operator] = ()) -> Mapping[ClusterRoleName, tuple[Grant, ...]]:
    """Return the rules by cluster role, on a cluster that opens these operators' resources.

    Secrets are for those who may write; nobody of a tenant touches quota, limits, network policies, endpoints, service
    accounts or role bindings: those are what isolates it.
    """
    opened = tuple(_OPENED[operator] for operator in sorted(operators))
    return {
        ClusterRoleName.READ_ONLY: (*_WORKLOADS, *_OPERATORS, *_GUARDS),
        ClusterRoleName.READ_WRITE: (
            *_writable(_WORKLOADS),
            *_OPERATORS,
            *opened,
            *_GUARDS,
            Grant(("",), ("secrets",), _ALL),
            Grant(("",), ("pods/attach", "pods/exec", "pods/portforward"), ("create", "get")),
            Grant(("",), ("pods/eviction",), ("create",)),
            Grant(("apps",), ("deployments/scale", "statefulsets/scale"), ("get", "patch", "update")),
        ),
        ClusterRoleName.DEPLOYER: (
            *_writable(_WORKLOADS),
            *_OPERATORS,
            *opened,
            *_GUARDS,
            Grant(("",), ("secrets", "serviceaccounts"), _ALL),
        ),
        # A workload shows its token to Vault, which has it reviewed with that very token. Kubernetes' own
        # system:auth-delegator would also let it ask what anybody else may do.
        ClusterRoleName.TOKEN_REVIEW: (Grant(("authentication.k8s.io",), ("tokenreviews",), ("create",)),),
    }


#: Kinds Argo CD refuses to deploy for a tenant, by (API group, kind): the deny list of every AppProject.
DENIED_KINDS: tuple[tuple[str, str], ...] = (
    ("", "Endpoints"),
    ("", "LimitRange"),
    ("", "ResourceQuota"),
    ("cilium.io", "CiliumNetworkPolicy"),
    ("discovery.k8s.io", "EndpointSlice"),
    ("networking.k8s.io", "NetworkPolicy"),
    ("rbac.authorization.k8s.io", "Role"),
    ("rbac.authorization.k8s.io", "RoleBinding"),
)

"""What people, Argo CD and Vault may do in a tenant namespace, as plain values. This module does not use Pulumi.

Kubernetes' own ``edit`` role is not used: it may write network policies, and so could undo a tenant's isolation.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from model.clusters import Operator


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
    # Routes with host names. Only the platform writes routes without them (TCP, UDP), listeners and reference grants.
    Grant(("gateway.networking.k8s.io",), ("grpcroutes", "httproutes", "tlsroutes"), _READ),
    Grant(("policy",), ("poddisruptionbudgets",), _READ),
)
#: Resources of operators. An operator acts on them with its own rights.
_OPERATORS = (
    Grant(("external-secrets.io",), ("externalsecrets", "secretstores"), _READ),
    Grant(
        ("monitoring.coreos.com",),
        ("alertmanagerconfigs", "podmonitors", "prometheusrules", "probes", "servicemonitors"),
        _READ,
    ),
    Grant(("cert-manager.io",), ("certificates", "issuers"), _READ),
)
#: Resources that a cluster's `operators` open for writing. Only the platform writes probes and issuers: with any values
#: of their fields, the operator calls an address that they name (issue 11.A8). The receivers of alerts are in the
#: tenant file: an inhibition rule of an AlertmanagerConfig would hide alerts from the platform.
_OPENED: Mapping[Operator, Grant] = {
    Operator.EXTERNAL_SECRETS: Grant(("external-secrets.io",), ("externalsecrets", "secretstores"), _ALL),
    Operator.MONITORING: Grant(("monitoring.coreos.com",), ("podmonitors", "prometheusrules", "servicemonitors"), _ALL),
    Operator.CERT_MANAGER: Grant(("cert-manager.io",), ("certificates",), _ALL),
}
_GUARDS = (
    # A person who writes these could send the ingress' traffic to any address, past network policies (CVE-2021-25740).
    Grant(("",), ("endpoints",), _READ),
    Grant(("discovery.k8s.io",), ("endpointslices",), _READ),
    Grant(("",), ("events", "limitranges", "pods/log", "pods/status", "resourcequotas", "serviceaccounts"), _READ),
    Grant(("networking.k8s.io",), ("networkpolicies",), _READ),
    Grant(("rbac.authorization.k8s.io",), ("rolebindings", "roles"), _READ),
)


def _writable(grants: tuple[Grant, ...]) -> tuple[Grant, ...]:
    return tuple(Grant(grant.groups, grant.resources, _ALL) for grant in grants)


def cluster_roles(operators: Collection[Operator] = ()) -> Mapping[ClusterRoleName, tuple[Grant, ...]]:
    """Return the RBAC rules of each cluster role, on a cluster that opens these operators' resources.

    Only the roles that write may read secrets. No member of a tenant may change quotas, limits, network policies,
    endpoints, service accounts or role bindings: these isolate the tenant.
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
        # A workload sends its token to Vault, which reviews it with that same token. Kubernetes' own role
        # system:auth-delegator would also allow the workload to ask what other users may do.
        ClusterRoleName.TOKEN_REVIEW: (Grant(("authentication.k8s.io",), ("tokenreviews",), ("create",)),),
    }


#: Kinds that Argo CD refuses to deploy for a tenant, as (API group, kind): the deny list of every AppProject.
DENIED_KINDS: tuple[tuple[str, str], ...] = (
    ("", "Endpoints"),
    ("", "LimitRange"),
    ("", "ResourceQuota"),
    # Only the platform makes applications, sets of them and projects: their fields decide whose rights are used.
    ("argoproj.io", "AppProject"),
    ("argoproj.io", "Application"),
    ("argoproj.io", "ApplicationSet"),
    ("cilium.io", "CiliumNetworkPolicy"),
    ("discovery.k8s.io", "EndpointSlice"),
    ("networking.k8s.io", "NetworkPolicy"),
    ("policies.kyverno.io", "NamespacedImageValidatingPolicy"),
    ("policies.kyverno.io", "PolicyException"),
    ("rbac.authorization.k8s.io", "Role"),
    ("rbac.authorization.k8s.io", "RoleBinding"),
)

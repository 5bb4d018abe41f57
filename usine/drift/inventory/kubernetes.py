"""Inventory of Kubernetes: namespaces, what isolates tenants' namespaces or gives access to them, bindings to tenants.

What a tenant deploys is its own: workloads, config maps, secrets, and service accounts of its applications.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cached_property, partial
from typing import Final

from model.clusters import Operator
from model.naming import ADMISSION_PREFIX, TENANT_LABEL
from model.reserved import platform_names, reserved_namespaces
from model.settings import System
from usine.clients import Connections
from usine.clients.base import Json
from usine.clients.kubernetes import NAMESPACE, SECRET, KubernetesKind
from usine.drift.inventory.base import Found, InventoryScan, InventoryScope
from usine.drift.inventory.kubernetes_api import (
    OURS,
    ClusterServer,
    found,
    has_our_label,
    namespace_owner,
    refuse,
    servers,
    tenants_on,
)

#: Names that are reserved for the API server and its add-ons (Kubernetes' documentation of namespaces and of RBAC).
_OWN_NAMESPACE_PREFIX: Final = "kube-"
_OWN_PREFIX: Final = "system:"
_OWN_ACCOUNT: Final = "default"


_SERVICE_ACCOUNT: Final = KubernetesKind("kubernetes:core/v1:ServiceAccount", "api/v1", "serviceaccounts")
_RBAC: Final = "apis/rbac.authorization.k8s.io/v1"
_ROLE_BINDING: Final = KubernetesKind(
    "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding", _RBAC, "rolebindings", metadata=False
)
_CLUSTER_ROLE: Final = KubernetesKind("kubernetes:rbac.authorization.k8s.io/v1:ClusterRole", _RBAC, "clusterroles")
_CLUSTER_ROLE_BINDING: Final = KubernetesKind(
    "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding", _RBAC, "clusterrolebindings", metadata=False
)
_ADMISSION: Final = "apis/admissionregistration.k8s.io/v1"
_TOKEN: Final = "kubernetes:admissionregistration.k8s.io/v1:"  # noqa: S105 - begins a type token
_ADMISSION_POLICY: Final = KubernetesKind(
    f"{_TOKEN}ValidatingAdmissionPolicy", _ADMISSION, "validatingadmissionpolicies", metadata=False
)
_ADMISSION_BINDING: Final = KubernetesKind(
    f"{_TOKEN}ValidatingAdmissionPolicyBinding", _ADMISSION, "validatingadmissionpolicybindings", metadata=False
)
#: The kinds that isolate a namespace. No member of a tenant may create them, nor may Argo CD for the tenant.
_GUARDS: Final = (
    KubernetesKind("kubernetes:rbac.authorization.k8s.io/v1:Role", _RBAC, "roles"),
    KubernetesKind("kubernetes:networking.k8s.io/v1:NetworkPolicy", "apis/networking.k8s.io/v1", "networkpolicies"),
    KubernetesKind("kubernetes:core/v1:ResourceQuota", "api/v1", "resourcequotas"),
    KubernetesKind("kubernetes:core/v1:LimitRange", "api/v1", "limitranges"),
    *(
        KubernetesKind(f"kubernetes:policies.kyverno.io/v1:{kind}", "apis/policies.kyverno.io/v1", plural)
        for kind, plural in (
            ("NamespacedImageValidatingPolicy", "namespacedimagevalidatingpolicies"),
            ("PolicyException", "policyexceptions"),
        )
    ),
)
#: The kinds by which External Secrets copies secrets of Vault. Where the cluster opens them, tenants write their own.
_DELIVERY: Final = tuple(
    KubernetesKind(f"kubernetes:external-secrets.io/v1:{kind}", "apis/external-secrets.io/v1", resource)
    for kind, resource in (("SecretStore", "secretstores"), ("ExternalSecret", "externalsecrets"))
)
#: Velero's kinds that copy the data of a namespace, with the path to what they are about.
_BACKUPS: Final = {
    KubernetesKind(f"kubernetes:velero.io/v1:{kind}", "apis/velero.io/v1", f"{kind.lower()}s", metadata=False): path
    for kind, path in (("Schedule", ("spec", "template")), ("Restore", ("spec",)))
}


class KubernetesInventory:
    """Lists the objects of every API server of the stack's clusters."""

    def __init__(self, scope: InventoryScope, connections: Connections) -> None:
        """Keep the scope and the connections; nothing is sent yet."""
        self._scope = scope
        self._connections = connections

    def scans(self) -> Iterable[InventoryScan]:
        """See `SystemInventory`."""
        for server in servers(self._scope, self._connections):
            if isinstance(server, ClusterServer):
                yield from _ClusterInventory(self._scope, server).scans()
            else:
                cluster, error = server
                yield InventoryScan(tenants_on(self._scope, (cluster,)), partial(refuse, error))


class _ClusterInventory:
    """One API server."""

    def __init__(self, scope: InventoryScope, server: ClusterServer) -> None:
        self._scope = scope
        self._server = server
        providers = {f"kubernetes-{cluster}" for cluster in server.clusters}
        # Two servers may have objects of the same name.
        self._known = {(r.type, r.id) for r in scope.resources if r.provider in providers}

    def scans(self) -> Iterator[InventoryScan]:
        tenants = tenants_on(self._scope, self._server.clusters)
        takes: list[Callable[[], Iterator[Found]]] = [
            self._namespaces,
            self._cluster_role_bindings,
            self._role_bindings,
            self._accounts,
            self._secrets,
            self._verifier_secrets,
            *(partial(self._backups, kind) for kind in _BACKUPS),
            *(partial(self._guards, kind) for kind in _GUARDS),
            *(partial(self._delivery, kind) for kind in _DELIVERY),
        ]
        if self._scope.foundation:
            takes += [self._cluster_roles, self._admission]
        for take in takes:
            yield InventoryScan(tenants, take)

    # Namespaces ---------------------------------------------------------------------------------------------------

    @cached_property
    def _metadata(self) -> tuple[Json, ...]:
        """The metadata of every namespace."""
        return tuple(item["metadata"] for item in self._server.client.items(NAMESPACE))

    @cached_property
    def _live(self) -> Mapping[str, str | None]:
        """The live namespaces, each with its tenant by label or name."""
        return {metadata["name"]: self._tenant_of_namespace(metadata) for metadata in self._metadata}

    @property
    def _ours(self) -> Mapping[str, str]:
        """The namespaces of the state, with their tenants."""
        return {
            name: tenant
            for name, tenant in self._live.items()
            if tenant is not None and (NAMESPACE.type, name) in self._known
        }

    def _tenant_of_namespace(self, metadata: Json) -> str | None:
        label = (metadata.get("labels") or {}).get(TENANT_LABEL)
        return label if label in self._scope.slugs else namespace_owner(self._scope, metadata["name"])

    def _namespaces(self) -> Iterator[Found]:
        """Namespaces with a tenant's name or label and, on clusters for tenants, those that belong to nobody.

        A cluster of the platform's own services has namespaces that the settings do not name. A deleted namespace stays
        until all its objects are gone.
        """
        settings = self._scope.settings
        own = platform_names(settings)["Kubernetes namespace"].union(
            *(reserved_namespaces(settings.clusters[cluster]) for cluster in self._server.clusters)
        )
        for_tenants = any(settings.clusters[cluster].stages for cluster in self._server.clusters)
        for metadata in self._metadata:
            name, tenant = metadata["name"], self._tenant_of_namespace(metadata)
            if (NAMESPACE.type, name) in self._known or name in own or name.startswith(_OWN_NAMESPACE_PREFIX):
                continue
            if metadata.get("deletionTimestamp"):
                continue
            if tenant is not None or for_tenants:
                yield self._found(tenant, NAMESPACE, name, detail="a namespace, with all that is deployed there")

    def _each(self, resource: KubernetesKind, **query: str) -> Iterator[tuple[str, str, Json]]:
        """Yield the objects in the tenants' namespaces, each with its namespace and tenant.

        A stack with the foundation lists all namespaces at once; a stack of some tenants lists one after the other.
        """
        ours = self._ours
        if self._scope.foundation:
            for item in self._server.client.items(resource, **query):
                namespace = item["metadata"]["namespace"]
                if namespace in ours:
                    yield namespace, ours[namespace], item
            return
        for namespace, tenant in ours.items():
            for item in self._server.client.items(resource, namespace, **query):
                yield namespace, tenant, item

    # Objects in namespaces -----------------------------------------------------------------------------------------

    def _guards(self, resource: KubernetesKind) -> Iterator[Found]:
        for namespace, tenant, item in self._each(resource):
            yield from self._unless_known(tenant, resource, item, namespace)

    def _delivery(self, resource: KubernetesKind) -> Iterator[Found]:
        """Stores and external secrets: all where no member of a tenant may write them, else those with our label."""
        for namespace, tenant, item in self._each(resource):
            id_ = f"{namespace}/{item['metadata']['name']}"
            cluster = self._scope.settings.clusters[self._cluster_of(tenant, id_)]
            if has_our_label(item) or Operator.EXTERNAL_SECRETS not in cluster.operators:
                yield from self._unless_known(tenant, resource, item, namespace, "copies secrets of Vault")

    def _accounts(self) -> Iterator[Found]:
        """Service accounts, without `default` and those that an application deployed."""
        for namespace, tenant, item in self._each(_SERVICE_ACCOUNT):
            metadata = item["metadata"]
            if metadata["name"] != _OWN_ACCOUNT and not _deployed(metadata, namespace):
                yield from self._unless_known(tenant, _SERVICE_ACCOUNT, item, namespace)

    def _secrets(self) -> Iterator[Found]:
        """Secrets with the platform's label, and endless service account tokens; the others belong to the team."""
        for query, detail in (
            ({"labelSelector": OURS}, "a secret with the platform's label"),
            ({"fieldSelector": "type=kubernetes.io/service-account-token"}, "a service account's token, for ever"),
        ):
            for namespace, tenant, item in self._each(SECRET, **query):
                yield from self._unless_known(tenant, SECRET, item, namespace, detail)

    def _verifier_secrets(self) -> Iterator[Found]:
        """Secrets with the platform's label in the namespaces of verifiers: credentials that pull a tenant's images."""
        clusters = (self._scope.settings.clusters[cluster] for cluster in self._server.clusters)
        for namespace in sorted({c.image_verifier.namespace for c in clusters if c.image_verifier is not None}):
            for item in self._server.client.items(SECRET, namespace, labelSelector=OURS):
                label = (item["metadata"].get("labels") or {}).get(TENANT_LABEL)
                tenant = label if label in self._scope.slugs else None
                if self._scope.includes(tenant):
                    detail = "a credential of the images' verifier"
                    yield from self._unless_known(tenant, SECRET, item, namespace, detail)

    def _backups(self, kind: KubernetesKind) -> Iterator[Found]:
        """Schedules and restores of tenants' namespaces, in the namespaces of Velero.

        A schedule for all namespaces is the platform's own. Restores are in no state: one that is finished is deleted.
        """
        clusters = (self._scope.settings.clusters[cluster] for cluster in self._server.clusters)
        for namespace in sorted({c.backup.namespace for c in clusters if c.backup is not None}):
            for item in self._server.client.items(kind, namespace):
                about: Json = item
                for key in _BACKUPS[kind]:
                    about = about.get(key) or {}
                owners, text = self._copied(item, about)
                whose = next((owner for owner in sorted(owners) if self._scope.includes(owner)), None)
                of_platform = has_our_label(item) or (not text and kind.plural == "restores")
                if whose is not None or (self._scope.foundation and not owners and of_platform):
                    detail = f"copies the data of {text or 'all namespaces'}"
                    yield from self._unless_known(whose, kind, item, namespace, detail)

    def _copied(self, item: Json, about: Json) -> tuple[set[str], str]:
        """Return the tenants whose data is copied from or into their namespaces, and all these namespaces as a text."""
        patterns = {*(about.get("includedNamespaces") or ()), *(about.get("namespaceMapping") or {}).values()} - {"*"}
        label = (item["metadata"].get("labels") or {}).get(TENANT_LABEL)
        owners = {label} if label in self._scope.slugs else set()
        for pattern in patterns:
            named = namespace_owner(self._scope, pattern)
            live = (owner for name, owner in self._live.items() if fnmatchcase(name, pattern))
            owners |= {owner for owner in (named, *live) if owner is not None}
        return owners, ", ".join(sorted(patterns))

    # Access ----------------------------------------------------------------------------------------------

    def _role_bindings(self) -> Iterator[Found]:
        """All bindings in a tenant's namespace; in other namespaces, the bindings to a tenant."""
        for namespace, tenant, item in self._each(_ROLE_BINDING):
            if not item["metadata"]["name"].startswith(_OWN_PREFIX):
                yield from self._unless_known(tenant, _ROLE_BINDING, item, namespace, _binding(item))
        if self._scope.foundation:
            for item in self._server.client.items(_ROLE_BINDING):
                namespace = item["metadata"]["namespace"]
                bound, whose = self._bound(item)
                if bound and self._live.get(namespace) is None:
                    ours = whose if self._scope.includes(whose) else None
                    yield from self._unless_known(ours, _ROLE_BINDING, item, namespace, _binding(item))

    def _cluster_role_bindings(self) -> Iterator[Found]:
        for item in self._server.client.items(_CLUSTER_ROLE_BINDING):
            bound, tenant = self._bound(item)
            if bound:
                yield from self._unless_known(tenant, _CLUSTER_ROLE_BINDING, item, None, _binding(item))

    def _bound(self, binding: Json) -> tuple[bool, str | None]:
        """Return whether a binding is to a member of a tenant, and the tenant (None: a person of perhaps several)."""
        owners = [owner for subject in binding.get("subjects") or () for owner in self._subject(subject)]
        return bool(owners), next((owner for owner in owners if owner is not None), None)

    def _subject(self, subject: Json) -> Iterator[str | None]:
        name = str(subject["name"])
        prefixes = {self._scope.settings.clusters[cluster].oidc_prefix for cluster in self._server.clusters}
        if subject["kind"] == "ServiceAccount":
            namespace = subject.get("namespace")
        elif name.startswith(("system:serviceaccount:", "system:serviceaccounts:")):
            namespace = name.split(":")[2]
        else:
            for prefix in prefixes:
                plain = name.removeprefix(prefix)
                owner = self._scope.owner(plain.removeprefix("/"), "/") if plain.startswith("/") else None
                if owner is not None or (subject["kind"] == "User" and prefix and name.startswith(prefix)):
                    yield owner
            return
        if (tenant := self._live.get(str(namespace))) is not None:
            yield tenant

    def _cluster_roles(self) -> Iterator[Found]:
        for item in self._server.client.items(_CLUSTER_ROLE, labelSelector=OURS):
            yield from self._unless_known(None, _CLUSTER_ROLE, item, None, "a cluster role with the platform's label")

    def _admission(self) -> Iterator[Found]:
        """Admission policies with the platform's name or label, and bindings to them. Other tools have policies too."""
        for resource, detail in (
            (_ADMISSION_POLICY, "an admission policy with the platform's name or label"),
            (_ADMISSION_BINDING, "binds an admission policy of the platform"),
        ):
            for item in self._server.client.items(resource):
                metadata = item["metadata"]
                named = (metadata["name"], str((item.get("spec") or {}).get("policyName", "")))
                if has_our_label(item) or any(name.startswith(ADMISSION_PREFIX) for name in named):
                    yield from self._unless_known(None, resource, item, None, detail)

    # Findings -----------------------------------------------------------------------------------------------------

    def _unless_known(
        self, tenant: str | None, resource: KubernetesKind, item: Json, namespace: str | None, detail: str = ""
    ) -> Iterator[Found]:
        name = item["metadata"]["name"]
        id_ = f"{namespace}/{name}" if namespace else name
        if (resource.type, id_) not in self._known:
            yield self._found(tenant, resource, id_, detail=detail)

    def _found(self, tenant: str | None, resource: KubernetesKind, id_: str, *, detail: str) -> Found:
        return found(self._scope, System.KUBERNETES, self._cluster_of(tenant, id_), tenant, resource, id_, detail)

    def _cluster_of(self, tenant: str | None, id_: str) -> str:
        """Return an object's cluster of the settings. If one server is several, the environment decides."""
        namespace = id_.partition("/")[0]
        declared = self._scope.declared.get(tenant or "")
        environments = declared.environments if declared else ()
        here = [e.cluster for e in environments if f"{tenant}-{e.name}" == namespace]
        return here[0] if here and here[0] in self._server.clusters else self._server.clusters[0]


def _deployed(metadata: Json, namespace: str) -> bool:
    """Return whether an application of the namespace deployed it; its name is ``<namespace>--<repository>``."""
    marks = (
        (metadata.get("annotations") or {}).get("argocd.argoproj.io/tracking-id", ""),
        (metadata.get("labels") or {}).get("app.kubernetes.io/instance", ""),
    )
    return any(mark.startswith(f"{namespace}--") for mark in marks)


def _binding(item: Json) -> str:
    subjects = ", ".join(f"{s['kind']} {s['name']}" for s in item.get("subjects") or ()) or "nobody"
    return f"gives {item['roleRef']['kind']} {item['roleRef']['name']} to {subjects}"

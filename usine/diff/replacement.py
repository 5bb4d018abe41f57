"""Which properties force a replacement: from the providers' schemas, and Kubernetes' immutable fields."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from pulumi_facts import tokens
from pulumi_facts.paths import touches
from usine.plan.model import PlannedResource

_TABLE = Path(__file__).with_name("replacement.json")
_IDENTITY = ("metadata.name", "metadata.namespace")
_SELECTOR = ("spec.selector",)
#: Immutable fields as in the official provider, by type token without ``kubernetes:`` and ``Patch``.
_IMMUTABLE: Mapping[str, tuple[str, ...]] = {
    "apps/v1:DaemonSet": _SELECTOR,
    "apps/v1:Deployment": _SELECTOR,
    "apps/v1:StatefulSet": (
        *_SELECTOR,
        "spec.podManagementPolicy",
        "spec.revisionHistoryLimit",
        "spec.serviceName",
        "spec.volumeClaimTemplates",
    ),
    "batch/v1:Job": (*_SELECTOR, "spec.completions", "spec.parallelism", "spec.template"),
    "core/v1:PersistentVolumeClaim": (
        *_SELECTOR,
        "spec.accessModes",
        "spec.storageClassName",
        "spec.volumeName",
    ),
    "core/v1:ResourceQuota": ("spec.scopes",),
    "core/v1:Secret": ("type",),
    "core/v1:Service": ("spec.clusterIP",),
    "rbac.authorization.k8s.io/v1:ClusterRoleBinding": ("roleRef",),
    "rbac.authorization.k8s.io/v1:RoleBinding": ("roleRef",),
    "storage.k8s.io/v1:StorageClass": ("parameters", "provisioner"),
}
#: Fields that are immutable unless an input of the provider says otherwise: the fields, and that input.
_SEALED: Mapping[str, tuple[tuple[str, ...], str]] = {
    "core/v1:Secret": (("data", "stringData"), "enableSecretMutable"),
    "core/v1:ConfigMap": (("data", "binaryData"), "enableConfigMapMutable"),
}


def compared(type_: str, name: str) -> bool:
    """Return whether the provider of a type compares this input."""
    only = _table("compared").get(type_)
    return only is None or name in only


def forcing(paths: Iterable[str], resource: PlannedResource, provider: PlannedResource | None) -> tuple[str, ...]:
    """Return those of the changed paths that force a replacement.

    `resource` is the resource after the change, `provider` its explicit provider.
    """
    fixed = (*_fixed(resource.type, provider), *resource.options.replace_on_changes)
    return tuple(path for path in paths if any(touches(path, pattern) for pattern in fixed))


def _fixed(type_: str, provider: PlannedResource | None) -> tuple[str, ...]:
    if not type_.startswith(tokens.KUBERNETES):
        return _table("replacing").get(type_, ())
    kind = type_.removeprefix(tokens.KUBERNETES).removesuffix("Patch")
    fixed = (*_IDENTITY, *_IMMUTABLE.get(kind, ()))
    sealed, switch = _SEALED.get(kind, ((), ""))
    mutable = provider is not None and provider.inputs.get(switch) in {True, "true"}
    return fixed if mutable else (*fixed, *sealed)


@cache
def _table(name: str) -> Mapping[str, tuple[str, ...]]:
    document = json.loads(_TABLE.read_text(encoding="utf-8"))
    return {token: tuple(inputs) for token, inputs in document[name].items()}

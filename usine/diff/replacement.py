"""Which properties force a replacement: what providers' schemas say, and Kubernetes' fields that never change."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from usine.plan.model import PlannedResource

_TABLE = Path(__file__).with_name("replacement.json")
_KUBERNETES = "kubernetes:"
_IDENTITY = ("metadata.name", "metadata.namespace")
_SELECTOR = ("spec.selector",)
#: As the official provider has them, by type token without ``kubernetes:`` and without ``Patch``.
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
#: What is immutable unless the provider is told otherwise: the fields, and the provider's input that says so.
_SEALED: Mapping[str, tuple[tuple[str, ...], str]] = {
    "core/v1:Secret": (("data", "stringData"), "enableSecretMutable"),
    "core/v1:ConfigMap": (("data", "binaryData"), "enableConfigMapMutable"),
}


def compared(type_: str, name: str) -> bool:
    """Say whether the provider of a type compares this input at all."""
    only = _table("compared").get(type_)
    return only is None or name in only


def forcing(paths: Iterable[str], resource: PlannedResource, provider: PlannedResource | None) -> tuple[str, ...]:
    """Return those of the changed paths that force a replacement.

    `resource` is as it will be, `provider` the explicit provider it will have.
    """
    fixed = (*_fixed(resource.type, provider), *resource.options.replace_on_changes)
    return tuple(path for path in paths if any(reaches(path, pattern) for pattern in fixed))


def _fixed(type_: str, provider: PlannedResource | None) -> tuple[str, ...]:
    if not type_.startswith(_KUBERNETES):
        return _table("replacing").get(type_, ())
    kind = type_.removeprefix(_KUBERNETES).removesuffix("Patch")
    fixed = (*_IDENTITY, *_IMMUTABLE.get(kind, ()))
    sealed, switch = _SEALED.get(kind, ((), ""))
    mutable = provider is not None and provider.inputs.get(switch) in {True, "true"}
    return fixed if mutable else (*fixed, *sealed)


def reaches(path: str, pattern: str) -> bool:
    """Say whether a change at a path touches what a pattern names: the same, below it, or above it.

    Both are as Pulumi writes them; in a pattern, ``*`` is any key, ``[*]`` any index.
    """
    mine, wanted = _parts(path), _parts(pattern)
    return all(part in (own, "*") for own, part in zip(mine, wanted, strict=False))


def covers(pattern: str, path: str) -> bool:
    """Say whether a path is what a pattern names, or below it."""
    mine, wanted = _parts(path), _parts(pattern)
    return len(wanted) <= len(mine) and reaches(path, pattern)


_PART = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+|\*)\]|([^.\[\]]+)')


@cache
def _parts(path: str) -> tuple[str, ...]:
    found = []
    for quoted, index, plain in _PART.findall(path):
        found.append(re.sub(r"\\(.)", r"\1", quoted) if quoted else index or plain)
    return tuple(found)


@cache
def _table(name: str) -> Mapping[str, tuple[str, ...]]:
    document = json.loads(_TABLE.read_text(encoding="utf-8"))
    return {token: tuple(inputs) for token, inputs in document[name].items()}

"""The changes of an update, field by field from upstream's merge patch, and whether they require a replacement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from lab.plugins.diffing import ADD, DELETE, UPDATE
from lab.plugins.kubernetes.client import Object
from lab.plugins.kubernetes.objects import built_in, is_kind
from lab.plugins.wire import Unknown, Value
from lab.stubs import provider_pb2

Path = tuple[str | int, ...]
_DIFF: Final[Any] = provider_pb2.PropertyDiff
_REPLACING: Final = {ADD: _DIFF.ADD_REPLACE, DELETE: _DIFF.DELETE_REPLACE, UPDATE: _DIFF.UPDATE_REPLACE}
REPLACING: Final = frozenset(_REPLACING.values())

IDENTITY: Final = ("metadata.name", "metadata.namespace")
_SELECTOR: Final = ("spec.selector",)
_CONTAINER: Final = tuple(
    f"spec.{kind}.*.{name}"
    for kind in ("containers", "initContainers")
    for name in (
        "args", "command", "env", "image", "imagePullPolicy", "lifecycle", "livenessProbe", "ports", "readinessProbe",
        "resources", "securityContext", "stdin", "stdinOnce", "terminationMessagePath", "terminationMessagePolicy",
        "tty", "volumeDevices", "volumeMounts", "workingDir",
    )
)  # fmt: skip
_POD: Final = tuple(
    f"spec.{name}"
    for name in (
        "affinity", "automountServiceAccountToken", "dnsConfig", "dnsPolicy", "enableServiceLinks", "hostAliases",
        "hostIPC", "hostNetwork", "hostPID", "hostname", "imagePullSecrets", "nodeName", "nodeSelector", "overhead",
        "preemptionPolicy", "priority", "priorityClassName", "readinessGates", "restartPolicy", "runtimeClassName",
        "schedulerName", "securityContext", "serviceAccount", "serviceAccountName", "shareProcessNamespace",
        "subdomain", "terminationGracePeriodSeconds", "volumes",
    )
)  # fmt: skip
_VOLUME: Final = tuple(
    f"spec.{name}"
    for name in (
        "awsElasticBlockStore", "azureDisk", "azureFile", "cephfs", "cinder", "csi", "fc", "flexVolume", "flocker",
        "gcePersistentDisk", "glusterfs", "hostPath", "iscsi", "local", "nfs", "photonPersistentDisk", "portworxVolume",
        "quobyte", "rbd", "scaleIO", "storageos", "vsphereVolume",
    )
)  # fmt: skip
# Immutable fields, as in the official provider's list.
_IMMUTABLE: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("apps/v1", "DaemonSet"): _SELECTOR,
    ("apps/v1", "Deployment"): _SELECTOR,
    ("apps/v1", "StatefulSet"): (
        *_SELECTOR, "spec.podManagementPolicy", "spec.revisionHistoryLimit", "spec.serviceName",
        "spec.volumeClaimTemplates",
    ),
    ("batch/v1", "Job"): (*_SELECTOR, "spec.completions", "spec.parallelism", "spec.template"),
    ("policy/v1beta1", "PodDisruptionBudget"): ("spec",),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): ("roleRef",),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): ("roleRef",),
    ("storage.k8s.io/v1", "StorageClass"): ("parameters", "provisioner"),
    ("v1", "PersistentVolume"): _VOLUME,
    ("v1", "PersistentVolumeClaim"): (*_SELECTOR, "spec.accessModes", "spec.storageClassName", "spec.volumeName"),
    ("v1", "Pod"): (*_POD, *_CONTAINER),
    ("v1", "ResourceQuota"): ("spec.scopes",),
    ("v1", "Secret"): ("type",),
    ("v1", "Service"): ("spec.clusterIP",),
}  # fmt: skip


def immutable(obj: Object, *, secrets_mutable: bool, config_maps_mutable: bool) -> tuple[str, ...]:
    """Return the paths whose change requires a replacement."""
    key = (str(obj.get("apiVersion", "")), str(obj.get("kind", "")))
    sealed = obj.get("immutable") is True
    if is_kind(obj, "v1", "Secret") and (not secrets_mutable or sealed):
        return (*IDENTITY, "type", "stringData", "data")
    if is_kind(obj, "v1", "ConfigMap") and (not config_maps_mutable or sealed):
        return (*IDENTITY, "binaryData", "data")
    return (*IDENTITY, *_IMMUTABLE.get(key, ()))


class _Missing:
    """Marks a missing key, which differs from null."""


_MISSING: Final = _Missing()


def merge_patch(old: Value, new: Value) -> Object:
    """Return the JSON merge patch (RFC 7386) from `old` to `new`; unknown values become null."""
    patch: Object = {}
    for key, value in new.items():
        if isinstance(value, Unknown):
            patch[key] = None
        elif key not in old:
            patch[key] = value
        elif isinstance(value, dict) and isinstance(old[key], dict):
            if inner := merge_patch(old[key], value):
                patch[key] = inner
        elif not _same(value, old[key]):
            patch[key] = value
    patch.update(dict.fromkeys(old.keys() - new.keys()))
    return patch


def _same(left: Value, right: Value) -> bool:
    if isinstance(left, bool) is not isinstance(right, bool):
        return False
    return bool(left == right)


def _empty(value: Value) -> bool:
    return value is None or value in ({}, [], "") or value is False or value == 0


class _Converter:
    def __init__(self, immutable_paths: Sequence[str], drops_empty: bool) -> None:
        self.found: dict[str, Any] = {}
        self._immutable = [tuple(path.split(".")) for path in immutable_paths]
        self._drops_empty = drops_empty

    def value(self, path: Path, patch: Value, old: Value, new: Value, inside: bool) -> None:
        if new is _MISSING and patch is not None:
            return
        kind, given = UPDATE, False
        if patch is None:
            if isinstance(new, Unknown):
                kind = ADD if old is _MISSING else UPDATE
            else:
                kind, given = DELETE, True
        elif old is _MISSING:
            if self._drops_empty and _empty(patch):
                return  # the server omits empty values, so missing and empty are equal
            kind = ADD
        elif isinstance(patch, dict) and isinstance(old, dict):
            self.mapping(path, patch, old, new if isinstance(new, dict) else {}, inside)
            return
        elif isinstance(patch, list) and isinstance(old, list):
            self.array(path, patch, old, new if isinstance(new, list) else [])
            return
        elif _same(patch, old):
            return
        if any(_touches(path, patch, wanted) for wanted in self._immutable):
            kind = _REPLACING[kind]
        self.found[_text(path)] = _DIFF(kind=kind, inputDiff=given)

    def mapping(self, path: Path, patch: Object, old: Object, new: Object, inside: bool) -> None:
        for key, item in patch.items():
            self.value((*path, key), item, old.get(key, _MISSING), new.get(key, _MISSING), inside)
        if inside:
            for key, item in old.items():
                if key not in patch:
                    self.value((*path, key), None, item, new.get(key, _MISSING), inside)

    def array(self, path: Path, patch: list[Value], old: list[Value], new: list[Value]) -> None:
        for i in range(max(len(patch), len(old))):
            wanted = patch[i] if i < len(patch) else None
            before = old[i] if i < len(old) else _MISSING
            self.value((*path, i), wanted, before, new[i] if i < len(new) else None, True)


def _touches(path: Path, value: Value, wanted: tuple[str, ...]) -> bool:
    """Whether a change of `path` to `value` affects the field `wanted`, its parents or its children."""
    for i, part in enumerate(wanted):
        if i >= len(path):
            return _holds(value, wanted[i:])
        if part != "*" and str(path[i]) != part:
            return False
    return True


def _holds(value: Value, wanted: tuple[str, ...]) -> bool:
    if not wanted:
        return True
    if wanted[0] == "*":
        return isinstance(value, list) and any(_holds(item, wanted[1:]) for item in value)
    return isinstance(value, dict) and wanted[0] in value and _holds(value[wanted[0]], wanted[1:])


def _text(path: Path) -> str:
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif any(char in part for char in '."[]'):
            text += '["' + part.replace('"', '\\"') + '"]'
        else:
            text += f".{part}" if text else part
    return text


def detailed(old: Object, new: Object, immutable_paths: Sequence[str]) -> dict[str, Any]:
    """Return all changes from the pruned live object to the new inputs, as `{path: PropertyDiff}`."""
    patch = merge_patch(old, new)
    converter = _Converter(immutable_paths, built_in(new))
    converter.mapping((), patch, old, new, False)
    return converter.found


def covers(ignored: str, path: str) -> bool:
    """Whether an ignored path contains a changed one."""
    return path == ignored or path.startswith((f"{ignored}.", f"{ignored}["))

"""Rules of the official plugin that need no state: tokens, names, retries, release of fields."""

from __future__ import annotations

import copy
import secrets
import time
from collections.abc import Callable
from typing import Any, Final

from lab.plugins.bridge import resource_name, resource_type
from lab.plugins.checking import unsupported
from lab.plugins.kubernetes.client import Kube, KubeError, Object
from lab.plugins.kubernetes.objects import annotation, meta
from lab.plugins.server import PluginError
from lab.stubs import provider_pb2

NOT_FOUND: Final = 404
#: Annotations with an effect in the official plugin, which this plugin does not support.
_REFUSED_NOTES: Final = tuple(
    f"pulumi.com/{name}" for name in ("deletionPropagationPolicy", "patchFieldManager", "timeoutSeconds")
)


def refuse(obj: Object) -> None:
    """Raise `PluginError` for objects that only the official plugin supports."""
    if obj.get("kind") == "CustomResourceDefinition":
        raise PluginError(unsupported("custom resource definitions; the local platform installs those it has"))
    for name in _REFUSED_NOTES:
        if annotation(obj, name):
            raise PluginError(unsupported(f"the annotation {name}"))


def unserved(doing: str, error: KubeError) -> PluginError:
    """Return the error for a kind that the server does not serve."""
    return PluginError(
        f"{doing} failed because the Kubernetes API server reported that the apiVersion for this resource does not "
        f"exist. Verify that any required CRDs have been created: {error}"
    )


def is_patch(urn: str, obj: Object) -> bool:
    """Whether a resource is a Patch, which manages some fields of an object that it does not own."""
    return resource_type(urn).rsplit(":", 1)[-1] == f"{obj.get('kind')}Patch"


def kind_of(urn: str) -> tuple[str, str]:
    """Return the API version and kind of a type token such as `kubernetes:apps/v1:Deployment`."""
    _, module, kind = resource_type(urn).split(":")
    group, _, version = module.partition("/")
    if not version:
        raise PluginError(f'apiVersion does not have both a group and a version: "{module}"')
    return (version if group == "core" else module), kind


def autoname(request: provider_pb2.CheckRequest) -> str:
    """Return a name for an object without one; raises `PluginError` when naming is disabled."""
    modes: Any = provider_pb2.CheckRequest.AutonamingOptions
    if request.HasField("autonaming"):
        if request.autonaming.mode == modes.DISABLE:
            raise PluginError("autonaming is disabled, resource requires the .metadata.name field to be set")
        if request.autonaming.proposed_name:
            return request.autonaming.proposed_name
    seed = request.randomSeed
    suffix = seed.hex()[:8] if len(seed) >= 4 else secrets.token_hex(4)  # noqa: PLR2004 - eight digits
    return f"{resource_name(request.urn)}-{suffix}"


def retry_while_missing(once: Callable[[], Object], tries: int) -> Object:
    """Try up to `tries` times while the server lacks an object that another resource of the run creates."""
    pause = 1.0
    for attempt in range(tries):
        try:
            return once()
        except KubeError as error:
            if error.code != NOT_FOUND or attempt == tries - 1:
                raise
            time.sleep(pause)
            pause *= 2
    raise AssertionError  # the last attempt returns or raises


def no_namespace(error: KubeError) -> bool:
    """Whether the server refused because the namespace does not exist."""
    return error.code == NOT_FOUND and "namespaces" in str(error)


def imported(live: Object) -> Object:
    """Return inputs that describe the whole live object, without fields that the server adds."""
    found = copy.deepcopy({key: value for key, value in live.items() if key != "status"})
    data = found.get("metadata") or {}
    for key in ("creationTimestamp", "generation", "managedFields", "resourceVersion", "uid"):
        data.pop(key, None)
    notes = data.get("annotations") or {}
    for key in ("deployment.kubernetes.io/revision", "kubectl.kubernetes.io/last-applied-configuration"):
        notes.pop(key, None)
    return found


def _minimal(live: Object) -> Object:
    data = {key: meta(live)[key] for key in ("name", "namespace") if meta(live).get(key)}
    return {"apiVersion": live.get("apiVersion"), "kind": live.get("kind"), "metadata": data}


def relinquish(kube: Kube, live: Object, manager: str) -> None:
    """Release all fields of a manager. Fields without another manager get their defaults again."""
    kube.apply(_minimal(live), manager, force=False, dry_run=False)


def release(kube: Kube, live: Object, manager: str) -> None:
    """Release the fields of a Patch resource; raises `PluginError` if the object requires them."""
    try:
        relinquish(kube, live, manager)
    except KubeError as error:
        required = next((cause for cause in error.causes if cause.get("reason") == "FieldValueRequired"), None)
        if required is None:
            raise
        raise PluginError(
            "this Patch resource is currently managing a required field, so it can't be deleted directly. Either set "
            "the `retainOnDelete` resource option, or transfer ownership of the field before deleting: "
            f"{required.get('field')}"
        ) from None

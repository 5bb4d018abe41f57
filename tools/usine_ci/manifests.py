"""The conditions on manifests that the cluster checks too, as far as a job can: its admission and Pod Security.

The cluster decides; this only answers earlier. `tests/ci_tool/test_manifests.py` compares the lists with those of the
platform's components.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import yaml

from usine_ci.problems import Problem

Object = Mapping[str, object]

#: Kinds that Argo CD does not deploy for a tenant, and kinds without a namespace.
DENIED: Final = frozenset(
    {"Endpoints", "LimitRange", "ResourceQuota", "CiliumNetworkPolicy", "EndpointSlice"}
    | {"NetworkPolicy", "Role", "RoleBinding", "NamespacedImageValidatingPolicy", "PolicyException"}
    | {"AppProject", "Application", "ApplicationSet"}
)
CLUSTER: Final = frozenset(
    {"APIService", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "MutatingWebhookConfiguration"}
    | {"Namespace", "Node", "PersistentVolume", "PriorityClass", "RuntimeClass", "StorageClass"}
    | {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration"}
)
#: The volume types of the Pod Security level `restricted`. A cluster may allow fewer.
VOLUMES: Final = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)
_TEMPLATES: Final = frozenset({"DaemonSet", "Deployment", "Job", "ReplicaSet", "StatefulSet"})
_DIGEST: Final = re.compile(r".+@sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the manifests go: the namespace, the beginning of the names of its images, and what all tenants may use.

    `shared` are repositories or, with a final slash, all below a path.
    """

    namespace: str
    images: str
    shared: tuple[str, ...] = ()

    def allows(self, image: str) -> bool:
        """Return whether an image is the tenant's own or shared."""
        beginnings = (part for one in self.shared for part in ([one] if one.endswith("/") else [f"{one}:", f"{one}@"]))
        return image.startswith((self.images, *beginnings))


def check(file: str, text: str, place: Place) -> Iterator[Problem]:
    """Yield what is wrong with the manifests of an environment."""
    try:
        nodes = list(yaml.compose_all(text, yaml.SafeLoader))
        objects = list(yaml.safe_load_all(text))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        yield Problem(file, mark.line + 1 if mark else 0, mark.column + 1 if mark else 0, f"no YAML: {error.problem}")
        return
    for node, one in zip(nodes, objects, strict=True):
        if one is not None:
            yield from (Problem(file, node.start_mark.line + 1, 1, wrong) for wrong in _object(one, place))


def _object(one: object, place: Place) -> Iterator[str]:
    if not isinstance(one, dict) or not isinstance(one.get("kind"), str) or not isinstance(one.get("metadata"), dict):
        yield "this is no Kubernetes object: it has no kind or no metadata"
        return
    kind, metadata = one["kind"], one["metadata"]
    what = f"{kind} {metadata.get('name', '')}"
    if kind == "List" or kind.endswith("List"):
        yield f"{what}: write its items as documents of their own"
    if kind in DENIED:
        yield f"{what}: the platform sets objects of this kind, Argo CD does not deploy them"
    elif kind in CLUSTER:
        yield f"{what}: an object of the whole cluster; only objects of the namespace {place.namespace} are deployed"
    elif metadata.get("namespace") not in {None, place.namespace}:
        yield f"{what}: namespace {metadata['namespace']}; this environment is {place.namespace}"
    if kind == "Service":
        spec = _mapping(one.get("spec"))
        if spec.get("type", "ClusterIP") != "ClusterIP" or spec.get("externalIPs"):
            yield f"{what}: a service has the type ClusterIP and no externalIPs"
    if kind == "Secret" and one.get("type") == "kubernetes.io/service-account-token":
        yield f"{what}: a token of a service account that never ends; a pod gets one by a projected volume"
    template = _template(kind, one)
    if template is not None:
        yield from (f"{what}: {text}" for text in _pod(template, place))


def _template(kind: str, one: Object) -> Object | None:
    spec = _mapping(one.get("spec"))
    if kind == "Pod":
        return spec
    if kind == "CronJob":
        spec = _mapping(_mapping(spec.get("jobTemplate")).get("spec"))
    elif kind not in _TEMPLATES:
        return None
    return _mapping(_mapping(spec.get("template")).get("spec"))


def _pod(spec: Object, place: Place) -> Iterator[str]:
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(key):
            yield f"{key} is not allowed"
    for volume in _mappings(spec.get("volumes")):
        for type_ in sorted(set(volume) - VOLUMES - {"name"}):
            yield f"volume {volume.get('name', '')}: the type {type_} is not allowed: {', '.join(sorted(VOLUMES))}"
    pod = _mapping(spec.get("securityContext"))
    for key in ("containers", "initContainers", "ephemeralContainers"):
        for container in _mappings(spec.get(key)):
            name = f"container {container.get('name', '')}"
            image = str(container.get("image", ""))
            if not place.allows(image):
                allowed = ", ".join((place.images, *place.shared))
                yield f"{name}: image {image or 'is missing'}; images come from {allowed}"
            elif _DIGEST.fullmatch(image) is None:
                untagged = re.sub(r"(:[^/:@]*)?(@.*)?$", "", image, count=1)
                yield f"{name}: image {image} has no digest; a tag can be moved: write {untagged}@sha256:..."
            yield from (f"{name}: {text}" for text in _restricted(_mapping(container.get("securityContext")), pod))


def _restricted(own: Object, pod: Object) -> Iterator[str]:
    """Yield what the Pod Security level `restricted` refuses."""
    if own.get("privileged"):
        yield "privileged is not allowed"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "securityContext.allowPrivilegeEscalation must be false"
    if own.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
        yield "securityContext.runAsNonRoot must be true"
    if own.get("runAsUser", pod.get("runAsUser")) == 0:
        yield "securityContext.runAsUser must not be 0"
    if "ALL" not in _texts(_mapping(own.get("capabilities")).get("drop")):
        yield "securityContext.capabilities.drop must have ALL"
    if set(_texts(_mapping(own.get("capabilities")).get("add"))) - {"NET_BIND_SERVICE"}:
        yield "securityContext.capabilities.add may have NET_BIND_SERVICE only"
    profile = _mapping(own.get("seccompProfile") or pod.get("seccompProfile")).get("type")
    if profile not in {"RuntimeDefault", "Localhost"}:
        yield "securityContext.seccompProfile.type must be RuntimeDefault or Localhost"


def _mapping(value: object) -> Object:
    return value if isinstance(value, dict) else {}


def _mappings(value: object) -> list[Object]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _texts(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []

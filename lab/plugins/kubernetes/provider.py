"""The kubernetes plugin: it supports any kind, with the official plugin's behaviour and state."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Callable
from typing import Any, Final

from lab.plugins.bridge import resource_type
from lab.plugins.kubernetes import changes, managed, rendering, rules, waiting
from lab.plugins.kubernetes.client import Kube, KubeError, NoMatchError, Object
from lab.plugins.kubernetes.connection import KubernetesConnection
from lab.plugins.kubernetes.objects import (
    AUTONAMED,
    FIELD_MANAGER,
    INITIAL_VERSION,
    annotation,
    checkpoint,
    mark,
    meta,
    name_of,
    normalise,
    object_id,
    prune,
    split,
    to_object,
)
from lab.plugins.server import Host, PartialError, PluginError
from lab.plugins.wire import Properties, decode_map, encode_map, has_unknown
from lab.stubs import provider_pb2

_CREATE_TRIES: Final = 6
_EXISTS_HELP: Final = (
    "The resource already exists in the cluster. Use an alias when a Pulumi resource was renamed, a Patch resource to "
    "manage some fields of it, `pulumi import` to adopt it, or set upsertExistingObjects on the provider to update "
    "existing objects on create."
)
_GONE_HELP: Final = (
    "If the cluster was deleted, you can remove this resource from Pulumi state by rerunning the operation with the "
    'PULUMI_K8S_DELETE_UNREACHABLE environment variable set to "true"'
)


class KubernetesBackend(KubernetesConnection):
    """The plugin's backend."""

    def __init__(self, host: Host) -> None:
        """Store the receiver of warnings."""
        super().__init__()
        self._host = host

    # -- check --------------------------------------------------------------------------------------------------------

    def check(self, request: provider_pb2.CheckRequest) -> provider_pb2.CheckResponse:
        """Normalise the inputs, and add a name and a namespace if they are missing."""
        marked = decode_map(request.news)
        old = to_object(decode_map(request.olds))
        obj = normalise(to_object(marked))
        patch = rules.is_patch(request.urn, obj)
        if resource_type(request.urn).endswith("List") and isinstance(obj.get("items"), list):
            raise PluginError(
                "list resources exist for compatibility with YAML manifests and Helm charts, and cannot be created "
                "directly. Use the underlying resource type instead"
            )
        rules.refuse(obj)
        if patch and not meta(obj).get("name"):
            raise PluginError("patch resources require the `.metadata.name` field to be set")
        self._give_name(request, obj, old)
        if not meta(obj).get("name") and meta(obj).get("generateName"):
            raise PluginError("the `.metadata.generateName` field is not supported in Server-Side Apply mode")
        version, kind = rules.kind_of(request.urn)
        if self._kube is not None and not meta(obj).get("namespace") and self._kube.namespaced(version, kind):
            obj.setdefault("metadata", {})["namespace"] = self._namespace
        return provider_pb2.CheckResponse(inputs=encode_map(mark(obj, marked)))

    def _give_name(self, request: provider_pb2.CheckRequest, obj: Object, old: Object) -> None:
        data = meta(obj)
        if data.get("name") or (not old and data.get("generateName")):
            return
        if old:
            if annotation(old, AUTONAMED) != "true":
                return
            name = name_of(old)
        else:
            name = rules.autoname(request)
        data = obj.setdefault("metadata", {})
        data["name"] = name
        data.setdefault("annotations", {})[AUTONAMED] = "true"

    # -- diff ---------------------------------------------------------------------------------------------------------

    def diff(self, request: provider_pb2.DiffRequest) -> provider_pb2.DiffResponse:
        """Compare the program's inputs with the live object's values of the same fields."""
        marked = decode_map(request.news)
        new = normalise(to_object(marked))
        old_inputs, live = split(decode_map(request.olds))
        pruned = prune(live, normalise(old_inputs))
        version, kind = str(new.get("apiVersion", "")), str(new.get("kind", ""))
        pruned.setdefault("metadata", {})
        new.setdefault("metadata", {})
        if self._kube is None or self._kube.namespaced(version, kind):
            for obj in (pruned, new):
                obj["metadata"]["namespace"] = obj["metadata"].get("namespace") or "default"
        else:
            for obj in (pruned, new):
                obj["metadata"].pop("namespace", None)
        pruned.setdefault("apiVersion", version)
        pruned.setdefault("kind", kind)
        pruned["metadata"].pop("resourceVersion", None)
        if new["metadata"].get("name"):
            pruned["metadata"]["name"] = name_of(live)
        fixed: tuple[str, ...] = changes.IDENTITY
        if not rules.is_patch(request.urn, new):
            options = self._options
            fixed = changes.immutable(
                new, secrets_mutable=options.secrets_mutable, config_maps_mutable=options.config_maps_mutable
            )
        found = {
            path: change
            for path, change in changes.detailed(pruned, new, fixed).items()
            if not any(changes.covers(ignored, path) for ignored in request.ignoreChanges)
        }
        replaces = sorted(path for path, change in found.items() if change.kind in changes.REPLACING)
        # A replacement with the same name and namespace cannot exist beside the old object.
        same_place = name_of(new) == name_of(live) and meta(new).get("namespace") == meta(live).get("namespace")
        statuses: Any = provider_pb2.DiffResponse
        return provider_pb2.DiffResponse(
            changes=statuses.DIFF_SOME if found else statuses.DIFF_NONE,
            replaces=replaces,
            deleteBeforeReplace=bool(replaces) and same_place and annotation(new, AUTONAMED) != "true",
            detailedDiff=found,
            hasDetailedDiff=True,
        )

    # -- create -------------------------------------------------------------------------------------------------------

    def create(self, request: provider_pb2.CreateRequest) -> provider_pb2.CreateResponse:
        """Create the object, or in a preview by a dry run."""
        marked = decode_map(request.properties)
        obj = to_object(marked)
        patch = rules.is_patch(request.urn, obj)
        if request.preview and (self._kube is None or has_unknown(obj) or patch or not self._served(obj)):
            return provider_pb2.CreateResponse(properties=request.properties)
        manager = f"pulumi-kubernetes-{secrets.token_hex(4)}"
        if self._options.folder:
            rendering.write(self._options.folder, obj)
            state = checkpoint(obj, obj, marked, str(obj.get("apiVersion", "")), manager)
            return provider_pb2.CreateResponse(id=object_id(obj), properties=encode_map(state))
        kube = self._cluster()
        try:
            live = self._make(kube, obj, manager, patch=patch, preview=request.preview)
        except KubeError as error:
            if request.preview and (error.reason in ("AlreadyExists", "Forbidden") or rules.no_namespace(error)):
                # A dry run is not possible: it needs another resource of the same run.
                return provider_pb2.CreateResponse(properties=request.properties)
            if isinstance(error, NoMatchError):
                kind = f"{obj.get('apiVersion')}/{obj.get('kind')}"
                raise rules.unserved(f'creation of resource "{request.urn}" with kind {kind}', error) from None
            reason = f"{error}. {_EXISTS_HELP}" if error.reason == "AlreadyExists" else str(error)
            raise PluginError(
                f'resource "{request.urn}" was not successfully created by the Kubernetes API server: {reason}'
            ) from None
        initial = str(obj.get("apiVersion", ""))
        if request.preview:
            live.pop("status", None)
            return provider_pb2.CreateResponse(properties=encode_map(checkpoint(obj, live, marked, initial, manager)))
        try:
            live = waiting.ready(kube, obj, live)
        except PluginError as error:
            raise PartialError(
                id=object_id(live),
                state=checkpoint(obj, live, marked, initial, manager),
                reason=(
                    f'resource "{request.urn}" was successfully created, but the Kubernetes API server reported that '
                    f"it failed to fully initialize or become live: {error}"
                ),
            ) from None
        state = checkpoint(obj, live, marked, initial, manager)
        return provider_pb2.CreateResponse(id=object_id(live), properties=encode_map(state))

    def _make(self, kube: Kube, obj: Object, manager: str, *, patch: bool, preview: bool) -> Object:
        def once() -> Object:
            if self._options.upsert or patch:
                force = preview or self._forced(obj)
                return kube.apply(obj, manager, force=force, dry_run=preview, strict=True)
            return kube.create(obj, dry_run=preview)

        # Another resource of the run may create the namespace a little later.
        return rules.retry_while_missing(once, 1 if preview else _CREATE_TRIES)

    def _forced(self, obj: Object) -> bool:
        return self._options.patch_force or annotation(obj, "pulumi.com/patchForce") == "true"

    def _served(self, obj: Object) -> bool:
        return self._cluster().served(str(obj.get("apiVersion", "")), str(obj.get("kind", ""))) is not None

    # -- read ---------------------------------------------------------------------------------------------------------

    def read(self, request: provider_pb2.ReadRequest) -> provider_pb2.ReadResponse:
        """Read the live object; its values of the program's fields are the new inputs. No id means that it is gone."""
        if self._kube is None:
            return self._read_unreachable(request)
        given = decode_map(request.inputs)
        state = decode_map(request.properties)
        inputs = normalise(to_object(given))
        _, live = split(state)
        namespace, _, name = request.id.rpartition("/")
        fresh = not inputs.get("kind")
        if fresh:
            if live.get("kind"):
                inputs["apiVersion"], inputs["kind"] = live.get("apiVersion"), live["kind"]
                fresh = False
            else:
                inputs["apiVersion"], inputs["kind"] = rules.kind_of(request.urn)
            data = inputs.setdefault("metadata", {})
            data["name"] = data.get("name") or name
            if namespace and not data.get("namespace"):
                data["namespace"] = namespace
        initial = str(state.get(INITIAL_VERSION) or inputs.get("apiVersion", ""))
        manager = str(state.get(FIELD_MANAGER) or f"pulumi-kubernetes-{secrets.token_hex(4)}")
        try:
            live = self._kube.get(inputs, name)
        except KubeError as error:
            if error.code == rules.NOT_FOUND:
                return provider_pb2.ReadResponse()
            raise
        found = rules.imported(live) if fresh else prune(live, inputs)
        return provider_pb2.ReadResponse(
            id=request.id or object_id(live),
            properties=encode_map(checkpoint(found, live, given, initial, manager)),
            inputs=encode_map(mark(found, given)),
        )

    def _read_unreachable(self, request: provider_pb2.ReadRequest) -> provider_pb2.ReadResponse:
        if self._options.skip_unreachable:
            return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)
        self._host.warn(f"configured Kubernetes cluster is unreachable: {self._unreachable}", request.urn)
        raise PluginError(f"failed to read resource state due to unreachable cluster. {_GONE_HELP}")

    # -- update -------------------------------------------------------------------------------------------------------

    def update(self, request: provider_pb2.UpdateRequest) -> provider_pb2.UpdateResponse:
        """Apply the new inputs, or in a preview by a dry run."""
        marked = decode_map(request.news)
        obj = normalise(to_object(marked))
        if request.preview and (self._kube is None or has_unknown(obj) or not self._served(obj)):
            return provider_pb2.UpdateResponse(properties=request.news)
        state = decode_map(request.olds)
        _, old = split(state)
        initial = str(state.get(INITIAL_VERSION) or obj.get("apiVersion", ""))
        manager = str(state.get(FIELD_MANAGER) or f"pulumi-kubernetes-{secrets.token_hex(4)}")
        if self._options.folder:
            rendering.write(self._options.folder, obj)
            return provider_pb2.UpdateResponse(properties=encode_map(checkpoint(obj, obj, marked, initial, manager)))
        kube = self._cluster()

        def recorded(live: Object) -> Properties:
            return checkpoint(obj, live, marked, initial, manager)

        try:
            live = self._change(kube, request, obj, old, manager)
            if not request.preview:
                live = waiting.ready(kube, obj, live)
        except PluginError as error:
            if request.preview and isinstance(error, KubeError) and error.reason == "Forbidden":
                return provider_pb2.UpdateResponse(properties=request.news)
            if isinstance(error, NoMatchError):
                raise rules.unserved(f'update of resource "{request.urn}"', error) from None
            raise self._failed_update(kube, request, old, recorded, error) from None
        return provider_pb2.UpdateResponse(properties=encode_map(recorded(live)))

    def _change(
        self, kube: Kube, request: provider_pb2.UpdateRequest, obj: Object, old: Object, manager: str
    ) -> Object:
        live = kube.get(obj, name_of(old))
        if not rules.is_patch(request.urn, obj) and not request.preview:
            handover = managed.takeover(live, manager)
            if handover is not None:
                live = kube.patch_json(live, handover)
        wanted = copy.deepcopy(obj)
        managed.apply_ignored(wanted, live, request.ignoreChanges, manager)
        force = self._forced(obj) or not managed.entries(live) or (request.preview and managed.created_by_us(live))
        try:
            return kube.apply(wanted, manager, force=force, dry_run=request.preview)
        except KubeError as error:
            if error.reason != "Conflict":
                raise
            raise KubeError(
                error.code,
                error.reason,
                "server-side apply field conflict detected; set enablePatchForce on the provider, or the annotation "
                f"pulumi.com/patchForce on the resource, to take the fields back. The resource managed by field "
                f'manager "{manager}" had an apply conflict: {error}',
            ) from None

    def _failed_update(
        self,
        kube: Kube,
        request: provider_pb2.UpdateRequest,
        old: Object,
        recorded: Callable[[Object], Properties],
        error: PluginError,
    ) -> PluginError:
        try:
            live = kube.get(old, name_of(old))
        except PluginError as lost:
            return PluginError(
                f'update of resource "{request.urn}" failed: {error}; unable to get cluster state: {lost}'
            )
        id_ = object_id(live)
        return PartialError(
            id=id_,
            state=recorded(live),
            reason=f'the Kubernetes API server reported that "{id_}" failed to fully initialize or become '
            f"live: {error}",
        )

    # -- delete -------------------------------------------------------------------------------------------------------

    def delete(self, request: provider_pb2.DeleteRequest) -> None:
        """Delete the object and wait until it is gone; it is no error if it is already gone."""
        state = decode_map(request.properties)
        inputs, live = split(state)
        if self._options.folder:
            rendering.remove(self._options.folder, live)
            return
        if self._kube is None:
            raise PluginError(f"configured Kubernetes cluster is unreachable. {_GONE_HELP}")
        name = request.id.rpartition("/")[2]
        try:
            if rules.is_patch(request.urn, inputs):
                rules.release(self._kube, live, str(state.get(FIELD_MANAGER) or ""))
                return
            self._kube.delete(live, name, "Foreground")
        except KubeError as error:
            if error.code == rules.NOT_FOUND:
                return
            raise
        waiting.gone(self._kube, inputs, live, name, request.timeout or waiting.DEFAULT_SECONDS)

    def invoke(self, request: provider_pb2.InvokeRequest) -> provider_pb2.InvokeResponse:
        """Refuse the call: the program does not use the official functions, which render YAML, Helm and Kustomize."""
        raise PluginError(f"unknown Invoke token {request.tok}: this stand-in plugin has no functions")


def make(host: Host) -> KubernetesBackend:
    """Build the backend, without a connection."""
    return KubernetesBackend(host)

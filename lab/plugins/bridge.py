# ruff: noqa: ANN401 - messages of the protocol have no useful types
"""The backend of a bridged provider, such as the official plugins of vault, keycloak, gitlab and harbor.

Each resource is a shape with a few functions on a client. This module implements everything else that the engine sees:
checks, plans, diffs, states, secrets, partial failures.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from lab.plugins import checking, diffing, extraction, framework
from lab.plugins.checking import Naming
from lab.plugins.planning import Data, plan
from lab.plugins.schema import Field, Shape, provider_config, trimmed
from lab.plugins.server import PartialError, PluginError
from lab.plugins.wire import (
    UNKNOWN,
    Properties,
    Secret,
    Unknown,
    Value,
    completed,
    decode_map,
    drop_nulls,
    encode_map,
    has_unknown,
    reveal,
)
from lab.stubs import provider_pb2

Client = TypeVar("Client")
# (state before or None, plan (may be changed), inputs) -> properties whose change requires a replacement
Customise = Callable[[Properties | None, Properties, Mapping[str, Value]], set[str]]
# Sets properties of `data` from an import id.
Importer = Callable[[Data, Client], None]


@dataclass(frozen=True)
class BridgedResource(Generic[Client]):
    """A resource type.

    `create` sets `data.id` as soon as the object exists; `read` empties it if the object is gone.
    """

    shape: Shape
    create: Callable[[Data, Client], None]
    read: Callable[[Data, Client], None]
    update: Callable[[Data, Client], None] | None
    delete: Callable[[Data, Client], None]
    importer: Importer[Client] | None = None  # None if `read` needs only the id
    customise: Customise | None = None


@dataclass(frozen=True)
class BridgedFunction(Generic[Client]):
    """A function from checked arguments to results; `secrets` names the secret results."""

    shape: Shape
    call: Callable[[Properties, Client], Properties]


class Bridge(Generic[Client]):
    """A plugin backend: resources and functions on a client, which `connect` makes from the configuration."""

    accept_secrets = False  # as in the official plugins: the engine marks outputs by the inputs

    def __init__(
        self,
        *,
        name: str,
        tables: Iterable[Mapping[str, BridgedResource[Client]]],
        functions: Mapping[str, BridgedFunction[Client]] = MappingProxyType({}),
        connect: Callable[[Properties], Client],
        environment: Mapping[str, str] = MappingProxyType({}),
        required: str = "",
    ) -> None:
        """Store the arguments; `configure` connects to the server.

        `environment` maps settings to environment variables; `required` is the mandatory setting.
        """
        self.name = name
        self.version = str(trimmed(name)["version"])
        self._resources = {token: resource for table in tables for token, resource in table.items()}
        self._functions = functions
        self._connect = connect
        self._environment = environment
        self._required = required
        config = provider_config(name)
        self._config, self._refused = config.fields, config.unsupported
        self._client: Client | None = None

    # -- configuration ------------------------------------------------------------------------------------------------

    def check_config(self, request: provider_pb2.CheckRequest) -> provider_pb2.CheckResponse:
        """Validate the provider's settings and mark secret ones."""
        news = drop_nulls(decode_map(request.news))
        failures: list[str] = []
        kept: Properties = {}
        for name, value in news.items():
            field = self._config.get(name)
            if name in self._refused:
                failures.append(checking.unsupported(f"{self.name}:{name}"))
                continue
            if field is None and name not in ("version", "pluginDownloadURL") and not name.startswith("__"):
                failures.append(
                    f"could not validate provider configuration: Invalid or unknown key. "
                    f"`{self.name}:{name}` is not a valid configuration key for the {self.name} provider."
                )
                continue
            kept[name] = (
                Secret(value) if field is not None and field.secret and not isinstance(value, Secret) else value
            )
        settings = self._settings(news)
        if not failures and not has_unknown(settings):
            failures = self._missing(settings)
        return provider_pb2.CheckResponse(inputs=encode_map(kept), failures=_failures(failures))

    def diff_config(self, request: provider_pb2.DiffRequest) -> provider_pb2.DiffResponse:
        """Return the changed settings; none of them replaces the provider."""
        olds, news, changed = changed_settings(request)
        return settings_diff(
            changed,
            detailedDiff={
                key: _property_diff(
                    diffing.ADD if key not in olds else diffing.DELETE if key not in news else diffing.UPDATE
                )
                for key in changed
            },
            hasDetailedDiff=True,
        )

    def configure(self, request: provider_pb2.ConfigureRequest) -> provider_pb2.ConfigureResponse:
        """Build the client; raises `PluginError` when the server refuses it."""
        self._client = self._connect(self._settings(drop_nulls(decode_map(request.args))))
        return provider_pb2.ConfigureResponse(
            acceptSecrets=False, supportsPreview=True, supports_autonaming_configuration=True
        )

    def _settings(self, args: Properties) -> Properties:
        """Decode settings that are not text, which arrive as JSON, and add those of the environment."""
        settings: Properties = {}
        for name, value in reveal(args).items():
            field = self._config.get(name)
            if field is None:
                continue
            if isinstance(value, str) and field.kind != "string":
                try:
                    value = json.loads(value) if value else None  # noqa: PLW2901 - its value is what the text holds
                except json.JSONDecodeError as error:
                    raise PluginError(f"{self.name}:{name} must be a {field.kind}: {error.msg}") from None
            settings[name] = value
        return completed(settings, self._environment) if self._environment else settings

    def _missing(self, settings: Properties) -> list[str]:
        if not self._required or settings.get(self._required):
            return []
        setting = f"{self.name}:{self._required}"
        return [f"Provider is missing a required configuration key, try `pulumi config set {setting}`"]

    @property
    def client(self) -> Client:
        """The client; raises `PluginError` before `configure`."""
        if self._client is None:
            raise PluginError(f"the {self.name} provider is not configured")
        return self._client

    # -- resources ----------------------------------------------------------------------------------------------------

    def _resource(self, urn: str) -> BridgedResource[Client]:
        token = resource_type(urn)
        if token not in self._resources:
            raise PluginError(f"unrecognized resource type: {token} is not among those this stand-in plugin supports")
        return self._resources[token]

    def check(self, request: provider_pb2.CheckRequest) -> provider_pb2.CheckResponse:
        """Validate the inputs and add names and defaults."""
        shape = self._resource(request.urn).shape
        naming = Naming(name=resource_name(request.urn), seed=request.randomSeed)
        if request.HasField("autonaming"):
            modes: Any = provider_pb2.CheckRequest.AutonamingOptions
            naming.proposed = request.autonaming.proposed_name
            naming.mode = modes.Mode.Name(request.autonaming.mode).lower()
        result = checking.check(
            shape, naming.name, reveal(decode_map(request.olds)), drop_nulls(reveal(decode_map(request.news))), naming
        )
        return provider_pb2.CheckResponse(
            inputs=encode_map(checking.mark(shape.fields, result.inputs, nulls=False)),
            failures=_failures(result.failures),
        )

    def _plan(
        self, resource: BridgedResource[Client], prior: Properties | None, inputs: Properties, ignored: list[str]
    ) -> tuple[Properties, set[str]]:
        config = checking.plain(resource.shape.fields, inputs)
        planner = framework.plan if resource.shape.framework else plan
        planned = planner(resource.shape, prior, config, {diffing.top(path) for path in ignored})
        extra = resource.customise(prior, planned, config) if resource.customise is not None else set()
        return planned, extra

    def diff(self, request: provider_pb2.DiffRequest) -> provider_pb2.DiffResponse:
        """Compare the inputs with the state read back from the server."""
        resource = self._resource(request.urn)
        prior = state_of(resource.shape, decode_map(request.olds))
        inputs = drop_nulls(reveal(decode_map(request.news)))
        planned, extra = self._plan(resource, prior, inputs, list(request.ignoreChanges))
        found = diffing.changes(resource.shape, prior, planned, inputs)
        # Two objects cannot have the same name, so an object whose name is set by the program is deleted first.
        listed = inputs.get(checking.DEFAULTS)
        named = isinstance(listed, list) and any(
            field.autoname and name in inputs and name not in listed for name, field in resource.shape.fields.items()
        )
        return diffing.response(resource.shape, found, also_replacing=extra, delete_first=named)

    def create(self, request: provider_pb2.CreateRequest) -> provider_pb2.CreateResponse:
        """Create the object and return its state as read back; in a preview, return the plan."""
        resource = self._resource(request.urn)
        inputs = drop_nulls(reveal(decode_map(request.properties)))
        planned, _ = self._plan(resource, None, inputs, [])
        if request.preview:
            return provider_pb2.CreateResponse(properties=self._encode(resource.shape, planned, UNKNOWN))
        data = Data(resource.shape, planned=planned, inputs=checking.plain(resource.shape.fields, inputs))
        self._apply(resource.create, data, f"creating {request.urn}")
        if not data.id:
            raise PluginError(f"expected non-empty ID for new state during Create of {request.urn}")
        return provider_pb2.CreateResponse(
            id=data.id, properties=self._encode(resource.shape, data.state(applied=True), data.id)
        )

    def update(self, request: provider_pb2.UpdateRequest) -> provider_pb2.UpdateResponse:
        """Update the object and return its state as read back; in a preview, return the plan."""
        resource = self._resource(request.urn)
        olds = decode_map(request.olds)
        prior = state_of(resource.shape, olds)
        inputs = drop_nulls(reveal(decode_map(request.news)))
        planned, _ = self._plan(resource, prior, inputs, list(request.ignoreChanges))
        id_ = known_id(olds, request.id)
        if request.preview:
            return provider_pb2.UpdateResponse(properties=self._encode(resource.shape, planned, id_))
        data = Data(
            resource.shape,
            id_=id_,
            prior=prior,
            planned=planned,
            inputs=checking.plain(resource.shape.fields, inputs),
        )
        if resource.update is not None:
            self._apply(resource.update, data, f"updating {request.urn}")
        if not data.id:
            raise PluginError(
                f"Resource provider reported that the resource did not exist while updating {request.urn}. This is "
                "usually a result of the resource having been deleted outside of Pulumi, and can often be fixed by "
                "running `pulumi refresh` before updating."
            )
        return provider_pb2.UpdateResponse(properties=self._encode(resource.shape, data.state(applied=True), data.id))

    def _apply(self, operation: Callable[[Data, Client], None], data: Data, doing: str) -> None:
        """Run an operation. If it fails and the object exists, the error contains the known state."""
        client = self.client
        try:
            operation(data, client)
        except PluginError as error:
            if not data.id:
                raise
            # Keep the planned state, as upstream does: the next run sees init errors and updates again.
            state = self._outputs(data.shape, data.state(applied=True), data.id)
            raise PartialError(id=data.id, state=state, reason=f"{doing}: {error}") from None

    def read(self, request: provider_pb2.ReadRequest) -> provider_pb2.ReadResponse:
        """Read the object: a refresh if there is a state, else an import or a get.

        An empty id means that it is gone.
        """
        resource = self._resource(request.urn)
        olds = decode_map(request.properties)
        refresh = bool(olds)
        prior = state_of(resource.shape, olds) if refresh else dict.fromkeys(resource.shape.fields)
        data = Data(resource.shape, id_=known_id(olds, request.id), prior=prior)
        if not refresh and resource.importer is not None:
            resource.importer(data, self.client)
        try:
            if data.id:
                resource.read(data, self.client)
        except PluginError as error:
            raise PluginError(f"refreshing {request.urn}: {error}") from None
        if not data.id:
            return provider_pb2.ReadResponse()
        state = data.state(applied=False)
        if refresh:
            inputs = extraction.refreshed(resource.shape.fields, reveal(decode_map(request.inputs)), state)
        else:
            inputs = extraction.imported(resource.shape.fields, state)
        if resource.shape.framework:
            inputs = checking.plain(resource.shape.fields, inputs)
        return provider_pb2.ReadResponse(
            id=data.id,
            properties=self._encode(resource.shape, state, data.id),
            inputs=encode_map(checking.mark(resource.shape.fields, inputs, nulls=False)),
        )

    def delete(self, request: provider_pb2.DeleteRequest) -> None:
        """Delete the object; it is no error if it is already gone."""
        resource = self._resource(request.urn)
        olds = decode_map(request.properties)
        data = Data(resource.shape, id_=known_id(olds, request.id), prior=state_of(resource.shape, olds))
        try:
            resource.delete(data, self.client)
        except PluginError as error:
            raise PluginError(f"deleting {request.urn}: {error}") from None

    @staticmethod
    def _outputs(shape: Shape, state: Properties, id_: Value) -> Properties:
        return {**checking.mark(shape.fields, state), "id": id_}

    def _encode(self, shape: Shape, state: Properties, id_: Value) -> Any:
        return encode_map(self._outputs(shape, state, id_))

    # -- functions ----------------------------------------------------------------------------------------------------

    def invoke(self, request: provider_pb2.InvokeRequest) -> provider_pb2.InvokeResponse:
        """Check the arguments of a function and call it."""
        if request.tok not in self._functions:
            raise PluginError(f"unrecognized data function (Invoke): {request.tok} is not supported by this stand-in")
        function = self._functions[request.tok]
        name = request.tok.rsplit(":", 1)[-1]
        args = drop_nulls(reveal(decode_map(request.args)))
        checked = checking.check(function.shape, name, {}, args, Naming(name=name))
        if checked.failures:
            return provider_pb2.InvokeResponse(failures=_failures(checked.failures))
        arguments = checking.plain(function.shape.fields, checked.inputs)
        try:
            results = function.call(arguments, self.client)
        except PluginError as error:
            raise PluginError(f"invoking {request.tok}: {error}") from None
        # `return` is a keyword in Python, so the field's name must be in a dictionary.
        fields: dict[str, Any] = {"return": encode_map(results)}
        return provider_pb2.InvokeResponse(**fields)


def changed_settings(request: provider_pb2.DiffRequest) -> tuple[Properties, Properties, list[str]]:
    """Return a provider's old and new settings, and the names of those that differ."""
    olds = reveal(decode_map(request.old_inputs if request.HasField("old_inputs") else request.olds))
    news = reveal(decode_map(request.news))
    return olds, news, sorted(key for key in olds.keys() | news.keys() if olds.get(key) != news.get(key))


def settings_diff(changed: list[str], **more: Any) -> provider_pb2.DiffResponse:
    """Return the answer to a DiffConfig; `more` are further fields of it."""
    statuses: Any = provider_pb2.DiffResponse
    return provider_pb2.DiffResponse(
        changes=statuses.DIFF_SOME if changed else statuses.DIFF_NONE, diffs=changed, **more
    )


def resource_type(urn: str) -> str:
    """Return the type token of a URN, without its parents' types."""
    return urn.split("::")[2].rsplit("$", 1)[-1]


def resource_name(urn: str) -> str:
    """Return the name part of a URN."""
    return urn.split("::", 3)[3]


def known_id(olds: Properties, id_: str) -> str:
    """Return the id in the state, which is right for a moved object, else the engine's id."""
    held = olds.get("id")
    return held if isinstance(held, str) and held else id_


def state_of(shape: Shape, olds: Properties) -> Properties:
    """Return the state with every property and without secret marks."""
    plain = reveal(olds)
    return {name: _known(field, plain.get(name)) for name, field in shape.fields.items()}


def _known(field: Field, value: Value) -> Value:
    if isinstance(value, Unknown):
        return None
    if field.kind == "object" and field.fields is not None and isinstance(value, dict):
        return {name: _known(inner, value.get(name)) for name, inner in field.fields.items()}
    return value


def _property_diff(kind: int) -> Any:
    message: Any = provider_pb2.PropertyDiff
    return message(kind=kind, inputDiff=True)


def _failures(reasons: list[str]) -> list[provider_pb2.CheckFailure]:
    # Without a property, as in the official plugins: the engine then shows only the reason.
    return [provider_pb2.CheckFailure(reason=reason) for reason in reasons]

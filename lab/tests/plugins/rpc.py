"""A client of a plugin over gRPC, in this process, with the engine's messages as Python values."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc  # type: ignore[import-untyped]
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2

from lab.plugins import server
from lab.plugins.server import Backend
from lab.plugins.wire import Properties, decode_map, encode_map, reveal


@dataclass
class PluginFailure(Exception):  # noqa: N818 - tests use it as a value
    """A failure of the plugin, with the state of the object if it exists nevertheless."""

    message: str
    id: str = ""
    state: Properties | None = None

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class Difference:
    """A diff: each path with its kind in lower case, the properties that replace, and the order of the replacement."""

    paths: dict[str, str]
    replaces: tuple[str, ...]
    delete_first: bool

    @property
    def none(self) -> bool:
        return not self.paths


class Plugin:
    """A plugin and its connection; in the methods, `token` is the type and `name` the logical name."""

    def __init__(self, backend: Backend) -> None:
        self._server, port = server.start(backend, threading.Event())
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=server._OPTIONS)
        self._stub: Any = provider_pb2_grpc.ResourceProviderStub(self._channel)

    def close(self) -> None:
        self._channel.close()
        self._server.stop(grace=None)

    def _call(self, method: str, request: Any) -> Any:
        try:
            return getattr(self._stub, method)(request, timeout=120)
        except grpc.RpcError as error:
            detail = provider_pb2.ErrorResourceInitFailed()
            for key, value in error.trailing_metadata() or ():
                if key == "grpc-status-details-bin":
                    status = status_pb2.Status.FromString(value)
                    if status.details and status.details[0].Unpack(detail):
                        raise PluginFailure(error.details(), detail.id, decode_map(detail.properties)) from None
            raise PluginFailure(error.details()) from None

    @staticmethod
    def urn(token: str, name: str) -> str:
        return f"urn:pulumi:s::p::{token}::{name}"

    def configure(self, **config: Any) -> None:
        """Check and apply settings; raises `PluginFailure` if they are refused."""
        response = self._call("CheckConfig", provider_pb2.CheckRequest(urn="u", news=encode_map(config)))
        if response.failures:
            raise PluginFailure(response.failures[0].reason)
        args = encode_map(config)
        self._call("Configure", provider_pb2.ConfigureRequest(args=args, acceptSecrets=True))

    def check(
        self,
        token: str,
        news: Mapping[str, Any],
        olds: Mapping[str, Any] | None = None,
        name: str = "res",
        **extra: Any,
    ) -> tuple[Properties, list[str]]:
        """Return the checked inputs with marked secrets, and the failures."""
        request = provider_pb2.CheckRequest(
            urn=self.urn(token, name), news=encode_map(news), olds=encode_map(olds) if olds else None, **extra
        )
        response = self._call("Check", request)
        return decode_map(response.inputs), [failure.reason for failure in response.failures]

    def diff(
        self, token: str, state: Mapping[str, Any], news: Mapping[str, Any], ignore: Iterable[str] = ()
    ) -> Difference:
        request = provider_pb2.DiffRequest(
            urn=self.urn(token, "res"), olds=encode_map(state), news=encode_map(news), ignoreChanges=list(ignore)
        )
        response = self._call("Diff", request)
        kinds: Any = provider_pb2.PropertyDiff
        paths = {path: kinds.Kind.Name(d.kind).lower() for path, d in response.detailedDiff.items()}
        return Difference(paths, tuple(response.replaces), response.deleteBeforeReplace)

    def create(self, token: str, inputs: Mapping[str, Any], *, preview: bool = False) -> tuple[str, Properties]:
        request = provider_pb2.CreateRequest(urn=self.urn(token, "res"), properties=encode_map(inputs), preview=preview)
        response = self._call("Create", request)
        return response.id, decode_map(response.properties)

    def read(
        self, token: str, id_: str, state: Mapping[str, Any] | None = None, inputs: Mapping[str, Any] | None = None
    ) -> tuple[str, Properties, Properties]:
        """Return id, state and inputs; the id is empty if the object is gone."""
        request = provider_pb2.ReadRequest(
            urn=self.urn(token, "res"), id=id_, properties=encode_map(state or {}), inputs=encode_map(inputs or {})
        )
        response = self._call("Read", request)
        return response.id, decode_map(response.properties), decode_map(response.inputs)

    def update(
        self, token: str, id_: str, state: Mapping[str, Any], news: Mapping[str, Any], *, preview: bool = False,
        ignore: Iterable[str] = (),
    ) -> Properties:  # fmt: skip
        request = provider_pb2.UpdateRequest(
            urn=self.urn(token, "res"), id=id_, olds=encode_map(state), news=encode_map(news), preview=preview,
            ignoreChanges=list(ignore),
        )  # fmt: skip
        return decode_map(self._call("Update", request).properties)

    def delete(self, token: str, id_: str, state: Mapping[str, Any]) -> None:
        self._call(
            "Delete", provider_pb2.DeleteRequest(urn=self.urn(token, "res"), id=id_, properties=encode_map(state))
        )

    def invoke(self, token: str, **args: Any) -> Properties:
        response = self._call("Invoke", provider_pb2.InvokeRequest(tok=token, args=encode_map(args)))
        if response.failures:
            raise PluginFailure(response.failures[0].reason)
        return decode_map(getattr(response, "return"))

    # Life of a resource ----------------------------------------------------------------------------------------------

    def made(self, token: str, inputs: Mapping[str, Any]) -> Made:
        """Check, preview and create a resource, and assert that it has no diff."""
        checked, failures = self.check(token, inputs)
        assert failures == []
        self.create(token, checked, preview=True)
        id_, state = self.create(token, checked)
        assert id_
        made = Made(self, token, id_, state, dict(inputs), checked)
        assert made.diff().none, made.diff()
        return made


@dataclass
class Made:
    """An existing resource."""

    plugin: Plugin
    token: str
    id: str
    state: Properties
    given: dict[str, Any]
    inputs: Properties

    def checked(self, **changes: Any) -> Properties:
        """Return the checked inputs with changes; None removes an input."""
        news = {key: value for key, value in {**self.given, **changes}.items() if value is not None}
        checked, failures = self.plugin.check(self.token, news, reveal(self.inputs))
        assert failures == []
        return checked

    def diff(self, **changes: Any) -> Difference:
        return self.plugin.diff(self.token, self.state, self.checked(**changes) if changes else self.inputs)

    def refresh(self) -> bool:
        """Read the object again; return whether it exists."""
        id_, state, _ = self.plugin.read(self.token, self.id, self.state, self.inputs)
        if id_:
            self.state = state
        return bool(id_)

    def assert_no_drift(self) -> None:
        """Assert that a refresh finds no change."""
        assert self.refresh()
        assert self.diff().none, self.diff()

    def assert_drift(self, *paths: str) -> None:
        """Assert that a refresh finds changes at exactly these paths."""
        assert self.refresh()
        assert set(self.diff().paths) == set(paths)

    def change(self, **changes: Any) -> None:
        """Update the object, and assert that it has no diff before and after a refresh."""
        news = self.checked(**changes)
        self.plugin.update(self.token, self.id, self.state, news, preview=True)
        self.state = self.plugin.update(self.token, self.id, self.state, news)
        self.inputs = news
        self.given = {key: value for key, value in {**self.given, **changes}.items() if value is not None}
        assert self.diff().none, self.diff()
        self.assert_no_drift()

    def repair(self) -> None:
        """Write the program's inputs again after a change outside the program."""
        self.state = self.plugin.update(self.token, self.id, self.state, self.inputs)
        self.assert_no_drift()

    def imported(self, id_: str | None = None) -> Difference:
        """Import the object by its id; return the diff to the program's inputs."""
        found, state, inputs = self.plugin.read(self.token, id_ or self.id)
        assert found == self.id
        _, failures = self.plugin.check(self.token, reveal(inputs))
        assert failures == []
        return self.plugin.diff(self.token, state, self.inputs)

    def remove(self) -> None:
        self.plugin.delete(self.token, self.id, self.state)
        assert self.gone()

    def gone(self, seconds: float = 0) -> bool:
        """Whether the object is gone; can wait until it is."""
        deadline = time.monotonic() + seconds
        while present := self.refresh():
            if time.monotonic() >= deadline:
                break
            time.sleep(0.1)
        return not present

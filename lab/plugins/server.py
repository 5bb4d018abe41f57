# ruff: noqa: ANN401 - messages of the protocol have no useful types
"""The gRPC server of all stand-in plugins: start, serve, report errors, stop.

It uses the generated servicer and not `pulumi.provider.experimental`, which cannot report a resource that exists but
failed to initialise (`ErrorResourceInitFailed`), and serves one request at a time unless all code is asyncio, which
`requests` is not.
"""

from __future__ import annotations

import ipaddress
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import urlsplit

import grpc  # type: ignore[import-untyped]
from google.protobuf import empty_pb2

from lab.plugins.wire import Properties, encode_map
from lab.stubs import engine_pb2, engine_pb2_grpc, plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

WORKERS: Final = 64  # most of a request's time is waiting for a server
MAX_MESSAGE: Final = 400 * 1024 * 1024  # the engine's own limit
_PARENT_POLL_SECONDS: Final = 1.0
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", MAX_MESSAGE),
    ("grpc.so_reuseport", 0),
)

Response = TypeVar("Response")


class PluginError(Exception):
    """An error for the user: one line, without a traceback."""


class RefusalError(PluginError):
    """A server refused a request."""


@contextmanager
def refused(doing: str) -> Iterator[None]:
    """Prefix a refusal in this block with upstream's introduction, if any: `<doing>: <the server's answer>`."""
    try:
        yield
    except RefusalError as error:
        if not doing:
            raise
        raise PluginError(f"{doing}: {error}") from None


@dataclass
class PartialError(PluginError):
    """The object exists, but an operation on it failed. The engine stores `state` and retries in the next run."""

    id: str
    state: Properties
    reason: str
    inputs: Properties = field(default_factory=dict)


class Backend(Protocol):
    """The implementation of a plugin: a method for each call, with the protocol's messages.

    Each method raises `PluginError` for errors, `PartialError` if the object exists nevertheless.
    """

    name: str
    version: str
    accept_secrets: bool

    def check_config(self, request: provider_pb2.CheckRequest) -> provider_pb2.CheckResponse: ...
    def diff_config(self, request: provider_pb2.DiffRequest) -> provider_pb2.DiffResponse: ...
    def configure(self, request: provider_pb2.ConfigureRequest) -> provider_pb2.ConfigureResponse: ...
    def check(self, request: provider_pb2.CheckRequest) -> provider_pb2.CheckResponse: ...
    def diff(self, request: provider_pb2.DiffRequest) -> provider_pb2.DiffResponse: ...
    def create(self, request: provider_pb2.CreateRequest) -> provider_pb2.CreateResponse: ...
    def read(self, request: provider_pb2.ReadRequest) -> provider_pb2.ReadResponse: ...
    def update(self, request: provider_pb2.UpdateRequest) -> provider_pb2.UpdateResponse: ...
    def delete(self, request: provider_pb2.DeleteRequest) -> None: ...
    def invoke(self, request: provider_pb2.InvokeRequest) -> provider_pb2.InvokeResponse: ...


def proxied(url: str) -> bool:
    """Whether the environment's proxy settings apply: like the official plugins, never for this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


class Host:
    """Sends messages to the user through the engine, or nothing if there is no engine (tests, debugging)."""

    def __init__(self, address: str | None) -> None:
        """Store the engine's `host:port`; the first message connects to it."""
        self._address = address
        self._lock = threading.Lock()
        self._stub: Any = None

    def warn(self, message: str, urn: str = "") -> None:
        """Show a warning on the resource `urn`; errors of the connection to the engine are ignored."""
        if not self._address:
            return
        try:
            with self._lock:
                if self._stub is None:
                    self._stub = engine_pb2_grpc.EngineStub(grpc.insecure_channel(self._address))
            self._stub.Log(engine_pb2.LogRequest(severity=engine_pb2.WARNING, message=message, urn=urn), timeout=5)
        except grpc.RpcError:
            return


class _Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """Passes each call to the backend and converts its exceptions to gRPC statuses."""

    def __init__(self, backend: Backend, stop: threading.Event) -> None:
        self._backend = backend
        self._stop = stop

    def _answer(self, context: grpc.ServicerContext, call: Callable[[Any], Response], request: Any) -> Response:
        try:
            return call(request)
        except PartialError as failure:
            _abort_partial(context, failure)
        except PluginError as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error))
        except Exception as error:  # noqa: BLE001 - the user gets one line, no traceback
            context.abort(grpc.StatusCode.UNKNOWN, f"{self._backend.name} plugin: {type(error).__name__}: {error}")
        raise AssertionError  # abort() always raises

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:
        return provider_pb2.ProviderHandshakeResponse(
            accept_secrets=self._backend.accept_secrets,
            supports_autonaming_configuration=True,
        )

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        return plugin_pb2.PluginInfo(version=self._backend.version)

    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        return self._answer(context, self._backend.check_config, request)

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        return self._answer(context, self._backend.diff_config, request)

    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:
        return self._answer(context, self._backend.configure, request)

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:
        return self._answer(context, self._backend.check, request)

    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:
        return self._answer(context, self._backend.diff, request)

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:
        return self._answer(context, self._backend.create, request)

    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:
        return self._answer(context, self._backend.read, request)

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:
        return self._answer(context, self._backend.update, request)

    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._answer(context, self._backend.delete, request)
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> Any:
        return self._answer(context, self._backend.invoke, request)

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        return empty_pb2.Empty()


def _abort_partial(context: grpc.ServicerContext, failure: PartialError) -> None:
    detail = provider_pb2.ErrorResourceInitFailed(
        id=failure.id,
        properties=encode_map(failure.state),
        reasons=[failure.reason],
        inputs=encode_map(failure.inputs) if failure.inputs else None,
    )
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=failure.reason)
    status.details.add().Pack(detail)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, failure.reason)


def start(backend: Backend, stop: threading.Event) -> tuple[grpc.Server, int]:
    """Start to serve `backend` on a free loopback port; return the server and the port."""
    server = grpc.server(ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix=backend.name), options=_OPTIONS)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(_Servicer(backend, stop), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def main(make: Callable[[Host], Backend], argv: Sequence[str]) -> int:
    """Run a plugin as the engine expects: the argument is the engine's address, the first output line is the port."""
    address = next((argument for argument in argv if not argument.startswith("-")), None)
    stop = threading.Event()

    def leave(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGINT, leave)
    signal.signal(signal.SIGTERM, leave)
    parent = os.getppid()
    server, port = start(make(Host(address)), stop)
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    # A killed engine cannot stop its plugins, so this process ends itself.
    while not stop.wait(_PARENT_POLL_SECONDS) and os.getppid() == parent:
        pass
    server.stop(grace=None)
    sys.stdout.flush()
    # Do not wait for threads that still wait for a server.
    os._exit(0)

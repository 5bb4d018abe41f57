"""`pulumi-language-python` for a machine without the official one: runs Python programs and plugins for the engine.

Usage: `python -m lab.engine.language_host EXEC ENGINE_ADDRESS`, where EXEC is the SDK's `pulumi-language-python-exec`.
Imports are few, because at every run the engine waits until this process prints its port.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn, Protocol

import grpc  # type: ignore[import-untyped]
from google.protobuf import empty_pb2, json_format

from lab.engine.children import HostProcesses
from lab.engine.interpreter import (
    Interpreter,
    InterpreterError,
    PluginNeed,
    check_options,
    installed,
    plugin_needs,
    virtualenv_of,
)
from lab.stubs import language_pb2, language_pb2_grpc, plugin_pb2

#: Exit code of `pulumi-language-python-exec` when it has already printed the error.
_ALREADY_SHOWN: Final = 32
_WORKERS: Final = 32
_MAX_MESSAGE: Final = 400 * 1024 * 1024  # the engine's own limit
_PARENT_POLL_SECONDS: Final = 1.0
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", _MAX_MESSAGE),
    ("grpc.max_send_message_length", _MAX_MESSAGE),
    ("grpc.so_reuseport", 0),
)


class CallContext(Protocol):
    """The used methods of `grpc.ServicerContext`; gRPC has no types."""

    def abort(self, code: object, details: str) -> NoReturn:
        """End the call with a status; the engine prints `details`."""

    def add_callback(self, callback: Callable[[], None]) -> bool:
        """Register `callback` for the end of the call. Returns False if it has already ended."""


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Serves the engine. `executor` is the SDK's script that runs a program, `engine` is the engine's `host:port`."""

    def __init__(self, executor: Path, engine: str, children: HostProcesses) -> None:
        """Store the arguments; nothing starts yet."""
        self._executor = executor
        self._engine = engine
        self._children = children

    # Programs ------------------------------------------------------------------------------------------------------

    def Run(self, request: language_pb2.RunRequest, context: CallContext) -> language_pb2.RunResponse:
        """Run a program to its end. The user sees its output at once."""
        if request.attach_debugger:
            return language_pb2.RunResponse(error="--attach-debugger needs the official `pulumi`")
        try:
            python = _interpreter(request.info, os.environ)
            environment = python.activate(os.environ) | {
                "PULUMI_CONFIG": json.dumps(dict(request.config)),
                "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
            }
            command: list[str | Path] = [python.executable, "-u", self._executor, *self._arguments(request)]
            code = self._children.run(command, Path(request.info.program_directory), environment)
        except (InterpreterError, OSError) as error:
            return language_pb2.RunResponse(error=str(error))
        if code == _ALREADY_SHOWN:
            return language_pb2.RunResponse(bail=True)
        if code < 0:
            return language_pb2.RunResponse(error=f"the program was stopped by signal {-code}")
        return language_pb2.RunResponse(error=f"the program ended with exit code {code}" if code else "")

    def _arguments(self, request: language_pb2.RunRequest) -> list[str]:
        options = {
            "monitor": request.monitor_address,
            "engine": self._engine,
            "project": request.project,
            "stack": request.stack,
            "organization": request.organization,
            "root_directory": request.info.root_directory,
            "pwd": request.pwd,
            "dry_run": "true" if request.dryRun else "",
            "parallel": str(request.parallel),
        }
        arguments = [text for name, value in options.items() if value for text in (f"--{name}", value)]
        return [*arguments, request.info.entry_point or ".", *request.args]

    # Policy packs, and providers written in Python -----------------------------------------------------------------

    def RunPlugin(
        self, request: language_pb2.RunPluginRequest, context: CallContext
    ) -> Iterator[language_pb2.RunPluginResponse]:
        """Run a plugin from its source and stream its output. A cancelled call stops it."""
        program = os.path.join(request.info.program_directory, request.info.entry_point or ".")
        # The engine sends the whole environment; later entries override earlier ones.
        given = dict(entry.split("=", 1) for entry in request.env if "=" in entry) or dict(os.environ)
        try:
            python = _interpreter(request.info, given)
            # The SDK's runner starts a policy pack and passes the engine's address to it.
            called = (
                ["-m", "pulumi.policy", *request.args, program]
                if request.kind == "analyzer"
                else [program, *request.args]
            )
            output = self._children.stream(
                [python.executable, "-u", *called], Path(request.pwd), python.activate(given), _cancelled(context)
            )
            for item in output:
                if isinstance(item, int):
                    yield language_pb2.RunPluginResponse(exitcode=item)
                elif item[0] == "stdout":
                    yield language_pb2.RunPluginResponse(stdout=item[1])
                else:
                    yield language_pb2.RunPluginResponse(stderr=item[1])
        except (InterpreterError, OSError) as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))

    # What a program needs ------------------------------------------------------------------------------------------

    def GetRequiredPackages(
        self, request: language_pb2.GetRequiredPackagesRequest, context: CallContext
    ) -> language_pb2.GetRequiredPackagesResponse:
        """List the plugins of the installed packages, by their `pulumi-plugin.json`."""
        response = language_pb2.GetRequiredPackagesResponse()
        for need in self._needs(request.info, context):
            package = response.packages.add(name=need.name, kind="resource", version=need.version, server=need.server)
            if need.parameterization is not None:
                package.parameterization.name = need.parameterization.name
                package.parameterization.version = need.parameterization.version
                package.parameterization.value = need.parameterization.value
        return response

    def GetRequiredPlugins(
        self, request: language_pb2.GetRequiredPluginsRequest, context: CallContext
    ) -> language_pb2.GetRequiredPluginsResponse:
        """List the same plugins for an older engine."""
        needs = self._needs(request.info, context)
        plugins = (
            plugin_pb2.PluginDependency(name=need.name, kind="resource", version=need.version, server=need.server)
            for need in needs
        )
        return language_pb2.GetRequiredPluginsResponse(plugins=plugins)

    def _needs(self, info: language_pb2.ProgramInfo, context: CallContext) -> tuple[PluginNeed, ...]:
        try:
            return plugin_needs(_interpreter(info, os.environ).package_folders())
        except (InterpreterError, OSError) as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))

    def InstallDependencies(
        self, request: language_pb2.InstallDependenciesRequest, context: CallContext
    ) -> Iterator[language_pb2.InstallDependenciesResponse]:
        """Create the virtual environment if there is none, and install `requirements.txt` into it."""
        options = _options(request.info)
        root = Path(request.info.root_directory or request.directory)
        cancelled = _cancelled(context)
        try:
            check_options(options)
            folder = virtualenv_of(root, options)
            steps: list[Sequence[str | Path]] = []
            if folder is None:
                python = Interpreter.of(root, options, os.environ).executable
            else:
                python = folder / "bin" / "python"
                if not python.exists():
                    steps.append([Interpreter.of(root, {}, os.environ).executable, "-m", "venv", folder])
            requirements = Path(request.directory, "requirements.txt")
            if not requirements.is_file():
                requirements = root / "requirements.txt"
            if requirements.is_file():
                steps.append([python, "-m", "pip", "install", "--disable-pip-version-check", "-r", requirements])
            for step in steps:
                for item in self._children.stream(step, Path(request.directory), os.environ, cancelled):
                    if isinstance(item, int):
                        if item != 0:
                            raise InterpreterError(f"`{' '.join(map(str, step))}` failed with exit code {item}")  # noqa: TRY301 - stops the loop over the installation steps
                    elif item[0] == "stdout":
                        yield language_pb2.InstallDependenciesResponse(stdout=item[1])
                    else:
                        yield language_pb2.InstallDependenciesResponse(stderr=item[1])
        except (InterpreterError, OSError) as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))

    # About ---------------------------------------------------------------------------------------------------------

    def Handshake(
        self,
        request: language_pb2.LanguageHandshakeRequest,
        context: CallContext,
    ) -> language_pb2.LanguageHandshakeResponse:
        """Store the address of an engine that attaches to a running host."""
        self._engine = request.engine_address or self._engine
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: object, context: CallContext) -> plugin_pb2.PluginInfo:
        """Return no version, because this is not the official host."""
        return plugin_pb2.PluginInfo()

    def About(self, request: language_pb2.AboutRequest, context: CallContext) -> language_pb2.AboutResponse:
        """Return the Python on which programs run."""
        try:
            python = _interpreter(request.info, os.environ)
            return language_pb2.AboutResponse(executable=str(python.executable), version=python.version())
        except (InterpreterError, OSError) as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))

    def GetProgramDependencies(
        self, request: language_pb2.GetProgramDependenciesRequest, context: CallContext
    ) -> language_pb2.GetProgramDependenciesResponse:
        """List the installed distributions."""
        try:
            folders = _interpreter(request.info, os.environ).package_folders()
        except (InterpreterError, OSError) as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        response = language_pb2.GetProgramDependenciesResponse()
        for name, version in installed(folders, transitive=request.transitiveDependencies):
            response.dependencies.add(name=name, version=version)
        return response

    def RuntimeOptionsPrompts(self, request: object, context: CallContext) -> language_pb2.RuntimeOptionsResponse:
        """Ask nothing for a new project."""
        return language_pb2.RuntimeOptionsResponse()

    def Template(self, request: object, context: CallContext) -> language_pb2.TemplateResponse:
        """Add nothing to a new project."""
        return language_pb2.TemplateResponse()

    def Cancel(self, request: object, context: CallContext) -> empty_pb2.Empty:
        """Stop the running processes."""
        self._children.interrupt()
        return empty_pb2.Empty()

    # The base class would answer these calls with a traceback on the terminal.

    def GenerateProgram(self, request: object, context: CallContext) -> NoReturn:
        """Refuse the call: only the official host generates code."""
        _refuse(context)

    GenerateProject = GeneratePackage = Pack = Link = GenerateProgram


def _refuse(context: CallContext) -> NoReturn:
    context.abort(grpc.StatusCode.UNIMPLEMENTED, "generating and packing code needs the official `pulumi`")


def _options(info: language_pb2.ProgramInfo) -> dict[str, object]:
    return dict(json_format.MessageToDict(info.options))


def _interpreter(info: language_pb2.ProgramInfo, environment: Mapping[str, str]) -> Interpreter:
    return Interpreter.of(Path(info.root_directory), _options(info), environment)


def _cancelled(context: CallContext) -> threading.Event:
    """Return an event that is set when the engine no longer waits for this call."""
    event = threading.Event()
    if not context.add_callback(event.set):
        event.set()
    return event


def main(arguments: Sequence[str]) -> int:
    """Serve until SIGINT, SIGTERM or the end of the engine. The engine's address is the last argument."""
    stop = threading.Event()

    def leave(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGINT, leave)
    signal.signal(signal.SIGTERM, leave)
    parent = os.getppid()
    children = HostProcesses()
    server = grpc.server(ThreadPoolExecutor(_WORKERS), options=_OPTIONS)
    host = LanguageHost(Path(arguments[0]), arguments[-1] if len(arguments) > 1 else "", children)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    # A killed engine cannot stop its plugins, so this process ends itself and the program that it runs.
    while not stop.wait(_PARENT_POLL_SECONDS) and os.getppid() == parent:
        pass
    children.stop()
    server.stop(grace=None)
    sys.stdout.flush()
    os._exit(0)  # threads may still wait for a process that ignores signals


if __name__ == "__main__":
    main(sys.argv[1:])

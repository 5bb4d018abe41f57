"""A plugin as a process of the engine: it prints its port, serves, and stops without output."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2_grpc

ROOT = Path(__file__).resolve().parents[3]
PROVIDERS = ("gitlab", "harbor", "keycloak", "kubernetes", "vault")
# Packages that a plugin does not need, and optional packages of its dependencies.
HEAVY = ("pulumi", "click", "rich", "pydantic")


def command(name: str) -> list[str]:
    return [sys.executable, "-m", f"lab.plugins.{name}", "127.0.0.1:1"]


@contextmanager
def running(name: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Start a plugin like the engine; yield it and its port."""
    process = subprocess.Popen(command(name), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_plugin_prints_its_port_answers_its_version_and_stops(name: str) -> None:
    with running(name) as (process, port):
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub: Any = provider_pb2_grpc.ResourceProviderStub(channel)
            assert stub.GetPluginInfo(empty_pb2.Empty(), timeout=10).version.count(".") == 2
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=5)
        assert (process.returncode, output, errors) == (0, "", "")


def test_a_plugin_stops_without_output_after_an_interrupt() -> None:
    with running("vault") as (process, _port):
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=5)
        assert (process.returncode, output, errors) == (0, "", "")


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_plugin_loads_no_large_package(name: str) -> None:
    """The engine waits for five such processes at every run."""
    script = (
        f"import sys, lab.plugins.{name}.__main__\n"
        f"assert not (found := [name for name in {HEAVY!r} if sys.modules.get(name)]), found\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_plugin_ends_when_the_engine_is_killed() -> None:
    """A killed engine does not stop its plugins."""
    script = (
        "import subprocess, sys\n"
        f"p = subprocess.Popen({command('kubernetes')!r}, stdout=subprocess.PIPE)\n"
        "p.stdout.readline()\nprint(p.pid, flush=True)\n"
    )
    engine = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    pid = int(engine.stdout)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() if Path("/proc/self").exists() else _alive(pid):
        assert time.monotonic() < deadline, "the plugin still runs"
        time.sleep(0.1)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True

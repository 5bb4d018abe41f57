"""A plugin as the engine starts it: a process that says its port, serves, and leaves quietly."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2_grpc

ROOT = Path(__file__).resolve().parents[2]
PROVIDERS = ("vault", "keycloak", "kubernetes")


def command(name: str) -> list[str]:
    return [sys.executable, "-m", f"lab.plugins.{name}", "127.0.0.1:1"]


@pytest.fixture(params=PROVIDERS)
def process(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    made = subprocess.Popen(command(request.param), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    yield made
    made.kill()
    made.communicate()


def port_of(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def test_it_says_its_port_and_its_version(process: subprocess.Popen[str]) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{port_of(process)}") as channel:
        stub: Any = provider_pb2_grpc.ResourceProviderStub(channel)
        assert stub.GetPluginInfo(empty_pb2.Empty(), timeout=10).version.count(".") == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_leaves_quietly_when_told(process: subprocess.Popen[str], number: signal.Signals) -> None:
    port_of(process)
    process.send_signal(number)
    output, errors = process.communicate(timeout=5)
    assert (process.returncode, output, errors) == (0, "", "")


@pytest.mark.parametrize("name", PROVIDERS)
def test_it_does_not_outlive_the_engine(name: str) -> None:
    """A killed engine says nothing to its plugins."""
    script = (
        "import subprocess, sys\n"
        f"p = subprocess.Popen({command(name)!r}, stdout=subprocess.PIPE)\n"
        "p.stdout.readline()\nprint(p.pid, flush=True)\n"
    )
    engine = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    pid = int(engine.stdout)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() if Path("/proc/self").exists() else _alive(pid):
        assert time.monotonic() < deadline, "the plugin is still there"
        time.sleep(0.1)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True

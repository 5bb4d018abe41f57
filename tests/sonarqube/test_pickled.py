"""The pickled provider in the state: one line, without code, address or token."""

from __future__ import annotations

import base64
import os
import pickletools
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest
from google.protobuf import struct_pb2
from pulumi import dynamic
from pulumi.dynamic import Config, ConfigureRequest
from pulumi.dynamic.dynamic import PROVIDER_KEY, serialize_provider
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from components.sonarqube.dynamic import resources
from components.sonarqube.dynamic.api import Client, SonarError
from components.sonarqube.dynamic.process import engine_address
from components.sonarqube.dynamic.provider import KINDS, TYPE_PREFIX, URL_KEY, find, provider_of
from lab.home import CHECKOUT

MARKER = "squ_marker-5a77"
#: The line that states of earlier versions have (commit 1348451). A copy: it must work even if new states have another.
LINE_OF_OLD_STATES = (
    "(lambda sys, path: sys.path.insert(0, next((str(d) for d in (path.cwd(), *path.cwd().parents) "
    "if (d / 'Pulumi.yaml').is_file()), str(path.cwd()))))"
    "(__import__('sys'), __import__('pathlib').Path)"
    " or __import__('importlib').import_module('components.sonarqube_dynamic.provider').provider_of({kind!r})"
)


@pytest.mark.parametrize("kind", KINDS)
def test_is_one_line_with_an_import(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SONAR_TOKEN", MARKER)
    provider = provider_of(kind)
    provider.configure(ConfigureRequest(Config({URL_KEY: f"https://{MARKER}.example.fr"}, "usine")))
    pickled = base64.b64decode(serialize_provider(provider))
    assert MARKER.encode() not in pickled
    texts = [value for opcode, value, _ in pickletools.genops(pickled) if isinstance(value, str)]
    assert texts[:2] == ["builtins", "eval"]
    assert texts[2].endswith(f".import_module('components.sonarqube_dynamic.provider').provider_of({kind!r})")
    assert len(texts) == 3
    assert serialize_provider(provider) == serialize_provider(provider_of(kind))


def test_finds_the_checkout_from_the_engines_working_folder(tmp_path: Path) -> None:
    """`components` cannot be imported there, and no environment variable helps."""
    code = (
        "import base64, dill, sys;"
        "provider = dill.loads(base64.b64decode(sys.argv[1]));"
        "print(type(provider).__name__, provider._kind.name)"
    )
    pickled = serialize_provider(provider_of("Project"))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(folder: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code, pickled],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    assert run(CHECKOUT / "stacks" / "platform").stdout.split() == ["SonarProvider", "Project"]
    assert "No module named 'components'" in run(tmp_path).stderr


@pytest.mark.parametrize("kind", ["Project", "ProjectAnalysisToken", "Settings"])
def test_the_line_of_old_states_still_returns_a_provider(kind: str) -> None:
    code = "import sys; provider = eval(sys.argv[1]); print(type(provider).__name__, provider._kind.name)"
    done = subprocess.run(
        [sys.executable, "-c", code, LINE_OF_OLD_STATES.format(kind=kind)],
        cwd=CHECKOUT / "stacks" / "platform",
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.split(), done.stderr) == (["SonarProvider", kind], "")


def test_types_have_readable_tokens() -> None:
    types = [
        value for value in vars(resources).values() if isinstance(value, type) and issubclass(value, dynamic.Resource)
    ]
    assert {f"pulumi-python:{type_._resource_type_name}" for type_ in types} == {
        f"{TYPE_PREFIX}{kind}" for kind in KINDS
    }


def test_reports_a_missing_address() -> None:
    provider = provider_of("Project")
    provider.configure(ConfigureRequest(Config({}, "usine")))
    with pytest.raises(SonarError, match="set sonarqube:url"):
        provider.read("x", {})


def test_finds_no_objects_of_other_types() -> None:

    nowhere = Client("http://127.0.0.1:1", environment={})
    assert find(nowhere, "vault:index/mount:Mount", {}) is None
    assert find(nowhere, f"{TYPE_PREFIX}Unknown", {}) is None
    assert find(nowhere, f"{TYPE_PREFIX}NewCodePeriod", {"project": "x"}) is None


def test_the_plugin_process_ends_when_its_engine_is_killed() -> None:
    """Without our code, it would wait for a request to stop (issue 11.A16)."""
    with socket.create_server(("127.0.0.1", 0)) as engine:
        address = f"127.0.0.1:{engine.getsockname()[1]}"
        plugin = subprocess.Popen(
            [sys.executable, "-u", "-m", "pulumi.dynamic", address], stdout=subprocess.PIPE, cwd=CHECKOUT
        )
        try:
            assert plugin.stdout is not None
            with grpc.insecure_channel(f"127.0.0.1:{int(plugin.stdout.readline())}") as channel:
                stub: Any = provider_pb2_grpc.ResourceProviderStub(channel)
                news = struct_pb2.Struct()
                news.update({PROVIDER_KEY: serialize_provider(provider_of("Project")), "key": "a", "name": "a"})
                stub.Check(provider_pb2.CheckRequest(urn="urn", news=news), timeout=30)
            with pytest.raises(subprocess.TimeoutExpired):
                plugin.wait(5)
            engine.close()
            assert plugin.wait(10) == 1
        finally:
            plugin.kill()
            plugin.communicate()


@pytest.mark.parametrize(
    "arguments", [["usine", "127.0.0.1:80"], ["x/pulumi/dynamic/__main__.py"], ["x/pulumi/dynamic/__main__.py", "80"]]
)
def test_no_other_process_watches_an_engine(arguments: list[str]) -> None:
    assert engine_address(arguments) is None

"""Our language host under the real engine: programs, dynamic resources, policy packs, refusals and interruptions."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.tiny import VENV, Tiny, tiny_project

pytestmark = pytest.mark.servers

PROGRAM = """\
import os, sys, pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider

class Files(ResourceProvider):
    def create(self, props):
        return CreateResult("id-" + props["value"], {**props, "python": sys.executable})
    def diff(self, id, olds, news):
        return DiffResult(changes=olds["value"] != news["value"], replaces=["value"])

class File(Resource):
    value: pulumi.Output[str]
    python: pulumi.Output[str]
    def __init__(self, name, value):
        super().__init__(Files(), name, {"value": value, "python": None})

config = pulumi.Config()
print("the program says", config.require("word"))
file = File("file", config.require("word"))
pulumi.export("program", sys.executable)
pulumi.export("provider", file.python)
pulumi.export("id", file.id)
pulumi.export("secret", config.require_secret("hidden"))
pulumi.export("path", os.environ.get("PYTHONPATH", "none"))
pulumi.export("root", pulumi.get_root_directory())
"""
# The analyzer protocol without the library: the engine asks the host the same for every policy pack.
POLICY = """\
import signal, sys, threading
from concurrent.futures import ThreadPoolExecutor
import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import analyzer_pb2 as messages, analyzer_pb2_grpc as services, plugin_pb2

class Pack(services.AnalyzerServicer):
    def Handshake(self, request, context): return messages.AnalyzerHandshakeResponse()
    def ConfigureStack(self, request, context): return messages.AnalyzerStackConfigureResponse()
    def Configure(self, request, context): return empty_pb2.Empty()
    def GetPluginInfo(self, request, context): return plugin_pb2.PluginInfo(version="1.0.0")
    def GetAnalyzerInfo(self, request, context):
        policy = messages.PolicyInfo(name="no-bad-word", description="words", enforcementLevel=messages.MANDATORY)
        return messages.AnalyzerInfo(name="words", version="1.0.0", policies=[policy])
    def Analyze(self, request, context):
        if dict(request.properties).get("value") != "bad":
            return messages.AnalyzeResponse()
        return messages.AnalyzeResponse(diagnostics=[messages.AnalyzeDiagnostic(
            policyName="no-bad-word", policyPackName="words", policyPackVersion="1.0.0",
            message="this word is bad", enforcementLevel=messages.MANDATORY)])
    def AnalyzeStack(self, request, context): return messages.AnalyzeResponse()
    def Remediate(self, request, context): return messages.RemediateResponse()
    def Cancel(self, request, context): return empty_pb2.Empty()

server = grpc.server(ThreadPoolExecutor(4))
services.add_AnalyzerServicer_to_server(Pack(), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(port, flush=True)
threading.Event().wait()
"""


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Tiny]:
    with tiny_project(tmp_path, PROGRAM) as project:
        project.must("config", "set", "word", "one")
        project.must("config", "set", "--secret", "hidden", "marker-5f1c")
        yield project


def test_a_program_is_previewed_applied_refreshed_and_destroyed(tiny: Tiny) -> None:
    output = tiny.must("up", "--yes", "--skip-preview")
    assert "the program says one" in output
    assert "warning" not in output
    assert tiny.outputs() == {
        "program": str(tiny.folder / ".venv/bin/python"),
        "provider": str(tiny.folder / ".venv/bin/python"),
        "id": "id-one",
        "secret": "[secret]",
        "path": "none",
        "root": str(tiny.folder),
    }
    tiny.must("preview", "--expect-no-changes")
    tiny.must("refresh", "--yes", "--expect-no-changes")
    tiny.must("config", "set", "word", "two")
    assert "1 to replace" in tiny.must("preview")
    tiny.must("up", "--yes")
    assert tiny.outputs()["id"] == "id-two"
    tiny.must("destroy", "--yes")
    assert "marker-5f1c" not in output
    assert not any(b"marker-5f1c" in file.read_bytes() for file in tiny.home.root.rglob("*.json*"))


def test_an_exception_of_the_program_is_reported_once_and_does_not_hang(tiny: Tiny) -> None:
    tiny.program.write_text(
        "import pulumi\n\ndef f():\n    raise ValueError('no such thing')\n\nf()\n", encoding="utf-8"
    )
    done = tiny.pulumi("up", "--yes", "--skip-preview", timeout=20)
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert "ValueError: no such thing" in output
    assert f'{tiny.program.name}", line 4' in output
    assert "language_host" not in output  # the user's traceback has no frames of the host


def test_a_program_that_ends_with_a_code_is_an_error(tiny: Tiny) -> None:
    tiny.program.write_text("import sys\nprint('leaving now')\nsys.exit(3)\n", encoding="utf-8")
    done = tiny.pulumi("preview", timeout=20)
    assert done.returncode != 0
    assert "leaving now" in done.stdout + done.stderr
    assert "exit code 3" in done.stdout + done.stderr


def test_a_grandchild_that_holds_the_output_does_not_hang_the_engine(tiny: Tiny) -> None:
    tiny.program.write_text(
        "import subprocess\nsubprocess.Popen(['sleep', '300'])\nprint('started')\n", encoding="utf-8"
    )
    assert tiny.pulumi("preview", timeout=30).returncode == 0


@pytest.mark.parametrize(("made", "said"), [(False, "does not exist"), (True, "is not a virtual environment")])
def test_a_missing_virtual_environment_is_reported(tiny: Tiny, made: bool, said: str) -> None:
    (tiny.folder / ".venv").unlink()
    if made:
        (tiny.folder / ".venv").mkdir()
    done = tiny.pulumi("preview", timeout=20)
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert said in output
    assert "'virtualenv' option is '.venv'" in output
    assert "Traceback" not in output


def test_without_the_option_the_python_of_the_path_is_used(tiny: Tiny) -> None:
    (tiny.folder / "Pulumi.yaml").write_text("name: tiny\nruntime: python\nmain: app/tiny\n", encoding="utf-8")
    tiny.program.write_text("import sys\nprint('runs on', sys.executable)\n", encoding="utf-8")
    tiny.environment["PATH"] = f"{VENV}/bin:{tiny.environment['PATH']}"
    assert f"runs on {VENV}/bin/python" in tiny.must("preview")


def test_a_policy_pack_refuses(tiny: Tiny) -> None:
    pack = tiny.folder / "pack"
    pack.mkdir()
    (pack / "PulumiPolicy.yaml").write_text(
        f"runtime:\n  name: python\n  options: {{virtualenv: {VENV}}}\nversion: 1.0.0\n", encoding="utf-8"
    )
    (pack / "__main__.py").write_text(POLICY, encoding="utf-8")
    tiny.must("preview", "--policy-pack", "pack")
    tiny.must("config", "set", "word", "bad")
    done = tiny.pulumi("preview", "--policy-pack", "pack")
    assert done.returncode != 0
    assert "this word is bad" in done.stdout + done.stderr


def test_a_policy_pack_that_fails_is_reported(tiny: Tiny) -> None:
    pack = tiny.folder / "pack"
    pack.mkdir()
    (pack / "PulumiPolicy.yaml").write_text(
        f"runtime:\n  name: python\n  options: {{virtualenv: {VENV}}}\n", encoding="utf-8"
    )
    (pack / "__main__.py").write_text("raise ValueError('a broken pack')\n", encoding="utf-8")
    done = tiny.pulumi("preview", "--policy-pack", "pack", timeout=30)
    assert done.returncode != 0
    assert "a broken pack" in done.stdout + done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_engine_leaves_no_process(tiny: Tiny, number: signal.Signals) -> None:
    tiny.program.write_text("import time\nprint('waiting', flush=True)\ntime.sleep(300)\n", encoding="utf-8")
    engine = subprocess.Popen(
        tiny.command("preview"), cwd=tiny.folder, env=tiny.environment, stdout=subprocess.PIPE, text=True
    )
    assert engine.stdout is not None
    for line in engine.stdout:  # output is streamed while the program runs
        if "waiting" in line:
            break
    assert any("tiny" in line and "exec" in line for line in tiny.processes())
    engine.send_signal(number)
    engine.stdout.close()
    assert engine.wait(20) != 0  # the fixture checks that no process is left


def test_about_reports_the_program_s_python(tiny: Tiny) -> None:
    output = tiny.must("about")
    assert str(tiny.folder / ".venv/bin/python") in output
    assert "pulumi-vault" in output


def test_the_host_starts_quickly(tiny: Tiny) -> None:
    host = tiny.home.bin / "pulumi-language-python"
    times = []
    for _ in range(3):
        start = time.monotonic()
        process = subprocess.Popen([host, "127.0.0.1:1"], stdout=subprocess.PIPE, env=tiny.environment, text=True)
        assert process.stdout is not None
        assert process.stdout.readline().strip().isdigit()
        times.append(time.monotonic() - start)
        process.send_signal(signal.SIGINT)
        process.stdout.close()
        assert process.wait(5) == 0
    # Less than `import pulumi` takes on the same machine.
    start = time.monotonic()
    subprocess.run([VENV / "bin/python", "-c", "import pulumi, grpc"], check=True)
    assert min(times) < time.monotonic() - start

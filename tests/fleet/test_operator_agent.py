"""`bin/operator` and `usine fleet agent`, as the agent of the Pulumi Kubernetes Operator starts them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]  # it has no stubs
import pytest
from google.protobuf import empty_pb2
from pulumi import automation
from pulumi.runtime.proto import events_pb2_grpc

from tests.fleet.fake import Fake, destroyed
from tests.fleet.operated import commit, log_in_script, variables, write
from tests.spec.helpers import ROOT


@pytest.fixture(autouse=True)
def in_checkout(fleet: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(fleet.root)


BAO = """\
#!/bin/sh
echo "$@" >>{root}/bao.calls
case $1 in
write) cat >{root}/bao.stdin; echo hvs.token ;;
kv) echo "$ANSWER" ;;
esac
"""


@pytest.fixture
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `bin/operator`, and programs that only note how they are called."""
    root = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "bin" / "operator", root / "bin" / "operator")
    for path, text in (
        ("bin/usine", f'#!/bin/sh\necho "usine $@" >>{root}/calls; echo "$PATH" >>{root}/calls\nexit 3\n'),
        ("image/pulumi", f'#!/bin/sh\necho "pulumi $@" >>{root}/calls\n'),
        ("image/bao", BAO.format(root=root)),
    ):
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
        (root / path).chmod(0o755)
    return root


def test_the_agent_finds_no_other_pulumi(fleet: Fake, checkout: Path) -> None:
    commit(fleet)
    for more, mode, stack, tenant in (([], "preview", "prod", ""), (["--apply"], "up", "prod.beta", "--tenant beta ")):
        written = write(fleet, "--path", f"{checkout}/image:/usr/bin:/bin", *more)
        environment = variables(written[stack]) | {"PATH": str(checkout / "bin" / "operator")}
        program = shutil.which("pulumi", path=environment["PATH"])
        assert program is not None
        calls = checkout / "calls"
        codes = []
        for words in (["version"], ["--non-interactive", "install"], ["up", "--yes", "--message=a b"]):
            codes.append(subprocess.run([program, *words], env=environment, check=False).returncode)
        assert codes == [0, 0, 3]
        guarded = f"fleet agent --stack prod --settings Pulumi.prod.yaml --mode {mode} {tenant}--run 1 -- up --yes"
        expected = [
            "pulumi version",
            "pulumi --non-interactive install",
            f"usine {guarded} --message=a b",
            environment["USINE_PATH"],
        ]
        assert calls.read_text(encoding="utf-8").splitlines() == expected
        calls.unlink()


def test_the_log_in_writes_what_the_agent_reads(checkout: Path, tmp_path: Path) -> None:
    script = log_in_script(tmp_path, "identity-token")
    environment = {
        "PATH": f"{checkout}/image:{os.defpath}",
        "PULUMI_ENV": str(tmp_path / ".env"),
        "VAULT_AUTH_PATH": "operator",
        "VAULT_ROLE": "usine-look",
        "VAULT_SECRET": "look",
        "VAULT_SECRETS_MOUNT": "platform",
        "VAULT_SECRETS": "GITLAB_TOKEN SONAR_TOKEN",
        "USINE_KUBECONFIG": "/etc/usine/kubeconfig",
        "ANSWER": 'a$HOME "b" #c',
    }
    done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("", "")
    file = (tmp_path / ".env").resolve()
    assert file == tmp_path / "credentials" / "env"
    assert file.stat().st_mode & 0o077 == 0
    value = environment["ANSWER"]
    assert file.read_text(encoding="utf-8").splitlines() == [
        "VAULT_TOKEN='hvs.token'",
        "KUBECONFIG='/etc/usine/kubeconfig'",
        f"GITLAB_TOKEN='{value}'",
        f"SONAR_TOKEN='{value}'",
    ]
    calls = (checkout / "bao.calls").read_text(encoding="utf-8")
    assert "role=usine-look jwt=-" in calls
    assert "identity-token" not in calls, "every process of the pod can read a command line"
    assert (checkout / "bao.stdin").read_text(encoding="utf-8") == "identity-token"

    wrong_place = environment | {"KUBECONFIG": "/etc/usine/kubeconfig"}
    done = subprocess.run(["sh", "-c", script], env=wrong_place, capture_output=True, text=True, check=False)
    assert (done.returncode, "set USINE_KUBECONFIG instead of KUBECONFIG" in done.stderr) == (1, True)

    for wrong in ("it's", "a\\", "a\nb"):
        environment["ANSWER"] = wrong
        done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert wrong not in done.stderr


def agent(fleet: Fake, *words: str, tenant: str | None = "beta", mode: str = "up", run: str = "1") -> int:
    part = [] if tenant is None else ["--tenant", tenant]
    return fleet.run("agent", "--mode", mode, "--run", run, *part, "--", *words)


def test_a_run_is_that_of_the_fleet(fleet: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    commit(fleet)
    assert agent(fleet, "--non-interactive", "up", "--yes", "--skip-preview", "--stack", "prod", tenant=None) == 0
    assert agent(fleet, "up", "--yes", "--skip-preview", "--stack", "prod.beta") == 0
    assert fleet.calls() == ["prod up", "prod.beta up"]
    assert agent(fleet, "up", "--stack", "prod.beta") == 0
    assert fleet.calls() == [], "unchanged"
    fleet.tenant("beta", "labels: {a: b}\n")
    fleet.answers(beta={"exit": 1})
    assert agent(fleet, "up", "--stack", "prod.beta", run="2") == 1
    capsys.readouterr()
    assert agent(fleet, "stack", "history", "--json", "--show-secrets") == 0
    (last,) = json.loads(capsys.readouterr().out)
    assert (last["kind"], last["result"]) == ("update", "failed")
    # What the operator starts again after a later run sets nothing back.
    fleet.calls()
    agent(fleet, "up", "--stack", "prod.beta", run="1")
    assert fleet.calls() == []


def test_a_run_whose_wave_has_not_begun_fails(fleet: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    fleet.settle(**{"usine:fleet": {"waves": [{"tenants": ["alpha"]}]}})
    fleet.report("up", "--run", "1")
    (fleet.root / "requirements.txt").write_text("other\n", encoding="utf-8")
    fleet.calls()
    assert agent(fleet, "up", "--stack", "prod.beta", run="2") == 1
    assert fleet.calls() == []
    assert "the stack was not run, wave 1 comes first" in capsys.readouterr().err


def test_everything_else_is_refused(fleet: Fake) -> None:
    for words in (
        ["destroy", "--yes", "--stack", "prod.beta"],
        ["refresh", "--yes"],
        ["stack", "rm", "--yes"],
        ["stack", "export", "--show-secrets"],
        ["config", "set", "a", "b"],
        ["import"],
        ["up", "--stack", "prod.alpha"],
        ["up", "--stack=prod"],
        [],
    ):
        assert agent(fleet, *words) == 1, words
    assert not (fleet.root / "calls").exists()


def test_a_workspace_for_previews_changes_nothing(fleet: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    assert agent(fleet, "up", "--stack", "prod.beta", mode="preview") == 1
    assert fleet.calls() == []
    assert "this workspace only previews" in capsys.readouterr().err
    fleet.answers(beta={"entries": [destroyed("beta")], "verdict": "One object goes."})
    with listening() as (address, events):
        assert agent(fleet, "preview", "--event-log", address, "--stack", "prod.beta", mode="preview") == 0
    assert fleet.calls() == ["prod.beta preview"]
    assert "One object goes." in capsys.readouterr().out
    # The Automation API fails without exactly one.
    assert [event["summaryEvent"]["resourceChanges"] for event in events] == [{"delete": 1}]
    assert fleet.run("status") == 0
    assert agent(fleet, "preview", tenant="nobody", mode="preview") == 1
    assert fleet.calls() == []


def test_the_agent_gets_no_output_and_no_list_of_stacks(fleet: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    for words, answer in (
        (["stack", "select", "--stack", "prod.beta"], ""),
        (["stack", "output", "--json", "--show-secrets"], "{}\n"),
        (["stack", "history", "--json"], "[]\n"),
        (["stack", "ls", "--json"], '[{"name": "prod.beta", "current": true, "updateInProgress": false}]\n'),
    ):
        assert agent(fleet, *words) == 0
        assert capsys.readouterr().out == answer
    assert not (fleet.root / "calls").exists(), "the engine was not asked"


RUNNER = """\
import sys
from pathlib import Path
sys.path.insert(0, {checkout!r})
from tests.fleet.conftest import MODULES
from usine import cli
for module in MODULES:
    module.ROOT = Path({root!r})
sys.exit(cli.main(sys.argv[1:]))
"""


def test_the_automation_api_gets_what_it_needs(
    fleet: Fake, checkout: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A workspace with the variables of a resource, used as the operator's agent does."""
    commit(fleet)
    shutil.copytree(checkout / "bin" / "operator", fleet.root / "bin" / "operator")
    runner = tmp_path_factory.mktemp("runner") / "runner.py"
    runner.write_text(RUNNER.format(checkout=str(ROOT), root=str(fleet.root)), encoding="utf-8")
    (fleet.root / "bin" / "usine").write_text(f'#!/bin/sh\nexec {sys.executable} {runner} "$@"\n', encoding="utf-8")
    (fleet.root / "bin" / "usine").chmod(0o755)
    image = checkout / "image"
    (image / "pulumi").write_text("#!/bin/sh\necho v3.259.0\n", encoding="utf-8")
    fleet.answers(beta={"entries": [{**destroyed("beta"), "action": "created"}]})

    stack = write(fleet, "--apply", "--path", f"{image}:{os.defpath}")["prod.beta"]
    for name, value in variables(stack).items():
        monkeypatch.setenv(name, value.replace("/share/workspace", str(fleet.root)))

    workspace = automation.select_stack("prod.beta", work_dir=str(fleet.root))
    assert workspace.preview(diff=True).change_summary == {"create": 1}
    done = workspace.up(diff=True, suppress_progress=True, on_event=lambda _event: None)
    assert (done.summary.result, done.outputs) == ("succeeded", {})
    assert fleet.calls() == ["prod.beta preview", "prod.beta up"]


class _Events(events_pb2_grpc.EventsServicer):
    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    def StreamEvents(self, request_iterator: Any, context: Any) -> Any:  # noqa: N802, ARG002 - gRPC's names
        self.seen += [json.loads(request.event) for request in request_iterator]
        return empty_pb2.Empty()


@contextmanager
def listening() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Listen for events as the Automation API does."""
    server, events = grpc.server(ThreadPoolExecutor(1)), _Events()
    events_pb2_grpc.add_EventsServicer_to_server(events, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"tcp://127.0.0.1:{port}", events.seen
    finally:
        server.stop(0).wait()

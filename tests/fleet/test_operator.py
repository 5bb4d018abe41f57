"""`usine fleet operator`: the resources, and `bin/operator` as the agent of the operator starts it."""

from __future__ import annotations

import datetime
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest
import yaml
from google.protobuf import empty_pb2
from hypothesis import given, settings
from hypothesis import strategies as st
from pulumi import automation
from pulumi.runtime.proto import events_pb2_grpc

from model.reading.fields import LONGEST_SLUG, SLUG_PATTERN
from tests.fleet.fake import SLUGS, Fake, destroyed
from tests.spec.helpers import ROOT
from usine.fleet.operator import LONGEST_NAME, resource_name

IMAGE = "registry.example.fr/platform/ci@sha256:" + "0" * 64
REPOSITORY = "https://gitlab.example.fr/platform/usine.git"
Stacks = Mapping[str, Mapping[str, Any]]


def git(fleet: Fake, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=fleet.root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(fleet: Fake) -> str:
    """Commit something, and return the commit."""
    if not (fleet.root / ".git").exists():
        git(fleet, "init", "--quiet")
    git(fleet, "-c", "user.name=t", "-c", "user.email=t@t", "commit", "--quiet", "--allow-empty", "-m", "x")
    return git(fleet, "rev-parse", "HEAD")


def arguments(fleet: Fake, *more: str, run: str = "1") -> list[str]:
    words = ["--out", str(fleet.root / "stacks.yaml"), "--run", run, "--repository", REPOSITORY, "--image", IMAGE]
    return [*words, "--namespace", "usine", *more]


def write(fleet: Fake, *more: str, run: str = "1") -> Stacks:
    """Write the resources, and return them by the name of the stack."""
    out = fleet.root / "stacks.yaml"
    out.unlink(missing_ok=True)
    assert fleet.run("operator", *arguments(fleet, *more, run=run)) == 0
    documents = list(yaml.safe_load_all(out.read_text(encoding="utf-8")))
    assert {document["apiVersion"] for document in documents} == {"pulumi.com/v1"}
    return {document["spec"]["stack"]: document for document in documents}


def commits(stacks: Stacks) -> dict[str, str]:
    return {name: stack["spec"]["commit"] for name, stack in stacks.items()}


def variables(stack: Mapping[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in stack["spec"]["workspaceTemplate"]["spec"]["env"]}


@pytest.fixture(autouse=True)
def in_checkout(fleet: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(fleet.root)


# Names ----------------------------------------------------------------------------------------------------------------

slugs = st.from_regex(SLUG_PATTERN, fullmatch=True).filter(lambda slug: len(slug) <= LONGEST_SLUG)
bases = st.one_of(
    st.sampled_from(["prod", "a-b", "Prod", "p.q", "x_y", "1", "-", "p--q"]), st.text("ab-.A", min_size=1)
)


@settings(max_examples=50)
@given(bases, slugs, slugs)
def test_each_stack_has_a_name_of_its_own_that_fits(base: str, one: str, other: str) -> None:
    names = [resource_name(base, slug) for slug in (None, one, other)]
    assert len(set(names)) == len({one, other}) + 1
    for name in names:
        assert len(name) <= LONGEST_NAME
        # The service `<name>-workspace` has this form.
        assert re.fullmatch(r"[a-z](?:[a-z0-9-]*[a-z0-9])?", name)


# The resources --------------------------------------------------------------------------------------------------------


def test_only_stacks_that_need_a_run_get_the_new_commit(fleet: Fake) -> None:
    first = commit(fleet)
    stacks = write(fleet, "--apply")
    assert list(stacks) == ["prod", *(f"prod.{slug}" for slug in SLUGS)]
    assert set(commits(stacks).values()) == {first}
    assert "prerequisites" not in stacks["prod"]["spec"]
    assert stacks["prod.beta"]["spec"]["prerequisites"] == [{"name": stacks["prod"]["metadata"]["name"]}]

    fleet.report("up", "--run", "1")
    before = (fleet.root / "stacks.yaml").read_bytes()
    fleet.tenant("beta", "labels: {a: b}\n")
    second = commit(fleet)
    stacks = write(fleet, "--apply", run="2")
    assert commits(stacks) == dict.fromkeys(stacks, first) | {"prod.beta": second}
    assert variables(stacks["prod.beta"])["USINE_FLEET_RUN"] == "2"
    # The operator runs a resource that changed: nothing of the others has.
    after = (fleet.root / "stacks.yaml").read_bytes()
    pairs = zip(before.split(b"---\n"), after.split(b"---\n"), strict=True)
    assert [old != new for old, new in pairs] == [name == "prod.beta" for name in stacks]


def test_a_tenant_that_waits_keeps_its_commit(fleet: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    waves = {"waves": [{"tenants": ["alpha"]}], "longestHold": "30d", "scanned": False}
    fleet.settle(**{"usine:fleet": waves})
    first = commit(fleet)
    fleet.report("up", "--run", "1")
    (fleet.root / "requirements.txt").write_text("other\n", encoding="utf-8")
    tomorrow = datetime.date.today() + datetime.timedelta(days=1)
    fleet.tenant("omega", f"hold: {{until: {tomorrow}, reason: The election is soon.}}\n")
    fleet.tenant("gamma", f"labels: {{a: b}}\nhold: {{until: {tomorrow}, reason: The election is soon.}}\n")
    second = commit(fleet)
    stacks = write(fleet, "--apply", run="2")
    found = commits(stacks)
    assert found["prod"] == found["prod.alpha"] == second, "the foundation and the first wave"
    assert found["prod.beta"] == found["prod.delta"] == first, "their wave has not begun"
    assert found["prod.gamma"] == first, "held"
    assert "prod.omega" not in found
    assert f"1 stack without a resource, held until {tomorrow}: The election is soon.: omega" in capsys.readouterr().out
    assert set(commits(write(fleet, "--now", run="2")).values()) == {second}


def test_limit_leaves_tenants_as_they_are(fleet: Fake) -> None:
    first = commit(fleet)
    fleet.report("up", "--run", "1")
    (fleet.root / "requirements.txt").write_text("other\n", encoding="utf-8")
    second = commit(fleet)
    found = list(commits(write(fleet, "--limit", "1", run="2")).values())
    assert (found[0], found.count(second), found.count(first)) == (second, 2, 3)


def test_without_apply_the_identity_only_reads(fleet: Fake) -> None:
    commit(fleet)
    for more, account, secret, preview in (
        ((), "usine-look", "look", True),
        (("--apply",), "usine-pipeline", "pipeline", False),
    ):
        for stack in write(fleet, *more).values():
            spec = stack["spec"]
            assert (spec["serviceAccountName"], spec["preview"]) == (account, preview)
            (log_in,) = spec["workspaceTemplate"]["spec"]["podTemplate"]["spec"]["initContainers"]
            assert log_in["env"] == [
                {"name": "VAULT_ROLE", "value": account},
                {"name": "VAULT_SECRET", "value": secret},
            ]
            assert variables(stack)["USINE_FLEET_MODE"] == ("preview" if preview else "up")


def test_a_resource_destroys_nothing_and_has_no_credential(fleet: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VAULT_TOKEN", "PULUMI_CONFIG_PASSPHRASE", "GITLAB_TOKEN"):
        monkeypatch.setenv(name, "planted-marker")
    commit(fleet)
    for stack in write(fleet, "--apply", "--git-secret", "clone", "--state-audience", "s3").values():
        spec = stack["spec"]
        assert spec["destroyOnFinalize"] is False
        assert spec["workspaceReclaimPolicy"] == "Delete"
        assert "branch" not in spec
        # A commit without `bin/operator` has no `pulumi` at all.
        assert variables(stack)["PATH"] == "/share/workspace/bin/operator"
        pod = spec["workspaceTemplate"]["spec"]["podTemplate"]["spec"]
        mounted = {one["name"]: [m["name"] for m in one["volumeMounts"]] for one in pod["containers"]}
        assert "usine-identity" not in mounted["pulumi"], "the program sees no token for Vault's log-in"
        projected = [v["projected"]["sources"] for v in pod["volumes"] if "projected" in v]
        tokens = [source["serviceAccountToken"] for sources in projected for source in sources]
        assert {token["path"] for token in tokens} == {"vault", "kubernetes", "state"}
        assert all(600 <= token["expirationSeconds"] <= 3600 for token in tokens)
    text = (fleet.root / "stacks.yaml").read_text(encoding="utf-8")
    assert "planted-marker" not in text
    assert str(fleet.root) not in text


def test_a_removed_tenant_is_emptied_by_a_run_and_then_has_no_resource(fleet: Fake) -> None:
    first = commit(fleet)
    fleet.tenant("beta", "state: archived\n")
    fleet.report("up", "--run", "1")
    (fleet.root / "projects.d" / "beta.yaml").unlink()
    second = commit(fleet)
    assert commits(write(fleet, "--apply", run="2"))["prod.beta"] == second != first
    fleet.report("up", "--run", "2")
    assert "prod.beta" not in write(fleet, "--apply", run="3")


def test_too_many_leaving_tenants_are_refused(fleet: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    commit(fleet)
    fleet.settle(**{"usine:changes": {"massRemoval": {"count": 2}}})
    fleet.report("up", "--run", "1")
    for slug in SLUGS[:3]:
        (fleet.root / "projects.d" / f"{slug}.yaml").unlink()
    commit(fleet)
    assert fleet.run("operator", *arguments(fleet, "--apply", run="2")) == 1
    assert "refused: " in capsys.readouterr().out
    assert not (fleet.root / "stacks.yaml").exists()


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--repository", "https://user:hidden-word@gitlab.example.fr/a.git", "has a user or a password"),
        ("--repository", "http://gitlab.example.fr/a.git", "expected https://"),
        ("--repository", "https://gitlab.example.fr/a.git?private_token=hidden-word", "expected https://"),
        ("--image", "registry.example.fr/platform/ci:latest", "expected an image with its digest"),
        ("--namespace", "Usine", "expected a name of Kubernetes"),
    ],
)
def test_wrong_arguments(fleet: Fake, option: str, value: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    commit(fleet)
    with pytest.raises(SystemExit):
        fleet.run("operator", *arguments(fleet, option, value))
    error = capsys.readouterr().err
    assert said in error
    assert "hidden-word" not in error


def test_what_a_workspace_needs_is_there(fleet: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    assert fleet.run("operator", *arguments(fleet)) == 1
    assert "no commit is checked out" in capsys.readouterr().err
    commit(fleet)
    fleet.settle(**{"usine:systems": ["gitlab"]})
    assert fleet.run("operator", *arguments(fleet)) == 1
    assert "a workspace logs in to Vault" in capsys.readouterr().err


# bin/operator ---------------------------------------------------------------------------------------------------------

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
    stacks = write(fleet, "--apply", "--path", f"{checkout}/image:/usr/bin:/bin")
    for stack, tenant in (("prod", ""), ("prod.beta", "--tenant beta ")):
        environment = variables(stacks[stack]) | {"PATH": str(checkout / "bin" / "operator")}
        program = shutil.which("pulumi", path=environment["PATH"])
        assert program is not None
        calls = checkout / "calls"
        codes = []
        for words in (["version"], ["--non-interactive", "install"], ["up", "--yes", "--message=a b"]):
            codes.append(subprocess.run([program, *words], env=environment, check=False).returncode)
        assert codes == [0, 0, 3]
        guarded = f"fleet agent --stack prod --settings Pulumi.prod.yaml --mode up {tenant}--run 1 -- up --yes"
        expected = [
            "pulumi version",
            "pulumi --non-interactive install",
            f"usine {guarded} --message=a b",
            environment["USINE_PATH"],
        ]
        assert calls.read_text(encoding="utf-8").splitlines() == expected
        calls.unlink()


def test_the_log_in_writes_what_the_agent_reads(checkout: Path, tmp_path: Path) -> None:
    script = (checkout / "bin" / "operator" / "log-in").read_text(encoding="utf-8")
    for folder in ("credentials", "identity"):
        (tmp_path / folder).mkdir()
        script = script.replace(f"/{folder}/", f"{tmp_path}/{folder}/")
    (tmp_path / "identity" / "vault").write_text("identity-token", encoding="utf-8")
    environment = {
        "PATH": f"{checkout}/image:{os.defpath}",
        "PULUMI_ENV": str(tmp_path / ".env"),
        "VAULT_AUTH_PATH": "operator",
        "VAULT_ROLE": "usine-look",
        "VAULT_SECRET": "look",
        "VAULT_SECRETS_MOUNT": "platform",
        "VAULT_SECRETS": "GITLAB_TOKEN SONAR_TOKEN",
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
        f"GITLAB_TOKEN='{value}'",
        f"SONAR_TOKEN='{value}'",
    ]
    calls = (checkout / "bao.calls").read_text(encoding="utf-8")
    assert "role=usine-look jwt=-" in calls
    assert "identity-token" not in calls, "every process of the pod can read a command line"
    assert (checkout / "bao.stdin").read_text(encoding="utf-8") == "identity-token"

    for wrong in ("it's", "a\\", "a\nb"):
        environment["ANSWER"] = wrong
        done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert wrong not in done.stderr


# The agent's calls ----------------------------------------------------------------------------------------------------


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

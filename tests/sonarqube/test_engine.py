"""The real engine on the real SonarQube: create, no diff, drift, repair, rename, import and destroy every kind."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from components.sonarqube.dynamic.api import Client, SonarError
from components.sonarqube.dynamic.provider import TYPE_PREFIX
from lab.environment import environment
from lab.home import CHECKOUT
from model.settings import Endpoint, System
from tests.sonarqube.conftest import Sonar
from tests.sonarqube.programs import PROGRAM
from usine.clients import ClientError
from usine.engine.cli import Engine
from usine.engine.lookup import Finder
from usine.engine.recover import adopt_late

pytestmark = pytest.mark.servers

SECRET = "marker-of-a-hook-83b1"


@dataclass
class Stack:
    """One stack in its own folder, which has the same layout of packages as the checkout."""

    folder: Path
    sonar: Sonar
    name: str
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        main = self.folder / "stacks" / "platform"
        main.mkdir(parents=True)
        (main / "__main__.py").write_text(PROGRAM, encoding="utf-8")
        for package in ("components", "tests"):
            (self.folder / package).symlink_to(CHECKOUT / package)
        options = {"toolchain": "pip", "virtualenv": sys.prefix}
        project = {"name": "sq", "runtime": {"name": "python", "options": options}, "main": "stacks/platform"}
        (self.folder / "Pulumi.yaml").write_text(json.dumps(project), encoding="utf-8")
        self.run_program("tenant", self.name, self.sonar.url, SECRET)
        self.variables |= {"EXPIRES": "2099-01-31", "GENERATION": "1"}
        self.engine.ensure_stack()

    def run_program(self, program: str, *arguments: str) -> None:
        """Select the program of the next runs."""
        self.variables |= {"PROGRAM": program, "ARGUMENTS": " ".join(arguments)}

    @property
    def engine(self) -> Engine:
        return Engine(self.folder, self.name, {**environment(self.sonar.home), **self.variables})

    def run(self, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [*self.engine.command(*arguments), "--color=never"],
            cwd=self.folder,
            env=self.engine.variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        said = done.stdout + done.stderr
        assert done.returncode == code, said
        for secret in (self.sonar.token, SECRET, "sqp_", "squ_"):
            assert secret not in said
        return said

    def steps(self, *arguments: str) -> set[tuple[str, str]]:
        """Return operation, kind and logical name of each step that a run makes (or would make) on objects."""
        return set(self.ordered(*arguments))

    def ordered(self, *arguments: str) -> list[tuple[str, str]]:
        """Return the same, in the order in which the engine starts the steps."""
        log = self.folder / "events.json"
        log.unlink(missing_ok=True)
        self.run(*arguments, "--event-log", str(log))
        steps = []
        for line in log.read_text(encoding="utf-8").splitlines():
            step = json.loads(line).get("resourcePreEvent", {}).get("metadata")
            if step and step["op"] not in {"same", "refresh"} and step["type"].startswith(TYPE_PREFIX):
                kind, name = step["type"].removeprefix(TYPE_PREFIX), step["urn"].rpartition("::")[2]
                steps.append((step["op"], f"{kind} {name}"))
        return steps

    def resources(self) -> list[Any]:
        deployment: Any = self.engine.export_state()["deployment"]
        return list(deployment.get("resources", ()))

    def output(self, name: str) -> str:
        return self.engine.capture("stack", "output", name, "--show-secrets").strip()


@pytest.fixture
def stack(sonar: Sonar, unique: str, tmp_path: Path) -> Iterator[Stack]:
    made = Stack(tmp_path, sonar, unique)
    yield made
    made.engine.capture("state", "unprotect", "--all", "--yes")
    made.run("destroy", "--yes", "--skip-preview")
    made.engine.capture("stack", "rm", "--yes")


def as_the_version_before(stack: Stack, sonar: Sonar) -> str:
    """Change the server and the state to those of the previous version: an administrator's token, and no account."""
    client, key = sonar.client, stack.name
    client.post("/api/permissions/add_group", projectKey=key, groupName="sonar-administrators", permission="scan")
    form = {"name": f"usine-{key}-0a1b2c3d", "type": "PROJECT_ANALYSIS_TOKEN", "projectKey": key}
    token: str = client.post("/api/user_tokens/generate", **form)["token"]
    state: Any = stack.engine.export_state()
    resources = state["deployment"]["resources"]
    account = next(r for r in resources if r["type"] == f"{TYPE_PREFIX}TechnicalAccount")
    client.v2("DELETE", f"/users-management/users/{account['id']}")
    for resource in (r for r in resources if r["type"].startswith(TYPE_PREFIX)):
        resource["dependencies"] = [urn for urn in resource.get("dependencies", ()) if urn != account["urn"]]
        for urns in resource.get("propertyDependencies", {}).values():
            urns[:] = [urn for urn in urns if urn != account["urn"]]
        values = (resource["inputs"], resource["outputs"])
        if resource["type"] == f"{TYPE_PREFIX}ProjectPermissions":
            for value in values:
                value |= {"users": {}, "groups": {**value["groups"], "sonar-administrators": ["admin", "scan", "user"]}}
        elif resource["type"] == f"{TYPE_PREFIX}ProjectAnalysisToken":
            resource["id"] = f"admin/{form['name']}"
            for value in values:
                del value["login"]
                value |= {"project": key, "token_name": form["name"]}
    resources.remove(account)
    stack.engine.import_state(state)
    return token


UP = ("up", "--yes", "--skip-preview")
#: The steps of a replacement: the new token is handed out before the old one is revoked.
REPLACED = [
    ("create-replacement", "ProjectAnalysisToken app"),
    ("update", "Settings delivery"),
    ("delete-replaced", "ProjectAnalysisToken app"),
]


def holder(sonar: Sonar, token: str) -> Client:
    return Client(sonar.url, environment={"SONAR_TOKEN": token})


def _replaced_with_an_overlap(stack: Stack, sonar: Sonar) -> None:
    old_name, old_token = stack.output("token_name"), stack.output("token")
    stack.variables["EXPIRES"] = "2099-02-28"
    assert [step for step in stack.ordered(*UP) if step[0] != "replace"] == REPLACED
    found = sonar.client.get("/api/user_tokens/search", login=f"usine.{stack.name}.1")["userTokens"]
    assert [token["name"] for token in found] == [stack.output("token_name")] != [old_name]
    assert stack.output("token") != old_token


def _another_generation_ends_all_that_was_made_of_the_old_one(stack: Stack, sonar: Sonar) -> None:
    further = holder(sonar, stack.output("token")).post("/api/user_tokens/generate", name="further")["token"]
    stack.variables["GENERATION"] = "2"
    steps = [step for step in stack.ordered(*UP) if step[0] != "replace"]
    assert steps[:1] == [("create", "TechnicalAccount account/2")]
    assert steps[-1:] == [("delete", "TechnicalAccount account/1")]
    assert [step for step in steps if step in REPLACED] == REPLACED
    with pytest.raises(SonarError, match="not accepted"):
        holder(sonar, further).get("/api/users/current")
    assert holder(sonar, stack.output("token")).get("/api/users/current")["login"] == f"usine.{stack.name}.2"


def _a_state_of_the_version_before_is_taken_over(stack: Stack, sonar: Sonar) -> None:
    old = as_the_version_before(stack, sonar)
    assert holder(sonar, old).get("/api/users/current")["login"] == "admin"
    steps = [step for step in stack.ordered(*UP) if step[0] != "replace"]
    assert steps[:1] == [("create", "TechnicalAccount account/2")]
    # Permissions are updated in parallel, at any time before the end.
    assert [step for step in steps if step in REPLACED] == REPLACED
    assert steps[-1] == REPLACED[-1]
    assert holder(sonar, stack.output("token")).get("/api/users/current")["login"] == f"usine.{stack.name}.2"
    with pytest.raises(SonarError, match="not accepted"):
        holder(sonar, old).get("/api/users/current")


def test_life_of_a_tenant(stack: Stack, sonar: Sonar) -> None:
    assert len(stack.steps(*UP)) == 12
    assert stack.steps("up", "--yes", "--expect-no-changes") == set()
    stack.run("refresh", "--preview-only", "--expect-no-changes")
    assert stack.steps("preview", "--refresh", "--expect-no-changes") == set()

    # The stored state contains neither the token, nor the secrets, nor the provider's code.
    token = stack.output("token")
    assert token.startswith("squ_")
    text = json.dumps(stack.engine.export_state())
    for secret in (sonar.token, SECRET, token):
        assert secret not in text
    code = {base64.b64decode(r["inputs"]["__provider"]) for r in stack.resources() if r["type"].startswith(TYPE_PREFIX)}
    assert max(map(len, code)) < 500
    assert not any(b"requests" in one or b"Bearer" in one or sonar.url.encode() in one for one in code)

    # A preview finds manual changes without changing anything, and a run repairs them.
    client, key = sonar.client, stack.name
    client.post("/api/permissions/add_group", projectKey=key, groupName="sonar-users", permission="user")
    client.post("/api/user_tokens/revoke", login=f"usine.{key}.1", name=stack.output("token_name"))
    client.post("/api/new_code_periods/set", project=key, type="NUMBER_OF_DAYS", value="7")
    hook = client.get("/api/webhooks/list", project=key)["webhooks"][0]["key"]
    client.post("/api/webhooks/delete", webhook=hook)
    client.post("/api/projects/update_visibility", project=key, visibility="public")
    client.post("/api/settings/reset", component=key, keys="sonar.exclusions")
    repairs = {
        ("update", "ProjectPermissions app"),
        ("create", "ProjectAnalysisToken app"),
        ("update", "Settings delivery"),
        ("update", "NewCodePeriod app"),
        ("create", "Webhook app"),
        ("update", "Project app"),
        ("create", "Settings app"),
    }
    assert stack.steps("preview", "--refresh") == repairs
    assert client.get("/api/new_code_periods/list", project=key)["newCodePeriods"][0]["value"] == "7"
    assert stack.steps(*UP, "--refresh") == repairs
    assert stack.steps("preview", "--refresh", "--expect-no-changes") == set()

    _replaced_with_an_overlap(stack, sonar)
    _another_generation_ends_all_that_was_made_of_the_old_one(stack, sonar)
    _a_state_of_the_version_before_is_taken_over(stack, sonar)
    assert stack.steps("preview", "--refresh", "--expect-no-changes") == set()

    stack.run("destroy", "--yes", "--skip-preview")
    assert client.v2("GET", "/users-management/users", q=key)["users"] == []
    assert client.get("/api/projects/search", projects=key)["components"] == []
    assert key not in json.dumps(client.get("/api/user_tokens/search"))
    assert key not in json.dumps(client.get("/api/qualitygates/list"))
    assert client.v2("GET", "/authorizations/groups", q=key)["groups"] == []
    assert client.get("/api/settings/values", keys=f"sonar.{key}.url")["settings"] == []


def test_a_moved_server_changes_no_object(stack: Stack, sonar: Sonar) -> None:
    stack.run("up", "--yes", "--skip-preview")
    stack.run_program("tenant", stack.name, sonar.url.replace("127.0.0.1", "localhost"), SECRET)
    # The program writes the address into a setting too, which is another matter.
    assert stack.steps("up", "--yes") == {("update", "Settings server")}
    addresses = [r["inputs"]["sonarqube:url"] for r in stack.resources() if "providers" in r["type"]]
    assert addresses == [sonar.url.replace("127.0.0.1", "localhost")]


def test_the_objects_of_an_interrupted_run_are_adopted(stack: Stack, sonar: Sonar) -> None:
    stack.run("up", "--yes", "--skip-preview")
    # As if the run had been killed before it noted what had become of its creations.
    state: Any = stack.engine.export_state()
    made = [r for r in state["deployment"]["resources"] if r["type"].startswith(TYPE_PREFIX)]
    state["deployment"]["resources"] = [r for r in state["deployment"]["resources"] if r not in made]
    stack.engine.import_state(state)
    noted = [{key: value for key, value in r.items() if key not in {"id", "outputs"}} for r in made]
    finder = Finder({System.SONARQUBE: Endpoint(sonar.url, None)}, {"SONAR_TOKEN": sonar.token})
    taken = {urn.partition("sonarqube:")[2] for urn in adopt_late(stack.engine, finder, noted)}
    adopted = {"Project::app", "Group::developer", "QualityGate::gate", "Webhook::app"}
    adopted |= {"TechnicalAccount::account/1"}
    assert taken == {*adopted, "ProjectAnalysisToken::app"}
    lost = next(r["inputs"]["token_name"] for r in made if "token_name" in r["inputs"])

    # What is made by setting it is set again, and a token whose secret is lost was revoked.
    creations = {"ProjectPermissions app", "ProjectAnalysisToken app", "QualityGateAssociation app"}
    creations |= {"NewCodePeriod app", "Settings app", "Settings server", "Settings delivery"}
    assert stack.steps("up", "--yes", "--skip-preview") == {("create", name) for name in creations}
    assert stack.steps("preview", "--refresh", "--expect-no-changes") == set()
    login = f"usine.{stack.name}.1"
    names = [t["name"] for t in sonar.client.get("/api/user_tokens/search", login=login)["userTokens"]]
    assert names == [stack.output("token_name")] != [lost]


def test_a_finder_says_that_sonarqube_does_not_answer() -> None:
    finder = Finder({System.SONARQUBE: Endpoint("http://127.0.0.1:1", None)}, {})
    with pytest.raises(ClientError, match="no token: set SONAR_TOKEN"):
        finder.find(f"{TYPE_PREFIX}Project", {"key": "x"})


def test_an_error_is_one_line(stack: Stack, sonar: Sonar) -> None:
    stack.run_program("adopted", stack.name, sonar.url)
    sonar.client.post("/api/projects/create", project=stack.name, name="x")
    said = stack.run("up", "--yes", "--skip-preview", code=1)
    assert f"SonarQube has a project {stack.name} already: import it (its id is '{stack.name}')" in said
    assert "Traceback" not in said
    sonar.client.post("/api/projects/delete", project=stack.name)


def test_import(stack: Stack, sonar: Sonar) -> None:
    sonar.client.post("/api/projects/create", project=stack.name, name=stack.name, visibility="private")
    stack.run_program("adopted", stack.name, sonar.url)
    # The import needs the explicit provider. The other steps fail, because the project exists.
    stack.run("up", "--yes", "--skip-preview", code=1)
    provider = next(r for r in stack.resources() if r["type"] == "pulumi:providers:pulumi-python")
    file = stack.folder / "import.json"
    written = subprocess.run(
        [
            *(sys.executable, "-m", "components.sonarqube.dynamic", "Project", stack.name, "adopted"),
            *("--url", sonar.url, "--provider", provider["urn"]),
        ],
        cwd=CHECKOUT,
        env=stack.engine.variables,
        capture_output=True,
        text=True,
        check=True,
    )
    file.write_text(written.stdout, encoding="utf-8")
    stack.run("import", "--file", str(file), "--yes", "--skip-preview", "--generate-code=false")
    assert stack.steps("up", "--yes", "--expect-no-changes") == set()
    assert stack.steps("preview", "--refresh", "--expect-no-changes") == set()


def test_import_of_a_missing_object_is_reported(sonar: Sonar, unique: str, capfd: pytest.CaptureFixture[str]) -> None:
    command = [sys.executable, "-m", "components.sonarqube.dynamic", "Project", unique, "x", "--url", sonar.url]
    environment = {**os.environ, "SONAR_TOKEN": sonar.token}
    assert subprocess.run(command, cwd=CHECKOUT, env=environment, check=False).returncode == 1
    assert capfd.readouterr().err == f"SonarQube has no Project {unique}\n"

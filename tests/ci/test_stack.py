"""Runs the jobs of the default branch and of the schedule as written, on the local platform's real servers.

OpenBao trusts the identity that the stand-in GitLab signs for a job. The jobs get all credentials of the stack there.
"""

from __future__ import annotations

import datetime
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from hvac.exceptions import InvalidRequest  # type: ignore[import-untyped]

from lab.secrets import Secrets
from lab.testing.ci_client import project_runner
from lab.testing.git_client import Git
from lab.testing.gitlab_server import ROOT_TOKEN
from lab.testing.job_runner import Done, JobRunner
from lab.testing.platforms import TestLab
from tests import vault_policies
from tests.ci.checkout import as_checked_out
from tests.ci.conftest import Repository, no_secret_in, push
from tests.engine.harness import ROOT, Stack
from usine.engine.storage import state_storage
from usine.fleet.records import Records

pytestmark = pytest.mark.servers

STACK = "ci"
SETTINGS = "Pulumi.ci.yaml"
#: Variables of the image and unprotected project variables. There are no credentials: jobs must get them from OpenBao.
OPEN = frozenset(
    {"PATH", "PULUMI_HOME", "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION", "PULUMI_SKIP_UPDATE_CHECK"}
    | {"PULUMI_IGNORE_AMBIENT_PLUGINS", "PULUMI_BACKEND_URL", "KUBECONFIG", "KEYCLOAK_CLIENT_ID"}
)
SECRETS = ("KEYCLOAK_USER", "KEYCLOAK_PASSWORD", "PULUMI_CONFIG_PASSPHRASE")


@dataclass
class Pipelines:
    """The platform's repository with a stack, and one runner that keeps its caches between jobs."""

    repository: Repository
    lab: TestLab
    runner: JobRunner

    def on_main(self) -> dict[str, Done]:
        """Run a pipeline of the default branch."""
        self.repository.project.pipelines.create({"ref": "main"})
        return self.checked("preview", "up")

    def by_night(self) -> Done:
        """Run a pipeline of the schedule."""
        (schedule,) = self.repository.project.pipelineschedules.list(get_all=True)
        self.repository.project.pipelineschedules.get(schedule.id).play()
        return self.checked("drift")["drift"]

    def checked(self, *only: str) -> dict[str, Done]:
        """Run the pending jobs, and assert that no log or artifact contains a credential of the platform."""
        done = self.runner.run(only=only)
        no_secret_in(done)
        known = Secrets.load(self.lab.home)
        for job in done.values():
            for secret in (known.vault_token, known.keycloak_password, known.pulumi_passphrase, self.repository.bot):
                assert job.holds(secret) == "", f"{job.name} shows a credential"
        return done

    def last(self) -> Any:
        """Return the newest pipeline."""
        return self.repository.project.pipelines.list(order_by="id", sort="desc")[0]


@pytest.fixture
def pipelines(repository: Repository, light_lab: TestLab, tmp_path: Path) -> Iterator[Pipelines]:
    lab, environment = light_lab, light_lab.environment()
    stack = Stack(lab, STACK, tmp_path / "stack")
    stack.configure(systems=["vault"])
    _one_tenant(repository, stack, tmp_path)
    variables = {
        "USINE_STACK": STACK,
        "USINE_SETTINGS": SETTINGS,
        "VAULT_ADDR": environment["VAULT_ADDR"],
        "VAULT_AUTH_PATH": "jwt-platform",
        "VAULT_SECRETS": " ".join([*SECRETS, "USINE_GITLAB_TOKEN"]),
    }
    for name, value in variables.items():
        repository.project.variables.create({"key": name, "value": value})
    repository.project.pipelineschedules.create({"ref": "main", "description": "drift", "cron": "0 3 * * *"})
    _trust(repository, lab, {name: environment[name] for name in SECRETS})
    image = {name: environment[name] for name in OPEN if name in environment}
    taking = project_runner(repository.live, repository.project)
    runner = JobRunner(taking, tmp_path / "runner", repository.home, image, as_checked_out)
    try:
        yield Pipelines(repository, lab, runner)
    finally:
        stack.close()
        lab.vault.sys.disable_auth_method("jwt-platform")
        lab.vault.sys.disable_secrets_engine("platform")
        for name in vault_policies.policies():
            lab.vault.sys.delete_policy(name)


def _one_tenant(repository: Repository, stack: Stack, tmp_path: Path) -> None:
    """Keep one tenant, commit settings with the salt that `pulumi stack init` creates, and push to main."""
    made = tmp_path / "init"
    made.mkdir()
    shutil.copy(ROOT / "Pulumi.yaml", made)
    init = [stack.engine.executable, "stack", "init", "salt", "--non-interactive", "--no-select"]
    subprocess.run(init, cwd=made, env=stack.engine.variables, check=True, capture_output=True)
    salt = yaml.safe_load((made / "Pulumi.salt.yaml").read_text(encoding="utf-8"))["encryptionsalt"]
    subprocess.run(
        [stack.engine.executable, "stack", "rm", "salt", "--yes"],
        cwd=made,
        env=stack.engine.variables,
        check=True,
        capture_output=True,
    )
    settings = yaml.safe_load(stack.settings_file.read_text(encoding="utf-8"))
    settings["config"]["usine:projects"] = "projects.d"
    folder = repository.folder
    text = yaml.safe_dump({"encryptionsalt": salt, **settings})
    # The certificates of the local platform are in this checkout, not in a job's clone.
    (folder / SETTINGS).write_text(text.replace(f"{stack.lab.home.root.name}/", f"{stack.lab.home.root}/"), "utf-8")
    for file in (folder / "projects.d").glob("*.yaml"):
        if file.stem != "petitions":
            file.unlink()
    # The platform team creates these objects manually, so that the pipeline can log in.
    until = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=300)
    rules = "".join(
        f"  - {{name: '{name}', kind: unmanaged, reason: lets it log in, owner: agnes.platel, expires: {until}}}\n"
        for name in ("log-in: jwt-platform", "mount: platform", "policy: usine-pipeline", "policy: usine-look")
    )
    (folder / "drift-ignore.yaml").write_text(f"ignores:\n{rules}", encoding="utf-8")
    git = Git(folder)
    git.run("add", "--all")
    git.run("commit", "--quiet", "--message", "A small platform")
    push(repository.live, repository.project, folder, "main:main", ROOT_TOKEN, "--push-option=ci.no_pipeline")


def _trust(repository: Repository, lab: TestLab, secrets: dict[str, str]) -> None:
    """Configure OpenBao as in docs/ci.md, without the roles, which `role` creates."""
    vault, url = lab.vault, repository.live.url
    vault.sys.enable_secrets_engine("kv", "platform", options={"version": "2"})
    for name in ("pipeline", "look"):
        _write_once_ready(lab, f"platform/data/{name}", {**secrets, "USINE_GITLAB_TOKEN": repository.bot})
    vault_policies.write(vault)
    vault.sys.enable_auth_method("jwt", path="jwt-platform")
    vault.write("auth/jwt-platform/config", jwks_url=f"{url}/oauth/discovery/keys", bound_issuer=url)


def _write_once_ready(lab: TestLab, path: str, content: dict[str, str]) -> None:
    """Write a secret. A new KV mount refuses requests for a short time, so retry."""
    deadline = time.monotonic() + 30
    while True:
        try:
            lab.vault.write_data(path, data={"data": content})
        except InvalidRequest:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        else:
            return


def role(pipelines: Pipelines, ref: str) -> None:
    """Create the two roles of docs/ci.md for the jobs of a branch of this project."""
    for name, body in vault_policies.roles().items():
        body["bound_claims"] |= {
            "project_id": str(pipelines.repository.project.id), "ref": ref, "environment": STACK,
        }  # fmt: skip
        body["bound_audiences"] = [pipelines.lab.environment()["VAULT_ADDR"]]
        pipelines.lab.vault.write(f"auth/jwt-platform/role/{name}", **body)


def test_the_default_branch_is_applied_and_scanned_for_drift(pipelines: Pipelines) -> None:
    project = pipelines.repository.project

    # The identity of another branch is refused, and the refusal shows no secret.
    role(pipelines, "other")
    refused = pipelines.on_main()
    assert set(refused) == {"preview"}
    assert refused["preview"].exit_code != 0
    assert "ref" in refused["preview"].log

    # A read-only job cannot log in with the role of the approved job.
    role(pipelines, "main")
    wanted = project.variables.create({"key": "VAULT_ROLE", "value": "usine-pipeline"})
    refused = pipelines.on_main()
    assert set(refused) == {"preview"}
    # OpenBao checks the claims of a role in no fixed order, and names the first that differs.
    assert any(claim in refused["preview"].log for claim in ("environment_action", "environment_protected"))
    wanted.delete()

    # Neither can a job of an unprotected environment, because it needs no approval.
    refused = pipelines.on_main()
    refused["preview"].must()
    assert refused["up"].exit_code != 0
    assert "environment_protected" in refused["up"].log
    project.protected_environments.create({"name": STACK, "deploy_access_levels": [{"access_level": 40}]})

    first = pipelines.on_main()
    assert "petitions" in first["preview"].must().read("paths/out/preview.html")
    report = json.loads(first["up"].must().read("paths/out/up.json"))
    assert {entry["action"] for entry in report["entries"]} == {"created"}
    assert "petitions" in {entry["tenant"] for entry in report["entries"]}
    assert pipelines.last().status == "success"
    second = pipelines.on_main()
    assert json.loads(second["up"].must().read("paths/out/up.json"))["entries"] == []

    clean = pipelines.by_night().must()
    assert json.loads(clean.read("paths/out/drift.json"))["entries"] == []
    assert project.issues.list(get_all=True) == []

    policies = pipelines.lab.vault.sys
    name = "petitions.env.dev"
    kept = policies.read_policy(name)["data"]["rules"]
    policies.create_or_update_policy(name, 'path "elsewhere/*" { capabilities = ["read"] }')
    found = pipelines.by_night()
    assert (found.exit_code, found.missing) == (2, ())
    assert pipelines.last().status == "success", "drift opens an issue and does not fail the pipeline"
    (issue,) = project.issues.list(get_all=True)
    assert (issue.state, issue.confidential, issue.author["id"]) == ("opened", True, _bot(pipelines))
    assert issue.description.startswith(f"<!-- usine:drift:{STACK} ")
    assert "petitions" in issue.description
    assert 'path "elsewhere/*"' in issue.description
    again = pipelines.by_night()
    assert "unchanged" in again.log
    assert since(again) == since(found), "the cache keeps the history between nights"

    policies.create_or_update_policy(name, kept)
    assert pipelines.by_night().must().exit_code == 0
    (issue,) = project.issues.list(get_all=True)
    assert issue.state == "closed"


def test_a_child_pipeline_runs_a_stack_per_tenant(pipelines: Pipelines, tmp_path: Path) -> None:
    project = pipelines.repository.project
    role(pipelines, "main")
    project.protected_environments.create({"name": STACK, "deploy_access_levels": [{"access_level": 40}]})
    project.variables.create({"key": "USINE_LAYOUT", "value": "fleet"})
    project.pipelines.create({"ref": "main"})
    try:
        done = pipelines.checked("fleet-plan", "foundation", "tenant petitions", "report")
        assert list(done) == ["fleet-plan", "foundation", "tenant petitions", "report"]
        for job in done.values():
            job.must()
        report = json.loads(done["report"].read("paths/out/fleet.json"))
        assert report["verdict"] == "2 stacks run: 2 applied; 0 unchanged."
        assert {entry["action"] for entry in report["entries"]} == {"created"}
        assert {entry["tenant"] for entry in report["entries"]} == {"petitions"}
        assert "petitions.env.dev" in pipelines.lab.vault.sys.list_policies()["data"]["policies"]
    finally:
        stack = Stack(pipelines.lab, f"{STACK}.petitions", tmp_path / "petitions")
        stack.close()
        records = Records(state_storage(stack.environment), STACK)
        records.storage.files.rm(records.storage.path(".usine", "fleet"), recursive=True)


def since(job: Done) -> str:
    """Return since when the only finding exists, according to the report."""
    (entry,) = json.loads(job.read("paths/out/drift.json"))["entries"]
    match = re.search(r"since (\d{4}-\S+Z)", entry["note"])
    assert match is not None, entry["note"]
    return match[1]


def _bot(pipelines: Pipelines) -> int:
    client = pipelines.repository.live.client(pipelines.repository.bot)
    client.auth()
    assert client.user is not None
    return int(client.user.id)

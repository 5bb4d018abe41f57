"""The layout with a stack per tenant: a job writes a child pipeline, whose jobs run as written.

`usine up` of each stack only writes a report, and `bao` and `pulumi` answer from a script. tests/ci/test_stack.py logs
in to a real OpenBao, tests/engine/test_fleet.py runs the engine.
"""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.testing.ci_client import project_runner
from lab.testing.git_client import Git
from lab.testing.gitlab_server import ROOT_TOKEN
from lab.testing.job_runner import Done, JobRunner
from model.reading.settings_load import load_settings
from tests import vault_policies
from tests.ci.checkout import ROOT, as_checked_out
from tests.ci.conftest import Repository, no_secret_in, push
from tests.fleet.fake import PULUMI, TENANT

SETTINGS = "Pulumi.ci.yaml"
MARKER = "planted-marker-of-a-token-9c1d"
#: Notes the call with the role that the job logged in with, and writes the report of a run without changes.
UP = """\
import json, os


def register(subparsers):
    parser = subparsers.add_parser("up")
    for name in ("--stack", "--settings", "--json", "--wait"):
        parser.add_argument(name)
    parser.add_argument("--run", dest="run_id")
    parser.set_defaults(run=run)


def run(args):
    with open(os.environ["CALLS"], "a") as calls:
        calls.write(f"{args.stack} {os.environ['VAULT_ROLE']} {'token' if os.environ['VAULT_TOKEN'] else ''}\\n")
    report = {"format": "usine-report/1", "kind": "run", "title": "t", "verdict": "No changes.", "facts": []}
    with open(args.json, "w") as file:
        json.dump({**report, "entries": [], "notices": []}, file)
    return int(os.path.exists(os.environ["CALLS"] + "." + args.stack))
"""
#: Keeps the identity of each job.
BAO = f"""#!/bin/sh
[ $1 = kv ] || cat > "$(dirname "$CALLS")/jwt/$CI_JOB_NAME"
echo {MARKER}
"""


@dataclass
class Fleet:
    """The platform's repository with a stack for the foundation and one for the only tenant."""

    repository: Repository
    runner: JobRunner
    notes: Path

    def run(self) -> dict[str, Done]:
        """Run a pipeline of the default branch, and its child pipeline."""
        self.repository.project.pipelines.create({"ref": "main"})
        done = self.runner.run(only=("fleet-plan", "foundation", "tenant beta", "report"))
        no_secret_in(done)
        for job in done.values():
            assert job.holds(MARKER) == "", f"{job.name} shows the token"
        return done

    def calls(self) -> list[str]:
        """Return the runs of stacks, with the role of each."""
        return self.notes.read_text(encoding="utf-8").splitlines()

    def status(self) -> dict[str, str]:
        """Return the state of the newest pipelines, by source."""
        pipelines = self.repository.project.pipelines
        found = [pipelines.list(**which)[0] for which in ({}, {"source": "parent_pipeline"})]
        return {one.source: one.status for one in found}


@pytest.fixture
def fleet(repository: Repository, tmp_path: Path) -> Fleet:
    folder = repository.folder
    settings: dict[str, Any] = yaml.safe_load((ROOT / "Pulumi.lab.yaml").read_text(encoding="utf-8"))
    settings["config"] |= {"usine:projects": "projects.d", "usine:systems": ["vault"]}
    (folder / SETTINGS).write_text(yaml.safe_dump(settings).replace(".lab/", "certificates/"), encoding="utf-8")
    for path in load_settings(folder / SETTINGS).authorities:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("certificate", encoding="ascii")
    for file in (folder / "projects.d").glob("*.yaml"):
        file.unlink()
    (folder / "projects.d" / "beta.yaml").write_text(TENANT.format(slug="beta"), encoding="utf-8")
    (folder / "usine" / "commands" / "up.py").write_text(UP, encoding="utf-8")
    state = {"version": 3, "deployment": {"resources": []}}
    for name in ("state.json", "tenant.json"):
        (tmp_path / name).write_text(json.dumps(state), encoding="utf-8")
    tools = tmp_path / "tools"
    tools.mkdir()
    (tmp_path / "jwt").mkdir()
    for name, script in (("bao", BAO), ("pulumi", PULUMI.format(root=tmp_path))):
        (tools / name).write_text(script, encoding="utf-8")
        (tools / name).chmod(0o755)
    image = {
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}",
        "VAULT_ADDR": "http://vault.example",
        "CALLS": str(tmp_path / "calls.txt"),
    }
    runner = JobRunner(
        project_runner(repository.live, repository.project),
        tmp_path / "runner",
        repository.home,
        image,
        as_checked_out,
    )
    for name, value in {
        "USINE_STACK": "prod",
        "USINE_SETTINGS": SETTINGS,
        "USINE_LAYOUT": "fleet",
        "VAULT_SECRETS": "VAULT_PASSWORD",
    }.items():
        repository.project.variables.create({"key": name, "value": value})
    repository.project.protected_environments.create({"name": "prod", "deploy_access_levels": [{"access_level": 40}]})
    git = Git(folder)
    git.run("add", "--all")
    git.run("commit", "--quiet", "--message", "One tenant")
    push(repository.live, repository.project, folder, "main:main", ROOT_TOKEN, "--push-option=ci.no_pipeline")
    return Fleet(repository, runner, tmp_path / "calls.txt")


def test_a_job_writes_a_child_pipeline_that_runs_each_stack_and_reports(fleet: Fleet) -> None:
    # The tenant fails: the report is made nevertheless, and both pipelines fail.
    fleet.notes.with_name("calls.txt.prod.beta").touch()
    done = fleet.run()
    assert [name for name, job in done.items() if job.exit_code == 0] == ["fleet-plan", "foundation"]
    assert done["tenant beta"].exit_code == 1
    assert fleet.calls() == ["prod usine-pipeline token", "prod.beta usine-pipeline token"]
    report = json.loads(done["report"].read("paths/out/fleet.json"))
    assert report["verdict"] == "2 stacks run: 1 applied, 1 failed; 0 unchanged."
    assert fleet.status() == {"api": "failed", "parent_pipeline": "failed"}

    # What Vault demands of the two roles of docs/ci.md: only jobs that deploy to the protected environment may change.
    tokens = {file.name: claims(file.read_text(encoding="ascii")) for file in fleet.notes.parent.glob("jwt/*")}
    for name, of in (
        ("fleet-plan", "usine-look"),
        ("foundation", "usine-pipeline"),
        ("tenant beta", "usine-pipeline"),
        ("report", "usine-look"),
    ):
        assert [role for role, bound in roles(fleet).items() if bound.items() <= tokens[name].items()] == [of], name


def claims(token: str) -> dict[str, Any]:
    """Return the claims of an identity."""
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def roles(fleet: Fleet) -> dict[str, dict[str, str]]:
    """Return the bound claims of the roles in docs/ci.md, for this project."""
    here = {"project_id": str(fleet.repository.project.id), "ref": "main", "environment": "prod"}
    return {name: body["bound_claims"] | here for name, body in vault_policies.roles().items()}

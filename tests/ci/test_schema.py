"""Checks the pipeline files with GitLab's published schema, and conditions that a schema cannot express."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.standins.gitlab import ci_yaml
from usine.fleet.pipeline import SHARED

ROOT = Path(__file__).resolve().parents[2]
FILES = (ROOT / ".gitlab-ci.yml", ROOT / SHARED)
STACK = {"preview", "up", "drift", "fleet-plan", "fleet-drift"}
NOT_JOBS = {"stages", "workflow", "variables", "default"}


def validate(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.gitlab-ci"]
    return subprocess.run(
        [*command, "--data-transform", "gitlab-ci", str(path)], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def content() -> dict[str, Any]:
    main, shared = (ci_yaml.parse(file.read_text(encoding="utf-8")) for file in FILES)
    assert main.pop("include") == [{"local": SHARED}]
    return ci_yaml.merge(shared, main)


def merged(content: dict[str, Any], name: str) -> dict[str, Any]:
    job = dict(content[name])
    above = job.pop("extends", None)
    return ci_yaml.merge(merged(content, above), job) if above else job


@pytest.fixture(scope="module")
def jobs(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: merged(content, name) for name in content if name not in NOT_JOBS and not name.startswith(".")}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_published_schema_accepts_the_file(file: Path) -> None:
    done = validate(file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_published_schema_accepts_every_resolved_job(
    content: dict[str, Any], jobs: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    """The schema does not check hidden jobs, so their keys are checked in the jobs that extend them."""
    whole = {**{key: content[key] for key in NOT_JOBS}, **ci_yaml.resolve(jobs, content)}
    file = tmp_path / ".gitlab-ci.yml"
    file.write_text(yaml.safe_dump(whole), encoding="utf-8")
    done = validate(file)
    assert done.returncode == 0, done.stdout + done.stderr
    file.write_text(file.read_text(encoding="utf-8").replace("access: maintainer", "access: public"), encoding="utf-8")
    assert validate(file).returncode != 0, "the schema does check jobs"


def test_every_job_has_rules(jobs: dict[str, dict[str, Any]]) -> None:
    """A job without rules would run on branches and not on merge requests."""
    assert [name for name, job in jobs.items() if not job.get("rules")] == []


def test_needed_jobs_exist(content: dict[str, Any], jobs: dict[str, dict[str, Any]]) -> None:
    for name, job in jobs.items():
        assert set(job.get("needs", [])) <= set(jobs), name
        assert job["stage"] in content["stages"], name


def test_no_artifact_is_public(jobs: dict[str, dict[str, Any]]) -> None:
    kept = {name: job["artifacts"] for name, job in jobs.items() if "artifacts" in job}
    assert set(kept) == {"check", "rules", "diff", *STACK}
    for name, artifacts in kept.items():
        assert artifacts["access"] in {"developer", "maintainer"}, name
        assert artifacts["when"] == "always", f"{name}: the report of a failed job is needed most"
        assert artifacts["expire_in"], name
    assert {name for name in kept if kept[name]["access"] == "maintainer"} == STACK


def test_jobs_of_the_stack_are_restricted(jobs: dict[str, dict[str, Any]]) -> None:
    stack = {name: job for name, job in jobs.items() if "id_tokens" in job}
    assert set(stack) == STACK
    for name, job in stack.items():
        assert job.get("resource_group") == (None if name == "fleet-plan" else "$USINE_STACK"), name
        assert job["interruptible"] is False, name
        assert all("$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH" in rule["if"] for rule in job["rules"]), name


def test_only_a_protected_default_branch_starts_a_pipeline_that_a_job_wrote(jobs: dict[str, dict[str, Any]]) -> None:
    """Its file can have any job, so the job that writes it has the same condition and reads only."""
    (trigger,) = (name for name, job in jobs.items() if "trigger" in job)
    job, writer = jobs[trigger], jobs["fleet-plan"]
    assert job["trigger"]["include"] == [{"artifact": writer["artifacts"]["paths"][0], "job": "fleet-plan"}]
    assert job["rules"] == writer["rules"]
    (rule,) = job["rules"]
    parts = set(rule["if"].split(" && "))
    assert {"$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH", '$CI_COMMIT_REF_PROTECTED == "true"'} <= parts
    assert writer["environment"]["action"] == "access", "it cannot log in with the role that changes something"
    # A passed variable, such as VAULT_ROLE, has precedence over those of the child pipeline's jobs.
    assert job["trigger"]["forward"] == {"yaml_variables": False, "pipeline_variables": False}
    assert job["trigger"]["strategy"] == "depend"
    # Their jobs wait for each other where they meet, by resource groups and the lock of each stack.
    assert "resource_group" not in job


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_file_has_no_secret_and_no_host(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert "://" not in text
    values = yaml.safe_load(text.replace("!reference", ""))["variables"]
    assert not any(key.endswith(("_TOKEN", "_PASSWORD", "_SECRET")) for key in values)

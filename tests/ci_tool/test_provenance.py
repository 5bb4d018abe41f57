"""The provenance of an image, from the variables of a job."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any, cast

import pytest
from usine_ci import cli
from usine_ci.commands import provenance

JOB = {
    "CI_PROJECT_URL": "https://gitlab.example.fr/tenants/atelier/api",
    "CI_COMMIT_SHA": "a" * 40,
    "CI_COMMIT_REF_NAME": "main",
    "CI_SERVER_URL": "https://gitlab.example.fr",
    "CI_RUNNER_ID": "12",
    "CI_PIPELINE_ID": "345",
    "CI_PIPELINE_SOURCE": "push",
    "CI_JOB_ID": "6789",
    "CI_JOB_NAME": "container",
    "CI_JOB_STARTED_AT": "2026-11-29T16:00:00Z",
}
NOW = datetime.datetime(2026, 11, 29, 16, 1, tzinfo=datetime.UTC)


def made(**more: str) -> dict[str, Any]:
    return cast("dict[str, Any]", provenance.predicate({**JOB, **more}, "1a2b3c4d", "Containerfile", NOW))


def test_it_names_the_commit_the_entry_point_and_the_builder() -> None:
    found = made()
    definition, run = found["buildDefinition"], found["runDetails"]
    source = "git+https://gitlab.example.fr/tenants/atelier/api.git"
    assert definition["resolvedDependencies"] == [{"uri": source, "digest": {"gitCommit": "a" * 40}}]
    assert definition["externalParameters"] == {
        "source": {"uri": source, "ref": "refs/heads/main"},
        "entryPoint": ".gitlab-ci.yml",
        "containerfile": "Containerfile",
        "tag": "1a2b3c4d",
    }
    assert run["builder"] == {"id": "https://gitlab.example.fr/-/runners/12"}
    assert run["metadata"]["invocationId"] == "https://gitlab.example.fr/tenants/atelier/api/-/jobs/6789"
    assert run["metadata"]["finishedOn"] == "2026-11-29T16:01:00Z"


def test_a_tag_is_a_tag_and_another_ci_file_is_the_entry_point() -> None:
    found = made(CI_COMMIT_TAG="v1.0", CI_COMMIT_REF_NAME="v1.0", CI_CONFIG_PATH="ci/main.yml")
    parameters = found["buildDefinition"]["externalParameters"]
    assert (parameters["source"]["ref"], parameters["entryPoint"]) == ("refs/tags/v1.0", "ci/main.yml")


def test_no_secret_and_no_control_character_of_a_variable_gets_in() -> None:
    text = json.dumps(made(CI_COMMIT_REF_NAME="x\x1b[31m\nglpat-" + "y" * 20))
    assert "glpat-" not in text
    assert "\\u001b" not in text


def test_outside_of_a_job_all_missing_variables_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in JOB.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("CI_COMMIT_SHA")
    monkeypatch.setenv("CI_JOB_ID", "")
    arguments = ["provenance", "--tag", "1", "--containerfile", "Containerfile", "--output", str(tmp_path / "p.json")]
    assert cli.main(arguments) == cli.REFUSED
    assert capsys.readouterr().err == "not a job of GitLab CI: CI_COMMIT_SHA, CI_JOB_ID not set\n"
    monkeypatch.setenv("CI_COMMIT_SHA", "main")
    monkeypatch.setenv("CI_JOB_ID", "1")
    assert cli.main(arguments) == cli.REFUSED
    assert "CI_COMMIT_SHA is not a commit: 'main'" in capsys.readouterr().err
    monkeypatch.setenv("CI_COMMIT_SHA", "b" * 40)
    assert cli.main(arguments) == 0
    assert json.loads((tmp_path / "p.json").read_text())["buildDefinition"]["buildType"] == provenance.BUILD_TYPE

"""The configuration of pipelines: conditions, errors, includes."""

from __future__ import annotations

from typing import Any

import pytest

from lab.testing.ci_client import commit, project_runner, variables
from lab.testing.gitlab_server import LiveGitLab
from lab.testing.names import name
from lab.tests.standins.gitlab.ci_pipelines import job_names, pipelines, refusal, run

SIMPLE = "job: {script: [echo hi]}\n"


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ('$A == "1"', True),
        ("$A == '2'", False),
        ('$A != "2"', True),
        ("$A", True),
        ("$MISSING", False),
        ("$EMPTY", False),
        ("$MISSING == null", True),
        ('$EMPTY == ""', True),
        ("$NAME =~ /^rel.*e$/", True),
        ("$NAME =~ /^REL/i", True),
        ("$NAME =~ /^REL/", False),
        ("$NAME !~ /x/", True),
        ("$NAME =~ $PATTERN", True),
        ('$A == "1" && $MISSING', False),
        ('$A == "1" || $MISSING && $MISSING', True),
        ('($A == "1" || $MISSING) && $MISSING', False),
        ('$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH && $CI_PIPELINE_SOURCE == "api"', True),
        ('$CI_COMMIT_REF_PROTECTED == "true"', True),
        ("$CI_COMMIT_TAG", False),
    ],
)
def test_conditions(rules_project: Any, condition: str, holds: bool) -> None:
    variables_ = "variables: {A: '1', EMPTY: '', NAME: release, PATTERN: '/^rel/'}"
    text = f"{variables_}\nalways: {{script: [x]}}\nasked:\n  script: [x]\n  rules:\n    - if: {condition!r}\n"
    if "'" in condition:
        text = text.replace(repr(condition), '"' + condition + '"')
    pipeline = run(rules_project, text)
    assert ("asked" in job_names(rules_project, pipeline)) is holds


@pytest.fixture(scope="module")
def rules_project(live: LiveGitLab) -> Any:
    return live.root.projects.create({"name": name("rules"), "initialize_with_readme": True})


def test_only_and_except(seeded: Any) -> None:
    text = """
all: {script: [x]}
main: {script: [x], only: [main]}
tags: {script: [x], only: [tags]}
scheduled: {script: [x], only: [schedules]}
releases: {script: [x], only: ['/^release/']}
not_api: {script: [x], except: [api]}
by_variable: {script: [x], only: {variables: ['$WANTED == "yes"']}}
"""
    pipeline = run(seeded, text, WANTED="yes")
    assert job_names(seeded, pipeline) == ["all", "main", "by_variable"]


def test_workflow(seeded: Any) -> None:
    text = """
workflow:
  name: 'for $CI_COMMIT_BRANCH'
  rules:
    - if: $RUN == "yes"
      variables: {EXTRA: "set"}
job: {script: [x], rules: [{if: $EXTRA == "set"}]}
"""
    pipeline = run(seeded, text, RUN="yes")
    assert seeded.pipelines.get(pipeline.id).name == "for main"
    assert "Pipeline filtered out by workflow rules." in refusal(seeded.pipelines.create, {"ref": "main"})


def test_jobs_without_conditions_follow_the_workflow(seeded: Any) -> None:
    """GitLab's default `only` does not apply with `workflow:rules` (config/entry/processable.rb)."""
    workflow = "workflow: {rules: [{when: always}]}\n"
    plain, text = "job: {script: [x]}\n", "branches: {script: [x], only: [branches]}\n"
    commit(seeded, {".gitlab-ci.yml": plain}, message="[skip ci]")
    for branch, configuration, expected in (
        ("with", workflow + plain + text, ["job"]),
        ("without", plain + text, None),
    ):
        commit(seeded, {".gitlab-ci.yml": configuration}, branch=branch, start_branch="main")
        made = seeded.mergerequests.create({"title": branch, "source_branch": branch, "target_branch": "main"})
        listed = seeded.mergerequests.get(made.iid).pipelines.list()
        found = [one for one in listed if one.source == "merge_request_event"]
        assert (job_names(seeded, found[0]) if found else None) == expected


def test_a_configuration_without_jobs_to_run(seeded: Any) -> None:
    assert "Missing CI config file" in refusal(seeded.pipelines.create, {"ref": "main"})
    commit(seeded, {".gitlab-ci.yml": "job: {script: [x], rules: [{when: never}]}\n"})
    assert "rules configuration prevented any jobs" in refusal(seeded.pipelines.create, {"ref": "main"})
    assert "Reference not found" in refusal(seeded.pipelines.create, {"ref": "nowhere"})
    assert pipelines(seeded) == []


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("job: [", "did not find expected"),
        ("- a list\n", "Invalid configuration format"),
        ("job: {stage: test}\n", "jobs:job config should implement the script:, run:, or trigger: keyword"),
        (".hidden: {script: [x]}\n", "jobs config should contain at least one visible job"),
        ("job: {script: [x], stage: moon}\n", "job job: chosen stage moon does not exist; available stages are .pre, "),
        ("job: {script: [x], scripts: [y]}\n", "jobs:job config contains unknown keys: scripts"),
        ("job: {script: [x], rules: [{if: '$A ='}]}\n", "invalid expression syntax"),
        ("job: {script: [x], id_tokens: {T: {}}}\n", "jobs:job:id_tokens:T config missing required keys: aud"),
        ("job: {extends: .none, script: [x]}\n", "job: unknown keys in `extends` (.none)"),
        ("include: /none.yml\n", "Local file `none.yml` does not exist!"),
        ("include: {project: no/such, file: x.yml}\n", "Project `no/such` not found or access denied!"),
        ("a: &a [*a]\n", "too big"),
    ],
)
def test_errors_of_a_configuration(rules_project: Any, text: str, error: str) -> None:
    commit(rules_project, {".gitlab-ci.yml": text})
    last = rules_project.pipelines.get(pipelines(rules_project)[0].id)
    assert last.status == "failed"
    assert error in last.yaml_errors
    assert error in refusal(rules_project.pipelines.create, {"ref": "main"})


def test_defaults_extends_and_references(live: LiveGitLab, seeded: Any) -> None:
    runner = project_runner(live, seeded)
    text = """
default: {image: 'alpine:$V', before_script: [setup]}
variables: {V: "3.20", WHO: "world"}
.base:
  variables: {GREETING: "hello $WHO"}
  script: [base]
.steps: {script: [one, two]}
job:
  extends: .base
  variables: {WHO: "you"}
  script:
    - !reference [.steps, script]
    - [three]
"""
    run(seeded, text)
    job = runner.must_take()
    assert job["steps"][0]["script"] == ["setup", "one", "two", "three"]
    assert job["image"]["name"] == "alpine:3.20"
    assert variables(job)["GREETING"] == "hello you"


def test_includes_are_read_as_the_user_of_the_pipeline(live: LiveGitLab, seeded: Any, someone: Any) -> None:
    platform = live.root.groups.create({"name": name("pf"), "path": name("pf")})
    catalogue = live.root.projects.create(
        {"name": "catalogue", "namespace_id": platform.id, "initialize_with_readme": True}
    )
    preset = """
spec:
  inputs:
    version: {default: "3.12"}
---
include: /presets/base.yml
python: {extends: .base, script: ['python$[[ inputs.version ]] -m pytest']}
"""
    commit(catalogue, {"presets/python.yml": preset, "presets/base.yml": ".base: {tags: []}\n"})
    path = catalogue.path_with_namespace
    include = f"include: {{project: {path}, file: /presets/python.yml, inputs: {{version: '3.13'}}}}\n"
    runner = project_runner(live, seeded)
    run(seeded, include)
    assert runner.must_take()["steps"][0]["script"] == ["python3.13 -m pytest"]
    user, client = someone()
    seeded.members.create({"user_id": user.id, "access_level": 40})
    theirs = client.projects.get(seeded.id)
    assert "not found or access denied" in refusal(theirs.pipelines.create, {"ref": "main"})
    platform.members.create({"user_id": user.id, "access_level": 20})
    theirs.pipelines.create({"ref": "main"})
    commit(seeded, {".gitlab-ci.yml": include.replace("python.yml", "none.yml")}, message="[skip ci]")
    missing = refusal(seeded.pipelines.create, {"ref": "main"})
    assert f"Project `{path}` file `presets/none.yml` does not exist!" in missing


def test_a_configuration_in_another_project(live: LiveGitLab, seeded: Any, someone: Any) -> None:
    content = {"name": name("cat"), "visibility": "internal", "initialize_with_readme": True}
    catalogue = live.root.projects.create(content)
    commit(catalogue, {"operations.yml": "work: {script: [x]}\n"})
    seeded.ci_config_path = f"operations.yml@{catalogue.path_with_namespace}"
    seeded.save()
    user, client = someone()
    seeded.members.create({"user_id": user.id, "access_level": 40})
    made = client.projects.get(seeded.id).pipelines.create({"ref": "main"})
    assert job_names(seeded, made) == ["work"]
    catalogue.tags.create({"tag_name": "v1-ab", "ref": "main"})
    commit(catalogue, {"operations.yml": "other: {script: [x]}\n"})
    for ref, job in (("", ["other"]), (":main", ["other"]), (":v1-ab", ["work"])):
        seeded.ci_config_path = f"operations.yml@{catalogue.path_with_namespace}{ref}"
        seeded.save()
        assert job_names(seeded, seeded.pipelines.create({"ref": "main"})) == job
    seeded.ci_config_path = f"operations.yml@{catalogue.path_with_namespace}:v2"
    seeded.save()
    assert "reference `v2` does not exist!" in refusal(seeded.pipelines.create, {"ref": "main"})
    seeded.ci_config_path = "ci/own.yml"
    seeded.save()
    assert "Missing CI config file" in refusal(seeded.pipelines.create, {"ref": "main"})

"""Permissions, user and variables of pipelines started by `trigger:` jobs and schedules, and the override role."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gitlab
import pytest

from lab.testing.ci_client import commit, project_runner, variables
from lab.testing.gitlab_server import LiveGitLab
from lab.testing.names import name

MAINTAINER, DEVELOPER, REPORTER = 40, 30, 20
CATALOGUE = Path(__file__).resolve().parents[4] / "catalogue"
OVERRIDE = "ci_pipeline_variables_minimum_override_role"
JOB = "job: {script: [x], id_tokens: {ID: {aud: x}}}\n"
Someone = Callable[[], tuple[Any, gitlab.Gitlab]]


@pytest.fixture
def make(live: LiveGitLab) -> Callable[..., Any]:
    """Return a function that creates a project in a new group, with a configuration on `main` that has not run."""

    def make(text: str = JOB, **content: Any) -> Any:
        group = live.root.groups.create({"name": name("g"), "path": name("g")})
        made = live.root.projects.create(
            {"name": name("p"), "namespace_id": group.id, "initialize_with_readme": True, **content}
        )
        commit(made, {".gitlab-ci.yml": text}, message="[skip ci]")
        return made

    return make


def triggering(target: Any, more: str = "") -> str:
    return f"other: {{trigger: {{project: {target.path_with_namespace}, branch: main}}{more}}}\n"


def bridge(project: Any, pipeline: Any) -> Any:
    (found,) = project.pipelines.get(pipeline.id).bridges.list()
    return found


def newest(project: Any, source: str) -> Any:
    return next(iter(project.pipelines.list(source=source)), None)


def test_a_trigger_job_depends_only_on_its_users_permissions(live: LiveGitLab, make: Any, someone: Someone) -> None:
    target = make(JOB, **{OVERRIDE: "no_one_allowed"})
    source = make(triggering(target))
    user, client = someone()
    source.members.create({"user_id": user.id, "access_level": MAINTAINER})
    mine = client.projects.get(source.id)

    def reason() -> str:
        return str(bridge(source, mine.pipelines.create({"ref": "main"})).attributes.get("failure_reason"))

    assert reason() == "downstream_bridge_project_not_found"
    member = target.members.create({"user_id": user.id, "access_level": DEVELOPER})
    assert reason() == "insufficient_bridge_permissions", "main is protected"
    assert newest(target, "pipeline") is None
    member.access_level = MAINTAINER
    member.save()
    assert reason() == "None", "the project's allow list of job tokens does not matter"
    made = newest(target, "pipeline")
    assert (made.source, made.ref) == ("pipeline", "main")
    assert target.pipelines.get(made.id).user["id"] == user.id
    # With the setting, it gets no variables from any user.
    commit(source, {".gitlab-ci.yml": triggering(target, ", variables: {A: b}")}, message="[skip ci]")
    assert reason() == "downstream_pipeline_creation_failed"
    setattr(target, OVERRIDE, "maintainer")
    target.save()
    assert reason() == "None"
    assert variables(project_runner(live, target).must_take()).get("A") is None, "of the first pipeline"


def test_a_child_pipeline_gets_the_variables_of_its_parent(live: LiveGitLab, make: Any) -> None:
    parent = "child: {trigger: {include: [{local: child.yml}]}, variables: {A: b}}\n"
    project = make(parent, **{OVERRIDE: "no_one_allowed"})
    commit(project, {"child.yml": JOB}, message="[skip ci]")
    pipeline = project.pipelines.create({"ref": "main"})
    below = bridge(project, pipeline).downstream_pipeline
    assert (below["source"], below["project_id"]) == ("parent_pipeline", project.id)
    assert variables(project_runner(live, project).must_take())["A"] == "b"


GENERATED = """\
write: {stage: build, script: [x], artifacts: {paths: [child.yml]}}
child: {trigger: {include: [{artifact: child.yml, job: write}], strategy: depend}}
after: {stage: deploy, script: [x]}
"""


def write(runner: Any, content: dict[str, str]) -> None:
    """Run the job that writes the configuration of the child pipeline."""
    job = runner.must_take()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, text in content.items():
            archive.writestr(path, text)
    assert runner.upload(job, job["artifacts"][0], packed.getvalue()).is_success
    runner.finish(job)


@pytest.mark.parametrize("state", ["success", "failed"])
def test_a_job_writes_a_child_pipeline_whose_parent_waits_for_it(live: LiveGitLab, make: Any, state: str) -> None:
    project = make(GENERATED)
    commit(project, {"shared.yml": ".shared: {script: [y]}\n"}, message="[skip ci]")
    pipeline, runner = project.pipelines.create({"ref": "main"}), project_runner(live, project)
    write(runner, {"child.yml": "include: [{local: shared.yml}]\nbelow: {extends: .shared}\n"})
    waiting = bridge(project, pipeline)
    assert (waiting.status, waiting.downstream_pipeline["source"]) == ("running", "parent_pipeline")
    job = runner.must_take()
    assert (job["job_info"]["name"], job["steps"][0]["script"]) == ("below", ["y"])
    assert runner.take() is None, "the job after it waits"
    runner.finish(job, state)
    assert bridge(project, pipeline).status == state
    assert (runner.take() is not None) == (state == "success")


@pytest.mark.parametrize(
    "content",
    [
        {"other.yml": JOB},
        {"child.yml": ""},
        {"child.yml": "a: b"},
        {"child.yml": "job: {script: [x], unknown: 1}"},
        {"child.yml": JOB, "large": "x" * 6 * 2**20},
    ],
)
def test_a_child_pipeline_that_cannot_be_read_fails_its_job(
    live: LiveGitLab, make: Any, content: dict[str, str]
) -> None:
    project = make(GENERATED)
    pipeline = project.pipelines.create({"ref": "main"})
    write(project_runner(live, project), content)
    made = bridge(project, pipeline)
    assert (made.status, made.attributes["failure_reason"]) == ("failed", "downstream_pipeline_creation_failed")


def test_only_a_child_pipeline_includes_an_artifact(make: Any) -> None:
    project = make("include: [{artifact: child.yml, job: write}]\n")
    with pytest.raises(gitlab.GitlabCreateError, match="only allowed when triggering child pipelines"):
        project.pipelines.create({"ref": "main"})


def test_a_job_token_starts_a_pipeline_if_the_project_allows_it(live: LiveGitLab, make: Any, someone: Someone) -> None:
    target, source = make(), make()
    user, client = someone()
    for project in (target, source):
        project.members.create({"user_id": user.id, "access_level": MAINTAINER})
    client.projects.get(source.id).pipelines.create({"ref": "main"})
    job = project_runner(live, source).must_take()
    anonymous = gitlab.Gitlab(live.url)
    with pytest.raises(gitlab.GitlabError) as caught:
        anonymous.projects.get(target.id, lazy=True).trigger_pipeline("main", job["token"])
    assert caught.value.response_code == 404
    live.root.http_post(f"/projects/{target.id}/job_token_scope/allowlist", post_data={"target_project_id": source.id})
    made = anonymous.projects.get(target.id, lazy=True).trigger_pipeline("main", job["token"])
    assert (made.source, made.user["id"]) == ("pipeline", user.id)


@pytest.mark.parametrize("least", ["maintainer", "owner", "no_one_allowed"])
def test_the_override_role_counts_only_memberships(make: Any, least: str) -> None:
    project = make(JOB, **{OVERRIDE: "developer"})
    project.pipelines.create({"ref": "main", "variables": [{"key": "A", "value": "b"}]})
    setattr(project, OVERRIDE, least)
    project.save()
    trigger = project.triggers.create({"description": "t"})
    given = {"ref": "main", "variables": [{"key": "A", "value": "b"}]}
    schedule = project.pipelineschedules.create({"ref": "main", "description": "s", "cron": "0 1 * * *"})
    calls: dict[str, Callable[[], Any]] = {
        "api": lambda: project.pipelines.create(given),
        "trigger": lambda: project.trigger_pipeline("main", trigger.token, variables={"A": "b"}),
        "schedule": lambda: schedule.variables.create({"key": "A", "value": "b"}),
    }
    # Root created the group and is its owner; only the last setting excludes owners.
    for call in calls.values():
        if least == "no_one_allowed":
            with pytest.raises(gitlab.GitlabError, match=r"pipeline variables|schedule variables"):
                call()
        else:
            call()


def test_only_an_owner_changes_a_restriction_to_owners(make: Any, someone: Someone) -> None:
    project = make(JOB, **{OVERRIDE: "no_one_allowed"})
    user, client = someone()
    project.members.create({"user_id": user.id, "access_level": MAINTAINER})
    mine = client.projects.get(project.id)
    setattr(mine, OVERRIDE, "developer")  # ProjectPolicy forbids only `owner`
    mine.save()
    setattr(mine, OVERRIDE, "owner")
    with pytest.raises(gitlab.GitlabUpdateError, match="is not allowed"):
        mine.save()


def test_only_the_owner_changes_a_schedule_and_the_caller_runs_it(make: Any, someone: Someone) -> None:
    project = make("nightly: {script: [x], only: [schedules]}\n")
    (owner, of_owner), (other, of_other), (_, outside) = someone(), someone(), someone()
    for user in (owner, other):
        project.members.create({"user_id": user.id, "access_level": MAINTAINER})
    content = {"ref": "main", "description": "nightly", "cron": "0 1 * * *"}
    made = of_owner.projects.get(project.id).pipelineschedules.create(content)
    assert made.owner["id"] == owner.id
    theirs = of_other.projects.get(project.id).pipelineschedules.get(made.id)
    for change in (
        lambda: of_other.projects.get(project.id).pipelineschedules.update(made.id, {"cron": "0 2 * * *"}),
        lambda: theirs.variables.create({"key": "A", "value": "b"}),
    ):
        with pytest.raises(gitlab.GitlabError) as caught:
            change()
        assert caught.value.response_code == 403
    theirs.play()
    assert project.pipelines.get(newest(project, "schedule").id).user["id"] == other.id
    # A developer may not schedule or run a pipeline on a protected branch.
    project.members.get(other.id).delete()
    project.members.create({"user_id": other.id, "access_level": DEVELOPER})
    for refused in (lambda: of_other.projects.get(project.id).pipelineschedules.create(content), theirs.play):
        with pytest.raises(gitlab.GitlabError):
            refused()
    with pytest.raises(gitlab.GitlabError):
        outside.projects.get(project.id)


def test_a_reporter_by_a_share_cannot_start_pipelines(live: LiveGitLab, make: Any, someone: Someone) -> None:
    project = make("nightly: {script: [x], only: [schedules]}\n")
    tenant = live.root.groups.create({"name": name("g"), "path": name("g")})
    user, client = someone()
    tenant.members.create({"user_id": user.id, "access_level": MAINTAINER})
    project.share(tenant.id, REPORTER)
    schedule = project.pipelineschedules.create({"ref": "main", "description": "nightly", "cron": "0 1 * * *"})
    number = schedule.id
    schedule.play()
    mine = client.projects.get(project.id)
    assert [one.source for one in mine.pipelines.list(status="pending")] == ["schedule"]
    theirs = mine.pipelineschedules.get(number, lazy=True)
    for attempt in (
        theirs.play,
        theirs.take_ownership,
        lambda: mine.pipelines.create({"ref": "main"}),
        lambda: mine.variables.create({"key": "A", "value": "b"}),
        lambda: mine.triggers.create({"description": "t"}),
        lambda: client.projects.update(project.id, {"ci_config_path": "mine.yml"}),
        lambda: commit(mine, {"x": "y"}),
    ):
        with pytest.raises(gitlab.GitlabError):
            attempt()


@pytest.mark.parametrize(("file", "side"), [("off.yml", None), ("mirror.yml", "push")])
def test_a_fork_runs_the_sources_pipeline_only_on_unprotected_refs(
    live: LiveGitLab, make: Any, file: str, side: str | None
) -> None:
    catalogue = live.root.projects.create({"name": name("c"), "visibility": "internal", "initialize_with_readme": True})
    commit(catalogue, {file: (CATALOGUE / file).read_text(encoding="utf-8")}, message="[skip ci]")
    # The source's own protections do not matter.
    upstream = "workflow: {rules: [{when: always}]}\nsteal: {script: [x], id_tokens: {ID: {aud: x}}}\n"
    project = make(upstream, ci_config_path=f"{file}@{catalogue.path_with_namespace}")
    project.variables.create({"key": "PROTECTED", "value": "planted", "protected": True})
    commit(project, {"x": "y"})
    assert {one.status for one in project.pipelines.list()} == {"skipped"}, "main is protected"
    commit(project, {"x": "z"}, branch="side", start_branch="main")
    assert next((one.source for one in project.pipelines.list(ref="side")), None) == side
    if side is not None:
        job = project_runner(live, project, tag_list=["unprotected"], run_untagged=False).must_take()
        assert (job["job_info"]["name"], variables(job).get("PROTECTED")) == ("steal", None)
        assert variables(job)["CI_COMMIT_REF_PROTECTED"] == "false"

"""A job's data for a runner, the runner's reports, and access with the job's token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gitlab
import pytest

from lab.testing.ci_client import Runner, commit, jobs, project_runner, variables
from lab.testing.git_client import Git, address, clone
from lab.testing.gitlab_server import LiveGitLab, live_gitlab
from lab.testing.names import name

SIMPLE = "job: {script: [echo hi]}\n"


def running(live: LiveGitLab, project: Any, text: str = SIMPLE, branch: str = "main") -> tuple[Runner, dict[str, Any]]:
    """Return a runner and the job of a configuration that it has taken."""
    runner = project_runner(live, project)
    more = {"start_branch": "main"} if branch != "main" else {}
    commit(project, {".gitlab-ci.yml": text}, branch=branch, **more)
    return runner, runner.must_take()


def test_predefined_variables(live: LiveGitLab, seeded: Any) -> None:
    _, job = running(live, seeded)
    found = variables(job)
    expected = {
        "CI": "true",
        "GITLAB_CI": "true",
        "CI_SERVER_URL": live.url,
        "CI_API_V4_URL": f"{live.url}/api/v4",
        "CI_PROJECT_ID": str(seeded.id),
        "CI_PROJECT_PATH": seeded.path_with_namespace,
        "CI_PROJECT_NAMESPACE": seeded.namespace["full_path"],
        "CI_PIPELINE_SOURCE": "push",
        "CI_COMMIT_BRANCH": "main",
        "CI_COMMIT_REF_NAME": "main",
        "CI_COMMIT_REF_PROTECTED": "true",
        "CI_DEFAULT_BRANCH": "main",
        "CI_JOB_NAME": "job",
        "CI_JOB_STAGE": "test",
        "CI_JOB_TOKEN": job["token"],
        "GITLAB_USER_LOGIN": "root",
        "CI_COMMIT_SHA": job["git_info"]["sha"],
    }
    assert {key: found.get(key) for key in expected} == expected
    assert "CI_COMMIT_TAG" not in found
    assert next(one["masked"] for one in job["variables"] if one["key"] == "CI_JOB_TOKEN")


def test_settings_variables(live: LiveGitLab, seeded: Any, group: Any) -> None:
    group.variables.create({"key": "LEVEL", "value": "group"})
    group.variables.create({"key": "GROUP_ONLY", "value": "yes"})
    for key, value, more in (
        ("LEVEL", "project", {}),
        ("SECRET_VALUE", "only-protected", {"protected": True, "masked": True}),
        ("SCOPED", "for-prod", {"environment_scope": "prod*"}),
        ("SCOPED", "for-all", {}),
        ("DEV_ONLY", "no", {"environment_scope": "dev"}),
        ("A_FILE", "content", {"variable_type": "file"}),
        ("RAW", "$LEVEL", {"raw": True}),
        ("BY_YAML", "settings win", {}),
    ):
        seeded.variables.create({"key": key, "value": value, **more})
    text = "variables: {BY_YAML: yaml, USES: '$LEVEL'}\njob: {script: [x], environment: production}\n"
    runner, job = running(live, seeded, text)
    found = variables(job)
    expected = {
        "LEVEL": "project",
        "GROUP_ONLY": "yes",
        "SECRET_VALUE": "only-protected",
        "SCOPED": "for-prod",
        "A_FILE": "content",
        "RAW": "$LEVEL",
        "USES": "project",
        "BY_YAML": "settings win",
        "CI_ENVIRONMENT_NAME": "production",
        "CI_ENVIRONMENT_TIER": "production",
    }
    assert {key: found.get(key) for key in expected} == expected
    assert "DEV_ONLY" not in found
    assert next(one for one in job["variables"] if one["key"] == "A_FILE")["file"]
    secret = next(one for one in job["variables"] if one["key"] == "SECRET_VALUE")
    assert (secret["masked"], secret["public"]) == (True, False)
    assert [one.name for one in seeded.environments.list()] == ["production"]
    commit(seeded, {"x": "y"}, branch="side", start_branch="main")
    unprotected = variables(runner.must_take())
    assert (unprotected["CI_COMMIT_REF_PROTECTED"], unprotected["LEVEL"]) == ("false", "project")
    assert "SECRET_VALUE" not in unprotected


def test_a_runner_for_protected_refs_only(live: LiveGitLab, seeded: Any) -> None:
    careful = project_runner(live, seeded, access_level="ref_protected")
    commit(seeded, {".gitlab-ci.yml": SIMPLE}, branch="side", start_branch="main")
    assert careful.take() is None
    commit(seeded, {".gitlab-ci.yml": SIMPLE})
    assert careful.must_take()["git_info"]["ref"] == "main"


def test_a_tag_may_be_a_variable_whose_protected_value_is_for_protected_refs(live: LiveGitLab, seeded: Any) -> None:
    """As in the catalogue: the file says `open`, and a protected variable of the group overrides it."""
    group = live.root.groups.get(seeded.namespace["id"])
    group.variables.create({"key": "RUNNER", "value": "careful", "protected": True})
    careful = project_runner(live, seeded, access_level="ref_protected", tag_list=["careful"], run_untagged=False)
    anybody = project_runner(live, seeded, tag_list=["open"], run_untagged=False)
    text = f"variables: {{RUNNER: open}}\ndefault: {{tags: [$RUNNER]}}\n{SIMPLE}"
    commit(seeded, {".gitlab-ci.yml": text}, branch="side", start_branch="main")
    assert careful.take() is None
    assert anybody.must_take()["git_info"]["ref"] == "side"
    commit(seeded, {".gitlab-ci.yml": text})
    assert anybody.take() is None
    assert careful.must_take()["git_info"]["ref"] == "main"
    # The author of a merge request names the careful runner: no runner takes the job.
    commit(seeded, {".gitlab-ci.yml": text.replace("[$RUNNER]", "[careful]")}, branch="evil", start_branch="main")
    assert (careful.take(), anybody.take()) == (None, None)


def test_the_checkout_a_runner_makes(live: LiveGitLab, seeded: Any, tmp_path: Path) -> None:
    _, job = running(live, seeded)
    git = Git(tmp_path)
    git.run("init", "-q")
    git.run(
        "fetch", "--depth", str(job["git_info"]["depth"]), job["git_info"]["repo_url"], *job["git_info"]["refspecs"]
    )
    git.run("checkout", "-q", job["git_info"]["sha"])
    assert (tmp_path / ".gitlab-ci.yml").read_text() == SIMPLE


def test_a_depth_of_zero_fetches_every_branch(live: LiveGitLab, seeded: Any) -> None:
    """A job of a merge request reads the target branch there."""
    commit(seeded, {".gitlab-ci.yml": f"variables: {{GIT_DEPTH: '0'}}\n{SIMPLE}"})
    git = project_runner(live, seeded).must_take()["git_info"]
    assert (git["depth"], git["refspecs"][1:]) == (
        0,
        ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"],
    )


def test_trace(live: LiveGitLab, seeded: Any, someone: Any) -> None:
    runner, job = running(live, seeded)
    where, token = f"/jobs/{job['id']}/trace", {"JOB-TOKEN": job["token"]}
    first = runner.http.patch(where, content=b"hello ", headers={**token, "Content-Range": "0-5"})
    assert (first.status_code, first.headers["range"], first.headers["job-status"]) == (202, "0-6", "running")
    gap = runner.http.patch(where, content=b"!", headers={**token, "Content-Range": "9-9"})
    assert (gap.status_code, gap.headers["range"]) == (416, "0-6")
    assert runner.http.patch(where, content=b"!", headers=token).status_code == 400
    assert runner.http.patch(where, content=b"!", headers={"Content-Range": "6-6"}).status_code == 403
    assert runner.http.patch(where, content=b"you", headers={**token, "Content-Range": "6-8"}).status_code == 202
    assert seeded.jobs.get(job["id"]).trace() == b"hello you"
    runner.finish(job)
    assert runner.http.patch(where, content=b"!", headers={**token, "Content-Range": "9-9"}).status_code == 403
    user, client = someone()
    seeded.members.create({"user_id": user.id, "access_level": 10})
    with pytest.raises(gitlab.GitlabError) as caught:
        client.projects.get(seeded.id).jobs.get(job["id"])
    assert caught.value.response_code == 403


def test_a_job_token_is_valid_while_its_job_runs(live: LiveGitLab, seeded: Any, tmp_path: Path) -> None:
    runner, job = running(live, seeded)
    inside = gitlab.Gitlab(live.url, job_token=job["token"])
    assert inside.projects.get(seeded.id).id == seeded.id
    with pytest.raises(gitlab.GitlabError) as caught:
        inside.projects.get(seeded.id, lazy=True).variables.list()
    assert caught.value.response_code == 401
    git = clone(live, seeded, tmp_path / "a", job["token"], "gitlab-ci-token")
    git.write("not with this token")
    assert "You are not allowed to upload code." in git.run("push", fails=True)
    refused = Git(tmp_path).run("ls-remote", address(live, seeded, "oauth2", job["token"]), fails=True)
    assert "Authentication failed" in refused
    runner.finish(job)
    with pytest.raises(gitlab.GitlabAuthenticationError):
        inside.projects.get(seeded.id)
    refused = Git(tmp_path).run("ls-remote", address(live, seeded, "gitlab-ci-token", job["token"]), fails=True)
    assert "Authentication failed" in refused


def test_a_job_token_in_another_project(live: LiveGitLab, seeded: Any, someone: Any, tmp_path: Path) -> None:
    user, client = someone()
    seeded.members.create({"user_id": user.id, "access_level": 40})
    runner, _ = running(live, seeded)
    client.projects.get(seeded.id).pipelines.create({"ref": "main"})
    job = runner.must_take()
    group = live.root.groups.create({"name": name("g"), "path": name("g")})
    other = live.root.projects.create({"name": name("o"), "namespace_id": group.id, "initialize_with_readme": True})
    where = address(live, other, "gitlab-ci-token", job["token"])
    assert "not found" in Git(tmp_path).run("ls-remote", where, fails=True), "the job's user has no access to it"
    other.members.create({"user_id": user.id, "access_level": 20})
    assert "403" in Git(tmp_path).run("ls-remote", where, fails=True)
    inside = gitlab.Gitlab(live.url, job_token=job["token"])
    with pytest.raises(gitlab.GitlabError) as caught:
        inside.projects.get(other.id)
    assert caught.value.response_code in {403, 404}
    live.root.http_post(f"/projects/{other.id}/job_token_scope/allowlist", post_data={"target_project_id": seeded.id})
    Git(tmp_path).run("ls-remote", where)
    assert inside.projects.get(other.id).id == other.id


def test_a_job_pushes_if_its_project_allows_it(live: LiveGitLab, seeded: Any, tmp_path: Path) -> None:
    seeded.ci_push_repository_for_job_token_allowed = True
    seeded.save()
    _, job = running(live, seeded)
    git = clone(live, seeded, tmp_path, job["token"], "gitlab-ci-token")
    git.write("by a job")
    before = len(seeded.pipelines.list(get_all=True))
    git.run("push", "origin", "HEAD:by-job")
    assert seeded.branches.get("by-job").commit["title"] == "by a job"
    assert len(seeded.pipelines.list(get_all=True)) == before, "otherwise jobs could start jobs without end"


def test_a_job_cannot_be_taken_without_a_token(live: LiveGitLab) -> None:
    with live.http(None) as http:
        assert http.post("/jobs/request", json={}).status_code == 400
        assert http.post("/jobs/request", json={"token": "glrt-wrong"}).status_code == 403
        assert http.put("/jobs/1", json={"token": "wrong", "state": "success"}).status_code == 403


def test_two_runners_never_take_the_same_job(live: LiveGitLab, seeded: Any) -> None:
    runners = [project_runner(live, seeded) for _ in range(3)]
    commit(seeded, {".gitlab-ci.yml": SIMPLE})
    taken = [job for runner in runners if (job := runner.take()) is not None]
    assert len(taken) == 1


def test_protected_environments(premium: LiveGitLab) -> None:
    project = premium.root.projects.create({"name": name("p"), "initialize_with_readme": True})
    premium.root.http_post(
        f"/projects/{project.id}/protected_environments",
        post_data={"name": "prod", "deploy_access_levels": [{"access_level": 40}]},
    )
    login = name("u")
    user = premium.root.users.create(
        {"username": login, "name": login, "email": f"{login}@example.com", "force_random_password": True}
    )
    token = user.personal_access_tokens.create({"name": "t", "scopes": ["api"]}).token
    project.members.create({"user_id": user.id, "access_level": 30})
    theirs = premium.client(token).projects.get(project.id)
    text = "ship: {script: [x], environment: prod}\n"
    commit(theirs, {".gitlab-ci.yml": text}, branch="side", start_branch="main")
    (job,) = jobs(project)
    assert (job.status, job.failure_reason) == ("failed", "protected_environment_failure")
    project.pipelines.create({"ref": "side"})
    assert jobs(project)[0].status == "pending"


def test_jobs_survive_a_restart(tmp_path: Path) -> None:
    with live_gitlab(tmp_path / "data") as live:
        project = live.root.projects.create({"name": "kept", "initialize_with_readme": True})
        _, job = running(live, project)
    with live_gitlab(tmp_path / "data") as live:
        assert gitlab.Gitlab(live.url, job_token=job["token"]).projects.get(project.id).name == "kept"

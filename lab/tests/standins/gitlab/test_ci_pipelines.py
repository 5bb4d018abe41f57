"""Creation of pipelines, and the order of jobs by stages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gitlab
import pytest

from lab.testing.ci_client import Runner, commit, jobs, project_runner, variables
from lab.testing.git_client import clone
from lab.testing.gitlab_server import ROOT_TOKEN, LiveGitLab
from lab.testing.names import name
from lab.tests.standins.gitlab.ci_pipelines import pipelines, refusal, run

SIMPLE = "job: {script: [echo hi]}\n"


def test_a_push_creates_a_pipeline(live: LiveGitLab, seeded: Any, tmp_path: Path) -> None:
    git = clone(live, seeded, tmp_path, ROOT_TOKEN)
    git.write("no configuration yet", a__txt="a")
    git.run("push")
    assert pipelines(seeded) == []
    (tmp_path / ".gitlab-ci.yml").write_text(SIMPLE)
    sha = git.write("configuration")
    git.run("push")
    (found,) = pipelines(seeded)
    assert (found.sha, found.ref, found.source, found.status) == (sha, "main", "push", "pending")
    git.run("tag", "v1")
    git.run("push", "origin", "v1")
    whole = seeded.pipelines.get(pipelines(seeded)[0].id)
    assert (whole.ref, whole.tag, whole.before_sha) == ("v1", True, "0" * 40)
    git.write("skipped [skip ci]")
    git.run("push")
    assert pipelines(seeded)[0].status == "skipped"
    git.write("nor this")
    git.run("push", "-o", "ci.no_pipeline")
    assert len(pipelines(seeded)) == 3


def test_lists_of_pipelines(live: LiveGitLab, seeded: Any) -> None:
    runner = project_runner(live, seeded)
    child = "child: {trigger: {include: [{local: child.yml}], strategy: depend}}\n"
    commit(seeded, {"child.yml": SIMPLE, ".gitlab-ci.yml": child}, message="[skip ci]")
    first = seeded.pipelines.create({"ref": "main"})
    runner.finish(runner.must_take(), "failed")
    (below,) = pipelines(seeded, source="parent_pipeline")
    failed, skipped = pipelines(seeded)
    assert (failed.id, failed.status, skipped.status) == (first.id, "failed", "skipped")
    assert below.id not in {failed.id, skipped.id}
    assert [one.id for one in pipelines(seeded, scope="finished")] == [first.id], "skipped is not finished"
    both, after = [skipped.id, failed.id], failed.updated_at
    assert [one.id for one in pipelines(seeded, updated_after=after)] == [first.id]
    assert [one.id for one in pipelines(seeded, updated_before=after, created_before=after)] == sorted(both)[::-1]
    assert [one.id for one in pipelines(seeded, created_after=skipped.created_at)] == sorted(both)[::-1]
    assert pipelines(seeded, created_after="2099-01-01T00:00:00+01:00") == []
    branch = commit(seeded, {"a": "a"}, branch="side", start_branch="main", message="[skip ci]")
    rules = "job: {script: [x], rules: [{if: '$CI_PIPELINE_SOURCE == \"merge_request_event\"'}]}\n"
    commit(seeded, {".gitlab-ci.yml": rules}, branch="side", message="[skip ci]")
    seeded.mergerequests.create({"source_branch": "side", "target_branch": "main", "title": "x"})
    assert branch
    assert ("refs/merge-requests/1/head", "merge_request_event") in {
        (one.ref, one.source) for one in pipelines(seeded, ref="side")
    }, "also of merge requests from the branch"


def test_stages_run_in_order(live: LiveGitLab, seeded: Any) -> None:
    runner = project_runner(live, seeded)
    text = """
stages: [build, test]
compile: {stage: build, script: [make]}
unit: {stage: test, script: [make test], after_script: [clean]}
lint: {stage: test, script: [lint], allow_failure: true}
"""
    pipeline = run(seeded, text)
    job = runner.must_take()
    assert job["job_info"]["name"] == "compile"
    assert runner.take() is None, "the next stage waits"
    assert seeded.pipelines.get(pipeline.id).status == "running"
    assert runner.finish(job).status_code == 200
    taken = {one["job_info"]["name"]: one for one in (runner.must_take(), runner.must_take())}
    assert [step["name"] for step in taken["unit"]["steps"]] == ["script", "after_script"]
    runner.finish(taken["lint"], "failed", failure_reason="script_failure", exit_code=1)
    runner.finish(taken["unit"])
    assert seeded.pipelines.get(pipeline.id).status == "success"
    (lint,) = [one for one in jobs(seeded) if one.name == "lint"]
    assert (lint.status, lint.failure_reason) == ("failed", "script_failure")


def test_only_listed_exit_codes_are_allowed_to_fail(live: LiveGitLab, seeded: Any) -> None:
    runner = project_runner(live, seeded)
    text = """
one: {stage: build, script: [x], allow_failure: {exit_codes: [2, 3]}}
two: {stage: test, script: [x], allow_failure: {exit_codes: 2}}
three: {stage: deploy, script: [x]}
"""
    pipeline = run(seeded, text)
    runner.finish(runner.must_take(), "failed", exit_code=3)
    runner.finish(runner.must_take(), "failed", exit_code=3)
    assert runner.take() is None
    assert seeded.pipelines.get(pipeline.id).status == "failed"
    states = {job.name: (job.status, job.allow_failure) for job in jobs(seeded)}
    assert states == {"one": ("failed", True), "two": ("failed", False), "three": ("skipped", False)}


def test_a_failure_skips_later_jobs_except_on_failure_jobs(live: LiveGitLab, seeded: Any) -> None:
    runner = project_runner(live, seeded)
    text = """
build: {stage: build, script: [x]}
test: {stage: test, script: [x]}
cleanup: {stage: deploy, script: [x], when: always}
alarm: {stage: deploy, script: [x], when: on_failure}
"""
    pipeline = run(seeded, text)
    runner.finish(runner.must_take(), "failed")
    assert {runner.must_take()["job_info"]["name"], runner.must_take()["job_info"]["name"]} == {"cleanup", "alarm"}
    states = {job.name: job.status for job in jobs(seeded)}
    assert states["test"] == "skipped"
    (failed,) = [job for job in jobs(seeded) if job.name == "build"]
    seeded.jobs.get(failed.id, lazy=True).retry()
    assert seeded.pipelines.get(pipeline.id).status == "running"
    assert runner.must_take()["job_info"]["name"] == "build"


def test_manual_and_retried(live: LiveGitLab, seeded: Any) -> None:
    runner = project_runner(live, seeded)
    pipeline = run(seeded, "ask: {script: [x], rules: [{when: manual}]}\nthen: {stage: deploy, script: [x]}\n")
    assert seeded.pipelines.get(pipeline.id).status == "manual"
    assert runner.take() is None
    (ask,) = [job for job in jobs(seeded) if job.name == "ask"]
    seeded.jobs.get(ask.id).play()
    runner.finish(runner.must_take())
    held = runner.must_take()
    assert held["job_info"]["name"] == "then"
    runner.finish(held, "failed")
    assert seeded.pipelines.get(pipeline.id).status == "failed"
    late = runner.finish(held)
    assert (late.status_code, late.headers["job-status"]) == (403, "failed")
    seeded.jobs.get(held["id"]).retry()
    runner.finish(runner.must_take())
    assert seeded.pipelines.get(pipeline.id).status == "success"


def test_permission_to_run_on_a_protected_branch(seeded: Any, someone: Any) -> None:
    commit(seeded, {".gitlab-ci.yml": SIMPLE})
    user, client = someone()
    seeded.members.create({"user_id": user.id, "access_level": 30})
    theirs = client.projects.get(seeded.id)
    assert "You do not have sufficient permission to run a pipeline on 'main'" in refusal(
        theirs.pipelines.create, {"ref": "main"}
    )
    commit(theirs, {"side": "x"}, branch="side", start_branch="main")
    assert pipelines(seeded, ref="side")[0].source == "push"
    theirs.pipelines.create({"ref": "side"})
    job = jobs(seeded)[-1]
    with pytest.raises(gitlab.GitlabError) as caught:
        theirs.jobs.get(job.id).retry()
    assert caught.value.response_code == 403


def test_a_schedule_runs_on_request(live: LiveGitLab, seeded: Any, someone: Any) -> None:
    commit(seeded, {".gitlab-ci.yml": "nightly: {script: [x], only: [schedules]}\n"})
    schedule = seeded.pipelineschedules.create({"ref": "main", "description": "nightly", "cron": "0 1 * * *"})
    schedule.variables.create({"key": "DEPTH", "value": "full"})
    number = schedule.id
    schedule.play()  # python-gitlab treats the answer, which is a message, as the schedule
    schedule = seeded.pipelineschedules.get(number)
    (found,) = pipelines(seeded, source="schedule")
    assert schedule.last_pipeline["id"] == found.id
    job = project_runner(live, seeded).must_take()
    assert variables(job)["DEPTH"] == "full"
    assert variables(job)["CI_PIPELINE_SCHEDULE_DESCRIPTION"] == "nightly"
    user, client = someone()
    seeded.members.create({"user_id": user.id, "access_level": 20})
    with pytest.raises(gitlab.GitlabError):
        client.projects.get(seeded.id).pipelineschedules.get(number).play()


def test_a_trigger(live: LiveGitLab, seeded: Any) -> None:
    commit(seeded, {".gitlab-ci.yml": SIMPLE}, message="[ci skip]")
    trigger = seeded.triggers.create({"description": "from outside"})
    anonymous = gitlab.Gitlab(live.url)
    made = anonymous.projects.get(seeded.id, lazy=True).trigger_pipeline("main", trigger.token, variables={"WHO": "me"})
    assert (made.source, made.user["username"]) == ("trigger", "root")
    with pytest.raises(gitlab.GitlabError) as caught:
        anonymous.projects.get(seeded.id, lazy=True).trigger_pipeline("main", "glptt-wrong")
    assert caught.value.response_code == 404
    assert [one.token for one in seeded.triggers.list()] == [trigger.token[:4]]
    trigger.delete()
    with pytest.raises(gitlab.GitlabError):
        anonymous.projects.get(seeded.id, lazy=True).trigger_pipeline("main", trigger.token)


def test_runner_types_tags_and_pause(live: LiveGitLab, seeded: Any, group: Any) -> None:
    wanted = "plain: {script: [x]}\ntagged: {script: [x], tags: [gpu]}\n"
    run(seeded, wanted)
    other = live.root.projects.create({"name": name("other")})
    assert project_runner(live, other).take() is None
    picky = project_runner(live, seeded, tag_list=["gpu"], run_untagged=False)
    assert picky.must_take()["job_info"]["name"] == "tagged"
    assert picky.take() is None
    paused = project_runner(live, seeded, paused=True)
    assert paused.take() is None
    shared = live.root.http_post("/user/runners", post_data={"runner_type": "group_type", "group_id": group.id})
    assert isinstance(shared, dict)
    assert Runner(live, shared["token"]).must_take()["job_info"]["name"] == "plain"


def test_a_runner_registers(live: LiveGitLab, seeded: Any, someone: Any) -> None:
    content = {"runner_type": "project_type", "project_id": seeded.id, "description": "mine", "tag_list": "a,b"}
    own = live.root.http_post("/user/runners", post_data=content)
    assert isinstance(own, dict)
    with live.http(None) as http:
        assert http.post("/runners/verify", json={"token": "wrong"}).status_code == 403
        assert http.post("/runners/verify", json={"token": own["token"]}).status_code == 200
        assert seeded.runners.list()[0].description == "mine"
        assert live.root.runners.get(own["id"]).tag_list == ["a", "b"]
        assert http.request("DELETE", "/runners", json={"token": own["token"]}).status_code == 204
        assert http.post("/jobs/request", json={"token": own["token"]}).status_code == 403
    _, client = someone()
    with pytest.raises(gitlab.GitlabError) as caught:
        client.http_post("/user/runners", post_data={"runner_type": "instance_type"})
    assert caught.value.response_code == 403

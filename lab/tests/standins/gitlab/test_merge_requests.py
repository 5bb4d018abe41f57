"""Merge requests: create, update, merge, with notes and pipelines, and refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gitlab
import pytest

from lab.testing.ci_client import commit, project_runner, variables
from lab.testing.git_client import clone
from lab.testing.gitlab_server import ROOT_TOKEN, LiveGitLab
from lab.testing.names import name

ON_REQUESTS = """
check: {script: [x], rules: [{if: '$CI_PIPELINE_SOURCE == "merge_request_event"'}]}
build: {script: [x], rules: [{if: '$CI_COMMIT_BRANCH && $CI_OPEN_MERGE_REQUESTS == null'}]}
"""


def status(call: Any, *arguments: Any, **named: Any) -> int:
    """Return the status of a refusal."""
    with pytest.raises(gitlab.GitlabError) as caught:
        call(*arguments, **named)
    return int(caught.value.response_code or 0)


def opened(project: Any, branch: str = "side", **more: Any) -> Any:
    """Return a merge request of a branch with one commit."""
    commit(project, {f"{branch}.txt": "one\n"}, branch=branch, message=f"on {branch}", start_branch="main")
    content = {"source_branch": branch, "target_branch": "main", "title": f"Merge {branch}"}
    return project.mergerequests.create({**content, **more})


def test_life_of_a_merge_request(seeded: Any) -> None:
    request = opened(seeded, labels="plan", description="what and why")
    assert (request.iid, request.state, request.labels, request.draft) == (1, "opened", ["plan"], False)
    assert (request.detailed_merge_status, request.merge_status) == ("mergeable", "can_be_merged")
    assert request.sha == seeded.branches.get("side").commit["id"]
    assert request.diff_refs["base_sha"] == seeded.branches.get("main").commit["id"]
    assert request.changes_count == "1"
    request.title = "Draft: not yet"
    request.save()
    assert status(request.merge) == 405
    request.title = "Now"
    request.save()
    merged = request.merge(should_remove_source_branch=True)
    assert (merged["state"], merged["merged_by"]["username"]) == ("merged", "root")
    assert seeded.branches.get("main").commit["id"] == merged["merge_commit_sha"]
    assert seeded.files.get("side.txt", ref="main").decode() == b"one\n"
    assert status(seeded.branches.get, "side") == 404
    assert seeded.mergerequests.get(1).changes_count == "1", "also after the merge"
    assert status(seeded.mergerequests.get(1).merge) == 405


def test_lists(seeded: Any) -> None:
    opened(seeded, "a")
    opened(seeded, "b")
    seeded.mergerequests.update(1, {"state_event": "close"})

    def iids(**filters: Any) -> set[int]:
        return {one.iid for one in seeded.mergerequests.list(get_all=True, **filters)}

    assert iids() == {1, 2}
    assert iids(state="opened") == {2}
    assert iids(source_branch="a") == {1}
    assert iids(target_branch="other") == set()
    assert iids(state="opened", source_branch="b", target_branch="main") == {2}
    seeded.mergerequests.update(1, {"state_event": "reopen"})
    assert iids(state="opened") == {1, 2}


def test_invalid_merge_requests_are_refused(seeded: Any) -> None:
    opened(seeded)
    content = {"source_branch": "side", "target_branch": "main", "title": "again"}
    assert status(seeded.mergerequests.create, content) == 409
    assert status(seeded.mergerequests.create, {**content, "source_branch": "none"}) == 400
    assert status(seeded.mergerequests.create, {**content, "target_branch": "none"}) == 400
    assert status(seeded.mergerequests.create, {**content, "source_branch": "main"}) == 400
    assert status(seeded.mergerequests.get(1).merge, sha="0" * 40) == 409
    assert status(seeded.mergerequests.update, 1, {}) == 400
    commit(seeded, {"side.txt": "other\n"})
    assert seeded.mergerequests.get(1).detailed_merge_status == "conflict"
    assert status(seeded.mergerequests.get(1).merge) == 422


def test_permissions(seeded: Any, someone: Any) -> None:
    request = opened(seeded)
    user, client = someone()
    seeded.members.create({"user_id": user.id, "access_level": 30})
    theirs = client.projects.get(seeded.id)
    assert status(theirs.mergerequests.get(1).merge) == 401
    assert theirs.mergerequests.get(1).user["can_merge"] is False
    mine = opened(theirs, "mine")
    assert mine.author["username"] == user.username
    reporter, client = someone()
    seeded.members.create({"user_id": reporter.id, "access_level": 20})
    reads = client.projects.get(seeded.id)
    assert reads.mergerequests.get(1).title == request.title
    assert status(reads.mergerequests.update, 1, {"title": "no"}) == 403
    content = {"source_branch": "side", "target_branch": "main", "title": "x"}
    assert status(reads.mergerequests.create, content) == 403
    _, stranger = someone()
    assert status(stranger.projects.get(seeded.id, lazy=True).mergerequests.list) == 404


def test_squash_and_fast_forward(live: LiveGitLab, seeded: Any) -> None:
    request = opened(seeded)
    commit(seeded, {"more": "x"}, branch="side", message="second")
    squashed = request.merge(squash=True)
    assert squashed["squash_commit_sha"]
    project = live.root.projects.get(seeded.id)
    project.merge_method = "ff"
    project.save()
    other = opened(seeded, "straight")
    merged = other.merge()
    assert (merged["merge_commit_sha"], seeded.branches.get("main").commit["id"]) == (None, merged["sha"])
    behind = opened(seeded, "behind")
    commit(seeded, {"ahead": "x"})
    assert seeded.mergerequests.get(behind.iid).detailed_merge_status == "need_rebase"
    assert status(behind.merge) == 422


def test_a_merge_can_require_a_successful_pipeline(live: LiveGitLab, seeded: Any) -> None:
    commit(seeded, {".gitlab-ci.yml": ON_REQUESTS}, message="[skip ci]")
    seeded.only_allow_merge_if_pipeline_succeeds = True
    seeded.save()
    runner = project_runner(live, seeded)
    commit(seeded, {"side.txt": "x"}, branch="side", message="m [skip ci]", start_branch="main")
    commit(
        seeded,
        {"last": "x"},
        branch="side",
        message="last",
    )
    runner.finish(runner.must_take())
    content = {"source_branch": "side", "target_branch": "main", "title": "t"}
    request = seeded.mergerequests.create(content)
    (pipeline, branch) = request.pipelines.list()
    assert (pipeline.source, branch.source) == ("merge_request_event", "push")
    assert pipeline.ref == "refs/merge-requests/1/head"
    assert seeded.mergerequests.get(1).detailed_merge_status == "ci_must_pass"
    assert status(request.merge) == 405
    job = runner.must_take()
    found = variables(job)
    expected = {
        "CI_MERGE_REQUEST_IID": "1",
        "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "side",
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        "CI_PIPELINE_SOURCE": "merge_request_event",
        "CI_COMMIT_REF_NAME": "side",
        "CI_COMMIT_REF_PROTECTED": "false",
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": request.diff_refs["base_sha"],
    }
    assert {key: found.get(key) for key in expected} == expected
    assert "CI_COMMIT_BRANCH" not in found
    runner.finish(job)
    assert seeded.mergerequests.get(1).head_pipeline["status"] == "success"
    assert request.merge()["state"] == "merged"


def test_pushes_update_merge_requests(live: LiveGitLab, seeded: Any, tmp_path: Path) -> None:
    commit(seeded, {".gitlab-ci.yml": ON_REQUESTS}, message="[skip ci]")
    opened(seeded)
    git = clone(live, seeded, tmp_path, ROOT_TOKEN)
    git.run("checkout", "-q", "side")
    sha = git.write("more", more__txt="x")
    git.run("push")
    request = seeded.mergerequests.get(1)
    assert (request.sha, request.pipelines.list()[0].sha) == (sha, sha)
    sources = [one.source for one in seeded.pipelines.list(get_all=True, sha=sha)]
    assert sources == ["merge_request_event"], "the branch itself has an open merge request"
    git.run("fetch", "origin", "refs/merge-requests/1/head")
    assert git.run("rev-parse", "FETCH_HEAD").strip() == sha
    git.run("checkout", "-q", "main")
    git.run("merge", "-q", "--no-ff", "--no-edit", "side")
    git.run("push")
    assert seeded.mergerequests.get(1).state == "merged"


def test_notes(seeded: Any, someone: Any) -> None:
    request = opened(seeded)
    note = request.notes.create({"body": "<!-- usine --> plan"})
    (found,) = [one for one in request.notes.list(get_all=True) if "<!-- usine -->" in one.body]
    found.body = "<!-- usine --> another plan"
    found.save()
    assert [one.body for one in request.notes.list() if one.id == note.id] == ["<!-- usine --> another plan"]
    user, client = someone()
    seeded.members.create({"user_id": user.id, "access_level": 30})
    theirs = client.projects.get(seeded.id).mergerequests.get(1)
    assert status(theirs.notes.update, note.id, {"body": "no"}) == 403
    assert status(theirs.notes.delete, note.id) == 403
    theirs.notes.create({"body": "mine"}).delete()
    note.delete()
    assert request.notes.list() == []


def test_merge_requests_from_a_fork(live: LiveGitLab, seeded: Any, someone: Any) -> None:
    user, client = someone()
    seeded.members.create({"user_id": user.id, "access_level": 20})
    fork = client.projects.get(client.projects.get(seeded.id).forks.create({}).id)
    commit(fork, {"theirs": "x"}, branch="theirs", start_branch="main")
    content = {"source_branch": "theirs", "target_branch": "main", "title": "t"}
    made = fork.mergerequests.create({**content, "target_project_id": seeded.id})
    assert (made.project_id, made.source_project_id) == (seeded.id, fork.id)
    request = seeded.mergerequests.get(made.iid)
    assert request.changes_count == "1"
    assert request.merge()["state"] == "merged"
    assert seeded.files.get("theirs", ref="main").size == 1
    unrelated = live.root.projects.create({"name": name("u"), "initialize_with_readme": True})
    assert status(seeded.mergerequests.create, {**content, "target_project_id": unrelated.id}) == 400


def test_only_the_paid_edition_has_approvals(live: LiveGitLab, premium: LiveGitLab, seeded: Any) -> None:
    opened(seeded)
    assert status(live.root.http_get, f"/projects/{seeded.id}/merge_requests/1/approvals") == 404
    project = premium.root.projects.create({"name": name("p"), "initialize_with_readme": True})
    request = opened(project)
    project.approvalrules.create({"name": "two eyes", "approvals_required": 1})
    assert project.mergerequests.get(1).detailed_merge_status == "not_approved"
    assert status(request.merge) == 405
    assert status(request.approve) == 401, "one's own"
    login = name("u")
    user = premium.root.users.create(
        {"username": login, "name": login, "email": f"{login}@example.com", "force_random_password": True}
    )
    token = user.personal_access_tokens.create({"name": "t", "scopes": ["api"]}).token
    project.members.create({"user_id": user.id, "access_level": 30})
    premium.client(token).projects.get(project.id).mergerequests.get(1).approve()
    assert request.approvals.get().approvals_left == 0
    assert request.merge()["state"] == "merged"

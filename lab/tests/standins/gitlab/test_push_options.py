"""Merge requests by options of a push, and what becomes of them when their branch is deleted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.testing.ci_client import commit
from lab.testing.git_client import Git, clone
from lab.testing.gitlab_server import LiveGitLab

CHECK = """
check: {script: [x], rules: [{if: '$CI_PIPELINE_SOURCE == "merge_request_event"'}]}
"""


@pytest.fixture
def git(live: LiveGitLab, project: Any, tmp_path: Path) -> Git:
    """A clone by a developer's bot, whose token may only read and write repositories."""
    commit(project, {".gitlab-ci.yml": CHECK, "a.txt": "a"})
    content = {"name": "bot", "scopes": ["write_repository"], "access_level": 30, "expires_at": "2027-01-31"}
    return clone(live, project, tmp_path / "clone", project.access_tokens.create(content).token)


def push(git: Git, *options: str, to: str = "side") -> str:
    given = [part for option in options for part in ("-o", option)]
    return git.run("push", "--force", *given, "origin", f"HEAD:refs/heads/{to}")


def test_create_and_update_one_merge_request(live: LiveGitLab, project: Any, git: Git) -> None:
    git.write("First", b__txt="1")
    about = r"merge_request.description=one\ntwo"
    said = push(git, "merge_request.create", "merge_request.title=A title", about, "mr.remove_source_branch")
    link = f"{live.url}/{project.path_with_namespace}/-/merge_requests/1"
    assert [line.split() for line in said.splitlines() if "merge_requests" in line] == [["remote:", link]]
    request = project.mergerequests.get(1)
    assert (request.title, request.description, request.target_branch) == ("A title", "one\ntwo", "main")
    assert (request.force_remove_source_branch, request.author["username"]) == (True, request.assignee["username"])
    assert [one.source for one in request.pipelines.list()] == ["merge_request_event"]
    second = git.write("Second", b__txt="2")
    push(git, "merge_request.create", "merge_request.title=Another")
    (request,) = project.mergerequests.list()
    assert (request.title, request.sha) == ("Another", second)


def test_a_deleted_branch_closes_its_merge_request(project: Any, git: Git) -> None:
    git.write("First", b__txt="1")
    push(git, "merge_request.create")
    git.run("push", "origin", ":refs/heads/side")
    assert [(one.title, one.state) for one in project.mergerequests.list()] == [("First", "closed")]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("merge_request.title=x",), "A merge_request.create push option is required to create a merge request for"),
        (("merge_request.create", "merge_request.target=none"), "none does not exist"),
        (("merge_request.create", "merge_request.label=x"), "The stand-in does not support merge_request.label"),
    ],
)
def test_a_refused_option_is_a_warning(project: Any, git: Git, options: tuple[str, ...], says: str) -> None:
    head = git.write("First", b__txt="1")
    said = push(git, *options)
    assert f"Error encountered with push options {' '.join(repr(option) for option in options)}" in said
    assert says in said
    assert project.mergerequests.list() == []
    assert head in git.run("ls-remote", "origin", "refs/heads/side"), "the push itself is done"


def test_no_merge_request_for_the_default_branch(project: Any, git: Git) -> None:
    project.protectedbranches.delete("main")
    git.write("First", b__txt="1")
    push(git, "merge_request.create", to="main")
    assert project.mergerequests.list() == []

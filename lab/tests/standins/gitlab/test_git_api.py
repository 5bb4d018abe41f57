"""Files, trees, branches, tags, commits and forks with python-gitlab, and refusals."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import gitlab
import pytest

from lab.testing.gitlab_server import LiveGitLab


def write(project: Any, path: str, content: str, branch: str = "main", **more: Any) -> Any:
    return project.files.create(
        {"file_path": path, "branch": branch, "content": content, "commit_message": f"add {path}", **more}
    )


def refused(status: int, message: Any, call: Any, *arguments: Any, **named: Any) -> None:
    with pytest.raises(gitlab.GitlabError) as caught:
        call(*arguments, **named)
    assert caught.value.response_code == status, caught.value
    if message is not None:
        assert message in str(caught.value.error_message), caught.value.error_message


def as_member(someone: Any, project: Any, level: int) -> Any:
    user, client = someone()
    project.members.create({"user_id": user.id, "access_level": level})
    return client.projects.get(project.id)


def test_life_of_a_file(seeded: Any) -> None:
    made = write(seeded, "a/b c/ü.txt", "one\n")
    assert (made.file_path, made.branch) == ("a/b c/ü.txt", "main")
    found = seeded.files.get("a/b c/ü.txt", ref="main")
    assert found.decode() == b"one\n"
    assert (found.file_name, found.size, found.encoding, found.execute_filemode) == ("ü.txt", 4, "base64", False)
    assert found.last_commit_id == found.commit_id == seeded.branches.get("main").commit["id"]
    found.content = "two\n"
    found.save(branch="main", commit_message="change it", author_name="Ann", author_email="ann@example.com")
    commit = seeded.branches.get("main").commit
    assert (commit["title"], commit["author_name"], commit["author_email"]) == ("change it", "Ann", "ann@example.com")
    assert commit["committer_name"] == "Administrator"
    assert seeded.files.get("a/b c/ü.txt", ref="main").decode() == b"two\n"
    write(seeded, "run.sh", base64.b64encode(b"\x00\x01").decode(), encoding="base64", execute_filemode=True)
    binary = seeded.files.get("run.sh", ref="main")
    assert (binary.decode(), binary.size, binary.execute_filemode, binary.ref) == (b"\x00\x01", 2, True, "main")
    assert binary.content_sha256 == hashlib.sha256(b"\x00\x01").hexdigest()
    seeded.files.delete("a/b c/ü.txt", branch="main", commit_message="drop it")
    refused(404, "404 File Not Found", seeded.files.get, "a/b c/ü.txt", ref="main")
    refused(404, "404 Commit Not Found", seeded.files.get, "README.md", ref="nowhere")


def test_invalid_changes_of_files_are_refused(seeded: Any) -> None:
    refused(400, "A file with this name already exists", write, seeded, "README.md", "x")
    found = seeded.files.get("README.md", ref="main")
    change = {"branch": "main", "content": "x", "commit_message": "m"}
    refused(400, "A file with this name doesn't exist", seeded.files.update, "none", {**change})
    refused(400, "doesn't exist", seeded.files.delete, "none", branch="main", commit_message="m")
    seeded.files.update("README.md", {**change, "last_commit_id": found.last_commit_id})
    stale = {**change, "content": "y", "last_commit_id": found.last_commit_id}
    refused(400, "has changed since you started editing it", seeded.files.update, "README.md", stale)
    refused(400, "only create or edit files when you are on a branch", write, seeded, "x", "y", branch="new")
    write(seeded, "x", "y", branch="new", start_branch="main")
    refused(400, "A branch called 'new' already exists", write, seeded, "z", "y", branch="new", start_branch="main")
    refused(400, "traversal", write, seeded, "../x", "y")
    post = seeded.manager.gitlab.http_post
    where = f"/projects/{seeded.id}/repository/files/q"
    refused(400, "commit_message is missing", post, where, post_data={"branch": "main", "content": ""})


def test_permissions_for_files(seeded: Any, someone: Any) -> None:
    developer = as_member(someone, seeded, 30)
    refused(400, "You are not allowed to push into this branch", write, developer, "d", "x")
    write(developer, "d", "x", branch="side", start_branch="main")
    reporter = as_member(someone, seeded, 20)
    assert reporter.files.get("README.md", ref="main").size
    refused(403, None, write, reporter, "r", "x", branch="side")
    guest = as_member(someone, seeded, 10)
    refused(403, None, guest.files.get, "README.md", ref="main")
    _, stranger = someone()
    refused(404, None, stranger.projects.get(seeded.id, lazy=True).files.get, "README.md", ref="main")


def test_an_empty_repository(live: LiveGitLab, project: Any) -> None:
    refused(404, "404 Tree Not Found", project.repository_tree)
    refused(404, None, project.branches.get, "main")
    write(project, "a", "first")
    assert project.branches.get("main").protected
    assert live.root.projects.get(project.id).empty_repo is False


def test_trees_by_pages(seeded: Any) -> None:
    actions = [{"action": "create", "file_path": f"d/{n:02}.txt", "content": str(n)} for n in range(25)]
    seeded.commits.create({"branch": "main", "commit_message": "many", "actions": actions})
    top = seeded.repository_tree()
    assert [(one["type"], one["path"]) for one in top] == [("tree", "d"), ("blob", "README.md")]
    assert [one["name"] for one in seeded.repository_tree(path="d", per_page=3, get_all=False)] == [
        "00.txt",
        "01.txt",
        "02.txt",
    ]
    by_key = list(seeded.repository_tree(recursive=True, pagination="keyset", iterator=True, per_page=10))
    by_page = list(seeded.repository_tree(recursive=True, iterator=True, per_page=10))
    assert len(by_key) == 27
    assert by_key == by_page
    refused(404, "invalid revision or path", seeded.repository_tree, path="none")


def test_commits(seeded: Any) -> None:
    made = seeded.commits.create(
        {
            "branch": "work/a",
            "start_branch": "main",
            "commit_message": "several\n\nat once",
            "actions": [
                {"action": "create", "file_path": "one", "content": "1\n2\n"},
                {"action": "move", "file_path": "docs/README.md", "previous_path": "README.md"},
                {"action": "chmod", "file_path": "one", "execute_filemode": True},
            ],
        }
    )
    assert (made.title, made.stats["additions"]) == ("several", 2)
    tree = {one["path"]: one["mode"] for one in seeded.repository_tree(ref="work/a", recursive=True, get_all=True)}
    assert tree == {"docs": "040000", "docs/README.md": "100644", "one": "100755"}
    assert seeded.files.get("one", ref="work/a").decode() == b"1\n2\n"
    assert seeded.branches.get("work/a").commit["id"] == made.id
    assert made.parent_ids == [seeded.branches.get("main").commit["id"]]
    wrong = {"branch": "main", "commit_message": "m", "actions": [{"action": "explode", "file_path": "x"}]}
    refused(400, "does not have a valid value", seeded.commits.create, wrong)


def test_commits_on_a_protected_branch(seeded: Any, someone: Any) -> None:
    developer = as_member(someone, seeded, 30)
    content = {"branch": "main", "commit_message": "m", "actions": [{"action": "create", "file_path": "x"}]}
    refused(403, "not allowed to push into this branch", developer.commits.create, content)
    developer.commits.create({**content, "branch": "side", "start_branch": "main"})


def test_a_branch(seeded: Any, someone: Any) -> None:
    made = write(seeded, "x", "y", branch="feature/x", start_branch="main")
    branch = seeded.branches.get(made.branch)
    assert (branch.name, branch.merged, branch.protected, branch.default, branch.can_push) == (
        "feature/x",
        False,
        False,
        False,
        True,
    )
    refused(404, "404 Branch Not Found", seeded.branches.get, "none")
    assert as_member(someone, seeded, 30).branches.get("main").can_push is False


def test_tags(seeded: Any, someone: Any) -> None:
    plain = seeded.tags.create({"tag_name": "v1.0", "ref": "main"})
    assert (plain.message, plain.protected, plain.target) == ("", False, seeded.branches.get("main").commit["id"])
    annotated = seeded.tags.create({"tag_name": "v2.0", "ref": "main", "message": "the second"})
    assert annotated.message == "the second"
    assert annotated.target != annotated.commit["id"]
    refused(400, "Tag v1.0 already exists", seeded.tags.create, {"tag_name": "v1.0", "ref": "main"})
    refused(400, "Target none is invalid", seeded.tags.create, {"tag_name": "v3", "ref": "none"})
    seeded.protectedtags.create({"name": "v*", "create_access_level": 40})
    assert seeded.tags.get("v1.0").protected
    developer = as_member(someone, seeded, 30)
    refused(400, "protected", developer.tags.create, {"tag_name": "v4", "ref": "main"})
    refused(403, None, developer.tags.delete, "v1.0")
    developer.tags.create({"tag_name": "beta", "ref": "main"})
    # A tag can be moved only by deletion and creation, for which the permission to create it is needed.
    seeded.protectedtags.create({"name": "beta", "create_access_level": 0})
    maintainer = as_member(someone, seeded, 40)
    refused(400, "as it is protected", maintainer.tags.delete, "beta")
    refused(400, "Tag v1.0 already exists", maintainer.tags.create, {"tag_name": "v1.0", "ref": "main"})
    seeded.tags.delete("v1.0")
    refused(404, "404 Tag Not Found", seeded.tags.get, "v1.0")


def test_fork(seeded: Any, someone: Any) -> None:
    user, client = someone()
    refused(404, None, client.projects.get(seeded.id, lazy=True).forks.create, {})
    seeded.members.create({"user_id": user.id, "access_level": 20})
    fork = client.projects.get(seeded.id).forks.create({})
    assert fork.forked_from_project["id"] == seeded.id
    mine = client.projects.get(fork.id)
    assert mine.forked_from_project["id"] == seeded.id
    seeded.members.delete(user.id)
    assert (
        "forked_from_project" not in client.projects.get(fork.id).attributes
    )  # it is not shown to users without access to it
    seeded.members.create({"user_id": user.id, "access_level": 20})
    assert mine.path_with_namespace == f"{user.username}/{seeded.path}"
    assert mine.branches.get("main").commit["id"] == seeded.branches.get("main").commit["id"]
    refused(409, "has already been taken", client.projects.get(seeded.id).forks.create, {})


def test_the_commits_of_a_branch_newest_first(seeded: Any) -> None:
    first = seeded.branches.get("main").commit["id"]
    write(seeded, "a.txt", "one\n")
    write(seeded, "b.txt", "two\n")
    titles = [one.title for one in seeded.commits.list(ref_name="main", get_all=True)]
    assert titles == ["add b.txt", "add a.txt", "Initial commit"]
    assert [one.title for one in seeded.commits.list(query_parameters={"path": "a.txt"}, get_all=True)] == ["add a.txt"]
    assert [one.id for one in seeded.commits.list(ref_name=first, get_all=True)] == [first]
    assert [one.title for one in seeded.commits.list(per_page=1, page=2)] == ["add a.txt"]
    assert seeded.commits.list(ref_name="nowhere", get_all=True) == []


def status(project: Any, state: str, sha: str, **more: Any) -> Any:
    content = {"state": state, "name": "usine/far", "ref": "argocd", **more}
    return project.commits.get(sha, lazy=True).statuses.create(content)


def test_the_status_of_a_commit_is_replaced_when_it_is_finished(seeded: Any) -> None:
    sha = seeded.branches.get("main").commit["id"]
    assert status(seeded, "pending", sha).status == "pending"
    refused(400, 'via "enqueue"', status, seeded, "pending", sha)
    assert status(seeded, "running", sha).started_at
    first = status(seeded, "success", sha, description="synced")
    assert (first.status, first.description, first.ref, first.sha) == ("success", "synced", "argocd", sha)
    second = status(seeded, "failed", sha)
    assert second.id > first.id
    statuses = seeded.commits.get(sha, lazy=True).statuses
    assert [one.status for one in statuses.list(get_all=True)] == ["failed"]
    assert [one.status for one in statuses.list(all=True, get_all=True)] == ["success", "failed"]
    assert statuses.list(name="other", get_all=True) == []
    refused(400, None, status, seeded, "unknown", sha)
    refused(404, "Commit", status, seeded, "success", "0" * 40)


def test_who_sets_a_status_may_push_to_the_branch_that_it_names(seeded: Any, someone: Any) -> None:
    sha = seeded.branches.get("main").commit["id"]
    as_reporter = as_member(someone, seeded, 20)
    refused(403, None, status, as_reporter, "success", sha)
    as_developer = as_member(someone, seeded, 30)
    refused(403, None, status, as_developer, "success", sha, ref="main")
    refused(403, None, as_developer.commits.get(sha, lazy=True).statuses.create, {"state": "success"})  # of its branch
    assert status(as_developer, "success", sha).author["username"].startswith("u")

"""Files, trees, branches, tags, commits and forks by python-gitlab, and what is refused."""

from __future__ import annotations

import base64
from typing import Any

import gitlab
import pytest

from tests.standins.gitlab.conftest import Live, name


@pytest.fixture
def seeded(live: Live, group: Any) -> Any:
    """A private project with a first commit."""
    return live.root.projects.create({"name": name("p"), "namespace_id": group.id, "initialize_with_readme": True})


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


def test_a_file_lives(seeded: Any) -> None:
    made = write(seeded, "a/b c/ü.txt", "one\n")
    assert (made.file_path, made.branch) == ("a/b c/ü.txt", "main")
    found = seeded.files.get("a/b c/ü.txt", ref="main")
    assert found.decode() == b"one\n"
    assert (found.file_name, found.size, found.encoding, found.execute_filemode) == ("ü.txt", 4, "base64", False)
    assert found.last_commit_id == found.commit_id == seeded.commits.list()[0].id
    found.content = "two\n"
    found.save(branch="main", commit_message="change it", author_name="Ann", author_email="ann@example.com")
    commit = seeded.commits.list()[0]
    assert (commit.title, commit.author_name, commit.author_email) == ("change it", "Ann", "ann@example.com")
    assert commit.committer_name == "Administrator"
    assert seeded.files.raw("a/b c/ü.txt", ref="main") == b"two\n"
    seeded.files.delete("a/b c/ü.txt", branch="main", commit_message="drop it")
    refused(404, "404 File Not Found", seeded.files.get, "a/b c/ü.txt", ref="main")
    refused(404, "404 Commit Not Found", seeded.files.get, "README.md", ref="nowhere")


def test_head_of_a_file(seeded: Any) -> None:
    write(seeded, "run.sh", base64.b64encode(b"\x00\x01").decode(), encoding="base64", execute_filemode=True)
    head = seeded.files.head("run.sh", ref="main")
    assert (head["x-gitlab-size"], head["x-gitlab-execute-filemode"], head["x-gitlab-ref"]) == ("2", "true", "main")
    assert head["x-gitlab-blob-id"] == seeded.files.get("run.sh", ref="main").blob_id
    assert head["x-gitlab-content-sha256"] == seeded.files.get("run.sh", ref="main").content_sha256
    refused(404, None, seeded.files.head, "none.sh", ref="main")


def test_what_is_wrong_with_a_file(seeded: Any) -> None:
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


def test_rights_to_files(seeded: Any, someone: Any) -> None:
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


def test_an_empty_repository(live: Live, project: Any) -> None:
    refused(404, "404 Tree Not Found", project.repository_tree)
    assert project.branches.list() == []
    assert project.commits.list() == []
    write(project, "a", "first")
    assert [branch.name for branch in project.branches.list()] == ["main"]
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
    diffs = {one["new_path"]: one for one in made.diff()}
    assert diffs["docs/README.md"]["renamed_file"]
    assert diffs["one"]["b_mode"] == "100755"
    assert diffs["one"]["diff"].startswith("@@ -0,0 +1,2 @@\n+1\n+2\n")
    assert seeded.commits.get("work/a").id == made.id
    assert [one.id for one in seeded.commits.list(query_parameters={"ref_name": "work/a", "path": "one"})] == [made.id]
    compared = seeded.repository_compare("main", "work/a")
    assert [one["id"] for one in compared["commits"]] == [made.id]
    assert len(compared["diffs"]) == 2
    assert seeded.repository_merge_base(["main", "work/a"])["id"] == made.parent_ids[0]
    wrong = {"branch": "main", "commit_message": "m", "actions": [{"action": "explode", "file_path": "x"}]}
    refused(400, "does not have a valid value", seeded.commits.create, wrong)
    refused(404, "404 Ref Not Found", seeded.repository_compare, "main", "nowhere")
    refused(404, None, seeded.commits.get, "0" * 40)


def test_commits_on_a_protected_branch(seeded: Any, someone: Any) -> None:
    developer = as_member(someone, seeded, 30)
    content = {"branch": "main", "commit_message": "m", "actions": [{"action": "create", "file_path": "x"}]}
    refused(403, "not allowed to push into this branch", developer.commits.create, content)
    developer.commits.create({**content, "branch": "side", "start_branch": "main"})


def test_statuses(seeded: Any) -> None:
    commit = seeded.commits.list()[0]
    commit.statuses.create({"state": "running", "name": "scan"})
    commit.statuses.create({"state": "success", "name": "scan", "description": "fine"})
    found = commit.statuses.list()
    assert [(one.name, one.status, one.description) for one in found] == [("scan", "success", "fine")]


def test_branches(seeded: Any, someone: Any) -> None:
    made = seeded.branches.create({"branch": "feature/x", "ref": "main"})
    assert (made.name, made.merged, made.protected, made.default, made.can_push) == (
        "feature/x",
        True,
        False,
        False,
        True,
    )
    assert seeded.branches.get("feature/x").commit["id"] == seeded.branches.get("main").commit["id"]
    write(seeded, "x", "y", branch="feature/x")
    assert seeded.branches.get("feature/x").merged is False
    assert [one.name for one in seeded.branches.list(search="^feature")] == ["feature/x"]
    refused(400, "Branch already exists", seeded.branches.create, {"branch": "feature/x", "ref": "main"})
    refused(400, "Invalid reference name: none", seeded.branches.create, {"branch": "y", "ref": "none"})
    refused(400, "Branch name is invalid", seeded.branches.create, {"branch": "a..b", "ref": "main"})
    refused(404, "404 Branch Not Found", seeded.branches.get, "none")
    refused(400, "default branch", seeded.branches.delete, "main")
    developer = as_member(someone, seeded, 30)
    assert developer.branches.get("main").can_push is False
    seeded.protectedbranches.create({"name": "stable/*", "push_access_level": 40})
    seeded.branches.create({"branch": "stable/1", "ref": "main"})
    refused(400, "You are not allowed to delete protected branches", developer.branches.delete, "stable/1")
    seeded.branches.delete("stable/1")
    developer.branches.delete("feature/x")
    seeded.branches.create({"branch": "old", "ref": "main"})
    seeded.delete_merged_branches()
    assert [one.name for one in seeded.branches.list()] == ["main"]


def test_tags(seeded: Any, someone: Any) -> None:
    plain = seeded.tags.create({"tag_name": "v1.0", "ref": "main"})
    assert (plain.message, plain.protected, plain.target) == ("", False, seeded.commits.list()[0].id)
    annotated = seeded.tags.create({"tag_name": "v2.0", "ref": "main", "message": "the second"})
    assert annotated.message == "the second"
    assert annotated.target != annotated.commit["id"]
    assert {one.name for one in seeded.tags.list(search="v")} == {"v1.0", "v2.0"}
    refused(400, "Tag v1.0 already exists", seeded.tags.create, {"tag_name": "v1.0", "ref": "main"})
    refused(400, "Target none is invalid", seeded.tags.create, {"tag_name": "v3", "ref": "none"})
    seeded.protectedtags.create({"name": "v*", "create_access_level": 40})
    assert seeded.tags.get("v1.0").protected
    developer = as_member(someone, seeded, 30)
    refused(400, "protected", developer.tags.create, {"tag_name": "v4", "ref": "main"})
    refused(403, None, developer.tags.delete, "v1.0")
    developer.tags.create({"tag_name": "beta", "ref": "main"})
    seeded.tags.delete("v1.0")
    refused(404, "404 Tag Not Found", seeded.tags.get, "v1.0")


def test_fork(live: Live, seeded: Any, someone: Any) -> None:
    user, client = someone()
    refused(404, None, client.projects.get(seeded.id, lazy=True).forks.create, {})
    seeded.members.create({"user_id": user.id, "access_level": 20})
    fork = client.projects.get(seeded.id).forks.create({})
    assert fork.forked_from_project["id"] == seeded.id
    mine = client.projects.get(fork.id)
    assert mine.path_with_namespace == f"{user.username}/{seeded.path}"
    assert mine.commits.list()[0].id == seeded.commits.list()[0].id
    assert [one.id for one in live.root.projects.get(seeded.id).forks.list()] == [fork.id]
    refused(409, "has already been taken", client.projects.get(seeded.id).forks.create, {})

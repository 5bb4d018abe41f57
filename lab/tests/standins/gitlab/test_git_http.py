"""Clones and pushes over HTTP by the git program, with each kind of token, and refusals with GitLab's messages."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from gitlab.exceptions import GitlabError

from lab.testing.git_client import Git, address, clone
from lab.testing.gitlab_server import ROOT_TOKEN, LiveGitLab, live_gitlab
from lab.testing.names import name
from model.revisions import SHADOWS


def member(live: LiveGitLab, someone: Any, project: Any, level: int, *scopes: str) -> str:
    """Return a token of a new member."""
    user, _ = someone()
    if level:
        project.members.create({"user_id": user.id, "access_level": level})
    wanted = list(scopes or ["api"])
    return str(live.root.users.get(user.id).personal_access_tokens.create({"name": "git", "scopes": wanted}).token)


def head(live: LiveGitLab, project: Any, branch: str = "main") -> str:
    return str(live.root.projects.get(project.id).branches.get(branch).commit["id"])


def test_clone_and_push(live: LiveGitLab, seeded: Any, tmp_path: Path) -> None:
    git = clone(live, seeded, tmp_path, ROOT_TOKEN)
    assert (tmp_path / "README.md").read_text() == f"# {seeded.name}\n"
    before = live.root.projects.get(seeded.id).last_activity_at
    sha = git.write("more", a__txt="hello")
    git.run("push", "origin", "HEAD")
    assert head(live, seeded) == sha
    assert live.root.projects.get(seeded.id).last_activity_at > before


def test_several_megabytes_and_a_shallow_clone(live: LiveGitLab, seeded: Any, tmp_path: Path) -> None:
    git = clone(live, seeded, tmp_path / "a", ROOT_TOKEN)
    (tmp_path / "a" / "big.bin").write_bytes(os.urandom(6_000_000))
    sha = git.write("big")
    git.run("push", "origin", "HEAD")
    other = clone(live, seeded, tmp_path / "b", ROOT_TOKEN, "oauth2", "--depth=1")
    assert (tmp_path / "b" / "big.bin").stat().st_size == 6_000_000
    assert other.run("rev-parse", "HEAD").strip() == sha
    assert other.run("rev-list", "--count", "HEAD").strip() == "1"


def test_a_fetch_whose_body_is_compressed(live: LiveGitLab, seeded: Any, tmp_path: Path) -> None:
    """Git compresses long negotiations, about many commits that the server does not have."""
    git = clone(live, seeded, tmp_path / "a", ROOT_TOKEN)
    ahead = clone(live, seeded, tmp_path / "b", ROOT_TOKEN)
    for number in range(60):
        ahead.write(f"own {number}")
    sha = git.write("theirs", b__txt="b")
    git.run("push", "origin", "HEAD")
    ahead.run("fetch", "origin")
    assert ahead.run("rev-parse", "origin/main").strip() == sha


def test_an_invalid_compressed_body_is_refused(live: LiveGitLab, seeded: Any) -> None:
    where = f"{address(live, seeded)}/git-upload-pack"
    kind = {"Content-Type": "application/x-git-upload-pack-request", "Content-Encoding": "gzip"}
    login = ("x", ROOT_TOKEN)
    good = httpx.post(where, content=gzip.compress(b"0000"), headers=kind, auth=login, trust_env=False)
    assert good.status_code == 200
    bad = httpx.post(where, content=b"not gzip at all", headers=kind, auth=login, trust_env=False)
    assert bad.status_code == 400


def test_the_first_push_creates_and_protects_the_default_branch(live: LiveGitLab, project: Any, tmp_path: Path) -> None:
    assert live.root.projects.get(project.id).empty_repo
    git = clone(live, project, tmp_path, ROOT_TOKEN)
    git.run("checkout", "-q", "-b", "trunk")
    git.write("first", a__txt="a")
    git.run("push", "origin", "trunk")
    found = live.root.projects.get(project.id)
    assert (found.default_branch, found.empty_repo) == ("trunk", False)
    branch = found.branches.get("trunk")
    assert (branch.default, branch.protected) == (True, True)


def test_anonymous_callers_and_other_users(live: LiveGitLab, seeded: Any, someone: Any, tmp_path: Path) -> None:
    refs = f"{address(live, seeded)}/info/refs?service=git-upload-pack"
    anonymous = httpx.get(refs, trust_env=False)
    assert anonymous.status_code == 401
    assert anonymous.headers["www-authenticate"] == 'Basic realm="GitLab"'
    assert anonymous.text.startswith("HTTP Basic: Access denied.")
    wrong = httpx.get(refs, auth=("oauth2", "glpat-wrong"), trust_env=False)
    assert wrong.status_code == 401
    stranger = httpx.get(refs, auth=("oauth2", member(live, someone, seeded, 0)), trust_env=False)
    assert stranger.status_code == 404
    guest = httpx.get(refs, auth=("oauth2", member(live, someone, seeded, 10)), trust_env=False)
    assert (guest.status_code, guest.text) == (403, "You are not allowed to download code from this project.")
    missing = httpx.get(f"{live.url}/no/such.git/info/refs?service=git-upload-pack", trust_env=False)
    assert missing.status_code == 401, "missing projects and those without access have the same answer"
    assert "Authentication failed" in Git(tmp_path).run("clone", address(live, seeded, "x", "bad"), fails=True)


def test_anybody_can_clone_a_public_project(live: LiveGitLab, tmp_path: Path) -> None:
    group = live.root.groups.create({"name": name("o"), "path": name("o"), "visibility": "public"})
    content = {"name": name("p"), "namespace_id": group.id, "visibility": "public", "initialize_with_readme": True}
    project = live.root.projects.create(content)
    git = Git(tmp_path)
    git.run("clone", address(live, project), ".")
    git.write("mine")
    assert "could not read Username" in git.run("push", fails=True)


def test_scopes(live: LiveGitLab, seeded: Any, someone: Any, tmp_path: Path) -> None:
    reads = member(live, someone, seeded, 40, "read_repository")
    git = clone(live, seeded, tmp_path / "a", reads)
    git.write("not mine to push")
    output = git.run("push", "origin", "HEAD:side", fails=True)
    assert "You are not allowed to upload code." in output
    writes = member(live, someone, seeded, 40, "write_repository")
    git.run("push", address(live, seeded, "anything", writes), "HEAD:side")
    neither = member(live, someone, seeded, 40, "read_api")
    output = Git(tmp_path).run("clone", address(live, seeded, "x", neither), fails=True)
    assert "You are not allowed to download code." in output


def test_project_token_and_deploy_token(live: LiveGitLab, seeded: Any, group: Any, tmp_path: Path) -> None:
    content = {"name": "bot", "scopes": ["write_repository"], "access_level": 40}
    token = seeded.access_tokens.create(content)
    git = clone(live, seeded, tmp_path / "a", token.token)
    git.write("by a bot")
    git.run("push")
    deploy = seeded.deploytokens.create({"name": "argocd", "scopes": ["read_repository"], "username": "argocd"})
    other = clone(live, seeded, tmp_path / "b", deploy.token, "argocd")
    other.write("no")
    assert "You are not allowed to upload code." in other.run("push", fails=True)
    assert "Authentication failed" in Git(tmp_path).run(
        "ls-remote", address(live, seeded, "me", deploy.token), fails=True
    )
    above = group.deploytokens.create({"name": "all", "scopes": ["read_repository"], "username": "all"})
    Git(tmp_path).run("ls-remote", address(live, seeded, "all", above.token))
    elsewhere = live.root.projects.create({"name": name("p")})
    refused = Git(tmp_path).run("ls-remote", address(live, elsewhere, "argocd", deploy.token), fails=True)
    assert "not found" in refused
    deploy.delete()
    assert "Authentication failed" in Git(tmp_path).run(
        "ls-remote", address(live, seeded, "argocd", deploy.token), fails=True
    )


def test_a_developer_and_a_protected_branch(live: LiveGitLab, seeded: Any, someone: Any, tmp_path: Path) -> None:
    developer = member(live, someone, seeded, 30)
    git = clone(live, seeded, tmp_path, developer)
    before = head(live, seeded)
    git.write("by a developer", a__txt="a")
    output = git.run("push", "origin", "HEAD:main", fails=True)
    assert "remote: GitLab: You are not allowed to push code to protected branches on this project." in output
    assert "! [remote rejected] HEAD -> main (pre-receive hook declined)" in output
    assert head(live, seeded) == before
    git.run("push", "origin", "HEAD:refs/heads/feature/a-b")
    git.run("push", "origin", ":refs/heads/feature/a-b")


def test_one_forbidden_ref_declines_the_whole_push(live: LiveGitLab, seeded: Any, someone: Any, tmp_path: Path) -> None:
    """As GitLab's hook, which checks a push as a whole."""
    git = clone(live, seeded, tmp_path, member(live, someone, seeded, 30))
    git.write("two ways")
    output = git.run("push", "origin", "HEAD:main", "HEAD:free", fails=True)
    assert "HEAD -> free (pre-receive hook declined)" in output
    assert git.run("ls-remote", "--heads", "origin").split()[1:] == ["refs/heads/main"]


def test_force_and_deletion(live: LiveGitLab, seeded: Any, tmp_path: Path) -> None:
    git = clone(live, seeded, tmp_path, ROOT_TOKEN)
    git.write("one")
    git.run("push")
    git.run("reset", "--hard", "HEAD~1")
    other = git.write("another")
    output = git.run("push", "--force", fails=True)
    assert "GitLab: You are not allowed to force push code to a protected branch on this project." in output
    rule = seeded.protectedbranches.get("main")
    rule.allow_force_push = True
    rule.save()
    git.run("push", "--force")
    assert head(live, seeded) == other
    output = git.run("push", "origin", ":main", fails=True)
    assert "GitLab: The default branch of a project cannot be deleted." in output
    seeded.protectedbranches.create({"name": "release/*"})
    git.run("push", "origin", "HEAD:release/1")
    output = git.run("push", "origin", ":release/1", fails=True)
    assert "GitLab: You can only delete protected branches using the web interface." in output


def test_a_branch_without_push_access(live: LiveGitLab, seeded: Any, tmp_path: Path) -> None:
    seeded.protectedbranches.create({"name": "frozen", "push_access_level": 0, "merge_access_level": 40})
    git = clone(live, seeded, tmp_path, ROOT_TOKEN)
    output = git.run("push", "origin", "HEAD:frozen", fails=True)
    assert "GitLab: You can only create protected branches using the web interface and API." in output


def test_tags(live: LiveGitLab, seeded: Any, someone: Any, tmp_path: Path) -> None:
    seeded.protectedtags.create({"name": "v*", "create_access_level": 40})
    git = clone(live, seeded, tmp_path / "a", member(live, someone, seeded, 30))
    git.run("tag", "v1")
    git.run("tag", "beta")
    output = git.run("push", "origin", "v1", fails=True)
    assert "GitLab: You are not allowed to create this tag as it is protected." in output
    git.run("push", "origin", "beta")
    git.write("later")
    output = git.run("push", "--force", "origin", "HEAD:refs/tags/beta", fails=True)
    assert "GitLab: You are not allowed to change existing tags on this project." in output
    maintainer = clone(live, seeded, tmp_path / "b", ROOT_TOKEN)
    maintainer.run("push", "origin", "HEAD:refs/tags/v1")
    maintainer.write("later")
    output = maintainer.run("push", "--force", "origin", "HEAD:refs/tags/v1", fails=True)
    assert "GitLab: Protected tags cannot be updated." in output
    output = maintainer.run("push", "origin", "HEAD:refs/tags/main", fails=True)
    assert "You cannot use default branch name to create a tag" in output


def test_a_reporter_can_only_read(live: LiveGitLab, seeded: Any, someone: Any, tmp_path: Path) -> None:
    git = clone(live, seeded, tmp_path, member(live, someone, seeded, 20))
    git.write("no")
    assert "You are not allowed to push code to this project." in git.run("push", "origin", "HEAD:x", fails=True)


def test_an_archived_project_is_read_only(live: LiveGitLab, seeded: Any, tmp_path: Path) -> None:
    seeded.archive()
    git = clone(live, seeded, tmp_path, ROOT_TOKEN)
    git.write("too late")
    assert "archived project" in git.run("push", "origin", "HEAD:x", fails=True)
    commit = {"branch": "main", "commit_message": "m", "actions": []}
    with pytest.raises(GitlabError, match="403 Forbidden - You are not allowed to push into this branch"):
        seeded.commits.create(commit)
    with pytest.raises(GitlabError, match=r"^403: 403 Forbidden$"):
        seeded.files.create({"file_path": "x", "branch": "main", "content": "x", "commit_message": "m"})
    seeded.unarchive()
    git.run("push", "origin", "HEAD:x")


def test_hidden_refs_cannot_be_pushed(live: LiveGitLab, seeded: Any, tmp_path: Path) -> None:
    git = clone(live, seeded, tmp_path, ROOT_TOKEN)
    output = git.run("push", "origin", "HEAD:refs/merge-requests/1/head", fails=True)
    assert "deny updating a hidden ref" in output


def test_repositories_survive_a_restart(tmp_path: Path) -> None:
    with live_gitlab(tmp_path / "data") as live:
        project = live.root.projects.create({"name": "kept", "initialize_with_readme": True})
        git = clone(live, project, tmp_path / "a", ROOT_TOKEN)
        sha = git.write("kept")
        git.run("push")
    with live_gitlab(tmp_path / "data") as live:
        again = clone(live, project, tmp_path / "b", ROOT_TOKEN)
        assert again.run("rev-parse", "HEAD").strip() == sha


def test_a_branch_with_the_full_name_of_a_tag_is_refused_if_such_names_are_protected(
    live: LiveGitLab, seeded: Any, someone: Any, tmp_path: Path
) -> None:
    """Its short name is the tag's full name, which Argo CD would prefer (model.revisions)."""
    git = clone(live, seeded, tmp_path, member(live, someone, seeded, 30, "write_repository"))
    git.write("change", a__txt="a")
    git.run("push", "origin", "HEAD:refs/heads/refs/tags/v1")
    seeded.protectedbranches.create({"name": SHADOWS})
    assert "protected branches" in git.run("push", "origin", "HEAD:refs/heads/refs/tags/v2", fails=True)

# ruff: noqa: ANN401 - JSON answers have any type
"""Commits and trees."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

from lab.standins.gitlab import access, git_push
from lab.standins.gitlab.errors import forbidden, not_found, parameter, refused
from lab.standins.gitlab.git import EMPTY_TREE, ZERO, BareRepository, Commit, GitPerson, RepositoryError, TreeEntry
from lab.standins.gitlab.paging import Reply
from lab.standins.gitlab.params import Bool, Hashes, Paging, Params, Text, truth
from lab.standins.gitlab.repositories import CommitAction, commit, decode, notify, person, repositories, repository
from lab.standins.gitlab.routing import Call, Router
from lab.standins.gitlab.site import GitLabSite
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router = Router("commits")

_NOT_ALLOWED: Final = "You are not allowed to push into this branch"

_KINDS: Final = ("create", "update", "delete", "move", "chmod")
_SHORT: Final = 8


class TreeFilter(Paging):
    """Filter of a tree."""

    ref: Text = None
    path: Text = None
    recursive: Bool = None
    page_token: Text = None


class CommitFilter(Paging):
    """Filter of commits."""

    ref_name: Text = None
    path: Text = None


class NewCommit(Params):
    """Parameters of a new commit with several changes."""

    branch: str
    commit_message: str
    actions: Hashes = None
    start_branch: Text = None
    start_sha: Text = None
    author_email: Text = None
    author_name: Text = None
    stats: Bool = None
    force: Bool = None


def moment(iso: str) -> str:
    """Return a time of git in the API's format."""
    return iso.replace("Z", "+00:00")[:19] + ".000" + iso.replace("Z", "+00:00")[19:]


def rendered(site: GitLabSite, project: Document, one: Commit) -> Document:
    """Return a commit as shown in the API."""
    return {
        "id": one.id,
        "short_id": one.id[:_SHORT],
        "created_at": moment(one.committed),
        "parent_ids": list(one.parents),
        "title": one.message.partition("\n")[0],
        "message": one.message,
        "author_name": one.author.name,
        "author_email": one.author.email,
        "authored_date": moment(one.authored),
        "committer_name": one.committer.name,
        "committer_email": one.committer.email,
        "committed_date": moment(one.committed),
        "trailers": {},
        "extended_trailers": {},
        "web_url": f"{site.url}/{project['full_path']}/-/commit/{one.id}",
    }


def found_commit(call: Call, project: Document, revision: str | None) -> tuple[BareRepository, str]:
    """Return the repository and one of its commits. Raises 404."""
    repo = repository(call.site, project)
    name = revision or "HEAD"
    if name == "HEAD":
        name = repositories(call.site).default_branch(project) or ""
    sha = repo.resolve(name)
    if sha is None:
        raise not_found("Commit")
    return repo, sha


def detailed(call: Call, project: Document, repo: BareRepository, sha: str) -> Document:
    """Return a commit with its statistics and the state of its pipeline."""
    one = repo.commit(sha)
    changes = repo.changes(one.parents[0] if one.parents else EMPTY_TREE, sha)
    added, removed = sum(lines for lines, _ in changes), sum(lines for _, lines in changes)
    pipelines = call.store.find("pipeline", project_id=project["id"], sha=sha)
    last = pipelines[-1] if pipelines else None
    shown = ("id", "iid", "project_id", "sha", "ref", "status", "source", "created_at", "updated_at")
    url = f"{call.site.url}/{project['full_path']}/-/pipelines/{last['id']}" if last else ""
    return {
        **rendered(call.site, project, one),
        "stats": {"additions": added, "deletions": removed, "total": added + removed},
        "status": last["status"] if last else None,
        "project_id": project["id"],
        "last_pipeline": {**{name: last[name] for name in shown}, "web_url": url} if last else None,
    }


# Trees ----------------------------------------------------------------------------------------------------------------


@router.get("/projects/{id}/repository/tree", scopes=("read_repository",), anonymous=True, job_token=True)
@needed_by(Need.PEOPLE, Need.PIPELINE)
def tree(call: Call, id: str, given: TreeFilter) -> Any:
    """List the content of a folder, in pages; with `pagination=keyset`, by `page_token`."""
    project = call.project(id, access.REPORTER)
    repo = repository(call.site, project)
    ref = given.ref if given.ref not in {None, "HEAD"} else repositories(call.site).default_branch(project)
    sha = repo.resolve(ref or "")
    if sha is None:
        raise not_found("Tree")
    entries = repo.tree(sha, given.path or "", recursive=bool(given.recursive))
    if entries is None or (not entries and given.path):
        raise not_found("invalid revision or path")
    if given.pagination == "keyset":
        return _tree_by_key(call, entries, given)
    return call.page([{"entry": one, "id": 0} for one in entries], given, lambda one: _entry(one["entry"]))


def _tree_by_key(call: Call, entries: Sequence[TreeEntry], given: TreeFilter) -> Reply:
    size, start = min(given.per_page, 100), 0
    if given.page_token:
        after = _untoken(given.page_token)
        paths = [one.path for one in entries]
        if after not in paths:
            raise refused("could not find starting OID: " + given.page_token, 422)
        start = paths.index(after) + 1
    chosen = entries[start : start + size]
    headers = {}
    if start + size < len(entries):
        kept = {
            name: value
            for name, value in call.raw.items()
            if name not in {"private_token", "job_token", "access_token"}
        }
        query = urlencode({**kept, "page_token": _token(chosen[-1].path), "per_page": size}, doseq=True)
        path = call.request.scope.get("raw_path", b"").decode("ascii", "replace").split("?")[0]
        headers["Link"] = f'<{call.site.url}{path}?{query}>; rel="next"'
    return Reply([_entry(one) for one in chosen], headers=headers)


def _token(path: str) -> str:
    return base64.urlsafe_b64encode(json.dumps({"file_name": path}).encode()).decode()


def _untoken(token: str) -> str:
    try:
        return str(json.loads(base64.urlsafe_b64decode(token.encode()))["file_name"])
    except (ValueError, KeyError, TypeError):
        raise refused(f"could not find starting OID: {token}", 422) from None


def _entry(one: TreeEntry) -> Document:
    path = one.path.encode(errors="surrogateescape").decode(errors="replace")
    return {"id": one.id, "name": path.rsplit("/", 1)[-1], "type": one.kind, "path": path, "mode": one.mode}


# Commits --------------------------------------------------------------------------------------------------------------


@router.get("/projects/{id}/repository/commits", scopes=("read_repository",), anonymous=True)
@needed_by(Need.ZONES)
def list_commits(call: Call, id: str, given: CommitFilter) -> Any:
    """List the commits of a branch, the newest first. GitLab has no commits for a name that does not exist."""
    project = call.project(id, access.REPORTER)
    repo = repository(call.site, project)
    sha = repo.resolve(given.ref_name or repositories(call.site).default_branch(project) or "")
    ids = repo.history(sha, given.path or "") if sha else []
    numbered = [{"sha": one, "id": number} for number, one in enumerate(ids)]
    return call.page(numbered, given, lambda one: rendered(call.site, project, repo.commit(one["sha"])))


@router.post("/projects/{id}/repository/commits")
@needed_by(Need.PIPELINE, Need.CATALOGUE_JOBS, Need.ZONES)
def create_commit(call: Call, id: str, given: NewCommit) -> Any:
    """Commit several changes at once."""
    project = call.project(id, access.DEVELOPER)
    if not given.commit_message:
        raise parameter("commit_message is empty")
    if given.actions is None:
        raise parameter("actions is missing")
    require_push(call, project, given.branch, _NOT_ALLOWED)
    if not git_push.can_push(call.site, call.actor, project, given.branch):
        raise forbidden(_NOT_ALLOWED)
    actions = [_action(one) for one in given.actions]
    sha = make(
        call,
        project,
        given.branch,
        actions,
        given.commit_message,
        start_branch=given.start_branch,
        start_sha=given.start_sha,
        author=author(call, given.author_name, given.author_email),
        force=bool(given.force),
    )
    return detailed(call, project, repository(call.site, project), sha)


def _action(one: Document) -> CommitAction:
    kind = one.get("action")
    if kind is None:
        raise parameter("actions[0][action] is missing")
    if kind not in _KINDS:
        raise parameter("actions[0][action] does not have a valid value")
    if not isinstance(one.get("file_path"), str):
        raise parameter("actions[0][file_path] is missing")
    content = one.get("content")
    if kind in {"update"} and content is None:
        raise parameter("actions[0][content] is missing")
    encoding = one.get("encoding")
    if encoding not in {None, "text", "base64"}:
        raise parameter("actions[0][encoding] does not have a valid value")
    previous = one.get("previous_path")
    if kind == "move" and not isinstance(previous, str):
        raise parameter("actions[0][previous_path] is missing")
    executable = one.get("execute_filemode")
    last = one.get("last_commit_id")
    try:
        return CommitAction(
            str(kind),
            one["file_path"],
            None if content is None else decode(str(content), encoding),
            str(previous) if previous is not None else None,
            None if executable is None else truth(executable),
            str(last) if last else None,
        )
    except RepositoryError as error:
        raise refused(str(error)) from None


def author(call: Call, name: str | None, email: str | None) -> GitPerson:
    """Return the author of a commit, by default the caller."""
    own = person(call.user)
    named = GitPerson(name or own.name, email or own.email)
    return named if any(letter.isalnum() for letter in named.name) else own


def require_push(call: Call, project: Document, branch: str, reason: str = "") -> None:
    """Raise 400 or 403 if the caller must not write to the branch."""
    if project.get("archived") or project.get("marked_for_deletion_on"):
        raise forbidden(reason)
    if not branch.strip():
        raise parameter("branch is empty")
    if not repository(call.site, project).valid(f"refs/heads/{branch}"):
        raise refused(f"Branch name '{branch}' is invalid")


def make(
    call: Call,
    project: Document,
    branch: str,
    actions: Sequence[CommitAction],
    message: str,
    *,
    start_branch: str | None = None,
    start_sha: str | None = None,
    author: GitPerson,
    force: bool = False,
) -> str:
    """Commit to a branch, which is created if it is new, and return the commit. Raises 400 with GitLab's message."""
    repo = repository(call.site, project)
    old = repo.ref(f"refs/heads/{branch}")
    empty = not repo.branches()
    start = old
    if start_sha or (start_branch and start_branch != branch):
        if old is not None and not force:
            refusal = f"A branch called '{branch}' already exists. Switch to that branch in order to make changes"
            raise refused(refusal)
        start = repo.resolve(start_sha) if start_sha else repo.ref(f"refs/heads/{start_branch}")
        if start is None:
            raise refused(f"Cannot find start_branch '{start_branch or start_sha}'" if not empty else "Invalid start")
    elif old is None and not empty:
        raise refused("You can only create or edit files when you are on a branch")
    try:
        update = commit(repo, branch, actions, message, author, person(call.user), old=old or ZERO, start=start)
    except RepositoryError as error:
        raise refused(str(error)) from None
    notify(call.site, project, call.user, [update])
    return update.new

# ruff: noqa: ANN401 - answers are JSON
"""Branches and tags; forks."""

from __future__ import annotations

import re
from typing import Any, Literal

from lab.standins.gitlab import access, api_projects, git_push, projects, protection
from lab.standins.gitlab.api_repository_commits import moment, rendered
from lab.standins.gitlab.errors import forbidden, not_found, refused
from lab.standins.gitlab.git import ZERO, Commit, GitError, Repository, Tag
from lab.standins.gitlab.params import Int, Paging, Params, Text
from lab.standins.gitlab.project_params import NewProject
from lab.standins.gitlab.repositories import Update, notify, person, repositories, repository
from lab.standins.gitlab.routing import Call, Router
from lab.standins.store import Document

router = Router("branches and tags")


class RefFilter(Paging):
    """Which, and in what order."""

    search: Text = None
    regex: Text = None
    sort: Text = None
    order_by: Literal["name", "updated", "version"] | None = None
    page_token: Text = None


class NewBranch(Params):
    """A branch to be, at a branch, tag or commit."""

    branch: str
    ref: str


class NewTag(Params):
    """A tag to be; annotated where it has a message."""

    tag_name: str
    ref: str
    message: Text = None


class NewFork(Params):
    """Where to fork to."""

    namespace: Text = None
    namespace_id: Int = None
    namespace_path: Text = None
    name: Text = None
    path: Text = None
    visibility: Literal["private", "internal", "public"] | None = None
    description: Text = None


def _matches(name: str, given: RefFilter) -> bool:
    if given.regex:
        try:
            return re.search(given.regex, name) is not None
        except re.error:
            raise refused("regex is invalid") from None
    search = (given.search or "").lower()
    if search.startswith("^"):
        return name.lower().startswith(search[1:].rstrip("$"))
    return name.lower().endswith(search[:-1]) if search.endswith("$") else search in name.lower()


# Branches -------------------------------------------------------------------------------------------------------------


def _branch(
    call: Call, project: Document, name: str, commit: Commit, merged: set[str], default: str | None
) -> Document:
    rules = git_push.protecting(call.site, project, "protected_branch", name)

    def developers(kind: str) -> bool:
        return any(one["access_level"] == access.DEVELOPER for rule in rules for one in rule[kind])

    return {
        "name": name,
        "commit": rendered(call.site, project, commit),
        "merged": name in merged and name != default,
        "protected": bool(rules),
        "developers_can_push": developers("push_access_levels"),
        "developers_can_merge": developers("merge_access_levels"),
        "can_push": git_push.can_push(call.site, call.actor, project, name),
        "default": name == default,
        "web_url": f"{call.site.url}/{project['full_path']}/-/tree/{name}",
    }


@router.get("/projects/{id}/repository/branches", scopes=("read_repository",), anonymous=True)
def list_branches(call: Call, id: str, given: RefFilter) -> Any:
    """Branches by name."""
    project = call.project(id, access.REPORTER)
    repo = repository(call.site, project)
    default = repositories(call.site).default_branch(project)
    found = {name: sha for name, sha in repo.branches().items() if _matches(name, given)}
    commits = repo.commits(found.values())
    merged = repo.merged(default) if default else set()
    items: list[Document] = [
        {"name": name, "id": place, "commit": commits[sha]} for place, (name, sha) in enumerate(found.items(), 1)
    ]
    if given.sort in {"updated_desc", "updated_asc"}:
        items.sort(key=lambda one: one["commit"].committed, reverse=given.sort == "updated_desc")
    if given.page_token:
        names = [one["name"] for one in items]
        items = items[names.index(given.page_token) + 1 :] if given.page_token in names else []
    return call.page(items, given, lambda one: _branch(call, project, one["name"], one["commit"], merged, default))


@router.get("/projects/{id}/repository/branches/{branch}", scopes=("read_repository",), anonymous=True)
def get_branch(call: Call, id: str, branch: str) -> Any:
    """One branch."""
    return _one_branch(call, call.project(id, access.REPORTER), branch)


def _one_branch(call: Call, project: Document, branch: str) -> Document:
    repo = repository(call.site, project)
    sha = repo.branches().get(branch)
    if sha is None:
        raise not_found("Branch")
    default = repositories(call.site).default_branch(project)
    merged = repo.merged(default) if default else set()
    return _branch(call, project, branch, repo.commit(sha), merged, default)


@router.post("/projects/{id}/repository/branches")
def create_branch(call: Call, id: str, given: NewBranch) -> Any:
    """Make a branch."""
    project = _writable(call, id)
    repo = repository(call.site, project)
    ref = f"refs/heads/{given.branch}"
    if not repo.valid(ref) or re.match(r"[0-9a-f]{40}(-/|/|$)", given.branch):
        raise refused("Branch name is invalid")
    if repo.ref(ref) is not None:
        raise refused("Branch already exists")
    start = repo.resolve(given.ref)
    if start is None:
        raise refused(f"Invalid reference name: {given.ref}")
    if not git_push.can_push(call.site, call.actor, project, given.branch):
        may = git_push.can_merge(call.site, call.actor, project, given.branch)
        based = any(
            git_push.ref_protected(call.site, project, f"refs/heads/{name}") for name in _containing(repo, start)
        )
        if not may or not based:
            raise refused("You are not allowed to create protected branches on this project.")
    try:
        repo.update(ref, start, ZERO)
    except GitError as error:
        raise refused(str(error)) from None
    notify(call.site, project, call.user, [Update(ref, ZERO, start)])
    return _one_branch(call, project, given.branch)


def _containing(repo: Repository, sha: str) -> list[str]:
    names = repo.run("for-each-ref", f"--contains={sha}", "--format=%(refname:strip=2)", "refs/heads").decode()
    return names.splitlines()


@router.delete("/projects/{id}/repository/branches/{branch}")
def delete_branch(call: Call, id: str, branch: str) -> None:
    """Delete a branch: never the default one; a protected one only as a maintainer."""
    project = _writable(call, id)
    repo = repository(call.site, project)
    sha = repo.branches().get(branch)
    if sha is None:
        raise not_found("Branch")
    if branch == repositories(call.site).default_branch(project):
        raise refused("The default branch of a project cannot be deleted.")
    if (
        git_push.ref_protected(call.site, project, f"refs/heads/{branch}")
        and call.project_level(project) < access.MAINTAINER
    ):
        raise refused(
            "You are not allowed to delete protected branches from this project. "
            "Only a project maintainer or owner can delete a protected branch."
        )
    repo.update(f"refs/heads/{branch}", ZERO, sha)
    notify(call.site, project, call.user, [Update(f"refs/heads/{branch}", sha, ZERO)])


@router.delete("/projects/{id}/repository/merged_branches", status=202)
def delete_merged_branches(call: Call, id: str) -> Any:
    """Delete all that are merged to the default one and not protected."""
    project = _writable(call, id)
    repo = repository(call.site, project)
    default = repositories(call.site).default_branch(project)
    found = repo.branches()
    for name in sorted(repo.merged(default)) if default else []:
        if name != default and not git_push.ref_protected(call.site, project, f"refs/heads/{name}"):
            repo.update(f"refs/heads/{name}", ZERO, found[name])
            notify(call.site, project, call.user, [Update(f"refs/heads/{name}", found[name], ZERO)])
    return {"message": "202 Accepted"}


def _writable(call: Call, id_: str) -> Document:
    project = call.project(id_, access.DEVELOPER)
    if project.get("archived") or project.get("marked_for_deletion_on"):
        raise forbidden()
    return project


# Tags -----------------------------------------------------------------------------------------------------------------


def _tag(call: Call, project: Document, tag: Tag, commit: Commit) -> Document:
    return {
        "name": tag.name,
        "message": tag.message,
        "target": tag.target,
        "commit": rendered(call.site, project, commit),
        "release": None,
        "protected": git_push.ref_protected(call.site, project, f"refs/tags/{tag.name}"),
        "created_at": moment(tag.created) if tag.created else None,
    }


@router.get("/projects/{id}/repository/tags", scopes=("read_repository",), anonymous=True)
def list_tags(call: Call, id: str, given: RefFilter) -> Any:
    """Tags, the last one first."""
    project = call.project(id, access.REPORTER)
    repo = repository(call.site, project)
    found = [tag for name, tag in repo.tags().items() if _matches(name, given)]
    commits = repo.commits(tag.commit for tag in found)
    kept = [tag for tag in found if tag.commit in commits]
    reverse = given.sort != "asc"
    if given.order_by in {"name", "version"}:
        kept.sort(
            key=lambda tag: _version(tag.name) if given.order_by == "version" else [(0, tag.name)], reverse=reverse
        )
    else:
        kept.sort(key=lambda tag: tag.created or commits[tag.commit].committed, reverse=reverse)
    items = [{"tag": tag, "id": place} for place, tag in enumerate(kept, 1)]
    return call.page(items, given, lambda one: _tag(call, project, one["tag"], commits[one["tag"].commit]))


def _version(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d{1,9})", name)]


def _one_tag(call: Call, project: Document, name: str) -> Document:
    repo = repository(call.site, project)
    tag = repo.tags().get(name)
    commit = repo.commits([tag.commit]).get(tag.commit) if tag is not None else None
    if tag is None or commit is None:
        raise not_found("Tag")
    return _tag(call, project, tag, commit)


@router.get("/projects/{id}/repository/tags/{tag_name}", scopes=("read_repository",), anonymous=True)
def get_tag(call: Call, id: str, tag_name: str) -> Any:
    """One tag."""
    return _one_tag(call, call.project(id, access.REPORTER), tag_name)


@router.post("/projects/{id}/repository/tags")
def create_tag(call: Call, id: str, given: NewTag) -> Any:
    """Make a tag."""
    project = _writable(call, id)
    repo = repository(call.site, project)
    ref = f"refs/tags/{given.tag_name}"
    if not repo.valid(ref) or given.tag_name.startswith("refs/tags/"):
        raise refused("Tag name invalid")
    if given.tag_name == repositories(call.site).default_branch(project):
        raise refused("You cannot use default branch name to create a tag")
    if not git_push.can_tag(call.site, call.actor, project, given.tag_name):
        raise refused("You are not allowed to create this tag as it is protected.")
    if repo.ref(ref) is not None:
        raise refused(f"Tag {given.tag_name} already exists")
    target = repo.resolve(given.ref)
    if target is None:
        raise refused(f"Target {given.ref} is invalid")
    try:
        repo.write_tag(given.tag_name, target, given.message or "", person(call.user))
    except GitError as error:
        raise refused(str(error)) from None
    notify(call.site, project, call.user, [Update(ref, ZERO, repo.ref(ref) or target)])
    return _one_tag(call, project, given.tag_name)


@router.delete("/projects/{id}/repository/tags/{tag_name}")
def delete_tag(call: Call, id: str, tag_name: str) -> None:
    """Delete a tag; a protected one only as a maintainer."""
    project = _writable(call, id)
    repo = repository(call.site, project)
    tag = repo.tags().get(tag_name)
    if tag is None:
        raise not_found("Tag")
    if (
        git_push.ref_protected(call.site, project, f"refs/tags/{tag_name}")
        and call.project_level(project) < access.MAINTAINER
    ):
        raise forbidden("You are not allowed to delete protected tags from this project.")
    repo.update(f"refs/tags/{tag_name}", ZERO)
    notify(call.site, project, call.user, [Update(f"refs/tags/{tag_name}", tag.target, ZERO)])


# Forks ----------------------------------------------------------------------------------------------------------------


@router.post("/projects/{id}/fork")
def fork_project(call: Call, id: str, given: NewFork) -> Any:
    """Copy a project with its repository, to one's own namespace unless another is named."""
    source = call.project(id)
    if source["visibility"] == "private" and call.project_level(source) < access.REPORTER:
        raise forbidden()
    if source.get("forking_access_level") == "disabled":
        raise not_found()
    wanted = given.namespace_id or given.namespace_path or given.namespace
    name, path = given.name or source["name"], given.path or source["path"]
    space = _namespace(call, wanted)
    if call.store.first("project", route=f"{space['full_path']}/{path}".lower()) is not None:
        raise refused({"name": ["has already been taken"], "path": ["has already been taken"]}, 409)
    new = NewProject.check(
        {
            "name": name,
            "path": path,
            "namespace_id": space["id"],
            "visibility": given.visibility or source["visibility"],
            "description": given.description or source.get("description"),
            "default_branch": source["default_branch"],
        }
    )
    api_projects.create_project(call, new)
    made = call.store.first("project", route=f"{space['full_path']}/{path}".lower())
    assert made is not None  # noqa: S101 - just made
    repositories(call.site).copy(source, made)
    fork = {**made, "forked_from_id": source["id"]}
    call.store.put("project", fork)
    if repositories(call.site).default_branch(fork) is not None:
        protection.protect_default_branch(call.site, fork)
    basic = projects.basic(call.site, source)
    return {**projects.shown(call, fork), "forked_from_project": basic, "import_status": "finished"}


def _namespace(call: Call, wanted: str | int | None) -> Document:
    if wanted is None:
        found = call.store.first("namespace", kind="user", owner_id=call.user["id"])
    elif str(wanted).isascii() and str(wanted).isdigit() and len(str(wanted)) < 19:  # noqa: PLR2004
        found = call.store.get("namespace", int(wanted))
    else:
        found = call.store.first("namespace", route=str(wanted).lower())
    if found is None:
        raise not_found("Target Namespace")
    return found


@router.get("/projects/{id}/forks", anonymous=True)
def list_forks(call: Call, id: str, given: Paging) -> Any:
    """Forks of a project that may be seen."""
    source = call.project(id)
    found = call.store.find("project", forked_from_id=source["id"])
    seen = [one for one in found if access.sees_project(call.site, call.actor, one)]
    return call.page(seen, given, lambda one: projects.basic(call.site, one))

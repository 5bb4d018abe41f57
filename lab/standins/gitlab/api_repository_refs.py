# ruff: noqa: ANN401 - JSON answers have any type
"""Branches and tags; forks."""

from __future__ import annotations

from typing import Any, Final, Literal

from lab.standins.gitlab import access, api_projects, git_push, projects, protection
from lab.standins.gitlab.api_repository_commits import moment, rendered
from lab.standins.gitlab.errors import forbidden, not_found, refused
from lab.standins.gitlab.git import ZERO, Commit, RepositoryError, Tag
from lab.standins.gitlab.params import Int, Paging, Params, Text
from lab.standins.gitlab.project_params import NewProject
from lab.standins.gitlab.repositories import Update, notify, person, repositories, repository
from lab.standins.gitlab.routing import Call, Router
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router = Router("branches and tags")

_PROTECTED: Final = "You are not allowed to create this tag as it is protected."


class NewTag(Params):
    """Parameters of a new tag, which is annotated if it has a message."""

    tag_name: str
    ref: str
    message: Text = None


class NewFork(Params):
    """Parameters of a fork."""

    namespace: Text = None
    namespace_id: Int = None
    namespace_path: Text = None
    name: Text = None
    path: Text = None
    visibility: Literal["private", "internal", "public"] | None = None
    description: Text = None


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


@router.get("/projects/{id}/repository/branches/{branch}", scopes=("read_repository",), anonymous=True)
@needed_by(Need.PLUGINS)
def get_branch(call: Call, id: str, branch: str) -> Any:
    """Return one branch."""
    return _one_branch(call, call.project(id, access.REPORTER), branch)


def _one_branch(call: Call, project: Document, branch: str) -> Document:
    repo = repository(call.site, project)
    sha = repo.branches().get(branch)
    if sha is None:
        raise not_found("Branch")
    default = repositories(call.site).default_branch(project)
    merged = repo.merged(default) if default else set()
    return _branch(call, project, branch, repo.commit(sha), merged, default)


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


def _one_tag(call: Call, project: Document, name: str) -> Document:
    repo = repository(call.site, project)
    tag = repo.tags().get(name)
    commit = repo.commits([tag.commit]).get(tag.commit) if tag is not None else None
    if tag is None or commit is None:
        raise not_found("Tag")
    return _tag(call, project, tag, commit)


@router.get("/projects/{id}/repository/tags", scopes=("read_repository",), anonymous=True)
@needed_by(Need.CATALOGUE_JOBS)
def list_tags(call: Call, id: str, given: Paging) -> Any:
    """List the tags."""
    project = call.project(id, access.REPORTER)
    names = sorted(repository(call.site, project).tags())
    return call.page([{"name": name} for name in names], given, lambda one: _one_tag(call, project, one["name"]))


@router.get("/projects/{id}/repository/tags/{tag_name}", scopes=("read_repository",), anonymous=True)
@needed_by(Need.PLUGINS, Need.LOOKUP)
def get_tag(call: Call, id: str, tag_name: str) -> Any:
    """Return one tag."""
    return _one_tag(call, call.project(id, access.REPORTER), tag_name)


@router.post("/projects/{id}/repository/tags")
@needed_by(Need.PLUGINS)
def create_tag(call: Call, id: str, given: NewTag) -> Any:
    """Create a tag."""
    project = _writable(call, id)
    repo = repository(call.site, project)
    ref = f"refs/tags/{given.tag_name}"
    if not repo.valid(ref) or given.tag_name.startswith("refs/tags/"):
        raise refused("Tag name invalid")
    if given.tag_name == repositories(call.site).default_branch(project):
        raise refused("You cannot use default branch name to create a tag")
    if not git_push.can_tag(call.site, call.actor, project, given.tag_name):
        raise refused(_PROTECTED)
    if repo.ref(ref) is not None:
        raise refused(f"Tag {given.tag_name} already exists")
    target = repo.resolve(given.ref)
    if target is None:
        raise refused(f"Target {given.ref} is invalid")
    try:
        repo.write_tag(given.tag_name, target, given.message or "", person(call.user))
    except RepositoryError as error:
        raise refused(str(error)) from None
    notify(call.site, project, call.user, [Update(ref, ZERO, repo.ref(ref) or target)])
    return _one_tag(call, project, given.tag_name)


@router.delete("/projects/{id}/repository/tags/{tag_name}")
@needed_by(Need.PLUGINS)
def delete_tag(call: Call, id: str, tag_name: str) -> None:
    """Delete a tag; a protected one only as a maintainer who may create it."""
    project = _writable(call, id)
    repo = repository(call.site, project)
    tag = repo.tags().get(tag_name)
    if tag is None:
        raise not_found("Tag")
    if git_push.ref_protected(call.site, project, f"refs/tags/{tag_name}"):
        if call.project_level(project) < access.MAINTAINER:
            raise forbidden()
        if not git_push.can_tag(call.site, call.actor, project, tag_name):
            raise refused(_PROTECTED)
    repo.update(f"refs/tags/{tag_name}", ZERO)
    notify(call.site, project, call.user, [Update(f"refs/tags/{tag_name}", tag.target, ZERO)])


# Forks ----------------------------------------------------------------------------------------------------------------


@router.post("/projects/{id}/fork")
@needed_by(Need.PIPELINE, Need.ISOLATION, trace="forks")
def fork_project(call: Call, id: str, given: NewFork) -> Any:
    """Copy a project with its repository, by default to the caller's namespace."""
    source = call.project(id)
    if source["visibility"] == "private" and call.project_level(source) < access.REPORTER:
        raise forbidden()
    if source.get("forking_access_level") == "disabled":
        raise not_found()
    wanted = given.namespace_id or given.namespace_path or given.namespace
    name, path = given.name or source["name"], given.path or source["path"]
    space = _namespace(call, wanted)
    top = access.lineage(call.site, access.namespace(call.site, source))[-1]
    if top.get("prevent_forking_outside_group") and access.lineage(call.site, space)[-1]["id"] != top["id"]:
        raise not_found()
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
    return {**projects.shown(call, fork), "import_status": "finished"}


def _namespace(call: Call, wanted: str | int | None) -> Document:
    if wanted is None:
        found = call.store.first("namespace", kind="user", owner_id=call.user["id"])
    elif str(wanted).isascii() and str(wanted).isdigit() and len(str(wanted)) < 19:  # noqa: PLR2004 - fits 64 bits
        found = call.store.get("namespace", int(wanted))
    else:
        found = call.store.first("namespace", route=str(wanted).lower())
    if found is None:
        raise not_found("Target Namespace")
    return found

# ruff: noqa: ANN401 - JSON answers have any type
"""The allow list of projects and groups whose CI jobs have access to a project."""

from __future__ import annotations

from typing import Any

from lab.standins.gitlab import access, groups, projects
from lab.standins.gitlab.errors import bad_request, not_found
from lab.standins.gitlab.params import Paging, Params
from lab.standins.gitlab.routing import Call, Router
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router = Router("job token scope")

PATH = "/projects/{id}/job_token_scope"


class ScopeSetting(Params):
    """Whether the list is enforced."""

    enabled: bool


class AllowedProject(Params):
    """The project to add."""

    target_project_id: int


class AllowedGroup(Params):
    """The group to add."""

    target_group_id: int


def _entries(call: Call, project: Document, kind: str) -> list[Document]:
    return call.store.find("scope_entry", project_id=project["id"], target_type=kind)


@router.get(PATH)
@needed_by(Need.PLUGINS)
def get_scope(call: Call, id: str) -> Any:
    """Return whether only jobs of listed projects have access."""
    project = call.project(id, access.MAINTAINER)
    return {"inbound_enabled": access.listed_only(call.site, project), "outbound_enabled": False}


@router.patch(PATH, status=204)
@needed_by(Need.PLUGINS, Need.PEOPLE)
def set_scope(call: Call, id: str, given: ScopeSetting) -> None:
    """Enforce the list or not."""
    project = call.project(id, access.MAINTAINER)
    call.store.put("project", {**project, "inbound_enabled": given.enabled})


@router.get(f"{PATH}/allowlist")
@needed_by(Need.PLUGINS)
def list_projects(call: Call, id: str, given: Paging) -> Any:
    """List the allowed projects, the project itself first."""
    project = call.project(id, access.MAINTAINER)
    targets = [call.store.get("project", one["target_id"]) for one in _entries(call, project, "project")]
    listed = [project, *(one for one in targets if one is not None)]
    return call.page(listed, given, lambda one: projects.basic(call.site, one))


@router.post(f"{PATH}/allowlist")
@needed_by(Need.PLUGINS)
def add_project(call: Call, id: str, given: AllowedProject) -> Any:
    """Add a project to the list."""
    project = call.project(id, access.MAINTAINER)
    target = access.find_project(call.site, given.target_project_id)
    if target is None or not access.sees_project(call.site, call.actor, target):
        raise not_found("target_project_id")
    _add(call, project, "project", target)
    return {"source_project_id": project["id"], "target_project_id": target["id"]}


@router.delete(f"{PATH}/allowlist/{{target_project_id}}")
@needed_by(Need.PLUGINS)
def remove_project(call: Call, id: str, target_project_id: int) -> None:
    """Remove a project from the list."""
    _remove(call, call.project(id, access.MAINTAINER), "project", target_project_id)


@router.get(f"{PATH}/groups_allowlist")
@needed_by(Need.PLUGINS, Need.PEOPLE)
def list_groups(call: Call, id: str, given: Paging) -> Any:
    """List the allowed groups."""
    project = call.project(id, access.MAINTAINER)
    targets = [call.store.get("namespace", one["target_id"]) for one in _entries(call, project, "group")]
    listed = [one for one in targets if one is not None]
    return call.page(listed, given, lambda one: _group(call, one))


def _group(call: Call, group: Document) -> Document:
    shown = groups.shown(call.site, group)
    return {name: shown[name] for name in ("id", "web_url", "name", "full_name", "full_path", "avatar_url")}


@router.post(f"{PATH}/groups_allowlist")
@needed_by(Need.PLUGINS)
def add_group(call: Call, id: str, given: AllowedGroup) -> Any:
    """Add a group, with all its content, to the list."""
    project = call.project(id, access.MAINTAINER)
    target = access.find_group(call.site, given.target_group_id)
    if target is None or not access.sees_group(call.site, call.actor, target):
        raise not_found("target_group_id")
    _add(call, project, "group", target)
    return {"source_project_id": project["id"], "target_group_id": target["id"]}


@router.delete(f"{PATH}/groups_allowlist/{{target_group_id}}")
@needed_by(Need.PLUGINS)
def remove_group(call: Call, id: str, target_group_id: int) -> None:
    """Remove a group from the list."""
    _remove(call, call.project(id, access.MAINTAINER), "group", target_group_id)


def _add(call: Call, project: Document, kind: str, target: Document) -> None:
    known = any(one["target_id"] == target["id"] for one in _entries(call, project, kind))
    if known or (kind == "project" and target["id"] == project["id"]):
        raise bad_request(f"This {kind} is already in the job token allowlist.")
    content = {"project_id": project["id"], "target_type": kind, "target_id": target["id"]}
    call.store.add("scope_entry", content)


def _remove(call: Call, project: Document, kind: str, target_id: int) -> None:
    found = next((one for one in _entries(call, project, kind) if one["target_id"] == target_id), None)
    if found is None:
        raise not_found(f"target_{kind}_id")
    call.store.remove("scope_entry", found["id"])

"""Projects: settings, allowlist, summary, scanner. Only a project without repositories can be deleted."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from fastapi import Header
from starlette.responses import Response

from lab.standins.harbor import bodies, errors
from lab.standins.harbor.call import Asking, HarborCall, HarborRouter, NameOrId, Pages, done
from lab.standins.harbor.query import Text
from lab.standins.harbor.settings import valid_quota
from lab.standins.harbor.site import ADMIN_ID, now
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router: Final = HarborRouter(tags=["project"])

_NAME: Final = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_PROXIED_ONLY: Final = ("proxy_speed_kb", "max_upstream_conn")
_PROXY_TYPES: Final = (
    "docker-hub", "harbor", "azure-acr", "ali-acr", "aws-ecr", "google-gcr", "quay", "docker-registry", "github-ghcr",
    "jfrog-artifactory",
)  # fmt: skip
_SEVERITIES: Final = ("none", "low", "medium", "high", "critical")
_REPOSITORIES_LEFT: Final = "the project contains repositories, can not be deleted"
_DEFAULT_RETENTION_DAYS: Final = 7


def shown_metadata(project: Document) -> dict[str, str]:
    """Return a project's settings as shown in the API."""
    metadata = dict(project["metadata"])
    if "severity" in metadata:
        severity = metadata["severity"].lower()
        metadata["severity"] = severity if severity in _SEVERITIES else "unknown"
    return metadata


def shown_allowlist(project: Document) -> dict[str, Any]:
    """Return a project's allowlist as shown in the API."""
    kept = project["cve_allowlist"]
    shown = {"id": project["id"], "project_id": project["id"], "items": kept["items"], "creation_time": kept["created"]}
    expires = {} if kept.get("expires_at") is None else {"expires_at": kept["expires_at"]}
    return {**shown, **expires, "update_time": kept.get("updated", kept["created"])}


def shown(call: HarborCall, project: Document) -> dict[str, Any]:
    """Return a project as shown in the API."""
    owner = call.store.get("user", project["owner_id"]) or {}
    body: dict[str, Any] = {
        "project_id": project["id"],
        "name": project["name"],
        "owner_id": project["owner_id"],
        "owner_name": owner.get("username", ""),
        "creation_time": project["created"],
        "update_time": project["updated"],
        "repo_count": len(call.store.find("repository", project_id=project["id"])),
        "metadata": shown_metadata(project),
        "cve_allowlist": shown_allowlist(project),
    }
    if project["registry_id"]:
        body["registry_id"] = project["registry_id"]
    if call.person and (roles := call.person.roles(project)):
        body.update(current_user_role_id=roles[0], current_user_role_ids=roles)
    return body


@router.get("/projects")
@needed_by(Need.INVENTORY, Need.PEOPLE)
def list_projects(
    call: Asking, paging: Pages, name: Text = "", owner: Text = "", public: bool | None = None, with_detail: bool = True
) -> Response:
    """List the projects that are visible to the principal."""
    projects = [project for project in call.store.find("project") if call.principal.sees(project)]
    items = [shown(call, project) for project in projects]
    if name:  # equivalent to a name in `q`
        paging.tests.pop("name", None)
        items = [item for item in items if name in item["name"]]
    if owner:
        items = [item for item in items if item["owner_name"] == owner]
    wanted = paging.value("public")
    if wanted is not None:
        public = wanted.lower() == "true"
    if public is not None:
        items = [item for item in items if (item["metadata"].get("public") == "true") is public]
    if not with_detail:
        items = [{key: value for key, value in item.items() if key != "cve_allowlist"} for item in items]
    return call.listed(sorted(items, key=lambda item: str(item["name"])), paging)


@router.post("/projects", status_code=201)
@needed_by(Need.PLUGINS, Need.PEOPLE)
def create_project(
    call: Asking, body: bodies.ProjectBody, x_resource_name_in_location: Annotated[bool, Header()] = False
) -> Response:
    """Create a project."""
    call.require_login()
    if call.robot and call.robot.robot["level"] != "system":
        raise errors.forbidden("Only system level robot can create project")
    ruler = call.may_system("create", "project")
    if call.site.settings.get("project_creation_restriction") == "adminonly" and not ruler:
        raise errors.forbidden("Only system admin can create project")
    registry = body.registry_id
    if registry is not None and not ruler:
        raise errors.forbidden("Only system admin can create proxy cache project")
    metadata = _metadata(body, proxied=registry is not None)
    if body.metadata and body.metadata.retention_id:
        raise errors.bad_request(
            "the retention_id in the request's payload when creating a project should be omitted, "
            "alternatively passing an empty string"
        )
    if registry is not None:
        _check_registry(call, registry)
    storage = _storage(call, body.storage_limit, ruler=ruler)
    name = body.project_name or ""
    if not name:
        raise errors.bad_request(f"Project name {name} is illegal in length. (greater than 255 or less than 1)")
    if not _NAME.fullmatch(name):
        raise errors.bad_request("project name is not in lower case or contains illegal characters")
    if call.store.first("project", name=name):
        raise errors.conflict(f"The project named {name} already exists")
    project = call.site.new_project(name, metadata, storage=storage, registry=registry or 0)
    person = call.person
    if person:
        project["owner_id"] = person.user["id"]
        call.store.put("project", project)
        call.store.add("member", {"project_id": project["id"], "entity_type": "u", "entity_id": person.user["id"],
                                  "role_id": 1})  # fmt: skip
    else:
        call.store.add("member", {"project_id": project["id"], "entity_type": "u", "entity_id": ADMIN_ID, "role_id": 1})
    if registry is not None:
        _retain_proxied(call, project)
    return call.created(name if x_resource_name_in_location else project["id"])


def _metadata(body: bodies.ProjectBody, *, proxied: bool) -> dict[str, str]:
    given = dict(body.metadata.sent()) if body.metadata else {}
    if body.public is not None and not given.get("public"):
        given["public"] = "true" if body.public else "false"
    given["public"] = given.get("public") or "false"
    if given["public"] not in ("true", "false"):
        raise errors.bad_request(f"metadata.public should only be 'true' or 'false', but got: '{given['public']}'")
    return _fitting(given, proxied=proxied)


def _fitting(given: dict[str, str], *, proxied: bool) -> dict[str, str]:
    """Return the settings that this kind of project has."""
    unfit = ("enable_content_trust",) if proxied else _PROXIED_ONLY
    return {key: value for key, value in given.items() if key not in (*unfit, "retention_id")}


def _check_registry(call: HarborCall, registry: int) -> None:
    if registry <= 0:
        raise errors.bad_request(f"{registry} is invalid value of registry_id, it should be geater than 0")
    found = call.store.get("registry", registry)
    if found is None:
        raise errors.not_found(f"registry {registry}")
    if found["type"] not in _PROXY_TYPES:
        raise errors.bad_request(f"unsupported registry type {found['type']}")


def _storage(call: HarborCall, given: int | None, *, ruler: bool) -> int | None:
    if not call.site.settings.get("quota_per_project_enable"):
        return None
    storage = given if given and ruler else int(call.site.settings.get("storage_per_project"))
    if problem := valid_quota(storage):
        raise errors.bad_request(problem)
    return storage


def _retain_proxied(call: HarborCall, project: Document) -> None:
    """Create the default retention policy of a proxy cache."""
    rule = {
        "id": 1, "priority": 1, "action": "retain", "template": "nDaysSinceLastPull", "disabled": False,
        "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": "**"}],
        "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]},
        "params": {"nDaysSinceLastPull": _DEFAULT_RETENTION_DAYS},
    }  # fmt: skip
    trigger = {"kind": "Schedule", "settings": {"cron": "0 0 0 * * *"}}
    scope = {"level": "project", "ref": project["id"]}
    made = call.store.add(
        "retention",
        {"project_id": project["id"], "algorithm": "or", "rules": [rule], "trigger": trigger, "scope": scope},
    )
    project["metadata"]["retention_id"] = str(made["id"])
    call.store.put("project", project)


@router.get("/projects/{project_name_or_id}")
@needed_by(Need.PLUGINS, Need.LOOKUP, Need.INVENTORY)
def get_project(call: Asking, name: NameOrId) -> dict[str, Any]:
    """Return a project."""
    return shown(call, call.project(name, "read"))


@router.put("/projects/{project_name_or_id}")
@needed_by(Need.PLUGINS, Need.PEOPLE)
def update_project(call: Asking, name: NameOrId, body: bodies.ProjectBody) -> Response:
    """Update only a project's settings and allowlist."""
    project = call.project(name, "update")
    if body.cve_allowlist is not None:
        theirs = body.cve_allowlist.project_id
        if theirs and theirs != project["id"]:
            raise errors.bad_request(f"project_id in cve_allowlist must be {project['id']} but it's {theirs}")
        items = [{"cve_id": item.cve_id or ""} for item in body.cve_allowlist.items or []]
        seen = [item["cve_id"] for item in items]
        if len(set(seen)) != len(seen) or "" in seen:
            raise errors.bad_request("duplicate or empty CVE ID in the allowlist")
        kept = project["cve_allowlist"]
        project["cve_allowlist"] = {**kept, "items": items, "expires_at": body.cve_allowlist.expires_at,
                                    "updated": now()}  # fmt: skip
    if body.metadata is not None:
        given = body.metadata.sent()
        wanted = given.get("retention_id")
        if wanted is not None and wanted != project["metadata"].get("retention_id"):
            raise errors.bad_request(
                "the retention_id in the request's payload when updating a project should be omitted, alternatively "
                "passing the one that has already been associated to this project"
            )
        if not given.get("public"):
            given.pop("public", None)
        project["metadata"].update(_fitting(given, proxied=bool(project["registry_id"])))
    project["updated"] = now()
    call.store.put("project", project)
    return done()


@router.delete("/projects/{project_name_or_id}")
@needed_by(Need.PLUGINS, Need.INVENTORY)
def delete_project(call: Asking, name: NameOrId) -> Response:
    """Delete a project without repositories."""
    project = call.project(name, "delete")
    if call.store.first("repository", project_id=project["id"]):
        raise errors.precondition(_REPOSITORIES_LEFT)
    call.site.remove_project(project)
    return done()


def used(call: HarborCall, project_id: int) -> int:
    """Return the size of a project's blobs in bytes, each counted once."""
    return sum(blob["size"] for blob in call.store.find("blob", project_id=project_id))


# -- single metadata ---------------------------------------------------------------------------------------------------


@router.delete("/projects/{project_name_or_id}/metadatas/{meta_name}")
@needed_by(Need.INVENTORY)
def delete_metadata(call: Asking, name: NameOrId, meta_name: str) -> Response:
    """Delete a setting of a project, such as the id of a deleted retention policy."""
    project = call.project(name, "delete", "metadata")
    project["metadata"].pop(meta_name, None)
    call.store.put("project", project)
    return done()

# ruff: noqa: ANN401 - JSON answers have any type
"""Environments, and protected environments if the edition has them."""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final, Literal

from lab.standins.gitlab import access, projects, protection
from lab.standins.gitlab.errors import conflict, forbidden, invalid, not_found, parameter
from lab.standins.gitlab.params import Bool, Hashes, Int, Paging, Params, Text
from lab.standins.gitlab.routing import Call, Router
from lab.standins.gitlab.site import now
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router = Router("environments")

Tier = Literal["production", "staging", "testing", "development", "other"] | None
_NAME: Final = re.compile(r"(?!/)[a-zA-Z0-9_\\/${}. -]+(?<!/)")
_SLUG: Final = 24
_TIERS: Final = (
    ("production", re.compile(r"(?<!pre-)prod|live", re.IGNORECASE)),
    ("development", re.compile(r"(^|[^a-z])(dev|review|trunk)", re.IGNORECASE)),
    ("testing", re.compile(r"(test|tst|int|ac(ce|)pt|qa|qc|control|quality)", re.IGNORECASE)),
    ("staging", re.compile(r"(stg|staging|mod(e|)l|pre|demo|non)", re.IGNORECASE)),
)


class EnvironmentParams(Params):
    """Parameters of creation and update."""

    external_url: Text = None
    tier: Tier = None
    description: Text = None
    cluster_agent_id: Int = None
    kubernetes_namespace: Text = None
    flux_resource_path: Text = None
    auto_stop_setting: Literal["always", "with_action"] | None = None


class NewEnvironment(EnvironmentParams):
    """Parameters of a new environment."""

    name: str


class EnvironmentFilter(Paging):
    """Filter of environments."""

    name: Text = None
    search: Text = None
    states: Literal["available", "stopping", "stopped"] | None = None


def slug(name: str) -> str:
    """Return a name for DNS: lower case and short, with a hash as suffix if that changes the name."""
    made = re.sub(r"-+", "-", re.sub(r"[^a-z0-9]", "-", name.lower()))
    if not made[:1].isalpha():
        made = f"env-{made}"
    if len(made) > _SLUG or made != name:
        number, digits = int(hashlib.sha256(name.encode()).hexdigest(), 16), ""
        while len(digits) < 6:  # noqa: PLR2004 - as long as GitLab's
            number, rest = divmod(number, 36)
            digits += "0123456789abcdefghijklmnopqrstuvwxyz"[rest]
        made = made[: _SLUG - 7].rstrip("-") + "-" + digits
    return made.strip("-")


def _shown(call: Call, one: Document, project: Document) -> Document:
    names = ("id", "name", "slug", "external_url", "created_at", "updated_at", "tier", "state", "auto_stop_at")
    more = ("description", "kubernetes_namespace", "flux_resource_path", "auto_stop_setting")
    return {
        **{name: one[name] for name in (*names, *more)},
        "cluster_agent": None,
        "enable_advanced_logs_querying": False,
        "last_deployment": None,
        "project": projects.basic(call.site, project),
    }


def _checked(given: EnvironmentParams) -> Document:
    url = given.external_url
    if url and not re.fullmatch(r"https?://[^\s/]+\S*", url):
        raise invalid(external_url=["is blocked: Only allowed schemes are http, https"])
    if url and len(url) > 255:  # noqa: PLR2004 - GitLab's limit
        raise invalid(external_url=["is too long (maximum is 255 characters)"])
    sent = given.sent("name", "cluster_agent_id")
    return {
        name: value for name, value in sent.items() if value is not None or name not in {"tier", "auto_stop_setting"}
    }


def _one(call: Call, project: Document, id_: int) -> Document:
    found = call.store.get("environment", id_)
    if found is None or found["project_id"] != project["id"]:
        raise not_found("Environment")
    return found


@router.get("/projects/{id}/environments", job_token=True)
@needed_by(Need.LOOKUP, Need.INVENTORY)
def list_environments(call: Call, id: str, given: EnvironmentFilter) -> Any:
    """List the environments of a project."""
    project = call.ci_project(id, access.REPORTER)
    found = [
        one
        for one in call.store.find("environment", project_id=project["id"])
        if (given.name is None or one["name"] == given.name)
        and (given.search or "").lower() in one["name"].lower()
        and (given.states is None or one["state"] == given.states)
    ]
    return call.page(found, given, lambda one: _shown(call, one, project))


@router.get("/projects/{id}/environments/{environment_id}", job_token=True)
@needed_by(Need.PLUGINS)
def get_environment(call: Call, id: str, environment_id: int) -> Any:
    """Return one environment."""
    project = call.ci_project(id, access.REPORTER)
    return _shown(call, _one(call, project, environment_id), project)


@router.post("/projects/{id}/environments")
@needed_by(Need.PLUGINS)
def create_environment(call: Call, id: str, given: NewEnvironment) -> Any:
    """Create an environment."""
    project = call.ci_project(id, access.DEVELOPER)
    if not _NAME.fullmatch(given.name):
        message = (
            "can contain only letters, digits, '-', '_', '/', '$', '{', '}', '.', and spaces, "
            "but it cannot start or end with '/'"
        )
        raise invalid(name=["can't be blank", message] if not given.name.strip() else [message])
    if len(given.name) > 255:  # noqa: PLR2004 - GitLab's limit
        raise invalid(name=["is too long (maximum is 255 characters)"])
    if call.store.first("environment", project_id=project["id"], name=given.name):
        raise invalid(name=["has already been taken"], slug=["has already been taken"])
    content = {
        "external_url": None,
        "description": None,
        "kubernetes_namespace": None,
        "flux_resource_path": None,
        "auto_stop_setting": "always",
        "auto_stop_at": None,
        "tier": next((tier for tier, pattern in _TIERS if pattern.search(given.name)), "other"),
        **_checked(given),
    }
    moment = now()
    one = call.store.add(
        "environment",
        {
            **content,
            "project_id": project["id"],
            "name": given.name,
            "slug": slug(given.name),
            "state": "available",
            "created_at": moment,
            "updated_at": moment,
        },
    )
    return _shown(call, one, project)


@router.put("/projects/{id}/environments/{environment_id}")
@needed_by(Need.PLUGINS)
def update_environment(call: Call, id: str, environment_id: int, given: EnvironmentParams) -> Any:
    """Update an environment."""
    project = call.ci_project(id, access.DEVELOPER)
    one = {**_one(call, project, environment_id), **_checked(given), "updated_at": now()}
    call.store.put("environment", one)
    return _shown(call, one, project)


class StopParams(Params):
    """Parameters of a stop."""

    force: Bool = None


@router.post("/projects/{id}/environments/{environment_id}/stop", status=200)
@needed_by(Need.PLUGINS, Need.INVENTORY)
def stop_environment(call: Call, id: str, environment_id: int, given: StopParams) -> Any:  # noqa: ARG001 - declared
    """Stop an environment."""
    project = call.ci_project(id, access.DEVELOPER)
    one = {**_one(call, project, environment_id), "state": "stopped", "updated_at": now(), "auto_stop_at": None}
    call.store.put("environment", one)
    return _shown(call, one, project)


@router.delete("/projects/{id}/environments/{environment_id}")
@needed_by(Need.PLUGINS, Need.INVENTORY)
def delete_environment(call: Call, id: str, environment_id: int) -> None:
    """Delete a stopped environment."""
    project = call.ci_project(id, access.DEVELOPER)
    if _one(call, project, environment_id)["state"] != "stopped":
        raise forbidden()
    call.store.remove("environment", environment_id)


# Protected environments -----------------------------------------------------------------------------------------------


class NewProtection(Params):
    """Parameters of a new protection."""

    name: str
    deploy_access_levels: Hashes = None
    required_approval_count: Int = None
    approval_rules: Hashes = None


class ChangedProtection(Params):
    """Parameters of an update."""

    deploy_access_levels: Hashes = None
    required_approval_count: Int = None
    approval_rules: Hashes = None


def _protected(call: Call, id_: str, name: str) -> Document:
    call.require_premium()
    project = call.ci_project(id_, access.MAINTAINER)
    found = call.store.first("protected_environment", project_id=project["id"], name=name)
    if found is None:
        raise not_found()
    return found


def _protection(one: Document) -> Document:
    return {name: one[name] for name in ("name", "deploy_access_levels", "required_approval_count", "approval_rules")}


def _lines(call: Call, name: str, current: list[Document], given: list[Document] | None) -> list[Document]:
    """Return access levels or approval rules after a change; all have a group inheritance type, rules also a count."""
    made = []
    for line in protection.change(call, name, current, given):
        known = next((one for one in current if one["id"] == line["id"]), {})
        asked = next((one for one in given or [] if _meant(one, line)), {})
        extra = {"group_inheritance_type": _count(asked, known, "group_inheritance_type", 0)}
        if name == "approval_rules":
            extra["required_approvals"] = _count(asked, known, "required_approvals", 1)
        shown = {key: value for key, value in line.items() if key != "deploy_key_id"}
        if line["user_id"] or line["group_id"]:
            shown["access_level"] = None
        made.append({**shown, **extra})
    return made


def _meant(given: Document, line: Document) -> bool:
    if given.get("id") not in {None, ""}:
        return str(given["id"]) == str(line["id"])
    return all(str(given.get(key) or "") in {"", str(line[key])} for key in ("access_level", "user_id", "group_id"))


def _count(asked: Document, known: Document, name: str, default: int) -> int:
    text = str(asked.get(name, known.get(name, default)))
    if not (text.isascii() and text.isdigit() and len(text) < 10):  # noqa: PLR2004 - fits an integer
        raise parameter(f"{name} is invalid")
    return int(text)


@router.get("/projects/{id}/protected_environments")
@needed_by(Need.INVENTORY)
def list_protected(call: Call, id: str, given: Paging) -> Any:
    """List the protected environments."""
    call.require_premium()
    project = call.ci_project(id, access.MAINTAINER)
    return call.page(call.store.find("protected_environment", project_id=project["id"]), given, _protection)


@router.get("/projects/{id}/protected_environments/{name}")
@needed_by(Need.PLUGINS, Need.LOOKUP)
def get_protected(call: Call, id: str, name: str) -> Any:
    """Return one protected environment."""
    return _protection(_protected(call, id, name))


@router.post("/projects/{id}/protected_environments")
@needed_by(Need.PLUGINS)
def protect_environment(call: Call, id: str, given: NewProtection) -> Any:
    """Protect an environment."""
    call.require_premium()
    project = call.ci_project(id, access.MAINTAINER)
    if given.deploy_access_levels is None:
        raise parameter("deploy_access_levels is missing")
    if call.store.first("protected_environment", project_id=project["id"], name=given.name):
        raise conflict(f"Protected environment '{given.name}' already exists")
    one = call.store.add(
        "protected_environment",
        {
            "project_id": project["id"],
            "name": given.name,
            "deploy_access_levels": _lines(call, "deploy_access_levels", [], given.deploy_access_levels),
            "required_approval_count": given.required_approval_count or 0,
            "approval_rules": _lines(call, "approval_rules", [], given.approval_rules),
        },
    )
    return _protection(one)


@router.put("/projects/{id}/protected_environments/{name}")
@needed_by(Need.PLUGINS)
def change_protected(call: Call, id: str, name: str, given: ChangedProtection) -> Any:
    """Update a protection."""
    one = _protected(call, id, name)
    for key in ("deploy_access_levels", "approval_rules"):
        one[key] = _lines(call, key, one[key], getattr(given, key))
    if given.required_approval_count is not None:
        one["required_approval_count"] = given.required_approval_count
    call.store.put("protected_environment", one)
    return _protection(one)


@router.delete("/projects/{id}/protected_environments/{name}")
@needed_by(Need.PLUGINS, Need.INVENTORY)
def unprotect_environment(call: Call, id: str, name: str) -> None:
    """Remove a protection."""
    call.store.remove("protected_environment", _protected(call, id, name)["id"])

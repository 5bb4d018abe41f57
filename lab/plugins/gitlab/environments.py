"""Environments of projects, and who may deploy to protected ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lab.plugins import framework
from lab.plugins.bridge import Resource
from lab.plugins.gitlab.client import ApiError, GitLab, segment, wait
from lab.plugins.gitlab.common import LEVELS, known, level_name, number, parts, rfc3339
from lab.plugins.planning import Data
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties

# -- environments -----------------------------------------------------------------------------------------------------

_TIERS: Final = ("production", "staging", "testing", "development", "other")
_NO_SPACE: Final = framework.matching("external_url", r"^\S+$", "The URL may not contain whitespace")

ENVIRONMENT: Final = framework.resource(
    "gitlab:index/projectEnvironment:ProjectEnvironment",
    autoname=("name",),
    default={"stopBeforeDestroy": False},
    required_with={"kubernetesNamespace": ("clusterAgentId",), "fluxResourcePath": ("clusterAgentId",)},
    validate={
        "externalUrl": _NO_SPACE,
        "tier": framework.one_of("tier", *_TIERS),
        "autoStopSetting": framework.one_of("auto_stop_setting", "always", "with_action"),
    },
)
_SENT: Final = {
    "description": "description",
    "externalUrl": "external_url",
    "tier": "tier",
    "clusterAgentId": "cluster_agent_id",
    "kubernetesNamespace": "kubernetes_namespace",
    "fluxResourcePath": "flux_resource_path",
    "autoStopSetting": "auto_stop_setting",
}


def _environment(project: str, number_: int | str = "") -> str:
    path = f"projects/{segment(project)}/environments"
    return f"{path}/{number_}" if number_ else path


def _body(data: Data) -> Properties:
    sent = {theirs: data.raw(name) for name, theirs in _SENT.items() if data.raw(name) is not None}
    return {"name": data.get("name"), **sent}


def _take(data: Data, project: str, found: Properties) -> None:
    data.id = f"{project}:{found['id']}"
    data.set("project", project)
    data.set("name", found["name"])
    for name in ("description", "externalUrl", "tier", "kubernetesNamespace", "fluxResourcePath", "autoStopSetting"):
        data.set(name, found.get(_SENT[name]) or "")
    data.set("slug", found.get("slug") or "")
    data.set("state", found.get("state") or "")
    data.set("clusterAgentId", (found.get("cluster_agent") or {}).get("id"))
    for name, theirs in (("createdAt", "created_at"), ("updatedAt", "updated_at"), ("autoStopAt", "auto_stop_at")):
        data.set(name, rfc3339(found.get(theirs)))


def _create_environment(data: Data, gitlab: GitLab) -> None:
    project = data.get("project")
    try:
        found = gitlab.post(_environment(project), _body(data))
    except ApiError as error:
        if error.missing:
            raise PluginError("The Environments feature is not available for this project.") from None
        raise PluginError(f"Error creating GitLab project environment: {error}") from None
    _take(data, project, found)


def _read_environment(data: Data, gitlab: GitLab) -> None:
    project, text = parts(data.id, "project", "environment_id")
    found = gitlab.find(_environment(project, number(text, "environment ID")))
    if found is None:
        data.id = ""
        return
    _take(data, project, found)


def _update_environment(data: Data, gitlab: GitLab) -> None:
    project, text = parts(data.id, "project", "environment_id")
    path = _environment(project, number(text, "environment ID"))
    found = gitlab.put(path, {"external_url": "", **_body(data)})
    if data.raw("clusterAgentId") is None and data.old("clusterAgentId") is not None:
        found = gitlab.put(path, {"cluster_agent_id": None, "kubernetes_namespace": None, "flux_resource_path": None})
    _take(data, project, found)


def _delete_environment(data: Data, gitlab: GitLab) -> None:
    project, text = parts(data.id, "project", "environment_id")
    path = _environment(project, number(text, "environment ID"))
    if data.get("stopBeforeDestroy"):
        gitlab.post(f"{path}/stop", {"force": data.get("autoStopSetting") == "with_action"})
        wait(lambda: (gitlab.find(path) or {"state": "stopped"})["state"] == "stopped", "the environment to stop")
    found = gitlab.find(path)
    if found is None:
        return
    if found["state"] != "stopped":
        raise PluginError(
            f"cannot destroy GitLab project {project} environment {text}: Environment must be in a stopped state "
            "before deletion. Set stop_before_destroy flag to attempt to auto stop the environment on destruction"
        )
    gitlab.delete(path)


# -- protected environments -------------------------------------------------------------------------------------------

_INSIDE: Final = ("id", "accessLevelDescription", "groupInheritanceType")

PROTECTED: Final = framework.resource(
    "gitlab:index/projectProtectedEnvironment:ProjectProtectedEnvironment",
    sets=("deployAccessLevelsAttributes",),
    inside={"deployAccessLevelsAttributes": _INSIDE, "approvalRules": (*_INSIDE, "requiredApprovals")},
)
_RULE: Final = {
    "userId": "user_id",
    "groupId": "group_id",
    "groupInheritanceType": "group_inheritance_type",
    "requiredApprovals": "required_approvals",
}
_LISTS: Final = {"deployAccessLevelsAttributes": "deploy_access_levels", "approvalRules": "approval_rules"}


def _protected(project: str, name: str = "") -> str:
    path = f"projects/{segment(project)}/protected_environments"
    return f"{path}/{segment(name)}" if name else path


def _rule(item: Mapping[str, object]) -> Properties:
    """Return the request for one rule; raises `PluginError` unless it says who, once."""
    given = known(dict(item))
    who = [name for name in ("accessLevel", "userId", "groupId") if given.get(name)]
    if len(who) != 1:
        raise PluginError("Invalid Attribute Combination. One of access_level, user_id, group_id must be specified")
    body: Properties = {theirs: given[name] for name, theirs in _RULE.items() if given.get(name)}
    if given.get("accessLevel"):
        body["access_level"] = LEVELS[str(given["accessLevel"]).lower()]
    return body


def _who(rule: Properties) -> tuple[object, ...]:
    return tuple(rule.get(name) or None for name in ("access_level", "user_id", "group_id"))


def _take_protected(data: Data, project: str, found: Properties) -> None:
    data.id = f"{project}:{found['name']}"
    data.set("project", project)
    data.set("environment", found["name"])
    for name, theirs in _LISTS.items():
        rules = [
            {
                "id": rule["id"],
                "accessLevel": level_name(rule["access_level"]) if rule.get("access_level") else None,
                "accessLevelDescription": rule.get("access_level_description") or "",
                "userId": rule.get("user_id") or None,
                "groupId": rule.get("group_id") or None,
                "groupInheritanceType": rule.get("group_inheritance_type") or 0,
                "requiredApprovals": rule.get("required_approvals") or None,
            }
            for rule in found.get(theirs) or []
        ]
        data.set(name, rules or (None if name not in data.inputs and data.raw(name) is None else []))


def _create_protected(data: Data, gitlab: GitLab) -> None:
    project = data.get("project")
    body: Properties = {"name": data.get("environment")}
    for name, theirs in _LISTS.items():
        body[theirs] = [_rule(item) for item in data.get(name)]
    try:
        found = gitlab.post(_protected(project), body)
    except ApiError as error:
        if error.missing:
            raise PluginError(
                "The protected environment feature is not available on this project. Make sure it's part of an "
                f"enterprise plan. Error: {error}"
            ) from None
        raise PluginError(f"Unable to protect environment: {error}") from None
    _take_protected(data, project, found)


def _read_protected(data: Data, gitlab: GitLab) -> None:
    project, name = parts(data.id, "project", "environment")
    found = gitlab.find(_protected(project, name))
    if found is None:
        data.id = ""
        return
    _take_protected(data, project, found)


def _update_protected(data: Data, gitlab: GitLab) -> None:
    project, name = parts(data.id, "project", "environment")
    present = gitlab.get(_protected(project, name))
    body: Properties = {"name": name}
    for prop, theirs in _LISTS.items():
        held = {_who(rule): rule["id"] for rule in present.get(theirs) or []}
        wanted = [_rule(item) for item in data.get(prop)]
        names = [_who(rule) for rule in wanted]
        kept = [{**rule, "id": held[who]} if who in held else rule for rule, who in zip(wanted, names, strict=True)]
        gone = [
            {**{key: rule[key] for key in ("access_level", "user_id", "group_id") if rule.get(key)}}
            | {"id": rule["id"], "_destroy": True}
            for rule in present.get(theirs) or []
            if _who(rule) not in names
        ]
        body[theirs] = kept + gone
    try:
        found = gitlab.put(_protected(project, name), body)
    except ApiError as error:
        raise PluginError(f"Unable to update protected environment details: {error}") from None
    _take_protected(data, project, found)


def _delete_protected(data: Data, gitlab: GitLab) -> None:
    project, name = parts(data.id, "project", "environment")
    gitlab.delete(_protected(project, name))


RESOURCES: Final = {
    ENVIRONMENT.token: Resource(
        ENVIRONMENT,
        _create_environment,
        _read_environment,
        _update_environment,
        _delete_environment,
        customise=framework.replacing("project", "name"),
    ),
    PROTECTED.token: Resource(
        PROTECTED,
        _create_protected,
        _read_protected,
        _update_protected,
        _delete_protected,
        customise=framework.replacing("project", "environment"),
    ),
}

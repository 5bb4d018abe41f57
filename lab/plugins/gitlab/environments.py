"""Environments of projects, and protected environments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lab.plugins import framework
from lab.plugins.fields import fields
from lab.plugins.gitlab.client import GitLabApiError, GitLabPluginClient, wait
from lab.plugins.gitlab.common import LEVELS, known, level_name, rfc3339
from lab.plugins.gitlab.items import GitLabItem
from lab.plugins.items import table
from lab.plugins.planning import Data
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties

# -- environments -----------------------------------------------------------------------------------------------------

_TIERS: Final = ("production", "staging", "testing", "development", "other")
_NO_SPACE: Final = framework.matching("external_url", r"^\S+$", "The URL may not contain whitespace")
_TIMES: Final = ("createdAt", "updatedAt", "autoStopAt")


class _GitLabEnvironment(GitLabItem):
    def refusal(self, doing: str, error: GitLabApiError) -> PluginError:
        if doing == "create" and error.missing:
            return PluginError("The Environments feature is not available for this project.")
        return super().refusal(doing, error)

    def update(self, data: Data, gitlab: GitLabPluginClient) -> None:
        """Update the object."""
        self.change(data, gitlab, {"external_url": "", **self.body(data)})

    def delete(self, data: Data, gitlab: GitLabPluginClient) -> None:
        """Delete it if it is stopped; stop it before that if the program requests it."""
        path = self.place(data.id).path
        if data.get("stopBeforeDestroy"):
            gitlab.post(f"{path}/stop", {"force": False})
            wait(lambda: (gitlab.find(path) or {"state": "stopped"})["state"] == "stopped", "the environment to stop")
        found = gitlab.find(path)
        if found is None:
            return
        if found["state"] != "stopped":
            project, _, number = data.id.partition(":")
            raise PluginError(
                f"cannot destroy GitLab project {project} environment {number}: Environment must be in a stopped state "
                "before deletion. Set stop_before_destroy flag to attempt to auto stop the environment on destruction"
            )
        gitlab.delete(path)


_ENVIRONMENT: Final = _GitLabEnvironment(
    shape=framework.resource(
        "gitlab:index/projectEnvironment:ProjectEnvironment",
        autoname=("name",),
        default={"stopBeforeDestroy": False},
        validate={"externalUrl": _NO_SPACE, "tier": framework.one_of("tier", *_TIERS)},
    ),
    root="projects",
    collection="environments",
    owner="project",
    id=("project", "environment_id"),
    numbers=("", "environment ID"),
    always=fields("name"),
    sent=fields("description", "externalUrl", "tier"),
    read_back=fields("slug", "state", *_TIMES),
    decode=dict.fromkeys(_TIMES, rfc3339),
    refused={"create": "Error creating GitLab project environment"},
    replacing=("project", "name"),
)

# -- protected environments -------------------------------------------------------------------------------------------

_INSIDE: Final = ("id", "accessLevelDescription", "groupInheritanceType")
_RULE: Final = {
    "userId": "user_id",
    "groupId": "group_id",
    "groupInheritanceType": "group_inheritance_type",
    "requiredApprovals": "required_approvals",
}
_LISTS: Final = {"deployAccessLevelsAttributes": "deploy_access_levels", "approvalRules": "approval_rules"}


def _rule(item: Mapping[str, object]) -> Properties:
    """Return the body for one rule; raises `PluginError` unless it has exactly one of level, user and group."""
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


class _Protected(GitLabItem):
    def body(self, data: Data) -> Properties:
        lists = {theirs: [_rule(item) for item in data.get(name)] for name, theirs in _LISTS.items()}
        return {"name": data.get("environment"), **lists}

    def take(self, data: Data, found: Properties, gitlab: GitLabPluginClient) -> None:
        super().take(data, found, gitlab)
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

    def refusal(self, doing: str, error: GitLabApiError) -> PluginError:
        if doing == "create" and error.missing:
            return PluginError(
                "The protected environment feature is not available on this project. Make sure it's part of an "
                f"enterprise plan. Error: {error}"
            )
        return super().refusal(doing, error)

    def update(self, data: Data, gitlab: GitLabPluginClient) -> None:
        """Update it: kept rules have their number, removed rules have a mark."""
        place = self.place(data.id)
        present = gitlab.get(place.path)
        body = self.body(data)
        for theirs in _LISTS.values():
            held = {_who(rule): rule["id"] for rule in present.get(theirs) or []}
            names = [_who(rule) for rule in body[theirs]]
            kept = [
                {**rule, "id": held[who]} if who in held else rule
                for rule, who in zip(body[theirs], names, strict=True)
            ]
            gone = [
                {key: rule[key] for key in ("access_level", "user_id", "group_id") if rule.get(key)}
                | {"id": rule["id"], "_destroy": True}
                for rule in present.get(theirs) or []
                if _who(rule) not in names
            ]
            body[theirs] = kept + gone
        self.change(data, gitlab, body)


_PROTECTED: Final = _Protected(
    shape=framework.resource(
        "gitlab:index/projectProtectedEnvironment:ProjectProtectedEnvironment",
        sets=("deployAccessLevelsAttributes",),
        inside={"deployAccessLevelsAttributes": _INSIDE, "approvalRules": (*_INSIDE, "requiredApprovals")},
    ),
    root="projects",
    collection="protected_environments",
    owner="project",
    id=("project", "environment"),
    key="name",
    read_back=fields(environment="name"),
    refused={"create": "Unable to protect environment", "update": "Unable to update protected environment details"},
    replacing=("project", "environment"),
)

RESOURCES: Final = table(_ENVIRONMENT, _PROTECTED)

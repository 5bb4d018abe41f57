# ruff: noqa: ANN401 - JSON answers have any type
"""Webhooks of projects, and of groups if the edition has them. They are stored, but never called."""

from __future__ import annotations

import re
from typing import Any, Final, Literal

from lab.standins.gitlab import access
from lab.standins.gitlab.errors import ApiError, invalid, not_found
from lab.standins.gitlab.params import Bool, Hashes, Paging, Params, Text
from lab.standins.gitlab.routing import Call, Router
from lab.standins.gitlab.site import now
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router = Router("hooks")

#: Events of both kinds, with their defaults.
_EVENTS: Final[dict[str, bool]] = {
    "push_events": True,
    "issues_events": False,
    "confidential_issues_events": False,
    "merge_requests_events": False,
    "tag_push_events": False,
    "note_events": False,
    "confidential_note_events": False,
    "job_events": False,
    "pipeline_events": False,
    "wiki_page_events": False,
    "deployment_events": False,
    "feature_flag_events": False,
    "releases_events": False,
    "milestone_events": False,
    "emoji_events": False,
    "resource_access_token_events": False,
    "vulnerability_events": False,
}
_GROUP_EVENTS: Final = {"subgroup_events": False, "member_events": False, "project_events": False}
_PROJECT_EVENTS: Final = {"repository_update_events": False, "resource_deploy_token_events": False}
_SETTINGS: Final[dict[str, Any]] = {
    "name": None,
    "description": None,
    "enable_ssl_verification": True,
    "push_events_branch_filter": "",
    "branch_filter_strategy": "wildcard",
    "custom_webhook_template": None,
}


class HookParams(Params):
    """Parameters of creation and update."""

    name: Text = None
    description: Text = None
    token: Text = None
    signing_token: Text = None
    push_events: Bool = None
    issues_events: Bool = None
    confidential_issues_events: Bool = None
    merge_requests_events: Bool = None
    tag_push_events: Bool = None
    note_events: Bool = None
    confidential_note_events: Bool = None
    job_events: Bool = None
    pipeline_events: Bool = None
    wiki_page_events: Bool = None
    deployment_events: Bool = None
    feature_flag_events: Bool = None
    releases_events: Bool = None
    milestone_events: Bool = None
    emoji_events: Bool = None
    resource_access_token_events: Bool = None
    resource_deploy_token_events: Bool = None
    repository_update_events: Bool = None
    vulnerability_events: Bool = None
    subgroup_events: Bool = None
    member_events: Bool = None
    project_events: Bool = None
    enable_ssl_verification: Bool = None
    push_events_branch_filter: Text = None
    branch_filter_strategy: Literal["wildcard", "regex", "all_branches"] | None = None
    custom_webhook_template: Text = None
    url_variables: Hashes = None
    custom_headers: Hashes = None


class NewHook(HookParams):
    """Parameters of a new hook."""

    url: str


class ChangedHook(HookParams):
    """Parameters of an update."""

    url: Text = None


def _events(kind: str) -> dict[str, bool]:
    return {**_EVENTS, **(_GROUP_EVENTS if kind == "group" else _PROJECT_EVENTS)}


def _shown(kind: str, hook: Document) -> Document:
    return {
        "id": hook["id"],
        "url": hook["url"],
        "created_at": hook["created_at"],
        **{name: hook[name] for name in (*_events(kind), *_SETTINGS)},
        "alert_status": "executable",
        "disabled_until": None,
        # Only keys, because values are secret and never shown again.
        "url_variables": [{"key": key} for key in hook["url_variables"]],
        "custom_headers": [{"key": key} for key in hook["custom_headers"]],
        f"{kind}_id": hook["source_id"],
        "token_present": hook["token"] is not None,
        "signing_token_present": hook["signing_token"] is not None,
    }


def _source(call: Call, kind: str, id_: str) -> int:
    if kind == "group":
        call.require_premium()
        return int(call.group(id_, access.OWNER)["id"])
    return int(call.project(id_, access.MAINTAINER)["id"])


def _one(call: Call, kind: str, source: int, hook_id: int) -> Document:
    hook = call.store.get("hook", hook_id)
    if hook is None or (hook["source_type"], hook["source_id"]) != (kind, source):
        raise not_found("Hook" if kind == "project" else "")
    return hook


def _pairs(call: Call, name: str, given: list[Document] | None) -> Document:
    made = {}
    for one in given or []:
        key, value = one.get("key"), one.get("value")
        if not isinstance(key, str) or not re.fullmatch(r"[A-Za-z]+[0-9A-Za-z._-]*", key):
            raise ApiError(400, {"error": f"{name}[key] is invalid"})
        if not isinstance(value, str):
            raise ApiError(400, {"error": f"{name}[value] is missing"})
        made[key] = call.site.seal(value)
    return made


def _applied(call: Call, kind: str, hook: Document, given: HookParams, url: str) -> Document:
    sent = given.sent("url", "token", "signing_token", "url_variables", "custom_headers")
    known = {**_events(kind), **_SETTINGS}
    kept = {name: value for name, value in sent.items() if name in known}
    kept = {name: value for name, value in kept.items() if value is not None or known[name] is None}
    changed = {**hook, **kept, "url": url}
    for name in ("token", "signing_token"):
        if name in given.model_fields_set:
            value = getattr(given, name)
            changed[name] = call.site.seal(value) if value else None
    for name in ("url_variables", "custom_headers"):
        if getattr(given, name) is not None:
            changed[name] = _pairs(call, name, getattr(given, name))
    plain = url
    for key in changed["url_variables"]:
        if f"{{{key}}}" not in url:
            raise invalid(url=[f"is missing the url variable {key}"])
        plain = plain.replace(f"{{{key}}}", "x")
    if not re.fullmatch(r"https?://[^\s/?#]+\S*", plain) or len(url) > 2048:  # noqa: PLR2004 - GitLab's limit
        raise ApiError(422, {"error": "Invalid url given"})
    if changed["branch_filter_strategy"] == "regex":
        try:
            re.compile(changed["push_events_branch_filter"])
        except re.error:
            raise ApiError(422, {"error": "Invalid branch filter given"}) from None
    return changed


def _routes(kind: str) -> None:
    path = f"/{kind}s/{{id}}/hooks"

    @router.get(path)
    @needed_by(Need.INVENTORY)
    def list_hooks(call: Call, id: str, given: Paging) -> Any:
        """List all hooks."""
        found = call.store.find("hook", source_type=kind, source_id=_source(call, kind, id))
        return call.page(found, given, lambda one: _shown(kind, one))

    @router.get(f"{path}/{{hook_id}}")
    @needed_by(Need.PLUGINS)
    def get_hook(call: Call, id: str, hook_id: int) -> Any:
        """Return one hook."""
        return _shown(kind, _one(call, kind, _source(call, kind, id), hook_id))

    @router.post(path)
    @needed_by(Need.PLUGINS, Need.PEOPLE)
    def create_hook(call: Call, id: str, given: NewHook) -> Any:
        """Create a hook."""
        source = _source(call, kind, id)
        fresh: Document = {
            "token": None,
            "signing_token": None,
            "url_variables": {},
            "custom_headers": {},
            "created_at": now(),
        }
        blank = {**_events(kind), **_SETTINGS, **fresh, "source_type": kind, "source_id": source}
        return _shown(kind, call.store.add("hook", _applied(call, kind, blank, given, given.url)))

    @router.put(f"{path}/{{hook_id}}")
    @needed_by(Need.PLUGINS)
    def update_hook(call: Call, id: str, hook_id: int, given: ChangedHook) -> Any:
        """Update a hook."""
        hook = _one(call, kind, _source(call, kind, id), hook_id)
        changed = _applied(call, kind, hook, given, given.url or hook["url"])
        call.store.put("hook", changed)
        return _shown(kind, changed)

    @router.delete(f"{path}/{{hook_id}}")
    @needed_by(Need.PLUGINS, Need.INVENTORY)
    def delete_hook(call: Call, id: str, hook_id: int) -> None:
        """Delete a hook."""
        call.store.remove("hook", _one(call, kind, _source(call, kind, id), hook_id)["id"])


_routes("project")
_routes("group")

"""Webhooks of projects and groups."""

from __future__ import annotations

from typing import Final

from lab.plugins import framework
from lab.plugins.fields import fields, snake
from lab.plugins.gitlab.client import GitLab
from lab.plugins.gitlab.items import Item
from lab.plugins.items import table
from lab.plugins.planning import Data
from lab.plugins.wire import Properties

_PAIRS: Final = ("customHeaders", "urlVariables")
_TEXTS: Final = ("name", "description", "pushEventsBranchFilter", "branchFilterStrategy", "customWebhookTemplate")


class _Hook(Item):
    def body(self, data: Data) -> Properties:
        pairs = {
            snake(name): [{"key": item["key"], "value": item["value"]} for item in data.get(name)]
            for name in _PAIRS
            if data.raw(name)
        }
        signing = {"signing_token": token} if (token := data.inputs.get("signingToken")) else {}
        return {**super().body(data), **pairs, **signing}

    def take(self, data: Data, found: Properties, gitlab: GitLab) -> None:
        super().take(data, found, gitlab)
        for name in _PAIRS:
            # Keys are answered, values never.
            values = {item["key"]: item["value"] for item in data.raw(name) or []}
            pairs = [
                {"key": item["key"], "value": values.get(item["key"], "")} for item in found.get(snake(name)) or []
            ]
            if pairs or data.raw(name):
                data.set(name, pairs)


def _hook(token: str, owner: str) -> Item:
    bare = framework.resource(token).fields
    events = tuple(name for name, field in bare.items() if name.endswith("Events") and field.input)
    computed = ("alertStatus", "disabledUntil", "signingTokenPresent", *({"repositoryUpdateEvents"} & bare.keys()))
    return _Hook(
        shape=framework.resource(
            token,
            sets=_PAIRS,
            autoname=("name",),
            default={**dict.fromkeys(events, False), "pushEvents": True, "enableSslVerification": True},
            kept=("hookId", f"{owner}Id"),
            write_only={"signingToken": True},
            validate={
                "url": framework.matching("url", r"^\S+$", "The URL may not contain whitespace"),
                "branchFilterStrategy": framework.one_of("branch_filter_strategy", "wildcard", "regex", "all_branches"),
            },
        ),
        root=f"{owner}s",
        collection="hooks",
        owner=owner,
        id=(owner, "hook_id"),
        numbers=("", "hook id"),
        always=fields("url"),
        sent=fields(*_TEXTS, *events, "enableSslVerification"),
        written=fields("token"),
        read_back={"hookId": "id", **fields(f"{owner}Id", *computed)},
        nullable=(f"{owner}Id", "disabledUntil"),
        refused={"create": f"Error creating GitLab {owner} hook", "update": f"Error updating GitLab {owner} hook"},
        replacing=(owner, f"{owner}Id", "url"),
    )


PROJECT_HOOK: Final = _hook("gitlab:index/projectHook:ProjectHook", "project")
RESOURCES: Final = table(PROJECT_HOOK, _hook("gitlab:index/groupHook:GroupHook", "group"))

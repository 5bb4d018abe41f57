"""Webhooks of projects and groups, which the program never creates."""

from __future__ import annotations

from typing import Final

from lab.plugins import framework
from lab.plugins.fields import fields
from lab.plugins.gitlab.items import GitLabItem
from lab.plugins.items import table


def _hook(token: str, owner: str) -> GitLabItem:
    shape = framework.resource(
        token,
        autoname=("name",),
        default={"pushEvents": True, "enableSslVerification": True},
        kept=("hookId", f"{owner}Id"),
    )
    answered = [name for name in shape.fields if name not in (owner, "hookId", "token")]
    return GitLabItem(
        shape=shape,
        root=f"{owner}s",
        collection="hooks",
        owner=owner,
        id=(owner, "hook_id"),
        numbers=("", "hook id"),
        read_back={"hookId": "id", **fields(*answered)},
        nullable=(f"{owner}Id", "disabledUntil"),
        replacing=(owner, f"{owner}Id", "url"),
        adopted=True,
    )


RESOURCES: Final = table(
    _hook("gitlab:index/projectHook:ProjectHook", "project"), _hook("gitlab:index/groupHook:GroupHook", "group")
)

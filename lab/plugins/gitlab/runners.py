"""Runners, which a user creates; only the answer to the creation has the token."""

from __future__ import annotations

from typing import Final

from lab.plugins import framework, items
from lab.plugins.bridge import Customise
from lab.plugins.fields import fields
from lab.plugins.gitlab.client import GitLabPluginClient, segment
from lab.plugins.items import table
from lab.plugins.planning import Data
from lab.plugins.wire import Properties

_TYPES: Final = ("instance_type", "group_type", "project_type")
_SENT: Final = ("description", "maintenanceNote", "paused", "locked", "accessLevel", "maximumTimeout")


class _Runner(items.Item[GitLabPluginClient]):
    def customise(self) -> Customise | None:
        return framework.replacing("runnerType", "groupId", "projectId")

    def creation(self, data: Data) -> Properties:
        place = {field: data.get(name) for name, field in fields("groupId", "projectId").items() if data.get(name)}
        return {**self.body(data), **place, "runner_type": data.get("runnerType")}

    def find(self, data: Data, client: GitLabPluginClient) -> Properties | None:
        """Return the runner from GitLab, None if it does not exist."""
        found: Properties | None = client.find(f"runners/{segment(data.id)}")
        return found

    def create(self, data: Data, client: GitLabPluginClient) -> None:
        """Create the runner."""
        made = client.post("user/runners", self.creation(data))
        data.id = str(made["id"])
        data.set("token", made["token"])
        self.read(data, client)

    def update(self, data: Data, client: GitLabPluginClient) -> None:
        """Update the runner."""
        client.put(f"runners/{data.id}", self.body(data))
        self.read(data, client)

    def delete(self, data: Data, client: GitLabPluginClient) -> None:
        """Delete the runner."""
        client.delete(f"runners/{data.id}")


RESOURCES: Final = table(
    _Runner(
        shape=framework.resource(
            "gitlab:index/userRunner:UserRunner",
            sets=("tagLists",),
            kept=("token", "paused", "locked", "untagged", "accessLevel", "description", "maintenanceNote"),
            validate={
                "runnerType": framework.one_of("runner_type", *_TYPES),
                "accessLevel": framework.one_of("access_level", "not_protected", "ref_protected"),
            },
        ),
        sent={**fields(*_SENT), "tagLists": "tag_list", "untagged": "run_untagged"},
        read_back=fields("runnerType"),
        nullable=("maximumTimeout", "description", "maintenanceNote"),
    )
)

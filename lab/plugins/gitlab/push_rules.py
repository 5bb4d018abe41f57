"""Push rules of projects."""

from __future__ import annotations

from typing import Final

from lab.plugins import framework
from lab.plugins.fields import fields
from lab.plugins.gitlab.client import GitLabApiError, GitLabPluginClient
from lab.plugins.gitlab.items import ProjectPart
from lab.plugins.items import table
from lab.plugins.planning import Data
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties

_NAMES: Final = (
    "authorEmailRegex", "branchNameRegex", "commitMessageRegex", "commitMessageNegativeRegex", "fileNameRegex",
    "commitCommitterCheck", "commitCommitterNameCheck", "denyDeleteTag", "memberCheck", "preventSecrets",
    "rejectNonDcoCommits", "rejectUnsignedCommits", "maxFileSize",
)  # fmt: skip


class _Rules(ProjectPart):
    def find(self, data: Data, client: GitLabPluginClient) -> Properties | None:
        """Return the rules from GitLab; rules without an id do not exist."""
        try:
            return super().find(data, client) or None
        except GitLabApiError as error:
            raise PluginError(f"Unable to read project push rules details: {error}") from None

    def create(self, data: Data, client: GitLabPluginClient) -> None:
        """Create the rules, or update existing ones."""
        project = data.get("project")
        path, body = self.path(project), self.body(data)
        try:
            present = client.find(path)
            rules = client.put(path, body) if present and present.get("id") else client.post(path, body)
        except GitLabApiError as error:
            raise self.refusal("create", error) from None
        self.take_of(project, data, rules, client)


RESOURCES: Final = table(
    _Rules(
        shape=framework.resource("gitlab:index/projectPushRules:ProjectPushRules", kept=_NAMES),
        collection="push_rule",
        sent=fields(*_NAMES),
        refused={
            "create": "Unable to add project push rules details",
            "update": "Failed to update project push rules",
        },
    )
)

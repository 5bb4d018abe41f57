"""Groups, and the base class of groups and projects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lab.plugins import items
from lab.plugins.fields import always, fields
from lab.plugins.gitlab.client import GitLabApiError, GitLabPluginClient, segment, wait
from lab.plugins.items import table
from lab.plugins.planning import Data, is_zero
from lab.plugins.schema import one_of, resource
from lab.plugins.server import PluginError, refused
from lab.plugins.wire import Properties


@dataclass(frozen=True, kw_only=True)
class GroupOrProject(items.Item[GitLabPluginClient]):
    """A group or a project, in `collection`. Properties in `written` are sent only at creation."""

    collection: str

    def path(self, data: Data) -> str:
        """Return its path in the API."""
        return f"{self.collection}/{segment(data.id)}"

    def find(self, data: Data, client: GitLabPluginClient) -> Properties | None:
        """Return the object from GitLab, None if it does not exist or is marked for deletion, as upstream does."""
        query = {"with_projects": False} if self.collection == "groups" else {}
        found: Properties | None = client.find(self.path(data), **query)
        return None if found is None or _is_going(found) else found

    def take(self, data: Data, found: Properties, client: GitLabPluginClient) -> None:
        """Read the answer into the properties."""
        data.id = str(found["id"])
        super().take(data, found, client)

    def changed(self, data: Data) -> Properties:
        """Return a body with the changed properties."""
        names = {**self.always, **self.sent}
        return always(data, {name: field for name, field in names.items() if data.changed(name)})

    def delete(self, data: Data, client: GitLabPluginClient) -> None:
        """Delete it, and wait until it is gone or marked for deletion."""
        try:
            client.delete(self.path(data))
        except GitLabApiError as error:
            if "already marked for deletion" not in str(error):
                raise PluginError(f"error deleting {self.collection[:-1]} {data.id}: {error}") from None
        wait(lambda: self.find(data, client) is None, f"{self.path(data)} to become deleted")


def _is_going(found: Properties) -> bool:
    return bool(found.get("marked_for_deletion_on") or found.get("marked_for_deletion_at"))


def set_values(data: Data, names: dict[str, str]) -> Properties:
    """Return a body with the values of the program. Empty texts and 0 count as not set, False does not."""
    values = {field: data.raw(name) for name, field in names.items()}
    return {field: value for field, value in values.items() if isinstance(value, bool) or not is_zero(value)}


#: Properties that GitLab accepts only for an existing group.
_AFTERWARDS: Final = fields(
    "preventForkingOutsideGroup", "preventSharingGroupsOutsideHierarchy", "sharedRunnersSetting",
    "allowMergeOnSkippedPipeline", "onlyAllowMergeIfPipelineSucceeds", "onlyAllowMergeIfAllDiscussionsAreResolved",
    "maxArtifactsSize", "crmEnabled",
)  # fmt: skip


class _GitLabGroup(GroupOrProject):
    def creation(self, data: Data) -> Properties:
        protection = data.raw("defaultBranchProtection")  # here 0 is a value
        names = {name: field for name, field in self.sent.items() if name not in _AFTERWARDS}
        body = {**set_values(data, names), "default_branch_protection": protection}
        return {"name": data.get("name"), **{field: value for field, value in body.items() if value is not None}}

    def create(self, data: Data, client: GitLabPluginClient) -> None:
        """Create it, wait until it exists, then set the other properties."""
        data.id = str(client.post("groups", self.creation(data))["id"])
        wait(lambda: self.find(data, client) is not None, f"group ({data.id}) to create")
        more = {field: data.raw(name) for name, field in _AFTERWARDS.items() if data.raw(name) is not None}
        if more:
            with refused(f'could not update group after creation "{data.id}"'):
                client.put(self.path(data), more)
        self.read(data, client)

    def update(self, data: Data, client: GitLabPluginClient) -> None:
        """Update it; a new parent needs a separate request."""
        body = self.changed(data)
        body.pop("parent_id", None)
        if data.ok("visibilityLevel"):
            body["visibility"] = data.get("visibilityLevel")  # else GitLab resets it
        client.put(self.path(data), body)
        if data.changed("parentId"):
            parent = data.get("parentId")
            with refused(f"error transfering group {data.id} to new parent group {parent}"):
                client.post(f"{self.path(data)}/transfer", {"group_id": parent} if parent else {})
        self.read(data, client)


RESOURCES: Final = table(
    _GitLabGroup(
        shape=resource("gitlab:index/group:Group", autoname=("name",)).tuned(
            validate={
                "visibilityLevel": one_of("private", "internal", "public"),
                "projectCreationLevel": one_of("noone", "owner", "maintainer", "developer", "administrator"),
                "subgroupCreationLevel": one_of("owner", "maintainer"),
                "wikiAccessLevel": one_of("disabled", "private", "enabled"),
                "sharedRunnersSetting": one_of(
                    "enabled", "disabled_and_overridable", "disabled_and_unoverridable", "disabled_with_override"
                ),
            },
        ),
        collection="groups",
        always=fields("name"),
        sent=fields(
            *_AFTERWARDS,
            *(
                "path", "defaultBranch", "description", "lfsEnabled", "requestAccessEnabled",
                "requireTwoFactorAuthentication", "twoFactorGracePeriod", "projectCreationLevel", "autoDevopsEnabled",
                "subgroupCreationLevel", "emailsEnabled", "mentionsDisabled", "parentId", "defaultBranchProtection",
                "membershipLock", "extraSharedRunnersMinutesLimit", "sharedRunnersMinutesLimit",
                "shareWithGroupLock", "wikiAccessLevel",
            ),
            visibilityLevel="visibility",
        ),
        read_back=fields("fullPath", "fullName", "webUrl", "runnersToken", "avatarUrl"),
    )
)  # fmt: skip

"""Members of groups and projects, and their shares with groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lab.plugins import framework
from lab.plugins.fields import fields
from lab.plugins.gitlab.client import GitLabPluginClient, segment
from lab.plugins.gitlab.common import LEVELS, MEMBER_LEVELS, a_date, level_name, number, parts
from lab.plugins.gitlab.items import GitLabItem
from lab.plugins.items import table
from lab.plugins.planning import Data
from lab.plugins.schema import one_of, resource
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties

# -- members ----------------------------------------------------------------------------------------------------------


class _Membership(GitLabItem):
    def creation(self, data: Data) -> Properties:
        return {"user_id": data.get("userId"), **super().body(data)}


_GROUP: Final = _Membership(
    shape=framework.resource(
        "gitlab:index/groupMembership:GroupMembership",
        kept=("expiresAt",),
        validate={"accessLevel": framework.one_of("access_level", *MEMBER_LEVELS)},
    ),
    root="groups",
    collection="members",
    owner="groupId",
    id=("group_id", "user_id"),
    numbers=("ID", "ID"),
    always=fields("accessLevel", "expiresAt"),
    read_back={"userId": "id"},
    encode={"accessLevel": LEVELS.__getitem__},
    decode={"accessLevel": level_name},
    nullable=("expiresAt",),
    replacing=("groupId", "userId"),
)
_PROJECT: Final = _Membership(
    shape=resource("gitlab:index/projectMembership:ProjectMembership").tuned(
        validate={"accessLevel": one_of(*MEMBER_LEVELS), "expiresAt": a_date}
    ),
    root="projects",
    collection="members",
    owner="project",
    id=("project", "user_id"),
    always=fields("accessLevel", "expiresAt"),
    read_back={"userId": "id"},
    encode={"accessLevel": LEVELS.__getitem__},
    decode={"accessLevel": level_name},
)

# -- shares -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Share(GitLabItem):
    """A share with a group; `shared` is the property with that group."""

    shared: str

    def creation(self, data: Data) -> Properties:
        expiry = {"expires_at": data.get("expiresAt")} if data.get("expiresAt") else {}
        return {"group_id": data.get(self.shared), **self.body(data), **expiry}

    def create(self, data: Data, gitlab: GitLabPluginClient) -> None:
        """Create the share. GitLab's answer does not contain it."""
        owner, group = data.get(self.owner), data.get(self.shared)
        gitlab.post(self.path(owner), self.creation(data))
        data.id = f"{owner}:{group}"
        self.read(data, gitlab)
        if not data.id:
            raise PluginError(f"{self.root[:-1]} {owner} is not shared with group {group}, though GitLab accepted it")

    def find(self, data: Data, gitlab: GitLabPluginClient) -> Properties | None:
        """Return the share from the list in its group or project."""
        owner, group = parts(data.id, *self.id)
        query = {"with_projects": False} if self.root == "groups" else {}
        shares = (gitlab.find(f"{self.root}/{segment(owner)}", **query) or {}).get("shared_with_groups") or []
        wanted = number(group, self.numbers[1])
        return next((share for share in shares if share["group_id"] == wanted), None)


_PROJECT_SHARE: Final = _Share(
    shape=resource("gitlab:index/projectShareGroup:ProjectShareGroup").tuned(
        validate={"groupAccess": one_of(*MEMBER_LEVELS), "expiresAt": a_date}
    ),
    root="projects",
    collection="share",
    owner="project",
    shared="groupId",
    id=("project", "group_id"),
    numbers=("", "group id"),
    key="group_id",
    written=fields("groupAccess"),
    read_back=fields("groupId", "expiresAt", groupAccess="group_access_level"),
    encode={"groupAccess": LEVELS.__getitem__},
    decode={"groupAccess": level_name},
    updatable=False,
)
_GROUP_SHARE: Final = _Share(
    shape=framework.resource(
        "gitlab:index/groupShareGroup:GroupShareGroup",
        validate={"groupAccess": framework.one_of("group_access", *MEMBER_LEVELS)},
    ),
    root="groups",
    collection="share",
    owner="groupId",
    shared="shareGroupId",
    id=("group_id", "share_group_id"),
    numbers=("", "shared group id"),
    key="group_id",
    written=fields("groupAccess"),
    read_back=fields("expiresAt", shareGroupId="group_id", groupAccess="group_access_level"),
    encode={"groupAccess": LEVELS.__getitem__},
    decode={"groupAccess": level_name},
    nullable=("expiresAt",),
    replacing=("groupId", "shareGroupId", "groupAccess", "expiresAt", "memberRoleId"),
    updatable=False,
)

RESOURCES: Final = table(_GROUP, _PROJECT, _PROJECT_SHARE, _GROUP_SHARE)

"""Who is in a group or project, and which groups they are shared with."""

from __future__ import annotations

from typing import Final

from lab.plugins import framework
from lab.plugins.bridge import Resource
from lab.plugins.gitlab.client import GitLab, segment
from lab.plugins.gitlab.common import LEVELS, MEMBER_LEVELS, a_date, level_name, number, parts
from lab.plugins.planning import Data
from lab.plugins.schema import one_of, resource
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties

# -- members of a group -----------------------------------------------------------------------------------------------

GROUP_MEMBERSHIP: Final = framework.resource(
    "gitlab:index/groupMembership:GroupMembership",
    default={"skipSubresourcesOnDestroy": False, "unassignIssuablesOnDestroy": False},
    kept=("expiresAt",),
    validate={"accessLevel": framework.one_of("access_level", *MEMBER_LEVELS)},
)


def _membership(data: Data) -> Properties:
    body: Properties = {"access_level": LEVELS[data.get("accessLevel")], "expires_at": data.get("expiresAt")}
    if data.raw("memberRoleId") is not None:
        body["member_role_id"] = data.raw("memberRoleId")
    return body


def _group_member(data: Data, group: int, member: Properties) -> None:
    data.id = f"{group}:{member['id']}"
    data.set("groupId", group)
    data.set("userId", member["id"])
    data.set("accessLevel", level_name(member["access_level"]))
    data.set("memberRoleId", (member.get("member_role") or {}).get("id"))
    data.set("expiresAt", member.get("expires_at"))
    for name in ("skipSubresourcesOnDestroy", "unassignIssuablesOnDestroy"):
        data.set(name, bool(data.raw(name)))


def _create_group_membership(data: Data, gitlab: GitLab) -> None:
    group = data.get("groupId")
    body = {"user_id": data.get("userId"), **_membership(data)}
    _group_member(data, group, gitlab.post(f"groups/{group}/members", body))


def _read_group_membership(data: Data, gitlab: GitLab) -> None:
    group, user = (number(part, "ID") for part in parts(data.id, "group_id", "user_id"))
    member = gitlab.find(f"groups/{group}/members/{user}")
    if member is None:
        data.id = ""
        return
    _group_member(data, group, member)


def _update_group_membership(data: Data, gitlab: GitLab) -> None:
    group = data.get("groupId")
    body = {"member_role_id": None, **_membership(data)}
    _group_member(data, group, gitlab.put(f"groups/{group}/members/{data.get('userId')}", body))


def _delete_group_membership(data: Data, gitlab: GitLab) -> None:
    group, user = parts(data.id, "group_id", "user_id")
    gitlab.delete(
        f"groups/{group}/members/{user}",
        skip_subresources=data.get("skipSubresourcesOnDestroy"),
        unassign_issuables=data.get("unassignIssuablesOnDestroy"),
    )


# -- members of a project ---------------------------------------------------------------------------------------------

PROJECT_MEMBERSHIP: Final = resource("gitlab:index/projectMembership:ProjectMembership").tuned(
    validate={"accessLevel": one_of(*MEMBER_LEVELS), "expiresAt": a_date}
)


def _create_project_membership(data: Data, gitlab: GitLab) -> None:
    project = data.get("project")
    body = {"user_id": data.get("userId"), **_membership(data)}
    gitlab.post(f"projects/{segment(project)}/members", body)
    data.id = f"{project}:{data.get('userId')}"
    _read_project_membership(data, gitlab)


def _read_project_membership(data: Data, gitlab: GitLab) -> None:
    project, user = parts(data.id, "project", "user_id")
    member = gitlab.find(f"projects/{segment(project)}/members/{user}")
    if member is None:
        data.id = ""
        return
    data.id = f"{project}:{member['id']}"
    data.set("project", project)
    data.set("userId", member["id"])
    data.set("accessLevel", level_name(member["access_level"]))
    data.set("memberRoleId", (member.get("member_role") or {}).get("id"))
    data.set("expiresAt", member.get("expires_at"))


def _update_project_membership(data: Data, gitlab: GitLab) -> None:
    body = {"member_role_id": None, **_membership(data)}
    gitlab.put(f"projects/{segment(data.get('project'))}/members/{data.get('userId')}", body)
    _read_project_membership(data, gitlab)


def _delete_project_membership(data: Data, gitlab: GitLab) -> None:
    project, user = parts(data.id, "project", "user_id")
    gitlab.delete(f"projects/{segment(project)}/members/{user}")


# -- shares -----------------------------------------------------------------------------------------------------------

PROJECT_SHARE_GROUP: Final = resource("gitlab:index/projectShareGroup:ProjectShareGroup").tuned(
    validate={"groupAccess": one_of(*MEMBER_LEVELS), "expiresAt": a_date}
)
GROUP_SHARE_GROUP: Final = framework.resource(
    "gitlab:index/groupShareGroup:GroupShareGroup",
    validate={"groupAccess": framework.one_of("group_access", *MEMBER_LEVELS)},
)


def _share(data: Data, group: int) -> Properties:
    body: Properties = {"group_id": group, "group_access": LEVELS[data.get("groupAccess")]}
    if data.get("expiresAt"):
        body["expires_at"] = data.get("expiresAt")
    return body


def _shared_with(found: Properties | None, group: int) -> Properties | None:
    shares = (found or {}).get("shared_with_groups") or []
    return next((share for share in shares if share["group_id"] == group), None)


def _create_project_share(data: Data, gitlab: GitLab) -> None:
    project, group = data.get("project"), data.get("groupId")
    gitlab.post(f"projects/{segment(project)}/share", _share(data, group))
    data.id = f"{project}:{group}"
    _read_project_share(data, gitlab)


def _read_project_share(data: Data, gitlab: GitLab) -> None:
    project, text = parts(data.id, "project", "group_id")
    group = number(text, "group id")
    share = _shared_with(gitlab.find(f"projects/{segment(project)}"), group)
    if share is None:
        data.id = ""
        return
    data.set("project", project)
    data.set("groupId", group)
    data.set("groupAccess", level_name(share["group_access_level"]))
    data.set("expiresAt", share.get("expires_at"))


def _delete_project_share(data: Data, gitlab: GitLab) -> None:
    project, group = parts(data.id, "project", "group_id")
    gitlab.delete(f"projects/{segment(project)}/share/{group}")


def _group_share(data: Data, group: str, share: Properties) -> None:
    data.set("groupId", group)
    data.set("shareGroupId", share["group_id"])
    data.set("groupAccess", level_name(share["group_access_level"]))
    data.set("expiresAt", share.get("expires_at"))
    data.set("memberRoleId", share.get("member_role_id") or None)


def _create_group_share(data: Data, gitlab: GitLab) -> None:
    group, shared = data.get("groupId"), data.get("shareGroupId")
    body = _share(data, shared)
    if data.raw("memberRoleId") is not None:
        body["member_role_id"] = data.raw("memberRoleId")
    found = gitlab.post(f"groups/{segment(group)}/share", body)
    data.id = f"{group}:{shared}"
    share = _shared_with(found, shared)
    if share is None:
        raise PluginError(f"group {group} is not shared with group {shared}, though GitLab accepted it")
    _group_share(data, group, share)


def _read_group_share(data: Data, gitlab: GitLab) -> None:
    group, text = parts(data.id, "group_id", "share_group_id")
    share = _shared_with(gitlab.find(f"groups/{segment(group)}", with_projects=False), number(text, "shared group id"))
    if share is None:
        data.id = ""
        return
    _group_share(data, group, share)


def _delete_group_share(data: Data, gitlab: GitLab) -> None:
    group, shared = parts(data.id, "group_id", "share_group_id")
    gitlab.delete(f"groups/{segment(group)}/share/{shared}")


RESOURCES: Final = {
    shape.token: Resource(shape, create, read, update, delete, customise=customise)
    for shape, create, read, update, delete, customise in (
        (
            GROUP_MEMBERSHIP,
            _create_group_membership,
            _read_group_membership,
            _update_group_membership,
            _delete_group_membership,
            framework.replacing("groupId", "userId"),
        ),
        (
            PROJECT_MEMBERSHIP,
            _create_project_membership,
            _read_project_membership,
            _update_project_membership,
            _delete_project_membership,
            None,
        ),
        (PROJECT_SHARE_GROUP, _create_project_share, _read_project_share, None, _delete_project_share, None),
        (
            GROUP_SHARE_GROUP,
            _create_group_share,
            _read_group_share,
            None,
            _delete_group_share,
            framework.replacing("groupId", "shareGroupId", "groupAccess", "expiresAt", "memberRoleId"),
        ),
    )
}

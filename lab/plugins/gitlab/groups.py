# ruff: noqa: ANN401 - JSON from a server
"""Groups."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from lab.plugins.bridge import Resource
from lab.plugins.fields import snake
from lab.plugins.gitlab import push_rules
from lab.plugins.gitlab.client import ApiError, GitLab, wait
from lab.plugins.gitlab.common import LEVELS, known, level_name
from lab.plugins.planning import Data, is_zero
from lab.plugins.schema import Field, Shape, one_of, resource
from lab.plugins.server import PluginError, refused
from lab.plugins.wire import Properties

_RENAMED: Final = {"visibilityLevel": "visibility"}
#: Sent at creation and when changed.
_CREATED: Final = (
    "path",
    "defaultBranch",
    "description",
    "lfsEnabled",
    "requestAccessEnabled",
    "requireTwoFactorAuthentication",
    "twoFactorGracePeriod",
    "projectCreationLevel",
    "autoDevopsEnabled",
    "subgroupCreationLevel",
    "emailsEnabled",
    "mentionsDisabled",
    "parentId",
    "defaultBranchProtection",
    "membershipLock",
    "extraSharedRunnersMinutesLimit",
    "sharedRunnersMinutesLimit",
    "shareWithGroupLock",
    "visibilityLevel",
    "wikiAccessLevel",
)
#: What GitLab takes only of a group that is there.
_AFTERWARDS: Final = (
    "preventForkingOutsideGroup",
    "preventSharingGroupsOutsideHierarchy",
    "sharedRunnersSetting",
    "allowMergeOnSkippedPipeline",
    "onlyAllowMergeIfPipelineSucceeds",
    "onlyAllowMergeIfAllDiscussionsAreResolved",
    "maxArtifactsSize",
    "crmEnabled",
)
_LISTS: Final = ("ipRestrictionRanges", "allowedEmailDomainsLists")
_OUTPUTS: Final = ("fullPath", "fullName", "webUrl", "runnersToken", "avatarUrl")
_VISIBILITIES: Final = ("private", "internal", "public")


def computed_block(field: Field) -> Field:
    """Return a block's field with everything in it left to the server where the program says nothing."""
    return replace(field, fields={name: replace(inner, computed=True) for name, inner in (field.fields or {}).items()})


def _shape() -> Shape:
    shape = resource("gitlab:index/group:Group", sets=("ipRestrictionRanges",), autoname=("name",)).tuned(
        default={"permanentlyRemoveOnDelete": False, "archiveOnDestroy": False},
        conflicts={
            "defaultBranchProtection": ("defaultBranchProtectionDefaults",),
            "defaultBranchProtectionDefaults": ("defaultBranchProtection",),
        },
        validate={
            "visibilityLevel": one_of(*_VISIBILITIES),
            "projectCreationLevel": one_of("noone", "owner", "maintainer", "developer", "administrator"),
            "subgroupCreationLevel": one_of("owner", "maintainer"),
            "wikiAccessLevel": one_of("disabled", "private", "enabled"),
            "sharedRunnersSetting": one_of(
                "enabled", "disabled_and_overridable", "disabled_and_unoverridable", "disabled_with_override"
            ),
        },
    )
    fields = dict(shape.fields)
    for name in ("pushRules", "defaultBranchProtectionDefaults"):
        fields[name] = computed_block(fields[name])
    return replace(shape, fields=fields)


GROUP: Final = _shape()


def no_avatar(data: Data) -> None:
    """Refuse a picture; raises `PluginError`."""
    if data.get("avatar"):
        raise PluginError(f"avatar is not supported by this stand-in plugin ({data.shape.token})")


def _theirs(name: str) -> str:
    return "allowed_email_domains_list" if name == "allowedEmailDomainsLists" else _RENAMED.get(name, snake(name))


def _defaults(block: Properties | None) -> Properties:
    """Return the request for the protection of default branches."""
    said = known(block)
    body: Properties = {
        theirs: [{"access_level": LEVELS[level]} for level in said[name]]
        for name, theirs in (("allowedToPushes", "allowed_to_push"), ("allowedToMerges", "allowed_to_merge"))
        if name in said
    }
    for name in ("allowForcePush", "developerCanInitialPush", "codeOwnerApprovalRequired"):
        if name in said:
            body[snake(name)] = said[name]
    return body


def _create_group(data: Data, gitlab: GitLab) -> None:
    no_avatar(data)
    body: Properties = {"name": data.get("name")}
    for name in _CREATED:
        value = data.raw(name)
        if value is not None and (isinstance(value, bool) or name == "defaultBranchProtection" or not is_zero(value)):
            body[_theirs(name)] = value
    if data.raw("defaultBranchProtectionDefaults"):
        body["default_branch_protection_defaults"] = _defaults(data.raw("defaultBranchProtectionDefaults"))
    made = gitlab.post("groups", body)
    group = made["id"]
    wait(lambda: gitlab.find(f"groups/{group}", with_projects=False) is not None, f"group ({group}) to create")
    data.id = str(group)
    if data.raw("pushRules"):
        push_rules.write_block(data, gitlab, "groups")
    more = {_theirs(name): data.raw(name) for name in _AFTERWARDS if data.raw(name) is not None}
    more |= {_theirs(name): ",".join(data.get(name)) for name in _LISTS if data.ok(name)}
    if more:
        with refused(f'could not update group after creation "{group}"'):
            gitlab.put(f"groups/{group}", more)
    _read_group(data, gitlab)


def _names(levels: Any) -> list[str]:
    return [level_name(level["access_level"]) for level in levels or []]


def protection_defaults(found: Properties) -> Properties:
    """Return the protection of default branches, by property."""
    return {
        "allowedToPushes": _names(found.get("allowed_to_push")),
        "allowedToMerges": _names(found.get("allowed_to_merge")),
        "allowForcePush": bool(found.get("allow_force_push")),
        "developerCanInitialPush": bool(found.get("developer_can_initial_push")),
        "codeOwnerApprovalRequired": bool(found.get("code_owner_approval_required")),
    }


def _read_group(data: Data, gitlab: GitLab) -> None:
    group = gitlab.find(f"groups/{data.id}", with_projects=False)
    if group is None or is_going(group):
        data.id = ""
        return
    data.id = str(group["id"])
    data.set("name", group["name"])
    for name in (*_CREATED, *_AFTERWARDS, *_OUTPUTS):
        data.set(name, group.get(_theirs(name)))
    for name in _LISTS:
        text = group.get(_theirs(name)) or ""
        data.set(name, text.split(",") if text else [])
    defaults = group.get("default_branch_protection_defaults")
    if defaults is not None:
        data.set("defaultBranchProtectionDefaults", protection_defaults(defaults))
    if gitlab.enterprise:
        push_rules.read_block(data, gitlab, "groups")


def _update_group(data: Data, gitlab: GitLab) -> None:
    no_avatar(data)
    body: Properties = {}
    for name in ("name", *_CREATED, *_AFTERWARDS):
        if name != "parentId" and data.changed(name):
            body[_theirs(name)] = data.get(name)
    for name in _LISTS:
        if data.changed(name):
            body[_theirs(name)] = ",".join(data.get(name))
    if data.ok("visibilityLevel"):
        body["visibility"] = data.get("visibilityLevel")  # GitLab forgets it otherwise
    if data.changed("defaultBranchProtectionDefaults"):
        body["default_branch_protection_defaults"] = _defaults(data.raw("defaultBranchProtectionDefaults"))
    gitlab.put(f"groups/{data.id}", body)
    if data.changed("parentId"):
        parent = data.get("parentId")
        with refused(f"error transfering group {data.id} to new parent group {parent}"):
            gitlab.post(f"groups/{data.id}/transfer", {"group_id": parent} if parent else {})
    if data.changed("pushRules"):
        push_rules.write_block(data, gitlab, "groups")
    _read_group(data, gitlab)


def _delete_group(data: Data, gitlab: GitLab) -> None:
    where = f"groups/{data.id}"
    if data.get("archiveOnDestroy"):
        gitlab.post(f"{where}/archive")
        return
    try:
        gitlab.delete(where)
    except ApiError as error:
        if "already marked for deletion" not in str(error):
            raise PluginError(f"error deleting group {data.id}: {error}") from None
    finish_deletion(gitlab, where, "full_path", for_good=data.get("permanentlyRemoveOnDelete"))


def is_going(found: Properties) -> bool:
    """Tell whether a group or project is marked for deletion: to upstream that is as good as gone."""
    return bool(found.get("marked_for_deletion_on") or found.get("marked_for_deletion_at"))


def finish_deletion(gitlab: GitLab, where: str, path: str, *, for_good: bool) -> None:
    """Wait until a group or project is gone or marked to go, and with `for_good` have it removed at once."""

    def marked(found: Properties | None) -> bool:
        return found is None or is_going(found)

    wait(lambda: marked(gitlab.find(where)), f"{where} to become deleted")
    left = gitlab.find(where)
    if left is None or not for_good:
        return
    # Its path is another one since it was marked.
    with refused(f"{where} was marked for deletion, but permanent deletion failed"):
        gitlab.delete(where, permanently_remove=True, full_path=left[path])
    wait(lambda: gitlab.find(where) is None, f"{where} to become permanently deleted")


RESOURCES: Final = {GROUP.token: Resource(GROUP, _create_group, _read_group, _update_group, _delete_group)}

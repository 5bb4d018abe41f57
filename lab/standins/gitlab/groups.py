# ruff: noqa: ANN401 - JSON answers have any type
"""Groups: attributes, JSON, and validation."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field

from lab.standins.gitlab import access, naming
from lab.standins.gitlab.params import Bool, Hash, Int, Params, Text, truth
from lab.standins.gitlab.site import GitLabSite
from lab.standins.store import Document

Visibility = Literal["private", "internal", "public"]
VISIBILITIES: Final = ("private", "internal", "public")

_PROTECTION: Final[dict[int, Document]] = {
    0: {
        "allowed_to_push": [{"access_level": 30}],
        "allow_force_push": True,
        "allowed_to_merge": [{"access_level": 30}],
    },
    1: {
        "allowed_to_push": [{"access_level": 30}],
        "allow_force_push": False,
        "allowed_to_merge": [{"access_level": 30}],
    },
    2: {
        "allowed_to_push": [{"access_level": 40}],
        "allow_force_push": False,
        "allowed_to_merge": [{"access_level": 40}],
    },
    3: {
        "allowed_to_push": [{"access_level": 40}],
        "allow_force_push": False,
        "allowed_to_merge": [{"access_level": 30}],
    },
    4: {
        "allowed_to_push": [{"access_level": 40}],
        "allow_force_push": False,
        "allowed_to_merge": [{"access_level": 40}],
        "developer_can_initial_push": True,
    },
}

#: Attributes that a client sets, with their defaults.
ATTRIBUTES: Final[dict[str, Any]] = {
    "description": "",
    "share_with_group_lock": False,
    "require_two_factor_authentication": False,
    "two_factor_grace_period": 48,
    "project_creation_level": "developer",
    "auto_devops_enabled": None,
    "subgroup_creation_level": "maintainer",
    "emails_enabled": True,
    "show_diff_preview_in_email": True,
    "mentions_disabled": None,
    "lfs_enabled": True,
    "math_rendering_limits_enabled": True,
    "lock_math_rendering_limits_enabled": False,
    "default_branch": None,
    "default_branch_protection": 2,
    "default_branch_protection_defaults": _PROTECTION[2],
    "request_access_enabled": True,
    "shared_runners_setting": "enabled",
    "max_artifacts_size": None,
    "prevent_sharing_groups_outside_hierarchy": False,
    "crm_enabled": True,
    "enabled_git_access_protocol": "all",
}
#: The same for the paid editions.
PREMIUM: Final[dict[str, Any]] = {
    "membership_lock": False,
    "file_template_project_id": None,
    "shared_runners_minutes_limit": None,
    "extra_shared_runners_minutes_limit": None,
    "prevent_forking_outside_group": False,
    "wiki_access_level": "enabled",
    "ip_restriction_ranges": None,
    "allowed_email_domains_list": None,
    "allow_merge_on_skipped_pipeline": False,
    "only_allow_merge_if_pipeline_succeeds": False,
    "only_allow_merge_if_all_discussions_are_resolved": False,
}


class GroupParams(Params):
    """Parameters of creation and update."""

    description: Text = None
    visibility: Visibility | None = None
    share_with_group_lock: Bool = None
    require_two_factor_authentication: Bool = None
    two_factor_grace_period: Int = None
    project_creation_level: Literal["noone", "owner", "maintainer", "developer", "administrator"] | None = None
    auto_devops_enabled: Bool = None
    subgroup_creation_level: Literal["owner", "maintainer"] | None = None
    emails_disabled: Bool = None
    emails_enabled: Bool = None
    show_diff_preview_in_email: Bool = None
    mentions_disabled: Bool = None
    lfs_enabled: Bool = None
    request_access_enabled: Bool = None
    default_branch: Text = None
    default_branch_protection: Literal[0, 1, 2, 3, 4, "0", "1", "2", "3", "4"] | None = None
    default_branch_protection_defaults: Hash = None
    shared_runners_setting: (
        Literal["enabled", "disabled_and_overridable", "disabled_and_unoverridable", "disabled_with_override"] | None
    ) = None
    max_artifacts_size: Int = None
    prevent_sharing_groups_outside_hierarchy: Bool = None
    crm_enabled: Bool = None
    math_rendering_limits_enabled: Bool = None
    lock_math_rendering_limits_enabled: Bool = None
    enabled_git_access_protocol: Literal["ssh", "http", "all"] | None = None
    membership_lock: Bool = None
    file_template_project_id: Int = None
    shared_runners_minutes_limit: Int = None
    extra_shared_runners_minutes_limit: Int = None
    prevent_forking_outside_group: Bool = None
    wiki_access_level: Literal["disabled", "private", "enabled"] | None = None
    ip_restriction_ranges: Text = None
    allowed_email_domains_list: Text = None
    allow_merge_on_skipped_pipeline: Bool = None
    only_allow_merge_if_pipeline_succeeds: Bool = None
    only_allow_merge_if_all_discussions_are_resolved: Bool = None


class NewGroup(GroupParams):
    """Parameters of a new group."""

    name: str
    path: str
    parent_id: Int = None
    organization_id: Int = None


class ChangedGroup(GroupParams):
    """Parameters of an update."""

    name: Text = None
    path: Text = None


#: A boolean parameter for `with_projects` and similar ones.
class OneGroup(Params):
    """Parameters of a read."""

    with_projects: Bool = Field(default=True)
    with_custom_attributes: Bool = None


def attributes(given: GroupParams, *, premium: bool) -> Document:
    """Return the parameters that are stored in the document."""
    sent = given.sent()
    if "emails_disabled" in sent and sent["emails_disabled"] is not None:
        sent["emails_enabled"] = not sent["emails_disabled"]
    if sent.get("default_branch_protection") is not None:
        level = int(sent["default_branch_protection"])
        sent["default_branch_protection"] = level
        sent.setdefault("default_branch_protection_defaults", _PROTECTION[level])
    elif sent.get("default_branch_protection_defaults"):
        sent["default_branch_protection_defaults"] = _defaults(sent["default_branch_protection_defaults"])
    if sent.get("shared_runners_setting") == "disabled_with_override":
        sent["shared_runners_setting"] = "disabled_and_overridable"
    known = {**ATTRIBUTES, **(PREMIUM if premium else {})}
    kept = {name: value for name, value in sent.items() if name in known}
    for name in ("two_factor_grace_period", "project_creation_level", "subgroup_creation_level"):
        if kept.get(name, 0) is None:
            del kept[name]
    return kept


def _defaults(given: Document) -> Document:
    def levels(entries: Any) -> list[Document]:
        entries = entries if isinstance(entries, list) else []
        numbers = [str(one.get("access_level") if isinstance(one, dict) else one) for one in entries]
        return [{"access_level": int(one)} for one in numbers if one in {"0", "30", "40", "60"}]

    made: Document = {
        "allowed_to_push": levels(given.get("allowed_to_push", [40])),
        "allow_force_push": truth(given.get("allow_force_push")),
        "allowed_to_merge": levels(given.get("allowed_to_merge", [40])),
    }
    for name in ("developer_can_initial_push", "code_owner_approval_required"):
        if name in given:
            made[name] = truth(given[name])
    return made


def full_name(site: GitLabSite, group: Document) -> str:
    """Return the names from the top, as on pages."""
    return " / ".join(one["name"] for one in reversed(access.lineage(site, group)))


def shown(site: GitLabSite, group: Document) -> Document:
    """Return a group as shown in lists."""
    known = {**ATTRIBUTES, **(PREMIUM if site.premium else {})}
    return {
        "id": group["id"],
        "web_url": f"{site.url}/groups/{group['full_path']}",
        "name": group["name"],
        "path": group["path"],
        "visibility": group["visibility"],
        **{name: group.get(name, default) for name, default in known.items()},
        "emails_disabled": not group.get("emails_enabled", True),
        "archived": bool(group.get("archived")),
        "avatar_url": None,
        "full_name": full_name(site, group),
        "full_path": group["full_path"],
        "created_at": group["created_at"],
        "parent_id": group["parent_id"],
        "organization_id": 1,
        "marked_for_deletion_on": group.get("marked_for_deletion_on"),
        **({"ldap_cn": None, "ldap_access": None} if site.premium else {}),
    }


def detailed(site: GitLabSite, group: Document) -> Document:
    """Return a group as shown alone, without its projects."""
    return {**shown(site, group), "shared_with_groups": shares(site, "group", group["id"]), "runners_token": None}


def shares(site: GitLabSite, kind: str, id_: int) -> list[Document]:
    """Return the groups with which a group or project is shared."""
    listed = []
    for share in site.store.find("share", source_type=kind, source_id=id_):
        group = site.store.get("namespace", share["group_id"])
        if group is not None:
            listed.append(
                {
                    "group_id": group["id"],
                    "group_name": group["name"],
                    "group_full_path": group["full_path"],
                    "group_access_level": share["group_access"],
                    "expires_at": share["expires_at"],
                }
            )
    return listed


def errors(
    site: GitLabSite, content: Document, parent: Document | None, *, but: int | None = None
) -> dict[str, list[str]]:
    """Return the errors of a group with this `name`, `path` and `visibility` in `parent`."""
    found: dict[str, list[str]] = {}
    if wrong := naming.name_errors(content["name"], project=False):
        found["name"] = wrong
    if wrong := naming.path_errors(content["path"], project=False, top=parent is None):
        found["path"] = wrong
    route = (f"{parent['full_path']}/{content['path']}" if parent else content["path"]).lower()
    namesake = site.store.first("namespace", route=route)
    project = site.store.first("project", route=route)
    if (namesake is not None and namesake["id"] != but) or project is not None:
        found.setdefault("path", []).append("has already been taken")
    visibility = content["visibility"]
    if parent is not None and VISIBILITIES.index(visibility) > VISIBILITIES.index(parent["visibility"]):
        found["visibility_level"] = [
            f"{visibility} is not allowed since the parent group has a {parent['visibility']} visibility."
        ]
    return found

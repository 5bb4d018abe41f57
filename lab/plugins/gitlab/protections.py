"""Protected branches and tags, and rules that protect packages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lab.plugins import framework
from lab.plugins.bridge import Customise
from lab.plugins.fields import fields, snake
from lab.plugins.gitlab.client import GitLabApiError, GitLabPluginClient, segment
from lab.plugins.gitlab.common import LEVELS, PROTECTION_LEVELS, level_name, parts
from lab.plugins.gitlab.items import GitLabItem
from lab.plugins.items import table
from lab.plugins.planning import Data
from lab.plugins.server import PluginError, refused
from lab.plugins.wire import Properties, Unknown, Value

_INSIDE: Final = ("accessLevelDescription",)
_WHO: Final = {"userId": "user_id", "groupId": "group_id", "deployKeyId": "deploy_key_id"}
_LISTS: Final = {
    "allowedToPushes": ("allowed_to_push", "push_access_levels"),
    "allowedToMerges": ("allowed_to_merge", "merge_access_levels"),
    "allowedToUnprotects": ("allowed_to_unprotect", "unprotect_access_levels"),
}
_PLAIN: Final = {
    "pushAccessLevel": ("push_access_level", "push_access_levels"),
    "mergeAccessLevel": ("merge_access_level", "merge_access_levels"),
}


def _entry(item: Properties) -> Properties:
    """Return the body for one allowed entry.

    Raises `PluginError` unless it has exactly one of level, user and group.
    """
    given = {name: item.get(name) for name in ("accessLevel", *_WHO) if item.get(name) not in (None, "", 0)}
    if len(given) != 1:
        raise PluginError("Invalid Attribute Combination. One of access_level, user_id, group_id must be specified")
    name, value = next(iter(given.items()))
    return {"access_level": LEVELS[str(value)]} if name == "accessLevel" else {_WHO[name]: value}


def _is_plain(level: Properties) -> bool:
    return not any(level.get(theirs) for theirs in _WHO.values())


def _read_entry(level: Properties) -> Properties:
    found: Properties = {name: level.get(theirs) or None for name, theirs in _WHO.items()}
    found["accessLevel"] = level_name(level.get("access_level")) if _is_plain(level) else None
    found["accessLevelDescription"] = level.get("access_level_description") or ""
    return found


# -- branches ---------------------------------------------------------------------------------------------------------


class _BranchProtection(GitLabItem):
    def licensed(self, data: Data, client: GitLabPluginClient) -> None:
        """Raise `PluginError` for properties that the server's edition would ignore."""
        if client.enterprise:
            for name, (theirs, _) in _PLAIN.items():
                if name in data.inputs:
                    raise PluginError(
                        f"feature unavailable `{theirs}`: not available for GitLab Enterprise, use "
                        f"`allowed_to_{theirs.removesuffix('_access_level')}` instead"
                    )
            return
        unknown = [theirs for name, (theirs, _) in _LISTS.items() if data.raw(name)]
        if data.get("codeOwnerApprovalRequired"):
            unknown.append("code_owner_approval_required")
        if unknown:
            raise PluginError(f"feature unavailable `{unknown[0]}`: Enterprise license required")

    def creation(self, data: Data) -> Properties:
        levels = {theirs: LEVELS[data.get(name)] for name, (theirs, _) in _PLAIN.items() if data.raw(name) is not None}
        lists = {
            theirs: [_entry(item) for item in data.get(name)]
            for name, (theirs, _) in _LISTS.items()
            if data.raw(name) is not None
        }
        return {"name": data.get("branch"), **self.body(data), **levels, **lists}

    def create(self, data: Data, client: GitLabPluginClient) -> None:
        """Protect the branch. GitLab protects the default branch itself; only that protection is adopted."""
        project, branch = data.get("project"), data.get("branch")
        self.licensed(data, client)
        if client.find(self.path(project, branch)) is not None:
            if client.get(f"projects/{segment(project)}").get("default_branch") != branch:
                raise PluginError(f'protected branch "{branch}" on project "{project}" already exists')
            client.delete(self.path(project, branch))
        super().create(data, client)

    def take(self, data: Data, found: Properties, client: GitLabPluginClient) -> None:
        super().take(data, found, client)
        for name, (_, levels) in _PLAIN.items():
            plain = next((level for level in found.get(levels) or [] if _is_plain(level)), None)
            data.set(name, None if client.enterprise or plain is None else level_name(plain.get("access_level")))
        for name, (_, levels) in _LISTS.items():
            data.set(name, [_read_entry(level) for level in found.get(levels) or []] if client.enterprise else [])

    def update(self, data: Data, client: GitLabPluginClient) -> None:
        """Update the properties that the edition supports."""
        self.licensed(data, client)
        found = self.find(data, client)
        if found is None:
            data.id = ""
            return
        body: Properties = {"allow_force_push": data.get("allowForcePush")}
        if client.enterprise:
            body = self.body(data)
            for name, (theirs, levels) in _LISTS.items():
                if data.raw(name) is not None:
                    body[theirs] = _changed_entries(data.get(name), found.get(levels) or [])
        place = self.place(data.id)
        with refused("Unable to update protected repository branch"):
            changed = client.patch(place.path, body)
        self.take_of(place.owner, data, changed, client)


def _changed_entries(wanted: list[Properties], levels: list[Properties]) -> list[Properties]:
    """Return a body that changes a list: new entries, and the ids of entries to remove."""
    entries = [_entry(item) for item in wanted]
    present = [_entry(_read_entry(level)) for level in levels]
    gone = [
        {"id": level["id"], "_destroy": True}
        for level, entry in zip(levels, present, strict=True)
        if entry not in entries
    ]
    return [entry for entry in entries if entry not in present] + gone


_BRANCH_PROTECTION: Final = _BranchProtection(
    shape=framework.resource(
        "gitlab:index/branchProtection:BranchProtection",
        sets=tuple(_LISTS),
        default={"allowForcePush": False, "codeOwnerApprovalRequired": False},
        kept=("branchProtectionId", *_LISTS, *_PLAIN),
        inside=dict.fromkeys(_LISTS, _INSIDE),
        validate={
            "mergeAccessLevel": framework.one_of("merge_access_level", *PROTECTION_LEVELS),
            "pushAccessLevel": framework.one_of("push_access_level", *PROTECTION_LEVELS),
        },
    ),
    root="projects",
    collection="protected_branches",
    owner="project",
    id=("project", "branch"),
    key="name",
    always=fields("allowForcePush", "codeOwnerApprovalRequired"),
    read_back=fields(branch="name", branchProtectionId="id"),
    refused={"create": "Unable to protect repository branch"},
    replacing=("branchProtectionId", "project", "branch", "mergeAccessLevel", "pushAccessLevel"),
)

# -- tags -------------------------------------------------------------------------------------------------------------


class _TagProtection(GitLabItem):
    def creation(self, data: Data) -> Properties:
        allowed = [
            _entry({name: None if isinstance(value, Unknown) else value for name, value in item.items()})
            for item in data.get("allowedToCreates")
        ]
        level = {"name": data.get("tag"), "create_access_level": LEVELS[data.get("createAccessLevel")]}
        return {**level, "allowed_to_create": allowed} if allowed else level

    def create(self, data: Data, gitlab: GitLabPluginClient) -> None:
        """Protect the tag; an existing protection is replaced, as in upstream."""
        project, body = data.get("project"), self.creation(data)
        try:
            found = gitlab.post(self.path(project), body)
        except GitLabApiError:
            try:
                gitlab.delete(self.path(project, data.get("tag")))
                found = gitlab.post(self.path(project), body)
            except GitLabApiError as error:
                raise self.refusal("create", error) from None
        if len(body.get("allowed_to_create", ())) > len(found["create_access_levels"]) - 1:
            raise PluginError(
                "feature unavailable: `allowed_to_create`, Premium or Ultimate license required. Warning: Changes have "
                "partially been persisted!"
            )
        self.take_of(project, data, found, gitlab)

    def take(self, data: Data, found: Properties, gitlab: GitLabPluginClient) -> None:
        super().take(data, found, gitlab)
        levels = list(found.get("create_access_levels") or [])
        plain = [level for level in levels if _is_plain(level)]
        wanted = LEVELS.get(str(data.raw("createAccessLevel")))
        own = next((level for level in plain if level.get("access_level") == wanted), plain[0] if plain else None)
        if own is not None:
            levels.remove(own)
            data.set("createAccessLevel", level_name(own.get("access_level")))
        allowed = [{**_read_entry(level), "accessLevel": level_name(level.get("access_level"))} for level in levels]
        data.set("allowedToCreates", allowed or None)


_TAG_PROTECTION: Final = _TagProtection(
    shape=framework.resource(
        "gitlab:index/tagProtection:TagProtection",
        sets=("allowedToCreates",),
        default={"createAccessLevel": "maintainer"},
        inside={"allowedToCreates": ("accessLevel", *_INSIDE)},
        validate={"createAccessLevel": framework.one_of("create_access_level", *PROTECTION_LEVELS)},
    ),
    root="projects",
    collection="protected_tags",
    owner="project",
    id=("project", "tag"),
    key="name",
    read_back=fields(tag="name"),
    refused={"create": "Unable to protect repository tag"},
    replacing=("project", "tag", "createAccessLevel", "allowedToCreates"),
    updatable=False,
)

# -- packages ---------------------------------------------------------------------------------------------------------

_PACKAGE_LEVELS: Final = ("minimumAccessLevelForPush", "minimumAccessLevelForDelete")


def _levels_of_packages(inputs: Mapping[str, Value]) -> None:
    """Raise `PluginError` for a rule without a level."""
    if not any(inputs.get(name) for name in _PACKAGE_LEVELS):
        raise PluginError(
            "Invalid Attribute Combination. At least one attribute out of [minimum_access_level_for_push, "
            "minimum_access_level_for_delete] must be specified"
        )


class _PackageProtectionRule(GitLabItem):
    def customise(self) -> Customise:
        replaces = framework.replacing(*self.replacing)

        def plan(prior: Properties | None, planned: Properties, inputs: Mapping[str, Value]) -> set[str]:
            _levels_of_packages(inputs)
            return replaces(prior, planned, inputs)

        return plan

    def find(self, data: Data, client: GitLabPluginClient) -> Properties | None:
        """Return the rule from the first page of the list, as in upstream; None if it is not there."""
        owner, key = parts(data.id, *self.id)
        rules: list[Properties] = client.find(self.path(owner)) or []
        return next((rule for rule in rules if str(rule["id"]) == key), None)

    def update(self, data: Data, client: GitLabPluginClient) -> None:
        """Send all values; a level without a value is null."""
        place = self.place(data.id)
        body = {"package_name_pattern": data.get("packageNamePattern"), "package_type": data.get("packageType")}
        levels = {snake(name): data.raw(name) for name in _PACKAGE_LEVELS}
        with refused(f"Error updating package protection rule for project {place.owner}"):
            found = client.patch(place.path, {**body, **levels})
        self.take_of(place.owner, data, found, client)


_PACKAGE_PROTECTION: Final = _PackageProtectionRule(
    shape=framework.resource(
        "gitlab:index/projectPackageProtectionRule:ProjectPackageProtectionRule",
        kept=("packageProtectionRuleId",),
        validate={name: framework.one_of(snake(name), "maintainer", "owner", "admin") for name in _PACKAGE_LEVELS},
    ),
    root="projects",
    collection="packages/protection/rules",
    owner="project",
    id=("project", "package_protection_rule_id"),
    numbers=("", "package protection rule ID"),
    always=fields("packageNamePattern", "packageType"),
    sent=fields(*_PACKAGE_LEVELS),
    read_back=fields(packageProtectionRuleId="id"),
    nullable=_PACKAGE_LEVELS,
    refused={
        "create": "Unable to create package protection rule",
        "delete": "Unable to delete package protection rule",
    },
    replacing=("project", "packageType"),
)

RESOURCES: Final = table(_BRANCH_PROTECTION, _TAG_PROTECTION, _PACKAGE_PROTECTION)

"""The kinds of objects of a group or project in GitLab, as a table: their list, and how to read an item."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import quote, urlsplit

from usine.clients.base import Json

#: Names of access levels (GitLab's documentation of members).
LEVELS: Final = {
    0: "no access",
    5: "minimal access",
    10: "guest",
    15: "planner",
    20: "reporter",
    30: "developer",
    40: "maintainer",
    50: "owner",
    60: "administrator",
}
BRANCH_PROTECTION: Final = "gitlab:index/branchProtection:BranchProtection"
ENVIRONMENT: Final = "gitlab:index/projectEnvironment:ProjectEnvironment"


@dataclass(frozen=True, slots=True)
class GitLabPlace:
    """A managed group or project. `kind` is ``groups`` or ``projects``, `manages` the types of the state in it."""

    kind: str
    id: str
    path: str
    tenant: str | None
    default_branch: str | None = None
    manages: frozenset[str] = frozenset()


Text = Callable[[Json], str]


@dataclass(frozen=True, slots=True)
class GitLabKind:
    """One kind of object. `path` is its list below the place, `key` what identifies an item there.

    An item's id in the plugin is ``<place>:<key>``, followed by `more`; without `placed`, it is the key alone.
    `importable`: a plugin of the platform has the type, and can delete it. `own`: GitLab or the platform itself created
    the item. `call` is the API call that removes an item; ``{item}`` is its path in the API.
    """

    type: str
    path: str
    key: Text
    title: Text
    detail: Text
    more: Text = lambda _item: ""
    query: Mapping[str, str] = field(default_factory=dict)
    placed: bool = True
    importable: bool = True
    own: Callable[[Json, GitLabPlace], bool] = lambda _item, _place: False
    call: str = "DELETE {item}"

    def id(self, place: GitLabPlace, item: Json) -> str:
        """Return the item's id as the plugin writes it."""
        return f"{place.id}:{self.key(item)}{self.more(item)}" if self.placed else self.key(item)

    def removal(self, place: GitLabPlace, item: Json) -> str:
        """Return the API call that removes the item."""
        key = quote(self.key(item), safe="")
        return self.call.format(item=f"/api/v4/{place.kind}/{place.id}/{self.path}/{key}", key=key)


def level(number: Json) -> str:
    """Return the name of an access level."""
    return LEVELS.get(number, f"level {number}")


def _id(item: Json) -> str:
    return str(item["id"])


def _numbered(item: Json) -> str:
    return f"{item.get('name') or item.get('title') or item.get('description') or ''} (#{item['id']})".lstrip()


def _until(item: Json) -> str:
    return f", until {item['expires_at'][:10]}" if item.get("expires_at") else ", for ever"


def _member(item: Json) -> str:
    return level(item["access_level"])


def _token_bot(item: Json, place: GitLabPlace) -> bool:
    """Every access token has an account, a member of the token's group or project: the token itself is the finding."""
    return re.fullmatch(rf"{place.kind.removesuffix('s')}_{place.id}_bot(_\w+)?", item["username"]) is not None


def _hook(item: Json) -> str:
    """Return the server that it calls, without path and query, which often are a secret."""
    where = urlsplit(item["url"])
    return f"calls {where.scheme}://{where.hostname}"


def _initial_protection(item: Json, place: GitLabPlace) -> bool:
    """Return whether GitLab itself protects this branch: the default branch, if the state protects none."""
    return item["name"] == place.default_branch and BRANCH_PROTECTION not in place.manages


def _pipelines_environment(item: Json, place: GitLabPlace) -> bool:
    """Return whether a job created this environment, which is no drift unless the state has environments.

    An environment with a slash in its name (``review/my-branch``) is a dynamic one in any project.
    """
    return ENVIRONMENT not in place.manages or "/" in item["name"]


def _scoped(item: Json) -> str:
    return f":{item.get('environment_scope') or '*'}"


def _variable(item: Json) -> str:
    marks = [word for word in ("protected", "masked", "hidden") if item.get(word)]
    return f"a {item.get('variable_type', 'env_var')}, {', '.join(marks) or 'neither protected nor masked'}"


def _levels(item: Json, *names: str) -> str:
    return "; ".join(
        f"{name.removesuffix('_access_levels')}: "
        + ", ".join(
            str(entry.get("access_level_description") or entry["access_level"]) for entry in item.get(name) or ()
        )
        for name in names
    )


_MEMBERS: Final = GitLabKind("", "members", _id, lambda i: i["username"], _member, own=_token_bot)
_VARIABLES: Final = GitLabKind(
    "", "variables", lambda i: i["key"], lambda i: f"{i['key']}{_scoped(i)}", _variable, more=_scoped
)
_DEPLOY_TOKENS: Final = GitLabKind(
    "", "deploy_tokens", _id, _numbered, lambda i: ", ".join(i["scopes"]) + _until(i), query={"active": "true"}
)
_ACCESS_TOKENS: Final = GitLabKind(
    "",
    "access_tokens",
    _id,
    _numbered,
    lambda i: f"{level(i['access_level'])}: {', '.join(i['scopes'])}{_until(i)}",
    query={"state": "active"},
)
_HOOKS: Final = GitLabKind("", "hooks", _id, lambda i: f"#{i['id']}", _hook)
_RUNNERS: Final = GitLabKind(
    "gitlab:index/userRunner:UserRunner",
    "runners",
    _id,
    lambda i: f"#{i['id']}",
    lambda i: f"{i.get('description') or ''} {'paused' if i.get('paused') else 'takes jobs'}".lstrip(),
    placed=False,
    importable=False,
    call="DELETE /api/v4/runners/{key}",
)


def _of(kind: GitLabKind, type_: str, **query: str) -> GitLabKind:
    return replace(kind, type=type_, query={**kind.query, **query})


GROUP_KINDS: Final = (
    _of(_MEMBERS, "gitlab:index/groupMembership:GroupMembership"),
    _of(_VARIABLES, "gitlab:index/groupVariable:GroupVariable"),
    _of(_DEPLOY_TOKENS, "gitlab:index/groupDeployToken:GroupDeployToken"),
    _of(_ACCESS_TOKENS, "gitlab:index/groupAccessToken:GroupAccessToken"),
    _of(_RUNNERS, _RUNNERS.type, type="group_type"),
)
PROJECT_KINDS: Final = (
    _of(_MEMBERS, "gitlab:index/projectMembership:ProjectMembership"),
    _of(_VARIABLES, "gitlab:index/projectVariable:ProjectVariable"),
    _of(_DEPLOY_TOKENS, "gitlab:index/projectDeployToken:ProjectDeployToken"),
    _of(_ACCESS_TOKENS, "gitlab:index/projectAccessToken:ProjectAccessToken"),
    _of(_HOOKS, "gitlab:index/projectHook:ProjectHook"),
    _of(_RUNNERS, _RUNNERS.type, type="project_type"),
    GitLabKind(
        "gitlab:index/deployKey:DeployKey",
        "deploy_keys",
        _id,
        _numbered,
        lambda i: "pushes" if i.get("can_push") else "reads",
        importable=False,
    ),
    GitLabKind(
        "gitlab:index/pipelineTrigger:PipelineTrigger",
        "triggers",
        _id,
        _numbered,
        lambda i: f"starts pipelines as {(i.get('owner') or {}).get('username', 'nobody')}",
        importable=False,
    ),
    GitLabKind(
        "gitlab:index/pipelineSchedule:PipelineSchedule",
        "pipeline_schedules",
        _id,
        _numbered,
        lambda i: f"runs {i['ref']} at {i['cron']}" + ("" if i.get("active") else ", switched off"),
    ),
    GitLabKind(
        BRANCH_PROTECTION,
        "protected_branches",
        lambda i: i["name"],
        lambda i: i["name"],
        lambda i: _levels(i, "push_access_levels", "merge_access_levels"),
        own=_initial_protection,
    ),
    GitLabKind(
        "gitlab:index/tagProtection:TagProtection",
        "protected_tags",
        lambda i: i["name"],
        lambda i: i["name"],
        lambda i: _levels(i, "create_access_levels"),
    ),
    GitLabKind(
        "gitlab:index/projectPackageProtectionRule:ProjectPackageProtectionRule",
        "packages/protection/rules",
        _id,
        lambda i: f"{i['package_type']} packages {i['package_name_pattern']} (#{i['id']})",
        lambda i: (
            f"push: {i.get('minimum_access_level_for_push') or 'developer'}; "
            f"delete: {i.get('minimum_access_level_for_delete') or 'maintainer'}"
        ),
    ),
    GitLabKind(
        ENVIRONMENT,
        "environments",
        _id,
        lambda i: i["name"],
        lambda i: i.get("external_url") or "an environment without an address",
        query={"states": "available"},
        own=_pipelines_environment,
        # GitLab refuses to delete an environment that is not stopped, and the plugin does not stop an imported one.
        importable=False,
        call="POST {item}/stop, then DELETE {item}",
    ),
)
#: What the premium edition adds. CE has no such lists and answers 404, so it is not asked for them; EE without a
#: licence refuses them with 403 (`check_feature_availability` of approval rules, `authorize!` of the other two).
#:
#: A 404 of any list here means that the list could not be read. No list answers 404 because its feature is off, as push
#: rules and the container registry do. In GitLab's lib/api, environments.rb, ci/pipeline_schedules.rb, ci/triggers.rb,
#: deploy_keys.rb, deploy_tokens.rb and the others ask `authorize!` (403), resource_access_tokens.rb `unauthorized!`.
PREMIUM_GROUP_KINDS: Final = (_of(_HOOKS, "gitlab:index/groupHook:GroupHook"),)
PREMIUM_PROJECT_KINDS: Final = (
    GitLabKind(
        "gitlab:index/projectApprovalRule:ProjectApprovalRule",
        "approval_rules",
        _id,
        _numbered,
        lambda i: f"asks for {i['approvals_required']} approvals",
    ),
    GitLabKind(
        "gitlab:index/projectProtectedEnvironment:ProjectProtectedEnvironment",
        "protected_environments",
        lambda i: i["name"],
        lambda i: i["name"],
        lambda i: _levels(i, "deploy_access_levels"),
    ),
)

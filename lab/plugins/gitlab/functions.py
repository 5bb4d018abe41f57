# ruff: noqa: ANN401 - JSON of a server has any type
"""Functions that look up groups, their variables, and users."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, Final

from lab.plugins.bridge import BridgedFunction
from lab.plugins.fields import snake
from lab.plugins.gitlab.client import GitLabPluginClient, segment
from lab.plugins.gitlab.common import go_time, level_name, rfc3339
from lab.plugins.schema import ZERO, function, trimmed
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties, Value

_TIMES: Final = frozenset({"createdAt", "updatedAt", "lastActivityAt"})


def _token(name: str) -> str:
    return f"gitlab:index/{name}:{name}"


def _outputs(name: str, found: Mapping[str, Any], renamed: Mapping[str, str]) -> Properties:
    """Return GitLab's answer by the properties in the function's schema; missing fields are zero."""
    spec: Mapping[str, Any] = trimmed("gitlab")["functions"][_token(name)]["outputs"]
    return _by_schema(spec, found, renamed)


def _by_schema(spec: Mapping[str, Any], found: Mapping[str, Any], renamed: Mapping[str, str]) -> Properties:
    result: Properties = {}
    for prop, declared in spec.items():
        value = found.get(renamed.get(prop, snake(prop)))
        result[prop] = _typed(declared, rfc3339(value) if prop in _TIMES and value else value)
    return result


def _typed(declared: Mapping[str, Any], value: Any) -> Value:
    if value is None:
        return ZERO.get(declared["type"], [])
    return str(value) if declared["type"] == "string" and not isinstance(value, str) else value


# -- groups ----------------------------------------------------------------------------------------------

_GROUP_RENAMED: Final = {"groupId": "id", "visibilityLevel": "visibility"}


def _get_group(args: Properties, gitlab: GitLabPluginClient) -> Properties:
    if ("groupId" in args) == ("fullPath" in args):
        raise PluginError("one and only one of group_id or full_path must be set")
    group = gitlab.get(f"groups/{segment(args.get('groupId', args.get('fullPath')))}", with_projects=False)
    found = _outputs("getGroup", group, _GROUP_RENAMED)
    return {**found, "id": str(group["id"])}


def _get_group_membership(args: Properties, gitlab: GitLabPluginClient) -> Properties:
    if ("groupId" in args) == ("fullPath" in args):
        raise PluginError("one and only one of group_id or full_path must be set")
    group = gitlab.get(f"groups/{segment(args.get('groupId', args.get('fullPath')))}")
    members = gitlab.all(f"groups/{group['id']}/members")
    spec = trimmed("gitlab")["types"]["gitlab:index/getGroupMembershipMember:getGroupMembershipMember"]["properties"]
    wanted = args.get("accessLevel")
    listed = [
        _by_schema(spec, {**member, "access_level": level_name(member["access_level"])}, {}) for member in members
    ]
    return {
        **{"groupId": group["id"], "fullPath": group["full_path"], "accessLevel": wanted or ""},
        "members": [member for member in listed if wanted in (None, member["accessLevel"])],
        "id": str(zlib.crc32(f"{group['id']}{wanted or ''}".encode())),
    }


def _get_group_variable(args: Properties, gitlab: GitLabPluginClient) -> Properties:
    # The request always has a scope, because each variable in GitLab has one.
    scope = args.get("environmentScope") or ""
    path = f"groups/{segment(args['group'])}/variables/{segment(args['key'])}"
    found = _outputs("getGroupVariable", gitlab.get(path, **{"filter[environment_scope]": scope}), {})
    return {**found, "group": args["group"], "id": f"{args['group']}:{args['key']}:{scope}"}


# -- users ------------------------------------------------------------------------------------------------------------

_USER_RENAMED: Final = {"userId": "id", "isBot": "bot", "userProvider": "provider"}
_FILTERS: Final = {
    "search": "search",
    "active": "active",
    "blocked": "blocked",
    "external": "external",
    "humans": "humans",
    "username": "username",
    "excludeExternal": "exclude_external",
    "excludeInternal": "exclude_internal",
    "withoutProjectBots": "without_project_bots",
    "externUid": "extern_uid",
    "externProvider": "provider",
    "createdBefore": "created_before",
    "createdAfter": "created_after",
}


def _get_user(args: Properties, gitlab: GitLabPluginClient) -> Properties:
    user = _find_user(args, gitlab)
    found = _outputs("getUser", user, _USER_RENAMED)
    found["createdAt"] = go_time(user.get("created_at"))
    return {**found, "id": str(user["id"])}


def _find_user(args: Properties, gitlab: GitLabPluginClient) -> Properties:
    given = [name for name in ("userId", "username", "email") if args.get(name)]
    if len(given) != 1:
        raise PluginError("one and only one of user_id, username or email must be set")
    if given == ["userId"]:
        one: Properties = gitlab.get(f"users/{args['userId']}")
        return one
    wanted = str(args[given[0]]).lower()
    users = gitlab.get("users", **{"username" if given == ["username"] else "search": wanted})
    if not users:
        raise PluginError(f"couldn't find a user matching: {wanted}")
    first: Properties = users[0]
    return first


def _get_users(args: Properties, gitlab: GitLabPluginClient) -> Properties:
    order, sort = args.get("orderBy") or "id", args.get("sort") or "desc"
    query = {theirs: args[name] for name, theirs in _FILTERS.items() if args.get(name)}
    users = gitlab.all("users", order_by=order, sort=sort, **query)
    spec = trimmed("gitlab")["types"]["gitlab:index/getUsersUser:getUsersUser"]["properties"]
    listed = [
        _by_schema(spec, user, _USER_RENAMED)
        | {name: go_time(user.get(snake(name))) for name in ("createdAt", "lastSignInAt", "currentSignInAt")}
        for user in users
    ]
    hashed = ("orderBy", "sort", "search", "active", "blocked", "externUid", "externProvider")
    arguments = {**args, "orderBy": order, "sort": sort}
    text = ",".join(_text(arguments.get(name)) for name in (*hashed, "createdBefore", "createdAfter"))
    return {**arguments, "users": listed, "id": str(zlib.crc32(text.encode()))}


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value or "")


FUNCTIONS: Final = {
    _token(name): BridgedFunction(function(_token(name)), call)
    for name, call in (
        ("getGroup", _get_group),
        ("getGroupMembership", _get_group_membership),
        ("getGroupVariable", _get_group_variable),
        ("getUser", _get_user),
        ("getUsers", _get_users),
    )
}

"""Groups, their members, roles and users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lab.plugins.bridge import Resource
from lab.plugins.keycloak.client import ApiError, Keycloak, segment
from lab.plugins.planning import Data, is_zero
from lab.plugins.schema import resource
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties, Value

SEPARATOR: Final = "##"


def split_values(attributes: Mapping[str, str]) -> dict[str, list[str]]:
    """Return attributes as the server has them: several values in one string become a list."""
    return {key: str(value).split(SEPARATOR) for key, value in attributes.items()}


def join_values(attributes: Mapping[str, list[str]] | None) -> dict[str, str]:
    """Return attributes as the program has them."""
    return {key: SEPARATOR.join(values) for key, values in (attributes or {}).items()}


def _same_values(old: Value, new: Value, _plan: Properties) -> bool:
    """The order of an attribute's values means nothing."""
    before, after = split_values(old or {}), split_values(new or {})
    return before.keys() == after.keys() and all(sorted(before[key]) == sorted(after[key]) for key in before)


def two_parts(data: Data, formats: str) -> tuple[str, str]:
    """Split an import id `realm/id`; raises `PluginError` with the formats upstream accepts."""
    parts = data.id.split("/")
    if len(parts) != 2:  # noqa: PLR2004 - the format's own number
        raise PluginError(f"Invalid import. Supported import formats: {formats}")
    return parts[0], parts[1]


# -- groups -----------------------------------------------------------------------------------------------------------

GROUP: Final = resource("keycloak:index/group:Group", autoname=("name",)).tuned(
    sticky={"description": True}, suppress={"attributes": _same_values}
)


def _groups(data: Data) -> str:
    realm, organization = data.get("realmId"), data.get("organizationId")
    return f"/realms/{realm}/organizations/{organization}/groups" if organization else f"/realms/{realm}/groups"


def _group_body(data: Data) -> Properties:
    body: Properties = {"name": data.get("name"), "attributes": split_values(data.get("attributes"))}
    if data.id:
        body["id"] = data.id
    if data.get("description"):
        body["description"] = data.get("description")
    return body


def _create_group(data: Data, keycloak: Keycloak) -> None:
    parent = data.get("parentId")
    path = f"{_groups(data)}/{parent}/children" if parent else _groups(data)
    _, data.id = keycloak.post(path, _group_body(data))
    _read_group(data, keycloak)


def _update_group(data: Data, keycloak: Keycloak) -> None:
    keycloak.put(f"{_groups(data)}/{data.id}", _group_body(data))
    # Upstream does not read back after an update.
    data.set("description", data.get("description"))
    data.set("attributes", data.get("attributes"))
    data.set("path", "")


def _group_parent(keycloak: Keycloak, realm: str, organization: str, group: Properties) -> str:
    """Return the id of a group's parent, or an empty string; Keycloak does not tell it with every group."""
    above = str(group["path"]).removesuffix(group["name"])
    if above == "/":
        return ""
    path = "/".join(segment(part) for part in above.strip("/").split("/"))
    base = f"/realms/{realm}/organizations/{organization}/groups" if organization else f"/realms/{realm}"
    return str(keycloak.get(f"{base}/group-by-path/{path}")["id"])


def _read_group(data: Data, keycloak: Keycloak) -> None:
    try:
        group = keycloak.get(f"{_groups(data)}/{data.id}")
        parent = _group_parent(keycloak, data.get("realmId"), data.get("organizationId"), group)
    except ApiError as error:
        if not error.missing:
            raise
        data.id = ""
        return
    data.set("realmId", data.get("realmId"))
    data.set("organizationId", data.get("organizationId"))
    for name in ("name", "description", "path"):
        data.set(name, group.get(name))
    data.set("attributes", join_values(group.get("attributes")))
    if parent:
        data.set("parentId", parent)


def _delete_group(data: Data, keycloak: Keycloak) -> None:
    keycloak.delete(f"{_groups(data)}/{data.id}")


def _import_group(data: Data, _keycloak: Keycloak) -> None:
    parts = data.id.split("/")
    if len(parts) not in (2, 3):
        raise PluginError(
            "Invalid import. Supported import formats: {{realmId}}/{{groupId}} or "
            "{{realmId}}/{{organizationId}}/{{groupId}}"
        )
    data.set("realmId", parts[0])
    data.set("organizationId", parts[1] if len(parts) == 3 else "")  # noqa: PLR2004 - the format's own number
    data.id = parts[-1]


# -- members of a group -----------------------------------------------------------------------------------------------

MEMBERSHIPS: Final = resource("keycloak:index/groupMemberships:GroupMemberships", sets=("members",))
_PAGE: Final = 50


def user_of(keycloak: Keycloak, realm: str, username: str) -> Properties | None:
    """Return the user of exactly this name, or None."""
    users = keycloak.get(f"/realms/{realm}/users", {"username": username.replace("\\", "\\\\")})
    return next((user for user in users if user["username"] == username), None)


def _members(data: Data, keycloak: Keycloak) -> list[Properties]:
    path = f"/realms/{data.get('realmId')}/groups/{data.get('groupId')}/members"
    found: list[Properties] = []
    while page := keycloak.get(path, {"max": str(_PAGE), "first": str(len(found))}):
        found.extend(page)
    return found


def _membership(keycloak: Keycloak, data: Data, usernames: list[str], *, add: bool) -> None:
    realm, group = data.get("realmId"), data.get("groupId")
    for username in usernames:
        user = user_of(keycloak, realm, username)
        if user is None:
            raise PluginError(f"user with username {username} does not exist")
        path = f"/realms/{realm}/users/{user['id']}/groups/{group}"
        if add:
            keycloak.put(path)
        else:
            keycloak.delete(path)


def _check_members(data: Data) -> list[str]:
    members: list[str] = data.get("members")
    if any(name != name.lower() for name in members):
        raise PluginError("expected all usernames within group membership to be lowercase")
    return members


def _create_memberships(data: Data, keycloak: Keycloak) -> None:
    _membership(keycloak, data, _check_members(data), add=True)
    _read_memberships(data, keycloak)


def _update_memberships(data: Data, keycloak: Keycloak) -> None:
    wanted = set(_check_members(data))
    present = {user["username"]: user["id"] for user in _members(data, keycloak)}
    for username in sorted(present.keys() - wanted):
        keycloak.delete(f"/realms/{data.get('realmId')}/users/{present[username]}/groups/{data.get('groupId')}")
    _membership(keycloak, data, sorted(wanted - present.keys()), add=True)
    _read_memberships(data, keycloak)


def _read_memberships(data: Data, keycloak: Keycloak) -> None:
    try:
        members = _members(data, keycloak)
    except ApiError as error:
        if not error.missing:
            raise
        data.id = ""
        return
    data.set("members", [user["username"] for user in members])
    data.id = f"{data.get('realmId')}/group-memberships/{data.get('groupId')}"


def _delete_memberships(data: Data, keycloak: Keycloak) -> None:
    try:
        _membership(keycloak, data, data.get("members"), add=False)
    except ApiError as error:
        if not error.missing:
            raise


# -- roles ------------------------------------------------------------------------------------------------------------

ROLE: Final = resource("keycloak:index/role:Role", sets=("compositeRoles",), autoname=("name",)).tuned(
    default={"import": False}
)


def _roles(data: Data) -> str:
    realm, client = data.get("realmId"), data.get("clientId")
    return f"/realms/{realm}/clients/{client}/roles" if client else f"/realms/{realm}/roles"


def _role_by_id(data: Data, id_: str) -> str:
    return f"/realms/{data.get('realmId')}/roles-by-id/{id_}"


def _role_body(data: Data) -> Properties:
    client = data.get("clientId")
    body: Properties = {
        "name": data.get("name"),
        "description": data.get("description"),
        "clientRole": bool(client),
        "containerId": client,
        "composite": data.ok("compositeRoles"),
        "attributes": split_values(data.get("attributes")),
    }
    if data.id:
        body["id"] = data.id
    return body


def _role_objects(data: Data, keycloak: Keycloak, ids: list[str]) -> list[Properties]:
    return [keycloak.get(_role_by_id(data, id_)) for id_ in ids]


def _create_role(data: Data, keycloak: Keycloak) -> None:
    composites = _role_objects(data, keycloak, data.get("compositeRoles"))
    by_name = f"{_roles(data)}/{segment(data.get('name'))}"
    if data.get("import"):
        data.id = keycloak.get(by_name)["id"]
        keycloak.put(_role_by_id(data, data.id), _role_body(data))
        if composites:
            path = f"{_role_by_id(data, data.id)}/composites"
            keycloak.delete(path, keycloak.get(path))
    else:
        keycloak.post(_roles(data), _role_body(data))
        data.id = keycloak.get(by_name)["id"]
        # The server ignores attributes at creation.
        keycloak.put(_role_by_id(data, data.id), _role_body(data))
    if composites:
        keycloak.post(f"{_role_by_id(data, data.id)}/composites", composites)
    _read_role(data, keycloak)


def _update_role(data: Data, keycloak: Keycloak) -> None:
    base = _role_by_id(data, data.id)
    keycloak.put(base, _role_body(data))
    present = {role["id"]: role for role in keycloak.get(f"{base}/composites")}
    wanted = set(data.get("compositeRoles"))
    if surplus := [role for id_, role in present.items() if id_ not in wanted]:
        keycloak.delete(f"{base}/composites", surplus)
    if missing := _role_objects(data, keycloak, sorted(wanted - present.keys())):
        keycloak.post(f"{base}/composites", missing)
    _read_role(data, keycloak)


def _read_role(data: Data, keycloak: Keycloak) -> None:
    try:
        role = keycloak.get(_role_by_id(data, data.id))
    except ApiError as error:
        if not error.missing:
            raise
        data.id = ""
        return
    data.set("realmId", data.get("realmId"))
    data.set("clientId", role["containerId"] if role.get("clientRole") else "")
    data.set("name", role["name"])
    data.set("description", role.get("description"))
    data.set("attributes", join_values(role.get("attributes")))
    if role.get("composite"):
        data.set("compositeRoles", [item["id"] for item in keycloak.get(f"{_role_by_id(data, data.id)}/composites")])
    if is_zero(data.raw("import")):
        data.set("import", False)


def _delete_role(data: Data, keycloak: Keycloak) -> None:
    if not data.get("import"):
        keycloak.delete(_role_by_id(data, data.id))


def _import_role(data: Data, _keycloak: Keycloak) -> None:
    realm, data.id = two_parts(data, "{{realm}}/{{roleId}}.")
    data.set("realmId", realm)
    data.set("import", False)


# -- users ------------------------------------------------------------------------------------------------------------


def _lower(value: Value) -> str | None:
    text = str(value)
    return f"expected username {text} to be all lowercase" if text.lower() != text else None


USER: Final = resource("keycloak:index/user:User", sets=("requiredActions", "federatedIdentities")).tuned(
    default={"emailVerified": False, "enabled": True, "import": False},
    validate={"username": _lower},
    suppress={"attributes": _same_values, "initialPassword": lambda _old, _new, _plan: True},
    fields={"initialPassword": {"default": {"temporary": False}}},
)
_USER_FIELDS: Final = ("username", "email", "emailVerified", "firstName", "lastName", "enabled")


def _users(data: Data) -> str:
    return f"/realms/{data.get('realmId')}/users"


def _user_body(data: Data) -> Properties:
    body: Properties = {name: data.get(name) for name in _USER_FIELDS}
    body["attributes"] = split_values(data.get("attributes"))
    body["requiredActions"] = data.get("requiredActions") or None
    if data.id:
        body["id"] = data.id
    return body


def _create_user(data: Data, keycloak: Keycloak) -> None:
    if data.get("import"):
        known = user_of(keycloak, data.get("realmId"), data.get("username"))
        if known is None:
            raise PluginError(f"no user found for username {data.get('username')}")
        data.id = known["id"]
        _put_user(data, keycloak, {**known, **{k: v for k, v in _user_body(data).items() if not is_zero(v)}})
    else:
        _, data.id = keycloak.post(_users(data), {**_user_body(data), "federatedIdentities": None})
        _link(data, keycloak)
        password = data.raw("initialPassword")
        if password is not None:
            body = {"type": "password", "value": password["value"], "temporary": bool(password.get("temporary"))}
            keycloak.put(f"{_users(data)}/{data.id}/reset-password", body)
    _read_user(data, keycloak)


def _link(data: Data, keycloak: Keycloak) -> None:
    for identity in data.get("federatedIdentities"):
        keycloak.post(f"{_users(data)}/{data.id}/federated-identity/{identity['identityProvider']}", identity)


def _put_user(data: Data, keycloak: Keycloak, body: Properties) -> None:
    keycloak.put(f"{_users(data)}/{data.id}", body)
    for identity in keycloak.get(f"{_users(data)}/{data.id}/federated-identity"):
        keycloak.delete(f"{_users(data)}/{data.id}/federated-identity/{identity['identityProvider']}")
    _link(data, keycloak)


def _update_user(data: Data, keycloak: Keycloak) -> None:
    _put_user(data, keycloak, {**_user_body(data), "federatedIdentities": data.get("federatedIdentities")})


def _user_outputs(user: Mapping[str, Any]) -> Properties:
    """Return a user as the server has it, by property."""
    found: Properties = {name: user.get(name) for name in _USER_FIELDS}
    found["attributes"] = join_values(user.get("attributes"))
    found["requiredActions"] = user.get("requiredActions") or []
    found["federatedIdentities"] = user.get("federatedIdentities") or []
    return found


def _read_user(data: Data, keycloak: Keycloak) -> None:
    try:
        user = keycloak.get(f"{_users(data)}/{data.id}")
    except ApiError as error:
        if not error.missing:
            raise
        data.id = ""
        return
    data.set("realmId", data.get("realmId"))
    for name, value in _user_outputs(user).items():
        data.set(name, value)
    if is_zero(data.raw("import")):
        data.set("import", False)


def _delete_user(data: Data, keycloak: Keycloak) -> None:
    if not data.get("import"):
        keycloak.delete(f"{_users(data)}/{data.id}")


def _import_user(data: Data, keycloak: Keycloak) -> None:
    realm, reference = two_parts(data, "{{realmId}}/({{userId}}|{{userName}})")
    try:
        data.id = keycloak.get(f"/realms/{realm}/users/{reference}")["id"]
    except ApiError as error:
        known = user_of(keycloak, realm, reference)
        if known is None:
            raise PluginError(str(error)) from None
        data.id = known["id"]
    data.set("realmId", realm)
    data.set("import", False)


RESOURCES: Final = {
    shape.token: Resource(shape, create, read, update, delete, importer=importer)
    for shape, create, read, update, delete, importer in (
        (GROUP, _create_group, _read_group, _update_group, _delete_group, _import_group),
        (MEMBERSHIPS, _create_memberships, _read_memberships, _update_memberships, _delete_memberships, None),
        (ROLE, _create_role, _read_role, _update_role, _delete_role, _import_role),
        (USER, _create_user, _read_user, _update_user, _delete_user, _import_user),
    )
}

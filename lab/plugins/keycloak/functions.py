# ruff: noqa: ANN401 - JSON from a server
"""The keycloak functions in use: looking up a realm, group, user, client or client scope."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lab.plugins.bridge import Function
from lab.plugins.keycloak.client import Keycloak, segment
from lab.plugins.keycloak.clients import client_outputs, find_client
from lab.plugins.keycloak.people import find_user, group_parent, join_values, user_outputs
from lab.plugins.keycloak.realm import defenses_outputs, realm_outputs
from lab.plugins.keycloak.scopes import matching_scopes, scope_outputs
from lab.plugins.schema import function, trimmed
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties, Secret

_ZEROS: Final[Mapping[str, Any]] = {"string": "", "boolean": False, "integer": 0, "array": [], "object": {}}


def _shaped(token: str, found: Properties) -> Properties:
    """Keep what the function returns by its schema, zeros for what the server does not say, secrets marked."""
    outputs = trimmed("keycloak")["functions"][token]["outputs"]
    shaped: Properties = {}
    for name, prop in outputs.items():
        value = found.get(name)
        if value is None:
            value = _ZEROS.get(prop.get("type", ""))
        shaped[name] = Secret(value) if prop.get("secret") else value
    return shaped


def _get_realm(args: Properties, keycloak: Keycloak) -> Properties:
    realm = keycloak.get(f"/realms/{args['realm']}")
    found = realm_outputs(realm, keycloak)
    headers, force = defenses_outputs(realm)
    attributes = realm.get("attributes") or {}
    found.update(
        id=realm["realm"],
        smtpServers=_listed(found.pop("smtpServer")),
        internationalizations=_listed(found.pop("internationalization")),
        securityDefenses=_listed(
            args.get("securityDefenses") and {"headers": [headers], "bruteForceDetections": _listed(force)}
        ),
        attributes={key: attributes.get(key) or "" for key in args.get("attributes") or {}},
    )
    for server in found["smtpServers"]:
        server["auths"] = _listed(server.pop("auth", None))
        server["tokenAuths"] = _listed(server.pop("tokenAuth", None))
    return _shaped("keycloak:index/getRealm:getRealm", found)


def _listed(value: Any) -> list[Any]:
    return [value] if value else []


def _first(groups: list[Properties], name: str) -> Properties | None:
    for group in groups:
        if group["name"] == name:
            return group
        inner = _first(group.get("subGroups") or [], name)
        if inner is not None:
            return inner
    return None


def _get_group(args: Properties, keycloak: Keycloak) -> Properties:
    realm, organization = args["realmId"], args.get("organizationId") or ""
    name, path = args.get("name"), args.get("groupPath")
    if path:
        if organization:
            raise PluginError("group_path and organization_id cannot be set together")
        where = "/".join(segment(part) for part in str(path).strip("/").split("/"))
        group = keycloak.get(f"/realms/{realm}/group-by-path/{where}")
    elif name:
        base = f"/realms/{realm}/organizations/{organization}/groups" if organization else f"/realms/{realm}/groups"
        found = _first(keycloak.get(base, {"search": str(name)}) or [], str(name))
        if found is None:
            raise PluginError(f"no group with name {name} found")
        # A search answers without descriptions and attributes.
        group = keycloak.get(f"{base}/{found['id']}")
    else:
        raise PluginError("one of `name` or `group_path` must be specified")
    return _shaped(
        "keycloak:index/getGroup:getGroup",
        {
            **group,
            "realmId": realm,
            "organizationId": organization,
            "groupPath": path,
            "parentId": group_parent(keycloak, realm, organization, group),
            "attributes": join_values(group.get("attributes")),
        },
    )


def _get_user(args: Properties, keycloak: Keycloak) -> Properties:
    user = find_user(keycloak, args["realmId"], args["username"])
    if user is None:
        raise PluginError(f"user with username {args['username']} not found")
    return _shaped(
        "keycloak:index/getUser:getUser", {**user_outputs(user), "id": user["id"], "realmId": args["realmId"]}
    )


def _get_client(args: Properties, keycloak: Keycloak) -> Properties:
    realm = args["realmId"]
    client = find_client(keycloak, realm, args["clientId"])
    if client is None:
        raise PluginError(f"openid client with name {args['clientId']} does not exist")
    base = f"/realms/{realm}/clients/{client['id']}"
    enabled = client.get("serviceAccountsEnabled")
    return _shaped(
        "keycloak:openid/getClient:getClient",
        {
            **client_outputs(client),
            "id": client["id"],
            "realmId": realm,
            "clientSecret": (keycloak.get(f"{base}/client-secret") or {}).get("value"),
            "serviceAccountUserId": keycloak.get(f"{base}/service-account-user")["id"] if enabled else "",
            "resourceServerId": client["id"] if client.get("authorizationServicesEnabled") else "",
        },
    )


def _get_client_scope(args: Properties, keycloak: Keycloak) -> Properties:
    realm, name = args["realmId"], args["name"]
    ids = matching_scopes(keycloak, realm, (name,))
    if len(ids) != 1:
        raise PluginError(f"expected provided client scope name to match 1 scope, but matched {len(ids)} scopes")
    scope = keycloak.get(f"/realms/{realm}/client-scopes/{ids[name]}")
    return _shaped(
        "keycloak:openid/getClientScope:getClientScope", {**scope_outputs(scope), "id": scope["id"], "realmId": realm}
    )


FUNCTIONS: Final = {
    token: Function(function(token), call)
    for token, call in (
        ("keycloak:index/getRealm:getRealm", _get_realm),
        ("keycloak:index/getGroup:getGroup", _get_group),
        ("keycloak:index/getUser:getUser", _get_user),
        ("keycloak:openid/getClient:getClient", _get_client),
        ("keycloak:openid/getClientScope:getClientScope", _get_client_scope),
    )
}

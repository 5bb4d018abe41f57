"""The keycloak plugin on a real Keycloak: the life cycle of each resource."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from lab.plugins.keycloak import provider
from lab.plugins.keycloak.client import KeycloakApiError, KeycloakPluginClient
from lab.plugins.server import Host
from lab.plugins.wire import Secret
from lab.tests.plugins import servers
from lab.tests.plugins.rpc import Made, Plugin, PluginFailure

REALM = "keycloak:index/realm:Realm"
GROUP = "keycloak:index/group:Group"
MEMBERS = "keycloak:index/groupMemberships:GroupMemberships"
USER = "keycloak:index/user:User"
ROLE = "keycloak:index/role:Role"
CLIENT = "keycloak:openid/client:Client"
SCOPE = "keycloak:openid/clientScope:ClientScope"
DEFAULTS = "keycloak:openid/clientDefaultScopes:ClientDefaultScopes"
OPTIONALS = "keycloak:openid/clientOptionalScopes:ClientOptionalScopes"


@pytest.fixture(scope="module")
def admin(platform: Mapping[str, str]) -> KeycloakPluginClient:
    settings: dict[str, Any] = {**servers.keycloak_settings(platform), "clientTimeout": 60}
    return KeycloakPluginClient(settings)


@pytest.fixture(scope="module")
def realm(keycloak_plugin: Plugin) -> Iterator[Made]:
    made = keycloak_plugin.made(
        REALM,
        {
            "realm": f"plugins-{time.time_ns()}", "displayName": "Plugins",
            "securityDefenses": {"bruteForceDetection": {"maxLoginFailures": 10}}, "passwordPolicy": "length(8)",
        },
    )  # fmt: skip
    yield made
    made.remove()


def client(realm: Made, name: str, **extra: Any) -> Made:
    inputs = {"realmId": realm.id, "clientId": name, "name": name, "accessType": "CONFIDENTIAL", **extra}
    return realm.plugin.made(CLIENT, inputs)


def user(realm: Made, name: str, **extra: Any) -> Made:
    return realm.plugin.made(USER, {"realmId": realm.id, "username": name, **extra})


def test_realm(realm: Made, admin: KeycloakPluginClient) -> None:
    assert realm.state["id"] == realm.id == realm.given["realm"]
    realm.assert_no_drift()
    realm.change(displayName="Other", registrationAllowed=True)
    assert realm.diff(realm="x").replaces == ("realm",)
    admin.put(f"/realms/{realm.id}", {**admin.get(f"/realms/{realm.id}"), "rememberMe": True, "displayName": "Manual"})
    # Values that the program does not set are not drift.
    realm.assert_drift("displayName")
    realm.repair()
    assert "realm" not in realm.imported().paths


def test_group_and_its_children(realm: Made, admin: KeycloakPluginClient, unique: str) -> None:
    plugin = realm.plugin
    top = plugin.made(GROUP, {"realmId": realm.id, "name": unique, "attributes": {"k": "v##w"}})
    child = plugin.made(GROUP, {"realmId": realm.id, "name": "dev", "parentId": top.id})
    assert child.state["path"] == f"/{unique}/dev"
    for made in (top, child):
        made.assert_no_drift()
    assert top.diff(attributes={"k": "w##v"}).none
    top.change(attributes={"k": "x"})
    assert child.diff(parentId="other").replaces == ("parentId",)
    admin.put(f"/realms/{realm.id}/groups/{top.id}", {"name": unique, "attributes": {"k": ["hand"]}})
    top.assert_drift("attributes.k")
    top.repair()
    assert child.imported(f"{realm.id}/{child.id}").none
    by_path = admin.get(f"/realms/{realm.id}/group-by-path/{unique}/dev")
    assert (by_path["id"], by_path["parentId"]) == (child.id, top.id)
    child.remove()
    with pytest.raises(PluginFailure, match="404 Not Found"):
        plugin.delete(GROUP, child.id, child.state)  # as in upstream, the deletion of a missing group succeeds
    top.remove()


def test_members_are_exactly_the_given_ones(realm: Made, admin: KeycloakPluginClient, unique: str) -> None:
    plugin = realm.plugin
    people = [user(realm, f"{unique}-{n}") for n in ("a", "b", "c")]
    names = [person.given["username"] for person in people]
    group = plugin.made(GROUP, {"realmId": realm.id, "name": unique})
    members = plugin.made(MEMBERS, {"realmId": realm.id, "groupId": group.id, "members": names[1::-1]})
    assert members.id == f"{realm.id}/group-memberships/{group.id}"
    members.assert_no_drift()
    admin.put(f"/realms/{realm.id}/users/{people[2].id}/groups/{group.id}")
    members.assert_drift("members[2]")
    members.repair()
    members.change(members=[names[2]])
    with pytest.raises(PluginFailure, match="user with username nobody does not exist"):
        plugin.update(MEMBERS, members.id, members.state, members.checked(members=["nobody"]))
    with pytest.raises(PluginFailure, match="lowercase"):
        plugin.update(MEMBERS, members.id, members.state, members.checked(members=["Alice"]))
    members.repair()
    group.remove()
    assert not members.refresh()
    for person in people:
        person.remove()


def test_user(realm: Made, admin: KeycloakPluginClient, unique: str) -> None:
    made = user(realm, unique, email=f"{unique}@example.fr", firstName="A", lastName="B")
    made.assert_no_drift()
    made.change(firstName="C", enabled=False)
    admin.put(
        f"/realms/{realm.id}/users/{made.id}", {**admin.get(f"/realms/{realm.id}/users/{made.id}"), "enabled": True}
    )
    made.assert_drift("enabled")
    made.repair()
    assert made.diff(username="other").replaces == ("username",)
    assert made.imported(f"{realm.id}/{unique}").none
    _, failures = realm.plugin.check(USER, {"realmId": "r", "username": "Alice"})
    assert "lowercase" in failures[0]
    made.remove()


def test_an_undeclared_user_attribute_always_has_a_diff(realm: Made, unique: str) -> None:
    """As with the official plugin: the server silently ignores the attribute."""
    plugin = realm.plugin
    news, _ = plugin.check(USER, {"realmId": realm.id, "username": unique, "attributes": {"unknown": "x"}})
    id_, state = plugin.create(USER, news)
    assert plugin.diff(USER, state, news).paths == {"attributes.unknown": "add"}
    plugin.delete(USER, id_, state)


def test_a_role_created_outside_the_program_can_only_be_deleted(
    realm: Made, admin: KeycloakPluginClient, unique: str
) -> None:
    plugin = realm.plugin
    given = {"name": unique, "description": "d"}
    admin.post(f"/realms/{realm.id}/roles", given)
    path = f"/realms/{realm.id}/roles/{unique}"
    id_, state, inputs = plugin.read(ROLE, f"{realm.id}/{admin.get(path)['id']}")
    assert {"realmId": realm.id, **given}.items() <= inputs.items()
    news, _ = plugin.check(ROLE, {"realmId": realm.id, "name": f"{unique}-2"})
    with pytest.raises(PluginFailure, match="it only deletes it"):
        plugin.create(ROLE, news)
    with pytest.raises(PluginFailure, match="it only deletes it"):
        plugin.update(ROLE, id_, state, {**inputs, "description": "e"})
    plugin.delete(ROLE, id_, state)
    with pytest.raises(KeycloakApiError, match="404"):
        admin.get(path)


def test_client(realm: Made, admin: KeycloakPluginClient, unique: str) -> None:
    made = client(
        realm,
        unique,
        standardFlowEnabled=True,
        validRedirectUris=["https://b/*", "https://a/*"],
        serviceAccountsEnabled=True,
    )
    assert isinstance(made.state["clientSecret"], Secret)
    assert made.state["serviceAccountUserId"]
    made.assert_no_drift()
    made.change(validRedirectUris=["https://a/*"], description="d", pkceCodeChallengeMethod="S256")
    made.change(serviceAccountsEnabled=False)
    path = f"/realms/{realm.id}/clients/{made.id}"
    admin.put(path, {**admin.get(path), "redirectUris": ["https://evil/*"], "baseUrl": "https://by-hand"})
    made.assert_drift("validRedirectUris[0]")
    made.repair()
    assert made.diff(realmId="other").replaces == ("realmId",)
    assert made.imported(f"{realm.id}/{made.id}").none
    assert isinstance(made.state["clientSecret"], Secret)
    made.remove()


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"accessType": "BEARER-ONLY", "standardFlowEnabled": True, "validRedirectUris": ["x"]}, "bearer-only"),
        ({"accessType": "CONFIDENTIAL", "standardFlowEnabled": True}, "require at least one valid redirect uri"),
        ({"accessType": "CONFIDENTIAL", "validRedirectUris": ["x"]}, "valid_redirect_uris cannot be set"),
        ({"accessType": "PUBLIC", "serviceAccountsEnabled": True}, "cannot be enabled on public clients"),
    ],
)
def test_an_invalid_client_is_refused_as_in_upstream(realm: Made, inputs: dict[str, Any], reason: str) -> None:
    news, failures = realm.plugin.check(CLIENT, {"realmId": realm.id, "clientId": "c", **inputs})
    assert failures == []
    with pytest.raises(PluginFailure, match=reason):
        realm.plugin.create(CLIENT, news)


def test_scopes_and_mappers(realm: Made, admin: KeycloakPluginClient, unique: str) -> None:
    plugin = realm.plugin
    scope = plugin.made(SCOPE, {"realmId": realm.id, "name": unique, "description": "d"})
    scope.assert_no_drift()
    scope.change(includeInTokenScope=False)
    assert scope.imported(f"{realm.id}/{scope.id}").none
    owner = client(realm, unique)
    for kind, inputs, change in (
        ("groupMembershipProtocolMapper:GroupMembershipProtocolMapper", {"claimName": "groups"}, {"fullPath": False}),
        ("audienceProtocolMapper:AudienceProtocolMapper", {"includedCustomAudience": unique}, {"addToIdToken": False}),
        (
            "userAttributeProtocolMapper:UserAttributeProtocolMapper",
            {"userAttribute": "email", "claimName": "mail"},
            {"claimName": "mail2"},
        ),
        (
            "userPropertyProtocolMapper:UserPropertyProtocolMapper",
            {"userProperty": "email", "claimName": "mail"},
            {"addToUserinfo": False},
        ),
    ):
        mapper = plugin.made(
            f"keycloak:openid/{kind}", {"realmId": realm.id, "clientScopeId": scope.id, "name": kind[:9], **inputs}
        )
        mapper.assert_no_drift()
        mapper.change(**change)
        path = f"/realms/{realm.id}/client-scopes/{scope.id}/protocol-mappers/models/{mapper.id}"
        found = admin.get(path)
        admin.put(path, {**found, "config": {**found["config"], "access.token.claim": "false"}})
        mapper.assert_drift("addToAccessToken")
        mapper.repair()
        assert mapper.diff(realmId="other").replaces == ("realmId",)
        assert mapper.imported(f"{realm.id}/client-scope/{scope.id}/{mapper.id}").none
        mapper.remove()
    owner.remove()
    scope.remove()


def test_the_scopes_of_a_client(realm: Made, admin: KeycloakPluginClient, unique: str) -> None:
    plugin = realm.plugin
    owner = client(realm, unique)
    base = {"realmId": realm.id, "clientId": owner.id}
    defaults = plugin.made(DEFAULTS, {**base, "defaultScopes": ["profile", "email"]})
    assert defaults.id == f"{realm.id}/{owner.id}"
    defaults.assert_no_drift()
    defaults.change(defaultScopes=["profile"])
    optionals = plugin.made(OPTIONALS, {**base, "optionalScopes": ["phone"]})
    with pytest.raises(PluginFailure, match="scope phone is already attached to client as an optional scope"):
        plugin.update(DEFAULTS, defaults.id, defaults.state, defaults.checked(defaultScopes=["phone"]))
    with pytest.raises(PluginFailure, match="scope nothing does not exist"):
        plugin.update(DEFAULTS, defaults.id, defaults.state, defaults.checked(defaultScopes=["nothing"]))
    defaults.repair()
    optionals.assert_no_drift()
    ids = {scope["name"]: scope["id"] for scope in admin.get(f"/realms/{realm.id}/client-scopes")}
    admin.put(f"/realms/{realm.id}/clients/{owner.id}/default-client-scopes/{ids['email']}")
    assert defaults.refresh()
    assert defaults.diff().paths
    defaults.repair()
    owner.remove()
    assert not defaults.refresh()


def test_a_token_that_expires_is_renewed(platform: Mapping[str, str], realm: Made) -> None:
    made = provider.make(Host(None))
    plugin = Plugin(made)
    plugin.configure(**servers.keycloak_settings(platform))
    made.client._token = "expired"
    assert plugin.read(REALM, realm.id)[0] == realm.id
    plugin.close()


def test_a_wrong_password_is_not_shown_in_the_error(platform: Mapping[str, str]) -> None:
    plugin = Plugin(provider.make(Host(None)))
    with pytest.raises(
        PluginFailure, match=f"failed to perform initial login to Keycloak.*{httpx.codes.UNAUTHORIZED}"
    ) as caught:
        plugin.configure(**{**servers.keycloak_settings(platform), "password": "wrong-marker"})
    assert "wrong-marker" not in str(caught.value)
    plugin.close()

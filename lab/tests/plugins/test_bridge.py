"""Check, Diff and plans over gRPC, without a server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2

from lab.plugins.keycloak import provider as keycloak
from lab.plugins.server import Host
from lab.plugins.vault import provider as vault
from lab.plugins.wire import UNKNOWN, Secret
from lab.tests.plugins.rpc import Plugin, PluginFailure

MOUNT = "vault:index/mount:Mount"
POLICY = "vault:index/policy:Policy"
JWT = "vault:jwt/authBackend:AuthBackend"
JWT_ROLE = "vault:jwt/authBackendRole:AuthBackendRole"
GROUP = "vault:identity/group:Group"
SECRET = "vault:kv/secretV2:SecretV2"
CLIENT = "keycloak:openid/client:Client"
MAPPER = "keycloak:openid/groupMembershipProtocolMapper:GroupMembershipProtocolMapper"


@pytest.fixture(scope="module")
def plugin() -> Iterator[Plugin]:
    made = Plugin(vault.make(Host(None)))
    yield made
    made.close()


@pytest.fixture(scope="module")
def keycloak_offline() -> Iterator[Plugin]:
    made = Plugin(keycloak.make(Host(None)))
    yield made
    made.close()


# -- check ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("token", "news", "reason"),
    [
        (MOUNT, {"path": "a"}, "Missing required property 'type'"),
        (MOUNT, {"path": "a", "type": "kv", "pth": "b"}, "at 'res.pth'. Did you mean 'path'?"),
        (MOUNT, {"path": "a", "type": "kv", "accessor": "x"}, "Invalid or unknown key"),
        (MOUNT, {"path": "a", "type": "kv", "defaultLeaseTtlSeconds": "soon"}, "expected type 'int'"),
        (MOUNT, {"path": "a", "type": ["kv"]}, "expected type 'string', got unconvertible type 'list'"),
        (MOUNT, {"path": "a", "type": "kv", "options": "x"}, "Expected a map, got string"),
        (JWT, {"jwksUrl": "u", "oidcDiscoveryUrl": "v"}, "conflicts with"),
        (JWT, {"type": "saml", "jwksUrl": "u"}, 'expected value to be one of ["jwt" "oidc"], got saml'),
        (SECRET, {"mount": "m", "name": "n", "dataJson": "{"}, "not valid JSON"),
    ],
)  # fmt: skip
def test_bad_inputs_are_refused_in_one_line(plugin: Plugin, token: str, news: dict[str, Any], reason: str) -> None:
    _, failures = plugin.check(token, news)
    assert any(reason in failure for failure in failures), failures
    assert all("\n" not in failure for failure in failures)


def test_a_mapper_has_exactly_one_owner(keycloak_offline: Plugin) -> None:
    base = {"realmId": "r", "claimName": "groups", "name": "m"}
    for extra in ({}, {"clientId": "c", "clientScopeId": "s"}):
        _, failures = keycloak_offline.check(MAPPER, {**base, **extra})
        assert "clientId,clientScopeId" in failures[0]
    assert keycloak_offline.check(MAPPER, {**base, "clientId": UNKNOWN})[1] == []


def test_the_error_for_an_unknown_type_contains_its_name(plugin: Plugin) -> None:
    with pytest.raises(PluginFailure, match="vault:aws/secretBackend:SecretBackend"):
        plugin.check("vault:aws/secretBackend:SecretBackend", {})


def test_defaults_are_added_and_listed_except_zeros(plugin: Plugin) -> None:
    checked, _ = plugin.check(JWT_ROLE, {"roleName": "ci", "userClaim": "sub"})
    assert checked["backend"] == "jwt"
    assert checked["tokenType"] == "default"
    assert checked["__defaults"] == ["backend", "tokenType"]
    assert "clockSkewLeeway" not in checked


def test_scalars_are_converted_as_in_the_official_plugins(plugin: Plugin) -> None:
    news = {
        "path": "a",
        "type": "kv",
        "options": {"version": 2, "x": True},
        "defaultLeaseTtlSeconds": "60",
        "local": "true",
    }
    checked, failures = plugin.check(MOUNT, news)
    assert failures == []
    assert checked["options"] == {"version": "2", "x": "true"}
    assert (checked["defaultLeaseTtlSeconds"], checked["local"]) == (60, True)


def test_secret_inputs_stay_secret(plugin: Plugin) -> None:
    checked, _ = plugin.check(SECRET, {"mount": "m", "name": "n", "dataJson": '{"a":1}'})
    assert checked["dataJson"] == Secret('{"a":1}')
    assert not isinstance(checked["mount"], Secret)


def test_a_generated_name_is_kept(plugin: Plugin) -> None:
    first, _ = plugin.check(POLICY, {"policy": "p"}, name="reader", randomSeed=b"s" * 32)
    assert first["name"].startswith("reader-")
    assert first["__defaults"] == ["name"]
    again, _ = plugin.check(POLICY, {"policy": "q"}, olds=first, name="reader", randomSeed=b"t" * 32)
    assert again["name"] == first["name"]


def test_a_name_that_the_program_removes_is_not_kept(plugin: Plugin) -> None:
    given, _ = plugin.check(POLICY, {"policy": "p", "name": "mine"}, name="reader")
    assert given["__defaults"] == []
    assert plugin.check(POLICY, {"policy": "p"}, olds=given, name="reader")[0]["name"] != "mine"


def test_a_name_proposed_by_the_engine_is_used(plugin: Plugin) -> None:
    modes: Any = provider_pb2.CheckRequest.AutonamingOptions
    options = modes(proposed_name="from-the-engine", mode=modes.ENFORCE)
    assert plugin.check(POLICY, {"policy": "p"}, autonaming=options)[0]["name"] == "from-the-engine"


# -- plans and diffs --------------------------------------------------------------------------------------------------

STATE = {
    "id": "a", "path": "a", "type": "kv", "description": "d", "accessor": "kv_1", "local": False, "sealWrap": False,
    "defaultLeaseTtlSeconds": 10, "maxLeaseTtlSeconds": 20, "forceNoCache": False,
    "options": {"version": "2"}, "allowedManagedKeys": ["x", "y"], "auditNonHmacRequestKeys": ["k"],
}  # fmt: skip
SAME = {"path": "a", "type": "kv", "description": "d", "options": {"version": "2"}, "allowedManagedKeys": ["y", "x"]}


def test_computed_values_and_the_order_of_sets_are_not_changes(plugin: Plugin) -> None:
    assert plugin.diff(MOUNT, STATE, SAME).none


@pytest.mark.parametrize(
    ("change", "paths"),
    [
        ({"description": "e"}, {"description": "update"}),
        ({"description": None}, {"description": "delete"}),
        ({"options": {"version": "2", "new": "1"}}, {"options.new": "add"}),
        ({"options": {}}, {"options.version": "delete"}),
        ({"allowedManagedKeys": ["x", "z"]}, {"allowedManagedKeys[1]": "update"}),
        ({"auditNonHmacRequestKeys": ["k", "l"]}, {"auditNonHmacRequestKeys[1]": "add"}),
        ({"type": "transit"}, {"type": "update_replace"}),
        ({"sealWrap": True}, {"sealWrap": "update_replace"}),
        ({"type": UNKNOWN}, {"type": "update_replace"}),
        ({"description": UNKNOWN}, {"description": "update"}),
        ({"maxLeaseTtlSeconds": 30}, {"maxLeaseTtlSeconds": "update"}),
    ],
)
def test_a_change_is_reported_by_path(plugin: Plugin, change: dict[str, Any], paths: dict[str, str]) -> None:
    found = plugin.diff(MOUNT, STATE, {key: value for key, value in {**SAME, **change}.items() if value is not None})
    assert found.paths == paths


def test_a_diff_compares_with_the_state_and_not_with_earlier_inputs(plugin: Plugin) -> None:
    """A value that the server normalises is a change at every run, as with the official plugins."""
    state = {
        "id": "gitlab", "path": "gitlab", "type": "jwt", "jwtValidationPubkeys": ["KEY"], "local": False,
    }  # fmt: skip
    news, _ = plugin.check(JWT, {"path": "gitlab", "jwtValidationPubkeys": ["KEY\n"]})
    assert plugin.diff(JWT, state, news).paths == {"jwtValidationPubkeys[0]": "update"}


def test_ignored_changes_are_not_reported(plugin: Plugin) -> None:
    assert plugin.diff(MOUNT, STATE, {**SAME, "description": "e"}, ignore=["description"]).none


def test_an_object_with_a_fixed_name_is_deleted_first(plugin: Plugin) -> None:
    state = {"id": "p", "name": "p", "policy": "x"}
    chosen, _ = plugin.check(POLICY, {"name": "q", "policy": "x"})
    assert plugin.diff(POLICY, state, chosen).delete_first
    made, _ = plugin.check(POLICY, {"policy": "x"})
    assert not plugin.diff(POLICY, state, made).delete_first


def test_members_of_external_groups_are_not_changed(plugin: Plugin) -> None:
    state = {
        "id": "i", "name": "g", "type": "external", "policies": [], "memberEntityIds": ["e"], "metadata": {},
    }  # fmt: skip
    assert plugin.diff(GROUP, state, {"name": "g", "type": "external"}).none
    assert plugin.diff(GROUP, {**state, "type": "internal"}, {"name": "g", "type": "internal"}).paths == {
        "memberEntityIds": "delete"
    }


def test_a_preview_marks_computed_values_as_unknown(plugin: Plugin) -> None:
    id_, state = plugin.create(MOUNT, {"path": "a", "type": "kv", "description": UNKNOWN}, preview=True)
    assert id_ == ""
    assert state["accessor"] is UNKNOWN
    assert state["description"] is UNKNOWN
    assert state["path"] == "a"
    assert state["local"] is None
    assert state["listingVisibility"] is None


def test_a_preview_of_secrets_keeps_them_secret(plugin: Plugin) -> None:
    _, state = plugin.create(SECRET, {"mount": "m", "name": "n", "dataJson": '{ "b": 1, "a": "<&>" }'}, preview=True)
    assert state["dataJson"] == Secret('{"a":"\\u003c\\u0026\\u003e","b":1}')
    assert state["data"] == Secret(UNKNOWN)


def test_a_plan_that_upstream_refuses_fails(plugin: Plugin) -> None:
    with pytest.raises(PluginFailure, match="exactly one of oidc_discovery_url"):
        plugin.create(JWT, {"path": "gitlab"}, preview=True)


def test_a_value_that_depends_on_a_change_is_unknown_again(keycloak_offline: Plugin) -> None:
    news, _ = keycloak_offline.check(
        CLIENT,
        {"realmId": "r", "clientId": "c", "name": "n", "accessType": "CONFIDENTIAL", "serviceAccountsEnabled": True},
    )
    state = {**news, "id": "1", "serviceAccountsEnabled": False, "serviceAccountUserId": "", "description": "manual"}
    found = keycloak_offline.diff(CLIENT, state, news).paths
    assert found["serviceAccountUserId"] == "update"
    assert "description" not in found  # not in the program, so the server's value is kept


# -- configuration ----------------------------------------------------------------------------------------------------


def test_secret_settings_stay_secret_and_unknown_ones_are_refused() -> None:
    plugin = Plugin(vault.make(Host(None)))
    with pytest.raises(PluginFailure, match="`vault:adress` is not a valid configuration key"):
        plugin.configure(adress="x")
    with pytest.raises(PluginFailure, match="does not support vault:authLoginUserpass"):
        plugin.configure(address="http://x", authLoginUserpass='{"username":"u"}')
    with pytest.raises(PluginFailure, match="maxRetries must be a integer"):
        plugin.configure(maxRetries="many")
    plugin.close()


def test_a_missing_address_and_an_unreachable_server_are_reported_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VAULT_ADDR", raising=False)
    plugin = Plugin(vault.make(Host(None)))
    plugin.configure(token="t-marker")
    with pytest.raises(PluginFailure, match="failed to configure Vault address"):
        plugin.create(POLICY, {"name": "p", "policy": "x"})
    plugin.configure(address="http://127.0.0.1:1", token="t-marker", maxRetries="0")
    with pytest.raises(PluginFailure) as caught:
        plugin.create(POLICY, {"name": "p", "policy": "x"})
    assert "Connection refused" in str(caught.value)
    assert "t-marker" not in str(caught.value)
    assert "\n" not in str(caught.value)
    plugin.close()


def test_keycloak_refuses_incomplete_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "USER", "PASSWORD", "CLIENT_ID", "CLIENT_SECRET"):
        monkeypatch.delenv(f"KEYCLOAK_{name}", raising=False)
    plugin = Plugin(keycloak.make(Host(None)))
    with pytest.raises(PluginFailure, match="missing a required configuration key"):
        plugin.configure()
    with pytest.raises(PluginFailure, match="client_id is required for password grant"):
        plugin.configure(url="http://127.0.0.1:1", username="u", password="p-marker")
    with pytest.raises(PluginFailure, match="failed to perform initial login") as caught:
        plugin.configure(url="http://127.0.0.1:1", clientId="c", username="u", password="p-marker")
    assert "p-marker" not in str(caught.value)
    plugin.close()

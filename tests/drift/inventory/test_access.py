"""The inventories of Keycloak, Vault and SonarQube, with fixed answers."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from model.settings import FoundationMode, KeycloakSettings, PeopleSource, System
from tests.drift.inventory.api_server import NOTHING, Refused, Script, serving
from tests.drift.inventory.scanning import names, only, resource, scan
from usine.drift.inventory import Inventory, Managed

REALM = "/admin/realms/usine"
GROUPS = (
    resource("keycloak:index/group:Group", "g1", path="/alpha", name="alpha"),
    resource("keycloak:index/group:Group", "g2", path="/alpha/owner", name="owner"),
    resource("keycloak:index/groupMemberships:GroupMemberships", "usine/group-memberships/g2", groupId="g2"),
    resource("keycloak:openid/client:Client", "c1", None, clientId="vault"),
)
EMPTY_REALM = (
    "default-groups", "identity-provider/instances", "groups/g1/members", "groups/g2/children",
    *(
        f"{role}/{holders}"
        for role in ("roles/offline_access", "clients/c2/roles/realm-admin")
        for holders in ("groups", "users")
    ),
)  # fmt: skip
CLEAN_REALM: dict[str, Any] = {
    "/realms/master/protocol/openid-connect/token": {"access_token": "t", "expires_in": 60},
    REALM: {"realm": "usine"},
    **{f"{REALM}/{path}": [] for path in EMPTY_REALM},
    f"{REALM}/groups": [{"id": "g1", "path": "/alpha"}],
    f"{REALM}/groups/g1/children": [{"id": "g2", "path": "/alpha/owner"}],
    f"{REALM}/groups/g2/members": [{"id": "u1", "username": "alice.martin"}],  # exact in the state
    f"{REALM}/roles": [{"id": "r1", "name": "offline_access"}, {"id": "r2", "name": "default-roles-usine"}],
    f"{REALM}/roles/default-roles-usine/users": [{"id": "u1", "username": "alice.martin"}],
    f"{REALM}/roles-by-id/r2/composites": [
        {"id": "r1", "name": "offline_access"},
        {"id": "r3", "name": "view-profile"},
    ],
    f"{REALM}/clients": [
        {"id": "c1", "clientId": "vault", "protocolMappers": []},
        {"id": "c2", "clientId": "realm-management"},
    ],
    f"{REALM}/clients/c2/roles": [{"id": "r4", "name": "realm-admin"}],
    f"{REALM}/client-scopes": [
        {
            "id": "s1",
            "name": "microprofile-jwt",
            "protocolMappers": [
                {"id": "m0", "name": "groups", "protocolMapper": "oidc-x", "config": {"claim.name": "groups"}}
            ],
        },
        {
            "id": "s2",
            "name": "profile",
            "protocolMappers": [
                {"id": "m9", "name": "names", "protocolMapper": "oidc-x", "config": {"claim.name": "n"}}
            ],
        },
    ],
    f"{REALM}/users": [],
}


def keycloak(answers: dict[str, Any], state: tuple[Managed, ...] = GROUPS, **changes: Any) -> Inventory:
    with serving({**CLEAN_REALM, **answers}) as api:
        inventory = scan(only(System.KEYCLOAK, api.url, **changes), state)
        assert api.methods() == {"GET", "POST"}
        assert [path for method, path, _, _ in api.asked if method == "POST"] == [
            "/realms/master/protocol/openid-connect/token"
        ]
        return inventory


def test_a_new_realm_has_no_unmanaged_objects() -> None:
    assert names(keycloak({})) == set()


def test_unmanaged_access_in_a_realm_is_found() -> None:
    forged = {
        "id": "m1",
        "name": "x",
        "protocolMapper": "oidc-hardcoded-claim-mapper",
        "config": {"claim.name": "groups"},
    }
    inventory = keycloak(
        {
            f"{REALM}/groups/g1/members": [{"id": "u2", "username": "mallory"}],  # nobody is to be in /alpha itself
            f"{REALM}/groups/g2/children": [{"id": "g9", "path": "/alpha/owner/extra"}],
            f"{REALM}/default-groups": [{"id": "g2", "path": "/alpha/owner"}],
            f"{REALM}/roles-by-id/r2/composites": [{"id": "r4", "name": "realm-admin"}],
            f"{REALM}/clients/c2/roles/realm-admin/users": [{"id": "u2", "username": "mallory"}],
            f"{REALM}/clients/c2/roles/realm-admin/groups": [{"id": "g2", "path": "/alpha/owner"}],
            f"{REALM}/client-scopes": [{"id": "s2", "name": "profile", "protocolMappers": [forged]}],
            f"{REALM}/identity-provider/instances": [{"alias": "evil", "providerId": "oidc", "enabled": True}],
            f"{REALM}/users": [{"id": "u2", "username": "mallory", "enabled": True}],
        }
    )
    assert names(inventory) == {
        ("alpha", "GroupMemberships", "/alpha: mallory"),
        ("alpha", "Group", "/alpha/owner/extra"),
        ("alpha", "DefaultGroups", "default groups: /alpha/owner"),
        (None, "DefaultRoles", "default roles: realm-admin"),
        (None, "UserRoles", "mallory: realm-management realm-admin"),
        ("alpha", "GroupRoles", "/alpha/owner: realm-management realm-admin"),
        (None, "GenericProtocolMapper", "profile: x"),
        (None, "IdentityProvider", "identity provider: evil"),
        (None, "User", "account: mallory"),
    }
    ids = {item.name: item.import_id for item in inventory.found if item.import_id}
    assert ids == {"/alpha/owner/extra": "usine/g9", "account: mallory": "usine/u2"}


@pytest.mark.parametrize("mode", FoundationMode)
def test_the_client_of_a_tenant_s_grafana_is_the_tenant_s(mode: FoundationMode) -> None:
    """In a layout with a stack per tenant, the foundation's state does not have it."""
    mapper = {"id": "m7", "name": "more", "protocolMapper": "oidc-x", "config": {"claim.name": "groups"}}
    clients = [
        {"id": "c3", "clientId": "grafana-alpha", "protocolMappers": []},
        {"id": "c4", "clientId": "grafana-beta", "protocolMappers": []},
        {"id": "c5", "clientId": "grafana-gamma", "protocolMappers": [mapper]},
    ]
    answers = {f"{REALM}/clients": [*CLEAN_REALM[f"{REALM}/clients"], *clients]}
    changes: dict[str, Any] = {"tenants": ("alpha",)} if mode is FoundationMode.SKIP else {}
    state = tuple(one for one in GROUPS if mode is not FoundationMode.ONLY or one.tenant is None)
    inventory = keycloak(answers, state, foundation=mode, **changes)
    found = {one.name: one.tenant for one in inventory.found if "client" in one.name}
    own, other, nobody = {"client: grafana-alpha": "alpha"}, {"client: grafana-beta": "beta"}, "client: grafana-gamma"
    expected: dict[FoundationMode, dict[str, str | None]] = {
        FoundationMode.SKIP: {**own},
        FoundationMode.ONLY: {nobody: None},
        FoundationMode.INCLUDE: {**own, **other, nobody: None},
    }
    assert found == expected[mode]


@pytest.mark.parametrize(
    ("path", "tenants"),
    [
        ("groups", {None, "alpha", "beta"}),
        ("client-scopes", {None}),
        ("groups/g1/children", {"alpha"}),
        ("clients/c2/roles", {None, "alpha", "beta"}),
    ],
)
def test_a_404_of_a_keycloak_list_is_a_gap_of_the_scan(path: str, tenants: set[str | None]) -> None:
    owner = path.rpartition("/")[0]
    there = {f"{REALM}/{owner}": {"id": "x"}} if owner else {}
    inventory = keycloak({**there, f"{REALM}/{path}": Refused(404)})
    assert {(gap.tenant, gap.reason) for gap in inventory.gaps} == {
        (tenant, f"Keycloak refused GET usine/{path}: HTTP 404") for tenant in tenants
    }


def test_a_deleted_group_of_keycloak_is_no_gap() -> None:
    assert names(keycloak({f"{REALM}/groups/g1/{kind}": Refused(404) for kind in ("children", "members")})) == set()


def test_accounts_of_a_directory_are_no_findings() -> None:
    users = {f"{REALM}/users": [{"id": "u2", "username": "mallory", "enabled": True}]}
    assert names(keycloak(users, keycloak=KeycloakSettings("usine", PeopleSource.DIRECTORY))) == set()


VAULT_STATE = (
    resource("vault:index/mount:Mount", "alpha"),
    resource("vault:index/policy:Policy", "alpha.env.dev"),
    resource("vault:kubernetes/authBackendRole:AuthBackendRole", "auth/kubernetes/nonprod-1/role/alpha-dev"),
    resource("vault:identity/group:Group", "i1"),
    resource("vault:jwt/authBackend:AuthBackend", "oidc", None),
    resource("vault:jwt/authBackend:AuthBackend", "gitlab", None),
    resource("vault:index/authBackend:AuthBackend", "kubernetes/nonprod-1", None),
)


def keys(*found: str, **details: Any) -> dict[str, Any]:
    return {"data": {"keys": [*found, *details], "key_info": details}}


CLEAN_VAULT: dict[str, Any] = {
    "/v1/sys/mounts": {
        "data": {path: {"type": kind} for path, kind in
                 {"alpha/": "kv", "sys/": "system", "cubbyhole/": "cubbyhole", "secret/": "kv"}.items()}
    },
    "/v1/sys/auth": {
        "data": {path: {"type": kind} for path, kind in
                 {"oidc/": "oidc", "gitlab/": "jwt", "token/": "token", "kubernetes/nonprod-1/": "kubernetes"}.items()}
    },
    "/v1/sys/policies/acl": keys("default", "root", "alpha.env.dev"),
    "/v1/auth/kubernetes/nonprod-1/role": keys("alpha-dev"),
    **dict.fromkeys(("/v1/auth/oidc/role", "/v1/auth/gitlab/role", "/v1/identity/group-alias/id"), NOTHING),
    "/v1/identity/group/id": keys(i1={"name": "alpha.owner"}),
    "/v1/identity/entity/id": keys("e1"),
    "/v1/identity/entity/id/e1": {"data": {"name": "entity_1", "policies": []}},
    "/v1/auth/token/accessors": keys("accessor-of-root", "accessor-of-a-login"),
    "/v1/auth/token/lookup-accessor": Script(
        [
            {"data": {"path": "auth/token/create", "policies": ["platform"]}},  # a provider's own
            {"data": {"path": "auth/oidc/login", "policies": ["alpha.role.owner"]}},
        ]
    ),
}  # fmt: skip


def vault(answers: dict[str, Any], state: tuple[Managed, ...] = VAULT_STATE, **changes: Any) -> Inventory:
    with serving({**deepcopy(CLEAN_VAULT), **answers}) as api:
        inventory = scan(only(System.VAULT, api.url, **changes), state)
        assert {path for method, path, _, _ in api.asked if method == "POST"} <= {"/v1/auth/token/lookup-accessor"}
        return inventory


def test_a_new_vault_has_no_unmanaged_objects() -> None:
    assert names(vault({})) == set()


@pytest.mark.parametrize(
    ("answers", "found", "import_id"),
    [
        ({"/v1/sys/mounts": {"data": {"beta/": {"type": "kv"}}}}, ("beta", "Mount", "mount: beta"), "beta"),
        ({"/v1/sys/mounts": {"data": {"x/": {"type": "pki"}}}}, (None, "Mount", "mount: x"), "x"),
        ({"/v1/sys/auth": {"data": {"up/": {"type": "userpass"}}}}, (None, "AuthBackend", "log-in: up"), "up"),
        ({"/v1/sys/policies/acl": keys("alpha.x")}, ("alpha", "Policy", "policy: alpha.x"), "alpha.x"),
        ({"/v1/sys/policies/acl": keys("alphabet")}, (None, "Policy", "policy: alphabet"), "alphabet"),
        (
            {
                "/v1/auth/kubernetes/nonprod-1/role": keys("alpha-x"),
                "/v1/auth/kubernetes/nonprod-1/role/alpha-x": NOTHING,  # it went meanwhile
            },
            ("alpha", "AuthBackendRole", "role of kubernetes/nonprod-1: alpha-x"),
            "auth/kubernetes/nonprod-1/role/alpha-x",
        ),
        (  # nobody's by its name, alpha's by what it gives
            {
                "/v1/auth/gitlab/role": keys("handy"),
                "/v1/auth/gitlab/role/handy": {"data": {"token_policies": ["alpha.ci"], "bound_claims": {"ref": "x"}}},
            },
            ("alpha", "AuthBackendRole", "role of gitlab: handy"),
            "auth/gitlab/role/handy",
        ),
        (
            {
                "/v1/identity/group/id": keys(i2={"name": "friends"}),
                "/v1/identity/group/id/i2": {"data": {"policies": ["beta.role.owner"]}},
            },
            ("beta", "Group", "group: friends"),
            "i2",
        ),
        (
            {"/v1/identity/group-alias/id": keys(a1={"name": "/alpha/owner", "mount_path": "auth/oidc/"})},
            ("alpha", "GroupAlias", "group alias: /alpha/owner of auth/oidc/"),
            "a1",
        ),
        (
            {"/v1/identity/entity/id/e1": {"data": {"name": "entity_1", "policies": ["alpha.env.prod"]}}},
            ("alpha", "Entity", "entity: entity_1"),
            None,
        ),
        (
            {"/v1/auth/token/accessors": keys("0123456789abcdef"),
             "/v1/auth/token/lookup-accessor": {
                 "data": {"path": "auth/token/create-orphan", "policies": ["alpha.env.prod"], "display_name": "token"}
             }},
            ("alpha", "Token", "token: token (01234567…)"),
            None,
        ),
    ],
)  # fmt: skip
def test_unmanaged_access_in_vault_is_found(
    answers: dict[str, Any], found: tuple[str | None, str, str], import_id: str | None
) -> None:
    inventory = vault(answers)
    assert names(inventory) == {found}
    assert inventory.found[0].import_id == import_id
    assert "0123456789abcdef" not in repr(inventory)


def test_signing_keys_that_nobody_declared_are_found() -> None:
    mount = resource("vault:index/mount:Mount", "usine-signing", None, path="usine-signing", type="transit")
    key = resource("vault:transit/secretBackendKey:SecretBackendKey", "usine-signing/keys/alpha")
    answers = {
        "/v1/sys/mounts": {"data": {"usine-signing/": {"type": "transit"}}},
        "/v1/usine-signing/keys": keys("alpha", "beta", "alphabet"),
    }
    inventory = vault(answers, (*VAULT_STATE, mount, key))
    expected = {("beta", "SecretBackendKey", "signing key: beta"), (None, "SecretBackendKey", "signing key: alphabet")}
    assert names(inventory) == expected
    assert {found.import_id for found in inventory.found} == {"usine-signing/keys/beta", "usine-signing/keys/alphabet"}
    assert not names(vault({**answers, "/v1/usine-signing/keys": NOTHING}, (*VAULT_STATE, mount, key)))


@pytest.mark.parametrize("path", ["auth/gitlab/role", "sys/policies/acl", "identity/group/id", "sys/auth", "x/config"])
def test_a_404_of_vault_with_a_reason_is_a_gap_of_the_scan(path: str) -> None:
    store = resource("vault:index/mount:Mount", "x", path="x", type="kv")
    there = {"/v1/sys/mounts": {"data": {"x/": {"type": "kv"}}}, "/v1/x/config": {"data": {}}}
    for answer in (Refused(404, body={"errors": [f'no handler for route "{path}"']}), Refused(404)):
        gaps = vault({**there, f"/v1/{path}": answer}, (*VAULT_STATE, store)).gaps
        assert {(one.tenant, one.reason) for one in gaps} == {
            (tenant, f"Vault refused GET {path}: HTTP 404") for tenant in (None, "alpha", "beta")
        }


def test_a_missing_mount_of_vault_is_no_gap() -> None:
    store = resource("vault:index/mount:Mount", "gone", path="gone", type="kv")
    unmounted = {"/v1/sys/auth": {"data": {}}, "/v1/auth/gitlab/role": Refused(404)}
    assert names(vault(unmounted, (*VAULT_STATE, store))) == set()


def test_a_stack_of_one_tenant_reports_only_this_tenant_in_vault() -> None:
    answers = {"/v1/sys/policies/acl": keys("default", "alpha.x", "beta.x", "platform")}
    tenant: dict[str, Any] = {"foundation": FoundationMode.SKIP, "tenants": ("beta",)}
    assert names(vault(answers, (), **tenant)) == {("beta", "Policy", "policy: beta.x")}
    answers["/v1/identity/group/id"] = keys()
    foundation: dict[str, Any] = {"foundation": FoundationMode.ONLY}
    state = tuple(item for item in VAULT_STATE if item.tenant is None)
    assert names(vault(answers, state, **foundation)) == {(None, "Policy", "policy: platform")}


SONAR = "pulumi-python:dynamic/sonarqube"
SONAR_STATE = (
    resource(f"{SONAR}:Project", "alpha:api"),
    resource(f"{SONAR}:Group", "s1"),
    resource(f"{SONAR}:Webhook", "alpha:api/w1"),
    resource(f"{SONAR}:TechnicalAccount", "u3", login="usine.alpha.1"),
    resource(f"{SONAR}:ProjectAnalysisToken", "usine.alpha.1/usine alpha:api 1-0a1b"),
)
_ONE_PAGE = {"pageIndex": 1, "pageSize": 500, "total": 1}


def sonarqube(more: bool) -> Inventory:
    """Answers of a SonarQube with unmanaged objects, or without."""
    extra = [1] if more else []
    paging = {"pageIndex": 1, "pageSize": 100, "total": 1 + len(extra)}
    projects = [
        {"key": "alpha:api", "visibility": "private"},
        *({"key": "beta:x", "visibility": "public"} for _ in extra),
    ]
    groups = [
        {"id": "s0", "name": "sonar-administrators"},
        {"id": "s1", "name": "/alpha/owner"},
        *({"id": "s2", "name": "/alpha/extra"} for _ in extra),
    ]
    hooks = [{"key": "w1", "name": "usine", "url": "https://hooks.example.test"}]
    tokens = {
        "admin": [
            {"name": "usine", "type": "USER_TOKEN"},
            *({"name": "mine", "type": "USER_TOKEN"} for _ in extra),
            *({"name": "by-hand", "type": "GLOBAL_ANALYSIS_TOKEN"} for _ in extra),
            *({"name": "other", "type": "PROJECT_ANALYSIS_TOKEN", "project": {"key": "alpha:api"}} for _ in extra),
        ],
        # Only the platform's own account may have a token of this name.
        "mallory": [{"name": "usine", "type": "USER_TOKEN", "expirationDate": "2027-01-31T00:00:00+0000"}],
        "usine.alpha.1": [
            {"name": "usine alpha:api 1-0a1b", "type": "USER_TOKEN"},
            *({"name": "own & more", "type": "USER_TOKEN"} for _ in extra),
        ],
    }
    people = {"local": False, "externalProvider": "oidc"}
    technical = {"local": False, "externalProvider": "sonarqube"}
    users = [
        {"id": "u1", "login": "admin", "local": True, "externalProvider": "sonarqube"},
        {"id": "u2", "login": "mallory", **people},
        {"id": "u3", "login": "usine.alpha.1", **technical},
        *({"id": "u4", "login": "usine.alpha.0", **technical} for _ in extra),
        *({"id": "u5", "login": "alpha", "local": True, "externalProvider": "sonarqube"} for _ in extra),
    ]
    answers: dict[str, Any] = {
        "/api/projects/search": {"components": projects, "paging": paging},
        "/api/v2/authorizations/groups": {"groups": groups, "page": {**_ONE_PAGE, "total": len(groups)}},
        "/api/v2/users-management/users": {
            "users": users,
            "page": {**_ONE_PAGE, "total": len(users)},
        },
        "/api/v2/authorizations/group-memberships": {
            "groupMemberships": [{"id": "gm1", "userId": "u1"}, *({"id": "gm2", "userId": "u2"} for _ in extra)],
            "page": {**_ONE_PAGE, "total": 1 + len(extra)},
        },
        "/api/users/current": {"login": "admin"},
        **{f"/api/user_tokens/search?login={login}": {"userTokens": found} for login, found in tokens.items()},
        "/api/webhooks/list": {
            "webhooks": [
                *hooks,
                *({"key": "w2", "name": "x", "url": "https://e.example/planted-credential"} for _ in extra),
            ]
        },
        "/api/qualitygates/list": {
            "qualitygates": [
                {"name": "Sonar way", "isBuiltIn": True, "isDefault": False},
                *({"name": "easy", "isBuiltIn": False, "isDefault": True} for _ in extra),
            ]
        },
    }
    # The whole server's webhooks come from the same list: the state knows the one of the project, and of no other.
    state = (*SONAR_STATE, resource(f"{SONAR}:Webhook", "-/w1", None))
    with serving(answers) as api:
        inventory = scan(only(System.SONARQUBE, api.url), state)
        assert api.methods() == {"GET"}
        return inventory


def test_a_new_sonarqube_has_no_unmanaged_objects() -> None:
    assert names(sonarqube(more=False)) == set()


@pytest.mark.parametrize(("projects", "tenants"), [([], set()), ([{"key": "alpha:api"}], {"alpha"})])
def test_a_404_of_webhooks_is_a_gap_if_the_project_exists(projects: list[Any], tenants: set[str]) -> None:
    page = {"total": len(projects)}
    answers = {"/api/projects/search?p=1&ps=100&projects=alpha%3Aapi": {"components": projects, "paging": page}}
    with serving(answers) as api:
        one_tenant: dict[str, Any] = {"foundation": FoundationMode.SKIP, "tenants": ("alpha",)}
        inventory = scan(only(System.SONARQUBE, api.url, **one_tenant), (resource(f"{SONAR}:Project", "alpha:api"),))
    reasons = {one.tenant for one in inventory.gaps if "/api/webhooks/list" in one.reason}
    assert reasons == tenants


def test_unmanaged_objects_of_sonarqube_are_found() -> None:
    assert names(sonarqube(more=True)) == {
        ("beta", "Project", "project: beta:x"),
        ("alpha", "Group", "group: /alpha/extra"),
        ("alpha", "Webhook", "alpha:api: webhook x (w2)"),
        (None, "Webhook", "every project: webhook x (w2)"),
        (None, "QualityGate", "gate: easy"),
        (None, "GroupMembership", "sonar-administrators: mallory"),
        (None, "ProjectAnalysisToken", "token: admin/mine"),
        (None, "ProjectAnalysisToken", "token: admin/by-hand"),
        ("alpha", "ProjectAnalysisToken", "token: admin/other"),
        (None, "ProjectAnalysisToken", "token: mallory/usine"),
        ("alpha", "ProjectAnalysisToken", "token: usine.alpha.1/own & more"),
        ("alpha", "TechnicalAccount", "account: usine.alpha.0"),
        (None, "TechnicalAccount", "account: alpha"),
    }

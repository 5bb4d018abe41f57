"""Manual changes in Keycloak and Vault. Each function creates one object and returns the expected finding."""

from __future__ import annotations

from typing import Any

from tests.drift.inventory.hand import MARKER, PERSON, REALM, Expected, Hand, deeds

# Keycloak -------------------------------------------------------------------------------------------------------------


def keycloak_account(hand: Hand) -> Expected:
    hand.keycloak_person()
    return None, "User", f"account: {PERSON}"


def keycloak_top_group(hand: Hand) -> Expected:
    hand.keycloak("POST", "/groups", {"name": "extra"})
    return None, "Group", "/extra"


def keycloak_subgroup(hand: Hand) -> Expected:
    hand.keycloak("POST", f"/groups/{hand.keycloak_group()}/children", {"name": "extra"})
    return hand.slug, "Group", f"/{hand.slug}/extra"


def keycloak_member_of_the_tenant(hand: Hand) -> Expected:
    hand.keycloak("PUT", f"/users/{hand.keycloak_person()}/groups/{hand.keycloak_group()}")
    return hand.slug, "GroupMemberships", f"/{hand.slug}: {PERSON}"


def keycloak_default_group(hand: Hand) -> Expected:
    hand.keycloak("PUT", f"/default-groups/{hand.keycloak_group('/owner')}")
    return hand.slug, "DefaultGroups", f"default groups: /{hand.slug}/owner"


def keycloak_role(hand: Hand) -> Expected:
    hand.keycloak("POST", "/roles", {"name": "extra"})
    return None, "Role", "realm role: extra"


def _administration(hand: Hand, role: str) -> tuple[str, list[dict[str, Any]]]:
    client = next(c for c in hand.keycloak("GET", "/clients") if c["clientId"] == "realm-management")
    return client["id"], [hand.keycloak("GET", f"/clients/{client['id']}/roles/{role}")]


def keycloak_role_of_a_person(hand: Hand) -> Expected:
    client, roles = _administration(hand, "realm-admin")
    hand.keycloak("POST", f"/users/{hand.keycloak_person()}/role-mappings/clients/{client}", roles)
    return None, "UserRoles", f"{PERSON}: realm-management realm-admin"


def keycloak_role_of_a_group(hand: Hand) -> Expected:
    client, roles = _administration(hand, "view-users")
    hand.keycloak("POST", f"/groups/{hand.keycloak_group('/owner')}/role-mappings/clients/{client}", roles)
    return hand.slug, "GroupRoles", f"/{hand.slug}/owner: realm-management view-users"


def keycloak_default_role(hand: Hand) -> Expected:
    _, roles = _administration(hand, "view-clients")
    default = hand.keycloak("GET", f"/roles/default-roles-{REALM}")["id"]
    hand.keycloak("POST", f"/roles-by-id/{default}/composites", roles)
    return None, "DefaultRoles", "default roles: view-clients"


def keycloak_client(hand: Hand) -> Expected:
    hand.keycloak("POST", "/clients", {"clientId": "extra", "redirectUris": ["https://evil.example/*"]})
    return None, "Client", "client: extra"


def keycloak_scope(hand: Hand) -> Expected:
    hand.keycloak("POST", "/client-scopes", {"name": "extra", "protocol": "openid-connect"})
    return None, "ClientScope", "client scope: extra"


def _mapper(name: str, kind: str, **config: str) -> dict[str, Any]:
    return {"name": name, "protocol": "openid-connect", "protocolMapper": kind, "config": config}


def keycloak_mapper_of_a_client(hand: Hand) -> Expected:
    client = next(c for c in hand.keycloak("GET", "/clients") if c["clientId"] == "argocd")
    body = _mapper("extra", "oidc-audience-mapper", **{"included.custom.audience": "vault"})
    hand.keycloak("POST", f"/clients/{client['id']}/protocol-mappers/models", body)
    return None, "AudienceProtocolMapper", "argocd: extra"


def keycloak_mapper_that_forges_rights(hand: Hand) -> Expected:
    scope = next(s for s in hand.keycloak("GET", "/client-scopes") if s["name"] == "profile")
    config = {"claim.name": "groups", "claim.value": f"/{hand.slug}/owner", "jsonType.label": "String"}
    body = _mapper("extra", "oidc-hardcoded-claim-mapper", **config)
    hand.keycloak("POST", f"/client-scopes/{scope['id']}/protocol-mappers/models", body)
    return None, "GenericProtocolMapper", "profile: extra"


def keycloak_provider(hand: Hand) -> Expected:
    config = {
        "clientId": "x",
        "clientSecret": MARKER,
        "authorizationUrl": "https://evil.example/a",
        "tokenUrl": "https://evil.example/t",
    }
    body = {"alias": "extra", "providerId": "oidc", "enabled": True, "config": config}
    hand.keycloak("POST", "/identity-provider/instances", body)
    return None, "IdentityProvider", "identity provider: extra"


# Vault ----------------------------------------------------------------------------------------------------------------


def vault_mount(hand: Hand) -> Expected:
    hand.vault("POST", "sys/mounts/extra", {"type": "kv", "options": {"version": "2"}})
    return None, "Mount", "mount: extra"


def vault_log_in(hand: Hand) -> Expected:
    hand.vault("POST", "sys/auth/extra", {"type": "userpass"})
    return None, "AuthBackend", "log-in: extra"


def vault_policy(hand: Hand) -> Expected:
    hand.vault("POST", f"sys/policies/acl/{hand.slug}.extra", {"policy": 'path "*" { capabilities = ["read"] }'})
    return hand.slug, "Policy", f"policy: {hand.slug}.extra"


def vault_workload_role(hand: Hand) -> Expected:
    body = {
        "bound_service_account_names": "*",
        "bound_service_account_namespaces": "kube-system",
        "token_policies": f"{hand.slug}.env.dev",
    }
    hand.vault("POST", f"auth/kubernetes/{hand.cluster}/role/{hand.slug}-extra", body)
    return hand.slug, "AuthBackendRole", f"role of kubernetes/{hand.cluster}: {hand.slug}-extra"


def vault_pipeline_role(hand: Hand) -> Expected:
    """Its name has no owner; its policies belong to the tenant."""
    body = {
        "role_type": "jwt",
        "user_claim": "project_path",
        "bound_audiences": "extra",
        "token_policies": f"{hand.slug}.ci",
    }
    hand.vault("POST", "auth/gitlab/role/handy", body)
    return hand.slug, "AuthBackendRole", "role of gitlab: handy"


def vault_group(hand: Hand) -> Expected:
    hand.vault("POST", "identity/group", {"name": "extra", "policies": [f"{hand.slug}.role.owner"]})
    return hand.slug, "Group", "group: extra"


def vault_alias(hand: Hand) -> Expected:
    mounts = hand.vault("GET", "sys/auth")["data"]
    group = hand.vault("POST", "identity/group", {"name": f"{hand.slug}.aliased", "type": "external"})["data"]["id"]
    body = {"name": f"/{hand.slug}/extra", "mount_accessor": mounts["oidc/"]["accessor"], "canonical_id": group}
    hand.vault("POST", "identity/group-alias", body)
    return hand.slug, "GroupAlias", f"group alias: /{hand.slug}/extra of auth/oidc/"


def vault_group_of_the_alias(hand: Hand) -> Expected:
    """The group of the alias."""
    return hand.slug, "Group", f"group: {hand.slug}.aliased"


def vault_entity(hand: Hand) -> Expected:
    hand.vault("POST", "identity/entity", {"name": "extra", "policies": [f"{hand.slug}.role.owner"]})
    return hand.slug, "Entity", "entity: extra"


def vault_token(hand: Hand) -> Expected:
    body = {"policies": [f"{hand.slug}.role.owner"], "display_name": "extra", "no_parent": True}
    accessor = hand.vault("POST", "auth/token/create", body)["auth"]["accessor"]
    return hand.slug, "Token", f"token: token-extra ({accessor[:8]}…)"


#: In an order in which they can be created.
DEEDS = deeds(globals(), ("keycloak", "vault"))

"""Inventory of Keycloak: the objects of the realm that are not in the state.

The state has the exact members of each role's group: another member is a changed object, and not part of this.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Final
from urllib.parse import quote

from model.naming import GRAFANA_PREFIX
from model.settings import PeopleSource, System
from usine.clients import Connections
from usine.clients.base import Json
from usine.drift.inventory.base import Found, InventoryScan, InventoryScope, Managed

_GROUP: Final = "keycloak:index/group:Group"
_MEMBERSHIPS: Final = "keycloak:index/groupMemberships:GroupMemberships"
_USER: Final = "keycloak:index/user:User"
_ROLE: Final = "keycloak:index/role:Role"
_CLIENT: Final = "keycloak:openid/client:Client"
_SCOPE: Final = "keycloak:openid/clientScope:ClientScope"
_MAPPERS: Final = {
    "oidc-audience-mapper": "keycloak:openid/audienceProtocolMapper:AudienceProtocolMapper",
    "oidc-group-membership-mapper": "keycloak:openid/groupMembershipProtocolMapper:GroupMembershipProtocolMapper",
    "oidc-usermodel-attribute-mapper": "keycloak:openid/userAttributeProtocolMapper:UserAttributeProtocolMapper",
    "oidc-usermodel-property-mapper": "keycloak:openid/userPropertyProtocolMapper:UserPropertyProtocolMapper",
}
_OTHER_MAPPER: Final = "keycloak:index/genericProtocolMapper:GenericProtocolMapper"
_ALL: Final = "100000"
#: What every new realm has (Keycloak's server administration guide).
_BUILT_IN_CLIENTS: Final = frozenset(
    {"account", "account-console", "admin-cli", "broker", "realm-management", "security-admin-console"}
)
_BUILT_IN_SCOPES: Final = frozenset(
    {
        "acr", "address", "basic", "email", "microprofile-jwt", "offline_access", "organization", "phone", "profile",
        "role_list", "roles", "saml_organization", "service_account", "web-origins",
    }
)  # fmt: skip
_BUILT_IN_ROLES: Final = frozenset({"offline_access", "uma_authorization"})
_DEFAULT_ROLES: Final = _BUILT_IN_ROLES | {"manage-account", "view-profile"}
#: The claim that every tool derives rights from. The realm's own scope `microprofile-jwt` puts roles into it, but
#: only in tokens of clients that ask for this scope, which no client of the platform does.
_RIGHTS_CLAIM: Final = "groups"
_OWN_CLAIM_SCOPE: Final = "microprofile-jwt"


class KeycloakInventory:
    """Lists the realm's groups, clients, scopes, roles, accounts and identity providers."""

    def __init__(self, scope: InventoryScope, connections: Connections) -> None:
        """Prepare the client; nothing is sent yet."""
        self._scope = scope
        self._realm = scope.settings.keycloak.realm
        self._client = connections.keycloak()
        self._exact = {r.inputs.get("groupId") or r.outputs.get("groupId") for r in scope.every(_MEMBERSHIPS)}

    def scans(self) -> Iterable[InventoryScan]:
        """See `SystemInventory`."""
        for group in self._scope.every(_GROUP):
            if group.tenant in self._scope.tenants:
                yield InventoryScan((group.tenant,), partial(self._group, group))
        everyone = self._scope.everyone
        yield InventoryScan(everyone, self._top_groups)
        yield InventoryScan(everyone, self._default_groups)
        yield InventoryScan(everyone, self._role_mappings)
        yield InventoryScan(everyone, self._clients)
        if self._scope.foundation:
            for take in (self._scopes, self._roles, self._providers):
                yield InventoryScan((None,), take)
            if self._scope.settings.keycloak.people is PeopleSource.MANAGED:
                yield InventoryScan((None,), self._users)

    def _list(self, path: str, of: str = "", **query: str) -> Iterable[Json]:
        """Return a list of the realm, or of the object `of` in it."""
        owner = f"{self._realm}/{of}".rstrip("/")
        return self._client.listed(f"{self._realm}/{path}", of=owner, **query) or ()

    # Groups -------------------------------------------------------------------------------------------------------

    def _top_groups(self) -> Iterator[Found]:
        for group in self._list("groups", max=_ALL, briefRepresentation="true"):
            if not self._scope.knows(_GROUP, group["id"]):
                yield self._unknown_group(group, self._owner(group["path"]))

    def _group(self, group: Managed) -> Iterator[Found]:
        """Groups below a managed group; and its members, if the state has no exact list of them."""
        of = f"groups/{group.id}"
        for child in self._list(f"{of}/children", of, max=_ALL, briefRepresentation="true"):
            if not self._scope.knows(_GROUP, child["id"]):
                yield self._unknown_group(child, group.tenant)
        if group.id in self._exact:
            return
        path = str(group.outputs.get("path") or group.inputs["name"])
        for user in self._list(f"{of}/members", of, max=_ALL, briefRepresentation="true"):
            yield self._found(
                group.tenant,
                _MEMBERSHIPS,
                f"{path}: {user['username']}",
                detail="a member of a group that must be empty",
                removal=f"users/{user['id']}/groups/{group.id}",
            )

    def _unknown_group(self, group: Json, tenant: str | None) -> Found:
        return self._found(
            tenant,
            _GROUP,
            group["path"],
            import_id=group["id"],
            detail="a group; what is below it goes with it",
            removal=f"groups/{group['id']}",
        )

    def _default_groups(self) -> Iterator[Found]:
        for group in self._list("default-groups"):
            yield self._found(
                self._owner(group["path"]),
                "keycloak:index/defaultGroups:DefaultGroups",
                f"default groups: {group['path']}",
                detail="every new account becomes a member",
                removal=f"default-groups/{group['id']}",
            )

    def _owner(self, path: str) -> str | None:
        return self._scope.owner(path.lstrip("/"), "/")

    # Roles --------------------------------------------------------------------------------------------------------

    def _roles(self) -> Iterator[Found]:
        own = _BUILT_IN_ROLES | {f"default-roles-{self._realm}"}
        for role in self._list("roles", max=_ALL):
            if role["name"] not in own and not self._scope.knows(_ROLE, role["id"]):
                yield self._found(
                    None,
                    _ROLE,
                    f"realm role: {role['name']}",
                    import_id=role["id"],
                    detail="a role of the realm",
                    removal=f"roles-by-id/{role['id']}",
                )

    def _role_mappings(self) -> Iterator[Found]:
        """Holders of a role of the realm or of one of its own clients: the program gives these roles to nobody."""
        everybody = f"default-roles-{self._realm}"  # every new account has it
        for role in self._list("roles", max=_ALL):
            if role["name"] == everybody:
                yield from self._default_roles(role)
            else:
                yield from self._holders(f"roles/{quote(role['name'], safe='')}", "realm", role, "realm")
        for client in self._list("clients", max=_ALL):
            if client["clientId"] in _BUILT_IN_CLIENTS:
                below = f"clients/{client['id']}"
                for role in self._list(f"{below}/roles", below, max=_ALL):
                    path = f"{below}/roles/{quote(role['name'], safe='')}"
                    yield from self._holders(path, below, role, client["clientId"])

    def _holders(self, path: str, below: str, role: Json, of: str) -> Iterator[Found]:
        body = json.dumps([{"id": role["id"], "name": role["name"]}])
        for group in self._list(f"{path}/groups", path, max=_ALL):
            yield self._found(
                self._owner(group["path"]),
                "keycloak:index/groupRoles:GroupRoles",
                f"{group['path']}: {of} {role['name']}",
                detail="a role given to a whole group",
                removal=f"groups/{group['id']}/role-mappings/{below} {body}",
            )
        for user in self._list(f"{path}/users", path, max=_ALL):
            yield self._found(
                None,
                "keycloak:index/userRoles:UserRoles",
                f"{user['username']}: {of} {role['name']}",
                detail="a role given to a person",
                removal=f"users/{user['id']}/role-mappings/{below} {body}",
            )

    def _default_roles(self, everybody: Json) -> Iterator[Found]:
        for role in self._list(f"roles-by-id/{everybody['id']}/composites"):
            if role["name"] not in _DEFAULT_ROLES:
                body = json.dumps([{"id": role["id"], "name": role["name"]}])
                yield self._found(
                    None,
                    "keycloak:index/defaultRoles:DefaultRoles",
                    f"default roles: {role['name']}",
                    detail="every account has this role",
                    removal=f"roles-by-id/{everybody['id']}/composites {body}",
                )

    # Clients, scopes and mappers ----------------------------------------------------------------------------------

    def _clients(self) -> Iterator[Found]:
        for client in self._list("clients", max=_ALL):
            # The clients of tools are the foundation's, that of a tenant's Grafana is the tenant's.
            tenant = self._owner(client["clientId"].removeprefix(GRAFANA_PREFIX))
            if client["clientId"] != f"{GRAFANA_PREFIX}{tenant}":
                tenant = None
            if client["clientId"] in _BUILT_IN_CLIENTS or not self._scope.includes(tenant):
                continue
            path = f"clients/{client['id']}"
            if self._scope.knows(_CLIENT, client["id"]):
                yield from self._mappers(path, f"client/{client['id']}", client["clientId"], client, tenant)
            elif client.get("protocol", "openid-connect") == "openid-connect":
                yield self._unknown_client(tenant, client, _CLIENT, client["id"], path)
            else:
                yield self._unknown_client(tenant, client, "keycloak:saml/client:Client", None, path)

    def _unknown_client(self, tenant: str | None, client: Json, type_: str, import_id: str | None, path: str) -> Found:
        words = ["public" if client.get("publicClient") else "with a secret"]
        words += ["with a service account"] if client.get("serviceAccountsEnabled") else []
        return self._found(
            tenant,
            type_,
            f"client: {client['clientId']}",
            import_id=import_id,
            detail=f"{', '.join(words)}; redirects to {', '.join(client.get('redirectUris') or ()) or 'nowhere'}",
            removal=path,
        )

    def _scopes(self) -> Iterator[Found]:
        for scope in self._list("client-scopes"):
            path = f"client-scopes/{scope['id']}"
            if self._scope.knows(_SCOPE, scope["id"]) or scope["name"] in _BUILT_IN_SCOPES:
                yield from self._mappers(path, f"client-scope/{scope['id']}", scope["name"], scope)
            else:
                yield self._found(
                    None,
                    _SCOPE,
                    f"client scope: {scope['name']}",
                    import_id=scope["id"],
                    detail="what it puts into tokens, clients may ask for",
                    removal=path,
                )

    def _mappers(self, path: str, place: str, name: str, owner: Json, tenant: str | None = None) -> Iterator[Found]:
        """Mappers of managed objects; in the realm's own scopes, those that forge rights: others vary."""
        built_in = name in _BUILT_IN_SCOPES
        for mapper in owner.get("protocolMappers") or ():
            claim = mapper["config"].get("claim.name")
            if built_in and (claim != _RIGHTS_CLAIM or name == _OWN_CLAIM_SCOPE):
                continue
            type_ = _MAPPERS.get(mapper["protocolMapper"], _OTHER_MAPPER)
            if self._scope.knows(type_, mapper["id"]):
                continue
            yield self._found(
                tenant,
                type_,
                f"{name}: {mapper['name']}",
                import_id=None if type_ == _OTHER_MAPPER else f"{place}/{mapper['id']}",
                detail=f"{mapper['protocolMapper']}, claim {claim}" if claim else mapper["protocolMapper"],
                removal=f"{path}/protocol-mappers/models/{mapper['id']}",
            )

    # Accounts -----------------------------------------------------------------------------------------------------

    def _users(self) -> Iterator[Found]:
        """Accounts of people, if the foundation creates all accounts. Service accounts belong to their clients."""
        for user in self._list("users", max=_ALL, briefRepresentation="true"):
            if not self._scope.knows(_USER, user["id"]) and not user.get("serviceAccountClientId"):
                yield self._found(
                    None,
                    _USER,
                    f"account: {user['username']}",
                    import_id=user["id"],
                    detail="an account that no tenant names" + ("" if user.get("enabled") else ", disabled"),
                    removal=f"users/{user['id']}",
                )

    def _providers(self) -> Iterator[Found]:
        for provider in self._list("identity-provider/instances"):
            saml = provider["providerId"] == "saml"
            yield self._found(
                None,
                f"keycloak:{'saml' if saml else 'oidc'}/identityProvider:IdentityProvider",
                f"identity provider: {provider['alias']}",
                detail=f"people of {provider['providerId']} log in here"
                + ("" if provider["enabled"] else ", disabled"),
                removal=f"identity-provider/instances/{provider['alias']}",
            )

    def _found(
        self, tenant: str | None, type_: str, name: str, *, import_id: str | None = None, detail: str, removal: str
    ) -> Found:
        return Found(
            System.KEYCLOAK.value,
            tenant,
            type_,
            name,
            "keycloak",
            f"{self._realm}/{import_id}" if import_id else None,
            detail,
            f"DELETE /admin/realms/{self._realm}/{removal}",
        )

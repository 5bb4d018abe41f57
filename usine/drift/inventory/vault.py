"""Inventory of Vault: mounts, log-in methods and their roles, policies, groups, signing keys, manual policies."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Final

from model.naming import OIDC_AUTH_PATH, PIPELINE_AUTH_PATH, SIGNING_MOUNT, kubernetes_auth_path
from model.reserved import platform_names
from model.settings import System
from usine.clients import Connections
from usine.clients.base import Json
from usine.drift.inventory.base import Found, InventoryScan, InventoryScope

_MOUNT: Final = "vault:index/mount:Mount"
_POLICY: Final = "vault:index/policy:Policy"
_GROUP: Final = "vault:identity/group:Group"
_ALIAS: Final = "vault:identity/groupAlias:GroupAlias"
_AUTH: Final = "vault:index/authBackend:AuthBackend"
_JWT: Final = "vault:jwt/authBackend:AuthBackend"
_JWT_ROLE: Final = "vault:jwt/authBackendRole:AuthBackendRole"
_KUBERNETES_ROLE: Final = "vault:kubernetes/authBackendRole:AuthBackendRole"
_KEY: Final = "vault:transit/secretBackendKey:SecretBackendKey"
#: Every server has these policies (Vault's documentation of policies).
_BUILT_IN_POLICIES: Final = frozenset({"default", "root"})
#: Types of mounts that every server has and nobody can remove.
_BUILT_IN_MOUNTS: Final = frozenset({"cubbyhole", "identity", "ns_cubbyhole", "ns_identity", "ns_system", "system"})
#: The default settings of a store: it keeps as many versions as the server allows (10), without an end.
_STORE: Final[Mapping[str, Json]] = {"max_versions": 0, "cas_required": False, "delete_version_after": "0s"}
#: The path that creates a token without a log-in. The platform's own providers use it too, with policies of the
#: platform: a person created a token with a tenant's policy.
_TOKEN_PATHS: Final = "auth/token/create"  # noqa: S105 - a path
_SHORT: Final = 8


class VaultInventory:
    """Lists the objects of Vault. Names of policies, roles and groups begin with their tenant's slug."""

    def __init__(self, scope: InventoryScope, connections: Connections) -> None:
        """Prepare the client; nothing is sent yet."""
        self._scope = scope
        self._client = connections.vault()

    def scans(self) -> Iterable[InventoryScan]:
        """See `SystemInventory`."""
        everyone = self._scope.everyone
        for take in (
            self._mounts,
            self._mount_settings,
            self._policies,
            self._groups,
            self._aliases,
            self._signing_keys,
        ):
            yield InventoryScan(everyone, take)
        if self._scope.foundation:
            yield InventoryScan((None,), self._log_ins)
            # They have no tenant, and are many: one stack reads them for all.
            yield InventoryScan(everyone, self._entities)
            yield InventoryScan(everyone, self._tokens)
        settings = self._scope.settings
        paths = {
            kubernetes_auth_path(c): _KUBERNETES_ROLE if c.pull is None else _JWT_ROLE
            for c in settings.clusters.values()
        }
        for path, type_ in {**paths, OIDC_AUTH_PATH: _JWT_ROLE, PIPELINE_AUTH_PATH: _JWT_ROLE}.items():
            yield InventoryScan(everyone, partial(self._roles, path, type_))

    @cached_property
    def _engines(self) -> Mapping[str, Json]:
        """Secrets engines by their mount path, ``alpha/``."""
        engines: Mapping[str, Json] = self._client.listed("sys/mounts")["data"]
        return engines

    @cached_property
    def _methods(self) -> Mapping[str, Json]:
        """Log-in methods by their mount path, ``oidc/``."""
        methods: Mapping[str, Json] = self._client.listed("sys/auth")["data"]
        return methods

    # Mounts and log-in methods ------------------------------------------------------------------------------------

    def _mounts(self) -> Iterator[Found]:
        reserved = platform_names(self._scope.settings)["Vault mount"]
        for key, mount in self._engines.items():
            path = key.rstrip("/")
            if mount["type"] in _BUILT_IN_MOUNTS or path in reserved or self._scope.knows(_MOUNT, path):
                continue
            yield self._found(
                self._scope.owner(path, "/"),
                _MOUNT,
                f"mount: {path}",
                import_id=path,
                detail=f"secrets engine {mount['type']}",
                removal=f"DELETE /v1/sys/mounts/{path}",
            )

    def _mount_settings(self) -> Iterator[Found]:
        """Settings of stores that differ from Vault's defaults. The program sets none, and no plugin reads them."""
        for mount in self._scope.every(_MOUNT):
            path = str(mount.inputs.get("path") or mount.id)
            if mount.inputs.get("type") != "kv" or f"{path}/" not in self._engines:
                continue  # a missing mount is another finding
            settings = self._client.read(f"{path}/config")
            moved = {key: settings[key] for key, plain in _STORE.items() if settings.get(key, plain) != plain}
            if moved:
                told = ", ".join(f"{key} {value}" for key, value in sorted(moved.items()))
                yield self._found(
                    mount.tenant,
                    "vault:kv/secretBackendV2:SecretBackendV2",
                    f"settings of mount: {path}",
                    detail=f"{told}: how many versions are kept, and for how long",
                    removal=f"POST /v1/{path}/config {json.dumps(_STORE)}",
                )

    def _log_ins(self) -> Iterator[Found]:
        for key, mount in self._methods.items():
            path = key.rstrip("/")
            known = self._scope.knows(_AUTH, path) or self._scope.knows(_JWT, path)
            if known or mount["type"] in {"token", "ns_token"}:
                continue
            yield self._found(
                None,
                _JWT if mount["type"] in {"jwt", "oidc"} else _AUTH,
                f"log-in: {path}",
                import_id=path,
                detail=f"log-in method {mount['type']}",
                removal=f"DELETE /v1/sys/auth/{path}",
            )

    def _roles(self, path: str, type_: str) -> Iterator[Found]:
        if f"{path}/" not in self._methods:
            return  # a missing log-in method is another finding
        for name in self._client.keys(f"auth/{path}/role"):
            id_ = f"auth/{path}/role/{name}"
            if self._scope.knows(type_, id_) or not self._mine(owner := self._role_owner(name)):
                continue
            role = self._client.read(id_)
            policies = role.get("token_policies") or ()
            yield self._found(
                owner or self._by_policies(policies),
                type_,
                f"role of {path}: {name}",
                import_id=id_,
                detail=f"gives {', '.join(policies) or 'no policy'}{_bounds(role)}",
                removal=f"DELETE /v1/{id_}",
            )

    def _role_owner(self, name: str) -> str | None:
        """Return the tenant of a role; a workload's is named as its namespace, a pipeline's ``<slug>.<purpose>``."""
        slug = name.rpartition("-")[0]
        return slug if slug in self._scope.slugs else self._scope.owner(name, ".-")

    def _signing_keys(self) -> Iterator[Found]:
        if f"{SIGNING_MOUNT}/" not in self._engines:
            return  # a missing mount is another finding, and without GitLab or Harbor there is none
        for name in self._client.keys(f"{SIGNING_MOUNT}/keys"):
            id_ = f"{SIGNING_MOUNT}/keys/{name}"
            if not self._scope.knows(_KEY, id_):
                yield self._found(
                    name if name in self._scope.slugs else None,
                    _KEY,
                    f"signing key: {name}",
                    import_id=id_,
                    detail="images that it signed are verified with it",
                    removal=f"POST /v1/{id_}/config {json.dumps({'deletion_allowed': True})}, then DELETE /v1/{id_}",
                )

    # Policies and their holders ------------------------------------------------------------------------------------

    def _policies(self) -> Iterator[Found]:
        for name in self._client.keys("sys/policies/acl"):
            if name not in _BUILT_IN_POLICIES and not self._scope.knows(_POLICY, name):
                yield self._found(
                    self._scope.owner(name, "."),
                    _POLICY,
                    f"policy: {name}",
                    import_id=name,
                    detail="a policy that can be given to people and workloads",
                    removal=f"DELETE /v1/sys/policies/acl/{name}",
                )

    def _groups(self) -> Iterator[Found]:
        for id_, short in self._client.keys("identity/group/id").items():
            if self._scope.knows(_GROUP, id_) or not self._mine(owner := self._scope.owner(short["name"], ".")):
                continue
            policies = self._client.read(f"identity/group/id/{id_}").get("policies") or ()
            yield self._found(
                owner or self._by_policies(policies),
                _GROUP,
                f"group: {short['name']}",
                import_id=id_,
                detail=f"gives its members {', '.join(policies) or 'no policy'}",
                removal=f"DELETE /v1/identity/group/id/{id_}",
            )

    def _aliases(self) -> Iterator[Found]:
        """Group aliases: members of a group in Keycloak become members of a group in Vault."""
        for id_, alias in self._client.keys("identity/group-alias/id").items():
            if not self._scope.knows(_ALIAS, id_):
                yield self._found(
                    self._scope.owner(str(alias["name"]).lstrip("/"), "/"),
                    _ALIAS,
                    f"group alias: {alias['name']} of {alias.get('mount_path', alias.get('mount_accessor'))}",
                    import_id=id_,
                    detail="makes members of that group members of one of Vault's",
                    removal=f"DELETE /v1/identity/group-alias/id/{id_}",
                )

    def _entities(self) -> Iterator[Found]:
        """Entities with policies. The first log-in creates an entity without any: a person has given them manually."""
        for id_ in self._client.keys("identity/entity/id"):
            entity = self._client.read(f"identity/entity/id/{id_}")
            policies = entity.get("policies") or ()
            if policies:
                aliases = sorted(str(alias["name"]) for alias in entity.get("aliases") or ())
                owner = self._by_policies(policies)
                yield self._found(
                    owner if self._scope.includes(owner) else None,
                    "vault:identity/entity:Entity",
                    f"entity: {entity['name']}",
                    detail=f"{', '.join(aliases) or 'a person without a log-in'} has {', '.join(policies)}",
                    removal=f'POST /v1/identity/entity/id/{id_} {{"policies": []}}',
                )

    def _tokens(self) -> Iterator[Found]:
        for accessor in self._client.keys("auth/token/accessors"):
            # A token that has ended meanwhile is not found.
            token = self._client.lookup("auth/token/lookup-accessor", {"accessor": accessor}) or {}
            policies = token.get("policies") or ()
            owner = self._by_policies(policies)
            if owner is not None and str(token.get("path", "")).startswith(_TOKEN_PATHS):
                # Not the whole accessor, which is enough to look a token up and to revoke it.
                short = accessor[:_SHORT]
                yield self._found(
                    owner if self._scope.includes(owner) else None,
                    "vault:index/token:Token",
                    f"token: {token.get('display_name') or 'token'} ({short}…)",
                    detail=f"gives {', '.join(policies)}, until {token.get('expire_time') or 'it is revoked'}",
                    removal=f"POST /v1/auth/token/revoke-accessor, with the accessor that begins with {short}",
                )

    def _by_policies(self, policies: Sequence[str]) -> str | None:
        """Return the owner of the first policy that belongs to a tenant."""
        owners = (self._scope.owner(policy, ".") for policy in policies)
        return next((owner for owner in owners if owner is not None), None)

    def _mine(self, owner: str | None) -> bool:
        """Return whether to read an object: it belongs to this stack, or its name has no owner."""
        return owner is None or self._scope.includes(owner)

    @staticmethod
    def _found(
        tenant: str | None, type_: str, name: str, *, import_id: str | None = None, detail: str, removal: str
    ) -> Found:
        return Found(System.VAULT.value, tenant, type_, name, "vault", import_id, detail, removal)


def _bounds(role: Mapping[str, Json]) -> str:
    """Return who can use a role: its service accounts, or the claims that a token must have."""
    names = role.get("bound_service_account_names")
    if names:
        return f", to {', '.join(names)} of {', '.join(role.get('bound_service_account_namespaces') or ())}"
    claims = role.get("bound_claims") or {}
    return f", to {', '.join(f'{claim} {value}' for claim, value in sorted(claims.items()))}" if claims else ""

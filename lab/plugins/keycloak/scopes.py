"""Client scopes, and which of them a client has."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from lab.plugins.bridge import Resource
from lab.plugins.keycloak.client import ApiError, Keycloak
from lab.plugins.keycloak.clients import clients_path, extra_config, not_among, quoted, read_extra_config
from lab.plugins.keycloak.people import two_parts
from lab.plugins.planning import Data
from lab.plugins.schema import Shape, resource
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties

# -- client scopes ----------------------------------------------------------------------------------------------------

_SCOPE_ATTRIBUTES: Final = (
    "display.on.consent.screen", "consent.screen.text", "gui.order", "include.in.token.scope",
    "include.in.openid.provider.metadata",
)  # fmt: skip
SCOPE: Final = resource("keycloak:openid/clientScope:ClientScope", autoname=("name",)).tuned(
    sticky={"description": True},
    default={"includeInTokenScope": True, "includeInOpenidProviderMetadata": True},
    validate={"extraConfig": not_among(_SCOPE_ATTRIBUTES)},
)


def _scopes(data: Data) -> str:
    return f"/realms/{data.get('realmId')}/client-scopes"


def _scope_body(data: Data) -> Properties:
    order = data.get("guiOrder")
    attributes = {
        **extra_config(data),
        "display.on.consent.screen": quoted(data.ok("consentScreenText")),
        "consent.screen.text": data.get("consentScreenText"),
        "gui.order": str(order) if order else "",
        "include.in.token.scope": quoted(data.get("includeInTokenScope")),
        "include.in.openid.provider.metadata": quoted(data.get("includeInOpenidProviderMetadata")),
    }
    body: Properties = {
        "name": data.get("name"),
        "description": data.get("description"),
        "protocol": "openid-connect",
        "attributes": attributes,
    }
    if data.id:
        body["id"] = data.id
    return body


def _create_scope(data: Data, keycloak: Keycloak) -> None:
    _, data.id = keycloak.post(_scopes(data), _scope_body(data))
    _read_scope(data, keycloak)


def _update_scope(data: Data, keycloak: Keycloak) -> None:
    keycloak.put(f"{_scopes(data)}/{data.id}", _scope_body(data))


def _scope_outputs(scope: Mapping[str, Any]) -> Properties:
    """Return a client scope as the server has it, by property; what it does not say is left out."""
    attributes: Mapping[str, Any] = scope.get("attributes") or {}
    found: Properties = {
        "name": scope.get("name"),
        "description": scope.get("description"),
        "includeInTokenScope": attributes.get("include.in.token.scope") == "true",
        "includeInOpenidProviderMetadata": attributes.get("include.in.openid.provider.metadata") == "true",
    }
    if attributes.get("display.on.consent.screen") == "true":
        found["consentScreenText"] = attributes.get("consent.screen.text")
    order = str(attributes.get("gui.order") or "")
    if order.lstrip("-").isdigit():
        found["guiOrder"] = int(order)
    return found


def _read_scope(data: Data, keycloak: Keycloak) -> None:
    try:
        scope = keycloak.get(f"{_scopes(data)}/{data.id}")
    except ApiError as error:
        if not error.missing:
            raise
        data.id = ""
        return
    data.set("realmId", data.get("realmId"))
    for name, value in _scope_outputs(scope).items():
        data.set(name, value)
    read_extra_config(data, scope.get("attributes") or {})


def _delete_scope(data: Data, keycloak: Keycloak) -> None:
    keycloak.delete(f"{_scopes(data)}/{data.id}")


def _import_scope(data: Data, _keycloak: Keycloak) -> None:
    realm, data.id = two_parts(data, "{{realmId}}/{{openidClientScopeId}}")
    data.set("realmId", realm)


# -- the scopes a client has ------------------------------------------------------------------------------------------

DEFAULT_SCOPES: Final = resource("keycloak:openid/clientDefaultScopes:ClientDefaultScopes", sets=("defaultScopes",))
OPTIONAL_SCOPES: Final = resource("keycloak:openid/clientOptionalScopes:ClientOptionalScopes", sets=("optionalScopes",))


def matching_scopes(keycloak: Keycloak, realm: str, names: Collection[str]) -> dict[str, str]:
    """Return the ids of the OpenID client scopes of these names, by name."""
    scopes = keycloak.get(f"/realms/{realm}/client-scopes")
    return {s["name"]: s["id"] for s in scopes if s.get("protocol") == "openid-connect" and s["name"] in names}


def _attached(data: Data, keycloak: Keycloak, kind: str) -> list[str]:
    path = f"{clients_path(data)}/{data.get('clientId')}/{kind}-client-scopes"
    return [scope["name"] for scope in keycloak.get(path)]


def _detach(data: Data, keycloak: Keycloak, kind: str, names: Collection[str]) -> None:
    for id_ in matching_scopes(keycloak, data.get("realmId"), names).values():
        keycloak.delete(f"{clients_path(data)}/{data.get('clientId')}/{kind}-client-scopes/{id_}")


def _attach(data: Data, keycloak: Keycloak, kind: str, names: Collection[str]) -> None:
    client = data.get("clientId")
    if keycloak.get(f"{clients_path(data)}/{client}").get("bearerOnly"):
        raise PluginError(
            f"validation error: client with id {client} uses access type BEARER-ONLY which does not use scopes"
        )
    ids = matching_scopes(keycloak, data.get("realmId"), names)
    for name in sorted(names):
        if name not in ids:
            raise PluginError(f"validation error: scope {name} does not exist")
    other = "optional" if kind == "default" else "default"
    held = set(_attached(data, keycloak, other))
    article = "an optional" if other == "optional" else "a default"
    for name, id_ in ids.items():
        if name in held:
            raise PluginError(f"validation error: scope {name} is already attached to client as {article} scope")
        keycloak.put(f"{clients_path(data)}/{client}/{kind}-client-scopes/{id_}")


def _client_scopes(shape: Shape, kind: str) -> Resource[Keycloak]:
    prop = f"{kind}Scopes"

    def reconcile(data: Data, keycloak: Keycloak) -> None:
        wanted = set(data.get(prop))
        try:
            present = set(_attached(data, keycloak, kind))
        except ApiError as error:
            if error.missing:
                raise PluginError(f"validation error: client with id {data.get('clientId')} does not exist") from None
            raise
        _detach(data, keycloak, kind, present - wanted)
        _attach(data, keycloak, kind, wanted - present)
        data.id = f"{data.get('realmId')}/{data.get('clientId')}"
        read(data, keycloak)

    def read(data: Data, keycloak: Keycloak) -> None:
        try:
            names = _attached(data, keycloak, kind)
        except ApiError as error:
            if not error.missing:
                raise
            data.id = ""
            return
        data.set(prop, names)
        data.id = f"{data.get('realmId')}/{data.get('clientId')}"

    def delete(data: Data, keycloak: Keycloak) -> None:
        _detach(data, keycloak, kind, data.get(prop))

    return Resource(shape, reconcile, read, reconcile, delete)


RESOURCES: Final[dict[str, Resource[Keycloak]]] = {
    SCOPE.token: Resource(SCOPE, _create_scope, _read_scope, _update_scope, _delete_scope, _import_scope),
    DEFAULT_SCOPES.token: _client_scopes(DEFAULT_SCOPES, "default"),
    OPTIONAL_SCOPES.token: _client_scopes(OPTIONAL_SCOPES, "optional"),
}

"""An OIDC client in the realm, with its scopes: for the platform's tools, and for those of a tenant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_keycloak as keycloak
from pulumi_keycloak import openid

from components.base import Component

#: The scope with the full paths of the person's groups.
GROUPS_SCOPE = "groups"
#: Default scopes of every client, beside `groups`. Keycloak creates these in any realm.
_DEFAULT_SCOPES = ["acr", "basic", "email", "profile", "web-origins"]


@dataclass(frozen=True, slots=True)
class ClientArgs:
    """A client. `groups_scope` is the name of the scope with the groups, once it exists.

    `pkce`: require PKCE; False for tools that authenticate with the client secret only. `audience` is that of its
    access tokens. `optional`: scopes that the client may request beside its default scopes.
    """

    provider: keycloak.Provider
    realm: pulumi.Input[str]
    client_id: str
    redirects: Sequence[str]
    groups_scope: pulumi.Input[str] = GROUPS_SCOPE
    confidential: bool = False
    pkce: bool = True
    audience: str | None = None
    optional: Sequence[str] = ()


def register_client(component: Component, name: str, args: ClientArgs) -> openid.Client:
    """Register a client of a component, and its scopes."""
    client = openid.Client(
        name,
        realm_id=args.realm,
        client_id=args.client_id,
        name=args.client_id,
        enabled=True,
        access_type="CONFIDENTIAL" if args.confidential else "PUBLIC",
        standard_flow_enabled=True,
        implicit_flow_enabled=False,
        direct_access_grants_enabled=False,
        service_accounts_enabled=False,
        full_scope_allowed=False,
        # An attacker can send a device code to a person, who then logs the attacker in (RFC 8628, section 5.4).
        oauth2_device_authorization_grant_enabled=False,
        pkce_code_challenge_method="S256" if args.pkce else None,
        valid_redirect_uris=list(args.redirects),
        web_origins=["+"],
        opts=pulumi.ResourceOptions.merge(
            component.child(args.provider),
            pulumi.ResourceOptions(additional_secret_outputs=["clientSecret"]),
        ),
    )
    always = openid.ClientDefaultScopes(
        f"{name}/scopes",
        realm_id=args.realm,
        client_id=client.id,
        default_scopes=[*_DEFAULT_SCOPES, args.groups_scope],
        opts=component.child(args.provider, parent=client),
    )
    # Keycloak gives a new client the realm's optional scopes. `offline_access` is one of them: with it, any public
    # client could get tokens that outlive the session (issue 11.A14).
    openid.ClientOptionalScopes(
        f"{name}/optional-scopes",
        realm_id=args.realm,
        client_id=client.id,
        optional_scopes=list(args.optional),
        opts=component.child(args.provider, parent=client, depends_on=[always]),
    )
    if args.audience is not None:
        openid.AudienceProtocolMapper(
            f"{name}/audience",
            realm_id=args.realm,
            client_id=client.id,
            name=f"audience-{args.audience}",
            included_custom_audience=args.audience,
            add_to_id_token=False,
            add_to_access_token=True,
            opts=component.child(args.provider, parent=client),
        )
    return client

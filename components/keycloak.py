"""Keycloak: the realm and the tools' OIDC clients for everyone; groups and exact memberships for a tenant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_keycloak as keycloak
from pulumi_keycloak import openid

from components.base import OFFLINE_SCOPE, Component, FoundationRefs, OidcClient
from model.access import members_of_access, roles_of
from model.naming import Access, names_of
from model.settings import Settings, System
from model.tenant import Tenant

#: Client of people's command lines; its access tokens are meant for Vault.
CLI_CLIENT = "usine-cli"
#: Scopes every client of ours gets; `groups` is ours, the others exist in any realm.
_DEFAULT_SCOPES = ["acr", "basic", "email", "profile", "web-origins"]


@dataclass(frozen=True, slots=True)
class KeycloakFoundationArgs:
    """`people` are the user names of all tenants.

    `known` are those that have accounts, where others make these; None: the platform makes an account for everyone.
    """

    settings: Settings
    provider: keycloak.Provider
    people: frozenset[str]
    known: frozenset[str] | None = None


class KeycloakFoundation(Component):
    """The realm, a ``groups`` claim with full paths, one OIDC client per tool, and managed accounts.

    `realm` is the realm's name (its id in Keycloak), known once it exists. `clients` is by client id.
    `accounts` is the user name by user name, of those who have an account or get one here.
    """

    system = "keycloak"
    realm: pulumi.Output[str]
    clients: Mapping[str, OidcClient]
    accounts: Mapping[str, pulumi.Output[str]]

    def __init__(self, name: str, args: KeycloakFoundationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register the realm and what hangs below it."""
        super().__init__(name, opts)
        settings = args.settings
        self._keycloak = args.provider
        realm = keycloak.Realm(
            f"{name}/realm",
            realm=settings.keycloak.realm,
            enabled=True,
            display_name="Usine",
            ssl_required="external",
            registration_allowed=False,
            verify_email=False,
            # People may change their address, and an unverified one would then name somebody else (issue 11.A14).
            login_with_email_allowed=False,
            duplicate_emails_allowed=False,
            edit_username_allowed=False,  # user names are what every tool knows a person by
            revoke_refresh_token=True,
            password_policy="length(12) and notUsername",  # noqa: S106 - a policy, not a password
            security_defenses=keycloak.RealmSecurityDefensesArgs(
                brute_force_detection=keycloak.RealmSecurityDefensesBruteForceDetectionArgs(max_login_failures=10),
            ),
            opts=self.child(args.provider, protect=True),
        )
        self.realm = realm.realm
        self._groups_scope = openid.ClientScope(
            f"{name}/scope/groups",
            realm_id=realm.realm,
            name="groups",
            description="Full paths of the person's groups: every tool derives its rights from them.",
            include_in_token_scope=True,
            opts=self.child(args.provider, parent=realm),
        )
        openid.GroupMembershipProtocolMapper(
            f"{name}/scope/groups/mapper",
            realm_id=realm.realm,
            client_scope_id=self._groups_scope.id,
            name="groups",
            claim_name="groups",
            full_path=True,
            opts=self.child(args.provider, parent=self._groups_scope),
        )
        self.clients = self._clients(name, settings)
        self.accounts = (
            {person: self._account(name, settings, person) for person in sorted(args.people)}
            if args.known is None
            else {person: pulumi.Output.from_input(person) for person in sorted(args.known)}
        )
        self.register_outputs({"realm": self.realm, "clients": sorted(self.clients)})

    def _clients(self, name: str, settings: Settings) -> dict[str, OidcClient]:
        clients: dict[str, OidcClient] = {}
        if settings.on(System.VAULT):
            url = settings.endpoints[System.VAULT].url
            clients["vault"] = self._client(
                name,
                "vault",
                confidential=True,
                redirects=[f"{url}/ui/vault/auth/oidc/oidc/callback", "http://localhost:8250/oidc/callback"],
            )
            clients[CLI_CLIENT] = self._client(
                name,
                CLI_CLIENT,
                confidential=False,
                redirects=["http://127.0.0.1/*", "http://localhost/*"],
                audience="vault",
            )
        if settings.on(System.GITLAB):
            # GitLab's own configuration takes this client's secret: log-in is no part of its API.
            callback = f"{settings.endpoints[System.GITLAB].url}/users/auth/openid_connect/callback"
            clients["gitlab"] = self._client(name, "gitlab", confidential=True, pkce=False, redirects=[callback])
        if settings.on(System.HARBOR):
            callback = f"{settings.endpoints[System.HARBOR].url}/c/oidc/callback"
            # The CLI secret of a person outlives the session in which it was made.
            clients["harbor"] = self._client(
                name, "harbor", confidential=True, pkce=False, redirects=[callback], optional=[OFFLINE_SCOPE]
            )
        if settings.on(System.SONARQUBE):
            callback = f"{settings.endpoints[System.SONARQUBE].url}/oauth2/callback/oidc"
            clients["sonarqube"] = self._client(name, "sonarqube", confidential=True, pkce=False, redirects=[callback])
        if settings.on(System.ARGOCD):
            url = settings.endpoints[System.ARGOCD].url
            clients["argocd"] = self._client(
                name,
                "argocd",
                confidential=False,
                redirects=[f"{url}/auth/callback", f"{url}/pkce/verify", "http://localhost:8085/auth/callback"],
            )
        if settings.on(System.KUBERNETES):
            clients["kubernetes"] = self._client(
                name,
                "kubernetes",
                confidential=False,
                redirects=["http://localhost:8000", "http://localhost:18000"],  # kubelogin's two ports
            )
        return clients

    def _client(
        self,
        name: str,
        client_id: str,
        *,
        confidential: bool,
        redirects: Sequence[str],
        audience: str | None = None,
        pkce: bool = True,
        optional: Sequence[str] = (),
    ) -> OidcClient:
        """Register a client.

        `pkce`: ask for it; False for what logs in with its secret alone. `optional`: the scopes it may ask for beside
        those it always gets.
        """
        client = openid.Client(
            f"{name}/client/{client_id}",
            realm_id=self.realm,
            client_id=client_id,
            name=client_id,
            enabled=True,
            access_type="CONFIDENTIAL" if confidential else "PUBLIC",
            standard_flow_enabled=True,
            implicit_flow_enabled=False,
            direct_access_grants_enabled=False,
            service_accounts_enabled=False,
            full_scope_allowed=False,
            # A device code can be sent to somebody, who then logs the sender in (RFC 8628, section 5.4).
            oauth2_device_authorization_grant_enabled=False,
            pkce_code_challenge_method="S256" if pkce else None,
            valid_redirect_uris=list(redirects),
            web_origins=["+"],
            opts=pulumi.ResourceOptions.merge(
                self.child(self._keycloak),
                pulumi.ResourceOptions(additional_secret_outputs=["clientSecret"]),
            ),
        )
        always = openid.ClientDefaultScopes(
            f"{name}/client/{client_id}/scopes",
            realm_id=self.realm,
            client_id=client.id,
            default_scopes=[*_DEFAULT_SCOPES, self._groups_scope.name],
            opts=self.child(self._keycloak, parent=client),
        )
        # Keycloak gives a new client the realm's optional scopes. With `offline_access` among them, a token of any
        # public client could be one that does not end with the session (issue 11.A14).
        openid.ClientOptionalScopes(
            f"{name}/client/{client_id}/optional-scopes",
            realm_id=self.realm,
            client_id=client.id,
            optional_scopes=list(optional),
            opts=self.child(self._keycloak, parent=client, depends_on=[always]),
        )
        if audience is not None:
            openid.AudienceProtocolMapper(
                f"{name}/client/{client_id}/audience",
                realm_id=self.realm,
                client_id=client.id,
                name=f"audience-{audience}",
                included_custom_audience=audience,
                add_to_id_token=False,
                add_to_access_token=True,
                opts=self.child(self._keycloak, parent=client),
            )
        secret: pulumi.Output[str] | None = pulumi.Output.secret(client.client_secret) if confidential else None
        return OidcClient(client_id=client.client_id, secret=secret)

    def _account(self, name: str, settings: Settings, person: str) -> pulumi.Output[str]:
        """Create an account without a credential: the person or the directory sets one."""
        first, _, last = person.partition(".")
        domain = settings.keycloak.email_domain
        user = keycloak.User(
            f"{name}/account/{person}",
            realm_id=self.realm,
            username=person,
            enabled=True,
            first_name=first.capitalize(),
            last_name=(last or first).capitalize(),
            email=f"{person}@{domain}" if domain else None,
            email_verified=domain is not None,
            opts=self.child(self._keycloak),
        )
        return user.username


@dataclass(frozen=True, slots=True)
class KeycloakTenantArgs:
    """What one tenant's groups need."""

    tenant: Tenant
    provider: keycloak.Provider
    refs: FoundationRefs


class KeycloakTenant(Component):
    """The group tree `/<slug>/<role>` and `/<slug>/<environment>/{ro,rw}`, and exactly the members of the file."""

    system = "keycloak"

    def __init__(self, name: str, args: KeycloakTenantArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register groups and memberships."""
        super().__init__(name, opts)
        tenant = args.tenant
        self._args = args
        # Deleting people while groups they are in are being deleted deadlocks in Keycloak's database, so the tree
        # depends on its people: then it goes first.
        accounts = [args.refs.accounts[person] for person in sorted(tenant.people) if person in args.refs.accounts]
        self._realm = pulumi.Output.all(args.refs.realm, *accounts).apply(lambda values: str(values[0]))
        root = self._group(f"{name}/group", tenant.slug, None)
        for role in roles_of(tenant):
            self._leaf(f"{name}/group/{role.name}", role.name, root, role.members)
        for environment in tenant.environments:
            prefix = f"{name}/group/{environment.name}"
            parent = self._group(prefix, environment.name, root)
            for access in Access:
                members = members_of_access(tenant, environment, access)
                self._leaf(f"{prefix}/{access.value}", access.value, parent, members)
        self.register_outputs({"group": names_of(tenant).group_path})

    def _group(self, name: str, group: str, parent: keycloak.Group | None) -> keycloak.Group:
        return keycloak.Group(
            name,
            realm_id=self._realm,
            name=group,
            parent_id=parent.id if parent else None,
            attributes={"usine.tenant": self._args.tenant.slug},
            # Keycloak deletes a group with all below it, so the engine need not ask for each.
            opts=self.child(self._args.provider, parent=parent, deleted_with=parent),
        )

    def _leaf(self, name: str, group: str, parent: keycloak.Group, members: Sequence[str]) -> None:
        leaf = self._group(name, group, parent)
        accounts = self._args.refs.accounts
        keycloak.GroupMemberships(
            f"{name}/members",
            realm_id=self._args.refs.realm,
            group_id=leaf.id,
            members=[accounts[person] for person in members if person in accounts],
            opts=self.child(self._args.provider, parent=leaf, deleted_with=leaf),
        )

"""Keycloak: the realm and the tools' OIDC clients (foundation); groups with exact members for each tenant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_keycloak as keycloak
from pulumi_keycloak import openid

from components.base import OFFLINE_SCOPE, Component, OidcClient, OidcIssuer
from components.oidc_clients import GROUPS_SCOPE, ClientArgs, register_client
from model.access import members_of_access, roles_of
from model.argocd import ArgoCDInstance
from model.naming import Access, name_of_person, names_of
from model.settings import Endpoint, KeycloakSettings, System
from model.tenant import Tenant
from model.zone_naming import argocd_client

#: The OIDC client of command lines. Its access tokens have Vault as their audience.
CLI_CLIENT = "usine-cli"


@dataclass(frozen=True, slots=True)
class KeycloakFoundationArgs:
    """Each of `systems` gets its OIDC clients; `endpoints` has the addresses of those with a web interface.

    Argo CD has a client for each of `argocds`. `issuer` is the realm as the tools know it. `people` are the user names
    of all tenants. `known` are the people who have an account, if the accounts come from a directory; None: the
    platform creates an account for everyone.
    """

    provider: keycloak.Provider
    settings: KeycloakSettings
    issuer: OidcIssuer
    systems: frozenset[System]
    endpoints: Mapping[System, Endpoint]
    argocds: Sequence[ArgoCDInstance]
    people: frozenset[str]
    known: frozenset[str] | None = None


class KeycloakFoundation(Component):
    """The realm, a ``groups`` claim with full paths, one OIDC client per tool, and managed accounts.

    `realm` is the realm's name (also its id in Keycloak), known once it exists. `clients` is by client id.
    `accounts` maps a user name to itself once the account exists; it has everyone who has an account or gets one here.
    """

    system = "keycloak"
    realm: pulumi.Output[str]
    clients: Mapping[str, OidcClient]
    accounts: Mapping[str, pulumi.Output[str]]

    def __init__(self, name: str, args: KeycloakFoundationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register the realm, its clients and accounts."""
        super().__init__(name, opts)
        self._args = args
        realm = keycloak.Realm(
            f"{name}/realm",
            realm=args.settings.realm,
            enabled=True,
            display_name="Usine",
            ssl_required="external",
            registration_allowed=False,
            verify_email=False,
            # People may change their e-mail address. An unverified one could then be somebody else's (issue 11.A14).
            login_with_email_allowed=False,
            duplicate_emails_allowed=False,
            edit_username_allowed=False,  # every tool identifies people by their user name
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
            name=GROUPS_SCOPE,
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
        self.clients = self._clients(name)
        self.accounts = (
            {person: self._account(name, person) for person in sorted(args.people)}
            if args.known is None
            else {person: pulumi.Output.from_input(person) for person in sorted(args.known)}
        )
        self.register_outputs({"realm": self.realm, "clients": sorted(self.clients)})

    def _clients(self, name: str) -> dict[str, OidcClient]:
        systems, endpoints = self._args.systems, self._args.endpoints
        clients: dict[str, OidcClient] = {}
        if System.VAULT in systems:
            url = endpoints[System.VAULT].url
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
        if System.GITLAB in systems:
            # An operator puts this client's secret into GitLab's configuration file: its API cannot configure log-in.
            callback = f"{endpoints[System.GITLAB].url}/users/auth/openid_connect/callback"
            clients["gitlab"] = self._client(name, "gitlab", confidential=True, pkce=False, redirects=[callback])
        if System.HARBOR in systems:
            callback = f"{endpoints[System.HARBOR].url}/c/oidc/callback"
            # Harbor keeps a refresh token for a person's CLI secret, which outlives the session.
            clients["harbor"] = self._client(
                name, "harbor", confidential=True, pkce=False, redirects=[callback], optional=[OFFLINE_SCOPE]
            )
        if System.SONARQUBE in systems:
            callback = f"{endpoints[System.SONARQUBE].url}/oauth2/callback/oidc"
            clients["sonarqube"] = self._client(name, "sonarqube", confidential=True, pkce=False, redirects=[callback])
        for argocd in self._args.argocds if System.ARGOCD in systems else ():
            url, client = argocd.url, argocd_client(argocd.name)
            # Each Argo CD takes only tokens that were made for its own client.
            clients[client] = self._client(
                name,
                client,
                confidential=False,
                redirects=[f"{url}/auth/callback", f"{url}/pkce/verify", "http://localhost:8085/auth/callback"],
            )
        if System.KUBERNETES in systems:
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
        args = ClientArgs(
            provider=self._args.provider,
            realm=self.realm,
            client_id=client_id,
            redirects=redirects,
            groups_scope=self._groups_scope.name,
            confidential=confidential,
            pkce=pkce,
            audience=audience,
            optional=optional,
        )
        client = register_client(self, f"{name}/client/{client_id}", args)
        secret: pulumi.Output[str] | None = pulumi.Output.secret(client.client_secret) if confidential else None
        return OidcClient(client.client_id, secret, self._args.issuer)

    def _account(self, name: str, person: str) -> pulumi.Output[str]:
        """Create an account without a credential: the person or an administrator sets one."""
        first, last = name_of_person(person)
        domain = self._args.settings.email_domain
        user = keycloak.User(
            f"{name}/account/{person}",
            realm_id=self.realm,
            username=person,
            enabled=True,
            first_name=first,
            last_name=last or first,
            email=f"{person}@{domain}" if domain else None,
            email_verified=domain is not None,
            opts=self.child(self._args.provider),
        )
        return user.username


@dataclass(frozen=True, slots=True)
class KeycloakTenantArgs:
    """`realm` is the realm's name once it exists. `accounts` maps a user name to itself once the account exists.

    `grafana` is the address of the tenant's Grafana; None: it has none.
    """

    tenant: Tenant
    provider: keycloak.Provider
    realm: pulumi.Input[str]
    accounts: Mapping[str, pulumi.Input[str]]
    grafana: str | None = None


class KeycloakTenant(Component):
    """The groups `/<slug>/<role>` and `/<slug>/<environment>/{ro,rw}`, with exactly the members of the tenant file.

    A tenant with a Grafana also has an OIDC client for it: it is public, and Keycloak requires its proof key (PKCE).
    """

    system = "keycloak"

    def __init__(self, name: str, args: KeycloakTenantArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register groups, memberships and the client."""
        super().__init__(name, opts)
        tenant = args.tenant
        self._args = args
        # Keycloak's database deadlocks if people and their groups are deleted at the same time. The groups depend on
        # the people, so the engine deletes the groups first.
        accounts = [args.accounts[person] for person in sorted(tenant.people) if person in args.accounts]
        self._realm = pulumi.Output.all(args.realm, *accounts).apply(lambda values: str(values[0]))
        root = self._group(f"{name}/group", tenant.slug, None)
        own = {role.name for role in tenant.roles}
        for role in roles_of(tenant):
            # Never empty: the provider keeps the last description of a group that states none.
            purpose = (role.description or f"Role of {tenant.slug}") if role.name in own else None
            self._leaf(f"{name}/group/{role.name}", role.name, root, role.members, purpose)
        for environment in tenant.environments:
            prefix = f"{name}/group/{environment.name}"
            parent = self._group(prefix, environment.name, root)
            for access in Access:
                members = members_of_access(tenant, environment, access)
                self._leaf(f"{prefix}/{access.value}", access.value, parent, members)
        if args.grafana is not None:
            client = ClientArgs(
                provider=args.provider,
                realm=args.realm,
                client_id=names_of(tenant).grafana,
                redirects=[f"{args.grafana}/login/generic_oauth"],
            )
            register_client(self, f"{name}/client/grafana", client)
        self.register_outputs({"group": names_of(tenant).group_path})

    def _group(
        self, name: str, group: str, parent: keycloak.Group | None, description: str | None = None
    ) -> keycloak.Group:
        return keycloak.Group(
            name,
            realm_id=self._realm,
            name=group,
            description=description,
            parent_id=parent.id if parent else None,
            attributes={"usine.tenant": self._args.tenant.slug},
            # Keycloak deletes a group with all its subgroups, so the engine need not delete each of them.
            opts=self.child(self._args.provider, parent=parent, deleted_with=parent),
        )

    def _leaf(
        self, name: str, group: str, parent: keycloak.Group, members: Sequence[str], description: str | None = None
    ) -> None:
        leaf = self._group(name, group, parent, description)
        accounts = self._args.accounts
        keycloak.GroupMemberships(
            f"{name}/members",
            realm_id=self._args.realm,
            group_id=leaf.id,
            members=[accounts[person] for person in members if person in accounts],
            opts=self.child(self._args.provider, parent=leaf, deleted_with=leaf),
        )

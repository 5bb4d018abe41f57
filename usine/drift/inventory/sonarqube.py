"""Inventory of SonarQube: projects, groups, gates, webhooks, local accounts, tokens, administrators.

The state has the exact permissions of each managed project and of the server: they are not part of this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property, partial
from typing import Final
from urllib.parse import quote, urlsplit

from components.sonarqube.dynamic.accounts import tokens_of
from components.sonarqube.dynamic.api import NotFoundError
from components.sonarqube.dynamic.provider import TYPE_PREFIX
from model.naming import ANALYSIS_ACCOUNTS
from model.settings import System
from usine.clients import Connections
from usine.clients.base import Json
from usine.clients.sonarqube import SonarQubeClient, translated
from usine.drift.inventory.base import Found, InventoryScan, InventoryScope, Managed

_PROJECT: Final = f"{TYPE_PREFIX}Project"
_GROUP: Final = f"{TYPE_PREFIX}Group"
_GATE: Final = f"{TYPE_PREFIX}QualityGate"
_WEBHOOK: Final = f"{TYPE_PREFIX}Webhook"
_TOKEN: Final = f"{TYPE_PREFIX}ProjectAnalysisToken"
_ACCOUNT: Final = f"{TYPE_PREFIX}TechnicalAccount"
_MEMBERSHIP: Final = f"{TYPE_PREFIX}GroupMembership"
#: Every new server has them (SonarQube's documentation of user groups and of the first log-in).
_ADMINISTRATORS: Final = "sonar-administrators"
_BUILT_IN_GROUPS: Final = frozenset({_ADMINISTRATORS, "sonar-users"})
_USER_TOKEN: Final = "USER_TOKEN"  # noqa: S105 - a kind of token
_FIRST_USER: Final = "admin"
#: The identity provider of SonarQube's own accounts, with a password or without one.
_OWN_ACCOUNTS: Final = "sonarqube"


class SonarQubeInventory:
    """Lists the objects of SonarQube. Project keys begin with the tenant's slug; groups are named as in Keycloak."""

    def __init__(self, scope: InventoryScope, connections: Connections) -> None:
        """Keep the scope and the connections; nothing is sent yet."""
        self._scope = scope
        self._connections = connections

    def scans(self) -> Iterable[InventoryScan]:
        """See `SystemInventory`."""
        everyone = self._scope.everyone
        takes: list[tuple[tuple[str | None, ...], Callable[[], Iterator[Found]]]] = [
            (everyone, self._projects),
            (everyone, self._groups),
            (everyone, self._accounts),
            (everyone, self._administrators_tokens),
            *(((a.tenant,), partial(self._tokens_made_of, a)) for a in self._scope.every(_ACCOUNT)),
            *(((p.tenant,), partial(self._webhooks, p.id)) for p in self._scope.every(_PROJECT)),
        ]
        if self._scope.foundation:
            takes += [((None,), take) for take in (self._gates, partial(self._webhooks, None), self._administrators)]
        return [InventoryScan(tenants, partial(_readable, take)) for tenants, take in takes]

    @cached_property
    def _client(self) -> SonarQubeClient:
        return self._connections.sonarqube()

    @cached_property
    def _account(self) -> str:
        """The account that the platform's token belongs to."""
        return str(self._client.get("/api/users/current")["login"])

    def _projects(self) -> Iterator[Found]:
        for project in self._client.pages("/api/projects/search", "components"):
            key = project["key"]
            if not self._scope.knows(_PROJECT, key):
                yield self._found(
                    self._scope.owner(key, ":"),
                    _PROJECT,
                    f"project: {key}",
                    import_id=key,
                    detail=f"a {project['visibility']} project",
                    removal=f"POST /api/projects/delete?project={key}",
                )

    def _groups(self) -> Iterator[Found]:
        for group in self._client.v2_pages("/authorizations/groups", "groups"):
            name, id_ = group["name"], group["id"]
            if name not in _BUILT_IN_GROUPS and not self._scope.knows(_GROUP, id_):
                yield self._found(
                    self._scope.owner(name.lstrip("/"), "/"),
                    _GROUP,
                    f"group: {name}",
                    import_id=id_,
                    detail="people with this group in their log-in become members",
                    removal=f"DELETE /api/v2/authorizations/groups/{id_}",
                )

    def _webhooks(self, project: str | None) -> Iterator[Found]:
        try:
            hooks = self._client.get("/api/webhooks/list", project=project)["webhooks"]
        except NotFoundError:
            if project is None or any(self._client.pages("/api/projects/search", "components", projects=project)):
                raise  # the project exists: the list could not be read
            return  # a missing project is another finding
        for hook in hooks:
            id_ = f"{project or '-'}/{hook['key']}"
            if not self._scope.knows(_WEBHOOK, id_):
                yield self._found(
                    self._scope.owner(project, ":") if project else None,
                    _WEBHOOK,
                    f"{project or 'every project'}: webhook {hook['name']} ({hook['key']})",
                    import_id=id_,
                    detail=f"tells {urlsplit(hook['url']).hostname} of each analysis",
                    removal=f"POST /api/webhooks/delete?webhook={hook['key']}",
                )

    def _gates(self) -> Iterator[Found]:
        for gate in self._client.get("/api/qualitygates/list")["qualitygates"]:
            if not gate["isBuiltIn"] and not self._scope.knows(_GATE, gate["name"]):
                yield self._found(
                    None,
                    _GATE,
                    f"gate: {gate['name']}",
                    import_id=gate["name"],
                    detail="a quality gate" + (", the default one" if gate["isDefault"] else ""),
                    removal=f"POST /api/qualitygates/destroy?name={gate['name']}",
                )

    @cached_property
    def _members(self) -> Mapping[str, str]:
        """The administrators: the ids of their memberships, by login."""
        group = next(
            g for g in self._client.v2_pages("/authorizations/groups", "groups") if g["name"] == _ADMINISTRATORS
        )
        logins = {
            user["id"]: user["login"]
            for user in self._client.v2_pages("/users-management/users", "users", active="true")
        }
        members = self._client.v2_pages("/authorizations/group-memberships", "groupMemberships", groupId=group["id"])
        return {logins.get(member["userId"], member["userId"]): str(member["id"]) for member in members}

    def _administrators(self) -> Iterator[Found]:
        """Administrators, without the first account and the platform's."""
        for login, membership in self._members.items():
            if login not in {_FIRST_USER, self._account}:
                yield self._found(
                    None,
                    _MEMBERSHIP,
                    f"{_ADMINISTRATORS}: {login}",
                    detail="a person made an administrator of the whole server",
                    removal=f"DELETE /api/v2/authorizations/group-memberships/{membership}",
                )

    def _accounts(self) -> Iterator[Found]:
        """Accounts that are in no identity provider: they stay when their holder leaves."""
        for user in self._client.v2_pages("/users-management/users", "users", active="true"):
            login, id_ = user["login"], user["id"]
            own = user["local"] or user["externalProvider"] == _OWN_ACCOUNTS
            if own and login not in {_FIRST_USER, self._account} and not self._scope.knows(_ACCOUNT, id_):
                yield self._found(
                    self._scope.owner(login.removeprefix(ANALYSIS_ACCOUNTS), ".")
                    if login.startswith(ANALYSIS_ACCOUNTS)
                    else None,
                    _ACCOUNT,
                    f"account: {login}",
                    import_id=id_,
                    detail="logs in with a password of its own" if user["local"] else "works by its tokens alone",
                    removal=f"DELETE /api/v2/users-management/users/{id_}",
                )

    def _administrators_tokens(self) -> Iterator[Found]:
        """Tokens of administrators, without the platform's. A token of any kind gives the rights of its account."""
        for login in sorted({*self._members, self._account}):
            ours = self._scope.settings.sonarqube.token_name if login == self._account else None
            for token in self._undeclared(login):
                project = (token.get("project") or {}).get("key")
                if token["type"] == _USER_TOKEN and token["name"] == ours:
                    continue
                detail = f"all that its administrator may do, until {_day(token)}"
                if login == self._account:
                    detail += "; if it is SONAR_TOKEN, say its name as usine:sonarqube.tokenName"
                yield self._token(self._scope.owner(project, ":") if project else None, login, token, detail)

    def _tokens_made_of(self, account: Managed) -> Iterator[Found]:
        """Tokens that were created with an analysis token: SonarQube lets its holder create others."""
        login = str(account.outputs["login"])
        for token in self._undeclared(login):
            yield self._token(account.tenant, login, token, f"analyses the tenant's projects, until {_day(token)}")

    def _undeclared(self, login: str) -> Iterator[Json]:
        for token in tokens_of(self._client, login):
            if not self._scope.knows(_TOKEN, f"{login}/{token['name']}"):
                yield token

    def _token(self, tenant: str | None, login: str, token: Json, detail: str) -> Found:
        id_ = f"{login}/{token['name']}"
        return self._found(
            tenant,
            _TOKEN,
            f"token: {id_}",
            import_id=id_ if tenant else None,
            detail=detail,
            removal=f"POST /api/user_tokens/revoke?login={quote(login)}&name={quote(token['name'], safe='')}",
        )

    @staticmethod
    def _found(
        tenant: str | None, type_: str, name: str, *, import_id: str | None = None, detail: str, removal: str
    ) -> Found:
        return Found(System.SONARQUBE.value, tenant, type_, name, "sonarqube", import_id, detail, removal)


def _day(token: Json) -> str:
    return str(token["expirationDate"])[:10] if token.get("expirationDate") else "it is revoked"


def _readable(take: Callable[[], Iterator[Found]]) -> list[Found]:
    with translated():
        return list(take())

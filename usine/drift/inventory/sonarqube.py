"""SonarQube: projects, groups, gates, webhooks, tokens of projects, and who administers it.

Permissions on a managed project and on the whole server are exact in the state: not here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from components.sonarqube_dynamic.api import Client, NotFoundError, SonarError
from components.sonarqube_dynamic.provider import TYPE_PREFIX
from usine.drift.inventory.base import Found, Json, Look, Scope
from usine.engine.lookup.base import LookError
from usine.spec.settings import System

_PROJECT: Final = f"{TYPE_PREFIX}Project"
_GROUP: Final = f"{TYPE_PREFIX}Group"
_GATE: Final = f"{TYPE_PREFIX}QualityGate"
_WEBHOOK: Final = f"{TYPE_PREFIX}Webhook"
_TOKEN: Final = f"{TYPE_PREFIX}ProjectAnalysisToken"
_MEMBERSHIP: Final = f"{TYPE_PREFIX}GroupMembership"
#: Every server begins with them: SonarQube's documentation of user groups and of the first log-in.
_ADMINISTRATORS: Final = "sonar-administrators"
_BUILT_IN_GROUPS: Final = frozenset({_ADMINISTRATORS, "sonar-users"})
_FIRST_USER: Final = "admin"
_PAGE: Final = 500


class SonarQube:
    """A project's key begins with its tenant's slug, and a group's name is the one of its group in Keycloak."""

    def __init__(self, scope: Scope, environment: Mapping[str, str], root: Path) -> None:
        """Read with the plugin's credential."""
        self._scope = scope
        self._environment = environment
        self._root = root

    def looks(self) -> Iterable[Look]:
        """See `System`."""
        everyone = self._scope.everyone
        takes: list[tuple[tuple[str | None, ...], Callable[[], Iterator[Found]]]] = [
            (everyone, self._projects),
            (everyone, self._groups),
            (everyone, self._tokens),
            *(((p.tenant,), partial(self._webhooks, p.id)) for p in self._scope.every(_PROJECT)),
        ]
        if self._scope.foundation:
            takes += [((None,), take) for take in (self._gates, partial(self._webhooks, None), self._administrators)]
        return [Look(tenants, partial(_readable, take)) for tenants, take in takes]

    @cached_property
    def _client(self) -> Client:
        endpoint = self._scope.settings.endpoints[System.SONARQUBE]
        authority = (self._root / endpoint.ca).read_text(encoding="ascii") if endpoint.ca else None
        return Client(endpoint.url, authority, environment=self._environment)

    @cached_property
    def _account(self) -> str:
        """The account of the platform's own token."""
        return str(self._client.get("/api/users/current")["login"])

    def _v2(self, path: str, items: str, **query: str) -> Iterator[Json]:
        """Yield the entries of a list of the second API."""
        page = seen = 0
        while True:
            page += 1
            answer = self._client.v2("GET", path, pageIndex=str(page), pageSize=str(_PAGE), **query)
            yield from answer[items]
            seen += len(answer[items])
            if not answer[items] or seen >= answer["page"]["total"]:
                return

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
        for group in self._v2("/authorizations/groups", "groups"):
            name, id_ = group["name"], group["id"]
            if name not in _BUILT_IN_GROUPS and not self._scope.knows(_GROUP, id_):
                yield self._found(
                    self._scope.owner(name.lstrip("/"), "/"),
                    _GROUP,
                    f"group: {name}",
                    import_id=id_,
                    detail="who brings a group of this name along at log-in becomes a member",
                    removal=f"DELETE /api/v2/authorizations/groups/{id_}",
                )

    def _webhooks(self, project: str | None) -> Iterator[Found]:
        try:
            hooks = self._client.get("/api/webhooks/list", project=project)["webhooks"]
        except NotFoundError:
            return  # the project is missing, which is another finding
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
        """Who administers the server: memberships' ids, by login."""
        group = next(g for g in self._v2("/authorizations/groups", "groups") if g["name"] == _ADMINISTRATORS)
        logins = {user["id"]: user["login"] for user in self._v2("/users-management/users", "users", active="true")}
        members = self._v2("/authorizations/group-memberships", "groupMemberships", groupId=group["id"])
        return {logins.get(member["userId"], member["userId"]): str(member["id"]) for member in members}

    def _administrators(self) -> Iterator[Found]:
        """Who is an administrator beside the first account and the platform's own."""
        for login, membership in self._members.items():
            if login not in {_FIRST_USER, self._account}:
                yield self._found(
                    None,
                    _MEMBERSHIP,
                    f"{_ADMINISTRATORS}: {login}",
                    detail="a person made an administrator of the whole server",
                    removal=f"DELETE /api/v2/authorizations/group-memberships/{membership}",
                )

    def _tokens(self) -> Iterator[Found]:
        """Tokens that analyse a project, or all. Nobody but administrators may analyse, so nobody else's works."""
        for login in sorted({*self._members, self._account}):
            for token in self._client.get("/api/user_tokens/search", login=login)["userTokens"]:
                id_ = f"{login}/{token['name']}"
                project = (token.get("project") or {}).get("key")
                if token["type"] == "USER_TOKEN" or self._scope.knows(_TOKEN, id_):
                    continue
                yield self._found(
                    self._scope.owner(project, ":") if project else None,
                    _TOKEN,
                    f"token: {id_}",
                    import_id=id_ if project else None,
                    detail=f"analyses {project or 'every project'}, until {_day(token)}",
                    removal=f"POST /api/user_tokens/revoke?login={login}&name={token['name']}",
                )

    @staticmethod
    def _found(
        tenant: str | None, type_: str, name: str, *, import_id: str | None = None, detail: str, removal: str
    ) -> Found:
        return Found(System.SONARQUBE.value, tenant, type_, name, "sonarqube", import_id, detail, removal)


def _day(token: Json) -> str:
    return str(token["expirationDate"])[:10] if token.get("expirationDate") else "it is revoked"


def _readable(take: Callable[[], Iterator[Found]]) -> list[Found]:
    try:
        return list(take())
    except (SonarError, OSError, UnicodeDecodeError) as error:
        raise LookError(str(error)) from None

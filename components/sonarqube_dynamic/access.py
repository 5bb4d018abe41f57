"""Groups and permissions."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, ClassVar

from components.sonarqube_dynamic.api import TOKEN_VARIABLE, Client, NotFoundError, SonarError
from components.sonarqube_dynamic.kind import Kind, Properties, is_known

#: Permissions by the name of their holder, each list sorted.
_Holders = dict[str, list[str]]


class Group(Kind):
    """Id: the one SonarQube gives. Members are none of ours: people bring their groups along when they log in."""

    name = "Group"
    inputs = ("name", "description")

    def create(self, client: Client, news: Properties) -> tuple[str, Properties]:
        """See `Kind`."""
        if (known := self.find(client, news)) is not None:
            raise SonarError(f"SonarQube has a group {news['name']} already: import it (its id is {known!r})")
        made = client.v2("POST", "/authorizations/groups", self._body(news))
        return made["id"], self._outputs(made)

    def read(self, client: Client, id_: str, props: Properties) -> Properties | None:  # noqa: ARG002
        """See `Kind`."""
        try:
            return self._outputs(client.v2("GET", f"/authorizations/groups/{id_}"))
        except NotFoundError:
            return None

    def update(self, client: Client, id_: str, olds: Properties, news: Properties) -> Properties:  # noqa: ARG002
        """Rename or describe it; it keeps its members and permissions."""
        return self._outputs(client.v2("PATCH", f"/authorizations/groups/{id_}", self._body(news)))

    def delete(self, client: Client, id_: str, props: Properties) -> None:  # noqa: ARG002
        """See `Kind`."""
        client.v2("DELETE", f"/authorizations/groups/{id_}")

    def find(self, client: Client, news: Mapping[str, Any]) -> str | None:
        """By its name; the search is for parts of names."""
        groups = client.v2_pages("/authorizations/groups", "groups", q=news["name"])
        return next((str(group["id"]) for group in groups if group["name"] == news["name"]), None)

    def _body(self, news: Properties) -> Properties:
        return {"name": news["name"], "description": news["description"]}

    def _outputs(self, found: Any) -> Properties:  # noqa: ANN401 - JSON
        return {"name": found["name"], "description": found.get("description") or ""}


class _Permissions(Kind):
    """Exactly these permissions of groups and users in a scope; every other one there is drift, and taken away.

    Somebody has to keep `admin`: also who administers the whole server is refused what needs a project's own `admin`.
    """

    #: What can be given in this scope; a Community Build lists others too, and refuses to change them.
    known: ClassVar[tuple[str, ...]]

    @abc.abstractmethod
    def _scope(self, props: Mapping[str, Any]) -> dict[str, str]:
        """Parameters that name the scope."""

    def normalised(self, olds: Properties, news: Properties) -> Properties:  # noqa: ARG002
        """Sorted, without repetition and without holders of nothing."""
        return {
            **news,
            **{who: _sorted(news.get(who) or {}) for who in ("groups", "users") if is_known(news.get(who))},
        }

    def _read(self, client: Client, scope: Mapping[str, str]) -> Properties:
        return {
            "groups": self._holders(client, scope, "groups", "name"),
            "users": self._holders(client, scope, "users", "login"),
        }

    def _holders(self, client: Client, scope: Mapping[str, str], who: str, key: str) -> _Holders:
        """One request where there are few groups or users; else one list per permission instead of everybody."""
        first = client.get(f"/api/permissions/{who}", p="1", ps=str(client.page), **scope)
        if first["paging"]["total"] <= len(first[who]):
            return _sorted({entry[key]: [p for p in entry["permissions"] if p in self.known] for entry in first[who]})
        found: _Holders = {}
        for permission in self.known:
            for entry in client.pages(f"/api/permissions/{who}", who, permission=permission, **scope):
                found.setdefault(entry[key], []).append(permission)
        return _sorted(found)

    def _apply(self, client: Client, scope: Mapping[str, str], news: Properties) -> None:
        """Give before taking: nobody is locked out in between."""
        if not any("admin" in permissions for who in ("groups", "users") for permissions in news[who].values()):
            raise SonarError(
                f"{self.name} without `admin`: give it to a group of the account of {TOKEN_VARIABLE}, "
                "which could do nothing more there"
            )
        found = self._read(client, scope)
        calls = [("group", "groups", "groupName"), ("user", "users", "login")]
        for one, who, key in calls:
            for holder, permission in _missing(news[who], found[who]):
                client.post(f"/api/permissions/add_{one}", permission=permission, **{key: holder}, **scope)
        for one, who, key in calls:
            for holder, permission in _missing(found[who], news[who]):
                client.post(f"/api/permissions/remove_{one}", permission=permission, **{key: holder}, **scope)


class ProjectPermissions(_Permissions):
    """Id: the project's key. What the default template gave is taken away; so is all but `admin` at deletion."""

    name = "ProjectPermissions"
    inputs = ("project", "groups", "users")
    replaced_by = ("project",)
    known = ("user", "codeviewer", "issueadmin", "securityhotspotadmin", "scan", "admin")

    def _scope(self, props: Mapping[str, Any]) -> dict[str, str]:
        return {"projectKey": props["project"]}

    def create(self, client: Client, news: Properties) -> tuple[str, Properties]:
        """Make the project's permissions these."""
        return news["project"], self.update(client, news["project"], {}, news)

    def read(self, client: Client, id_: str, props: Properties) -> Properties | None:  # noqa: ARG002
        """See `Kind`."""
        try:
            return {"project": id_, **self._read(client, self._scope({"project": id_}))}
        except NotFoundError:
            return None

    def update(self, client: Client, id_: str, olds: Properties, news: Properties) -> Properties:  # noqa: ARG002
        """Make the project's permissions these."""
        self._apply(client, self._scope(news), news)
        return {key: news[key] for key in self.inputs}

    def delete(self, client: Client, id_: str, props: Properties) -> None:  # noqa: ARG002
        """Leave the project to its administrators: what else is set on it is still to be deleted."""
        scope = self._scope({"project": id_})
        left = {
            who: {holder: ["admin"] for holder, permissions in holders.items() if "admin" in permissions}
            for who, holders in self._read(client, scope).items()
        }
        self._apply(client, scope, left)


class GlobalPermissions(_Permissions):
    """Id: `global`; one per SonarQube. Deletion changes nothing there: somebody has to stay administrator."""

    name = "GlobalPermissions"
    inputs = ("groups", "users")
    known = ("admin", "gateadmin", "profileadmin", "provisioning", "scan")

    def _scope(self, props: Mapping[str, Any]) -> dict[str, str]:  # noqa: ARG002
        return {}

    def create(self, client: Client, news: Properties) -> tuple[str, Properties]:
        """Make the permissions these. Raises SonarError where nobody would be administrator."""
        return "global", self.update(client, "global", {}, news)

    def read(self, client: Client, id_: str, props: Properties) -> Properties | None:  # noqa: ARG002
        """See `Kind`."""
        return self._read(client, {})

    def update(self, client: Client, id_: str, olds: Properties, news: Properties) -> Properties:  # noqa: ARG002
        """See `create`."""
        self._apply(client, {}, news)
        return {key: news[key] for key in self.inputs}

    def delete(self, client: Client, id_: str, props: Properties) -> None:
        """Leave them as they are."""


def _sorted(holders: Mapping[str, list[str]]) -> _Holders:
    return {holder: sorted(set(names)) for holder, names in sorted(holders.items()) if names}


def _missing(wanted: _Holders, there: _Holders) -> list[tuple[str, str]]:
    """Pairs of holder and permission in `wanted` that are not in `there`."""
    return [(holder, name) for holder, names in wanted.items() for name in names if name not in there.get(holder, ())]

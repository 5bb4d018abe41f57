"""Groups and permissions."""

from __future__ import annotations

import abc
from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar

from components.sonarqube.dynamic.accounts import tokens_of
from components.sonarqube.dynamic.api import TOKEN_VARIABLE, Client, NotFoundError, SonarError
from components.sonarqube.dynamic.kind import ObjectKind, Properties, is_known

#: Permissions by the name of their holder, each list sorted.
_Holders = dict[str, list[str]]


class GroupKind(ObjectKind):
    """Id: the one SonarQube gives. People bring their groups along when they log in: nobody is made a member here.

    `members` are those who may be one, by the name that the identity provider gives them; without it nobody looks.
    SonarQube takes a membership away at the next log-in only, and lets somebody who does not log in any more go on with
    their tokens (issue 11.A13). So the others are taken out here, and who is left in no group loses their tokens.
    """

    name = "Group"
    inputs = ("name", "description", "members")

    def normalised(self, olds: Properties, news: Properties) -> Properties:  # noqa: ARG002
        """With members in order, each once."""
        members = news.get("members")
        return {**news, "members": sorted(set(members))} if isinstance(members, list) and is_known(members) else news

    def create(self, client: Client, news: Properties) -> tuple[str, Properties]:
        """See `ObjectKind`."""
        if (known := self.find(client, news)) is not None:
            raise SonarError(f"SonarQube has a group {news['name']} already: import it (its id is {known!r})")
        made = client.v2("POST", "/authorizations/groups", self._body(news))
        return made["id"], self._outputs(made, news.get("members"))

    def read(self, client: Client, id_: str, props: Properties) -> Properties | None:
        """See `ObjectKind`. Of the members only those count who may not be one."""
        members = props.get("members")
        try:
            found = client.v2("GET", f"/authorizations/groups/{id_}")
            others = [] if members is None else [user["externalLogin"] for _, user in _others(client, id_, members)]
        except NotFoundError:
            return None
        return self._outputs(found, None if members is None else sorted({*members, *others}))

    def update(self, client: Client, id_: str, olds: Properties, news: Properties) -> Properties:
        """Rename or describe it, and take out who may not be a member; the others and the permissions stay."""
        if any(olds.get(key) != news.get(key) for key in ("name", "description")):
            client.v2("PATCH", f"/authorizations/groups/{id_}", self._body(news))
        members = news.get("members")
        if members is not None:
            self._take_out(client, id_, members)
        return self._outputs(news, members)

    def delete(self, client: Client, id_: str, props: Properties) -> None:
        """See `ObjectKind`."""
        if props.get("members") is not None:
            self._take_out(client, id_, ())
        client.v2("DELETE", f"/authorizations/groups/{id_}")

    def find(self, client: Client, news: Mapping[str, Any]) -> str | None:
        """By its name; the search is for parts of names."""
        groups = client.v2_pages("/authorizations/groups", "groups", q=news["name"])
        return next((str(group["id"]) for group in groups if group["name"] == news["name"]), None)

    def _body(self, news: Properties) -> Properties:
        return {"name": news["name"], "description": news["description"]}

    def _outputs(self, found: Mapping[str, Any], members: list[str] | None) -> Properties:
        kept = {} if members is None else {"members": list(members)}
        return {"name": found["name"], "description": found.get("description") or "", **kept}

    def _take_out(self, client: Client, id_: str, members: Collection[str]) -> None:
        for membership, user in list(_others(client, id_, members)):
            client.v2("DELETE", f"/authorizations/group-memberships/{membership}")
            if _has_no_group(client, user["id"]):
                for token in tokens_of(client, user["login"]):
                    client.post("/api/user_tokens/revoke", login=user["login"], name=token["name"])


def _others(client: Client, group: str, members: Collection[str]) -> Iterator[tuple[str, Any]]:
    """Yield the memberships' ids and the accounts of a group's members who are not among these."""
    for membership in client.v2_pages("/authorizations/group-memberships", "groupMemberships", groupId=group):
        user = client.v2("GET", f"/users-management/users/{membership['userId']}")
        if user["externalLogin"] not in members:
            yield str(membership["id"]), user


def _has_no_group(client: Client, user: str) -> bool:
    """Say whether an account is in no group but the one that everybody is in: no administrator, either."""
    memberships = client.v2_pages("/authorizations/group-memberships", "groupMemberships", userId=user)
    return all(client.v2("GET", f"/authorizations/groups/{one['groupId']}")["default"] for one in memberships)


class _Permissions(ObjectKind):
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


class ProjectPermissionsKind(_Permissions):
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
        """See `ObjectKind`."""
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


class GlobalPermissionsKind(_Permissions):
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
        """See `ObjectKind`."""
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

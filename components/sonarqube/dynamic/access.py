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
    """Id: the id that SonarQube gives. SonarQube adds people to groups at log-in; this provider adds nobody.

    `members` are the people who may be members, by their name at the identity provider; without it, members are not
    checked. SonarQube removes a membership only at the next log-in, and the tokens of a person who does not log in stay
    valid (issue 11.A13). So this provider removes the other members. If a person is then in no group, it also revokes
    their tokens.
    """

    name = "Group"
    inputs = ("name", "description", "members")

    def normalised(self, olds: Properties, news: Properties) -> Properties:
        """Return the inputs with the members sorted and without duplicates."""
        members = news.get("members")
        return {**news, "members": sorted(set(members))} if isinstance(members, list) and is_known(members) else news

    def create(self, client: Client, news: Properties) -> tuple[str, Properties]:
        """See `ObjectKind`."""
        if (known := self.find(client, news)) is not None:
            raise SonarError(f"SonarQube has a group {news['name']} already: import it (its id is {known!r})")
        made = client.v2("POST", "/authorizations/groups", self._body(news))
        return made["id"], self._outputs(made, news.get("members"))

    def read(self, client: Client, id_: str, props: Properties) -> Properties | None:
        """See `ObjectKind`. The members are the allowed ones and those who are members without being allowed."""
        members = props.get("members")
        try:
            found = client.v2("GET", f"/authorizations/groups/{id_}")
            others = [] if members is None else [user["externalLogin"] for _, user in _others(client, id_, members)]
        except NotFoundError:
            return None
        return self._outputs(found, None if members is None else sorted({*members, *others}))

    def update(self, client: Client, id_: str, olds: Properties, news: Properties) -> Properties:
        """Change name and description, and remove members who are not allowed. Permissions stay."""
        if any(olds.get(key) != news.get(key) for key in ("name", "description")):
            client.v2("PATCH", f"/authorizations/groups/{id_}", self._body(news))
        members = news.get("members")
        if members is not None:
            self._remove_others(client, id_, members)
        return self._outputs(news, members)

    def delete(self, client: Client, id_: str, props: Properties) -> None:
        """See `ObjectKind`."""
        if props.get("members") is not None:
            self._remove_others(client, id_, ())
        client.v2("DELETE", f"/authorizations/groups/{id_}")

    def find(self, client: Client, news: Mapping[str, Any]) -> str | None:
        """Find the group by its name. SonarQube's search also matches parts of names."""
        groups = client.v2_pages("/authorizations/groups", "groups", q=news["name"])
        return next((str(group["id"]) for group in groups if group["name"] == news["name"]), None)

    def _body(self, news: Properties) -> Properties:
        return {"name": news["name"], "description": news["description"]}

    def _outputs(self, found: Mapping[str, Any], members: list[str] | None) -> Properties:
        kept = {} if members is None else {"members": list(members)}
        return {"name": found["name"], "description": found.get("description") or "", **kept}

    def _remove_others(self, client: Client, id_: str, members: Collection[str]) -> None:
        for membership, user in list(_others(client, id_, members)):
            client.v2("DELETE", f"/authorizations/group-memberships/{membership}")
            if _has_no_group(client, user["id"]):
                for token in tokens_of(client, user["login"]):
                    client.post("/api/user_tokens/revoke", login=user["login"], name=token["name"])


def _others(client: Client, group: str, members: Collection[str]) -> Iterator[tuple[str, Any]]:
    """Yield the id of the membership and the account of each member of the group who is not one of `members`."""
    for membership in client.v2_pages("/authorizations/group-memberships", "groupMemberships", groupId=group):
        user = client.v2("GET", f"/users-management/users/{membership['userId']}")
        if user["externalLogin"] not in members:
            yield str(membership["id"]), user


def _has_no_group(client: Client, user: str) -> bool:
    """Return whether an account is only in the default group, which has everybody. So it is no administrator either."""
    memberships = client.v2_pages("/authorizations/group-memberships", "groupMemberships", userId=user)
    return all(client.v2("GET", f"/authorizations/groups/{one['groupId']}")["default"] for one in memberships)


class _Permissions(ObjectKind):
    """The exact permissions of groups and users in a scope. Every other permission there is drift, and is removed.

    At least one holder must keep `admin`: without it on a project, even an administrator of the server is refused some
    operations on the project.
    """

    #: The permissions of this scope. A Community Build lists more permissions, but refuses to change them.
    known: ClassVar[tuple[str, ...]]

    @abc.abstractmethod
    def _scope(self, props: Mapping[str, Any]) -> dict[str, str]:
        """Return the request parameters of the scope."""

    def normalised(self, olds: Properties, news: Properties) -> Properties:
        """Return the inputs sorted, without duplicates and without holders that have no permission."""
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
        """Return the permissions by holder: with one request if all fit on a page, else with a list per permission."""
        first = client.get(f"/api/permissions/{who}", p="1", ps=str(client.page), **scope)
        if first["paging"]["total"] <= len(first[who]):
            return _sorted({entry[key]: [p for p in entry["permissions"] if p in self.known] for entry in first[who]})
        found: _Holders = {}
        for permission in self.known:
            for entry in client.pages(f"/api/permissions/{who}", who, permission=permission, **scope):
                found.setdefault(entry[key], []).append(permission)
        return _sorted(found)

    def _apply(self, client: Client, scope: Mapping[str, str], news: Properties) -> None:
        """Set the permissions. It adds before it removes, so that nobody is locked out in between."""
        if not any("admin" in permissions for who in ("groups", "users") for permissions in news[who].values()):
            raise SonarError(
                f"{self.name} without `admin`: give it to a group of the account of {TOKEN_VARIABLE}, "
                "which has no access there otherwise"
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
    """Id: the project's key. Removes the permissions of the default template; deletion removes all but `admin`."""

    name = "ProjectPermissions"
    inputs = ("project", "groups", "users")
    replaced_by = ("project",)
    known = ("user", "codeviewer", "issueadmin", "securityhotspotadmin", "scan", "admin")

    def _scope(self, props: Mapping[str, Any]) -> dict[str, str]:
        return {"projectKey": props["project"]}

    def create(self, client: Client, news: Properties) -> tuple[str, Properties]:
        """Set the project's permissions."""
        return news["project"], self.update(client, news["project"], {}, news)

    def read(self, client: Client, id_: str, props: Properties) -> Properties | None:
        """See `ObjectKind`."""
        try:
            return {"project": id_, **self._read(client, self._scope({"project": id_}))}
        except NotFoundError:
            return None

    def update(self, client: Client, id_: str, olds: Properties, news: Properties) -> Properties:
        """Set the project's permissions."""
        self._apply(client, self._scope(news), news)
        return {key: news[key] for key in self.inputs}

    def delete(self, client: Client, id_: str, props: Properties) -> None:
        """Keep `admin` only: other settings of the project are deleted after this, which needs it."""
        scope = self._scope({"project": id_})
        left = {
            who: {holder: ["admin"] for holder, permissions in holders.items() if "admin" in permissions}
            for who, holders in self._read(client, scope).items()
        }
        self._apply(client, scope, left)


class GlobalPermissionsKind(_Permissions):
    """Id: `global`; one per server. Deletion changes nothing in SonarQube: there must be an administrator."""

    name = "GlobalPermissions"
    inputs = ("groups", "users")
    known = ("admin", "gateadmin", "profileadmin", "provisioning", "scan")

    def _scope(self, props: Mapping[str, Any]) -> dict[str, str]:
        return {}

    def create(self, client: Client, news: Properties) -> tuple[str, Properties]:
        """Set the permissions. Raises SonarError if nobody would be administrator."""
        return "global", self.update(client, "global", {}, news)

    def read(self, client: Client, id_: str, props: Properties) -> Properties | None:
        """See `ObjectKind`."""
        return self._read(client, {})

    def update(self, client: Client, id_: str, olds: Properties, news: Properties) -> Properties:
        """See `create`."""
        self._apply(client, {}, news)
        return {key: news[key] for key in self.inputs}

    def delete(self, client: Client, id_: str, props: Properties) -> None:
        """Do nothing: see the class."""


def _sorted(holders: Mapping[str, list[str]]) -> _Holders:
    return {holder: sorted(set(names)) for holder, names in sorted(holders.items()) if names}


def _missing(wanted: _Holders, there: _Holders) -> list[tuple[str, str]]:
    """Return the pairs of holder and permission that are in `wanted` but not in `there`."""
    return [(holder, name) for holder, names in wanted.items() for name in names if name not in there.get(holder, ())]

"""Technical accounts, and the tokens by which pipelines analyse."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from components.sonarqube.dynamic.api import Client, NotFoundError, SonarError
from components.sonarqube.dynamic.kind import ObjectKind, Properties

#: What of a token's name is ours: SonarQube takes 100 characters.
_TOKEN_NAME = 91


class TechnicalAccountKind(ObjectKind):
    """Id: the one SonarQube gives. An account without a password: nothing but its tokens lets anybody in.

    It is made with `local: false`, so SonarQube stores no password and refuses to set one, and its identity is of no
    provider through which people log in (`UserService.createUser`, `UserUpdater.setExternalIdentity`). Deletion is what
    SonarQube calls deactivation: all its tokens, permissions and memberships go at once. An account of this login that
    was deactivated is used again, with none of them.
    """

    name = "TechnicalAccount"
    inputs = ("login", "name")
    replaced_by = ("login",)

    def create(self, client: Client, news: Properties) -> tuple[str, Properties]:
        """See `ObjectKind`."""
        if (known := self.find(client, news)) is not None:
            raise SonarError(f"SonarQube has an account {news['login']} already: import it (its id is {known!r})")
        made = client.v2("POST", "/users-management/users", {**self._outputs(news), "local": False})
        return str(made["id"]), self._outputs(made)

    def read(self, client: Client, id_: str, props: Properties) -> Properties | None:  # noqa: ARG002
        """See `ObjectKind`. A deactivated one is gone."""
        try:
            found = client.v2("GET", f"/users-management/users/{id_}")
        except NotFoundError:
            return None
        return self._outputs(found) if found["active"] else None

    def update(self, client: Client, id_: str, olds: Properties, news: Properties) -> Properties:  # noqa: ARG002
        """Change what people see of it."""
        return self._outputs(client.v2("PATCH", f"/users-management/users/{id_}", {"name": news["name"]}))

    def delete(self, client: Client, id_: str, props: Properties) -> None:  # noqa: ARG002
        """Deactivate it."""
        client.v2("DELETE", f"/users-management/users/{id_}")

    def find(self, client: Client, news: Mapping[str, Any]) -> str | None:
        """By its login, among the active accounts; the search is for parts of logins and names."""
        found = client.v2_pages("/users-management/users", "users", q=news["login"])
        return next((str(user["id"]) for user in found if user["login"] == news["login"]), None)

    def _outputs(self, found: Mapping[str, Any]) -> Properties:
        return {"login": found["login"], "name": found["name"]}


class ProjectAnalysisTokenKind(ObjectKind):
    """Id: `<login>/<token's name>`; a user token of a technical account, made by the administrator.

    It is no token of SonarQube's kind PROJECT_ANALYSIS_TOKEN, though it is called so in every state: such a token
    belongs to the account that makes it, the administrator's, and `api/user_tokens/generate` gives its holder that
    account's own user token, with all its rights (issue 11.A1, tried). What this token may do is what its account
    may do: `scan` where `ProjectPermissions` say so.

    SonarQube shows the secret once and asks for names that the account does not have, so the token's name is `name`
    with a random end: a replacement overlaps the one that it replaces. A token that is gone is made again, an expired
    one or one whose secret is not known (an adopted one) is replaced.
    """

    name = "ProjectAnalysisToken"
    inputs = ("name", "login", "expires", "token_name")
    replaced_by = inputs
    shown_once = True

    def normalised(self, olds: Properties, news: Properties) -> Properties:
        """Keep the generated name as long as it is the same token."""
        same = olds.get("token_name") and all(olds.get(k) == news.get(k) for k in ("name", "login", "expires"))
        # Cut where SonarQube would refuse it: the random end still makes it the only one.
        token_name = olds["token_name"] if same else f"{news['name'][:_TOKEN_NAME]}-{secrets.token_hex(4)}"
        return {**news, "token_name": token_name}

    def changed(self, olds: Properties, news: Properties) -> list[str]:
        """See `ObjectKind`; besides, what has become useless."""
        useless = ["token"] if olds.get("expired") or not olds.get("token") else []
        return [*super().changed(olds, news), *useless]

    def create(self, client: Client, news: Properties) -> tuple[str, Properties]:
        """See `ObjectKind`."""
        made = client.post(
            "/api/user_tokens/generate",
            name=news["token_name"],
            login=news["login"],
            type="USER_TOKEN",
            expirationDate=news.get("expires"),
        )
        kept = {key: news[key] for key in self.inputs if news.get(key) is not None}
        return f"{made['login']}/{made['name']}", {**kept, "token": made["token"], "expired": False}

    def read(self, client: Client, id_: str, props: Properties) -> Properties | None:
        """See `ObjectKind`. The secret is the one of the state, if any."""
        login, _, token_name = id_.partition("/")
        found = next((token for token in tokens_of(client, login) if token["name"] == token_name), None)
        if found is None:
            return None
        expires = found.get("expirationDate")
        return {
            "name": props.get("name") or token_name.rpartition("-")[0] or token_name,
            # A token of the version before is the administrator's; its state names no account, and it is replaced.
            **({"login": login} if not props or props.get("login") else {}),
            **({"expires": expires[:10]} if expires else {}),
            "token_name": token_name,
            **({"token": props["token"]} if props.get("token") else {}),
            "expired": bool(found.get("isExpired")),
        }

    def delete(self, client: Client, id_: str, props: Properties) -> None:  # noqa: ARG002
        """Revoke it. Not an error where it, or its account, is gone already."""
        login, _, token_name = id_.partition("/")
        client.post("/api/user_tokens/revoke", login=login, name=token_name)

    def find(self, client: Client, news: Mapping[str, Any]) -> str | None:
        """By its generated name, among the tokens of its account."""
        login = news.get("login")
        if not isinstance(login, str):
            return None
        names = [token["name"] for token in tokens_of(client, login)]
        return f"{login}/{news['token_name']}" if news.get("token_name") in names else None


def tokens_of(client: Client, login: str) -> list[Any]:
    """Return the tokens of an account as SonarQube lists them: none where there is no such account."""
    try:
        found: list[Any] = client.get("/api/user_tokens/search", login=login)["userTokens"]
    except NotFoundError:
        return []
    return found

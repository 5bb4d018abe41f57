"""Technical accounts, and their tokens, which pipelines use for analyses."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from components.sonarqube.dynamic.api import Client, NotFoundError, SonarError
from components.sonarqube.dynamic.kind import ObjectKind, Properties

#: The longest fixed part of a token's name, in characters. SonarQube accepts 100 with the random end.
_TOKEN_NAME = 91


class TechnicalAccountKind(ObjectKind):
    """Id: the id that SonarQube gives. The account has no password: only its tokens give access.

    It is created with `local: false`, so SonarQube stores no password and refuses to set one. Its identity belongs to
    no provider by which people log in (`UserService.createUser`, `UserUpdater.setExternalIdentity`). Deletion
    deactivates the account, which removes all its tokens, permissions and memberships at once. A deactivated account
    with this login is activated again, without them.
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

    def read(self, client: Client, id_: str, props: Properties) -> Properties | None:
        """See `ObjectKind`. A deactivated account does not exist."""
        try:
            found = client.v2("GET", f"/users-management/users/{id_}")
        except NotFoundError:
            return None
        return self._outputs(found) if found["active"] else None

    def update(self, client: Client, id_: str, olds: Properties, news: Properties) -> Properties:
        """Change what people see of it."""
        return self._outputs(client.v2("PATCH", f"/users-management/users/{id_}", {"name": news["name"]}))

    def delete(self, client: Client, id_: str, props: Properties) -> None:
        """Deactivate it."""
        client.v2("DELETE", f"/users-management/users/{id_}")

    def find(self, client: Client, news: Mapping[str, Any]) -> str | None:
        """Find the active account by its login. SonarQube's search also matches parts of logins and names."""
        found = client.v2_pages("/users-management/users", "users", q=news["login"])
        return next((str(user["id"]) for user in found if user["login"] == news["login"]), None)

    def _outputs(self, found: Mapping[str, Any]) -> Properties:
        return {"login": found["login"], "name": found["name"]}


class ProjectAnalysisTokenKind(ObjectKind):
    """Id: `<login>/<name of the token>`; a user token of a technical account, which the administrator creates.

    It is not of SonarQube's type PROJECT_ANALYSIS_TOKEN, although states call it so. Such a token belongs to the
    account that creates it, the administrator's, and its holder can get a user token of that account, with all its
    rights, from `api/user_tokens/generate` (issue 11.A1, tried). This token has the rights of its technical account:
    `scan` where `ProjectPermissions` grants it.

    SonarQube shows the secret only once, and a name can be used only once per account. So the token's name is `name`
    with a random end, and a replacement exists beside the token that it replaces. A token that does not exist any more
    is created again. An expired token, or one whose secret is not known (an adopted one), is replaced.
    """

    name = "ProjectAnalysisToken"
    inputs = ("name", "login", "expires", "token_name")
    replaced_by = inputs
    shown_once = True

    def normalised(self, olds: Properties, news: Properties) -> Properties:
        """Return the inputs with the name of the token: the one of the state if nothing changes, else a new one."""
        same = olds.get("token_name") and all(olds.get(k) == news.get(k) for k in ("name", "login", "expires"))
        # Shortened to the length that SonarQube accepts. The random end keeps it unique.
        token_name = olds["token_name"] if same else f"{news['name'][:_TOKEN_NAME]}-{secrets.token_hex(4)}"
        return {**news, "token_name": token_name}

    def changed(self, olds: Properties, news: Properties) -> list[str]:
        """See `ObjectKind`. An expired token, and one without a known secret, count as changed."""
        unusable = ["token"] if olds.get("expired") or not olds.get("token") else []
        return [*super().changed(olds, news), *unusable]

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
        """See `ObjectKind`. The secret comes from the state, if it has one."""
        login, _, token_name = id_.partition("/")
        found = next((token for token in tokens_of(client, login) if token["name"] == token_name), None)
        if found is None:
            return None
        expires = found.get("expirationDate")
        return {
            "name": props.get("name") or token_name.rpartition("-")[0] or token_name,
            # A token of an earlier version belongs to the administrator; its state has no login, and it is replaced.
            **({"login": login} if not props or props.get("login") else {}),
            **({"expires": expires[:10]} if expires else {}),
            "token_name": token_name,
            **({"token": props["token"]} if props.get("token") else {}),
            "expired": bool(found.get("isExpired")),
        }

    def delete(self, client: Client, id_: str, props: Properties) -> None:
        """Revoke it. It is not an error if the token or its account does not exist any more."""
        login, _, token_name = id_.partition("/")
        client.post("/api/user_tokens/revoke", login=login, name=token_name)

    def find(self, client: Client, news: Mapping[str, Any]) -> str | None:
        """Find the token by its generated name, among the tokens of its account."""
        login = news.get("login")
        if not isinstance(login, str):
            return None
        names = [token["name"] for token in tokens_of(client, login)]
        return f"{login}/{news['token_name']}" if news.get("token_name") in names else None


def tokens_of(client: Client, login: str) -> list[Any]:
    """Return the tokens of an account as SonarQube lists them; none if the account does not exist."""
    try:
        found: list[Any] = client.get("/api/user_tokens/search", login=login)["userTokens"]
    except NotFoundError:
        return []
    return found

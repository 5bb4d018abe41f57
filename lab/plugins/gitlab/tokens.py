"""Access tokens and deploy tokens of groups and projects."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final

from lab.plugins import framework
from lab.plugins.bridge import Customise, Resource
from lab.plugins.gitlab.client import GitLab, segment
from lab.plugins.gitlab.common import (
    LEVELS,
    MEMBER_LEVELS,
    a_date,
    go_time,
    level_name,
    moment,
    number,
    parts,
    rfc3339,
    today,
)
from lab.plugins.planning import Data
from lab.plugins.schema import Shape
from lab.plugins.server import PluginError
from lab.plugins.wire import UNKNOWN, Properties, Unknown, Value

_ROTATED: Final = ("token", "createdAt", "active", "revoked", "userId")

# -- access tokens ----------------------------------------------------------------------------------------------------


def _access_token(token: str) -> Shape:
    return framework.resource(
        token,
        sets=("scopes",),
        autoname=("name",),
        default={"accessLevel": "maintainer", "validatePastExpirationDate": False},
        kept=("expiresAt", "description", *_ROTATED),
        conflicts={"rotationConfiguration": ("expiresAt",)},
        validate={"accessLevel": framework.one_of("access_level", *MEMBER_LEVELS), "expiresAt": a_date},
    )


PROJECT_ACCESS_TOKEN: Final = _access_token("gitlab:index/projectAccessToken:ProjectAccessToken")
GROUP_ACCESS_TOKEN: Final = _access_token("gitlab:index/groupAccessToken:GroupAccessToken")


def _rotate(prior: Properties | None, planned: Properties) -> None:
    """Decide the day of expiry of a token that rotates: a new one when the time to rotate has come."""
    rotation = planned.get("rotationConfiguration")
    if not isinstance(rotation, dict) or any(isinstance(value, Unknown) for value in rotation.values()):
        return
    held = None if prior is None else prior.get("expiresAt")
    if held and date.fromisoformat(held) > today() + timedelta(days=int(rotation["rotateBeforeDays"])):
        return
    planned["expiresAt"] = (today() + timedelta(days=int(rotation["expirationDays"]))).isoformat()


def _plan_token(owner: str) -> Customise:
    def customise(prior: Properties | None, planned: Properties, _inputs: Mapping[str, Value]) -> set[str]:
        _rotate(prior, planned)
        if prior is None:
            return set()
        if prior.get("expiresAt") != planned.get("expiresAt"):
            planned.update(dict.fromkeys(_ROTATED, UNKNOWN))
        return {owner, "name", "scopes", "accessLevel", "description"}

    return customise


class _AccessTokens:
    """Access tokens of one kind of owner, whose property is `owner`, found below `root`."""

    def __init__(self, owner: str, root: str) -> None:
        self._owner = owner
        self._root = root

    def _path(self, owner: str, token: str | int = "") -> str:
        path = f"{self._root}/{segment(owner)}/access_tokens"
        return f"{path}/{token}" if token else path

    def _take(self, data: Data, owner: str, token: Properties) -> None:
        data.id = f"{owner}:{token['id']}"
        data.set(self._owner, owner)
        data.set("name", token["name"])
        data.set("description", token.get("description") or "")
        data.set("expiresAt", token.get("expires_at"))
        data.set("createdAt", go_time(token.get("created_at")))
        data.set("active", bool(token.get("active")))
        data.set("revoked", bool(token.get("revoked")))
        data.set("userId", token.get("user_id"))
        data.set("accessLevel", level_name(token.get("access_level")))
        data.set("scopes", token.get("scopes") or [])
        if token.get("token"):
            data.set("token", token["token"])  # told once: a later reading keeps what the state holds

    def _expiry(self, data: Data) -> str:
        text = str(data.get("expiresAt"))
        if data.get("validatePastExpirationDate") and text and date.fromisoformat(text) < today():
            raise PluginError(f"Expiration date {text} is in the past")
        return text

    def create(self, data: Data, gitlab: GitLab) -> None:
        """Make the token."""
        owner = data.get(self._owner)
        body: Properties = {"name": data.get("name"), "scopes": data.get("scopes")}
        if data.raw("accessLevel") is not None:
            body["access_level"] = LEVELS[data.get("accessLevel")]
        if data.raw("description") is not None:
            body["description"] = data.get("description")
        if expiry := self._expiry(data):
            body["expires_at"] = expiry
        self._take(data, owner, gitlab.post(self._path(owner), body))

    def read(self, data: Data, gitlab: GitLab) -> None:
        """Read the token; one that was revoked is gone."""
        owner, text = parts(data.id, self._owner, "token_id")
        token = gitlab.find(self._path(owner, number(text, "access token ID")))
        if token is None or token.get("revoked"):
            data.id = ""
            return
        self._take(data, owner, token)

    def update(self, data: Data, gitlab: GitLab) -> None:
        """Rotate the token when its expiry changes: there is nothing else to change in place."""
        owner, text = parts(data.id, self._owner, "token_id")
        if data.changed("expiresAt"):
            path = f"{self._path(owner, number(text, 'access token ID'))}/rotate"
            self._take(data, owner, gitlab.post(path, {"expires_at": self._expiry(data)}))

    def delete(self, data: Data, gitlab: GitLab) -> None:
        """Revoke the token, unless it is not there any more."""
        owner, text = parts(data.id, self._owner, "token_id")
        path = self._path(owner, number(text, "access token ID"))
        token = gitlab.find(path)
        if token is not None and not token.get("revoked"):
            gitlab.delete(path)

    def resource(self, shape: Shape) -> Resource[GitLab]:
        """Return the resource type."""
        return Resource(shape, self.create, self.read, self.update, self.delete, customise=_plan_token(self._owner))


# -- deploy tokens ----------------------------------------------------------------------------------------------------


def _deploy_token(token: str) -> Shape:
    return framework.resource(
        token,
        sets=("scopes",),
        autoname=("name",),
        default={"validatePastExpirationDate": False},
        kept=("username", "expiresAt", "expired", "revoked", "token"),
    )


PROJECT_DEPLOY_TOKEN: Final = _deploy_token("gitlab:index/projectDeployToken:ProjectDeployToken")
GROUP_DEPLOY_TOKEN: Final = _deploy_token("gitlab:index/groupDeployToken:GroupDeployToken")


class _DeployTokens:
    """Deploy tokens of one kind of owner, whose property is `owner`, found below `root`."""

    def __init__(self, owner: str, root: str) -> None:
        self._owner = owner
        self._root = root

    def _path(self, owner: str, token: str | int = "") -> str:
        path = f"{self._root}/{segment(owner)}/deploy_tokens"
        return f"{path}/{token}" if token else path

    def _take(self, data: Data, owner: str, token: Properties) -> None:
        data.id = f"{owner}:{token['id']}"
        data.set(self._owner, owner)
        data.set("name", token["name"])
        data.set("username", token["username"])
        data.set("expired", bool(token.get("expired")))
        data.set("revoked", bool(token.get("revoked")))
        expiry, held = token.get("expires_at"), data.raw("expiresAt")
        # The same moment written otherwise is no change.
        data.set("expiresAt", held if held and moment(held) == moment(expiry) else rfc3339(expiry))
        data.set("scopes", token.get("scopes") or [])
        if token.get("token"):
            data.set("token", token["token"])

    def create(self, data: Data, gitlab: GitLab) -> None:
        """Make the token."""
        owner = data.get(self._owner)
        body: Properties = {"name": data.get("name"), "scopes": data.get("scopes")}
        if data.raw("username") is not None:
            body["username"] = data.get("username")
        if data.raw("expiresAt") is not None:
            body["expires_at"] = self._expiry(data)
        self._take(data, owner, gitlab.post(self._path(owner), body))

    @staticmethod
    def _expiry(data: Data) -> str:
        text = str(data.get("expiresAt"))
        try:
            found = moment(text)
        except ValueError:
            raise PluginError(f"Error determining expiry date: {text} is not a time in RFC3339 format") from None
        if found is not None and data.get("validatePastExpirationDate") and found < datetime.now(UTC):
            raise PluginError(f"Expiration date {text} is in the past")
        return text

    def read(self, data: Data, gitlab: GitLab) -> None:
        """Read the token."""
        owner, text = parts(data.id, self._owner, "token_id")
        token = gitlab.find(self._path(owner, number(text, "deploy token ID")))
        if token is None:
            data.id = ""
            return
        self._take(data, owner, token)

    def delete(self, data: Data, gitlab: GitLab) -> None:
        """Delete the token."""
        owner, text = parts(data.id, self._owner, "token_id")
        gitlab.delete(self._path(owner, number(text, "deploy token ID")))

    def resource(self, shape: Shape) -> Resource[GitLab]:
        """Return the resource type."""
        replacing = framework.replacing(self._owner, "name", "username", "scopes", "expiresAt")
        return Resource(shape, self.create, self.read, None, self.delete, customise=replacing)


RESOURCES: Final = {
    PROJECT_ACCESS_TOKEN.token: _AccessTokens("project", "projects").resource(PROJECT_ACCESS_TOKEN),
    GROUP_ACCESS_TOKEN.token: _AccessTokens("group", "groups").resource(GROUP_ACCESS_TOKEN),
    PROJECT_DEPLOY_TOKEN.token: _DeployTokens("project", "projects").resource(PROJECT_DEPLOY_TOKEN),
    GROUP_DEPLOY_TOKEN.token: _DeployTokens("group", "groups").resource(GROUP_DEPLOY_TOKEN),
}

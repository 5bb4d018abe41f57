"""Access tokens and deploy tokens of groups and projects."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

from lab.plugins import framework
from lab.plugins.bridge import Customise
from lab.plugins.fields import fields
from lab.plugins.gitlab.client import GitLabPluginClient
from lab.plugins.gitlab.common import LEVELS, MEMBER_LEVELS, a_date, go_time, level_name, moment, today, zoned
from lab.plugins.gitlab.items import GitLabItem
from lab.plugins.items import table
from lab.plugins.planning import Data
from lab.plugins.server import PluginError
from lab.plugins.wire import UNKNOWN, Properties, Unknown, Value

_ROTATED: Final = ("token", "createdAt", "active", "revoked", "userId")

# -- access tokens ----------------------------------------------------------------------------------------------------


def _rotate(prior: Properties | None, planned: Properties) -> None:
    """Plan the expiry date of a rotating token: a new date when it is time to rotate."""
    rotation = planned.get("rotationConfiguration")
    if not isinstance(rotation, dict) or any(isinstance(value, Unknown) for value in rotation.values()):
        return
    held = None if prior is None else prior.get("expiresAt")
    if held and date.fromisoformat(held) > today() + timedelta(days=int(rotation["rotateBeforeDays"])):
        return
    planned["expiresAt"] = (today() + timedelta(days=int(rotation["expirationDays"]))).isoformat()


class _AccessToken(GitLabItem):
    def customise(self) -> Customise:
        def plan(prior: Properties | None, planned: Properties, _inputs: Mapping[str, Value]) -> set[str]:
            _rotate(prior, planned)
            if prior is None:
                return set()
            if prior.get("expiresAt") != planned.get("expiresAt"):
                planned.update(dict.fromkeys(_ROTATED, UNKNOWN))
            return set(self.replacing)

        return plan

    def creation(self, data: Data) -> Properties:
        expiry = data.get("expiresAt")
        return {**self.body(data), **({"expires_at": expiry} if expiry else {})}

    def find(self, data: Data, gitlab: GitLabPluginClient) -> Properties | None:
        """Return the token, None if it does not exist or is revoked."""
        token = super().find(data, gitlab)
        return None if token is None or token.get("revoked") else token

    def update(self, data: Data, gitlab: GitLabPluginClient) -> None:
        """Rotate the token when its expiry changes: no other property can be updated."""
        if data.changed("expiresAt"):
            place = self.place(data.id)
            self.take_of(
                place.owner, data, gitlab.post(f"{place.path}/rotate", {"expires_at": data.get("expiresAt")}), gitlab
            )

    def delete(self, data: Data, gitlab: GitLabPluginClient) -> None:
        """Revoke the token, if it exists."""
        if self.find(data, gitlab) is not None:
            super().delete(data, gitlab)


def _access_token(token: str, owner: str) -> GitLabItem:
    return _AccessToken(
        shape=framework.resource(
            token,
            sets=("scopes",),
            autoname=("name",),
            default={"accessLevel": "maintainer"},
            kept=("expiresAt", "description", *_ROTATED),
            conflicts={"rotationConfiguration": ("expiresAt",)},
            validate={"accessLevel": framework.one_of("access_level", *MEMBER_LEVELS), "expiresAt": a_date},
        ),
        root=f"{owner}s",
        collection="access_tokens",
        owner=owner,
        id=(owner, "token_id"),
        numbers=("", "access token ID"),
        always=fields("name", "scopes"),
        sent=fields("accessLevel", "description"),
        read_back=fields("expiresAt", *_ROTATED),
        encode={"accessLevel": LEVELS.__getitem__},
        decode={"accessLevel": level_name, "createdAt": go_time},
        nullable=("expiresAt", "userId"),
        held=("token",),  # only the answer to its creation has it
        replacing=(owner, "name", "scopes", "accessLevel", "description"),
    )


# -- deploy tokens ----------------------------------------------------------------------------------------------------


class _DeployToken(GitLabItem):
    def creation(self, data: Data) -> Properties:
        body = self.body(data)
        try:
            moment(body.get("expires_at"))
        except ValueError:
            text = body["expires_at"]
            raise PluginError(f"Error determining expiry date: {text} is not a time in RFC3339 format") from None
        return body

    def take(self, data: Data, found: Properties, gitlab: GitLabPluginClient) -> None:
        held = data.raw("expiresAt")
        super().take(data, found, gitlab)
        # Terraform's type for times considers Z and +00:00 as equal, but no other offsets (issue 11.B3).
        if held and str(held).replace("+00:00", "Z") == data.raw("expiresAt"):
            data.set("expiresAt", held)


def _deploy_token(token: str, owner: str) -> GitLabItem:
    return _DeployToken(
        shape=framework.resource(
            token,
            sets=("scopes",),
            autoname=("name",),
            kept=("username", "expiresAt", "expired", "revoked", "token"),
        ),
        root=f"{owner}s",
        collection="deploy_tokens",
        owner=owner,
        id=(owner, "token_id"),
        numbers=("", "deploy token ID"),
        always=fields("name", "scopes"),
        sent=fields("username", "expiresAt"),
        read_back=fields("expired", "revoked", "token"),
        decode={"expiresAt": zoned},
        held=("token",),
        replacing=(owner, "name", "username", "scopes", "expiresAt"),
        updatable=False,
    )


RESOURCES: Final = table(
    _access_token("gitlab:index/projectAccessToken:ProjectAccessToken", "project"),
    _access_token("gitlab:index/groupAccessToken:GroupAccessToken", "group"),
    _deploy_token("gitlab:index/projectDeployToken:ProjectDeployToken", "project"),
    _deploy_token("gitlab:index/groupDeployToken:GroupDeployToken", "group"),
)

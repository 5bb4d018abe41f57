"""Users and their identities at other providers."""

from __future__ import annotations

from typing import Final

from lab.plugins import framework, items
from lab.plugins.fields import always, fields
from lab.plugins.gitlab.client import GitLabApiError, GitLabPluginClient, segment, wait
from lab.plugins.gitlab.items import GitLabItem, ItemLocation
from lab.plugins.items import table
from lab.plugins.planning import Data
from lab.plugins.schema import one_of, resource
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties

# -- users ------------------------------------------------------------------------------------------------------------

#: Property -> field of the update request.
_SENT: Final = fields("username", "name", "email", "canCreateGroup", "projectsLimit", "note", isAdmin="admin",
                      isExternal="external")  # fmt: skip
#: (old state, new state) -> actions to request, in order.
_MOVES: Final = {
    ("blocked", "active"): ("unblock",),
    ("deactivated", "active"): ("activate",),
    ("active", "blocked"): ("block",),
    ("deactivated", "blocked"): ("block",),
    ("active", "deactivated"): ("deactivate",),
    ("blocked", "deactivated"): ("unblock", "deactivate"),
}


class _GitLabUser(items.Item[GitLabPluginClient]):
    def creation(self, data: Data) -> Properties:
        if not (data.get("password") or data.get("resetPassword") or data.get("forceRandomPassword")):
            raise PluginError(
                "At least one of either password, reset_password or force_random_password must be defined"
            )
        password = fields(*(name for name in ("password", "resetPassword", "forceRandomPassword") if data.get(name)))
        return always(data, {**_SENT, **fields("skipConfirmation"), **password})

    def find(self, data: Data, client: GitLabPluginClient) -> Properties | None:
        """Return the user from GitLab, None if it does not exist."""
        found: Properties | None = client.find(f"users/{segment(data.id)}")
        return found

    def create(self, data: Data, client: GitLabPluginClient) -> None:
        """Create the user."""
        data.id = str(client.post("users", self.creation(data))["id"])
        self._move(data, client, "active")
        self.read(data, client)

    def update(self, data: Data, client: GitLabPluginClient) -> None:
        """Update the object."""
        body = always(data, {name: field for name, field in _SENT.items() if data.changed(name)})
        if "email" in body:
            body["skip_reconfirmation"] = True
        client.put(f"users/{data.id}", body)
        self._move(data, client, str(data.old("state")))
        self.read(data, client)

    @staticmethod
    def _move(data: Data, client: GitLabPluginClient, before: str) -> None:
        for step in _MOVES.get((before, data.get("state")), ()):
            client.post(f"users/{data.id}/{step}")

    def delete(self, data: Data, client: GitLabPluginClient) -> None:
        """Delete the user, and wait until it is gone."""
        client.delete(f"users/{data.id}")
        wait(lambda: self.find(data, client) is None, f"user {data.id} to be deleted")


_USER: Final = _GitLabUser(
    shape=resource("gitlab:index/user:User", autoname=("name",)).tuned(
        default={
            "isAdmin": False, "canCreateGroup": False, "skipConfirmation": True, "projectsLimit": 0,
            "isExternal": False, "state": "active",
        },
        validate={"state": one_of("active", "deactivated", "blocked")},
        # Used only at creation and never answered, so a later change is ignored.
        suppress={"skipConfirmation": lambda _old, _new, _plan: True},
    ),
    read_back={**_SENT, **fields("isAdmin", "state", "namespaceId")},
)  # fmt: skip

# -- identities -------------------------------------------------------------------------------------------------------


class _UserIdentity(GitLabItem):
    def place(self, id_: str) -> ItemLocation:
        place = super().place(id_)
        return ItemLocation(place.owner, f"users/{place.owner}", {})

    def named(self, owner: str, found: Properties) -> str:
        return f"{owner}:{found['provider']}"

    def find(self, data: Data, client: GitLabPluginClient) -> Properties | None:
        """Return the identity from the user's list."""
        user = super().find(data, client) or {}
        provider = data.id.partition(":")[2]
        return next((item for item in user.get("identities") or [] if item["provider"] == provider), None)

    def create(self, data: Data, client: GitLabPluginClient) -> None:
        """Add the identity to the user."""
        data_id = f"{data.get('userId')}:{data.get('externalProvider')}"
        try:
            client.put(f"users/{data.get('userId')}", self.body(data))
        except GitLabApiError as error:
            raise self.refusal("create", error) from None
        data.id = data_id
        self.read(data, client)
        if not data.id:
            raise PluginError(f"Unable to find user identity {data_id}")

    def delete(self, data: Data, client: GitLabPluginClient) -> None:
        """Delete the object."""
        user, _, provider = data.id.partition(":")
        try:
            client.delete(f"users/{user}/identities/{segment(provider)}")
        except GitLabApiError as error:
            raise self.refusal("delete", error) from None


_IDENTITY: Final = _UserIdentity(
    shape=framework.resource("gitlab:index/userIdentity:UserIdentity"),
    root="users",
    collection="identities",
    owner="userId",
    id=("user_id", "external_provider"),
    numbers=("user id", ""),
    always=fields(externalUid="extern_uid", externalProvider="provider"),
    refused={"create": "Unable to create user identity", "delete": "Unable to delete user identity provider"},
    replacing=("userId", "externalProvider", "externalUid"),
    updatable=False,
)

RESOURCES: Final = table(_USER, _IDENTITY)

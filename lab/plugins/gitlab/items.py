"""Resource types in lists of groups and projects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from lab.plugins import framework, items
from lab.plugins.bridge import Customise
from lab.plugins.gitlab.client import GitLabApiError, GitLabPluginClient, segment
from lab.plugins.gitlab.common import number, parts
from lab.plugins.planning import Data
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties


class ItemLocation(NamedTuple):
    """Location of an object: its owner's id, its path, and query parameters."""

    owner: str
    path: str
    query: Properties


@dataclass(frozen=True, kw_only=True)
class GitLabItem(items.Item[GitLabPluginClient]):
    """A resource type whose objects have the path `<root>/<owner>/<collection>/<key>` and the id `<owner>:<key>`.

    `owner` is the property with the owner's id, `key` is the field of an answer with the object's key. `id` has
    upstream's names of the id's parts, `numbers` its names of the parts that must be numbers.

    `refused` has upstream's messages for failed operations. A change of a property in `replacing` requires a
    replacement. With `may_be_gone`, the deletion of an object that does not exist succeeds, as in upstream.
    """

    root: str
    collection: str
    owner: str
    id: tuple[str, str]
    key: str = "id"
    numbers: tuple[str, str] = ("", "")
    refused: Mapping[str, str] = field(default_factory=dict)
    replacing: tuple[str, ...] = ()
    may_be_gone: bool = False

    # -- methods that an irregular type overrides ----------------------------------------------------------------------

    def named(self, owner: str, found: Properties) -> str:
        """Return the id of the object in an answer."""
        return f"{owner}:{found[self.key]}"

    def refusal(self, doing: str, error: GitLabApiError) -> PluginError:
        """Return the error for a refused `create`, `update` or `delete`."""
        return PluginError(f"{self.refused[doing]}: {error}") if doing in self.refused else error

    def customise(self) -> Customise | None:
        """Return the function that customises a plan, if there is one."""
        return framework.replacing(*self.replacing) if self.replacing else None

    def place(self, id_: str) -> ItemLocation:
        """Return the location of the object with this id; raises `PluginError` if the id is malformed."""
        owner, key = parts(id_, *self.id)
        for text, what in zip((owner, key), self.numbers, strict=True):
            if what:
                number(text, what)
        return ItemLocation(owner, self.path(owner, key), {})

    def find(self, data: Data, client: GitLabPluginClient) -> Properties | None:
        """Return the object from GitLab, None if it does not exist."""
        place = self.place(data.id)
        found: Properties | None = client.find(place.path, **place.query)
        return found

    # -- operations ---------------------------------------------------------------------------------------------------

    def path(self, owner: object, key: object = None) -> str:
        """Return the path of an owner's list, or of the object with a key in it."""
        path = f"{self.root}/{segment(owner)}/{self.collection}"
        return path if key is None else f"{path}/{segment(key)}"

    def take_of(self, owner: str, data: Data, found: Properties, client: GitLabPluginClient) -> None:
        """Read an answer about an object of the owner."""
        data.id = self.named(owner, found)
        data.set(self.owner, owner)
        self.take(data, found, client)

    def create(self, data: Data, client: GitLabPluginClient) -> None:
        """Create the object in its owner's list."""
        owner = data.get(self.owner)
        try:
            found = client.post(self.path(owner), self.creation(data))
        except GitLabApiError as error:
            raise self.refusal("create", error) from None
        self.take_of(owner, data, found, client)

    def read(self, data: Data, client: GitLabPluginClient) -> None:
        """Read the object, if it exists."""
        found = self.find(data, client)
        if found is None:
            data.id = ""
            return
        self.take_of(self.place(data.id).owner, data, found, client)

    def update(self, data: Data, client: GitLabPluginClient) -> None:
        """Update the object."""
        self.change(data, client, self.body(data))

    def change(self, data: Data, client: GitLabPluginClient, body: Properties) -> None:
        """Send an update, and read the answer."""
        place = self.place(data.id)
        try:
            found = client.put(place.path, body, **place.query)
        except GitLabApiError as error:
            raise self.refusal("update", error) from None
        self.take_of(place.owner, data, found, client)

    def delete(self, data: Data, client: GitLabPluginClient) -> None:
        """Delete the object."""
        place = self.place(data.id)
        try:
            client.delete(place.path, **place.query)
        except GitLabApiError as error:
            if error.missing and self.may_be_gone:
                return
            raise self.refusal("delete", error) from None


@dataclass(frozen=True, kw_only=True)
class ProjectPart(GitLabItem):
    """An object that each project has once; its id is the project's."""

    root: str = "projects"
    owner: str = "project"
    id: tuple[str, str] = ("project", "")
    replacing: tuple[str, ...] = ("project",)

    def place(self, id_: str) -> ItemLocation:
        """Return the location of the project's object."""
        return ItemLocation(id_, self.path(id_), {})

    def named(self, owner: str, _found: Properties) -> str:
        """Return the project's id."""
        return owner

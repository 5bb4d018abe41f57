"""What groups and projects hold lists of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from lab.plugins import framework, items
from lab.plugins.bridge import Customise
from lab.plugins.gitlab.client import ApiError, GitLab, segment
from lab.plugins.gitlab.common import number, parts
from lab.plugins.planning import Data
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties


class Place(NamedTuple):
    """Where an object is: its owner's id, its address, and what narrows the address down."""

    owner: str
    path: str
    query: Properties


@dataclass(frozen=True, kw_only=True)
class Item(items.Item[GitLab]):
    """A resource type whose objects are at `<root>/<owner>/<collection>/<key>`, with the id `<owner>:<key>`.

    `owner` is the property with the owner's id, `key` the field of an answer that names the object. `id` is how
    upstream calls the parts of an id, `numbers` how it calls those that must be numbers.

    `refused` is how upstream introduces what GitLab has against an operation. A change of a property in `replacing`
    asks for a new object. With `may_be_gone` upstream takes an object that is not there for deleted.
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

    # -- what an irregular type overrides -----------------------------------------------------------------------------

    def named(self, owner: str, found: Properties) -> str:
        """Return the id of what was answered."""
        return f"{owner}:{found[self.key]}"

    def refusal(self, doing: str, error: ApiError) -> PluginError:
        """Return what to report when GitLab refuses to `create`, `update` or `delete`."""
        return PluginError(f"{self.refused[doing]}: {error}") if doing in self.refused else error

    def customise(self) -> Customise | None:
        """Return what is to be decided about a plan."""
        return framework.replacing(*self.replacing) if self.replacing else None

    def place(self, id_: str) -> Place:
        """Return where the object with this id is; raises `PluginError` for an id that is none of this type."""
        owner, key = parts(id_, *self.id)
        for text, what in zip((owner, key), self.numbers, strict=True):
            if what:
                number(text, what)
        return Place(owner, self.path(owner, key), {})

    def find(self, data: Data, client: GitLab) -> Properties | None:
        """Return what GitLab says of it, None when it is not there."""
        place = self.place(data.id)
        found: Properties | None = client.find(place.path, **place.query)
        return found

    # -- operations ---------------------------------------------------------------------------------------------------

    def path(self, owner: object, key: object = None) -> str:
        """Return the address of an owner's list, or of what is in it under a key."""
        path = f"{self.root}/{segment(owner)}/{self.collection}"
        return path if key is None else f"{path}/{segment(key)}"

    def take_of(self, owner: str, data: Data, found: Properties, client: GitLab) -> None:
        """Read an answer about one of the owner's."""
        data.id = self.named(owner, found)
        data.set(self.owner, owner)
        self.take(data, found, client)

    def create(self, data: Data, client: GitLab) -> None:
        """Add one to its owner's list."""
        owner = data.get(self.owner)
        try:
            found = client.post(self.path(owner), self.creation(data))
        except ApiError as error:
            raise self.refusal("create", error) from None
        self.take_of(owner, data, found, client)

    def read(self, data: Data, client: GitLab) -> None:
        """Read it, if it is there."""
        found = self.find(data, client)
        if found is None:
            data.id = ""
            return
        self.take_of(self.place(data.id).owner, data, found, client)

    def update(self, data: Data, client: GitLab) -> None:
        """Change it in place."""
        self.change(data, client, self.body(data))

    def change(self, data: Data, client: GitLab, body: Properties) -> None:
        """Send a change, and read the answer."""
        place = self.place(data.id)
        try:
            found = client.put(place.path, body, **place.query)
        except ApiError as error:
            raise self.refusal("update", error) from None
        self.take_of(place.owner, data, found, client)

    def delete(self, data: Data, client: GitLab) -> None:
        """Take it away."""
        place = self.place(data.id)
        try:
            client.delete(place.path, **place.query)
        except ApiError as error:
            if error.missing and self.may_be_gone:
                return
            raise self.refusal("delete", error) from None


@dataclass(frozen=True, kw_only=True)
class Part(Item):
    """What a project has one of, with the project's own id."""

    root: str = "projects"
    owner: str = "project"
    id: tuple[str, str] = ("project", "")
    replacing: tuple[str, ...] = ("project",)

    def place(self, id_: str) -> Place:
        """Return where the project's is."""
        return Place(id_, self.path(id_), {})

    def named(self, owner: str, _found: Properties) -> str:
        """Return the project's id."""
        return owner

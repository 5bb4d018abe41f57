"""What groups and projects hold lists of: a regular type is a row, an irregular one overrides a method."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from lab.plugins import fields, framework
from lab.plugins.bridge import Customise, Resource
from lab.plugins.fields import Convert
from lab.plugins.gitlab.client import ApiError, GitLab, segment
from lab.plugins.gitlab.common import number, parts
from lab.plugins.planning import Data
from lab.plugins.schema import Shape
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties


class Place(NamedTuple):
    """Where an object is: its owner's id, its address, and what narrows the address down."""

    owner: str
    path: str
    query: Properties


@dataclass(frozen=True, kw_only=True)
class Item:
    """A resource type whose objects are at `<root>/<owner>/<collection>/<key>`, with the id `<owner>:<key>`.

    `owner` is the property with the owner's id, `key` the field of an answer that names the object. `id` is how
    upstream calls the parts of an id, `numbers` how it calls those that must be numbers.

    Properties, each with its field: `always` are in every request, `sent` where they have a value; both are read back
    from the same field. `written` are sent, `read_back` are read, and no more. `encode` and `decode` convert values;
    `nullable` and `held` say what becomes of what an answer lacks (see `lab.plugins.fields`).

    `refused` is how upstream introduces what GitLab has against an operation. A change of a property in `replacing`
    asks for a new object; without `updatable` none is changed in place. With `may_be_gone` upstream takes an object
    that is not there for deleted.
    """

    shape: Shape
    root: str
    collection: str
    owner: str
    id: tuple[str, str]
    key: str = "id"
    numbers: tuple[str, str] = ("", "")
    always: Mapping[str, str] = field(default_factory=dict)
    sent: Mapping[str, str] = field(default_factory=dict)
    written: Mapping[str, str] = field(default_factory=dict)
    read_back: Mapping[str, str] = field(default_factory=dict)
    encode: Mapping[str, Convert] = field(default_factory=dict)
    decode: Mapping[str, Convert] = field(default_factory=dict)
    nullable: Collection[str] = ()
    held: Collection[str] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    replacing: tuple[str, ...] = ()
    updatable: bool = True
    may_be_gone: bool = False

    # -- what an irregular type overrides -----------------------------------------------------------------------------

    def body(self, data: Data) -> Properties:
        """Return the request that updates."""
        sent = fields.given(data, {**self.sent, **self.written}, self.encode)
        return {**fields.always(data, self.always, self.encode), **sent}

    def creation(self, data: Data) -> Properties:
        """Return the request that creates."""
        return self.body(data)

    def take(self, data: Data, owner: str, found: Properties) -> None:
        """Read an answer."""
        data.id = self.named(owner, found)
        data.set(self.owner, owner)
        names = {**self.always, **self.sent, **self.read_back}
        fields.take(data, names, found, decode=self.decode, nullable=self.nullable, held=self.held)

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

    def find(self, data: Data, gitlab: GitLab) -> Properties | None:
        """Return what GitLab says of it, None when it is not there."""
        place = self.place(data.id)
        found: Properties | None = gitlab.find(place.path, **place.query)
        return found

    # -- operations ---------------------------------------------------------------------------------------------------

    def path(self, owner: object, key: object = None) -> str:
        """Return the address of an owner's list, or of what is in it under a key."""
        path = f"{self.root}/{segment(owner)}/{self.collection}"
        return path if key is None else f"{path}/{segment(key)}"

    def create(self, data: Data, gitlab: GitLab) -> None:
        """Add one to its owner's list."""
        owner = data.get(self.owner)
        try:
            found = gitlab.post(self.path(owner), self.creation(data))
        except ApiError as error:
            raise self.refusal("create", error) from None
        self.take(data, owner, found)

    def read(self, data: Data, gitlab: GitLab) -> None:
        """Read it, if it is there."""
        found = self.find(data, gitlab)
        if found is None:
            data.id = ""
            return
        self.take(data, self.place(data.id).owner, found)

    def update(self, data: Data, gitlab: GitLab) -> None:
        """Change it in place."""
        place = self.place(data.id)
        try:
            found = gitlab.put(place.path, self.body(data), **place.query)
        except ApiError as error:
            raise self.refusal("update", error) from None
        self.take(data, place.owner, found)

    def delete(self, data: Data, gitlab: GitLab) -> None:
        """Take it away."""
        place = self.place(data.id)
        try:
            gitlab.delete(place.path, **place.query)
        except ApiError as error:
            if error.missing and self.may_be_gone:
                return
            raise self.refusal("delete", error) from None

    def resource(self) -> Resource[GitLab]:
        """Return the resource type."""
        update = self.update if self.updatable else None
        return Resource(self.shape, self.create, self.read, update, self.delete, customise=self.customise())


def table(*items: Item) -> Mapping[str, Resource[GitLab]]:
    """Return the resource types by their token."""
    return {item.shape.token: item.resource() for item in items}

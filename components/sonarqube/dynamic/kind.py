"""The base class of the types of SonarQube objects: how an object is created, read, compared, updated and deleted."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, ClassVar

from pulumi.runtime.rpc import UNKNOWN

from components.sonarqube.dynamic.api import Client

#: Inputs or outputs by name, as plain values. In a preview, each of them can be UNKNOWN.
Properties = dict[str, Any]


class ObjectKind(abc.ABC):
    """One type. `inputs` are compared with the state, which has them as outputs under the same names.

    A change of an input in `replaced_by` replaces the object. Methods raise SonarError.
    """

    name: ClassVar[str]
    inputs: ClassVar[tuple[str, ...]]
    replaced_by: ClassVar[tuple[str, ...]] = ()
    #: Whether the object has a secret that only the response to its creation shows, so that it is useless otherwise.
    shown_once: ClassVar[bool] = False

    def normalised(self, olds: Properties, news: Properties) -> Properties:
        """Return the inputs in the form in which they are compared. `olds` is empty for a new object."""
        return dict(news)

    def changed(self, olds: Properties, news: Properties) -> list[str]:
        """Return the names of the inputs (`news`) that differ from the state (`olds`)."""
        return [key for key in self.inputs if olds.get(key) != news.get(key)]

    @abc.abstractmethod
    def create(self, client: Client, news: Properties) -> tuple[str, Properties]:
        """Create the object, and return its id and outputs."""

    @abc.abstractmethod
    def read(self, client: Client, id_: str, props: Properties) -> Properties | None:
        """Return the outputs as the server has them; None if the object does not exist.

        `props` is the state. It is empty for an object that is imported: then the id must be enough.
        """

    def update(self, client: Client, id_: str, olds: Properties, news: Properties) -> Properties:
        """Make changes that do not replace the object, and return the outputs."""
        raise NotImplementedError  # for a type whose inputs all replace the object

    @abc.abstractmethod
    def delete(self, client: Client, id_: str, props: Properties) -> None:
        """Delete the object. Raises NotFoundError if it does not exist."""

    def find(self, client: Client, news: Mapping[str, Any]) -> str | None:
        """Return the id of the object with these inputs; None if there is none.

        It is also None for types that set a value: they can be created again without harm.
        """
        return None


def is_known(value: object) -> bool:
    """Return whether a value and all values in it are known. In a preview some are not."""
    if isinstance(value, Mapping):
        return all(is_known(item) for item in value.values())
    if isinstance(value, list | tuple):
        return all(is_known(item) for item in value)
    return value != UNKNOWN

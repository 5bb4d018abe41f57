"""What a type of SonarQube object is to the provider: how it is made, read, compared, changed and deleted."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, ClassVar

from pulumi.runtime.rpc import UNKNOWN

from components.sonarqube.dynamic.api import Client

#: Inputs or outputs by name, as plain values; in a preview, any of them may be UNKNOWN.
Properties = dict[str, Any]


class ObjectKind(abc.ABC):
    """One type. `inputs` are compared and kept in the state under the same names as outputs.

    Methods raise SonarError. `replaced_by` are the inputs whose change makes another object of it.
    """

    name: ClassVar[str]
    inputs: ClassVar[tuple[str, ...]]
    replaced_by: ClassVar[tuple[str, ...]] = ()
    #: Whether it is of no use to who did not see the answer to its creation.
    shown_once: ClassVar[bool] = False

    def normalised(self, olds: Properties, news: Properties) -> Properties:  # noqa: ARG002 - for what is generated
        """Return the inputs in the form in which they are compared; `olds` is empty for a new object."""
        return dict(news)

    def changed(self, olds: Properties, news: Properties) -> list[str]:
        """Return the inputs (`news`) that differ from the state (`olds`)."""
        return [key for key in self.inputs if olds.get(key) != news.get(key)]

    @abc.abstractmethod
    def create(self, client: Client, news: Properties) -> tuple[str, Properties]:
        """Make it; return id and outputs."""

    @abc.abstractmethod
    def read(self, client: Client, id_: str, props: Properties) -> Properties | None:
        """Return the outputs as the server has them, None when it is gone.

        `props` is the state, or empty for an object that is imported: then the id says it all.
        """

    def update(self, client: Client, id_: str, olds: Properties, news: Properties) -> Properties:
        """Make the changes that do not replace it; return the outputs."""
        raise NotImplementedError  # a kind all of whose inputs replace it

    @abc.abstractmethod
    def delete(self, client: Client, id_: str, props: Properties) -> None:
        """Delete it; NotFoundError says that it is gone already."""

    def find(self, client: Client, news: Mapping[str, Any]) -> str | None:  # noqa: ARG002
        """Return the id of the object these inputs describe, if there is one.

        None too where there is nothing to find: what is made by setting it can be made again.
        """
        return None


def is_known(value: object) -> bool:
    """Whether a value is known all through (a preview has values that are not)."""
    if isinstance(value, Mapping):
        return all(is_known(item) for item in value.values())
    if isinstance(value, list | tuple):
        return all(is_known(item) for item in value)
    return value != UNKNOWN

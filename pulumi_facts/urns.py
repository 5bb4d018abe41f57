"""URNs ``urn:pulumi:<stack>::<project>::<type>$<type>…::<name>``, and the tenant and system of a resource."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pulumi_facts import tokens

_DELIMITER: Final = "::"
_TYPES: Final = "$"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a resource belongs: `tenant` is None for the foundation, `system` is as in the offline plan."""

    urn: str
    type: str
    name: str
    tenant: str | None
    system: str

    @property
    def is_object(self) -> bool:
        """Return whether it exists in a system (no stack, component or provider)."""
        return tokens.is_object(self.type)


def address_of(urn: str) -> Address:
    """Read a URN."""
    name, types = name_of(urn), types_of(urn)
    return Address(urn, types[-1], name, tenant_of(types, name), tokens.system_of(types))


def tenant_of(types: Iterable[str], name: str) -> str | None:
    """Return the tenant of a resource by its types and name; None for the foundation.

    A child of a tenant's component is named ``<slug>/…``.
    """
    return name.split("/", 1)[0] if tokens.TENANT in types else None


def name_of(urn: str) -> str:
    """Return the logical name of a resource."""
    return urn.split(_DELIMITER, 3)[3]


def types_of(urn: str) -> tuple[str, ...]:
    """Return the type tokens from the topmost component down to the resource itself."""
    return tuple(urn.split(_DELIMITER, 3)[2].split(_TYPES))


def identity_of(urn: str) -> str:
    """Return the identity in a URN: what it holds besides stack and project."""
    return urn.split(_DELIMITER, 2)[2]


def chain(types: Iterable[str]) -> str:
    """Join the types of a resource and of its parents, the topmost first, as a URN has them."""
    return _TYPES.join(types)


def identity(types: Iterable[str], name: str) -> str:
    """Return what a URN holds besides stack and project: ``<type>$<type>…::<name>``."""
    return f"{chain(types)}{_DELIMITER}{name}"


def split(identity: str) -> tuple[tuple[str, ...], str]:
    """Return the types and the name of an identity."""
    types, _, name = identity.partition(_DELIMITER)
    return tuple(types.split(_TYPES)), name


def make(stack: str, project: str, identity: str) -> str:
    """Return the URN of an identity in a stack."""
    return f"urn:pulumi:{stack}{_DELIMITER}{project}{_DELIMITER}{identity}"


def in_stack(reference: str, stack: str) -> str:
    """Return the URN, or the provider reference, that the same resource has in another stack of the project."""
    old, project, rest = reference.split(_DELIMITER, 2)
    name = old.removeprefix("urn:pulumi:")
    # The resource of a stack has the name of the stack in its own.
    if rest == identity((tokens.STACK,), f"{project}-{name}"):
        rest = identity((tokens.STACK,), f"{project}-{stack}")
    return make(stack, project, rest)


def beside(urn: str, type_: str, name: str) -> str:
    """Return the URN that a resource directly below the stack has, in the stack of another URN."""
    stack, project, _ = urn.split(_DELIMITER, 2)
    return _DELIMITER.join((stack, project, type_, name))


def provider_reference(urn: str, id_: str) -> str:
    """Return the reference by which a resource names its provider: URN and id."""
    return f"{urn}{_DELIMITER}{id_}"


def provider_urn(reference: str) -> str:
    """Return the URN in a provider reference; empty for an empty one."""
    return reference.rpartition(_DELIMITER)[0]


def provider_name(reference: str) -> str:
    """Return the logical name of the provider in a reference; empty for an empty one."""
    return provider_urn(reference).rpartition(_DELIMITER)[2]

"""Pulumi type tokens: those that the program knows by kind, and what can be read from a token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

STACK: Final = "pulumi:pulumi:Stack"
#: The tokens of our components begin with it; the next word is the system.
COMPONENT: Final = "usine:"
#: The component of a tenant: everything of one tenant is below it, and its logical name is the slug.
TENANT: Final = f"{COMPONENT}usine:TenantProject"
#: A provider resource: the package's name follows.
PROVIDER: Final = "pulumi:providers:"
#: A dynamic resource of the Python SDK.
DYNAMIC: Final = "pulumi-python:"
KUBERNETES: Final = "kubernetes:"


def is_component(type_: str) -> bool:
    """Return whether resources of this type only group others and exist in no system."""
    return type_.startswith(COMPONENT)


def is_provider(type_: str) -> bool:
    """Return whether this is the type of a provider resource."""
    return type_.startswith(PROVIDER)


def is_object(type_: str) -> bool:
    """Return whether resources of this type exist in a system: no stack, component or provider."""
    return not type_.startswith((COMPONENT, "pulumi:"))


def package_of(type_: str) -> str:
    """Return the package of a type; of a provider resource, the package that it configures."""
    return type_.removeprefix(PROVIDER).split(":", 1)[0]


def system_of(types: Sequence[str]) -> str:
    """Return the system of a resource by its type and those of its parents, the topmost first.

    The innermost of our components names it; without one, the resource's package does.
    """
    ours = [type_ for type_ in types if is_component(type_)]
    return ours[-1].split(":")[1] if ours else package_of(types[-1])

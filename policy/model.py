"""The model of the pack: a resource, a policy, a violation. Plain values, without Pulumi's SDK."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pulumi_facts import tokens, urns
from pulumi_facts.paths import below


class Hidden(enum.Enum):
    """Stands for a value that policies cannot see.

    A policy that cannot decide reports nothing. It runs again when the value is known, before the object is created.
    """

    SECRET = "secret"  # noqa: S105 - the name of a kind
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource as a policy sees it.

    `type` is the Pulumi type token, `name` the logical name, `urn` the engine's URN. `inputs` are JSON values with
    `Hidden` in place of secrets and unknown values. For a policy of the whole stack the engine gives the outputs
    instead, which have the same properties. `protect` is Pulumi's protect option. `parent` and `dependencies` are
    URNs; only policies of the whole stack get them.
    """

    type: str
    name: str
    urn: str
    inputs: Mapping[str, object]
    protect: bool = False
    parent: str = ""
    dependencies: tuple[str, ...] = ()

    @property
    def lineage(self) -> tuple[str, ...]:
        """The type tokens from the outermost component down to the resource itself."""
        return urns.types_of(self.urn)

    @property
    def tenant(self) -> str | None:
        """The slug of the tenant that it belongs to; None for a resource that is not below a tenant's component."""
        return urns.tenant_of(self.lineage, self.name)

    @property
    def kind(self) -> str:
        """The Kubernetes kind (``Namespace``, also of a patch), empty for anything else."""
        kind = self.inputs.get("kind") if self.type.startswith(tokens.KUBERNETES) else None
        return kind if isinstance(kind, str) else ""

    @property
    def is_patch(self) -> bool:
        """Return whether this only changes fields of a Kubernetes object that another program creates."""
        return self.type.startswith(tokens.KUBERNETES) and self.type.endswith("Patch")

    def at(self, *path: str) -> object:
        """Return the value at a path of keys: None if there is none, `Hidden` at and below a hidden value."""
        return value_at(self.inputs, *path)


def value_at(value: object, *path: str) -> object:
    """Return the value at a path of keys below another value, as `Resource.at` does."""
    for key in path:
        if isinstance(value, Hidden):
            return value
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def items_of(value: object) -> tuple[object, ...]:
    """Return the items of a list; of any other value, none."""
    return tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else ()


def texts_of(value: object) -> tuple[str, ...]:
    """Return the texts of a list without hidden items."""
    return tuple(item for item in items_of(value) if isinstance(item, str))


def is_missing(value: object) -> bool:
    """Return whether a value is missing or empty. A hidden value is not missing."""
    return value is None or (isinstance(value, str | Mapping | Sequence) and not value)


def is_set(value: object) -> bool:
    """Return whether there is certainly a value. An unknown value may turn out to be empty."""
    return not is_missing(value) and value is not Hidden.UNKNOWN


def leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield each value that is not a container, with its path as Pulumi writes it."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from leaves(item, below(path, str(key)))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index, item in enumerate(value):
            yield from leaves(item, below(path, index))
    else:
        yield path, value


class Level(enum.StrEnum):
    """What a violation does: it refuses the run, or is only shown. These are CrossGuard's enforcement levels."""

    MANDATORY = "mandatory"
    ADVISORY = "advisory"
    DISABLED = "disabled"


#: Yields what is wrong with a resource: sentences without final dot, and without values, since one may be a secret.
Check = Callable[[Resource], Iterable[str]]
#: The same for all resources of a stack: pairs of the resource and what is wrong with it.
StackCheck = Callable[[Sequence[Resource]], Iterable[tuple[Resource, str]]]


@dataclass(frozen=True, slots=True)
class Limit:
    """A whole number that a platform may set for a policy. `bind` returns the check for a number."""

    name: str
    description: str
    default: int
    bind: Callable[[int], Check]
    minimum: int = 1


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy. `id` never changes. `remedy` tells how to fix a violation.

    Exactly one of `check`, `stack_check` and `limit` is given: a policy of one resource, of the whole stack, or of one
    resource with a limit that can be set.
    """

    id: str
    description: str
    remedy: str
    level: Level = Level.MANDATORY
    check: Check | None = None
    stack_check: StackCheck | None = None
    limit: Limit | None = None

    def check_for(self, limit: int | None) -> Check | None:
        """Return the check of one resource with this limit (None: the default); None for a policy of the stack."""
        if self.limit is not None:
            return self.limit.bind(self.limit.default if limit is None else limit)
        return self.check


@dataclass(frozen=True, slots=True)
class PolicyViolation:
    """A policy that a resource violates. `text` tells what is wrong, without values."""

    policy: Policy
    level: Level
    resource: Resource
    text: str

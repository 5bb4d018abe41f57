"""The words of the pack: a resource, a policy, a violation. Plain values only, and no import of Pulumi."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

#: The component below which everything of one tenant is; its logical name is the slug.
TENANT = "usine:usine:TenantProject"


class Hidden(enum.Enum):
    """What stands for a value no policy may or can see. A policy that cannot judge says nothing: it is asked again
    when the value is known, before the object is made.
    """

    SECRET = "secret"  # noqa: S105 - the name of a kind
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource as a policy sees it.

    `type` is the Pulumi type token, `name` the logical name, `urn` as the engine writes it. `inputs` are JSON values
    with `Hidden` in place of secrets and of what is not known yet; for the policies of a whole stack the engine gives
    its outputs instead, which hold the same properties. `protect` is Pulumi's protect option. `parent` and
    `dependencies` are URNs, known to policies of a whole stack only.
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
        return tuple(self.urn.split("::")[2].split("$"))

    @property
    def tenant(self) -> str | None:
        """The slug of the tenant it belongs to; None for everything that is not below a tenant's component."""
        return self.name.split("/", 1)[0] if TENANT in self.lineage else None

    @property
    def kind(self) -> str:
        """The Kubernetes kind (``Namespace``, also of a patch), empty for anything else."""
        kind = self.inputs.get("kind") if self.type.startswith("kubernetes:") else None
        return kind if isinstance(kind, str) else ""

    @property
    def is_patch(self) -> bool:
        """Say whether this changes some fields of a Kubernetes object that something else makes."""
        return self.type.startswith("kubernetes:") and self.type.endswith("Patch")

    def at(self, *path: str) -> object:
        """Return the value at a path of keys: None where there is none, `Hidden` where it is within what is hidden."""
        return value_at(self.inputs, *path)


def value_at(value: object, *path: str) -> object:
    """Return what is at a path of keys below a value, as `Resource.at` does."""
    for key in path:
        if isinstance(value, Hidden):
            return value
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def items_of(value: object) -> tuple[object, ...]:
    """Return the items of a list, nothing for anything else."""
    return tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else ()


def texts_of(value: object) -> tuple[str, ...]:
    """Return the texts of a list; what is hidden in it is left out."""
    return tuple(item for item in items_of(value) if isinstance(item, str))


def is_missing(value: object) -> bool:
    """Say whether there is no value: nothing, or an empty one. What is hidden is there."""
    return value is None or (isinstance(value, str | Mapping | Sequence) and not value)


def is_set(value: object) -> bool:
    """Say whether there is a value for certain. What is not known yet may turn out to be none."""
    return not is_missing(value) and value is not Hidden.UNKNOWN


def leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield each value that is no container, with its path as Pulumi writes it: ``hard["limits.cpu"]``, ``a[0]``."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            plain = str(key).replace("_", "").isalnum()
            step = (f".{key}" if path else str(key)) if plain else f'["{key}"]'
            yield from leaves(item, path + step)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}[{index}]")
    else:
        yield path, value


class Level(enum.StrEnum):
    """What a violation does: refuse the run, or be shown. The words are CrossGuard's enforcement levels."""

    MANDATORY = "mandatory"
    ADVISORY = "advisory"
    DISABLED = "disabled"


#: Says what is wrong with a resource, one sentence without final dot each. Never a value: one may be a secret.
Check = Callable[[Resource], Iterable[str]]
#: The same for all resources of a stack: pairs of the resource and what is wrong with it.
StackCheck = Callable[[Sequence[Resource]], Iterable[tuple[Resource, str]]]


@dataclass(frozen=True, slots=True)
class Limit:
    """A whole number that a platform may set for a policy: `bind` makes the check for it. `minimum` is the least."""

    name: str
    description: str
    default: int
    bind: Callable[[int], Check]
    minimum: int = 1


@dataclass(frozen=True, slots=True)
class Policy:
    """One thing that must hold. `id` never changes; `mend` says how to put a violation right.

    Exactly one of `check`, `stack_check` and `limit` is given: a policy of one resource, of the whole stack, or of one
    resource with a limit that can be set.
    """

    id: str
    description: str
    mend: str
    level: Level = Level.MANDATORY
    check: Check | None = None
    stack_check: StackCheck | None = None
    limit: Limit | None = None

    def check_for(self, limit: int | None) -> Check | None:
        """Return the check of one resource, with the limit set (None: its default). None for a policy of the stack."""
        if self.limit is not None:
            return self.limit.bind(self.limit.default if limit is None else limit)
        return self.check


@dataclass(frozen=True, slots=True)
class Violation:
    """A policy that does not hold of a resource. `text` says what is wrong with it and shows no value."""

    policy: Policy
    level: Level
    resource: Resource
    text: str

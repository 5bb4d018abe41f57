# ruff: noqa: ANN401 - property values have any type
"""Shapes of resources: the trimmed schema of the official plugin, with additions of the resource modules.

The trimmed files have names, types, required inputs, secrets and replace-on-change. Resource modules add what is only
in the upstream provider's source: defaults, which lists are sets, normalising functions, conflicts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from lab.plugins.wire import Properties, Value

Kind = Literal["string", "boolean", "integer", "number", "list", "set", "map", "object"]
# (old value, new value, the whole planned resource) -> whether to ignore the change
Suppress = Callable[[Value, Value, Properties], bool]
# value -> error message, or None
Validate = Callable[[Value], str | None]

#: Providers whose bridge adds zero defaults to the inputs.
_ZERO_DEFAULTS: Final = ("harbor",)
_SCHEMAS: Final = Path(__file__).parent / "schemas"
ZERO: Final[Mapping[Kind, Value]] = {"string": "", "boolean": False, "integer": 0, "number": 0}


@dataclass(frozen=True)
class Field:
    """One property. `list`, `set` and `map` have an `elem`; `object` has `fields`."""

    name: str
    kind: Kind
    required: bool = False
    computed: bool = False
    input: bool = True
    force_new: bool = False
    secret: bool = False
    deprecated: bool = False
    default: Value = None
    elem: Field | None = None
    fields: Mapping[str, Field] | None = None
    autoname: bool = False
    sticky: bool = False  # if the program does not set it, the server's value is kept
    kept: bool = False  # in a framework resource: an update keeps the computed value
    unsupported: Mapping[str, bool] = dataclass_field(default_factory=dict)  # for an object: see `Shape`
    zero_default: bool = False  # the inputs contain zero defaults, as in newer bridges
    conflicts: tuple[str, ...] = ()
    required_with: tuple[str, ...] = ()
    suppress: Suppress | None = None
    normalise: Callable[[str], str] | None = None
    validate: Validate | None = None

    @property
    def zero(self) -> Value:
        """The value that the upstream SDK treats as not set: empty string, False, 0, or None for collections."""
        return ZERO.get(self.kind)


@dataclass(frozen=True)
class Shape:
    """A resource type or function: its token, and its properties by Pulumi name."""

    token: str
    fields: Mapping[str, Field]
    exactly_one: tuple[str, ...] = ()  # exactly one of these must be set
    # Properties that only the official plugin supports, and whether their change requires a replacement there.
    unsupported: Mapping[str, bool] = dataclass_field(default_factory=dict)
    framework: bool = False  # planned by `lab.plugins.framework`

    def tuned(self, **overrides: Mapping[str, Any]) -> Shape:
        """Return a copy with other attributes of some fields.

        Raises `KeyError` for a field that is not in the schema.
        """
        fields = dict(self.fields)
        for attribute, values in overrides.items():
            for name, value in values.items():
                fields[name] = _tune(fields[name], name, attribute, value)
        return replace(self, fields=fields)


def _tune(field: Field, name: str, attribute: str, value: Any) -> Field:
    if attribute == "fields" and field.fields is not None:
        inner = Shape(name, field.fields).tuned(**value)
        return replace(field, fields=inner.fields)
    return replace(field, **{attribute: value})


def one_of(*allowed: str) -> Validate:
    """Return a check that a string is one of `allowed`, with the upstream SDK's message."""

    def check(value: Value) -> str | None:
        if value in allowed:
            return None
        return f"expected value to be one of [{' '.join(json.dumps(item) for item in allowed)}], got {value}"

    return check


@cache
def trimmed(provider: str) -> dict[str, Any]:
    """Return the trimmed schema of `provider`: config, resources, functions and types."""
    document: dict[str, Any] = json.loads((_SCHEMAS / f"{provider}.json").read_text(encoding="utf-8"))
    return document


def resource(token: str, *, sets: Collection[str] = (), autoname: Collection[str] = ()) -> Shape:
    """Return the shape of resource type `token`; `sets` names the lists that are sets.

    The official schema marks exactly the properties that upstream requires or computes as always set, so the computed
    ones follow from it.
    """
    document = trimmed(token.split(":", 1)[0])
    spec = document["resources"][token]
    required = set(spec["requiredInputs"])
    always = set(spec["alwaysSetOutputs"])
    fields: dict[str, Field] = {}
    for name, prop in spec["inputs"].items():
        fields[name] = _field(
            document, name, prop, required=name in required, computed=name in always - required, sets=sets
        )
    for name, prop in spec["outputs"].items():
        if name not in fields:
            fields[name] = replace(_field(document, name, prop, computed=True, sets=sets), input=False)
    for name in autoname:
        # The name is generated if the program does not set it, also if upstream requires it.
        fields[name] = replace(fields[name], autoname=True, computed=False, required=True)
    return Shape(token, fields, unsupported=spec.get("unsupported", {}))


def function(token: str) -> Shape:
    """Return the shape of the arguments of function `token`."""
    document = trimmed(token.split(":", 1)[0])
    spec = document["functions"][token]
    required = set(spec["requiredInputs"])
    return Shape(
        token,
        {name: _field(document, name, prop, required=name in required) for name, prop in spec["inputs"].items()},
        unsupported=spec.get("unsupported", {}),
    )


def provider_config(provider: str) -> Shape:
    """Return the shape of the provider's settings."""
    document = trimmed(provider)
    fields = {name: _field(document, name, prop) for name, prop in document["config"].items()}
    return Shape(provider, fields, unsupported=document["unsupported"])


def _field(
    document: Mapping[str, Any],
    name: str,
    prop: Mapping[str, Any],
    *,
    required: bool = False,
    computed: bool = False,
    sets: Collection[str] = (),
) -> Field:
    kind, elem, fields = _type(document, name, prop, sets)
    declared = document["types"].get(prop.get("$ref", "").removeprefix("#/types/"), {})
    return Field(
        name=name,
        kind=kind,
        required=required,
        computed=computed,
        force_new=bool(prop.get("willReplaceOnChanges")),
        secret=bool(prop.get("secret")),
        deprecated=bool(prop.get("deprecated")),
        zero_default=document.get("provider") in _ZERO_DEFAULTS,
        elem=elem,
        fields=fields,
        unsupported=declared.get("unsupported", {}),
    )


def _type(
    document: Mapping[str, Any], name: str, prop: Mapping[str, Any], sets: Collection[str]
) -> tuple[Kind, Field | None, Mapping[str, Field] | None]:
    if "$ref" in prop:
        spec = document["types"][prop["$ref"].removeprefix("#/types/")]
        needed = set(spec["required"])
        fields = {
            key: _field(document, key, value, required=key in needed, sets=sets)
            for key, value in spec["properties"].items()
        }
        return "object", None, fields
    declared: str = prop["type"]
    if declared == "array":
        return ("set" if name in sets else "list"), _field(document, name, prop["items"], sets=sets), None
    if declared == "object":
        return "map", _field(document, name, prop.get("additionalProperties", {"type": "string"})), None
    if declared in ("string", "boolean", "integer", "number"):
        return declared, None, None  # type: ignore[return-value]  # narrowed by the line above
    raise ValueError(f"{name}: type {declared} has no counterpart here")

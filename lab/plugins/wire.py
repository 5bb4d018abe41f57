"""Converts Pulumi's property values between protobuf and Python.

In Python, a value is None, bool, int, float, str, a list or a dict of values, `UNKNOWN` (computed during a preview) or
a `Secret` around any of these. Numbers without a fraction become `int`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from google.protobuf import struct_pb2

# A property value has any type; the schema's shapes narrow it field by field.
Value: TypeAlias = Any
Properties: TypeAlias = dict[str, Value]

UNKNOWN_TOKEN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # noqa: S105 - the protocol's sentinel
_SIG: Final = "4dabf18193072939515e22adb298388d"
_SIG_SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a type signature
_SIG_OUTPUT: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_SIG_RESOURCE: Final = "5cf8f73096256a8f31e491e813e4eb8e"
# The protocol's marks for unknown values, one for each type; the engine sends the one for strings.
_UNKNOWNS: Final = frozenset(
    {
        UNKNOWN_TOKEN,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)


class Unknown:
    """The type of `UNKNOWN`, a value that is known only after the deployment."""

    _instance: Unknown | None = None

    def __new__(cls) -> Unknown:
        """Return the only instance, so that `is` works."""
        if cls._instance is None:
            cls._instance = super().__new__(cls)
        return cls._instance

    def __repr__(self) -> str:
        """Return a name for messages."""
        return "<unknown>"

    def __deepcopy__(self, _memo: object) -> Unknown:
        """Return the only instance."""
        return self


UNKNOWN: Final = Unknown()


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that the engine must encrypt. `repr` does not show it."""

    value: Value

    def __repr__(self) -> str:
        """Hide the value in logs and exceptions."""
        return "Secret(***)"


class WireError(ValueError):
    """A property value that these plugins do not support (assets, archives)."""


def decode(value: struct_pb2.Value) -> Value:
    """Convert a protobuf value to Python; raises `WireError` for an asset or archive."""
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return _decode_struct(value.struct_value)
    if kind == "list_value":
        return [decode(item) for item in value.list_value.values]
    if kind == "string_value":
        return UNKNOWN if value.string_value in _UNKNOWNS else value.string_value
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "bool_value":
        return value.bool_value
    return None


def _decode_struct(struct: struct_pb2.Struct) -> Value:
    fields = struct.fields
    if _SIG not in fields:
        return {key: decode(item) for key, item in fields.items()}
    sig = fields[_SIG].string_value
    if sig == _SIG_SECRET:
        return Secret(decode(fields["value"]))
    if sig == _SIG_OUTPUT:
        inner = decode(fields["value"]) if "value" in fields else UNKNOWN
        return Secret(inner) if fields["secret"].bool_value else inner
    if sig == _SIG_RESOURCE:
        return decode(fields["id"]) if "id" in fields else fields["urn"].string_value
    raise WireError("assets and archives are not accepted here")


def decode_map(struct: struct_pb2.Struct | None) -> Properties:
    """Convert a protobuf struct to a dictionary."""
    return {} if struct is None else {key: decode(item) for key, item in struct.fields.items()}


def encode(value: Value) -> struct_pb2.Value:
    """Convert a Python value to protobuf; raises `WireError` for other types."""
    if value is None:
        return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
    if isinstance(value, Secret):
        return struct_pb2.Value(
            struct_value=struct_pb2.Struct(
                fields={_SIG: struct_pb2.Value(string_value=_SIG_SECRET), "value": encode(value.value)}
            )
        )
    if isinstance(value, Unknown):
        return struct_pb2.Value(string_value=UNKNOWN_TOKEN)
    if isinstance(value, bool):
        return struct_pb2.Value(bool_value=value)
    if isinstance(value, int | float):
        return struct_pb2.Value(number_value=value)
    if isinstance(value, str):
        return struct_pb2.Value(string_value=value)
    if isinstance(value, Mapping):
        return struct_pb2.Value(struct_value=encode_map(value))
    if isinstance(value, list | tuple):
        return struct_pb2.Value(list_value=struct_pb2.ListValue(values=[encode(item) for item in value]))
    raise WireError(f"a {type(value).__name__} cannot be a property value")


def encode_map(properties: Mapping[str, Value]) -> struct_pb2.Struct:
    """Convert a dictionary to a protobuf struct."""
    return struct_pb2.Struct(fields={key: encode(item) for key, item in properties.items()})


def reveal(value: Value) -> Value:
    """Return the value without `Secret` wrappers, at any depth."""
    if isinstance(value, Secret):
        return reveal(value.value)
    if isinstance(value, dict):
        return {key: reveal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [reveal(item) for item in value]
    return value


def has_unknown(value: Value) -> bool:
    """Whether the value contains `UNKNOWN`."""
    if isinstance(value, Unknown):
        return True
    if isinstance(value, Secret):
        return has_unknown(value.value)
    if isinstance(value, dict):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(has_unknown(item) for item in value)
    return False


def drop_nulls(properties: Mapping[str, Value]) -> Properties:
    """Return the properties without top-level nulls, which providers treat as not set."""
    return {key: item for key, item in properties.items() if item is not None}


def completed(settings: Properties, variables: Mapping[str, str]) -> Properties:
    """Return a provider's settings with missing ones from the environment; `environment` maps them to variables."""
    found = {name: os.environ[variable] for name, variable in variables.items() if os.environ.get(variable)}
    return {**found, **{name: value for name, value in settings.items() if value not in (None, "")}}

"""Conversion between properties and fields of an API, without a server."""

from __future__ import annotations

from lab.plugins.fields import always, fields, given, take
from lab.plugins.planning import Data
from lab.plugins.schema import Field, Shape
from lab.plugins.wire import UNKNOWN

SHAPE = Shape(
    "t",
    {
        "fullName": Field("fullName", "string"),
        "level": Field("level", "string"),
        "expiresAt": Field("expiresAt", "string"),
        "tokenValue": Field("tokenValue", "string", computed=True),
        "active": Field("active", "boolean"),
        "scopes": Field("scopes", "set", elem=Field("scopes", "string")),
    },
    framework=True,
)
NAMES = fields("fullName", "expiresAt", "active", "scopes", level="access_level")


def data(**planned: object) -> Data:
    return Data(SHAPE, planned=planned)


def test_fields_are_in_snake_case_or_have_a_given_name() -> None:
    assert NAMES == {
        "fullName": "full_name", "expiresAt": "expires_at", "active": "active", "scopes": "scopes",
        "level": "access_level",
    }  # fmt: skip


def test_a_request_contains_set_properties_or_all_with_zeros() -> None:
    planned = data(fullName="n", level="low", active=False, expiresAt=UNKNOWN)
    encode = {"level": {"low": 10}.__getitem__}
    assert given(planned, NAMES, encode) == {"full_name": "n", "access_level": 10, "active": False}
    assert always(planned, fields("fullName", "expiresAt", "scopes")) == {
        "full_name": "n", "expires_at": "", "scopes": [],
    }  # fmt: skip


def test_a_missing_field_is_zero_or_null_or_does_not_change() -> None:
    read = data(fullName="old", expiresAt="2031-01-01", tokenValue="once", active=True, scopes=["a"])
    names = {**NAMES, **fields("tokenValue")}
    decode = {"level": lambda number: f"level {number}"}
    take(
        read,
        names,
        {"access_level": 20},
        decode=decode,
        nullable=("expiresAt",),
        held=("tokenValue",),
    )
    assert read.state(applied=False) == {
        "fullName": "", "level": "level 20", "expiresAt": None, "tokenValue": "once", "active": False, "scopes": [],
    }  # fmt: skip
    take(read, names, {"token_value": "new", "scopes": ["b", "a"]}, held=("tokenValue",))
    assert (read.get("tokenValue"), read.get("scopes")) == ("new", ["a", "b"])

# ruff: noqa: ANN401 - JSON parameters have any type
"""Parameters from JSON, form, multipart and query, checked by a model, with GitLab's error messages.

A model is a subclass of `Params`. Its optional fields have the types below and the default `None`. `sent()` returns the
parameters that the client sent. Unknown parameters are ignored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Annotated, Any, ClassVar, Final, Self
from urllib.parse import parse_qsl

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from starlette.requests import Request

from lab.standins.gitlab.errors import ApiError, parameter

#: Largest number in an integer column of PostgreSQL.
LARGEST: Final = 2**31 - 1
_DEEPEST = 32


def _blank(value: Any) -> Any:
    return None if value == "" else value


def _split(value: Any) -> Any:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, int):
        return [value]
    return list(value.values()) if isinstance(value, dict) else value


def _listed(value: Any) -> Any:
    if value == "":
        return []
    return list(value.values()) if isinstance(value, dict) else value


def _dated(value: Any) -> Any:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ValueError("not a date")  # noqa: TRY004 - pydantic needs a ValueError
    return date.fromisoformat(value[:10]).isoformat()


def _moment(value: Any) -> Any:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ValueError("not a time")  # noqa: TRY004 - pydantic needs a ValueError
    moment = datetime.fromisoformat(value)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


Text = str | None
Bool = Annotated[bool | None, BeforeValidator(_blank)]
Int = Annotated[Annotated[int, Field(ge=-LARGEST - 1, le=LARGEST)] | None, BeforeValidator(_blank)]
#: `2026-01-31`; a time after the day is removed.
Day = Annotated[str | None, BeforeValidator(_dated), Field(json_schema_extra={"format": "date"})]
#: A time with or without a zone, or a day, in the API's format.
Moment = Annotated[str | None, BeforeValidator(_moment)]
#: A list, or a text separated by commas.
Texts = Annotated[list[str] | None, BeforeValidator(_split)]
Ints = Annotated[list[Annotated[int, Field(ge=-LARGEST - 1, le=LARGEST)]] | None, BeforeValidator(_split)]
#: A list of hashes, or Rails' hash of numbered hashes.
Hashes = Annotated[list[dict[str, Any]] | None, BeforeValidator(_listed)]
Hash = dict[str, Any] | None


def truth(value: Any) -> bool:
    """Whether a value in a hash, which no model checks, is true."""
    return str(value).lower() in {"true", "1"}


class Params(BaseModel):
    """Base of all parameter models."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True, populate_by_name=True)

    #: At least one of these names is required.
    at_least_one: ClassVar[tuple[str, ...]] = ()
    #: Exactly one of these names is required.
    exactly_one: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def check(cls, raw: dict[str, Any]) -> Self:
        """Check the parameters. Raises ApiError 400."""
        try:
            checked = cls.model_validate(raw)
        except ValidationError as error:
            raise parameter(*_worded(error)) from None
        given = [name for name in cls.at_least_one + cls.exactly_one if name in checked.model_fields_set]
        if cls.at_least_one and not given:
            raise parameter(f"{', '.join(cls.at_least_one)} are missing, at least one parameter must be provided")
        if cls.exactly_one and not given:
            raise parameter(f"{', '.join(cls.exactly_one)} are missing, exactly one parameter must be provided")
        if cls.exactly_one and len(given) > 1:
            raise parameter(f"{', '.join(given)} are mutually exclusive")
        return checked

    def sent(self, *but: str) -> dict[str, Any]:
        """Return the parameters that the client sent, with the API's names, except these."""
        return self.model_dump(exclude_unset=True, exclude=set(but), by_alias=True)


class Paging(Params):
    """Parameters of every list."""

    page: Annotated[int, Field(ge=1, le=LARGEST)] = 1
    per_page: Annotated[int, Field(ge=1, le=LARGEST)] = 20
    pagination: Text = None
    cursor: Text = None


class DeletionParams(Params):
    """Parameters of the deletion of a group or project."""

    permanently_remove: Bool = None
    full_path: Text = None


def _worded(error: ValidationError) -> Iterable[str]:
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        name = str(problem["loc"][0]) + "".join(f"[{part}]" for part in problem["loc"][1:] if isinstance(part, str))
        if problem["type"] == "missing":
            yield f"{name} is missing"
        elif problem["type"] in {"literal_error", "enum", "greater_than_equal", "less_than_equal"}:
            yield f"{name} does not have a valid value"
        else:
            yield f"{name} is invalid"


# Reading --------------------------------------------------------------------------------------------------------------


async def read(request: Request) -> dict[str, Any]:
    """Return all parameters in query and body. Raises ApiError 400 if they cannot be read."""
    pairs: list[tuple[str, Any]] = (
        parse_qsl(request.url.query, keep_blank_values=True, errors="strict") if (_decodable(request.url.query)) else []
    )
    body: dict[str, Any] = {}
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        try:
            async with request.form() as form:
                pairs += [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
        except Exception:  # noqa: BLE001 - each error of the parser is an invalid body
            raise parameter("Invalid form: message body does not match declared format") from None
    elif kind.endswith("json"):
        body = _object(await request.body())
    given = {**nest(pairs), **body}
    if not _sound(given):
        raise ApiError(400, {"error": "Bad Request: a text is not valid UTF-8 or holds a null byte", "status": 400})
    return given


def _decodable(query: str) -> bool:
    try:
        parse_qsl(query, keep_blank_values=True, errors="strict")
    except ValueError:
        raise parameter("Invalid query: not UTF-8") from None
    return True


def _object(text: bytes) -> dict[str, Any]:
    if not text.strip():
        return {}
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise parameter("Problem: message body does not match declared format") from None
    return content if isinstance(content, dict) else {}


def _sound(value: Any, depth: int = 0) -> bool:
    """Whether a database accepts a value: no null byte, no lone surrogate, no infinite number."""
    if depth > _DEEPEST:
        return False
    if isinstance(value, str):
        return not any(character == "\x00" or "\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, float):
        return value == value and abs(value) != float("inf")  # noqa: PLR0124 - NaN
    if isinstance(value, dict):
        return all(_sound(key, depth + 1) and _sound(item, depth + 1) for key, item in value.items())
    return all(_sound(item, depth + 1) for item in value) if isinstance(value, list) else True


def nest(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return `a[]=1&a[]=2&b[c]=3` as `{"a": ["1", "2"], "b": {"c": "3"}}`. Raises ApiError 400 for mixed types."""
    root: dict[str, Any] = {}
    for name, value in pairs:
        match = re.fullmatch(r"([^\[\]]+)((?:\[[^\[\]]*\])*)", name)
        if match is None:
            root[name] = value
            continue
        keys = [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])]
        if len(keys) > _DEEPEST:
            raise parameter("Invalid parameters: nested too deep")
        _put(root, keys, value)
    return root


def _put(place: Any, keys: list[str], value: Any) -> None:
    key, rest = keys[0], keys[1:]
    if not isinstance(place, dict):
        raise parameter(f"Invalid parameters: {key} is given twice in different forms")
    if not rest:
        place[key] = value
    elif rest[0] == "":
        items = place.setdefault(key, [])
        if not isinstance(items, list):
            raise parameter(f"Invalid parameters: {key} is given twice in different forms")
        if not rest[1:]:
            items.append(value)
        else:  # a[][b]=1&a[][c]=2&a[][b]=3: a repeated name starts the next hash
            if not items or not isinstance(items[-1], dict) or rest[1] in items[-1]:
                items.append({})
            _put(items[-1], rest[1:], value)
    else:
        _put(place.setdefault(key, {}), rest, value)

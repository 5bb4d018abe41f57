"""The types of values about charts and their parameters: like `fields`, for the keys `chart` and `parameters`."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, PlainValidator, WithJsonSchema

from model.promotion import IMAGES_FOLDER
from model.reading.yaml_scalars import Ambiguous
from model.repository import Parameter
from model.texts import is_secret_key, show

_NAME = r"[a-z0-9]+(?:[._-][a-z0-9]+)*(?:/[a-z0-9]+(?:[._-][a-z0-9]+)*)*"
_SEMANTIC = r"v?(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*)){2}(?:-[0-9A-Za-z]+(?:[.-][0-9A-Za-z]+)*)?"
DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_VERSION = rf"(?:{_SEMANTIC}|{DIGEST.pattern})"
_PARAMETER = r"[A-Za-z0-9_-]+(?:\[[0-9]{1,3}\]|\.[A-Za-z0-9_-]+)*"
#: No comma, brace or backslash, which Helm reads as the end of a value, and no blank. <env> is the only placeholder.
_VALUE = r"(?:[A-Za-z0-9._:/@+=-]|<env>){0,200}"
#: Names of parameters that name a Secret, and hold none.
_REFERENCE = re.compile(r"^existing|(?:Name|Ref|_name|_ref)$")
_LONGEST: Final = 100


def _check_name(value: str) -> str:
    if not re.fullmatch(_NAME, value) or len(value) > _LONGEST:
        raise ValueError(
            "the name of a chart has up to 100 lower-case letters, digits, dots, dashes and underscores, and / between "
            "its parts, such as charts/web"
        )
    return value


def _check_version(value: str) -> str:
    if not re.fullmatch(_VERSION, value) or len(value) > _LONGEST:
        raise ValueError("expected an exact version such as 1.4.2, or a digest such as sha256:3f1c...: no range, no +")
    return value


def _check_parameter(value: str) -> str:
    if not re.fullmatch(_PARAMETER, value) or len(value) > _LONGEST:
        raise ValueError("the name of a Helm parameter is a path such as ingress.host or workers[0].count")
    parts = re.split(r"[.\[]", value)
    last = next(part for part in reversed(parts) if not part.endswith("]"))
    if parts[0] == IMAGES_FOLDER:
        raise ValueError(f"parameters win over value files, and below {IMAGES_FOLDER} are the promoted digests")
    if is_secret_key(last) and not _REFERENCE.search(last):
        raise ValueError(
            "everyone who sees the deployment reads a parameter: put a secret into Vault (secrets.deliver), and name "
            "the Secret here"
        )
    return value


def _check_value(value: object) -> Parameter:
    if isinstance(value, Ambiguous):
        message = f"{show(value.text)} is read as {value.meaning} by some tools: write it in quotes"
        raise ValueError(message)  # noqa: TRY004 - pydantic takes ValueError only
    if isinstance(value, bool | int):
        return value
    if not isinstance(value, str) or not re.fullmatch(_VALUE, value):
        raise ValueError(
            "the value of a Helm parameter is a number, true, false, or a text of up to 200 letters, digits and "
            ". _ : / @ + = - without blanks; <env> is the name of the environment. For anything else, use valueFiles"
        )
    return value


def _pattern(pattern: str, description: str, longest: int = _LONGEST) -> WithJsonSchema:
    schema = {"type": "string", "pattern": f"^(?:{pattern})$", "maxLength": longest, "description": description}
    return WithJsonSchema(schema)


ChartName = Annotated[
    str, AfterValidator(_check_name), _pattern(_NAME, "The chart's path in its source, such as charts/web.")
]
ChartVersion = Annotated[
    str, AfterValidator(_check_version), _pattern(_VERSION, "An exact version or, in a registry, a digest.")
]
ParameterName = Annotated[
    str,
    AfterValidator(_check_parameter),
    _pattern(rf"(?!{IMAGES_FOLDER}(?:[.\[]|$)){_PARAMETER}", "A Helm parameter, such as ingress.host."),
]
ParameterValue = Annotated[
    Parameter,
    PlainValidator(_check_value),
    WithJsonSchema({"anyOf": [{"type": ["integer", "boolean"]}, {"type": "string", "pattern": f"^{_VALUE}$"}]}),
]

"""Kubernetes objects for the engine: pruned to the program's fields, normalised, with marked secrets."""

from __future__ import annotations

import base64
import binascii
import copy
from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import Any, Final

from lab.plugins.kubernetes.client import Object
from lab.plugins.wire import Properties, Secret, Value, has_unknown, reveal

INPUTS: Final = "__inputs"
INITIAL_VERSION: Final = "__initialApiVersion"
FIELD_MANAGER: Final = "__fieldManager"
AUTONAMED: Final = "pulumi.com/autonamed"

_READ_ONLY: Final = (
    "creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation", "managedFields",
    "resourceVersion", "uid",
)  # fmt: skip
# API groups without a dot that are built in; other built-in groups end with `.k8s.io`.
_BUILTIN_SUFFIX: Final = ".k8s.io"
_BUILTIN_PLAIN: Final = frozenset({"", "apps", "autoscaling", "batch", "extensions", "policy"})
# The server's built-in types omit empty values, except these lists.
_EMPTY_MAPS: Final = frozenset(
    {"labels", "annotations", "data", "binaryData", "matchLabels", "nodeSelector", "hard", "limits", "requests",
     "default", "defaultRequest", "max", "min", "maxLimitRequestRatio"}
)  # fmt: skip
_KEPT_LISTS: Final = frozenset({"rules", "limits", "verbs", "containers", "endpoints"})
# Keys of built-in objects whose value is a map of quantities.
_QUANTITY_MAPS: Final = frozenset(
    {"hard", "limits", "requests", "capacity", "allocatable", "overhead", "default", "defaultRequest", "max", "min",
     "maxLimitRequestRatio", "used"}
)  # fmt: skip
_QUANTITIES: Final = frozenset({"sizeLimit", "averageValue"})
_BINARY: Final = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


def to_object(properties: Properties) -> Object:
    """Return the properties as an object for the server, without secret marks."""
    found: Object = reveal(properties)
    return found


def meta(obj: Object) -> dict[str, Any]:
    """Return an object's metadata, empty if there is none."""
    found = obj.get("metadata")
    return found if isinstance(found, dict) else {}


def name_of(obj: Object) -> str:
    """Return an object's name, empty if it has none or it is not known yet."""
    name = meta(obj).get("name")
    return name if isinstance(name, str) else ""


def object_id(obj: Object) -> str:
    """Return an object's id: `namespace/name`, or `name` if it is not namespaced."""
    namespace = meta(obj).get("namespace")
    return f"{namespace}/{name_of(obj)}" if namespace else name_of(obj)


def annotation(obj: Object, name: str) -> str:
    """Return an annotation's text, empty if it is not set."""
    value = (meta(obj).get("annotations") or {}).get(name)
    return value if isinstance(value, str) else ""


def built_in(obj: Object) -> bool:
    """Whether the object's kind is built in."""
    version = str(obj.get("apiVersion", ""))
    group = version.split("/", 1)[0] if "/" in version else ""
    return group in _BUILTIN_PLAIN or group.endswith(_BUILTIN_SUFFIX)


def is_kind(obj: Object, api_version: str, kind: str) -> bool:
    """Whether an object has this kind and version."""
    return obj.get("apiVersion") == api_version and obj.get("kind") == kind


def prune(source: Value, target: Value) -> Value:
    """Return the fields of `source` (the live object) that are also in `target` (the program's inputs)."""
    if isinstance(source, dict) and isinstance(target, dict):
        return {
            key: prune(item, target[key]) if type(item) is type(target[key]) else item
            for key, item in source.items()
            if key in target
        }
    if isinstance(source, list) and isinstance(target, list):
        if not source or not target:
            return []
        if type(source[0]) is not type(target[0]):
            return copy.deepcopy(source)
        return [prune(mine, theirs) for mine, theirs in zip(source, target, strict=False)]
    return source


def normalise(obj: Object) -> Object:
    """Return the inputs in the server's form, so that equal objects compare equal."""
    result = copy.deepcopy(obj)
    if built_in(result) and not has_unknown(result):
        if is_kind(result, "v1", "Secret"):
            _secret(result)
        else:
            result = _quantities(_compact(result))
    for key in _READ_ONLY:
        if isinstance(result.get("metadata"), dict):
            result["metadata"].pop(key, None)
    return result


def _secret(obj: Object) -> None:
    """Move `stringData` to `data`, as the server does, with canonical base64."""
    text = obj.get("stringData")
    if isinstance(text, dict) and text:
        data = dict(obj.get("data") or {})
        data.update({key: base64.b64encode(str(value).encode()).decode() for key, value in text.items()})
        obj["data"] = data
        del obj["stringData"]
        return
    for key, value in (obj.get("data") or {}).items():
        try:
            obj["data"][key] = base64.b64encode(base64.b64decode(value, validate=True)).decode()
        except (binascii.Error, TypeError, ValueError):
            continue


def _compact(value: Value) -> Value:
    if isinstance(value, dict):
        return {
            key: _compact(item)
            for key, item in value.items()
            if not (item == [] and key not in _KEPT_LISTS) and not (item == {} and key in _EMPTY_MAPS)
        }
    return [_compact(item) for item in value] if isinstance(value, list) else value


def _quantities(value: Value, key: str = "") -> Value:
    if isinstance(value, dict):
        if key in _QUANTITY_MAPS and all(isinstance(item, str | int | float) for item in value.values()):
            return {name: quantity(item) for name, item in value.items()}
        return {name: _quantities(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_quantities(item) for item in value]
    return quantity(value) if key in _QUANTITIES else value


def quantity(value: Value) -> Value:
    """Return the canonical form of a quantity (`1024Mi` -> `1Gi`, `4000m` -> `4`); other text does not change."""
    text = str(value).strip()
    if isinstance(value, bool) or not text or not (text[0].isdigit() or text[0] in "+-."):
        return value
    number = text.rstrip("KMGTPEinumk")
    suffix = text[len(number) :]
    try:
        if suffix in _BINARY[1:]:
            return _binary(Decimal(number) * 1024 ** _BINARY.index(suffix))
        if suffix in _DECIMAL:
            return _decimal(Decimal(number).scaleb(_DECIMAL[suffix]))
    except InvalidOperation:
        return value
    return value


def _binary(amount: Decimal) -> str:
    if amount != amount.to_integral_value():
        return _decimal(amount)
    whole, power = int(amount), 0
    while whole and whole % 1024 == 0 and power < len(_BINARY) - 1:
        whole, power = whole // 1024, power + 1
    return f"{whole}{_BINARY[power]}"


def _decimal(amount: Decimal) -> str:
    nano = int(amount.scaleb(9).to_integral_value(rounding=ROUND_CEILING))
    if not nano:
        return "0"
    for suffix, power in sorted(_DECIMAL.items(), key=lambda item: -item[1]):
        unit = 10 ** (power + 9)
        if nano % unit == 0:
            return f"{nano // unit}{suffix}"
    return f"{nano}n"


# -- secrets ----------------------------------------------------------------------------------------------------------


def mark(outputs: Properties, inputs: Mapping[str, Value]) -> Properties:
    """Return `outputs` with secret marks where `inputs` have them, and on the content of a Secret."""
    result = dict(outputs)
    if result.get("kind") == "Secret":
        for key in ("data", "stringData"):
            if key in result:
                result[key] = Secret(result[key])
        return result
    for key, given in inputs.items():
        if key not in result or isinstance(result[key], Secret):
            continue
        if isinstance(result[key], dict) and isinstance(given, dict):
            result[key] = mark(result[key], given)
        elif has_secret(given):
            result[key] = Secret(result[key])
    return result


def has_secret(value: Value) -> bool:
    """Whether a value contains a secret mark."""
    if isinstance(value, Secret):
        return True
    if isinstance(value, dict):
        return any(has_secret(item) for item in value.values())
    return isinstance(value, list) and any(has_secret(item) for item in value)


def checkpoint(inputs: Object, live: Object, given: Mapping[str, Value], initial: str, manager: str) -> Properties:
    """Return the state of an object: the live object, its inputs, and its field manager."""
    state = mark(live, given)
    state[INPUTS] = mark(inputs, given)
    state[INITIAL_VERSION] = initial
    state[FIELD_MANAGER] = manager
    return state


def split(state: Properties) -> tuple[Object, Object]:
    """Return the inputs and the live object of a state."""
    live = to_object(state)
    inputs = live.pop(INPUTS, {})
    return inputs if isinstance(inputs, dict) else {}, live

"""Turns pydantic's errors into sentences: the key, the problem, the allowed values, the likely intention."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from model.problems import Finding, KeyPath
from model.reading.yaml_reader import MAX_PROBLEMS, REFUSED
from model.reading.yaml_scalars import Ambiguous
from model.texts import did_you_mean, enumerate_words, is_secret_key, may_be_secret, show, show_path, suggest

_KEY = "[key]"

#: Keys that people often write in the wrong place, and where they belong.
_ELSEWHERE: Mapping[tuple[str, ...], str] = {
    ("members", "owner"): "the owner is one person, written at the top: owner: ...",
    ("nonprod", "pods"): "pods are counted per environment, not in the envelope",
    ("prod", "pods"): "pods are counted per environment, not in the envelope",
}
_KINDS = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping of keys and values",
    "model_type": "a mapping of keys and values",
    "model_attributes_type": "a mapping of keys and values",
}


def explain(error: ValidationError, source: str, schema: Mapping[str, Any], lead: str = "") -> Iterator[Finding]:
    """Yield a finding per error. `schema` is the JSON Schema of what was validated; `lead` goes before key paths."""
    errors = error.errors(include_url=False)[:MAX_PROBLEMS]
    misspelt = _misspelt([tuple(item["loc"]) for item in errors if item["type"] == "extra_forbidden"], schema)
    for item in errors:
        path = tuple(part for part in item["loc"] if part != _KEY)
        if item["input"] is REFUSED or (item["type"] == "missing" and path in misspelt):
            continue
        at_key = item["type"] == "extra_forbidden" or (bool(item["loc"]) and item["loc"][-1] == _KEY)
        message = _message(item["type"], item["input"], item.get("ctx", {}), path, schema)
        if item["type"] == "missing":
            # A missing key has no place of its own: the message names the mapping that lacks it.
            within = f" in {lead}{show_path(path[:-1])}" if len(path) > 1 else ""
            key = show_path(path[-1:]) if within else f"{lead}{show_path(path)}"
            yield Finding(source, path, f"the key {key} is missing{within}")
            continue
        named = path[:-1] if item["type"] == "extra_forbidden" else path
        yield Finding(source, path, f"{lead}{show_path(named)}: {message}" if named else message, at_key=at_key)


def _misspelt(unknown: Iterable[KeyPath], schema: Mapping[str, Any]) -> set[KeyPath]:
    """Return the keys that are probably meant by unknown ones: they are not reported as missing."""
    return {
        (*path[:-1], meant)
        for path in unknown
        if (meant := suggest(path[-1], _node(schema, path[:-1]).get("properties", {}))) is not None
    }


def _message(kind: str, value: object, context: Mapping[str, Any], loc: KeyPath, schema: Mapping[str, Any]) -> str:
    if kind == "value_error":
        return str(context.get("error", "not allowed"))
    if kind == "extra_forbidden":
        return _unknown_key(loc, schema)
    if kind in _KINDS:
        return _wrong_type(kind, value, loc)
    if kind in {"greater_than_equal", "less_than_equal"}:
        node = _node(schema, loc)
        return f"{show(value, loc)} is out of range; allowed: {node.get('minimum')} to {node.get('maximum')}"
    if kind == "too_long":
        return f"{context.get('actual_length')} entries; at most {context.get('max_length')} are allowed"
    if kind == "too_short":
        return "the list is empty"
    return "this is not allowed here"


def _unknown_key(loc: KeyPath, schema: Mapping[str, Any]) -> str:
    key = loc[-1]
    names = tuple(str(part) for part in (*(p for p in loc[:-1] if isinstance(p, str)), key))
    if advice := _ELSEWHERE.get(names[-2:]):
        return advice
    known = sorted(_node(schema, loc[:-1]).get("properties", {}))
    shown = show_path((key,))
    if is_secret_key(key) and "credentials" not in known:
        return f"unknown key {shown}: do not write secrets into this file (the value is not shown); allowed: " + (
            enumerate_words(known)
        )
    return f"unknown key {shown}; {did_you_mean(key, known)}"


def _wrong_type(kind: str, value: object, loc: KeyPath) -> str:
    expected = _KINDS[kind]
    if kind == "string_type":
        if isinstance(value, Ambiguous):
            return f"{show(value.text, loc)} is read as {value.meaning} by some tools: write it in quotes"
        if isinstance(value, (int, bool)):
            what = "true or false" if isinstance(value, bool) else "a number"
            return f"expected a text, found {what}: write it in quotes"
    if kind == "bool_type":
        text = value.text if isinstance(value, Ambiguous) else value
        meant = {"on": "true", "yes": "true", "true": "true", "y": "true"}.get(str(text).lower())
        meant = meant or {"off": "false", "no": "false", "false": "false", "n": "false"}.get(str(text).lower())
        hint = f"; did you mean {meant}?" if meant and not isinstance(value, bool) else ""
        return f"expected true or false, without quotes{hint}"
    if kind == "list_type" and isinstance(value, str) and not may_be_secret(value):
        return f"expected a list: write [{show(value, loc)}]" if len(value) <= 40 else "expected a list"  # noqa: PLR2004 - longer values are not repeated
    found = show(value, loc)
    return f"expected {expected}, found {found}"


def _node(schema: Mapping[str, Any], loc: KeyPath) -> Mapping[str, Any]:
    """Return the node of a JSON Schema for the value at a path; empty if there is none."""
    node = _resolve(schema, schema)
    for part in loc:
        if isinstance(part, int):
            node = _resolve(schema, node.get("items", {}))
        elif part in node.get("properties", {}):
            node = _resolve(schema, node["properties"][part])
        else:
            patterns = list(node.get("patternProperties", {}).values())
            extra = patterns[0] if patterns else node.get("additionalProperties")
            node = _resolve(schema, extra if isinstance(extra, dict) else {})
    return node


def _resolve(schema: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    while isinstance(reference := node.get("$ref"), str):
        node = schema["$defs"][reference.rsplit("/", 1)[-1]]
    return node

"""Reads the settings of `Pulumi.<stack>.yaml`, from the file or as the engine passes them."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from model.problems import START, Finding, KeyPath, Problem, SpecError, locate
from model.reading.archetypes_load import merge_archetypes, to_archetype
from model.reading.explain import explain
from model.reading.json_schema import FileSchema
from model.reading.merge import holds
from model.reading.settings_checks import build_settings
from model.reading.settings_schema import SettingsSection
from model.reading.yaml_reader import MAX_BYTES, REFUSED, examine
from model.settings import Settings

NAMESPACE = "usine"
_PREFIX = f"{NAMESPACE}:"
_FILE: TypeAdapter[SettingsSection] = TypeAdapter(SettingsSection)
_DAY_OF_THE_ENGINE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}) 00:00:00 \+0000 UTC")


def load_settings(path: Path) -> Settings:
    """Return the settings of a file `Pulumi.<stack>.yaml`.

    Paths of certificate authorities stay as written: they are relative to the file's folder. Raises SpecError.
    """
    return read_settings(_read(path), str(path))


def read_settings(data: bytes, source: str) -> Settings:
    """Return the settings of a file's bytes; `source` is its path or name.

    Only keys `usine:...` below `config` count; keys of Pulumi and of other name spaces are ignored.
    Raises SpecError.
    """
    examined = examine(data, source, nulls=True)
    problems = list(examined.problems)
    value = examined.value
    config = value.get("config", {}) if isinstance(value, dict) else None
    if not isinstance(config, dict):
        if not problems:
            problems = [Problem(source, *START, "expected a mapping with the key config, as Pulumi writes it")]
        raise SpecError(problems)
    name = Path(source).name
    stack = name.removesuffix(".yaml").removeprefix("Pulumi.") or name
    keys = {
        str(key).removeprefix(_PREFIX): _structure(value)
        for key, value in config.items()
        if str(key).startswith(_PREFIX)
    }
    settings, findings = _check(keys, source, stack)
    problems += [locate(finding, examined.places) for finding in findings]
    if problems or settings is None:
        raise SpecError(problems)
    return settings


def settings_from_config(config: Mapping[str, str], *, stack: str) -> Settings:
    """Return the settings of the name space `usine` as the engine passes it: key without prefix to text or JSON.

    The same checks as `load_settings`. Values may come from other places (`--config`, an environment), so problems
    name the key, at line 1 of `Pulumi.<stack>.yaml`. Raises SpecError.
    """
    source = f"Pulumi.{stack}.yaml"
    settings, findings = _check({key: _days(_structure(value)) for key, value in config.items()}, source, stack)
    if findings or settings is None:
        raise SpecError(Problem(source, *START, finding.message) for finding in findings)
    return settings


def locate_in_settings(settings: Settings, found: Iterable[tuple[KeyPath, str]]) -> list[Problem]:
    """Return problems that appear with the tenants: their paths below the name space, and messages.

    At line 1 if the settings are not from a file, as the engine's are.
    """
    findings = [Finding(settings.source, _in_file(path), message) for path, message in found]
    if not findings:
        return []
    try:
        places = examine(_read(Path(settings.source)), settings.source, nulls=True).places
    except SpecError:
        places = {}
    return [locate(finding, places) for finding in findings]


def _in_file(path: KeyPath) -> KeyPath:
    """Return the path in the file of a path below the name space."""
    return ("config", f"{_PREFIX}{path[0]}", *path[1:]) if path else ("config",)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise SpecError([Problem(str(path), *START, "settings: not a regular file")])
            return stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a file name"
        raise SpecError([Problem(str(path), *START, f"settings: cannot be read: {reason}")]) from None


def _structure(value: object) -> object:
    """Decode a structure that `pulumi config set` or the engine wrote as JSON text; return other values unchanged."""
    if isinstance(value, str) and value.lstrip()[:1] in {"{", "["}:
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _days(value: object) -> object:
    """Return a value with days as in the file: the engine passes an unquoted day as a time.

    `pulumi config` of version 3.259 shows ``until: 2027-03-31`` as ``2027-03-31 00:00:00 +0000 UTC`` (seen 2026-11-30).
    """
    if isinstance(value, dict):
        return {key: _days(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_days(child) for child in value]
    found = _DAY_OF_THE_ENGINE.fullmatch(value) if isinstance(value, str) else None
    return found[1] if found else value


@cache
def _schema() -> dict[str, Any]:
    return SettingsSection.model_json_schema(by_alias=True, schema_generator=FileSchema)


def _nulls(value: object, path: KeyPath) -> Iterator[KeyPath]:
    if value is None:
        yield path
    elif isinstance(value, dict):
        for key, child in value.items():
            yield from _nulls(child, (*path, key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _nulls(child, (*path, index))


def _check(keys: Mapping[str, object], source: str, stack: str) -> tuple[Settings | None, list[Finding]]:
    findings: list[Finding] = []

    note: Callable[[KeyPath, str], None] = lambda path, message: findings.append(  # noqa: E731 - a name for one use
        Finding(source, _in_file(path), message)
    )
    values = dict(keys)
    for path in _nulls(values, ()):
        note(path, f"{_PREFIX}{'.'.join(map(str, path))}: the value is empty: write a value, or leave the key out")
        values[str(path[0])] = REFUSED
    values["archetypes"] = archetypes = merge_archetypes(
        values.get("archetypes", {}),
        lambda path, message: note(("archetypes", *path), f"{_PREFIX}archetypes: {message}"),
    )
    try:
        file = _FILE.validate_python(values)
    except ValidationError as error:
        for finding in explain(error, source, _schema(), lead=_PREFIX):
            # What an archetype has from its parent is reported where the parent states it.
            if finding.path[:1] != ("archetypes",) or holds(keys, finding.path):
                findings.append(Finding(source, _in_file(finding.path), finding.message, finding.at_key))
        return None, findings
    if findings:
        return None, findings
    merged: dict[str, dict[str, Any]] = archetypes  # type: ignore[assignment]  # as the validation found
    built = {name: to_archetype(name, section, merged[name]) for name, section in file.archetypes.items()}
    return build_settings(file, built, stack=stack, source=source, note=note), findings

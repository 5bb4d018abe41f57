"""Reads a folder of tenant files and returns checked tenants."""

from __future__ import annotations

import copy
import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from model.problems import Finding, KeyPath, Problem, SpecError, locate
from model.reading.complete import Completer
from model.reading.convert import Converter, Outline
from model.reading.explain import explain
from model.reading.fields import check_slug
from model.reading.files import TenantFile, tenant_files
from model.reading.fleet import check_fleet, check_selection
from model.reading.json_schema import json_schema
from model.reading.schema import API_VERSION, KIND, TENANT_SECTION, TenantSection
from model.reading.section import Words
from model.reading.settings_load import locate_in_settings
from model.reading.yaml_reader import MAX_PROBLEMS, Examined, Suspect, examine, read
from model.settings import Settings
from model.tenant import Tenant

_TOP = "expected a mapping at the top: apiVersion, kind, slug, name, ..."
#: A wrong value may hide another one; after so many rounds, the next run reports the rest.
_ROUNDS = 4


def load(folder: Path, settings: Settings) -> tuple[Tenant, ...]:
    """Return the tenants of a folder, sorted by slug.

    Raises SpecError with every problem of every file: of the text, of single fields, across fields and across files.
    Problems of the folder itself are at line 1, those of the tenants that the settings name at their place there.
    """
    with _no_collection():
        return _load(folder, settings)


def check_text(data: bytes, source: str, settings: Settings) -> Tenant:
    """Return the tenant of one file's bytes, checked without other files. `source` is its name. Raises SpecError."""
    reader = _Reader(settings)
    stem = Path(source).name.removesuffix(".yaml")
    tenant = reader.tenant(TenantFile(source, stem, data))
    tenants = [] if tenant is None else [tenant]
    reader.findings += check_fleet(tenants, settings, frozenset(f.source for f in reader.findings))
    if tenant is None or reader.findings or reader.problems:
        raise SpecError(reader.all_problems())
    return tenant


@contextmanager
def _no_collection() -> Iterator[None]:
    """Switch the garbage collector off: there are no cycles, and the search for them takes a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _load(folder: Path, settings: Settings) -> tuple[Tenant, ...]:
    files, problems = tenant_files(folder)
    reader = _Reader(settings)
    tenants = [tenant for file in files if (tenant := reader.tenant(file)) is not None]
    tenants.sort(key=lambda tenant: (tenant.slug, tenant.source))
    wrong = frozenset(finding.source for finding in reader.findings) | {p.file for p in reader.problems}
    reader.findings += check_fleet(tenants, settings, wrong)
    problems += reader.all_problems()
    unreadable = len(tenants) < len(files)
    if not unreadable:  # a tenant that seems unknown may be in a file that cannot be read
        problems += locate_in_settings(settings, check_selection(tenants, settings))
    if problems:
        raise SpecError(problems)
    return tuple(tenants)


@cache
def _schema() -> dict[str, Any]:
    return json_schema()


@dataclass(frozen=True, slots=True)
class _Fields:
    keys: Mapping[str, Any]
    file: TenantSection
    wrong: frozenset[KeyPath] = frozenset()


class _Reader:
    """Reads files one by one and keeps their problems."""

    def __init__(self, settings: Settings) -> None:
        self._words = Words.of(settings)
        self._completer = Completer(settings)
        self._converter = Converter(settings)
        self._files: dict[str, TenantFile] = {}
        self.findings: list[Finding] = self._converter.findings
        self.problems: list[Problem] = []

    def tenant(self, file: TenantFile) -> Tenant | None:
        """Return the tenant of a file; of a wrong file, a tenant of its legal values, or None."""
        self._files[file.source] = file
        try:
            value = read(file.data)
        except Suspect:
            examined = examine(file.data, file.source)
            self.problems += examined.problems
            value = examined.value
            if value is None:
                return None
        if not isinstance(value, dict):
            self.findings.append(Finding(file.source, (), _TOP))
            return None
        fields = self._fields(value, file)
        if fields is None:
            return None
        outline = Outline(fields.keys, _keys(value.get("environments")), _keys(value.get("repositories")), fields.wrong)
        return self._converter.convert(fields.file, file.source, outline)

    def _fields(self, value: dict[str, Any], file: TenantFile) -> _Fields | None:
        try:
            return _Fields(value, self._validate(value))
        except ValidationError as error:
            self.findings += explain(error, file.source, _schema())
            # A file with so many problems is no tenant file: more messages do not help.
            return self._remains(value, error, file) if error.error_count() < MAX_PROBLEMS else None

    def _validate(self, keys: Mapping[str, Any]) -> TenantSection:
        return TENANT_SECTION.validate_python(self._completer.complete(keys), context=self._words)

    def _remains(self, value: dict[str, Any], error: ValidationError, file: TenantFile) -> _Fields | None:
        """Leave out the wrong values and check the rest, so that one run reports as many problems as possible."""
        rest = copy.deepcopy(value)
        wrong: set[KeyPath] = set()
        for _ in range(_ROUNDS):
            wrong |= _prune(rest, error)
            if not _complete(rest, file.stem):
                return None
            try:
                return _Fields(rest, self._validate(rest), frozenset(wrong))
            except ValidationError as next_error:
                error = next_error
        return None

    def all_problems(self) -> list[Problem]:
        """Return every problem so far at its place."""
        examined: dict[str, Examined] = {}
        problems = list(self.problems)
        for finding in self.findings:
            if finding.source not in examined:
                examined[finding.source] = examine(self._files[finding.source].data, finding.source)
            problems.append(locate(finding, examined[finding.source].places))
        return problems


def _keys(value: object) -> tuple[str, ...]:
    return tuple(value) if isinstance(value, Mapping) else ()


def _prune(rest: dict[str, Any], error: ValidationError) -> set[KeyPath]:
    """Remove the wrong values from a file's keys, and return their paths."""
    wrong: set[KeyPath] = set()
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        loc = tuple(part for part in item["loc"] if part != "[key]")
        wrong.add(loc[:-1] if item["type"] == "missing" and len(loc) > 1 else loc)
    # Last items first: to remove an item of a list moves those after it.
    for loc in sorted(wrong, key=lambda loc: [(isinstance(part, int), f"{part:>9}") for part in loc], reverse=True):
        _remove(rest, loc)
    return wrong


def _complete(rest: dict[str, Any], stem: str) -> bool:
    """Add the required keys that were removed, with legal values; say whether that is possible."""
    try:
        slug = check_slug(rest["slug"] if isinstance(rest.get("slug"), str) else stem)
    except ValueError:
        return False
    # The loader never returns these values: the file is refused.
    required = {"apiVersion": API_VERSION, "kind": KIND, "slug": slug, "name": "?", "owner": "x", "contact": "x@y.zz"}
    for key, stand_in in required.items():
        rest.setdefault(key, stand_in)
    return True


def _remove(rest: object, loc: tuple[str | int, ...]) -> None:
    node = rest
    for part in loc[:-1]:
        try:
            node = node[part]  # type: ignore[index]  # a value without keys has no such path
        except (KeyError, IndexError, TypeError):
            return
    last = loc[-1]
    if isinstance(node, dict):
        node.pop(last, None)
    elif isinstance(node, list) and isinstance(last, int) and last < len(node):
        del node[last]

"""The stacks of a fleet, and the settings file of each."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import yaml

from model.reading.waivers import WAIVERS_FILE
from model.settings import FoundationMode
from model.units import unit_of, units_of
from usine.engine.cli import EngineError

#: What the engine writes to a settings file if the secrets provider is a passphrase. It belongs to one stack.
_SALT: Final = "encryptionsalt"
_PROJECTS, _FOUNDATION, TENANTS = "usine:projects", "usine:foundation", "usine:tenants"
_CREDENTIALS, _CATALOGUE = "usine:tenantCredentials", "usine:catalogue"
_FLEET = "usine:fleet"
#: Generations of credentials are those of the present settings in each version: a pin does not delay a rotation.
_GENERATIONS = ("usine:credentials", _CREDENTIALS)


def stack_of(base: str, unit: str | None) -> str:
    """Return the name of a unit's stack, or of the foundation's (None)."""
    return base if unit is None else f"{base}.{unit}"


@dataclass(frozen=True, slots=True)
class Layout:
    """The stacks of a fleet: `base` has the foundation, and ``<base>.<unit>`` the tenants of a unit.

    `settings` is the checked settings file of the platform, `projects` the absolute path of the folder of tenant files.
    The settings file of each stack is written to `folder`. `units` are the tenants that have a file, by unit; with
    `shards`, a unit is one of so many shards. `places` are paths that take the place of others in settings files.
    """

    base: str
    settings: Path
    projects: Path
    folder: Path
    document: Mapping[str, Any] = field(repr=False)
    units: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    shards: int | None = None
    places: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(
        cls,
        base: str,
        settings: Path,
        projects: Path,
        folder: Path,
        slugs: Iterable[str],
        shards: int | None = None,
    ) -> Layout:
        """Read the settings file once: a fleet has thousands of stacks. `slugs` are the tenants that have a file."""
        return cls(base, settings, projects, folder, _read(settings), units_of(slugs, shards), shards)

    def unit_of(self, slug: str) -> str:
        """Return the unit that a tenant belongs to."""
        return unit_of(slug, self.shards)

    def tenants_of(self, unit: str | None) -> tuple[str, ...]:
        """Return the tenants of a unit that have a file; of the foundation, none."""
        return () if unit is None else self.units.get(unit, ())

    def stack(self, unit: str | None) -> str:
        """Return the name of a unit's stack, or of the foundation's (None)."""
        return stack_of(self.base, unit)

    def of_version(self, settings: Path, places: Mapping[str, str]) -> Layout:
        """Return the same stacks with the keys of the settings file of another version.

        `usine:fleet` is left out: the version gets tenant files without `hold` and `pin`. What is not below `config`,
        such as the encryption of the state, belongs to the stacks and not to a version. Raises EngineError, OSError.
        """
        try:
            stated = _read(settings).get("config")
        except (yaml.YAMLError, UnicodeDecodeError):
            stated = None
        if not isinstance(stated, dict):
            raise EngineError(f"{settings} is no settings file")
        config = {key: value for key, value in stated.items() if key not in {_FLEET, *_GENERATIONS}}
        config |= {key: self._config()[key] for key in _GENERATIONS if key in self._config()}
        return replace(self, document={**self.document, "config": config}, places=places)

    def common(self) -> dict[str, Any]:
        """Return the keys of the settings that concern every tenant."""
        left_out = {_PROJECTS, _FOUNDATION, TENANTS, _CREDENTIALS, _CATALOGUE, _FLEET}
        shared = {key: value for key, value in self._config().items() if key not in left_out}
        if _CATALOGUE in self._config():
            shared[_CATALOGUE] = self._catalogue(())
        return shared

    def own(self, unit: str | None) -> dict[str, Any]:
        """Return the keys of the settings of one stack, except the path of the tenant files."""
        if unit is None:
            whole = (_CREDENTIALS, _CATALOGUE)
            return {key: self._config()[key] for key in whole if key in self._config()} | {
                _FOUNDATION: FoundationMode.ONLY.value
            }
        # What is stated for other tenants is no reason to run these again.
        tenants = self.tenants_of(unit)
        stated: dict[str, Any] = {_FOUNDATION: FoundationMode.SKIP.value, TENANTS: list(tenants)}
        credentials = _mapping(self._config().get(_CREDENTIALS))
        if its := {slug: credentials[slug] for slug in tenants if slug in credentials}:
            stated[_CREDENTIALS] = its
        if _CATALOGUE in self._config():
            stated[_CATALOGUE] = self._catalogue(tenants)
        return stated

    def folder_of(self, unit: str | None) -> Path:
        """Return the folder of a stack, with its settings file, report and log."""
        return self.folder / self.stack(unit).replace("/", "-")

    def write(self, unit: str | None, salt: str = "", *, alone: bool = False, text: bytes | None = None) -> Path:
        """Write the settings file of a stack, with the waivers beside it, and return its path.

        `salt` is what the engine added to the file in an earlier run. `alone`: the command gets a copy of the files of
        its tenants, and no other file. Reading 10,000 files takes longer than the run of a tenant. A drift scan must
        know all tenants. `text` takes the place of a file's content. Raises OSError.
        """
        folder = self.folder_of(unit)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "settings.yaml"
        config = self.common() | self.own(unit) | {_PROJECTS: str(self.projects)}
        if _FLEET in self._config():  # without it, tenant files that have `hold` are wrong
            config[_FLEET] = self._config()[_FLEET]
        if alone and unit is not None:
            config[_PROJECTS] = str(self._copy(self.tenants_of(unit), folder / "projects.d", text))
            if _FLEET in config:  # the waves name other tenants
                config[_FLEET] = {k: v for k, v in _mapping(config[_FLEET]).items() if k != "waves"}
        if self.places:
            config = {key: _placed(_structure(value), self.places) for key, value in config.items()}
        document = {**self.document, "config": config}
        if unit is not None:
            document.pop(_SALT, None)
        if salt and _SALT not in document:
            document[_SALT] = salt
        _replace(path, yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
        waivers = self.settings.parent / WAIVERS_FILE
        if waivers.exists():
            shutil.copyfile(waivers, folder / WAIVERS_FILE)
        else:
            (folder / WAIVERS_FILE).unlink(missing_ok=True)
        return path

    def _copy(self, slugs: Iterable[str], folder: Path, text: bytes | None) -> Path:
        """Make the folder with copies of the files of tenants, or with this text, and return it. Raises OSError."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for slug in slugs:
            file = f"{slug}.yaml"
            (folder / file).write_bytes((self.projects / file).read_bytes() if text is None else text)
        return folder

    def salt(self, settings: Path) -> str:
        """Return the salt in a stack's settings file after a run; empty without a passphrase."""
        return str(_read(settings).get(_SALT, ""))

    def _config(self) -> Mapping[str, Any]:
        config: Mapping[str, Any] = self.document["config"]
        return config

    def _catalogue(self, tenants: tuple[str, ...]) -> object:
        """Return the value of the key for the catalogue, with these tenants only as the first ones."""
        stated = _mapping(self._config()[_CATALOGUE])
        if "first" not in stated:
            return stated
        return {**stated, "first": [name for name in stated["first"] if name in tenants]}


def _placed(value: object, places: Mapping[str, str]) -> object:
    """Return a value of the settings in which paths are replaced."""
    match value:
        case dict():
            return {key: _placed(child, places) for key, child in value.items()}
        case list():
            return [_placed(child, places) for child in value]
        case str():
            return places.get(value, value)
    return value


def _structure(value: object) -> object:
    """Return the value of a key; a settings file may have a structure as JSON text."""
    if isinstance(value, str) and value[:1] in {"{", "["}:
        with contextlib.suppress(ValueError):  # a text
            parsed: object = json.loads(value)
            return parsed
    return value


def _mapping(value: object) -> Mapping[str, Any]:
    """Return the mapping of a key; a settings file may have it as JSON text. Without one, an empty mapping."""
    parsed = _structure(value)
    return parsed if isinstance(parsed, Mapping) else {}


def _read(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return document if isinstance(document, dict) else {}


def _replace(path: Path, text: str) -> None:
    """Write a file at once: another command may read it at the same time."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as file:
        file.write(text)
    os.replace(file.name, path)

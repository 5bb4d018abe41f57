"""The versions that tenants are pinned to: a checkout of each, with its program and its settings (docs/fleet.md).

A version is a commit that the settings list. Git keeps its checkout, a work tree below the folder of the fleet.
"""

from __future__ import annotations

import fcntl
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from model.problems import SpecError
from model.reading.hold import without_keys
from model.reading.settings_load import load_settings
from model.texts import enumerate_words
from model.waves import Pin
from usine.diff.repository import GitClone, GitError
from usine.diff.workspace import workspace
from usine.engine.cli import EngineError
from usine.engine.sources import program_digest
from usine.fleet.inputs import common_digest, own_digest
from usine.fleet.layout import Layout
from usine.fleet.planning import FleetPlan, WaitingTask
from usine.fleet.records import Inputs, digest_of

_REQUIREMENTS: Final = "requirements.txt"
_ENVIRONMENT: Final = ".venv"
_SHOWN: Final = 5


class VersionError(EngineError):
    """A version cannot be used. The message has one line for people, with what to do."""


@dataclass(frozen=True, slots=True)
class Version:
    """A version in its checkout `root`. `python` runs it, `layout` has its settings.

    `program` and `common` are the digests of its program and of the settings that concern every tenant.
    """

    commit: str
    root: Path
    python: str
    layout: Layout
    program: str
    common: str

    def inputs(self, slug: str, present: Inputs) -> Inputs:
        """Return what the result of a run with this version depends on; `present` is the same for the present one."""
        return replace(present, program=self.program, settings=own_digest(self.layout, slug, self.common))

    def tenant_file(self, slug: str) -> bytes:
        """Return the present file of a tenant, without what an old program may not know. Raises VersionError."""
        file = self.layout.projects / f"{slug}.yaml"
        try:
            return without_keys(file.read_bytes())
        except ValueError as error:
            raise VersionError(f"{file}: {error}") from None
        except OSError as error:
            raise VersionError(f"{file}: cannot be read: {error.strerror}") from None

    def write(self, slug: str, salt: str) -> Path:
        """Write the settings file and the tenant file for a run of this version, and return the path of the first.

        Raises VersionError, OSError.
        """
        return self.layout.write(slug, salt, alone=True, text=self.tenant_file(slug))


@dataclass(frozen=True, slots=True)
class Checkouts:
    """The checkouts of versions in `folder`, a folder for each commit. `root` is the checkout of the present version.

    `settings` is the settings file as the command line names it.
    """

    root: Path
    folder: Path
    settings: Path
    layout: Layout

    def open(self, commit: str) -> Version:
        """Check a version out, or verify the checkout that exists. Raises VersionError."""
        root = self.folder.resolve() / commit
        try:
            inside = self.settings.resolve().relative_to(self.root.resolve())
        except ValueError:
            raise VersionError(f"{self.settings} is not in the checkout, so versions have no settings") from None
        try:
            python = self._check_out(commit, root)
            settings = root / inside
            if not settings.is_file():
                raise VersionError(f"the commit {commit} has no settings file {inside}")
            files = {path: self._existing(root, path) for path in _authorities(settings)}
            places = {str(path): str(file) for path, file in files.items() if not file.is_relative_to(root)}
            layout = self.layout.of_version(settings, places)
            common = common_digest(layout, files.values())
            return Version(commit, root, python, layout, _program(root, commit), common)
        except (GitError, EngineError, OSError) as error:
            raise VersionError(str(error)) from None

    def _existing(self, root: Path, path: Path) -> Path:
        """Return a file that the settings name: that of the version, or the present one if git does not have it."""
        return root / path if (root / path).exists() else self.root.resolve() / path

    def remove_others(self, commits: Collection[str]) -> None:
        """Remove the checkouts of all other commits. Raises GitError, OSError."""
        others = [path for path in self.folder.glob("*") if path.is_dir() and path.name not in commits]
        if others:
            with workspace() as own:
                clone = GitClone(self.root, own / "git")
                for path in others:
                    clone.remove_checkout(path.resolve())

    def _check_out(self, commit: str, root: Path) -> str:
        """Make or verify a checkout, and return its interpreter."""
        root.parent.mkdir(parents=True, exist_ok=True)
        with workspace() as own, root.parent.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # another command may make the same checkout
            clone = GitClone(self.root, own / "git")
            if not root.is_dir():
                clone.commit(commit)  # says what to do if the clone is not complete
                clone.check_out(commit, root)
            if changed := clone.differences(commit, root):
                raise VersionError(f"{root} is not as in git ({enumerate_words(changed, _SHOWN)}): remove that folder")
            return self._python(root)

    def _python(self, root: Path) -> str:
        """Return the interpreter for a version: the present one, if the version has the same packages."""
        environment = root / _ENVIRONMENT
        if environment.is_dir() and not environment.is_symlink():
            return str(environment / "bin" / "python")
        if (self.root / _REQUIREMENTS).read_bytes() != (root / _REQUIREMENTS).read_bytes():
            environment.unlink(missing_ok=True)  # `make venv` would change the present one
            raise VersionError(f"it has other packages than the present version: run `make venv` in {root}")
        present = self.root / _ENVIRONMENT
        if present.is_dir() and not environment.is_symlink():
            environment.symlink_to(present.resolve())  # Pulumi.yaml names it
        return sys.executable


@dataclass(frozen=True, slots=True)
class Pinned:
    """The tenants that are pinned today, each with its version or the reason why that cannot run it."""

    pins: Mapping[str, Pin]
    versions: Mapping[str, Version]
    problems: Mapping[str, str]

    @classmethod
    def read(cls, pins: Mapping[str, Pin], commits: Mapping[str, str], checkouts: Checkouts) -> Pinned:
        """Open the versions of these pins. Only the settings say which commit a version is."""
        opened: dict[str, Version] = {}
        wrong: dict[str, str] = {}
        for name in sorted({pin.version for pin in pins.values()}):
            try:
                opened[name] = checkouts.open(commits[name])
            except VersionError as error:
                wrong[name] = str(error)
        versions: dict[str, Version] = {}
        problems: dict[str, str] = {}
        for slug, pin in pins.items():
            problem = wrong.get(pin.version)
            if problem is None:
                try:
                    opened[pin.version].tenant_file(slug)
                except VersionError as error:
                    problem = str(error)
            if problem is None:
                versions[slug] = opened[pin.version]
            else:
                problems[slug] = f"pinned to {pin.version}, which cannot run it: {problem}"
        return cls(pins, versions, problems)

    def inputs(self, present: Mapping[str | None, Inputs]) -> dict[str | None, Inputs]:
        """Return what each stack depends on; `present` are the same without pins."""
        found = dict(present)
        for slug, version in self.versions.items():
            found[slug] = version.inputs(slug, present[slug])
        for slug in self.problems:
            # What it depends on is not known: no run was one with that.
            found[slug] = replace(present[slug], program=digest_of([self.pins[slug].version]))
        return found

    def apply_to(self, plan: FleetPlan) -> FleetPlan:
        """Return the plan with the pins, in which no tenant runs whose version cannot run it."""
        stuck = {task.unit: why for task in plan.tasks if (why := self.problems.get(task.unit or ""))}
        return replace(
            plan,
            tasks=tuple(task for task in plan.tasks if task.unit not in stuck),
            waiting=(
                *plan.waiting,
                *(WaitingTask(t, stuck[t.unit], blocked=True) for t in plan.tasks if t.unit in stuck),
            ),
            pinned=self.pins,
        )


def _program(root: Path, commit: str) -> str:
    try:
        return program_digest(root)
    except EngineError:  # the program consisted of other folders
        return digest_of([commit])


def _authorities(settings: Path) -> tuple[Path, ...]:
    try:
        return load_settings(settings).authorities
    except SpecError:  # the present version does not know a key
        return ()

"""One side of a diff: a tree of the repository, checked out into its own folder, and its settings and tenants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from model.problems import Problem, SpecError
from model.reading.files import file_of, slug_of
from model.reading.load import check_text, load
from model.reading.settings_load import load_settings
from model.settings import Settings
from model.tenant import Tenant
from usine.program import PLANNING

PACKAGES = "requirements.txt"


@dataclass(frozen=True, slots=True)
class Side:
    """A tree. `role` is ``base`` or ``head``, `name` the revision's name for people, `folder` where it is checked out.

    `commit` is the short hash of the revision, empty for the work tree. `objects` are the hashes of its files by path.
    `settings_path` is the path of the settings file in the repository.
    """

    role: str
    name: str
    commit: str
    tree: str
    folder: Path
    objects: Mapping[str, str]
    settings_path: PurePosixPath

    @property
    def full_name(self) -> str:
        """The name and the hash."""
        return f"{self.name} {self.commit}" if self.commit not in {"", self.name} else self.name

    def below(self, *places: str) -> dict[str, str]:
        """Return the hashes of the files at or below these paths."""
        return {
            path: hash_
            for path, hash_ in self.objects.items()
            if any(path == place or path.startswith(f"{place}/") for place in places)
        }

    @property
    def program(self) -> dict[str, str]:
        """The hashes of the program's files that decide which resources there are."""
        return self.below(*PLANNING)

    @property
    def settings(self) -> str | None:
        """The hash of the settings file; None if this side has no such stack."""
        return self.objects.get(str(self.settings_path))

    def tenants(self, projects: PurePosixPath) -> dict[str, str]:
        """Return the hashes of the tenant files of a folder, by slug."""
        return {slug: hash_ for path, hash_ in self.objects.items() if (slug := slug_of(path, projects)) is not None}

    def read(self, path: str) -> bytes | None:
        """Return the bytes of a file; None if it does not exist or is not a regular file."""
        if path not in self.objects:
            return None
        target = self.folder / path
        return target.read_bytes() if target.is_file() and not target.is_symlink() else None


@dataclass(frozen=True, slots=True)
class SideContents:
    """The settings and tenants of a side. `folder` is the folder of tenant files, from the repository's top."""

    settings: Settings
    folder: PurePosixPath
    projects: Mapping[str, Tenant]

    @property
    def people(self) -> frozenset[str]:
        """The people that the tenants name."""
        return frozenset(person for project in self.projects.values() for person in project.people)


def read_fleet(side: Side) -> SideContents:
    """Read and check a whole side. Raises SpecError with paths from the repository's top."""
    with _own_paths(side):
        settings = load_settings(side.folder / side.settings_path)
        folder = projects_folder(side, settings)
        projects = load(side.folder / folder, settings)
    return SideContents(
        replace(settings, source=str(side.settings_path)),
        folder,
        {project.slug: replace(project, source=str(file_of(project.slug, folder))) for project in projects},
    )


def read_beside(side: Side, other: Side, known: SideContents) -> SideContents:
    """Read a side that has the same settings as the other one; only tenant files that differ are read.

    `known` are the contents of the other side. Raises SpecError.
    """
    hashes, others = side.tenants(known.folder), other.tenants(known.folder)
    projects: dict[str, Tenant] = {}
    problems: list[Problem] = []
    for slug, hash_ in hashes.items():
        if others.get(slug) == hash_ and slug in known.projects:
            projects[slug] = known.projects[slug]
            continue
        source = str(file_of(slug, known.folder))
        try:
            projects[slug] = check_text(side.read(source) or b"", source, known.settings)
        except SpecError as error:
            problems += error.problems
    if problems:
        raise SpecError(problems)
    return SideContents(known.settings, known.folder, dict(sorted(projects.items())))


def projects_folder(side: Side, settings: Settings) -> PurePosixPath:
    """Return the folder of tenant files from the repository's top. Raises SpecError for one outside."""
    folder = PurePosixPath(side.settings_path.parent, settings.projects.as_posix())
    if folder.is_absolute() or ".." in folder.parts:
        message = f"usine:projects: {settings.projects} is outside the repository: there is no history to compare"
        raise SpecError([Problem(settings.source, 1, 1, message)])
    return folder


@contextmanager
def _own_paths(side: Side) -> Iterator[None]:
    """Replace the paths of the side's folder by paths of the repository in all problems."""
    prefix = f"{side.folder}/"
    try:
        yield
    except SpecError as error:
        raise SpecError(
            Problem(p.file.removeprefix(prefix), p.line, p.column, p.message.replace(prefix, ""))
            for p in error.problems
        ) from None

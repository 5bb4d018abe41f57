"""What several commands share: reading the platform's files, and printing what is wrong with them."""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from model.problems import START, Problem, SpecError
from model.reading.catalogue import FOLDER, read_catalogue
from model.reading.load import load
from model.reading.settings_load import load_settings
from model.reading.waivers import WAIVERS_FILE, Waiver
from model.settings import Settings
from model.tenant import Tenant
from model.texts import did_you_mean
from usine.rules.reading import waivers_of_head

#: The checkout of this command, with `Pulumi.yaml` and the settings files.
ROOT = Path(__file__).resolve().parents[2]
DEFAULT_SETTINGS = ROOT / "Pulumi.lab.yaml"


@dataclass(frozen=True, slots=True)
class Platform:
    """The settings, all tenants and the files of the CI catalogue, checked."""

    settings: Settings
    tenants: tuple[Tenant, ...]
    catalogue: Mapping[str, str]


def add_platform_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--settings` and `--projects`."""
    add_settings_argument(parser)
    parser.add_argument(
        "--projects", metavar="DIR", type=Path, help="folder of tenant files (default: the one in the settings)"
    )


def add_settings_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--settings` without `--projects`: the engine always reads the tenants that the settings name."""
    parser.add_argument(
        "--settings", metavar="FILE", type=Path, default=DEFAULT_SETTINGS, help="settings file (default: %(default)s)"
    )
    parser.set_defaults(projects=None)


def read_platform(args: argparse.Namespace) -> Platform:
    """Read settings, tenants and catalogue. Raises SpecError with all problems."""
    settings = load_settings(args.settings)
    if args.projects is not None:
        settings = replace(settings, projects=args.projects)
    folder = args.projects or args.settings.parent / settings.projects
    problems: list[Problem] = []
    tenants: tuple[Tenant, ...] = ()
    catalogue: Mapping[str, str] = {}
    try:
        tenants = load(folder, settings)
    except SpecError as error:
        problems += error.problems
    try:
        catalogue = read_catalogue(ROOT / FOLDER, settings)
    except SpecError as error:
        problems += error.problems
    if problems:
        raise SpecError(problems)
    return Platform(settings, tenants, catalogue)


def read_waivers_beside(file: Path, settings: Settings, today: datetime.date) -> tuple[Waiver, ...]:
    """Return the waivers beside a settings file; none when the file does not exist. Raises SpecError."""
    path = file.parent / WAIVERS_FILE
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        data = None
    except OSError as error:
        raise SpecError([Problem(str(path), *START, f"waivers: cannot be read: {error.strerror}")]) from None
    return waivers_of_head(data, settings, today, str(path))


def find_tenant(tenants: Iterable[Tenant], slug: str, command: str) -> Tenant | None:
    """Return the tenant with this slug; None if there is none, with a message of the command that suggests others."""
    known = {tenant.slug: tenant for tenant in tenants}
    if slug not in known:
        print(f"usine {command}: no such tenant: {slug!r}; {did_you_mean(slug, known)}", file=sys.stderr)
    return known.get(slug)


def report_problems(error: SpecError) -> int:
    """Print all problems, one on each line, and return exit code 1."""
    for problem in error.problems:
        print(problem, file=sys.stderr)
    return 1

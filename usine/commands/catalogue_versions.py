"""`usine catalogue`: which tenants are behind with the CI catalogue."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from collections import Counter
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from model.problems import SpecError
from model.settings import System
from usine.catalogue.versions import OUTDATED, Included, Use, look
from usine.clients import ClientError, Connections
from usine.clients.connections import below
from usine.commands.common import add_platform_arguments, read_platform, report_problems

DESCRIPTION = (
    "Read the CI file of every repository from GitLab, and compare the version of the CI catalogue that it includes "
    "with the one that the platform assigned to its tenant. Exit code: 0 all are current or have a pipeline of their "
    "own; 2 one is behind, or names a branch or a tag that does not exist; 1 one could not be read."
)
CURRENT, COULD_NOT_TELL, BEHIND = 0, 1, 2
_STYLES = {Use.CURRENT: "green", Use.OWN: "", Use.UNREADABLE: "red"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_platform_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Read the repositories and print what they include."""
    try:
        platform = read_platform(args)
    except SpecError as error:
        return report_problems(error)
    settings = platform.settings
    if not settings.on(System.GITLAB):
        print("usine catalogue: usine:systems: gitlab is off, and it has the catalogue", file=sys.stderr)
        return COULD_NOT_TELL
    tenants = [tenant for tenant in platform.tenants if settings.selected(tenant.slug)]
    client = Connections(below(args.settings.parent, settings.endpoints), os.environ).gitlab()
    try:
        found = look(tenants, settings.gitlab, client)
    except ClientError as error:
        print(f"usine catalogue: {error}", file=sys.stderr)
        return COULD_NOT_TELL
    if args.json:
        print(json.dumps({"repositories": [dataclasses.asdict(one) for one in found]}, indent=2))
    else:
        Console().print(table(found))
        counts = Counter(one.use for one in found)
        print("; ".join(f"{counts[use]} {use}" for use in Use if counts[use]) or "no repositories")
    if any(one.use is Use.UNREADABLE for one in found):
        return COULD_NOT_TELL
    return BEHIND if any(one.use in OUTDATED for one in found) else CURRENT


def table(found: Sequence[Included]) -> Table:
    """Return a table with a row for each repository."""
    rows = Table(box=SIMPLE_HEAD, padding=0)
    for heading in ("tenant", "repository", "catalogue", "version", "of", "assigned", "files"):
        rows.add_column(heading, overflow="fold")
    for one in found:
        texts = (one.tenant, one.repository, one.use, one.ref, one.since, one.expected, one.detail or _files(one))
        # The team writes some of it: nothing in it is markup.
        rows.add_row(*(Text(text) for text in texts), style=_STYLES.get(one.use, "yellow"))
    return rows


def _files(one: Included) -> str:
    return " ".join(file if file.isprintable() else "…" for file in one.files)

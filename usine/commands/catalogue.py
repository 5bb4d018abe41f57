"""`usine catalogue`: which tenants use which version of the CI catalogue; with `update`, its third-party images."""

from __future__ import annotations

import argparse

from usine.commands import catalogue_update, catalogue_versions


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command, and its action."""
    parser = subparsers.add_parser(
        "catalogue",
        help="show which tenants are behind with the CI catalogue; update its images",
        description=catalogue_versions.DESCRIPTION,
    )
    catalogue_versions.add_arguments(parser)
    catalogue_update.register(parser.add_subparsers(metavar="ACTION"))

"""`usine zones`: the repositories that clusters pull from, and what a zone's Argo CD needs."""

from __future__ import annotations

import argparse

from usine.commands import zones_manifest, zones_publish


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command, and its actions."""
    parser = subparsers.add_parser(
        "zones",
        help="publish the objects of clusters that pull, and print what their Argo CD needs",
        description="Clusters that the platform does not reach pull their objects from a repository per zone.",
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    zones_publish.register(actions)
    zones_manifest.register(actions)

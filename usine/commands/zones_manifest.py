"""`usine zones manifest`: what the administrators of a zone apply once for a cluster that pulls."""

from __future__ import annotations

import argparse
import sys

import yaml

from components.argocd.zone import zone_manifests
from components.kubernetes.delivery import VaultAddress
from model.problems import Problem, SpecError
from model.reading.settings_load import load_settings
from model.settings import System
from model.texts import did_you_mean
from usine.commands.common import ROOT, add_settings_argument, report_problems


def register(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action."""
    parser = actions.add_parser(
        "manifest",
        help="print what the Argo CD of a cluster needs to pull its objects",
        description="Print the objects that the administrators of a zone apply once, for `kubectl apply --server-side "
        "-f -` on the cluster: Application, AppProject and account, delivery of the credentials, reports. They contain "
        "no secret. Exit code: 0 done, 1 a file is wrong, or the cluster pulls nothing.",
    )
    add_settings_argument(parser)
    parser.add_argument("cluster", metavar="CLUSTER", help="a cluster with `pull` in the settings")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the objects."""
    try:
        settings = load_settings(args.settings)
        pulling = {name: c for name, c in settings.clusters.items() if c.pull is not None}
        cluster = pulling.get(args.cluster)
        if cluster is None or cluster.pull is None:
            hint = did_you_mean(args.cluster, pulling) if pulling else "no cluster of the settings pulls"
            print(f"usine zones manifest: no cluster that pulls is called {args.cluster!r}; {hint}", file=sys.stderr)
            return 1
        endpoint = settings.endpoints[System.VAULT]
        try:
            authority = None if endpoint.ca is None else (ROOT / endpoint.ca).read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError):
            raise SpecError([Problem(settings.source, 1, 1, f"{endpoint.ca}: cannot be read")]) from None
    except SpecError as error:
        return report_problems(error)
    manifests = zone_manifests(settings, cluster, cluster.pull, VaultAddress(endpoint.url, authority))
    print(yaml.safe_dump_all(manifests, sort_keys=False), end="")
    return 0

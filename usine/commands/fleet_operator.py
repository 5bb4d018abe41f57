"""`usine fleet operator`: write the resources with which the Pulumi Kubernetes Operator runs the stacks."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from model.problems import SpecError
from model.settings import System
from model.texts import enumerate_words
from usine.commands.common import ROOT, report_problems
from usine.commands.engine_stack import run_id, write_files
from usine.commands.fleet_open import Fleet, add_fleet_arguments, open_fleet, positive
from usine.commands.fleet_pipeline import in_checkout
from usine.commands.fleet_plan import SHOWN, plan_for_others
from usine.engine.cli import EngineError
from usine.engine.sources import commit_of
from usine.fleet.operator import OperatorStacks, choose
from usine.report.words import plural

_EPILOG = """\
exit code: 0 the file was written; 1 it was not, for example because too many tenants would be archived or removed.
"""
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
#: An image by its digest: a tag can be moved to another one, which then gets the platform's credentials.
_IMAGE: Final = re.compile(r"[a-z0-9][A-Za-z0-9._:/-]{0,254}@sha256:[0-9a-f]{64}")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_SSH: Final = re.compile(r"git@[A-Za-z0-9.-]+:[A-Za-z0-9._/-]+")
#: The PATH of Pulumi's own images (pulumi/pulumi-docker-containers), and of `python` with `pulumi` in /usr/local/bin.
_PATH: Final = "/pulumi/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def register(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action."""
    parser = actions.add_parser(
        "operator",
        help="write resources with which the Pulumi Kubernetes Operator runs the stacks",
        description="Write a `Stack` resource for the foundation and for each tenant. Those that need a run get the "
        "commit that is checked out, all others keep that of their last run. The engine does not run.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_fleet_arguments(parser)
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help="write the resources to this file")
    parser.add_argument(
        "--run", metavar="ID", dest="run_id", type=run_id, required=True, help="the id of this pipeline: it only grows"
    )
    parser.add_argument(
        "--repository", metavar="URL", type=_repository, required=True, help="the address of this repository"
    )
    parser.add_argument(
        "--image", metavar="IMAGE", type=_image, required=True, help="the image of the workspaces, with its digest"
    )
    parser.add_argument("--namespace", metavar="NAME", type=_name, required=True, help="the namespace of the resources")
    parser.add_argument(
        "--apply", action="store_true", help="apply the stacks; without it, the operator only previews them"
    )
    parser.add_argument(
        "--git-secret", metavar="NAME", type=_name, help="the Secret of the namespace with a token for the repository"
    )
    parser.add_argument(
        "--state-audience", metavar="NAME", help="give each workspace a token with this audience for the state's bucket"
    )
    parser.add_argument("--path", default=_PATH, help="the PATH of the image (default: %(default)s)")
    parser.add_argument("--limit", metavar="N", type=positive, help="at most N tenants, the oldest runs first")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the file; see the epilog for the exit code."""
    try:
        text = _render(open_fleet(args), args)
        if text is not None:
            write_files({args.out: text})
    except SpecError as error:
        return report_problems(error)
    except (EngineError, OSError) as error:
        print(f"usine fleet operator: {error}", file=sys.stderr)
        return 1
    return 0 if text is not None else 1


def _render(fleet: Fleet, args: argparse.Namespace) -> str | None:
    """Return the text of the file; None if too many tenants would be archived or removed. Raises EngineError."""
    commit = commit_of(ROOT)
    if commit is None or not _COMMIT.fullmatch(commit):
        raise EngineError("no commit is checked out, which the operator could clone")
    if not fleet.settings.on(System.VAULT):
        raise EngineError("a workspace logs in to Vault, which the settings do not have")
    found = plan_for_others(fleet, args.settings)
    if found is None:
        return None
    chosen = choose(found.plan, found.inputs, found.runs, commit, args.run_id, args.limit)
    for why in sorted(set(chosen.left_out.values())):
        units = [unit for unit, reason in chosen.left_out.items() if reason == why]
        print(f"{plural(len(units), 'stack')} without a resource, {why}: {enumerate_words(units, SHOWN)}")
    stacks = OperatorStacks(
        fleet.layout,
        in_checkout(args.settings),
        args.repository,
        args.image,
        args.namespace,
        fleet.settings.endpoints[System.VAULT].url,
        args.path,
        args.apply,
        args.git_secret,
        args.state_audience,
    )
    return stacks.render(chosen.runs)


def _repository(text: str) -> str:
    if _SSH.fullmatch(text):
        return text
    try:
        parts = urlsplit(text)
        hidden = bool(parts.username or parts.password)
    except ValueError:
        raise argparse.ArgumentTypeError("expected https://… or git@host:path") from None
    if hidden and parts.scheme == "https":
        # Without the text: it would be a password in a log.
        raise argparse.ArgumentTypeError("has a user or a password: anyone who reads the resources would see it")
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment:
        raise argparse.ArgumentTypeError("expected https://… or git@host:path")
    return text


def _image(text: str) -> str:
    if not _IMAGE.fullmatch(text):
        raise argparse.ArgumentTypeError(f"expected an image with its digest, name@sha256:…, found {text!r}")
    return text


def _name(text: str) -> str:
    if not _LABEL.fullmatch(text):
        raise argparse.ArgumentTypeError(f"expected a name of Kubernetes, found {text!r}")
    return text

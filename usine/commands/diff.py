"""`usine diff`: shows what a change will do, before it is merged."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from rich.console import Console

from model.problems import SpecError
from usine.commands.common import report_problems
from usine.commands.revisions import add_revision_arguments, find_change, today
from usine.diff.change import DiffError
from usine.report import as_json, code_quality, html, junit, markdown, terminal, terraform
from usine.report.model import Report
from usine.rules import RULES, check

#: The hidden marker by which `usine comment` finds its comment.
MARKER = "usine:diff"
_STDOUT = Path("-")
_DIFFERENT, _REFUSED = 2, 3
#: Formats of the report that are written to files, by the name of their option.
_FORMS: Mapping[str, str] = {
    "markdown": "a comment for the merge request",
    "json": "the whole report, for programs",
    "html": "the whole report, as a page",
    "terraform": "the counts for GitLab's reports:terraform",
    "junit": "a test case for each rule: GitLab's reports:junit",
    "code-quality": "the notices beside their lines: GitLab's reports:codequality",
}


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "diff",
        help="show what a change will do, before it is merged",
        description="Take two revisions from git, plan each offline with its own program, settings and tenants, show "
        "what changes for each object, and check the rules. Needs no credential and no network. See docs/diff.md.",
        epilog="exit code: 0 no rule refuses, 1 wrong input, 3 a rule refuses; with --exit-code, 2 if objects differ.",
    )
    add_revision_arguments(parser)
    for name, what in _FORMS.items():
        parser.add_argument(f"--{name}", metavar="FILE", type=Path, help=f"write {what}; - for standard output")
    parser.add_argument(
        "--limit",
        metavar="N",
        type=int,
        default=markdown.DEFAULT_LIMIT,
        help=f"characters of the comment, {markdown.LEAST_LIMIT:,} to {markdown.GITLAB_LIMIT:,} (default: %(default)s)",
    )
    parser.add_argument(
        "--link", metavar="URL", default="", help="address of the whole report, for a comment that is cut"
    )
    parser.add_argument(
        "--exit-code", action="store_true", help="exit with code 2 when objects differ and no rule refuses"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Compare the revisions, check the rules, show the report."""
    if not markdown.LEAST_LIMIT <= args.limit <= markdown.GITLAB_LIMIT:
        print(f"usine diff: --limit: from {markdown.LEAST_LIMIT:,} to {markdown.GITLAB_LIMIT:,}", file=sys.stderr)
        return 1
    try:
        comparison = find_change(args)
        report = comparison.with_notices(check(comparison.change(args.author, today())))
        _show(report, args)
    except SpecError as error:
        return report_problems(error)
    except DiffError as error:
        print(f"usine diff: {error}", file=sys.stderr)
        return 1
    if report.refused:
        return _REFUSED
    return _DIFFERENT if args.exit_code and report.entries else 0


def _show(report: Report, args: argparse.Namespace) -> None:
    """Write the files that are asked for; print the report unless one of them is standard output. Raises DiffError."""
    renderers: Mapping[str, Callable[[Report], str]] = {
        "markdown": lambda r: markdown.render(r, marker=MARKER, limit=args.limit, link=args.link),
        "json": as_json.render,
        "html": html.render,
        "terraform": terraform.render,
        "junit": partial(junit.render, rules=[rule.id for rule in RULES]),
        "code-quality": code_quality.render,
    }
    files = {name: getattr(args, name.replace("-", "_")) for name in _FORMS}
    for name, file in files.items():
        if file is None:
            continue
        text = renderers[name](report)
        if file == _STDOUT:
            sys.stdout.write(text)
            continue
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        except OSError as error:
            raise DiffError(f"{file}: {error.strerror}") from None
    if _STDOUT not in files.values():
        terminal.render(report, Console())

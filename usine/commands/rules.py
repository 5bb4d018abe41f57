"""`usine rules`: checks a change against the rules."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from model.problems import SpecError
from usine.commands.common import report_problems
from usine.commands.revisions import add_revision_arguments, find_change, today
from usine.diff.change import DiffError
from usine.report import as_json, code_quality, junit
from usine.report.model import Notice, Report
from usine.report.values import visible
from usine.rules import RULES, check

_REFUSED = 3
_JUNIT = partial(junit.render, rules=[rule.id for rule in RULES])
#: Formats of the report that are written to files, by the name of their option.
_FORMS: tuple[tuple[str, Callable[[Report], str], str], ...] = (
    ("code-quality", code_quality.render, "the notices beside their lines: GitLab's reports:codequality"),
    ("junit", _JUNIT, "a test case for each rule: GitLab's reports:junit"),
    ("json", as_json.render, "the whole report, for programs"),
)


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "rules",
        help="check a change against the rules, and show how to resolve each notice",
        description="Check the difference between two revisions against the rules of docs/rules.md. Print every notice "
        "with its place and how to resolve it. Needs no credential and no network.",
        epilog="exit code: 0 no rule refuses, 1 wrong input, 3 a rule refuses.",
    )
    add_revision_arguments(parser)
    for name, _, what in _FORMS:
        parser.add_argument(f"--{name}", metavar="FILE", type=Path, help=f"write {what}")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Find the change, check every rule, print the notices."""
    try:
        comparison = find_change(args)
        report = comparison.with_notices(check(comparison.change(args.author, today())))
    except SpecError as error:
        return report_problems(error)
    except DiffError as error:
        print(f"usine rules: {error}", file=sys.stderr)
        return 1
    _print("\n".join(_lines(report)))
    for name, render, _ in _FORMS:
        file: Path | None = getattr(args, name.replace("-", "_"))
        if file is None:
            continue
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(render(report), encoding="utf-8")
        except OSError as error:
            print(f"usine rules: {file}: {error.strerror}", file=sys.stderr)
            return 1
    return _REFUSED if report.refused else 0


def _lines(report: Report) -> Iterator[str]:
    for notice in report.notices:
        yield from _notice(notice)
    refusing = sum(notice.refuses for notice in report.notices)
    waived = sum(bool(notice.waived_by) for notice in report.notices)
    others = len(report.notices) - refusing - waived
    yield f"{len(RULES)} rules: {refusing} refused, {waived} waived, {others} to review"


def _notice(notice: Notice) -> Iterator[str]:
    place = f"{visible(notice.path)}:{notice.line}:{notice.column}: " if notice.path else ""
    severity = f"{notice.severity.value}, waived" if notice.waived_by else notice.severity.value
    yield f"{place}{severity}: {visible(notice.text)} [{notice.rule}]"
    yield f"    waived by {visible(notice.waived_by)}" if notice.waived_by else f"    {visible(notice.remedy)}"


def _print(text: str) -> None:
    """Print, also on a terminal whose encoding lacks a character."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))

"""`usine check`: checks every tenant file."""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Sequence
from pathlib import Path

from model.problems import Problem, SpecError, render_json, render_text
from model.reading.settings_load import load_settings
from usine.commands.common import add_platform_arguments, read_platform, read_waivers_beside
from usine.report import as_json, code_quality
from usine.report.ids import NoticeId
from usine.report.model import Kind, Notice, Report, Severity


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "check",
        help="check every tenant file and list all problems",
        description="Check the settings, every tenant file and the waivers of rules. Needs no credential and no "
        "network. Exit code: 0 no problem, 1 problems.",
    )
    add_platform_arguments(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: %(default)s")
    parser.add_argument(
        "--report", metavar="FILE", type=Path, help="write the problems to this file, as a report in JSON"
    )
    parser.add_argument(
        "--code-quality",
        metavar="FILE",
        type=Path,
        help="write the problems to this file, as a code quality report of GitLab",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check, and print every problem, or one line when there is none."""
    found: set[Problem] = set()
    count = 0
    try:
        count = len(read_platform(args).tenants)
    except SpecError as error:
        found.update(error.problems)
    try:
        today = datetime.datetime.now(datetime.UTC).date()
        read_waivers_beside(args.settings, load_settings(args.settings), today)
    except SpecError as error:
        found.update(error.problems)
    problems = sorted(found)
    if args.format == "json":
        _print(render_json(problems))
    else:
        _print(render_text(problems) or f"{count} {'tenant' if count == 1 else 'tenants'}, no problem")
    return 1 if not _write(args, problems) or problems else 0


def _write(args: argparse.Namespace, problems: Sequence[Problem]) -> bool:
    """Write the files that the arguments ask for; return False when one cannot be written."""
    notices = tuple(Notice(NoticeId.FILE, Severity.ERROR, p.message, "", p.file, p.line, p.column) for p in problems)
    count = f"{len(problems)} {'problem' if len(problems) == 1 else 'problems'}"
    verdict = f"The files have {count}: nothing can be planned." if problems else "The files have no problem."
    report = Report(Kind.DIFF, "usine check", verdict, notices=notices)
    for file, render in ((args.report, as_json.render), (args.code_quality, code_quality.render)):
        if file is None:
            continue
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(render(report), encoding="utf-8")
        except OSError as error:
            print(f"usine check: {file}: {error.strerror}", file=sys.stderr)
            return False
    return True


def _print(text: str) -> None:
    """Print, also on a terminal whose encoding lacks a character."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))

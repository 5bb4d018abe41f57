"""`usine comment`: a report as the one comment of its kind on this pipeline's merge request."""

from __future__ import annotations

import argparse
import os
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

from usine.report import as_json, markdown
from usine.report.model import Kind, Notice, Report, Severity
from usine.sticky import note
from usine.sticky.connection import TOKEN, NoTokenError, StickyError
from usine.sticky.text import is_marker

#: A report of a hundred thousand objects is a fifth of this.
_LARGEST = 200 * 2**20


class _FileError(Exception):
    """A file cannot be used; the message names it."""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "comment",
        help="put a report on the merge request of this pipeline, as one comment that is kept up to date",
        description="Post or update one comment on the merge request this pipeline is for. It is found again by its "
        f"hidden marker and its author, never doubled, left alone when nothing changed. The token is in {TOKEN}. "
        "Without one, as in a fork's pipeline, nothing is posted, and that is no failure.",
        epilog="exit code: 0 the comment is as it should be, or there is no token; 1 it is not.",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--report",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="report (JSON) to show, as other commands write it; given several times, the first that is there",
    )
    source.add_argument("--body", metavar="FILE", type=Path, help="Markdown to show as it is")
    parser.add_argument(
        "--marker", type=_marker, default="usine:diff", help="name of the comment (default: %(default)s)"
    )
    parser.set_defaults(run=run)


def _marker(text: str) -> str:
    if not is_marker(text):
        raise argparse.ArgumentTypeError("lower-case letters, digits and single .:_- only, a letter first")
    return text


def run(args: argparse.Namespace) -> int:
    """Post, update or leave the comment."""
    try:
        body = _read(args.body) if args.body else _rendered(args.report, args.marker)
        print(f"usine comment: {note.keep(body, marker=args.marker)}")
    except NoTokenError as error:
        print(
            f"usine comment: nothing posted: {error} (a fork's pipeline has no secret); see this pipeline's artifacts"
        )
    except (_FileError, StickyError) as error:
        print(f"usine comment: {error}", file=sys.stderr)
        return 1
    return 0


def _rendered(files: Sequence[Path], marker: str) -> str:
    """Render the first report that is there; one that says that there is none where none is."""
    link = os.environ.get("CI_PIPELINE_URL", "")
    for file in files:
        if os.path.lexists(file):
            return markdown.render(_load(file), marker=marker, link=link)
    text = "the job that compares left no report; its log says why"
    missing = Notice("no-report", Severity.ERROR, text, "Look into the jobs of this pipeline that failed.")
    verdict = "What this change does could not be found out."
    return markdown.render(Report(Kind.DIFF, "usine diff", verdict, notices=(missing,)), marker=marker, link=link)


def _load(file: Path) -> Report:
    try:
        return as_json.load(_read(file))
    except as_json.ReportError as error:
        raise _FileError(f"{file}: this is no report: {str(error).splitlines()[0]}") from None


def _read(file: Path) -> str:
    """Read a text that others may have made: never through a link, which could lead to a secret of this machine."""
    try:
        if os.path.realpath(file) != os.path.abspath(file):
            raise _FileError(f"{file}: leads through a link")
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise _FileError(f"{file}: is no file")
        if status.st_size > _LARGEST:
            raise _FileError(f"{file}: is larger than {_LARGEST // 2**20} MiB")
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise _FileError(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _FileError(f"{file}: is not UTF-8") from None

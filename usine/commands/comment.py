"""`usine comment`: keeps one comment with a report up to date on this pipeline's merge request."""

from __future__ import annotations

import argparse
import os
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

from usine.report import as_json, markdown
from usine.report.ids import NoticeId
from usine.report.model import Kind, Notice, Report, Severity
from usine.sticky import note
from usine.sticky.connection import TOKEN, NoTokenError, StickyError
from usine.sticky.text import is_marker

#: Bytes. A report of a hundred thousand objects has a fifth of this.
_LARGEST = 200 * 2**20


class _FileError(Exception):
    """A file cannot be used; the message has its name."""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "comment",
        help="keep one comment with a report up to date on the merge request of this pipeline",
        description="Post one comment on the merge request of this pipeline, or update it. The comment is found by its "
        f"hidden marker and its author, and stays untouched when nothing changed. The token is in {TOKEN}. "
        "Without a token, as in a fork's pipeline, nothing is posted, and the command succeeds.",
        epilog="exit code: 0 the comment is up to date, or there is no token; 1 it is not.",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--report",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="report (JSON) of another command; if given several times, the first that exists is shown",
    )
    source.add_argument("--body", metavar="FILE", type=Path, help="Markdown to show unchanged")
    parser.add_argument(
        "--marker", type=_marker, default="usine:diff", help="name of the comment (default: %(default)s)"
    )
    parser.set_defaults(run=run)


def _marker(text: str) -> str:
    if not is_marker(text):
        raise argparse.ArgumentTypeError("only lower-case letters, digits and single .:_-, starting with a letter")
    return text


def run(args: argparse.Namespace) -> int:
    """Post or update the comment, or leave it when nothing changed."""
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
    """Render the first report that exists, or a report that says that there is none."""
    link = os.environ.get("CI_PIPELINE_URL", "")
    for file in files:
        if os.path.lexists(file):
            return markdown.render(_load(file), marker=marker, link=link)
    text = "the job that makes the report failed; its log has the reason"
    missing = Notice(
        NoticeId.NO_REPORT, Severity.ERROR, text, "Read the logs of the jobs of this pipeline that failed."
    )
    verdict = "The effect of this change is not known."
    return markdown.render(Report(Kind.DIFF, "usine diff", verdict, notices=(missing,)), marker=marker, link=link)


def _load(file: Path) -> Report:
    try:
        return as_json.load(_read(file))
    except as_json.ReportError as error:
        raise _FileError(f"{file}: not a report: {str(error).splitlines()[0]}") from None


def _read(file: Path) -> str:
    """Read a text that others may have written: not through a link, which could lead to a secret of this machine."""
    try:
        if os.path.realpath(file) != os.path.abspath(file):
            raise _FileError(f"{file}: has a link in its path")
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise _FileError(f"{file}: not a regular file")
        if status.st_size > _LARGEST:
            raise _FileError(f"{file}: larger than {_LARGEST // 2**20} MiB")
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise _FileError(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _FileError(f"{file}: not UTF-8") from None

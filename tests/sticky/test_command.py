"""`usine comment` as a pipeline runs it: a process with an environment and files of other jobs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sticky.conftest import Forge
from usine.report import as_json
from usine.report.model import Action, Entry, Kind, Report

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = "x\n/close\n@all ![](http://example.org/x.png) <script>"


def comment(forge: Forge, folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "usine", "comment", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **forge.environment, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    entry = Entry(Action.CREATED, "guichet", "vault", "vault:index/mount:Mount", HOSTILE)
    report = Report(Kind.DIFF, "usine diff", "1 object is created", entries=(entry,))
    (tmp_path / "diff.json").write_text(as_json.render(report), encoding="utf-8")
    return tmp_path


def test_a_report_is_posted_and_updated(forge: Forge, folder: Path) -> None:
    done = comment(forge, folder, "--report", "missing.json", "--report", "diff.json")
    assert (done.returncode, done.stdout, done.stderr) == (0, "usine comment: comment posted on !1\n", "")
    done = comment(forge, folder, "--report", "diff.json")
    assert done.stdout == "usine comment: comment unchanged on !1\n"
    (only,) = forge.notes()
    assert only.body.startswith("<!-- usine:diff -->\n### usine diff")
    assert "\n/" not in only.body, "no line is a command for GitLab"
    assert all("`" in line for line in only.body.splitlines() if "<script" in line or "@all" in line)
    # The old comment is about another commit: without a report, the comment says so.
    done = comment(forge, folder, "--report", "missing.json")
    assert done.stdout == "usine comment: comment updated on !1\n"
    assert "is not known" in forge.notes()[0].body


def test_without_a_token_nothing_fails(forge: Forge, folder: Path) -> None:
    done = comment(forge, folder, "--report", "diff.json", USINE_GITLAB_TOKEN="")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usine comment: nothing posted: USINE_GITLAB_TOKEN is not set")
    assert forge.notes() == []


def test_links_and_other_unsafe_report_files_are_refused(forge: Forge, folder: Path) -> None:
    """An artifact can be a link to secrets of this job: its environment, the credentials of its clone."""
    (folder / "environment.md").symlink_to("/proc/self/environ")
    (folder / "inside").symlink_to(folder)
    (folder / "folder.md").mkdir()
    (folder / "bytes.md").write_bytes(b"\xff\xfe\x00")
    (folder / "not.json").write_text('{"format": "glpat-PLANTED-MARKER-0002"}', encoding="utf-8")
    (folder / "dangling.json").symlink_to("nowhere")
    for arguments, expected in (
        (["--body", "environment.md"], "environment.md: has a link in its path"),
        (["--body", "inside/diff.json"], "inside/diff.json: has a link in its path"),
        (["--report", "dangling.json"], "dangling.json: has a link in its path"),
        (["--body", "folder.md"], "folder.md: not a regular file"),
        (["--body", "bytes.md"], "bytes.md: not UTF-8"),
        (["--body", "none.md"], "none.md: No such file or directory"),
        (["--report", "not.json"], "not.json: not a report: "),
    ):
        done = comment(forge, folder, *arguments)
        assert done.returncode == 1, arguments
        assert done.stderr.startswith(f"usine comment: {expected}")
        assert done.stderr.count("\n") == 1
        assert "PLANTED" not in done.stderr
    assert forge.notes() == []


def test_a_marker_that_could_end_its_comment_is_refused(forge: Forge, folder: Path) -> None:
    for marker in ("x -->", "", "Usine", "a\nb", "a--b"):
        done = comment(forge, folder, "--report", "diff.json", "--marker", marker)
        assert done.returncode == 2
        assert "lower-case letters" in done.stderr
    assert forge.notes() == []

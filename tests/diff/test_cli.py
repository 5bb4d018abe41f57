"""`usine diff` as people and pipelines run it: as a process, in a scratch repository."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.diff import scenarios
from tests.diff.scratch import Scratch, snapshot

MARKER = "MARKER-1f0c2b"
SECRETS = dict.fromkeys(
    (
        *("VAULT_TOKEN", "GITLAB_TOKEN", "HARBOR_PASSWORD", "HARBOR_USERNAME", "KEYCLOAK_PASSWORD", "SONAR_TOKEN"),
        *("KUBECONFIG", "PULUMI_CONFIG_PASSPHRASE", "USINE_GITLAB_TOKEN", "CI_JOB_TOKEN", "VAULT_ADDR"),
    ),
    MARKER,
)


def test_every_output_format_has_the_change_and_no_credential(scratch: Scratch, tmp_path: Path) -> None:
    scenarios.delete_tenant(scratch)
    scenarios.add_tenant(scratch)
    out = tmp_path / "out"
    forms = {
        "markdown": "comment.md", "json": "diff.json", "html": "diff.html", "terraform": "widget.json",
        "junit": "rules.xml", "code-quality": "quality.json",
    }  # fmt: skip
    files = [word for name, file in forms.items() for word in (f"--{name}", str(out / file))]
    done = scratch.usine("diff", "--author", "helene.faure", *files, CI_MERGE_REQUEST_DIFF_BASE_SHA="main", **SECRETS)
    assert done.returncode == 3, done.stderr
    assert "petitions/kubernetes/prod/namespace" in done.stdout
    assert "data-destruction" in done.stdout
    report = json.loads((out / "diff.json").read_text("utf-8"))
    assert report["kind"] == "diff"
    widget = json.loads((out / "widget.json").read_text("utf-8"))
    assert (widget["update"], widget["create"] > 50, widget["delete"] > 50) == (0, True, True)
    assert (out / "comment.md").read_text("utf-8").startswith("<!-- usine:diff -->\n")
    assert json.loads((out / "quality.json").read_text("utf-8"))
    assert "<failure" in (out / "rules.xml").read_text("utf-8")
    for folder in (out, scratch.caches, scratch.root):
        assert not [name for name, data in snapshot(folder) if MARKER.encode() in data]
    assert MARKER not in done.stdout + done.stderr


def test_exit_codes_and_only_the_comment_on_standard_output(scratch: Scratch) -> None:
    scenarios.change_quota(scratch)
    done = scratch.usine("diff", "--exit-code", "--author", "alice.martin", "--markdown", "-", "--limit", "20000")
    assert done.returncode == 2, done.stderr
    assert done.stdout.startswith("<!-- usine:diff -->\n")
    assert done.stdout.count("usine diff") == 1
    assert "limits.cpu" in done.stdout
    scratch.clean()
    assert scratch.usine("diff", "--exit-code").returncode == 0


def test_each_wrong_input_is_one_line_without_traceback(scratch: Scratch) -> None:
    scratch.edit("projects.d/petitions.yaml", ("dev: {}", "dev: {stage: devel}"))
    scratch.edit("projects.d/teleservice.yaml", ("owner: alice.martin", "ownr: alice.martin"))
    for arguments, expected in (
        ((), "projects.d/petitions.yaml:"),
        (("--base", "nowhere"), "usine diff: there is no revision nowhere in this clone"),
        (("--base=--upload-pack=x",), "usine diff: there is no revision --upload-pack=x in this clone"),
        (("--settings", "/etc/passwd"), "usine diff: --settings /etc/passwd: not in the repository"),
        (("--settings", "Pulumi.none.yaml"), "Pulumi.none.yaml:1:1: settings: no such file in the head"),
        (("--limit", "3"), "usine diff: --limit: from 10,000"),
    ):
        done = scratch.usine("diff", *arguments)
        assert (done.returncode, done.stdout) == (1, ""), done.stdout
        assert expected in done.stderr
        assert "Traceback" not in done.stderr
    first = scratch.usine("diff").stderr.splitlines()
    assert len(first) == 2 + sum("teleservice" in line for line in first) - 1
    assert any("did you mean owner?" in line for line in first)


def test_the_next_run_removes_files_of_an_interrupted_one(scratch: Scratch, tmp_path: Path) -> None:
    scenarios.change_quota(scratch)
    running = subprocess.Popen(
        [sys.executable, "-m", "usine", "diff", "--no-cache"],
        cwd=scratch.root,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("usine-diff-*/*/*.scope.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    left = list(tmp_path.glob("usine-diff-*/*/head"))
    os.killpg(running.pid, signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL
    assert len(left) == 1
    assert left[0].is_dir()
    assert scratch.git("worktree", "list").count("\n") == 0
    done = scratch.usine("diff", "--base", "nowhere", TMPDIR=str(tmp_path))
    assert done.returncode == 1
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]

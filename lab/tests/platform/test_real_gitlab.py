"""Tests of the run in GitLab's image, with the stand-in instead of GitLab."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.files import write_private
from lab.standins.serve import LOOPBACK, Configuration
from lab.testing import real_gitlab
from lab.testing.gitlab_server import ROOT_TOKEN
from lab.testing.ports import free_port

READ = (
    "import json, os, sys, urllib.request\n"
    "url, token = os.environ['USINE_LAB_GITLAB_URL'], os.environ['USINE_LAB_GITLAB_TOKEN']\n"
    "asked = urllib.request.Request(url + '/api/v4/user', headers={'PRIVATE-TOKEN': token})\n"
    "json.dump(json.load(urllib.request.urlopen(asked))['username'], open('seen.json', 'w'))\n"
    "sys.exit(5)\n"
)


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a command that prints a token, like GitLab's console."""
    rails = tmp_path / "gitlab-rails"
    rails.write_text(f'#!/bin/sh\ncase "$2" in *personal_access_tokens.create*) echo {ROOT_TOKEN};; esac\n')
    rails.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{Path(sys.executable).parent}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_command_runs_with_the_started_gitlab(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    file = image / "config.json"
    write_private(file, Configuration(port, f"http://{LOOPBACK}:{port}", image / "data", ROOT_TOKEN, {}).text())
    monkeypatch.setenv("PYTHONPATH", str(Path(real_gitlab.__file__).parents[2]))
    start = [sys.executable, "-m", "lab.standins.gitlab", str(file)]
    assert real_gitlab.run([sys.executable, "-c", READ], start, port, limit=60) == 5
    assert json.loads((image / "seen.json").read_text()) == "root"
    with pytest.raises(LabError, match="GitLab does not start"):
        real_gitlab.run(["true"], ["sh", "-c", "exit 3"], port, limit=60)


def test_it_reports_that_this_is_not_gitlabs_image(capsys: pytest.CaptureFixture[str]) -> None:
    assert real_gitlab.main(["true"]) == 2
    assert "this must run in GitLab's own image" in capsys.readouterr().err

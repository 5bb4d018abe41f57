"""The jobs of dynamic analysis, run as the catalogue has them, with the real wapiti on an application on loopback."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from lab.parts import tools
from tests.ci_tool.sample_site import Site, site

CATALOGUE = Path(__file__).resolve().parents[2] / "catalogue"
MARKER = "marker-of-the-password"
pytestmark = pytest.mark.servers

#: In place of OpenBao: it answers with the fields of one secret.
_BAO = f"""#!/bin/sh
case "$*" in
  "kv get -mount=teleservice -field=username dast/account") echo robot ;;
  "kv get -mount=teleservice -field=password dast/account") echo {MARKER} ;;
  *) echo "not found" >&2; exit 2 ;;
esac
"""


def run_job(file: str, target: Site, folder: Path, scan: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the script of `.dast` of a file of the catalogue in a folder, as a runner does."""
    content = yaml.safe_load((CATALOGUE / file).read_text(encoding="utf-8"))
    script = "\n".join(("set -eo pipefail", *content[".dast"]["script"]))
    settings: Mapping[str, object] = {
        "targets": {"dev": target.url},
        "scan": scan,
        "openapi": "",
        "threshold": "medium",
        "exclusions": ["/private/*"],
    }
    environment = tools.environment(folder / "home", ["wapiti"])
    (folder / "bin").mkdir()
    bao = folder / "bin" / "bao"
    bao.write_text(_BAO)
    bao.chmod(0o755)
    return subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env={
            **environment,
            "PATH": f"{bao.parent}:{environment['PATH']}",
            "USINE_TENANT": "teleservice",
            "USINE_DAST": json.dumps(settings),
            **variables,
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize(("flawed", "expected"), [(True, 1), (False, 0)])
def test_the_job_is_red_with_the_flaw_and_green_without(flawed: bool, expected: int, tmp_path: Path) -> None:
    with site(flawed=flawed) as served:
        done = run_job("jobs/dast.yml", served, tmp_path, "full")
    assert done.returncode == expected, done.stdout + done.stderr
    report = json.loads((tmp_path / "gl-dast-report.json").read_text())
    assert report["scan"]["scanned_resources"] == [{"method": "GET", "url": served.url, "type": "url"}]
    names = [each["name"] for each in report["vulnerabilities"] if each["severity"] != "Low"]
    assert ["Cross Site Scripting" in name for name in names] == ([True] if flawed else [])
    assert "/hello" in served.paths
    assert not [path for path in served.paths if path.startswith("/private")]
    assert set(served.credentials) == {""}


def test_the_scheduled_job_logs_in_at_the_target_only(tmp_path: Path) -> None:
    with site(flawed=False) as other, site(flawed=False, redirect=f"{other.url}/hello") as served:
        done = run_job("operations.yml", served, tmp_path, "baseline", DAST_CREDENTIALS="dast/account")
    assert done.returncode == 0, done.stdout + done.stderr
    assert any(served.credentials)
    assert not any(other.credentials)
    texts = [done.stdout, done.stderr, *(each.read_text() for each in tmp_path.glob("*.json"))]
    assert len(texts) == 3
    assert all(MARKER not in text for text in texts)


def test_the_scheduled_job_fails_without_its_secret(tmp_path: Path) -> None:
    with site(flawed=False) as served:
        done = run_job("operations.yml", served, tmp_path, "baseline", DAST_CREDENTIALS="dast/gone")
    assert done.returncode == 2
    assert served.paths == []

"""`usine plan` as a person runs it: in its own process, on the sample tenants."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from usine.cli import main

ROOT = Path(__file__).resolve().parents[2]


def usine(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "usine", *arguments],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], str]:
    """A run in the checkout that prints the table and writes the graph, and that graph."""
    file = tmp_path_factory.mktemp("here") / "plan.json"
    done = usine("plan", "--json", str(file))
    assert done.returncode == 0, done.stderr
    return done, file.read_text("utf-8")


def test_the_table_has_a_row_for_each_tenant_and_a_column_for_each_system(
    here: tuple[subprocess.CompletedProcess[str], str],
) -> None:
    done, _ = here
    slugs = [path.stem for path in (ROOT / "projects.d").glob("*.yaml")]
    assert len(slugs) >= 6
    for word in (*slugs, "(foundation)", "vault", "argocd", "harbor", "sonarqube", "ability"):
        assert word in done.stdout, word


def test_the_graph_as_json_has_the_same_bytes_from_everywhere(
    here: tuple[subprocess.CompletedProcess[str], str], tmp_path: Path
) -> None:
    _, graph = here
    resources = json.loads(graph)["resources"]
    assert {"type", "name", "parent", "tenant", "system", "inputs"} <= set(resources[0])
    assert {r["tenant"] for r in resources} == {None} | {p.stem for p in (ROOT / "projects.d").glob("*.yaml")}

    # Another folder, written in another order, under another environment, to standard output.
    copy = tmp_path / "elsewhere"
    copy.mkdir()
    for path in sorted((ROOT / "projects.d").glob("*.yaml"), reverse=True):
        shutil.copy(path, copy)
    shutil.copy(ROOT / "Pulumi.lab.yaml", tmp_path)
    there = usine(
        "plan", "--projects", str(copy), "--settings", str(tmp_path / "Pulumi.lab.yaml"), "--json", "-",
        VAULT_TOKEN="MARKER", KUBECONFIG="/MARKER", KEYCLOAK_PASSWORD="MARKER", VAULT_SKIP_VERIFY="true",
    )  # fmt: skip
    assert there.returncode == 0, there.stderr
    assert there.stdout == graph


def test_wrong_files_are_reported_with_positions_and_not_planned(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("slug: one\nslug: one\n", encoding="utf-8")
    (tmp_path / "two.yaml").write_text("- not a map\n", encoding="utf-8")
    done = usine("plan", "--projects", str(tmp_path), "--json", "-")
    assert (done.returncode, done.stdout) == (1, "")
    assert "one.yaml:2:1: " in done.stderr
    assert "two.yaml:1:1: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("target", ["missing/folder/plan.json", "."])
def test_a_file_that_cannot_be_written_is_reported_in_one_line(
    tmp_path: Path, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "projects.d"
    empty.mkdir()
    assert main(["plan", "--projects", str(empty), "--json", str(tmp_path / target)]) == 1
    assert len(capsys.readouterr().err.strip().splitlines()) == 1

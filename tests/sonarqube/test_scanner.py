"""A project's token analyses that project, with Sonar's own scanner, and no other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from components.sonarqube_dynamic.api import Client, SonarError
from tests.sonarqube.conftest import Life, Sonar
from tests.sonarqube.scanner import analyse

pytestmark = pytest.mark.servers


@pytest.fixture
def another(server: Sonar, unique: str) -> Iterator[str]:
    key = f"{unique}--other"
    server.client.post("/api/projects/create", project=key, name=key, visibility="private")
    yield key
    server.client.post("/api/projects/delete", project=key)


@pytest.fixture
def only_administrators(sonar: Sonar) -> Iterator[None]:
    """No permission that the whole server gives to everybody, as the platform's foundation leaves it."""
    life = Life(sonar, "GlobalPermissions")
    life.id = "global"
    before = life.imported()
    life.create(groups={"sonar-administrators": ["admin", "gateadmin", "provisioning"]}, users={})
    yield
    life.create(**before)


@pytest.mark.usefixtures("only_administrators")
def test_analyses_its_project_only(sonar: Sonar, project: str, another: str, tmp_path: Path) -> None:
    for key in (project, another):
        permissions = Life(sonar, "ProjectPermissions")
        permissions.create(project=key, groups={"sonar-administrators": ["admin", "scan", "user"]}, users={})
    gate = Life(sonar, "QualityGate")
    gate.create(name=project, conditions=[{"metric": "ncloc", "op": "GT", "error": 3.0}], default=False)
    Life(sonar, "QualityGateAssociation").create(project=project, gate=project)
    token = Life(sonar, "ProjectAnalysisToken")
    secret = token.create(name=project, project=project)["token"]
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "small.py").write_text("def twice(number):\n    return 2 * number\n", encoding="utf-8")

    done = analyse(sonar.url, secret, project, sources, tmp_path / "cache")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "QUALITY GATE STATUS: PASSED" in done.stdout
    measures = sonar.client.get("/api/measures/component", component=project, metricKeys="ncloc")
    assert measures["component"]["measures"] == [{"metric": "ncloc", "value": "2"}]

    (sources / "large.py").write_text("a = 1\nb = 2\nc = 3\n", encoding="utf-8")
    done = analyse(sonar.url, secret, project, sources, tmp_path / "cache")
    assert done.returncode != 0
    assert "QUALITY GATE STATUS: FAILED" in done.stdout + done.stderr

    refused = analyse(sonar.url, secret, another, sources, tmp_path / "cache")
    assert refused.returncode != 0
    assert "not authorized" in refused.stdout + refused.stderr
    assert sonar.client.get("/api/ce/component", component=another) == {"queue": []}
    holder = Client(sonar.url, environment={"SONAR_TOKEN": secret})
    with pytest.raises(SonarError, match="HTTP 403"):
        holder.get("/api/projects/search")

    # The name that the analysis gave the project is none of ours, so it is no drift.
    life = Life(sonar, "Project")
    life.id, life.state = project, {"name": "As it was made"}
    assert life.refresh()
    assert life.state["name"] == "As it was made"

    token.delete()
    assert analyse(sonar.url, secret, project, sources, tmp_path / "cache").returncode != 0
    gate.delete()

"""A tenant's token can analyse the tenant's projects with Sonar's own scanner, and can do nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from components.sonarqube.dynamic.api import Client, SonarError
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
def account(sonar: Sonar, unique: str) -> Iterator[str]:
    """The login of a technical account for analyses."""
    life = Life(sonar, "TechnicalAccount")
    login: str = life.create(login=f"usine.{unique}.1", name=f"usine {unique} 1")["login"]
    yield login
    life.delete()


#: Requests that the holder of an analysis token tries: method, path, fields. `{own}` and `{other}` are projects.
ATTACKS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("POST", "/api/user_tokens/generate", {"name": "x", "login": "admin"}),
    ("POST", "/api/user_tokens/generate", {"name": "x", "type": "GLOBAL_ANALYSIS_TOKEN"}),
    ("POST", "/api/user_tokens/generate", {"name": "x", "type": "PROJECT_ANALYSIS_TOKEN", "projectKey": "{other}"}),
    ("POST", "/api/user_tokens/revoke", {"name": "usine-lab", "login": "admin"}),
    ("GET", "/api/user_tokens/search", {"login": "admin"}),
    ("GET", "/api/system/info", {}),
    ("GET", "/api/projects/search", {}),
    ("GET", "/api/components/show", {"component": "{other}"}),
    ("GET", "/api/components/tree", {"component": "{other}"}),
    ("GET", "/api/measures/component", {"component": "{other}", "metricKeys": "ncloc"}),
    ("GET", "/api/issues/list", {"project": "{other}"}),
    ("GET", "/api/project_branches/list", {"project": "{other}"}),
    ("GET", "/api/settings/values", {"component": "{other}"}),
    ("GET", "/api/qualitygates/project_status", {"projectKey": "{other}"}),
    ("POST", "/api/projects/create", {"project": "{own}-new", "name": "x"}),
    ("POST", "/api/projects/delete", {"project": "{other}"}),
    ("POST", "/api/projects/delete", {"project": "{own}"}),
    ("POST", "/api/projects/update_visibility", {"project": "{own}", "visibility": "public"}),
    ("POST", "/api/permissions/add_user", {"projectKey": "{own}", "login": "{login}", "permission": "admin"}),
    ("POST", "/api/permissions/add_user", {"projectKey": "{other}", "login": "{login}", "permission": "scan"}),
    ("POST", "/api/permissions/add_user", {"login": "{login}", "permission": "admin"}),
    ("POST", "/api/settings/set", {"key": "sonar.forceAuthentication", "value": "false"}),
    ("POST", "/api/settings/set", {"component": "{own}", "key": "sonar.exclusions", "value": "**"}),
    ("POST", "/api/qualitygates/create", {"name": "{own}-easy"}),
    ("POST", "/api/qualitygates/deselect", {"projectKey": "{own}"}),
    ("POST", "/api/new_code_periods/set", {"project": "{own}", "type": "NUMBER_OF_DAYS", "value": "1"}),
    ("POST", "/api/webhooks/create", {"project": "{own}", "name": "x", "url": "https://evil.example"}),
    ("POST", "/api/users/create", {"login": "evil", "name": "evil", "password": "Aa1!Aa1!Aa1!"}),
)


def does_nothing_else(url: str, token: str, login: str, own: str, other: str) -> None:
    """Try all requests with the token, and with each kind of token that it can create."""
    holder = Client(url, environment={"SONAR_TOKEN": token})
    made = (
        {"name": "further", "type": "USER_TOKEN"},
        {
            "name": "narrow",
            "type": "PROJECT_ANALYSIS_TOKEN",
            "projectKey": own,
        },
    )
    further = [holder.post("/api/user_tokens/generate", **form)["token"] for form in made]
    got_through = []
    for secret in (token, *further):
        held = Client(url, environment={"SONAR_TOKEN": secret})
        assert held.get("/api/users/current")["permissions"]["global"] == []
        for method, path, fields in ATTACKS:
            form = {key: value.format(own=own, other=other, login=login) for key, value in fields.items()}
            try:
                held.get(path, **form) if method == "GET" else held.post(path, **form)
                got_through.append((secret[:4], path, form))
            except SonarError as error:
                if "HTTP 403" not in str(error):
                    got_through.append((secret[:4], path, {"said": str(error)}))
    assert got_through == []


@pytest.fixture
def only_administrators(sonar: Sonar) -> Iterator[None]:
    """A server that gives no permission to everybody, as the platform's foundation configures it."""
    life = Life(sonar, "GlobalPermissions")
    life.id = "global"
    before = life.imported()
    life.create(groups={"sonar-administrators": ["admin", "gateadmin", "provisioning"]}, users={})
    yield
    life.create(**before)


@pytest.mark.usefixtures("only_administrators")
def test_analyses_its_project_only(sonar: Sonar, project: str, another: str, account: str, tmp_path: Path) -> None:
    for key, users in ((project, {account: ["scan"]}), (another, {})):
        permissions = Life(sonar, "ProjectPermissions")
        permissions.create(project=key, groups={"sonar-administrators": ["admin", "user"]}, users=users)
    gate = Life(sonar, "QualityGate")
    gate.create(name=project, conditions=[{"metric": "ncloc", "op": "GT", "error": 3.0}], default=False)
    Life(sonar, "QualityGateAssociation").create(project=project, gate=project)
    token = Life(sonar, "ProjectAnalysisToken")
    secret = token.create(name=project, login=account, expires="2099-01-31")["token"]
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
    does_nothing_else(sonar.url, secret, account, project, another)

    # The analysis renames the project. The program does not manage the name, so this is not drift.
    life = Life(sonar, "Project")
    life.id, life.state = project, {"name": "As it was made"}
    assert life.refresh()
    assert life.state["name"] == "As it was made"

    token.delete()
    assert analyse(sonar.url, secret, project, sources, tmp_path / "cache").returncode != 0
    gate.delete()

"""Each kind of object on the real SonarQube: create, no diff, drift, change, import, delete."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from components.sonarqube.dynamic.api import Client, SonarError
from components.sonarqube.dynamic.provider import TYPE_PREFIX, find
from tests.sonarqube.conftest import Life, Sonar, settled

pytestmark = pytest.mark.servers


def test_project(sonar: Sonar, unique: str) -> None:
    life = Life(sonar, "Project")
    news = {"key": unique, "name": "A name", "visibility": "private", "main_branch": "main"}
    assert find(sonar.client, f"{TYPE_PREFIX}Project", news) is None
    life.create(**news)
    settled(life, **news)
    assert life.imported() == life.state
    assert find(sonar.client, f"{TYPE_PREFIX}Project", news) == life.id == unique
    with pytest.raises(SonarError, match="already: import it"):
        Life(sonar, "Project").create(**news)

    sonar.client.post("/api/projects/update_visibility", project=unique, visibility="public")
    assert life.refresh()
    assert life.changes(**news)
    life.update(**news)
    assert life.imported()["visibility"] == "private"

    sonar.client.post("/api/project_branches/rename", project=unique, name="trunk")
    assert life.refresh()
    life.update(**news)
    assert life.imported()["main_branch"] == "main"

    assert not life.changes(**{**news, "name": "Another"})  # the API cannot rename a project
    assert life.replaces(**{**news, "key": f"{unique}-b"}) == ["key"]
    life.delete()
    assert not life.refresh()
    life.delete()  # it is deleted already


def test_group(sonar: Sonar, unique: str) -> None:
    life = Life(sonar, "Group")
    news = {"name": f"/{unique}/developer", "description": "Developers"}
    longer = Life(sonar, "Group")
    longer.create(name=f"/{unique}/developers", description="")  # its name contains the name of the other
    assert find(sonar.client, f"{TYPE_PREFIX}Group", news) is None
    life.create(**news)
    settled(life, **news)
    assert life.imported() == news
    assert find(sonar.client, f"{TYPE_PREFIX}Group", news) == life.id
    with pytest.raises(SonarError, match="already: import it"):
        Life(sonar, "Group").create(**news)
    life.update(**{**news, "description": ""})
    life.update(name=f"/{unique}/dev", description="")
    assert life.imported() == {"name": f"/{unique}/dev", "description": ""}
    for one in (life, longer):
        one.delete()
        assert not one.refresh()
        one.delete()


def test_project_permissions_are_exact(sonar: Sonar, project: str) -> None:
    group = Life(sonar, "Group")
    group.create(name=f"/{project}/dev", description="")
    life = Life(sonar, "ProjectPermissions")
    news: dict[str, Any] = {
        "project": project,
        "groups": {f"/{project}/dev": ["user", "codeviewer", "user"], "sonar-administrators": ["admin"]},
        "users": {},
    }
    life.create(**news)
    assert life.imported() == {  # without the default template's permissions of sonar-users
        "project": project,
        "groups": {f"/{project}/dev": ["codeviewer", "user"], "sonar-administrators": ["admin"]},
        "users": {},
    }
    settled(life, **news)

    for one, holder in (("group", {"groupName": "sonar-users"}), ("user", {"login": "admin"})):
        sonar.client.post(f"/api/permissions/add_{one}", projectKey=project, permission="issueadmin", **holder)
    assert life.refresh()
    assert life.state["users"] == {"admin": ["issueadmin"]}
    assert life.state["groups"]["sonar-users"] == ["issueadmin"]
    life.update(**news)
    settled(life, **news)

    news["groups"] = {f"/{project}/dev": ["scan"], "sonar-administrators": ["admin"]}
    life.update(**news)
    assert life.imported()["groups"] == news["groups"]
    with pytest.raises(SonarError, match="without `admin`"):
        life.update(**{**news, "groups": {f"/{project}/dev": ["scan"]}})
    assert life.imported()["groups"] == news["groups"]
    life.delete()
    assert life.imported()["groups"] == {"sonar-administrators": ["admin"]}
    sonar.client.post("/api/projects/delete", project=project)
    assert not life.refresh()
    life.delete()
    group.delete()


def test_permissions_are_complete_with_more_groups_than_a_page(
    sonar: Sonar, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API returns pages, so the client reads the groups of each permission."""
    monkeypatch.setattr(Client, "page", 3)
    groups = [Life(sonar, "Group") for _ in range(8)]
    for number, group in enumerate(groups):
        group.create(name=f"/{project}/{number:03}", description="")
    try:
        life = Life(sonar, "ProjectPermissions")
        news: dict[str, Any] = {
            "project": project,
            "groups": {f"/{project}/{number:03}": ["codeviewer", "user"] for number in range(8)}
            | {"sonar-administrators": ["admin"]},
            "users": {},
        }
        life.create(**news)
        settled(life, **news)
        del news["groups"][f"/{project}/007"]
        life.update(**news)
        settled(life, **news)
    finally:
        for group in groups:
            group.delete()


@pytest.fixture
def global_permissions(sonar: Sonar) -> Iterator[dict[str, Any]]:
    """The current permissions, restored after the test."""
    life = Life(sonar, "GlobalPermissions")
    life.id = "global"
    before = life.imported()
    yield before
    life.create(**before)


def test_global_permissions(sonar: Sonar, global_permissions: dict[str, Any]) -> None:
    life = Life(sonar, "GlobalPermissions")
    administrators = {"sonar-administrators": ["admin", "gateadmin", "profileadmin", "provisioning"]}
    news: dict[str, Any] = {"groups": administrators, "users": {}}
    life.create(**news)
    assert life.imported() == news
    settled(life, **news)
    sonar.client.post("/api/permissions/add_group", groupName="sonar-users", permission="scan")
    assert life.refresh()
    assert life.state["groups"]["sonar-users"] == ["scan"]
    life.update(**news)
    settled(life, **news)
    with pytest.raises(SonarError, match="without `admin`"):
        life.update(groups={"sonar-users": ["scan"]}, users={})
    life.delete()
    assert life.imported() == news
    assert global_permissions["groups"]["sonar-administrators"]


def test_quality_gate(sonar: Sonar, unique: str) -> None:
    life = Life(sonar, "QualityGate")
    conditions = [
        {"metric": "new_violations", "op": "GT", "error": 0.0},
        {"metric": "new_coverage", "op": "LT", "error": 80.0},
        {"metric": "comment_lines_density", "op": "LT", "error": "2.5"},
    ]
    news: dict[str, Any] = {"name": unique, "conditions": conditions, "default": False}
    life.create(**news)
    assert [c["metric"] for c in life.imported()["conditions"]] == [
        "comment_lines_density",
        "new_coverage",
        "new_violations",
    ]
    settled(life, **news)
    assert not life.changes(**{**news, "conditions": conditions[::-1]})
    assert find(sonar.client, f"{TYPE_PREFIX}QualityGate", news) == unique
    with pytest.raises(SonarError, match="already: import it"):
        Life(sonar, "QualityGate").create(**news)

    found = sonar.client.get("/api/qualitygates/show", name=unique)["conditions"]
    sonar.client.post("/api/qualitygates/delete_condition", id=found[0]["id"])
    changed = next(c for c in found[1:] if c["metric"] in {"new_coverage", "new_violations"})
    sonar.client.post(
        "/api/qualitygates/update_condition", id=changed["id"], metric=changed["metric"], op=changed["op"], error="7"
    )
    sonar.client.post(
        "/api/qualitygates/create_condition", gateName=unique, metric="new_security_rating", op="GT", error="1"
    )
    assert life.refresh()
    life.update(**news)
    settled(life, **news)

    news["default"] = True
    life.update(**news)
    settled(life, **news)
    news["default"] = False
    life.update(**news)
    settled(life, **news)
    life.update(**{**news, "default": True})
    life.delete()  # it is the default: the built-in gate replaces it
    assert not life.refresh()
    gates = sonar.client.get("/api/qualitygates/list")["qualitygates"]
    assert [gate["isDefault"] for gate in gates if gate["isBuiltIn"]].count(True) == 1


def test_quality_gate_is_created_completely_or_not_at_all(sonar: Sonar, unique: str) -> None:
    life = Life(sonar, "QualityGate")
    with pytest.raises(SonarError, match="no_such_metric"):
        life.create(name=unique, conditions=[{"metric": "no_such_metric", "op": "GT", "error": 1.0}], default=False)
    assert find(sonar.client, f"{TYPE_PREFIX}QualityGate", {"name": unique}) is None


def test_quality_gate_association(sonar: Sonar, project: str) -> None:
    gate = Life(sonar, "QualityGate")
    gate.create(name=project, conditions=[{"metric": "new_violations", "op": "GT", "error": 0.0}], default=False)
    life = Life(sonar, "QualityGateAssociation")
    news = {"project": project, "gate": project}
    life.create(**news)
    settled(life, **news)
    assert life.imported() == news
    sonar.client.post("/api/qualitygates/deselect", projectKey=project)
    assert life.refresh()
    assert life.changes(**news)
    life.update(**news)
    settled(life, **news)
    life.delete()
    assert life.imported()["gate"] != project
    gate.delete()
    sonar.client.post("/api/projects/delete", project=project)
    assert not life.refresh()
    life.delete()


@pytest.mark.parametrize("of_project", [True, False])
def test_webhook(sonar: Sonar, project: str, of_project: bool) -> None:
    life = Life(sonar, "Webhook")
    news = {"name": project, "url": "https://hooks.example.fr/sonar", "secret": "s3cret-of-the-hook"}
    if of_project:
        news["project"] = project
    life.create(**news)
    settled(life, **news)
    assert life.imported() == {key: value for key, value in news.items() if key != "secret"}
    assert find(sonar.client, f"{TYPE_PREFIX}Webhook", news) == life.id
    news["url"] = "https://hooks.example.fr/other"
    life.update(**news)
    settled(life, **news)
    life.update(**{**news, "secret": "another-secret-of-it"})
    life.update(**news)
    by_hand = {"name": news["name"], "url": news["url"], "secret": ""}
    sonar.client.post("/api/webhooks/update", webhook=life.id.partition("/")[2], **by_hand)
    assert life.refresh()
    life.update(**news)
    settled(life, **news)
    life.update(**{key: value for key, value in news.items() if key != "secret"})
    assert life.refresh()
    assert "secret" not in life.state
    assert life.changes(**news)
    life.delete()
    assert not life.refresh()
    life.delete()
    assert find(sonar.client, f"{TYPE_PREFIX}Webhook", news) is None


def test_new_code_period(sonar: Sonar, project: str) -> None:
    life = Life(sonar, "NewCodePeriod")
    news = {"project": project, "type": "NUMBER_OF_DAYS", "value": 30.0}
    life.create(**news)
    settled(life, **news)
    assert life.imported() == {"project": project, "type": "NUMBER_OF_DAYS", "value": "30"}
    life.update(**{**news, "value": 14.0})
    life.update(project=project, type="PREVIOUS_VERSION")
    settled(life, project=project, type="PREVIOUS_VERSION")
    sonar.client.post("/api/new_code_periods/unset", project=project)
    assert not life.refresh()
    life.create(**news)
    life.delete()
    assert not life.refresh()


def test_settings_of_a_project(sonar: Sonar, project: str) -> None:
    life = Life(sonar, "Settings")
    several = [{"ruleKey": "java:S1", "resourceKey": "**/*.java"}]
    news: dict[str, Any] = {
        "project": project,
        "values": {
            "sonar.exclusions": ["**/gen/**", "a,b"],
            "sonar.issue.ignore.multicriteria": several,
            "sonar.dbcleaner.weeksBeforeDeletingAllSnapshots": 260.0,
        },
    }
    life.create(**news)
    settled(life, **news)
    assert life.imported() == life.state
    component = {"component": project}
    sonar.client.post("/api/settings/set", key="sonar.exclusions", values=["x"], **component)
    assert life.refresh()
    life.update(**news)
    sonar.client.post("/api/settings/reset", keys="sonar.exclusions", **component)
    assert life.refresh()
    life.update(**news)
    settled(life, **news)
    del news["values"]["sonar.exclusions"]
    life.update(**news)
    assert sonar.client.get("/api/settings/values", keys="sonar.exclusions", **component)["settings"] == []
    life.delete()
    assert not life.refresh()


def test_secured_settings_of_the_server(sonar: Sonar, unique: str) -> None:
    plain, secured = f"sonar.{unique}.url", f"sonar.{unique}.secret.secured"
    life = Life(sonar, "Settings")
    news: dict[str, Any] = {"values": {plain: "https://x"}, "secured": {secured: "hush"}}
    life.create(**news)
    settled(life, **news)
    assert life.imported() == {"values": {plain: "https://x"}}
    life.update(**{**news, "secured": {secured: "hush hush"}})
    sonar.client.post("/api/settings/reset", keys=secured)
    assert life.refresh()
    life.update(**news)
    life.update(values={plain: "https://x"})
    assert sonar.client.get("/api/settings/values", keys=secured)["setSecuredSettings"] == []
    life.delete()
    assert not life.refresh()

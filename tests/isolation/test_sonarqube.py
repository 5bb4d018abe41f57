"""SonarQube gives people of every role exactly the rights of the table, on every tenant's project.

The provider's own code creates the groups, projects and permissions of the plan. People are accounts in these groups;
tests/engine/test_forge_isolation.py tests log-ins.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping

import pytest

from components.sonarqube.dynamic.api import Client, SonarError
from lab.servers.sonarqube import address
from lab.testing.platforms import TestLab
from model.tenant import Right, State
from tests.isolation.tenants import TENANTS, plan, roles_given
from tests.sonarqube.conftest import Life, Sonar

pytestmark = pytest.mark.servers

_KINDS = ("Group", "TechnicalAccount", "Project", "ProjectPermissions")
#: Actions on a project that no member of a tenant may do.
_ADMINISTRATION = (
    ("/api/projects/update_visibility", {"project": "{key}", "visibility": "public"}),
    ("/api/permissions/add_group", {"projectKey": "{key}", "groupName": "sonar-users", "permission": "user"}),
    ("/api/user_tokens/generate", {"name": "x", "type": "PROJECT_ANALYSIS_TOKEN", "projectKey": "{key}"}),
    ("/api/qualitygates/deselect", {"projectKey": "{key}"}),
)


def key(slug: str) -> str:
    return f"{slug}:api"


@pytest.fixture(scope="module")
def people(lab: TestLab) -> Iterator[Mapping[tuple[str, str], Client]]:
    """A person of each role, by tenant and role, on a server with the plan's SonarQube objects of the tenants."""
    sonar = Sonar(lab.home, address(lab.home))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SONAR_TOKEN", sonar.token)
        everywhere = Life(sonar, "GlobalPermissions")
        everywhere.id = "global"
        before = everywhere.imported()
        everywhere.create(**next(dict(r.inputs) for r in plan().resources if r.type.endswith(":GlobalPermissions")))
        lives = []
        for kind in _KINDS:
            for resource in plan().resources:
                if resource.type.endswith(f"sonarqube:{kind}") and resource.tenant in TENANTS:
                    life = Life(sonar, kind)
                    # The members are accounts of Keycloak, which this test does not use.
                    life.create(**{**resource.inputs, **({"members": None} if kind == "Group" else {})})
                    lives.append(life)
        logins = {}
        for slug in TENANTS:
            for role in roles_given(slug):
                login = f"{slug}-{role}"
                # Without a password, like people of the log-in: nothing is hashed.
                sonar.client.post("/api/users/create", login=login, name=login, local="false")
                if any(right.system == "sonarqube" for right in roles_given(slug)[role]):
                    sonar.client.post("/api/user_groups/add_user", login=login, name=f"/{slug}/{role}")
                logins[slug, role] = login
        made = {
            who: Client(
                sonar.url,
                environment={
                    "SONAR_TOKEN": sonar.client.post("/api/user_tokens/generate", login=login, name="matrix")["token"]
                },
            )
            for who, login in logins.items()
        }
        yield made
        for login in logins.values():
            sonar.client.post("/api/users/deactivate", login=login, anonymize="true")
        for life in reversed(lives):
            life.delete()
        everywhere.update(groups=before["groups"], users=before["users"])


def _refused(call: Callable[[], object]) -> bool:
    """Return whether the server refuses the request, with 403, or with 404 for objects that the user may not see."""
    try:
        call()
    except SonarError as error:
        if re.search("HTTP 40[34]", str(error)):
            return True
        raise
    return False


def test_people_see_the_projects_of_the_table_and_administer_none(
    people: Mapping[tuple[str, str], Client],
) -> None:
    wrong, seen = [], 0
    for (slug, role), client in people.items():
        for other, project in TENANTS.items():
            rights = roles_given(slug)[role]
            wanted = slug == other and project.state is not State.ARCHIVED and Right.SONARQUBE_VIEW in rights
            found = {
                path: not _refused(functools.partial(client.get, path, **fields))
                for path, fields in (
                    ("/api/components/show", {"component": key(other)}),
                    ("/api/measures/component", {"component": key(other), "metricKeys": "ncloc"}),
                    ("/api/qualitygates/project_status", {"projectKey": key(other)}),
                )
            }
            seen += wanted
            if set(found.values()) != {wanted}:
                wrong.append(f"{slug}-{role} on {key(other)}: {found}")
        for path, fields in _ADMINISTRATION:
            form = {name: text.format(key=key(slug)) for name, text in fields.items()}
            if not _refused(functools.partial(client.post, path, **form)):
                wrong.append(f"{slug}-{role}: {path}")
    assert not wrong, "\n".join(wrong)
    assert seen > 20

"""Each tenant's robots can only pull, or pull and push, as planned, and only in their own Harbor project."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import jwt
import pytest

from lab.testing.platforms import TestLab
from model.tenant import State
from tests.isolation.tenants import TENANTS, plan

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def robots(light_lab: TestLab) -> Iterator[Mapping[tuple[str, str], tuple[str, str]]]:
    """The name and the secret of each robot of the plan, by tenant and purpose."""
    harbor = light_lab.harbor
    made = {}
    for slug in TENANTS:
        harbor.post("/projects", json={"project_name": slug, "public": False}).raise_for_status()
    for resource in plan().resources:
        if resource.type == "harbor:index/robotAccount:RobotAccount":
            inputs: Any = resource.inputs
            permissions = [{**one, "access": one["accesses"]} for one in inputs["permissions"]]
            body = {**inputs, "permissions": permissions}
            answer = harbor.post("/robots", json=body)
            assert answer.status_code == httpx.codes.CREATED, answer.text
            purpose = resource.name.rpartition("/")[2].partition("-")[0]
            made[str(resource.tenant), purpose] = (answer.json()["name"], answer.json()["secret"])
    yield made
    for slug in TENANTS:
        harbor.delete(f"/projects/{slug}").raise_for_status()


def test_robots_exist_only_in_states_that_need_them(robots: Mapping[tuple[str, str], tuple[str, str]]) -> None:
    purposes = {slug: {purpose for tenant, purpose in robots if tenant == slug} for slug in TENANTS}
    working = {State.ACTIVE: {"pull", "push"}, State.SUSPENDED: {"pull"}, State.ARCHIVED: set()}
    assert purposes == {slug: working[project.state] for slug, project in TENANTS.items()}


def test_a_robot_pulls_and_pushes_only_in_its_own_project(
    light_lab: TestLab, robots: Mapping[tuple[str, str], tuple[str, str]]
) -> None:
    """The registry accepts the token that Harbor signs, so the rights in this token decide."""
    base = f"http://127.0.0.1:{light_lab.home.ports.harbor}"
    wrong = []
    for ((own, purpose), who), slug in itertools.product(robots.items(), TENANTS):
        asked = {"service": "harbor-registry", "scope": f"repository:{slug}/api:pull,push,delete"}
        token = httpx.get(f"{base}/service/token", params=asked, auth=who, trust_env=False).json()["token"]
        claims = jwt.decode(token, options={"verify_signature": False})
        actions = {action for access in claims["access"] or () for action in access["actions"] or ()}
        expected = {"pull", "push"} if purpose == "push" else {"pull"}
        if actions != (expected if slug == own else set()):
            wrong.append(f"{own}'s {purpose} robot in {slug}: {sorted(actions)}")
        with httpx.Client(base_url=f"{base}/api/v2.0", auth=who, trust_env=False) as client:
            tried = [
                client.delete(f"/projects/{slug}"),
                client.post("/projects", json={"project_name": "another"}),
                client.post("/robots", json={"name": "x", "level": "system", "duration": 1, "permissions": []}),
                client.get(f"/projects/{slug}/members"),
                client.get("/users"),
            ]
            wrong += [f"{own}'s {purpose} robot: {t.request.url}: {t.status_code}" for t in tried if t.is_success]
    assert not wrong, "\n".join(wrong)
    assert len(robots) == 6

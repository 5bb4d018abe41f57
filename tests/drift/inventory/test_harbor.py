"""The inventory of Harbor, with fixed answers."""

from __future__ import annotations

from typing import Any

import pytest

from model.settings import System
from tests.drift.inventory.api_server import Refused, serving
from tests.drift.inventory.scanning import EMPTY_HARBOR, MARKER, names, only, resource, scan
from usine.drift.inventory import Managed

HARBOR_STATE: tuple[Managed, ...] = (
    resource("harbor:index/project:Project", "/projects/2", name="alpha"),
    resource("harbor:index/robotAccount:RobotAccount", "/robots/5"),
    resource("harbor:index/retentionPolicy:RetentionPolicy", "/retentions/1"),
)
HARBOR: dict[str, Any] = {
    **EMPTY_HARBOR,
    "/api/v2.0/projects/2/immutabletagrules": [],
    "/api/v2.0/projects/2/webhook/policies": [],
    "/api/v2.0/projects": [
        {"name": "library", "project_id": 1},
        {"name": "alpha", "project_id": 2},
        {"name": "platform", "project_id": 3},  # of the platform's own tools image
    ],
    "/api/v2.0/projects/2": {"name": "alpha", "owner_name": "admin", "metadata": {"retention_id": "1"}},
    "/api/v2.0/projects/2/members": [
        {"id": 1, "entity_type": "u", "entity_name": "admin", "role_name": "projectAdmin"}
    ],
    "/api/v2.0/users": [{"user_id": 1, "username": "admin", "sysadmin_flag": True}, {"user_id": 2, "username": "emma"}],
    "/api/v2.0/robots": [{"id": 5, "name": "robot$alpha+pull-1", "permissions": []}],
}


def test_a_new_harbor_has_no_unmanaged_objects() -> None:
    with serving(HARBOR) as api:
        assert names(scan(only(System.HARBOR, api.url), HARBOR_STATE)) == set()
        assert api.methods() == {"GET"}


@pytest.mark.parametrize(
    ("path", "tenant"),
    [
        ("replication/policies", None),
        ("users", None),
        ("quotas", "alpha"),
        ("projects/2/members", "alpha"),
        ("projects/2/immutabletagrules", "alpha"),
        ("projects/2/webhook/policies", "alpha"),
    ],
)
def test_a_404_of_a_harbor_list_is_a_gap_of_the_scan(path: str, tenant: str | None) -> None:
    with serving({**HARBOR, f"/api/v2.0/{path}": Refused(404)}) as api:
        inventory = scan(only(System.HARBOR, api.url), HARBOR_STATE)
    assert [(gap.tenant, gap.reason) for gap in inventory.gaps] == [(tenant, f"Harbor refused GET {path}: HTTP 404")]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (500, "Harbor refused GET retentions/1: HTTP 500, its answer for a retention policy that was deleted: "
              "see docs/drift.md"),
        (403, "Harbor refused GET retentions/1: HTTP 403"),
    ],
)  # fmt: skip
def test_an_error_500_of_a_retention_policy_is_explained(status: int, reason: str) -> None:
    with serving({**HARBOR, "/api/v2.0/retentions/1": Refused(status)}) as api:
        inventory = scan(only(System.HARBOR, api.url), HARBOR_STATE)
    assert [(gap.tenant, gap.reason) for gap in inventory.gaps] == [("alpha", reason)]


def test_a_project_of_harbor_deleted_during_the_scan_is_no_finding() -> None:
    lists = (f"/api/v2.0/projects/2/{kind}" for kind in ("members", "immutabletagrules", "webhook/policies"))
    gone = {path: Refused(404) for path in ("/api/v2.0/projects/2", *lists)}
    with serving({**HARBOR, **gone}) as api:
        assert names(scan(only(System.HARBOR, api.url), HARBOR_STATE)) == set()


def test_unmanaged_objects_of_harbor_are_found() -> None:
    grants = [{"kind": "project", "namespace": "alpha", "access": [{"action": "push", "resource": "repository"}]}]
    added = {
        "/api/v2.0/projects": [{"name": "beta", "project_id": 8}, {"name": "x", "project_id": 9}],
        "/api/v2.0/projects/2": {"name": "alpha", "owner_name": "admin", "metadata": {"retention_id": "9"}},
        "/api/v2.0/projects/2/members": [
            {"id": 2, "entity_type": "u", "entity_name": "mallory", "role_name": "developer"},
            {"id": 3, "entity_type": "g", "entity_name": "/beta/owner", "role_name": "guest"},
        ],
        "/api/v2.0/robots": [{"id": 6, "name": "robot$x", "permissions": grants}],
        "/api/v2.0/projects/2/webhook/policies": [
            {"id": 1, "name": "w", "targets": [{"address": f"https://evil.example/{MARKER}"}]}
        ],
        "/api/v2.0/projects/2/immutabletagrules": [{"id": 4, "tag_selectors": [{"pattern": "**"}]}],
        "/api/v2.0/registries": [{"id": 1, "name": "hub", "url": "https://hub.example"}],
        "/api/v2.0/replication/policies": [{"id": 1, "name": "copy", "enabled": True}],
        "/api/v2.0/users": [{"user_id": 2, "username": "mallory", "sysadmin_flag": True}],
    }
    with serving({**HARBOR, **added}) as api:
        inventory = scan(only(System.HARBOR, api.url), HARBOR_STATE)
    assert names(inventory) == {
        ("beta", "Project", "beta"),
        (None, "Project", "x"),
        ("alpha", "ProjectMemberUser", "alpha: mallory"),
        ("alpha", "ProjectMemberGroup", "alpha: /beta/owner"),
        ("alpha", "RobotAccount", "robot: robot$x"),
        (None, "RobotAccount", "robot: robot$x"),
        ("alpha", "ProjectWebhook", "alpha: webhook w"),
        ("alpha", "ImmutableTagRule", "alpha: immutable ** (#4)"),
        ("alpha", "RetentionPolicy", "alpha: retention"),
        (None, "Registry", "registry: hub"),
        (None, "Replication", "replication: copy"),
        (None, "User", "administrator: mallory"),
    }
    removals = {found.name: found.removal for found in inventory.found}
    assert removals["alpha: retention"] == (
        "DELETE /api/v2.0/retentions/9, then DELETE /api/v2.0/projects/2/metadatas/retention_id"
    )
    ids = {found.name: found.import_id for found in inventory.found}
    assert ids["alpha: mallory"] is None  # no plugin of the platform has the type
    assert ids["alpha: /beta/owner"] == "/projects/2/members/3"

"""What all inventories share: managed objects, owners of names, pages, retries, gaps of a scan."""

from __future__ import annotations

import dataclasses
import time

import pytest

from model.settings import Endpoint, FoundationMode, System
from tests.drift.inventory.api_server import Refused, Script, serving
from tests.drift.inventory.scanning import EMPTY_HARBOR, ENVIRONMENT, MARKER, names, only, resource, scan
from tests.factories import settings, tenant
from usine.clients import ClientError, Connections
from usine.clients.rest import RestClient
from usine.drift.inventory.base import InventoryScope, Managed, managed

_TENANT = "urn:pulumi:s::usine::usine:usine:TenantProject$usine:vault:VaultTenant"
CHECKPOINT = {
    "deployment": {
        "resources": [
            {"urn": "urn:pulumi:s::usine::pulumi:pulumi:Stack::usine-s", "type": "pulumi:pulumi:Stack"},
            {
                "urn": "urn:pulumi:s::usine::pulumi:providers:vault::vault",
                "type": "pulumi:providers:vault",
                "id": "1-2",
            },
            {"urn": "urn:pulumi:s::usine::usine:usine:Foundation::foundation", "type": "usine:usine:Foundation"},
            {
                "urn": f"{_TENANT}$vault:index/mount:Mount::alpha/vault/mount",
                "type": "vault:index/mount:Mount",
                "id": "alpha",
                "inputs": {"path": "alpha"},
                "provider": "urn:pulumi:s::usine::pulumi:providers:vault::vault::1-2",
            },
        ]
    }
}


def test_a_checkpoint_has_objects_components_and_providers_and_only_objects_are_managed() -> None:
    (mount,) = managed(CHECKPOINT)
    assert (mount.type, mount.id, mount.tenant, mount.provider) == (
        "vault:index/mount:Mount",
        "alpha",
        "alpha",
        "vault",
    )
    assert mount.inputs == {"path": "alpha"}
    assert mount.outputs == {}
    assert managed({"deployment": None}) == ()


@pytest.mark.parametrize(
    ("name", "separators", "owner"),
    [
        ("a-b", "-", "a-b"),
        ("a-b-dev", "-", "a-b"),
        ("a-dev", "-", "a"),
        ("a.role.owner", ".", "a"),
        ("a-b.role.owner", ".", "a-b"),
        ("a/owner", "/", "a"),
        ("ab-dev", "-", None),
        ("a", "/", "a"),
        ("other", "/-.", None),
        ("", "/", None),
    ],
)
def test_a_name_belongs_to_the_longest_slug_that_it_begins_with(name: str, separators: str, owner: str | None) -> None:
    scope = InventoryScope(settings(), (tenant("a"), tenant("a-b")), ())
    assert scope.owner(name, separators) == owner


def test_a_stack_reports_on_the_tenants_that_it_has() -> None:
    projects = (tenant("alpha"), tenant("beta"))
    gone = (resource("vault:index/mount:Mount", "gamma", tenant="gamma"),)
    whole = InventoryScope(settings(), projects, gone)
    assert whole.everyone == (None, "alpha", "beta", "gamma")  # gamma has no file, but objects in the state
    foundation = InventoryScope(settings(foundation=FoundationMode.ONLY), projects, ())
    assert foundation.everyone == (None,)
    assert foundation.slugs == {"alpha", "beta"}  # names are resolved for all tenants
    alone = InventoryScope(settings(foundation=FoundationMode.SKIP, tenants=("beta",)), projects, ())
    assert alone.everyone == ("beta",)
    assert (alone.includes("beta"), alone.includes("alpha"), alone.includes(None)) == (True, False, False)


def test_all_pages_of_a_list_are_read() -> None:
    items = [{"id": number} for number in range(250)]
    with serving({"/things": items}) as api:
        client = RestClient("It", api.url)
        assert list(client.pages("things", of="anything")) == items
        assert [query["page"] for _, _, query, _ in api.asked] == ["1", "2", "3"]
        assert client.get("nothing") is None
        assert api.methods() == {"GET"}


def test_a_404_of_a_list_is_an_error_unless_the_object_of_the_list_is_gone() -> None:
    with serving({"/there": {"id": 1}}) as api:
        client = RestClient("It", api.url)
        assert list(client.pages("gone/things", of="gone")) == []
        for of in ("there", None):
            with pytest.raises(ClientError, match="It refused GET there/things: HTTP 404"):
                list(client.pages("there/things", of=of))


def test_a_throttled_request_is_sent_again_after_the_time_that_the_server_names() -> None:
    throttled = Script([Refused(429, {"Retry-After": "1"}), {"answer": 42}])
    with serving({"/thing": throttled}) as api:
        before = time.monotonic()
        assert RestClient("It", api.url).get("thing") == {"answer": 42}
        assert time.monotonic() - before >= 1
        assert len(api.asked) == 2


def test_a_refusal_is_one_line_without_the_credential() -> None:
    with serving({"/api/v4/groups/1/members": Refused(403)}) as api:
        client = Connections({System.GITLAB: Endpoint(api.url)}, ENVIRONMENT).gitlab()
        with pytest.raises(ClientError) as refused:
            list(client.pages("groups/1/members"))
        assert str(refused.value) == "GitLab refused GET groups/1/members: HTTP 403"
        assert refused.value.__cause__ is None
        assert api.asked[0][3]["PRIVATE-TOKEN"] == MARKER  # sent, but not in the error


def test_after_a_request_without_an_answer_the_next_ones_fail_at_once() -> None:
    with serving({}) as api:
        url = api.url
    client = RestClient("It", url)  # the server has stopped
    with pytest.raises(ClientError, match="It does not answer"):
        client.get("thing")
    before = time.monotonic()
    for _ in range(100):
        with pytest.raises(ClientError, match="It does not answer"):
            client.get("thing")
    assert time.monotonic() - before < 0.5


def test_gaps_are_reported_by_tenant_and_the_scan_goes_on() -> None:
    answers = {
        "/api/v2.0/projects": [{"name": "stray", "project_id": 9, "metadata": {}}],
        "/api/v2.0/projects/1": {"name": "alpha", "owner_name": "admin", "metadata": {}},
        "/api/v2.0/projects/1/immutabletagrules": [],
        "/api/v2.0/projects/1/webhook/policies": [],
        **EMPTY_HARBOR,
        "/api/v2.0/projects/1/members": Refused(403),
        "/api/v2.0/users": ["nothing", "anybody", "expects"],
    }
    with serving(answers) as api:
        chosen = only(System.HARBOR, api.url)
        inventory = scan(chosen, [resource("harbor:index/project:Project", "/projects/1", name="alpha")])
        assert {(gap.tenant, gap.reason) for gap in inventory.gaps} == {
            ("alpha", "Harbor refused GET projects/1/members: HTTP 403"),
            (None, "harbor gave an unexpected answer: AttributeError"),
        }
        assert [item.name for item in inventory.found] == ["stray"]
        tenants = dataclasses.replace(chosen, foundation=FoundationMode.SKIP, tenants=("beta",))
        assert names(scan(tenants, ())) == set()


def test_a_system_that_is_down_does_not_stop_the_scan_of_another() -> None:
    answers = {**EMPTY_HARBOR, "/api/v2.0/projects": [{"name": "stray", "project_id": 9}]}
    with serving(answers) as harbor:
        chosen = only(System.HARBOR, harbor.url)
        both = dataclasses.replace(chosen, systems=frozenset({System.HARBOR, System.VAULT}))
        both = dataclasses.replace(both, endpoints={**both.endpoints, System.VAULT: Endpoint("http://127.0.0.1:9")})
        inventory = scan(both, ())
        assert [item.name for item in inventory.found] == ["stray"]
        assert {(gap.system, gap.tenant) for gap in inventory.gaps} == {
            ("vault", None),
            ("vault", "alpha"),
            ("vault", "beta"),
        }
        assert {gap.reason for gap in inventory.gaps} == {"Vault does not answer"}


def test_a_rotated_token_is_managed_under_the_id_in_its_outputs() -> None:
    token = "gitlab:index/projectAccessToken:ProjectAccessToken"
    made = Managed(f"urn:pulumi:test::usine::{token}::alpha/x", token, "7:1", {}, {"id": "7:2"}, "")
    scope = InventoryScope(settings(), (tenant("alpha"),), (made,))
    assert [scope.knows(token, id_) for id_ in ("7:1", "7:2", "7:3")] == [True, True, False]

"""What every system's listing stands on: the state as values, whose a name is, and asking politely."""

from __future__ import annotations

import dataclasses
import time

import pytest

from model.settings import Endpoint, FoundationMode, System
from tests.drift.inventory.api_server import Refused, Script, serving
from tests.drift.inventory.looking import EMPTY_HARBOR, ENVIRONMENT, MARKER, look, names, only, resource
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


def test_a_checkpoint_gives_its_objects_only() -> None:
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
def test_a_name_is_its_slug_s_and_the_longest_counts(name: str, separators: str, owner: str | None) -> None:
    scope = InventoryScope(settings(), (tenant("a"), tenant("a-b")), ())
    assert scope.owner(name, separators) == owner


def test_a_stack_speaks_of_what_it_holds() -> None:
    projects = (tenant("alpha"), tenant("beta"))
    gone = (resource("vault:index/mount:Mount", "gamma", tenant="gamma"),)
    whole = InventoryScope(settings(), projects, gone)
    assert whole.everyone == (None, "alpha", "beta", "gamma")  # whose file is gone is in the state all the same
    foundation = InventoryScope(settings(foundation=FoundationMode.ONLY), projects, ())
    assert foundation.everyone == (None,)
    assert foundation.slugs == {"alpha", "beta"}  # it must know whose everything else is
    alone = InventoryScope(settings(foundation=FoundationMode.SKIP, tenants=("beta",)), projects, ())
    assert alone.everyone == ("beta",)
    assert (alone.speaks_of("beta"), alone.speaks_of("alpha"), alone.speaks_of(None)) == (True, False, False)


def test_every_page_is_asked_for() -> None:
    items = [{"id": number} for number in range(250)]
    with serving({"/things": items}) as api:
        client = RestClient("It", api.url)
        assert list(client.pages("things", of="anything")) == items
        assert [query["page"] for _, _, query, _ in api.asked] == ["1", "2", "3"]
        assert client.get("nothing") is None
        assert api.methods() == {"GET"}


def test_a_list_that_is_not_found_is_no_empty_list_unless_its_object_is_gone() -> None:
    with serving({"/there": {"id": 1}}) as api:
        client = RestClient("It", api.url)
        assert list(client.pages("gone/things", of="gone")) == []
        for of in ("there", None):
            with pytest.raises(ClientError, match="It refused GET there/things: HTTP 404"):
                list(client.pages("there/things", of=of))


def test_a_throttled_question_is_asked_again_when_it_is_time() -> None:
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
        assert api.asked[0][3]["PRIVATE-TOKEN"] == MARKER  # it was sent, and is not told


def test_no_question_waits_for_what_does_not_answer() -> None:
    with serving({}) as api:
        url = api.url
    client = RestClient("It", url)  # nobody listens there any more
    with pytest.raises(ClientError, match="It does not answer"):
        client.get("thing")
    before = time.monotonic()
    for _ in range(100):
        with pytest.raises(ClientError, match="It does not answer"):
            client.get("thing")
    assert time.monotonic() - before < 0.5


def test_what_cannot_be_seen_is_said_by_tenant_and_the_rest_is_seen() -> None:
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
        inventory = look(chosen, [resource("harbor:index/project:Project", "/projects/1", name="alpha")])
        assert {(blind.tenant, blind.reason) for blind in inventory.blind} == {
            ("alpha", "Harbor refused GET projects/1/members: HTTP 403"),
            (None, "harbor gave an unexpected answer: AttributeError"),
        }
        assert [item.name for item in inventory.found] == ["stray"]
        tenants = dataclasses.replace(chosen, foundation=FoundationMode.SKIP, tenants=("beta",))
        assert names(look(tenants, ())) == set()


def test_a_system_that_is_down_hides_nothing_of_another() -> None:
    answers = {**EMPTY_HARBOR, "/api/v2.0/projects": [{"name": "stray", "project_id": 9}]}
    with serving(answers) as harbor:
        chosen = only(System.HARBOR, harbor.url)
        both = dataclasses.replace(chosen, systems=frozenset({System.HARBOR, System.VAULT}))
        both = dataclasses.replace(both, endpoints={**both.endpoints, System.VAULT: Endpoint("http://127.0.0.1:9")})
        inventory = look(both, ())
        assert [item.name for item in inventory.found] == ["stray"]
        assert {(blind.system, blind.tenant) for blind in inventory.blind} == {
            ("vault", None),
            ("vault", "alpha"),
            ("vault", "beta"),
        }
        assert {blind.reason for blind in inventory.blind} == {"Vault does not answer"}


def test_a_rotated_token_is_known_by_the_id_that_its_outputs_tell() -> None:
    token = "gitlab:index/projectAccessToken:ProjectAccessToken"
    made = Managed(f"urn:pulumi:test::usine::{token}::alpha/x", token, "7:1", {}, {"id": "7:2"}, "")
    scope = InventoryScope(settings(), (tenant("alpha"),), (made,))
    assert [scope.knows(token, id_) for id_ in ("7:1", "7:2", "7:3")] == [True, True, False]

"""Each client sends its own credential, to its own system only, and no error contains it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lab.testing.ports import free_port
from model.settings import Endpoint, System
from pulumi_facts.credentials import CREDENTIALS
from tests.drift.inventory.api_server import Refused, Script, serving
from tests.drift.inventory.scanning import ENVIRONMENT, MARKER
from usine.clients import ClientError, Connections, NoAnswerError
from usine.clients.base import ApiClient
from usine.clients.gitlab import GitLabClient

TOKEN = {"/realms/master/protocol/openid-connect/token": {"access_token": MARKER, "expires_in": 60}}
CLIENTS: dict[System, tuple[Callable[[Connections], ApiClient], str, str]] = {
    System.GITLAB: (Connections.gitlab, "/api/v4", "Private-Token"),
    System.VAULT: (Connections.vault, "/v1", "X-Vault-Token"),
    System.HARBOR: (Connections.harbor, "/api/v2.0", "Authorization"),
    System.KEYCLOAK: (Connections.keycloak, "/admin/realms", "Authorization"),
}
each_system = pytest.mark.parametrize("system", list(CLIENTS))


def client_at(system: System, url: str, **environment: str) -> ApiClient:
    return CLIENTS[system][0](Connections({system: Endpoint(url)}, {**ENVIRONMENT, **environment}))


def headers_of(asked: list[Any], path: str) -> list[dict[str, str]]:
    return [
        {name.title(): value for name, value in headers.items()}
        for _, asked_path, _, headers in asked
        if asked_path == path
    ]


@each_system
def test_a_transient_failure_is_tried_again_and_a_refusal_is_one_line_without_the_credential(system: System) -> None:
    _, base, header = CLIENTS[system]
    answers = {f"{base}/x": Script([Refused(503), {"id": 1}]), f"{base}/y": Refused(403, body={"message": MARKER})}
    with serving({**TOKEN, **answers}) as api:
        client = client_at(system, api.url)
        assert client.get("x") == {"id": 1}
        with pytest.raises(ClientError) as refused:
            client.get("y")
        sent = headers_of(api.asked, f"{base}/y")
    assert str(refused.value) == f"{client.system} refused GET y: HTTP 403"
    assert (refused.value.reason, refused.value.status) == ("HTTP 403", 403)
    assert refused.value.__cause__ is None
    assert MARKER in sent[0][header] or header == "Authorization"


@each_system
def test_no_answer_and_no_json_are_errors_without_the_credential(system: System) -> None:
    client = client_at(system, f"http://127.0.0.1:{free_port()}")
    with pytest.raises(NoAnswerError) as told:
        client.get("x")
    assert (str(told.value), told.value.reason) == (f"{client.system} does not answer", "ConnectionError")
    with serving({**TOKEN, f"{CLIENTS[system][1]}/x": Refused(200, body=None)}) as api:
        assert client_at(system, api.url).get("x") is None  # an empty answer


@each_system
def test_a_redirect_to_another_host_does_not_send_the_credential(system: System) -> None:
    _, base, header = CLIENTS[system]
    with serving({"/elsewhere": {"id": 1}}) as other:
        moved = Refused(302, headers={"Location": other.url.replace("127.0.0.1", "localhost") + "/elsewhere"})
        with serving({**TOKEN, f"{base}/x": moved}) as api:
            assert client_at(system, api.url).get("x") == {"id": 1}
            assert headers_of(api.asked, f"{base}/x")[0][header]
        (sent,) = headers_of(other.asked, "/elsewhere")
    assert header not in sent
    assert MARKER not in str(sent)


def test_requests_to_vault_name_its_namespace() -> None:
    with serving({"/v1/sys/mounts": {"data": {}}}) as api:
        client_at(System.VAULT, api.url, VAULT_NAMESPACE="team").get("sys/mounts")
        client_at(System.VAULT, api.url).get("sys/mounts")
        sent = headers_of(api.asked, "/v1/sys/mounts")
    assert [headers.get("X-Vault-Namespace") for headers in sent] == ["team", None]


def test_pages_of_gitlab_follow_its_links() -> None:
    with serving({}) as api:
        path = "/api/v4/things"
        link = {"Link": f'<{api.url}{path}?cursor=abc>; rel="next"'}
        api.by_path[path] = Script([Refused(200, link, [{"id": 1}]), [{"id": 2}]])
        assert [item["id"] for item in GitLabClient(api.url, MARKER).pages("things", active="true")] == [1, 2]
        first, second = (query for _, _, query, _ in api.asked)
    assert (first["active"], first["per_page"], second["cursor"]) == ("true", "100", "abc")


def test_a_write_is_sent_again_only_if_the_caller_says_that_it_can_be_repeated() -> None:
    with serving({"/api/v4/notes": Script([Refused(503), {"id": 1}])}) as api:
        with pytest.raises(ClientError, match="refused POST notes: HTTP 503"):
            GitLabClient(api.url, MARKER).request("POST", "notes", json={})
        api.by_path["/api/v4/notes"] = Script([Refused(503), {"id": 1}])
        assert GitLabClient(api.url, MARKER, retry_writes=True).request("POST", "notes", json={}) == {"id": 1}


def test_a_client_sees_the_credentials_of_its_own_system_only() -> None:
    connections = Connections({}, {**dict.fromkeys(CREDENTIALS, MARKER), "PATH": "/bin"})
    for system in System:
        readable = {name for name, systems in CREDENTIALS.items() if system in systems}
        assert set(connections._variables(system)) == {*readable, "PATH"}

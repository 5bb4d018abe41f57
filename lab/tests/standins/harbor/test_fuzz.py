"""Fuzzing of all operations of the stand-in Harbor: no request makes it fail."""

from __future__ import annotations

from typing import Any, Final

import httpx
import pytest
import schemathesis

from lab.standins.harbor import artifacts
from lab.standins.harbor.app import create_inner
from lab.standins.serve import Configuration
from lab.tests.standins.fuzzing import Attack
from lab.tests.standins.harbor.conftest import PASSWORD, live_harbor, robot_body
from lab.tests.standins.harbor.test_rules import retention

_EXAMPLES: Final = 6
_DIGEST: Final = "sha256:" + "0" * 64

#: Objects that all others need must not be deleted; their deletion has separate tests.
_NEEDED: Final = (
    "/api/v2.0/projects/{project_name_or_id}",
    "/api/v2.0/projects/{project_name}/repositories/{repository_name}",
)
_known: dict[str, str] = {}


#: Harbor's answer for a missing retention policy. A handler with a defect does not answer at all.
_UNKNOWN: Final = '"message":"internal server error"'


def _made(client: httpx.Client, where: str, content: Any) -> str:
    answer = client.post(where, json=content)
    assert answer.status_code == 201, f"{where}: {answer.text}"
    return answer.headers["Location"].rpartition("/")[2]


def _fill(client: httpx.Client) -> dict[str, str]:
    """Create one object of each kind, so that requests do not end with a 404; return values for path parameters."""
    number = int(_made(client, "/projects", {"project_name": "fuzz"}))
    at = f"/projects/{number}"
    rule = retention(number)["rules"][0]
    target = {"type": "http", "address": "http://example.com"}
    user = {"username": "fuzz", "email": "fuzz@example.com", "realname": "F", "password": PASSWORD}
    person = _made(client, "/users", user)
    return {
        "project_name_or_id": "fuzz",
        "project_name": "fuzz",
        "repository_name": "app",
        "reference": "latest",
        "tag_name": "latest",
        "user_id": person,
        "mid": _made(client, f"{at}/members", {"role_id": 2, "member_user": {"username": "fuzz"}}),
        "robot_id": _made(client, "/robots", robot_body("fuzz", ("repository", "pull"))),
        "id": _made(client, "/retentions", retention(number)),
        "immutable_rule_id": _made(client, f"{at}/immutabletagrules", rule),
        "webhook_policy_id": _made(
            client, f"{at}/webhook/policies", {"name": "w", "event_types": ["PUSH_ARTIFACT"], "targets": [target]}
        ),
        "label_id": _made(client, "/labels", {"name": "l", "scope": "g"}),
        "registration_id": str(client.get("/scanners").json()[0]["uuid"]),
    }


def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:  # noqa: ARG001 - schemathesis' own signature
    """Let most requests refer to existing objects."""
    if not path_parameters:
        return path_parameters
    return {
        # A third keeps the generated values, to test missing objects too.
        name: value if len(str(value)) % 3 == 0 else _known.get(name, value)
        for name, value in path_parameters.items()
    }


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the API description of a server with some objects, without a registry and without connections."""
    data = tmp_path_factory.mktemp("harbor-fuzz")
    with live_harbor(data) as live, live.http() as client:
        _known.update(_fill(client))
    app = create_inner(Configuration(0, "http://harbor.test", data, PASSWORD, {}))
    site = app.state.site
    manifest = artifacts.Manifest(b'{"layers": [{"digest": "sha256:1", "size": 3}]}', "x")
    with site.store.transaction():
        artifacts.record(site, site.project("fuzz"), "fuzz/app", _DIGEST, manifest, "latest")
    described = schemathesis.openapi.from_asgi("/-/lab/openapi.json", app)
    described.hook(map_path_parameters)
    return described


def test_no_request_makes_the_server_fail(described: Any) -> None:
    attack = Attack(lambda case: case.call(auth=("admin", PASSWORD), cookies={}), _EXAMPLES, _NEEDED, _UNKNOWN)
    attack.run(described)
    assert not attack.failed, "\n".join(attack.failed)
    assert len(attack.reached) > attack.count / 2, "too few requests get past the checks to show anything"

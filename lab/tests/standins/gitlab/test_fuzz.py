"""Fuzzing of all operations of the stand-in GitLab: no request makes it fail."""

from __future__ import annotations

from typing import Any, Final

import httpx
import pytest
import schemathesis

from lab.standins.gitlab import seed
from lab.standins.gitlab.app import application
from lab.standins.gitlab.site import GitLabSite
from lab.standins.serve import Configuration
from lab.testing.gitlab_server import ROOT_TOKEN, live_gitlab
from lab.tests.standins.fuzzing import Attack

_EXAMPLES: Final = 3
#: Invalid values, sent for all parameters of an operation at once.
_ODD: Final[tuple[Any, ...]] = (
    [],
    {},
    [[]],
    [{}],
    {"a": [None]},
    10**30,
    -1,
    0.5,
    True,
    "",
    "\ud800",
    "\x00",
    "é" * 300,
    None,
)
_KEY: Final = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPX2TcnFBDwDlEGMUN3T3WsgXhYaTVcOyZTHmr1rWjUu"
#: Objects that all others need must not be deleted; their deletion has separate tests.
_NEEDED: Final = frozenset({"/api/v4/projects/{id}", "/api/v4/groups/{id}", "/api/v4/users/{id}"})


def _made(client: httpx.Client, where: str, **content: Any) -> Any:
    answer = client.post(where, json=content)
    assert answer.status_code == 201, f"{where}: {answer.text}"
    return answer.json()


def _fill(client: httpx.Client) -> dict[str, Any]:
    """Create one object of each kind, so that requests do not end with a 404; return values for path parameters."""
    group = _made(client, "/groups", name="Fuzz", path="fuzz")
    project = _made(
        client, "/projects", name="Fuzz", path="fuzz", namespace_id=group["id"], initialize_with_readme=True
    )
    at = f"/projects/{project['id']}"
    user = _made(client, "/users", name="Fuzz", username="fuzzy", email="fuzz@example.com", reset_password=True)
    _made(client, f"{at}/members", user_id=user["id"], access_level=30)
    _made(client, f"{at}/variables", key="FUZZ", value="value")
    _made(client, f"/groups/{group['id']}/variables", key="FUZZ", value="value")
    _made(client, f"{at}/protected_branches", name="fuzz")
    _made(client, f"{at}/protected_tags", name="fuzz")
    _made(client, f"{at}/protected_environments", name="fuzz", deploy_access_levels=[{"access_level": 40}])
    schedule = _made(client, f"{at}/pipeline_schedules", description="d", ref="main", cron="0 1 * * *")
    _made(client, f"{at}/pipeline_schedules/{schedule['id']}/variables", key="FUZZ", value="value")
    token = _made(client, f"{at}/access_tokens", name="t", scopes=["api"])
    return {
        **_work(client, at),
        "id": str(project["id"]),
        "name": "fuzz",
        "key": "FUZZ",
        "user_id": str(user["id"]),
        "environment_id": str(_made(client, f"{at}/environments", name="fuzz")["id"]),
        "schedule_id": str(schedule["id"]),
        "hook_id": str(_made(client, f"{at}/hooks", url="http://example.com")["id"]),
        "rule_id": str(_made(client, f"{at}/approval_rules", name="r", approvals_required=1)["id"]),
        "token_id": str(token["id"]),
        "key_id": str(_made(client, f"{at}/deploy_keys", title="k", key=_KEY)["id"]),
    }


def _work(client: httpx.Client, at: str) -> dict[str, str]:
    """Create commits, a pipeline with its job, a runner, an issue and a merge request with notes."""
    action = {"action": "create", "file_path": ".gitlab-ci.yml", "content": "job: {script: [x], when: manual}\n"}
    _made(client, f"{at}/repository/commits", branch="main", commit_message="ci", actions=[action])
    change = {"action": "create", "file_path": "side", "content": "x"}
    commit = {"branch": "side", "start_branch": "main", "commit_message": "side", "actions": [change]}
    _made(client, f"{at}/repository/commits", **commit)
    _made(client, f"{at}/repository/tags", tag_name="fuzzy", ref="main")
    pipeline = _made(client, f"{at}/pipeline", ref="main")
    (job,) = client.get(f"{at}/pipelines/{pipeline['id']}/jobs").json()
    issue = _made(client, f"{at}/issues", title="fuzz")
    request = _made(client, f"{at}/merge_requests", source_branch="side", target_branch="main", title="fuzz")
    note = _made(client, f"{at}/issues/{issue['iid']}/notes", body="fuzz")
    _made(client, f"{at}/merge_requests/{request['iid']}/notes", body="fuzz")
    return {
        "file_path": "side",
        "branch": "side",
        "sha": "main",
        "tag_name": "fuzzy",
        "pipeline_id": str(pipeline["id"]),
        "job_id": str(job["id"]),
        "runner_id": str(_made(client, "/user/runners", runner_type="instance_type")["id"]),
        "trigger_id": str(_made(client, f"{at}/triggers", description="fuzz")["id"]),
        "issue_iid": str(issue["iid"]),
        "merge_request_iid": str(request["iid"]),
        "iid": str(issue["iid"]),
        "note_id": str(note["id"]),
    }


_known: dict[str, Any] = {}


def _existing(name: str, path: str) -> str | None:
    """Return values for a path parameter that refer to existing objects, but not to those that all others need."""
    if name == "id" and path.startswith("/api/v4/groups/"):
        return "fuzz"
    if name == "id" and path.startswith("/api/v4/users/"):
        return str(_known["user_id"])
    return _known.get(name)


def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Let most requests refer to existing objects."""
    if not path_parameters:
        return path_parameters
    return {
        # Some keep the generated values, to test missing objects too.
        name: value if len(str(value)) % 3 == 0 else _existing(name, context.operation.path) or value
        for name, value in path_parameters.items()
    }


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the API description of a server of the paid edition with some objects."""
    data = tmp_path_factory.mktemp("gitlab-fuzz")
    with live_gitlab(data, edition="premium") as server, server.http() as client:
        _known.update(_fill(client))
    site = GitLabSite.open(Configuration(0, "http://gitlab.test", data, ROOT_TOKEN, {"edition": "premium"}))
    schema = schemathesis.openapi.from_asgi("/-/lab/openapi.json", application(site, ROOT_TOKEN))
    schema.hook(map_path_parameters)
    return site, schema


def _oddly(operation: Any, odd: Any) -> Any:
    """Return a request with this value for each parameter of the query or the body."""
    described = operation.definition.raw
    names = [one["name"] for one in described.get("parameters", []) if one["in"] == "path"]
    known = {name: _existing(name, operation.path) or "1" for name in names}
    if operation.method == "delete" and operation.path in _NEEDED:
        known["id"] = "999999"
    content = described.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        query = {
            one["name"]: str(odd).replace("\ud800", "%")
            for one in described.get("parameters", [])
            if one["in"] == "query"
        }
        return operation.Case(path_parameters=known, query=query)
    body = dict.fromkeys(content["schema"].get("properties", {}), odd)
    return operation.Case(path_parameters=known, body=body, media_type="application/json")


def test_no_request_makes_the_server_fail(described: Any) -> None:
    site, schema = described

    def send(case: Any) -> Any:
        return case.call(headers={"PRIVATE-TOKEN": ROOT_TOKEN})

    def oddly(operation: Any) -> None:
        try:
            for odd in _ODD:
                answer = send(_oddly(operation, odd))
                assert answer.status_code < 500, f"{operation.label} with {odd!r}: {answer.text}"
        finally:
            seed.create_initial(site, ROOT_TOKEN)  # in case the token has just revoked itself

    attack = Attack(send, _EXAMPLES, _NEEDED)
    attack.run(schema, oddly)
    assert not attack.failed, "\n".join(attack.failed)
    assert len(attack.reached) > attack.count / 3, "too few requests get past the checks to show anything"

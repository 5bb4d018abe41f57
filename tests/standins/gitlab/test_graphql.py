"""GraphQL: the queries that clients make, what strangers do not see, and introspection."""

from __future__ import annotations

from typing import Any

import httpx
from graphql import build_client_schema, get_introspection_query

from tests.standins.gitlab.conftest import ROOT_TOKEN, Live


def ask(live: Live, query: str, token: str | None = ROOT_TOKEN, **variables: Any) -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    content = {"query": query, "variables": variables}
    return httpx.post(f"{live.url}/api/graphql", json=content, headers=headers, trust_env=False)


def test_current_user(live: Live, someone: Any) -> None:
    query = "query {currentUser {name, bot, groupCount, id, namespace{id}, publicEmail, username}}"
    found = ask(live, query).json()["data"]["currentUser"]
    assert (found["username"], found["bot"], found["id"]) == ("root", False, "gid://gitlab/User/1")
    assert found["namespace"]["id"].startswith("gid://gitlab/Namespaces::UserNamespace/")
    user, client = someone()
    assert ask(live, query, client.private_token).json()["data"]["currentUser"]["username"] == user.username
    assert ask(live, query, None).json() == {"data": {"currentUser": None}}
    wrong = ask(live, query, "glpat-wrong")
    assert (wrong.status_code, wrong.json()) == (401, {"errors": [{"message": "Invalid token"}]})


def test_metadata(live: Live) -> None:
    query = "{ metadata { version revision enterprise kas { enabled } } }"
    found = ask(live, query).json()["data"]["metadata"]
    assert found["version"] == live.root.version()[0]
    assert found["kas"] == {"enabled": False}
    assert ask(live, query, None).json()["data"]["metadata"] is None


def test_project_and_group(live: Live, project: Any, group: Any, someone: Any) -> None:
    query = """query($p: ID!, $g: ID!) {
      project(fullPath: $p) { id fullPath visibility repository { empty rootRef } group { fullPath } }
      group(fullPath: $g) { id projects { count nodes { fullPath } pageInfo { hasNextPage } } parent { id } }
    }"""
    names = {"p": project.path_with_namespace, "g": group.full_path}
    found = ask(live, query, **names).json()["data"]
    assert found["project"]["id"] == f"gid://gitlab/Project/{project.id}"
    assert found["project"]["repository"] == {"empty": True, "rootRef": None}
    assert found["project"]["group"]["fullPath"] == group.full_path
    assert found["group"]["projects"]["nodes"] == [{"fullPath": project.path_with_namespace}]
    _, client = someone()
    assert ask(live, query, client.private_token, **names).json()["data"] == {"project": None, "group": None}
    assert ask(live, query, None, **names).json()["data"] == {"project": None, "group": None}


def test_introspection(live: Live) -> None:
    schema = build_client_schema(ask(live, get_introspection_query()).json()["data"])
    assert schema.query_type is not None
    assert {"currentUser", "metadata", "project", "group"} <= set(schema.query_type.fields)


def test_what_is_wrong(live: Live) -> None:
    assert "Cannot query field 'nothing'" in ask(live, "{ nothing }").json()["errors"][0]["message"]
    assert ask(live, "{ currentUser {").json()["errors"]
    assert ask(live, "").json()["errors"]
    assert ask(live, "{" + "a{" * 5000).json()["errors"]
    for body in (b"[1]", b"{", b'{"query": 1}', b'{"query": "{ metadata { version } }", "variables": [1]}'):
        answer = httpx.post(f"{live.url}/api/graphql", content=body, trust_env=False)
        assert answer.status_code < 500
        assert answer.json()["errors"]

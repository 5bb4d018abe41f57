# ruff: noqa: ANN401 - GraphQL values
"""GraphQL at `/api/graphql`: who asks, the instance, projects and groups by path, with introspection."""

from __future__ import annotations

import json
from typing import Any, Final

from graphql import GraphQLResolveInfo, GraphQLSchema, build_schema, graphql_sync
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from lab.standins.gitlab import access, groups
from lab.standins.gitlab.actors import authenticate
from lab.standins.gitlab.api_instance import REVISION, VERSION
from lab.standins.gitlab.errors import ApiError
from lab.standins.gitlab.graphql_schema import SCHEMA
from lab.standins.gitlab.repositories import repositories
from lab.standins.gitlab.routing import Call, Router
from lab.standins.gitlab.site import Site
from lab.standins.store import Document

router = Router("graphql")

Info = GraphQLResolveInfo[Any]
_LONGEST: Final = 100_000
_MOST_TOKENS: Final = 2000


def _schema() -> GraphQLSchema:
    schema = build_schema(SCHEMA)
    for type_name, fields in _RESOLVERS.items():
        for name, resolve in fields.items():
            schema.type_map[type_name].fields[name].resolve = resolve  # type: ignore[attr-defined]  # object types
    for interface in ("User",):
        schema.type_map[interface].resolve_type = lambda value, *_: value["__typename"]  # type: ignore[attr-defined]
    return schema


def _gid(kind: str, id_: int) -> str:
    return f"gid://gitlab/{kind}/{id_}"


def _call(info: Info) -> Call:
    call = info.context
    assert isinstance(call, Call)  # noqa: S101 - given below
    return call


# Values ---------------------------------------------------------------------------------------------------------------


def _user(call: Call, user: Document, kind: str) -> Document:
    site = call.site
    space = call.store.first("namespace", kind="user", owner_id=user["id"])
    return {
        "__typename": kind,
        "id": _gid("User", user["id"]),
        **{name: user[name] for name in ("username", "name", "bot", "state")},
        "active": user["state"] == "active",
        "publicEmail": user.get("public_email") or "",
        "webUrl": f"{site.url}/{user['username']}",
        "webPath": f"/{user['username']}",
        "avatarUrl": None,
        "groupCount": len(call.store.find("member", source_type="group", user_id=user["id"])),
        "namespace": _namespace(call, space) if space else None,
    }


def _namespace(call: Call, space: Document) -> Document:
    kind = "Namespaces::UserNamespace" if space["kind"] == "user" else "Group"
    name = space["name"] if space["kind"] == "user" else groups.full_name(call.site, space)
    return {
        "id": _gid(kind, space["id"]),
        **{key: space[key] for key in ("name", "path", "visibility")},
        "fullName": name,
        "fullPath": space["full_path"],
        "description": space.get("description") or "",
    }


def _project(call: Call, project: Document) -> Document:
    site, space = call.site, access.namespace(call.site, project)
    names = groups.full_name(site, space) if space["kind"] != "user" else space["name"]
    default = repositories(site).default_branch(project)
    return {
        "_document": project,
        "id": _gid("Project", project["id"]),
        **{name: project.get(name) for name in ("name", "path", "description", "visibility")},
        "archived": bool(project.get("archived")),
        "fullPath": project["full_path"],
        "nameWithNamespace": f"{names} / {project['name']}",
        "createdAt": project["created_at"],
        "lastActivityAt": project.get("last_activity_at") or project["created_at"],
        "webUrl": f"{site.url}/{project['full_path']}",
        "httpUrlToRepo": f"{site.url}/{project['full_path']}.git",
        "sshUrlToRepo": f"git@{site.url.split('://')[-1].split(':')[0]}:{project['full_path']}.git",
        "topics": project.get("topics") or [],
        "ciConfigPathOrDefault": project.get("ci_config_path") or ".gitlab-ci.yml",
        "namespace": _namespace(call, space),
        "repository": {"empty": default is None, "exists": True, "rootRef": default, "_document": project},
    }


def _group(call: Call, group: Document) -> Document:
    return {
        **_namespace(call, group),
        "_document": group,
        "createdAt": group["created_at"],
        "webUrl": f"{call.site.url}/groups/{group['full_path']}",
    }


# Resolvers ------------------------------------------------------------------------------------------------------------


def _current_user(_: Any, info: Info) -> Any:
    actor = _call(info).actor
    return _user(_call(info), actor.user, "CurrentUser") if actor is not None and actor.user is not None else None


def _one_user(_: Any, info: Info, id: Any = None, username: str | None = None) -> Any:
    call = _call(info)
    if call.actor is None:
        return None
    number = str(id or "").rpartition("/")[2]
    found = call.store.first("user", username_key=(username or "").lower())
    if number.isascii() and number.isdigit() and len(number) < 19:  # noqa: PLR2004 - fits 64 bits
        found = call.store.get("user", int(number))
    return _user(call, found, "UserCore") if found is not None else None


def _metadata(_: Any, info: Info) -> Any:
    call = _call(info)
    if call.actor is None:
        return None
    return {
        "version": VERSION + ("-ee" if call.site.enterprise else ""),
        "revision": REVISION,
        "enterprise": call.site.enterprise,
        "kas": {"enabled": False, "externalUrl": None, "externalK8sProxyUrl": None, "version": None},
    }


def _one_project(_: Any, info: Info, fullPath: str) -> Any:  # noqa: N803 - GraphQL's name
    call = _call(info)
    found = call.store.first("project", route=fullPath.lower())
    seen = found is not None and access.sees_project(call.site, call.actor, found)
    return _project(call, found) if seen and found is not None else None


def _one_group(_: Any, info: Info, fullPath: str) -> Any:  # noqa: N803 - GraphQL's name
    call = _call(info)
    found = call.store.first("namespace", route=fullPath.lower(), kind="group")
    seen = found is not None and access.sees_group(call.site, call.actor, found)
    return _group(call, found) if seen and found is not None else None


def _one_namespace(_: Any, info: Info, fullPath: str) -> Any:  # noqa: N803 - GraphQL's name
    call = _call(info)
    found = call.store.first("namespace", route=fullPath.lower())
    if found is None or (found["kind"] == "group" and not access.sees_group(call.site, call.actor, found)):
        return None
    return _namespace(call, found)


def _echo(_: Any, info: Info, text: str) -> str:
    actor = _call(info).actor
    who = f'"{actor.user["username"]}"' if actor is not None and actor.user is not None else "nil"
    return f"{who} says: {text}"


def _group_of(source: Document, info: Info) -> Any:
    call = _call(info)
    space = access.namespace(call.site, source["_document"])
    seen = space["kind"] == "group" and access.sees_group(call.site, call.actor, space)
    return _group(call, space) if seen else None


def _parent(source: Document, info: Info) -> Any:
    call = _call(info)
    parent = call.store.get("namespace", source["_document"].get("parent_id") or 0)
    return _group(call, parent) if parent is not None and access.sees_group(call.site, call.actor, parent) else None


def _connection(items: list[Document], first: int | None, after: str | None) -> Document:
    start = next((place + 1 for place, one in enumerate(items) if one["id"] == after), 0)
    size = max(0, min(first if first is not None else 100, 100))
    nodes = items[start : start + size]
    page = {
        "hasNextPage": start + size < len(items),
        "hasPreviousPage": start > 0,
        "startCursor": nodes[0]["id"] if nodes else None,
        "endCursor": nodes[-1]["id"] if nodes else None,
    }
    return {"nodes": nodes, "count": len(items), "pageInfo": page}


def _projects(
    source: Document,
    info: Info,
    includeSubgroups: bool | None = False,  # noqa: N803 - GraphQL's name
    first: int | None = None,
    after: str | None = None,
) -> Any:
    call, group = _call(info), source["_document"]
    inside = {group["id"]}
    if includeSubgroups:
        inside |= {one["id"] for one in access.descendants(call.site, group)}
    found = [one for one in call.store.find("project") if one["namespace_id"] in inside]
    seen = [_project(call, one) for one in found if access.sees_project(call.site, call.actor, one)]
    return _connection(seen, first, after)


def _descendants(source: Document, info: Info, first: int | None = None, after: str | None = None) -> Any:
    call = _call(info)
    found = access.descendants(call.site, source["_document"])
    seen = [_group(call, one) for one in found if access.sees_group(call.site, call.actor, one)]
    return _connection(seen, first, after)


def _branch_names(
    source: Document,
    info: Info,
    searchPattern: str,  # noqa: N803 - GraphQL's name
    offset: int,
    limit: int,
) -> Any:
    names = repositories(_call(info).site).branches(source["_document"])
    kept = [name for name in names if searchPattern.strip("*") in name]
    return kept[max(0, offset) :][: max(0, limit)]


_RESOLVERS: Final[dict[str, dict[str, Any]]] = {
    "Query": {
        "currentUser": _current_user,
        "user": _one_user,
        "metadata": _metadata,
        "project": _one_project,
        "group": _one_group,
        "namespace": _one_namespace,
        "echo": _echo,
    },
    "Project": {"group": _group_of},
    "Repository": {"branchNames": _branch_names},
    "Group": {"parent": _parent, "projects": _projects, "descendantGroups": _descendants},
}
_schema_made: Final = _schema()


# Serving --------------------------------------------------------------------------------------------------------------


@router.fastapi.post("/api/graphql", operation_id="post_graphql")
async def query(request: Request) -> Response:
    """Answer a query: JSON with `query`, `variables`, `operationName`."""
    content = await request.body()
    return await run_in_threadpool(_answered, request, content)


def _answered(request: Request, content: bytes) -> Response:
    site: Site = request.app.state.site
    try:
        actor = authenticate(site, request, {})
    except ApiError as error:
        return JSONResponse({"errors": [{"message": "Invalid token"}]}, error.status)
    if actor is not None and not actor.may("api", "read_api"):
        return JSONResponse({"errors": [{"message": "Invalid token"}]}, 401)
    try:
        given = json.loads(content or b"{}")
    except (ValueError, RecursionError):
        return JSONResponse({"errors": [{"message": "Request body is not valid JSON"}]}, 400)
    text = given.get("query") if isinstance(given, dict) else None
    if not isinstance(text, str) or not text.strip():
        return JSONResponse({"errors": [{"message": "Unexpected end of document", "locations": []}]})
    variables, operation = given.get("variables"), given.get("operationName")
    if len(text) > _LONGEST or not isinstance(variables, dict | None) or not isinstance(operation, str | None):
        return JSONResponse({"errors": [{"message": "Variables are invalid JSON"}]}, 400)
    return JSONResponse(_run(Call(site, request, actor, {}), text, variables, operation or None))


def _run(call: Call, text: str, variables: dict[str, Any] | None, operation: str | None) -> Document:
    try:
        result = graphql_sync(
            _schema_made,
            text,
            context_value=call,
            variable_values=variables,
            operation_name=operation,
            max_tokens=_MOST_TOKENS,
        )
    except RecursionError:
        return {"errors": [{"message": "Query is too complex"}]}
    answer: Document = {}
    if result.errors:
        answer["errors"] = [error.formatted for error in result.errors]
    if result.data is not None or not result.errors:
        answer["data"] = result.data
    return answer

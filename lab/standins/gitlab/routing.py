# ruff: noqa: ANN401 - JSON answers have any type
"""Makes a function with plain parameters a route that authenticates, checks and answers like GitLab."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from lab.standins.gitlab import access, paging
from lab.standins.gitlab.actors import Actor, authenticate
from lab.standins.gitlab.errors import ApiError, forbidden, insufficient_scope, not_found, unauthorized
from lab.standins.gitlab.paging import Reply
from lab.standins.gitlab.params import LARGEST, Paging, Params, read
from lab.standins.gitlab.site import GitLabSite
from lab.standins.needs import copy_needs
from lab.standins.store import Document, Store

#: Replaces an encoded slash in `scope["path"]`, because such a slash is part of a name.
ENCODED_SLASH: Final = "\ue000"
_READS: Final = frozenset({"GET", "HEAD"})

Handler = TypeVar("Handler", bound=Callable[..., Any])


@dataclass(slots=True)
class Call:
    """One request: its actor and its site."""

    site: GitLabSite
    request: Request
    actor: Actor | None
    raw: dict[str, Any]

    @property
    def store(self) -> Store:
        """The site's documents."""
        return self.site.store

    @property
    def user(self) -> Document:
        """The user. Raises 401 without one."""
        if self.actor is None or self.actor.user is None:
            raise unauthorized()
        return self.actor.user

    @property
    def is_admin(self) -> bool:
        """Whether the caller is an administrator."""
        return self.actor is not None and self.actor.admin

    def require_admin(self) -> Document:
        """Return the user. Raises 401 or 403 unless they are an administrator."""
        user = self.user
        if not self.is_admin:
            raise forbidden()
        return user

    def require_premium(self) -> None:
        """Raise 404 if the edition does not have the paid features."""
        if not self.site.premium:
            raise not_found()

    def project(self, id_: str | int, level: int = access.NONE) -> Document:
        """Return a project by number or path. Raises 404 if it is not visible, 401 or 403 below `level`."""
        found = access.find_project(self.site, id_)
        if found is None or not access.sees_project(self.site, self.actor, found):
            raise not_found("Project")
        if level > access.NONE and self.project_level(found) < level and not self._guest(found, level):
            raise unauthorized() if self.actor is None else forbidden()
        return found

    def ci_project(self, id_: str | int, level: int = access.NONE) -> Document:
        """Return a project, for objects of its CI. Raises 403, also for administrators, if CI is disabled.

        GitLab's ProjectPolicy then forbids environments, deployments, schedules, jobs, triggers and CI variables.
        """
        found = self.project(id_, level)
        if found.get("builds_access_level") == "disabled":
            raise forbidden()
        return found

    def group(self, id_: str | int, level: int = access.NONE) -> Document:
        """Return a group by number or path. Raises as `project` does."""
        found = access.find_group(self.site, id_)
        if found is None or not access.sees_group(self.site, self.actor, found):
            raise not_found("Group")
        if level > access.NONE and self.group_level(found) < level:
            raise unauthorized() if self.actor is None else forbidden()
        return found

    def _guest(self, project: Document, level: int) -> bool:
        """Whether the caller has a guest's access to a public or internal project."""
        return level <= access.REPORTER and project["visibility"] != "private" and self.request.method in _READS

    def project_level(self, project: Document) -> int:
        """Return the caller's level."""
        return access.project_level(self.site, self.actor, project)

    def group_level(self, group: Document) -> int:
        """Return the caller's level."""
        return access.group_level(self.site, self.actor, group)

    def page(self, items: Sequence[Document], given: Paging, render: Callable[[Document], Any]) -> Reply:
        """Return one page of rendered items."""
        path = self.request.scope.get("raw_path", self.request.url.path.encode()).decode("ascii", "replace")
        query = {name: value for name, value in self.raw.items() if name not in _SECRET}
        return paging.page(items, given, render, self.site.url + path.split("?")[0], query)


_SECRET: Final = frozenset({"private_token", "job_token", "access_token", "page", "per_page", "cursor"})


class Router:
    """Endpoints of one part of the API. `fastapi` is the underlying router, for other kinds of endpoints."""

    def __init__(self, tag: str) -> None:
        """`tag` groups the endpoints in the API description."""
        self.fastapi = APIRouter(tags=[tag])

    def get(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        """See `route`."""
        return self.route("GET", path, **options)

    def post(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        """See `route`; answers 201."""
        return self.route("POST", path, **{"status": 201, **options})

    def put(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        """See `route`."""
        return self.route("PUT", path, **options)

    def patch(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        """See `route`."""
        return self.route("PATCH", path, **options)

    def delete(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        """See `route`; answers 204."""
        return self.route("DELETE", path, **{"status": 204, **options})

    def route(
        self,
        method: str,
        path: str,
        *,
        status: int = 200,
        scopes: tuple[str, ...] = (),
        job_token: bool = False,
        anonymous: bool = False,
    ) -> Callable[[Handler], Handler]:
        """Return a decorator that makes a function an endpoint under `/api/v4`.

        The function takes `call: Call`, one argument for each `{name}` in the path (`str` with decoded slashes, or
        `int`), and at most one subclass of `Params`. It returns a JSON body, a `Reply`, a `Response`, or None for no
        body. All methods except GET run in one transaction, which an error undoes.

        Args:
            scopes: accepted token scopes besides `api` (and `read_api` for GET).
            job_token: whether CI jobs may call it.
            anonymous: whether it can be called without a token.
        """

        def made(function: Handler) -> Handler:
            endpoint = _Endpoint(function, method, status, scopes, job_token, anonymous)
            asgi = endpoint.asgi()
            copy_needs(function, asgi)
            self.fastapi.add_api_route(
                path,
                asgi,
                methods=[method],
                name=function.__name__,
                operation_id=f"{method.lower()}{path}".replace("{", "").replace("}", "").replace("/", "_"),
                response_model=None,
                status_code=status,
                openapi_extra=endpoint.described(),
                description=inspect.getdoc(function),
            )
            return function

        return made


class _Endpoint:
    def __init__(
        self,
        function: Callable[..., Any],
        method: str,
        status: int,
        scopes: tuple[str, ...],
        job: bool,
        anonymous: bool,
    ) -> None:
        self._function, self._method, self._status = function, method, status
        self._scopes = ("api", "read_api", *scopes) if method in _READS else ("api", *scopes)
        self._job, self._anonymous = job, anonymous
        hints = typing.get_type_hints(function)
        hints.pop("return", None)
        self._call = next(name for name, hint in hints.items() if hint is Call)
        self._given: tuple[str, type[Params]] | None = next(
            ((name, hint) for name, hint in hints.items() if inspect.isclass(hint) and issubclass(hint, Params)), None
        )
        taken = {self._call} | ({self._given[0]} if self._given else set())
        self._path = {name: hint for name, hint in hints.items() if name not in taken}

    def asgi(self) -> Callable[..., Any]:
        """Return the function for FastAPI, which has only the path's parameters."""

        async def endpoint(request: Request, **_: str) -> Response:
            raw = await read(request)
            return await run_in_threadpool(self._run, request, raw)

        keyword = inspect.Parameter.KEYWORD_ONLY
        parameters = [inspect.Parameter("request", keyword, annotation=Request)]
        parameters += [inspect.Parameter(name, keyword, annotation=str) for name in self._path]
        endpoint.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # functions have it
        return endpoint

    def _run(self, request: Request, raw: dict[str, Any]) -> Response:
        site: GitLabSite = request.app.state.site
        actor = authenticate(site, request, raw)
        if actor is None and not self._anonymous:
            raise unauthorized()
        if actor is not None and actor.kind == "job" and not self._job:
            raise unauthorized()
        if actor is not None and actor.kind != "job" and not actor.may(*self._scopes):
            raise insufficient_scope(*self._scopes)
        arguments: dict[str, Any] = {self._call: Call(site, request, actor, raw)}
        for name, hint in self._path.items():
            text = str(request.path_params[name]).replace(ENCODED_SLASH, "/")
            arguments[name] = _whole(name, text) if hint is int else _clean(text)
        if self._given:
            arguments[self._given[0]] = self._given[1].check(raw)
        if self._method in _READS:
            result = self._function(**arguments)
        else:
            with site.store.transaction():
                result = self._function(**arguments)
        return self._answer(result)

    def _answer(self, result: Any) -> Response:
        if isinstance(result, Response):
            return result
        reply = result if isinstance(result, Reply) else Reply(result)
        status = self._status if reply.status is None else reply.status
        if status in {204, 304}:
            return Response(status_code=status, headers=dict(reply.headers))
        return JSONResponse(reply.body, status, dict(reply.headers))

    def described(self) -> dict[str, Any]:
        """Return the description of parameters in query or body, which FastAPI does not know."""
        if self._given is None:
            return {}
        schema = self._given[1].model_json_schema()
        if self._method in {"POST", "PUT", "PATCH"}:
            return {"requestBody": {"required": False, "content": {"application/json": {"schema": schema}}}}
        required = schema.get("required", [])
        return {
            "parameters": [
                {"name": name, "in": "query", "required": name in required, "schema": described}
                for name, described in schema["properties"].items()
            ]
        }


def _whole(name: str, text: str) -> int:
    if text.isascii() and text.lstrip("-").isdigit() and len(text) <= 20 and abs(int(text)) <= LARGEST:  # noqa: PLR2004 - enough for any number up to LARGEST
        return int(text)
    raise ApiError(400, {"error": f"{name} is invalid"})


def _clean(text: str) -> str:
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ApiError(400, {"error": "Bad Request: a text is not valid UTF-8 or holds a null byte", "status": 400})
    return text

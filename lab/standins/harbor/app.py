"""The application of the stand-in Harbor."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import AsyncIterator
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from lab.standins.faults import Faults
from lab.standins.harbor import (
    api_members,
    api_policies,
    api_projects,
    api_quotas,
    api_registries,
    api_replication,
    api_repositories,
    api_robots,
    api_scan,
    api_system,
    api_users,
    api_webhooks,
    errors,
    principals,
    proxy,
    scanning,
)
from lab.standins.harbor.oidc import Provider
from lab.standins.harbor.registry import RegistryConnections
from lab.standins.harbor.sessions import SESSION, Csrf, Sessions
from lab.standins.harbor.site import HarborSite
from lab.standins.needs import Need, needed_by
from lab.standins.serve import Configuration

API: Final = (
    api_system, api_projects, api_members, api_users, api_robots, api_quotas, api_policies, api_webhooks, api_scan,
    api_registries, api_replication, api_repositories,
)  # fmt: skip
OPENAPI: Final = "/-/lab/openapi.json"
REPORTS: Final = "/-/lab/reports"
_PREFIX: Final = "/api/v2.0"
_CODES: Final = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}

_extra: Final = APIRouter(tags=["session", "lab"])
#: All routers with their prefixes.
ROUTERS: Final[tuple[tuple[str, APIRouter], ...]] = (
    *((_PREFIX, part.router) for part in API),
    ("", _extra),
    ("", proxy.router),
)


def create_app(configuration: Configuration) -> ASGIApp:
    """Return the application; `configuration.token` is the administrator's password."""
    return Faults(create_inner(configuration), token=configuration.token)


def create_inner(configuration: Configuration) -> FastAPI:
    """Return the application without fault injection."""
    site = HarborSite(configuration)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await app.state.registry.close()
        site.store.close()

    app = FastAPI(title="Harbor (stand-in)", version="2.0", openapi_url=OPENAPI, docs_url=None, redoc_url=None,
                  lifespan=lifespan, redirect_slashes=False)  # fmt: skip
    registry = RegistryConnections(site)
    app.state.site = site
    app.state.sessions = Sessions(site)
    app.state.provider = Provider(site)
    app.state.registry = registry
    for prefix, router in ROUTERS:
        app.include_router(router, prefix=prefix)
    app.add_middleware(Csrf)
    app.add_exception_handler(errors.HarborError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _not_routed)
    return app


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.HarborError)  # noqa: S101 - `install` sets it
    return error.response()


async def _invalid(_request: Request, error: Exception) -> Response:
    """Answer an invalid parameter or body with the message of Harbor's generated server, without its value."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - `install` sets it
    first = error.errors()[0]
    where, *path = (str(part) for part in first["loc"])
    if where == "body" and first["type"] != "missing":
        return errors.bad_request(f"parsing body failed, because {'.'.join(path)}: {first['msg']}").response()
    named = ".".join(path) or "body"
    return errors.unprocessable(f"{named} in {where}: {first['msg']}").response()


async def _not_routed(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - `install` sets it
    code = _CODES.get(error.status_code, "BAD_REQUEST")
    body = {"errors": [{"code": code, "message": f"{error.detail}"}]}
    return JSONResponse(body, error.status_code, error.headers)


# -- beside the API ----------------------------------------------------------------------------------------------------


@_extra.post("/c/login", include_in_schema=False)
@needed_by(Need.LAB)
async def log_in(request: Request) -> Response:
    """Start a browser session; the form fields are `principal` and `password`."""
    form = await request.form()
    name, password = str(form.get("principal", "")), str(form.get("password", ""))
    found = await run_in_threadpool(principals.log_in, request.app.state.site, name, password)
    if not isinstance(found, principals.UserPrincipal):
        return errors.unauthorized("Invalid user name or password").response()
    answer = Response(status_code=200)
    sessions: Sessions = request.app.state.sessions
    answer.set_cookie(SESSION, sessions.open(found.user["id"]), httponly=True, samesite="strict")
    return answer


@_extra.post(REPORTS, include_in_schema=False)
@needed_by(Need.LAB, Need.CATALOGUE_JOBS)
async def set_report(request: Request) -> Response:
    """Set a scan's findings: `{"digest": ..., "vulnerabilities": [{"id": "CVE-1", "severity": "High"}, ...]}`.

    Artifacts with that digest are scanned again at once.
    """
    site: HarborSite = request.app.state.site
    token = request.headers.get("X-Lab-Token", "")
    if not secrets.compare_digest(token.encode(), site.configuration.token.encode()):
        raise errors.unauthorized()
    try:
        given = json.loads(await request.body())
        found = [_vulnerability(item) for item in given["vulnerabilities"]]
        digest = str(given["digest"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise errors.bad_request("not a report: digest and vulnerabilities, each with an id and a severity") from None
    await run_in_threadpool(_keep_report, site, digest, found)
    return JSONResponse({"digest": digest, "vulnerabilities": found}, 201)


def _vulnerability(item: dict[str, Any]) -> dict[str, Any]:
    keys = ("package", "version", "fix_version", "description")
    return {"id": str(item["id"]), "severity": scanning.severity(str(item["severity"])),
            **{key: str(item[key]) for key in keys if key in item}}  # fmt: skip


def _keep_report(site: HarborSite, digest: str, vulnerabilities: list[dict[str, Any]]) -> None:
    with site.store.transaction():
        for old in site.store.find("finding", digest=digest):
            site.store.remove("finding", old["id"])
        site.store.add("finding", {"digest": digest, "vulnerabilities": vulnerabilities})
        for artifact in site.store.find("artifact", digest=digest):
            scanning.scan(site, artifact)

"""The whole application: all parts of the API, and middleware."""

from __future__ import annotations

from types import ModuleType
from typing import Final
from urllib.parse import unquote

from fastapi import APIRouter, FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lab.standins.faults import Faults
from lab.standins.gitlab import (
    api_ci_artifacts,
    api_ci_jobs,
    api_ci_pipelines,
    api_ci_runners,
    api_ci_triggers,
    api_commit_statuses,
    api_deploy_keys,
    api_deploy_tokens,
    api_environments,
    api_groups,
    api_hooks,
    api_instance,
    api_issues,
    api_issues_notes,
    api_job_token_scope,
    api_members,
    api_merge_requests,
    api_merge_requests_approvals,
    api_merge_requests_content,
    api_packages,
    api_packages_files,
    api_packages_npm,
    api_packages_pypi,
    api_premium,
    api_projects,
    api_protected,
    api_repository_commits,
    api_repository_files,
    api_repository_refs,
    api_schedules,
    api_tokens,
    api_users,
    api_variables,
    ci_bridges,
    ci_merge_requests,
    ci_pipelines,
    ci_tokens,
    git_http,
    health,
    identity,
    removal,
    repositories,
    seed,
    throttle,
)
from lab.standins.gitlab.errors import ApiError
from lab.standins.gitlab.routing import ENCODED_SLASH
from lab.standins.gitlab.site import GitLabSite
from lab.standins.serve import Configuration

#: Modules with a `router: Router` whose paths are under `/api/v4`.
API: Final[tuple[ModuleType, ...]] = (
    api_instance,
    api_users,
    api_groups,
    api_projects,
    api_members,
    api_variables,
    api_protected,
    api_environments,
    api_tokens,
    api_deploy_tokens,
    api_deploy_keys,
    api_schedules,
    api_hooks,
    api_job_token_scope,
    api_premium,
    api_repository_files,
    api_repository_refs,
    api_repository_commits,
    api_commit_statuses,
    api_ci_pipelines,
    api_ci_triggers,
    api_ci_jobs,
    api_ci_runners,
    api_ci_artifacts,
    api_issues,
    api_merge_requests,
    api_merge_requests_approvals,
    api_merge_requests_content,
    api_issues_notes,
    api_packages,
    api_packages_files,
    api_packages_npm,
    api_packages_pypi,
)
#: Modules that can have a `router: Router` with paths from the root (git, JWKS), and `install(site)`, called at start.
EXTENSIONS: Final[tuple[ModuleType, ...]] = (
    health,
    repositories,
    identity,
    ci_tokens,
    ci_pipelines,
    ci_bridges,
    ci_merge_requests,
    git_http,  # last, because its paths match nearly everything
)

#: All routers with their prefixes.
ROUTERS: Final[tuple[tuple[str, APIRouter], ...]] = (
    *(("/api/v4", module.router.fastapi) for module in API),
    *(("", module.router.fastapi) for module in EXTENSIONS if hasattr(module, "router")),
)


def create_app(configuration: Configuration) -> ASGIApp:
    """Open the data and return the application with fault injection."""
    site = GitLabSite.open(configuration)
    return Faults(application(site, configuration.token), token=configuration.token)


def application(site: GitLabSite, token: str) -> ASGIApp:
    """Return the application of a site; `token` is the administrator's."""
    app = FastAPI(title="GitLab", openapi_url="/-/lab/openapi.json", docs_url=None, redoc_url=None)
    app.state.site = site
    for module in (*API, *EXTENSIONS):
        if hasattr(module, "install"):
            module.install(site)
    for prefix, router in ROUTERS:
        app.include_router(router, prefix=prefix)
    app.add_exception_handler(ApiError, _refused)
    app.add_exception_handler(HTTPException, _unrouted)
    seed.create_initial(site, token)
    removal.purge(site)
    whole: ASGIApp = EncodedPaths(app)
    limit = site.options.get("rate_limit")  # {"requests": 100, "period": 60}
    return throttle.Throttle(whole, **limit) if isinstance(limit, dict) else whole


def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)  # noqa: S101 - `install` sets it
    return JSONResponse(error.body, error.status, error.headers)


def _unrouted(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - `install` sets it
    text = {404: "404 Not Found", 405: "405 Not Allowed"}.get(error.status_code, f"{error.status_code} {error.detail}")
    return JSONResponse({"error": text}, error.status_code, error.headers)


class EncodedPaths:
    """Distinguishes an encoded slash from a real one, which ASGI's decoded path does not."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Decode the path segment by segment."""
        raw = scope.get("raw_path") if scope["type"] == "http" else None
        if raw and b"%2f" in raw.lower():
            segments = raw.split(b"?")[0].decode("ascii", "replace").split("/")
            path = "/".join(unquote(segment).replace("/", ENCODED_SLASH) for segment in segments)
            scope = {**scope, "path": path}
        await self._app(scope, receive, send)

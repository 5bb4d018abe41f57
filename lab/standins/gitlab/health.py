"""Health checks, as load balancers ask for them; an extension with paths from the root."""

from __future__ import annotations

from starlette.responses import JSONResponse, PlainTextResponse, Response

from lab.standins.gitlab.routing import Router

router = Router("health")


@router.fastapi.get("/-/readiness")
def readiness() -> Response:
    """Whether it can serve."""
    return JSONResponse({"status": "ok", "master_check": [{"status": "ok"}]})


@router.fastapi.get("/-/liveness")
def liveness() -> Response:
    """Whether it runs."""
    return JSONResponse({"status": "ok"})


@router.fastapi.get("/-/health")
def health() -> Response:
    """Whether it runs, in a word."""
    return PlainTextResponse("GitLab OK")

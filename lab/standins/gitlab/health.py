"""Health checks for load balancers; an extension with paths from the root."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from lab.standins.gitlab.routing import Router
from lab.standins.needs import Need, needed_by

router = Router("health")


@router.fastapi.get("/-/readiness")
@needed_by(Need.LAB)
def readiness() -> Response:
    """Return the readiness."""
    return JSONResponse({"status": "ok", "master_check": [{"status": "ok"}]})

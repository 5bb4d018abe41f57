# ruff: noqa: ANN401 - answers are JSON
"""The instance itself: version, settings, licence, health."""

from __future__ import annotations

from typing import Any, Final

from lab.standins.gitlab.routing import Call, Router

router = Router("instance")

VERSION: Final = "18.5.0"
REVISION: Final = "8a4fdde1a1c"


@router.get("/version", scopes=("read_user", "ai_features"))
def version(call: Call) -> Any:
    """Version of the instance."""
    suffix = "-ee" if call.site.premium else ""
    return {"version": VERSION + suffix, "revision": REVISION}


@router.get("/metadata", scopes=("read_user", "ai_features"))
def metadata(call: Call) -> Any:
    """Version and edition of the instance; it has no agent server."""
    kas = {"enabled": False, "externalUrl": None, "externalK8sProxyUrl": None, "version": None}
    return {**version(call), "kas": kas, "enterprise": call.site.premium}

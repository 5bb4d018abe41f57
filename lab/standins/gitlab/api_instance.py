# ruff: noqa: ANN401 - JSON answers have any type
"""The instance: version and settings."""

from __future__ import annotations

from typing import Any, Final

from lab.standins.gitlab.routing import Call, Router
from lab.standins.needs import Need, needed_by

router = Router("instance")

VERSION: Final = "19.1.0"
REVISION: Final = "8a4fdde1a1c"


@router.get("/metadata", scopes=("read_user", "ai_features"))
@needed_by(Need.PLUGINS)
def metadata(call: Call) -> Any:
    """Return version and edition."""
    kas = {"enabled": False, "externalUrl": None, "externalK8sProxyUrl": None, "version": None}
    return {"version": _version(call), "revision": REVISION, "kas": kas, "enterprise": call.site.enterprise}


def _version(call: Call) -> str:
    return f"{VERSION}-ee" if call.site.enterprise else VERSION


# Settings -------------------------------------------------------------------------------------------------------------

#: Settings that clients read, with their values on the local platform.
_SETTINGS: Final[dict[str, Any]] = {
    "id": 1,
    "default_branch_name": None,
    "default_branch_protection": 2,
    "default_group_visibility": "private",
    "default_project_creation": 2,
    "default_project_visibility": "private",
    "deletion_adjourned_period": 30,
    "created_at": None,
    "updated_at": None,
}


@router.get("/application/settings")
@needed_by(Need.PLUGINS, trace="settings")
def get_settings(call: Call) -> Any:
    """Return the instance's settings."""
    call.require_admin()
    return {**_SETTINGS, "enforce_ci_inbound_job_token_scope_enabled": call.site.enforces_job_token_scope}

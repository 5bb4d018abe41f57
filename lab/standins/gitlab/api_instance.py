# ruff: noqa: ANN401 - answers are JSON
"""The instance itself: version, settings, licence."""

from __future__ import annotations

from typing import Any, Final

from lab.standins.gitlab.groups import Visibility
from lab.standins.gitlab.params import Bool, Int, Params, Text, Texts
from lab.standins.gitlab.routing import Call, Router
from lab.standins.gitlab.site import now
from lab.standins.store import Document

router = Router("instance")

VERSION: Final = "19.1.0"
REVISION: Final = "8a4fdde1a1c"


@router.get("/version", scopes=("read_user", "ai_features"), job_token=True)
def version(call: Call) -> Any:
    """Version of the instance; the paid edition's build says so, licence or not."""
    return {"version": _version(call), "revision": REVISION}


@router.get("/metadata", scopes=("read_user", "ai_features"))
def metadata(call: Call) -> Any:
    """Version and edition."""
    kas = {"enabled": False, "externalUrl": None, "externalK8sProxyUrl": None, "version": None}
    return {"version": _version(call), "revision": REVISION, "kas": kas, "enterprise": call.site.enterprise}


def _version(call: Call) -> str:
    return f"{VERSION}-ee" if call.site.enterprise else VERSION


@router.get("/license")
def license_(call: Call) -> Any:
    """The licence of the paid edition."""
    call.require_admin()
    call.require_premium()
    return {
        "id": 1,
        "plan": "premium",
        "created_at": "2026-01-01T00:00:00.000Z",
        "starts_at": "2026-01-01",
        "expires_at": None,
        "historical_max": 0,
        "maximum_user_count": 0,
        "expired": False,
        "overage": 0,
        "user_limit": 0,
        "active_users": len([one for one in call.store.find("user") if not one["bot"]]),
        "licensee": {"Name": "Stand-in"},
        "add_ons": {},
    }


# Settings -------------------------------------------------------------------------------------------------------------

#: Settings the local platform has, and what they are at first. Those that have no effect here are kept and shown.
_SETTINGS: Final[dict[str, Any]] = {
    "admin_mode": False,
    "after_sign_out_path": "",
    "allow_local_requests_from_system_hooks": True,
    "allow_local_requests_from_web_hooks_and_services": True,
    "allow_runner_registration_token": False,
    "auto_devops_enabled": True,
    "can_create_group": True,
    "container_registry_token_expire_delay": 5,
    "default_artifacts_expire_in": "30 days",
    "default_branch_name": None,
    "default_branch_protection": 2,
    "default_ci_config_path": None,
    "default_group_visibility": "private",
    "default_project_creation": 2,
    "default_project_visibility": "private",
    "default_projects_limit": 100000,
    "default_snippet_visibility": "private",
    "deletion_adjourned_period": 30,
    "email_confirmation_setting": "off",
    "enforce_ci_inbound_job_token_scope_enabled": True,
    "gravatar_enabled": True,
    "home_page_url": None,
    "import_sources": [],
    "keep_latest_artifact": True,
    "max_artifacts_size": 100,
    "max_attachment_size": 100,
    "max_import_size": 0,
    "max_pages_size": 100,
    "mirror_available": True,
    "password_authentication_enabled_for_git": True,
    "password_authentication_enabled_for_web": True,
    "polling_interval_multiplier": "1.0",
    "project_export_enabled": True,
    "require_admin_approval_after_user_signup": True,
    "require_personal_access_token_expiry": True,
    "require_two_factor_authentication": False,
    "restricted_visibility_levels": [],
    "send_user_confirmation_email": False,
    "session_expire_delay": 10080,
    "shared_runners_enabled": True,
    "sign_in_text": None,
    "signup_enabled": True,
    "throttle_authenticated_api_enabled": False,
    "two_factor_grace_period": 48,
    "user_oauth_applications": True,
    "version_check_enabled": False,
}


class Settings(Params):
    """What changes."""

    admin_mode: Bool = None
    after_sign_out_path: Text = None
    allow_local_requests_from_system_hooks: Bool = None
    allow_local_requests_from_web_hooks_and_services: Bool = None
    allow_runner_registration_token: Bool = None
    auto_devops_enabled: Bool = None
    can_create_group: Bool = None
    container_registry_token_expire_delay: Int = None
    default_artifacts_expire_in: Text = None
    default_branch_name: Text = None
    default_branch_protection: Int = None
    default_ci_config_path: Text = None
    default_group_visibility: Visibility | None = None
    default_project_creation: Int = None
    default_project_visibility: Visibility | None = None
    default_projects_limit: Int = None
    default_snippet_visibility: Visibility | None = None
    deletion_adjourned_period: Int = None
    email_confirmation_setting: Text = None
    enforce_ci_inbound_job_token_scope_enabled: Bool = None
    gravatar_enabled: Bool = None
    home_page_url: Text = None
    import_sources: Texts = None
    keep_latest_artifact: Bool = None
    max_artifacts_size: Int = None
    max_attachment_size: Int = None
    max_import_size: Int = None
    max_pages_size: Int = None
    mirror_available: Bool = None
    password_authentication_enabled_for_git: Bool = None
    password_authentication_enabled_for_web: Bool = None
    polling_interval_multiplier: Text = None
    project_export_enabled: Bool = None
    require_admin_approval_after_user_signup: Bool = None
    require_personal_access_token_expiry: Bool = None
    require_two_factor_authentication: Bool = None
    restricted_visibility_levels: Texts = None
    send_user_confirmation_email: Bool = None
    session_expire_delay: Int = None
    shared_runners_enabled: Bool = None
    sign_in_text: Text = None
    signup_enabled: Bool = None
    throttle_authenticated_api_enabled: Bool = None
    two_factor_grace_period: Int = None
    user_oauth_applications: Bool = None
    version_check_enabled: Bool = None


def _settings(call: Call) -> Document:
    call.require_admin()
    return {**_SETTINGS, "created_at": None, "updated_at": None, **(call.store.get("settings", 1) or {"id": 1})}


@router.get("/application/settings")
def get_settings(call: Call) -> Any:
    """The instance's settings."""
    return _settings(call)


@router.put("/application/settings")
def set_settings(call: Call, given: Settings) -> Any:
    """Change settings."""
    changed = {**_settings(call), **given.sent(), "updated_at": now()}
    call.store.put("settings", changed)
    return changed

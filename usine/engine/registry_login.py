"""A Harbor that keeps its mode of log-in: the first run of all is refused before the engine is asked.

Harbor changes its mode only while it has no person beside the built-in `admin` ("the auth mode cannot be modified as
new users have been inserted into database", src/controller/config/controller.go). The run would make everything else,
and leave a registry without people (issue 11.B9). Once the state has the log-in, Harbor is not asked any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import requests

from model.settings import FoundationMode, Settings, System
from usine.engine.lookup import harbor
from usine.report.model import Notice, Severity

RULE: Final = "registry-login"
_TYPE: Final = "harbor:index/configAuth:ConfigAuth"
_MODE: Final = "oidc_auth"


def check_registry_login(
    settings: Settings, environment: Mapping[str, str], checkpoint: Mapping[str, Any]
) -> tuple[Notice, ...]:
    """Return what refuses the run: a Harbor whose mode is another one and cannot be changed.

    A Harbor that does not answer refuses nothing: it fails its own part of the run.
    """
    resources = (checkpoint.get("deployment") or {}).get("resources") or ()
    wanted = settings.on(System.HARBOR) and settings.on(System.KEYCLOAK)
    if not wanted or settings.foundation is FoundationMode.SKIP or any(r["type"] == _TYPE for r in resources):
        return ()
    try:
        found = harbor.connect(settings.endpoints[System.HARBOR], environment).call("GET", "configurations") or {}
    except requests.RequestException:
        return ()
    mode = found.get("auth_mode") or {}
    if mode.get("value") in {None, _MODE} or mode.get("editable") is not False:
        return ()
    return (
        Notice(
            RULE,
            Severity.ERROR,
            f"Harbor has people of its own beside `admin`, so it keeps its mode of log-in ({mode['value']}): "
            "nobody could log in by Keycloak",
            mend="delete these people in Harbor, and run again; each gets an account at the first log-in by Keycloak",
        ),
    )

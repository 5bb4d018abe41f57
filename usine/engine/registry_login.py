"""Refuses the first run when Harbor cannot change its log-in mode, before the engine starts.

Harbor changes its mode only while it has no user beside the built-in `admin` ("the auth mode cannot be modified as new
users have been inserted into database", src/controller/config/controller.go). The run would create everything else, and
a registry that nobody can log in to (issue 11.B9). When the state has the log-in mode, Harbor is not asked again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from model.settings import FoundationMode, Settings, System
from pulumi_facts.checkpoint import resources_of
from usine.clients import ClientError, Connections
from usine.report.ids import NoticeId
from usine.report.model import Notice, Severity

_TYPE: Final = "harbor:index/configAuth:ConfigAuth"
_MODE: Final = "oidc_auth"


def check_registry_login(
    settings: Settings, environment: Mapping[str, str], checkpoint: Mapping[str, Any]
) -> tuple[Notice, ...]:
    """Return a notice that refuses the run when Harbor has another log-in mode and cannot change it.

    A Harbor that does not answer does not refuse the run: then its own resources fail.
    """
    resources = resources_of(checkpoint)
    wanted = settings.on(System.HARBOR) and settings.on(System.KEYCLOAK)
    if not wanted or settings.foundation is FoundationMode.SKIP or any(r["type"] == _TYPE for r in resources):
        return ()
    try:
        found = Connections(settings.endpoints, environment).harbor().get("configurations") or {}
    except ClientError:
        return ()
    mode = found.get("auth_mode") or {}
    if mode.get("value") in {None, _MODE} or mode.get("editable") is not False:
        return ()
    return (
        Notice(
            NoticeId.REGISTRY_LOGIN,
            Severity.ERROR,
            f"Harbor has local users beside `admin`, so it cannot change its log-in mode ({mode['value']}): "
            "nobody could log in with Keycloak",
            remedy="delete these users in Harbor and run again; each gets an account at the first log-in with Keycloak",
        ),
    )

"""Refuses a run when GitLab is older than the oldest version that Usine supports, before the engine starts.

An older GitLab accepts most of a run and then refuses single requests, or accepts a CI file whose jobs it understands
in another way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from model.settings import Settings, System
from usine.clients import ClientError, Connections
from usine.report.ids import NoticeId
from usine.report.model import Notice, Severity

#: The oldest GitLab that has all that is in use: `artifacts: access: maintainer` (18.4),
#: `CI_PIPELINE_SCHEDULE_DESCRIPTION` (17.8), the role that may pass variables to pipelines (17.1) and inputs (17.0).
OLDEST: Final = (18, 4)


def check_forge_version(settings: Settings, environment: Mapping[str, str]) -> tuple[Notice, ...]:
    """Return a notice that refuses the run when GitLab is too old.

    A GitLab that does not answer does not refuse the run: then its own resources fail.
    """
    if not settings.on(System.GITLAB):
        return ()
    try:
        version = str((Connections(settings.endpoints, environment).gitlab().get("metadata") or {}).get("version"))
    except ClientError:
        return ()
    parts = re.match(r"(\d{1,4})\.(\d{1,4})\b", version)
    if parts is None or (int(parts[1]), int(parts[2])) >= OLDEST:
        return ()
    return (
        Notice(
            NoticeId.FORGE_VERSION,
            Severity.ERROR,
            f"GitLab is {version}; the oldest version that Usine supports is {'.'.join(map(str, OLDEST))}",
            remedy="update GitLab, then run again",
        ),
    )

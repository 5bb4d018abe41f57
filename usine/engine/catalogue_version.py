"""Refuses a run whose settings name a version of the CI catalogue that GitLab does not have.

The pipelines of all tenants would name a tag that does not exist, and none could start.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from model.naming import catalogue_path
from model.settings import FoundationMode, Settings, System
from model.texts import did_you_mean
from usine.clients import AbsentError, ClientError, Connections
from usine.report.ids import NoticeId
from usine.report.model import Notice, Severity


def check_catalogue_version(settings: Settings, environment: Mapping[str, str]) -> tuple[Notice, ...]:
    """Return a notice that refuses the run when `usine:catalogue.version` is no tag of the catalogue.

    A GitLab that does not answer does not refuse the run: then its own resources fail.
    """
    version = settings.catalogue.version
    if version is None or not settings.on(System.GITLAB) or settings.foundation is FoundationMode.SKIP:
        return ()
    client = Connections(settings.endpoints, environment).gitlab()
    try:
        path = f"projects/{quote(catalogue_path(settings.gitlab), safe='')}/repository/tags"
        known = [str(tag["name"]) for tag in client.pages(path)]
    except AbsentError:
        known = []
    except ClientError:
        return ()
    if version in known:
        return ()
    return (
        Notice(
            NoticeId.CATALOGUE_VERSION,
            Severity.ERROR,
            f"usine:catalogue.version: the CI catalogue has no tag {version}; "
            f"{did_you_mean(version, known) if known else 'nothing has been published yet'}",
            remedy="name a tag of the catalogue, or remove the key: then all tenants use the version of this checkout",
        ),
    )

"""A version of the catalogue that GitLab does not have refuses the run."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from model.settings import CatalogueSettings, Endpoint, FoundationMode, System
from tests import factories
from tests.drift.inventory.api_server import Answers, Refused, serving
from usine.engine.catalogue_version import check_catalogue_version
from usine.report.model import Notice

VERSION = "v1-3f1c0a5be2d47968"
PATH = "/api/v4/projects/platform/catalogue/repository/tags"


def check(tags: Any, version: str | None = VERSION, **changes: Any) -> tuple[tuple[Notice, ...], Answers]:
    base = factories.settings(catalogue=CatalogueSettings(version), **changes)
    with serving({PATH: tags}) as api:
        settings = dataclasses.replace(base, endpoints={**base.endpoints, System.GITLAB: Endpoint(api.url)})
        return check_catalogue_version(settings, {}), api


def test_a_tag_that_does_not_exist_refuses_the_run_with_a_suggestion() -> None:
    (notice,), _ = check([{"name": "v1-3f1c0a5be2d47969"}])
    assert notice.refuses
    assert f"has no tag {VERSION}; did you mean v1-3f1c0a5be2d47969?" in notice.text


def test_before_the_first_run_there_is_no_tag() -> None:
    (notice,), _ = check(Refused(404))
    assert "nothing has been published yet" in notice.text


@pytest.mark.parametrize("tags", [[{"name": VERSION}], Refused(403)])
def test_a_tag_that_exists_or_cannot_be_read_refuses_nothing(tags: Any) -> None:
    assert check(tags)[0] == ()


def test_gitlab_is_not_asked_without_a_version_or_in_a_stack_of_tenants() -> None:
    for version, mode in ((None, FoundationMode.INCLUDE), (VERSION, FoundationMode.SKIP)):
        notices, api = check([], version, foundation=mode)
        assert (notices, api.asked) == ((), [])

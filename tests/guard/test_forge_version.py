"""A GitLab that is too old refuses the run before anything is created."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from lab.standins.gitlab.api_instance import VERSION
from model.settings import Endpoint, Settings, System
from tests import factories
from tests.drift.inventory.api_server import serving
from usine.engine.forge_version import OLDEST, check_forge_version
from usine.report.model import Notice

ROOT = Path(__file__).resolve().parents[2]


def at(url: str) -> Settings:
    base = factories.settings()
    return dataclasses.replace(base, endpoints={**base.endpoints, System.GITLAB: Endpoint(url)})


def check(version: object) -> tuple[Notice, ...]:
    with serving({"/api/v4/metadata": {"version": version}}) as api:
        return check_forge_version(at(api.url), {"GITLAB_TOKEN": "glpat-marker"})


@pytest.mark.parametrize("version", ["18.3.9-ee", "18.3.0", "17.11.2", "9.0.0"])
def test_an_older_version_refuses_the_run_and_names_both_versions(version: str) -> None:
    (notice,) = check(version)
    assert notice.refuses
    assert (version in notice.text, "18.4" in notice.text, "marker" in notice.text) == (True, True, False)


@pytest.mark.parametrize("version", ["18.4.0", "18.10.0-ee", "19.1.0-pre", None, "unknown"])
def test_a_supported_or_unknown_version_is_accepted(version: str | None) -> None:
    assert check(version) == ()


def test_a_gitlab_that_does_not_answer_refuses_nothing_and_one_that_is_off_is_not_asked() -> None:
    assert check_forge_version(at("http://127.0.0.1:1"), {}) == ()
    off = dataclasses.replace(factories.settings(), systems=frozenset({System.VAULT}), endpoints={})
    assert check_forge_version(off, {}) == ()


def test_the_stand_in_and_the_documentation_have_a_supported_version() -> None:
    assert tuple(map(int, VERSION.split(".")[:2])) >= OLDEST
    assert f"GitLab {'.'.join(map(str, OLDEST))}" in (ROOT / "docs" / "pipelines.md").read_text(encoding="utf-8")

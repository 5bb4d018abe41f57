"""A Harbor with local users cannot change its log-in mode: the first run is refused before it creates anything."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from model.settings import Endpoint, FoundationMode, Settings, System
from tests import factories
from tests.drift.inventory.api_server import Answers, serving
from usine.engine.registry_login import check_registry_login
from usine.report.model import Notice

KNOWN = {"deployment": {"resources": [{"type": "harbor:index/configAuth:ConfigAuth"}]}}


def check(
    value: str, *, editable: bool, checkpoint: dict[str, Any] | None = None, **changes: Any
) -> tuple[tuple[Notice, ...], Answers]:
    with serving({"/api/v2.0/configurations": {"auth_mode": {"value": value, "editable": editable}}}) as api:
        return check_registry_login(at(api.url, **changes), {}, checkpoint or {}), api


def at(url: str, **changes: Any) -> Settings:
    base = factories.settings(**changes)
    return dataclasses.replace(base, endpoints={**base.endpoints, System.HARBOR: Endpoint(url)})


def test_a_mode_that_cannot_be_changed_refuses_the_run() -> None:
    (notice,), _ = check("db_auth", editable=False)
    assert notice.refuses
    assert "cannot change its log-in mode (db_auth)" in notice.text


@pytest.mark.parametrize(("value", "editable"), [("db_auth", True), ("oidc_auth", False)])
def test_a_mode_that_is_right_or_can_be_changed_is_accepted(value: str, editable: bool) -> None:
    assert check(value, editable=editable)[0] == ()


def test_harbor_is_not_asked_when_this_stack_does_not_set_its_mode() -> None:
    for checkpoint, changes in ((KNOWN, {}), ({}, {"foundation": FoundationMode.SKIP, "tenants": ("alpha",)})):
        notices, api = check("db_auth", editable=False, checkpoint=checkpoint, **changes)
        assert (notices, api.asked) == ((), [])


def test_a_harbor_that_does_not_answer_refuses_nothing() -> None:
    assert check_registry_login(at("http://127.0.0.1:1"), {}, {}) == ()

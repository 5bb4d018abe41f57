"""A run that would take over an existing namespace is refused, and clusters are asked only for new namespaces."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model.settings import FoundationMode, Settings, System
from tests import factories
from tests.drift.inventory.api_server import Answers, serving
from usine.engine.takeover import check_namespaces
from usine.report.model import Notice

PROJECT = factories.tenant("alpha")  # its environments are dev on nonprod-1, prod on prod-1


def namespace(name: str, tenant: str | None = None) -> dict[str, Any]:
    return {"metadata": {"name": name, **({"labels": {"usine.dev/tenant": tenant}} if tenant else {})}}


def state(*known: tuple[str, str]) -> dict[str, Any]:
    return {
        "deployment": {
            "resources": [
                {
                    "type": "kubernetes:core/v1:Namespace",
                    "id": name,
                    "urn": f"urn:pulumi:lab::usine::kubernetes:core/v1:Namespace::{name}",
                    "provider": f"urn:pulumi:lab::usine::pulumi:providers:kubernetes::kubernetes-{cluster}::0-1",
                }
                for cluster, name in known
            ]
        }
    }


def check(
    folder: Path,
    *live: dict[str, Any],
    checkpoint: dict[str, Any] | None = None,
    settings: Settings | None = None,
    listed: bool = True,
) -> tuple[tuple[Notice, ...], Answers]:
    """Run the check with one API server that serves both clusters."""
    with serving({"/api/v1/namespaces": {"items": list(live)}} if listed else {}) as api:
        contexts = ("nonprod-1", "prod-1")
        path = folder / "kubeconfig"
        path.write_text(
            json.dumps(
                {
                    "clusters": [{"name": "c", "cluster": {"server": api.url}}],
                    "contexts": [{"name": name, "context": {"cluster": "c", "user": "u"}} for name in contexts],
                    "users": [{"name": "u", "user": {"token": "secret-token"}}],
                }
            )
        )
        notices = check_namespaces(
            settings or factories.settings(), [PROJECT], {"KUBECONFIG": str(path)}, checkpoint or state()
        )
        return notices, api


@pytest.mark.parametrize(("tenant", "whose"), [(None, "no tenant's"), ("beta", "tenant beta's")])
def test_a_namespace_that_does_not_belong_to_the_tenant_refuses_the_run(
    tmp_path: Path, tenant: str | None, whose: str
) -> None:
    (notice,), _ = check(tmp_path, namespace("alpha-prod", tenant), namespace("default"))
    assert notice.refuses
    assert (notice.rule, notice.tenant) == ("namespace-takeover", "alpha")
    assert f"alpha-prod exists on cluster prod-1 and is {whose}" in notice.text


def test_a_tenant_s_own_namespace_and_other_namespaces_are_accepted(tmp_path: Path) -> None:
    """An interrupted run created the first one, and the next run continues it."""
    assert check(tmp_path, namespace("alpha-prod", "alpha"), namespace("alpha-old"))[0] == ()


def test_a_namespace_in_the_state_may_lack_the_label(tmp_path: Path) -> None:
    known = state(("nonprod-1", "alpha-dev"), ("prod-1", "alpha-prod"))
    notices, api = check(tmp_path, namespace("alpha-dev"), namespace("alpha-prod"), checkpoint=known)
    assert (notices, api.asked) == ((), [])  # and no cluster is asked without a new namespace
    elsewhere = state(("prod-1", "alpha-dev"), ("prod-1", "alpha-prod"))
    (notice,), _ = check(tmp_path, namespace("alpha-dev"), checkpoint=elsewhere)
    assert "alpha-dev exists on cluster nonprod-1" in notice.text


def test_only_the_stack_s_own_tenants_are_looked_for(tmp_path: Path) -> None:
    live = namespace("alpha-dev")
    for settings in (
        factories.settings(systems=frozenset({System.VAULT})),
        factories.settings(foundation=FoundationMode.ONLY),
        factories.settings(foundation=FoundationMode.SKIP, tenants=("beta",)),
    ):
        assert check(tmp_path, live, settings=settings)[0] == ()


def test_an_answer_without_a_list_of_namespaces_is_an_error(tmp_path: Path) -> None:
    notices, _ = check(tmp_path, listed=False)
    assert [notice.refuses for notice in notices] == [True, True]
    assert "cluster nonprod-1 could not be asked whether a new namespace exists already: HTTP 404" in notices[0].text


def test_a_cluster_that_does_not_answer_refuses_new_namespaces(tmp_path: Path) -> None:
    environment = {"KUBECONFIG": str(tmp_path / "none"), "HOME": str(tmp_path)}
    notices = check_namespaces(factories.settings(), [PROJECT], environment, state(("nonprod-1", "alpha-dev")))
    (notice,) = notices
    assert notice.refuses
    assert "cluster prod-1 could not be asked" in notice.text

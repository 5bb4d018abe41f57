"""Stored credentials: which ones a state has, when they end, and the warning before that."""

from __future__ import annotations

import datetime
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab import plugins
from pulumi_facts import expiry
from tests.guard.samples import checkpoint
from usine.engine.events import Events
from usine.engine.guarded import Outcome, Status
from usine.engine.report import run_report
from usine.engine.stored import credential_facts, expiry_notices, stored_credentials
from usine.report import as_json, html, markdown
from usine.report.ids import NoticeId
from usine.report.model import StoredCredential

MARKER = "MARKER-7d1e-never-in-clear"
NOW = datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.UTC)
ROBOT = "harbor:index/robotAccount:RobotAccount"
DEPLOY = "gitlab:index/projectDeployToken:ProjectDeployToken"
ACCESS = "gitlab:index/projectAccessToken:ProjectAccessToken"
ANALYSIS = "pulumi-python:dynamic/sonarqube:ProjectAnalysisToken"
RUNNER = "gitlab:index/userRunner:UserRunner"
CLIENT = "keycloak:openid/client:Client"


def resource(type_: str, place: str, created: str = "", **properties: object) -> dict[str, Any]:
    """Return a resource as a checkpoint has it; properties are outputs, a `duration` and a `name` inputs too."""
    slug = place.split("/", 1)[0]
    parents = "usine:usine:Foundation" if slug == "foundation" else "usine:usine:TenantProject"
    urn = f"urn:pulumi:lab::usine::{parents}${type_}::{place}"
    inputs = {key: value for key, value in properties.items() if key in {"duration", "name", "accessType"}}
    times = {"created": created} if created else {}
    return {"urn": urn, "type": type_, "custom": True, "inputs": inputs, "outputs": properties, **times}


def state(*resources: dict[str, Any]) -> dict[str, Any]:
    known = checkpoint()
    known["deployment"]["resources"] += resources
    return known


FLEET = state(
    resource(ROBOT, "alpha/harbor/robot/push-1", "2026-06-10T09:00:00.5Z", name="push-1", duration=180, secret=MARKER),
    resource(ROBOT, "alpha/harbor/robot/pull-1", "2026-06-10T08:00:00Z", name="pull-1", duration=180, secret=MARKER),
    resource(DEPLOY, "alpha/gitlab/infra/deploy-token/1", name="argocd-1", expiresAt="2027-04-01T01:59:59.000+02:00"),
    resource(ANALYSIS, "beta/sonarqube/api/token/1", name="usine beta:api 1", expires="2026-12-20", token=MARKER),
    resource(ACCESS, "beta/gitlab/api/mirror-token", name="usine-mirror", expiresAt="2026-12-01", token=MARKER),
    resource(RUNNER, "foundation/gitlab/runner/protected-1", token=MARKER),
    resource(CLIENT, "foundation/keycloak/client/argocd", accessType="CONFIDENTIAL", clientSecret=MARKER),
    resource(CLIENT, "foundation/keycloak/client/kubernetes", accessType="PUBLIC"),
    resource(ROBOT, "alpha/harbor/robot/old", "2020-01-01T00:00:00Z", duration=1) | {"delete": True},
)


def test_every_credential_of_a_state_has_its_end_and_its_generation() -> None:
    assert [
        (one.tenant, one.name.partition("/")[2], one.generation, one.ends) for one in stored_credentials(FLEET)
    ] == [
        ("beta", "gitlab/api/mirror-token", "", "2026-12-01T00:00:00Z"),
        ("alpha", "harbor/robot/pull-1", "1", "2026-12-07T08:00:00Z"),
        ("alpha", "harbor/robot/push-1", "1", "2026-12-07T09:00:00Z"),
        ("beta", "sonarqube/api/token/1", "1", "2026-12-20T00:00:00Z"),
        ("alpha", "gitlab/infra/deploy-token/1", "1", "2027-03-31T23:59:59Z"),
        (None, "gitlab/runner/protected-1", "1", ""),
        (None, "keycloak/client/argocd", "", ""),
    ]


@pytest.mark.parametrize(
    ("type_", "properties"),
    [
        (ROBOT, {"duration": -1}),
        (ROBOT, {"duration": "soon"}),
        (DEPLOY, {"expiresAt": None}),
        (DEPLOY, {"expiresAt": "never"}),
        (ANALYSIS, {}),
    ],
)
def test_a_credential_without_a_known_end_is_listed_without_one(type_: str, properties: dict[str, object]) -> None:
    (found,) = stored_credentials(state(resource(type_, "alpha/x/y", "2026-01-01T00:00:00Z", **properties)))
    assert found.ends == ""
    (adopted,) = stored_credentials(state(resource(ROBOT, "alpha/x/y", duration=10)))
    assert adopted.ends == "", "the engine did not create it: its first day is not known"


def test_a_warning_comes_fourteen_days_before_the_end_once_per_generation() -> None:
    alpha, renewed = expiry_notices(stored_credentials(FLEET), NOW)
    assert alpha.rule == renewed.rule == NoticeId.CREDENTIAL_ENDS
    assert not alpha.refuses
    assert alpha.text == (
        "alpha/harbor/robot/pull-1 (generation 1) ends on 2026-12-07 08:00 UTC, and 1 other of alpha soon"
    )
    assert (alpha.tenant, alpha.remedy) == ("alpha", "renew it: `usine rotate alpha`")
    assert renewed.remedy == "run `usine up`, which renews it", "the provider renews it"


@pytest.mark.parametrize(("days", "warned"), [(-15, False), (-14, True), (1, True)])
def test_the_warning_begins_at_a_fixed_time_before_the_end_and_stays(days: int, warned: bool) -> None:
    (robot,) = (one for one in stored_credentials(FLEET) if one.name.endswith("pull-1"))
    moment = datetime.datetime(2026, 12, 7, 8, tzinfo=datetime.UTC) + datetime.timedelta(days=days)
    found = expiry_notices((robot,), moment)
    assert bool(found) is warned
    assert all(("has ended, on" in notice.text) is (days > 0) for notice in found)


def test_what_the_run_renews_or_removes_needs_no_warning() -> None:
    stored = stored_credentials(FLEET)
    changing = frozenset((one.type, one.name) for one in stored)
    assert expiry_notices(stored, NOW, changing) == ()


def test_every_form_of_a_report_shows_when_credentials_end_and_no_value(tmp_path: Path) -> None:
    stored = stored_credentials(FLEET)
    warnings = expiry_notices(stored, NOW)
    outcome = Outcome(Status.PLANNED, Events(), warnings, tmp_path / "log", credentials=stored)
    report = run_report(outcome, "usine preview: lab")
    assert credential_facts(stored) == (
        ("stored credentials", "7; the first ends on 2026-12-01: beta/gitlab/api/mirror-token"),
    )
    assert report.facts == credential_facts(stored)
    page, comment, text = html.render(report), markdown.render(report, marker="usine:run"), as_json.render(report)
    for form in (page, comment, text):
        assert "pull-1" in form
        assert "2026-12-07" in form
        assert MARKER not in form
    assert "2027-03-31 23:59" in page
    assert "does not end" in page
    assert as_json.load(text) == report


def test_nothing_is_reported_of_a_state_without_credentials() -> None:
    assert credential_facts(stored_credentials(checkpoint())) == ()
    endless = (StoredCredential(None, "gitlab", RUNNER, "foundation/gitlab/runner/x"),)
    assert credential_facts(endless) == (("stored credentials", "1; none of them ends"),)
    assert expiry_notices(endless, NOW) == ()
    assert replace(endless[0], ends="2026-12-01T00:00:00Z") != endless[0]


#: Types with a secret that Usine does not create, but passes on from elsewhere, or that GitLab no longer uses.
_PASSED_ON = {
    "gitlab:index/group:Group", "gitlab:index/groupHook:GroupHook", "gitlab:index/project:Project",
    "gitlab:index/projectHook:ProjectHook", "gitlab:index/user:User", "harbor:index/configAuth:ConfigAuth",
    "harbor:index/registry:Registry", "vault:jwt/authBackend:AuthBackend",
    "vault:kubernetes/authBackendConfig:AuthBackendConfig", "vault:kv/secretV2:SecretV2",
}  # fmt: skip


def test_every_type_whose_provider_returns_a_secret_is_known() -> None:
    names = {"token", "secret", "password", "clientsecret"}
    found = {ANALYSIS}
    for path in (Path(plugins.__file__).parent / "schemas").glob("*.json"):
        for type_, shape in json.loads(path.read_text(encoding="utf-8"))["resources"].items():
            properties = {**shape.get("inputs", {}), **shape.get("outputs", {})}
            if any(value.get("secret") or name.lower() in names for name, value in properties.items()):
                found.add(type_)
    assert found - _PASSED_ON == set(expiry.ENDS), "a new type of credential, or one that is gone"

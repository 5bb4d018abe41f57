"""A change of any key of a tenant file changes the tenant, and the plan.

A key in the schema that `model.reading.convert` or a component drops fails here. A new key needs a row in `CHANGES`.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import json
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from model.reading.load import check_text
from model.settings import CLEAN_CODE, FoundationMode, GateCondition
from model.tenant import Tenant
from tests.plans import plan_of
from tests.spec.helpers import SETTINGS
from tests.spec.test_schema import SCHEMA, keys

#: Two clusters for one stage and two gates, so that every key has another legal value; without the foundation.
PLATFORM = dataclasses.replace(
    SETTINGS,
    foundation=FoundationMode.SKIP,
    clusters={
        **SETTINGS.clusters,
        "nonprod-2": dataclasses.replace(SETTINGS.clusters["nonprod-1"], name="nonprod-2", context="nonprod-2"),
    },
    argocd=dataclasses.replace(SETTINGS.argocd, charts={"shared": "oci://registry.example.fr/charts"}),
    gates=("platform", "strict"),
    observability=dataclasses.replace(
        SETTINGS.observability, log_retentions=(30, 31), webhook_hosts=("hooks.example.fr",)
    ),
    sonarqube=dataclasses.replace(
        SETTINGS.sonarqube, gates={"platform": CLEAN_CODE, "strict": (GateCondition("new_coverage", "LT", "90"),)}
    ),
)

#: A small tenant that states every key, because a key that is left out follows its archetype.
FILE: Mapping[str, Any] = yaml.safe_load("""
apiVersion: usine/v1
kind: Project
slug: tenant
name: Tenant
description: A tenant.
archetype: standard
state: active
owner: alice.martin
contact: team@example.fr
reviewAfter: "2027-06-30"
labels: {direction: dnum}
members: {admin: [bob], devops: [chloe], developer: [emma], security: [farid], readonly: [gaelle]}
roles: {audit: {description: Reads., rights: ["vault:names"], members: [hugo]}}
envelope:
  nonprod: {cpu: 16, memory: 32Gi, storage: 200Gi, gpu: 1}
  prod: {cpu: 16, memory: 32Gi, storage: 200Gi, gpu: 1}
environments:
  dev:
    stage: dev
    cluster: nonprod-1
    quota: {cpu: 4, memory: 8Gi, storage: 50Gi, gpu: 0, pods: 40}
    autosync: true
    url: https://dev.example.fr
    hosts: [other.example.fr]
    freezes: [{schedule: "0 0 20 12 *", duration: 336h, timeZone: Europe/Paris}]
    egress: [{host: api.example.fr, port: 443}]
    objectives: {availability: 99.9, latency: {within: 500ms, percent: 95}}
repositories:
  api:
    kind: app
    defaultBranch: main
    protectedBranches: [main]
    mirror: {url: "https://git.example.fr/api.git", credentials: mirror/api, schedule: "0 3 * * *", pipelines: false}
  web: {kind: app, preset: python, deploys: {repository: deploy, environments: {dev: merge-request}}}
  deploy:
    kind: infra
    preset: generic
    path: charts
    valueFiles: [values.yaml]
    revision: {default: main}
    parameters: {replicas: 2}
    chart: {source: registry, name: charts/web, version: {default: 1.4.2}}
  socle: {kind: infra, preset: generic, eachFolder: false}
registry: {quota: 50Gi, keep: {tags: 10, days: 90}, immutable: ["v*"], blockSeverity: critical}
quality:
  gate: platform
  newCode: {days: 30}
  findings: high
  dast:
    environments: [dev]
    schedule: "0 3 * * 1"
    scan: api
    openapi: /openapi.json
    credentials: dast/account
    threshold: high
    exclusions: [/logout]
packages: [maven]
packageRegistry: {keepVersions: 5, readers: [portal]}
secrets:
  deliver:
    database: {environments: [dev], path: app/database, keys: {DB_PASSWORD: password}}
observability:
  logRetention: 30d
  alerts:
    - {to: team@example.fr, severity: warning}
    - {webhook: "https://hooks.example.fr/a", credentials: hook}
""")

#: Each key, and another legal value for it.
CHANGES: Mapping[str, Any] = {
    "slug": "other",
    "name": "Other",
    "description": "Another tenant.",
    "archetype": "large",
    "state": "suspended",
    "owner": "zoe",
    "contact": "other@example.fr",
    "reviewAfter": "2028-06-30",
    "labels": {"direction": "other"},
    "members.admin": ["zoe"],
    "members.devops": ["zoe"],
    "members.developer": ["zoe"],
    "members.security": ["zoe"],
    "members.readonly": ["zoe"],
    "roles.audit.description": "Reads more.",
    "roles.audit.rights": ["harbor:pull"],
    "roles.audit.members": ["zoe"],
    "envelope.nonprod.cpu": 15,
    "envelope.nonprod.memory": "31Gi",
    "envelope.nonprod.storage": "199Gi",
    "envelope.nonprod.gpu": 2,
    "envelope.prod.cpu": 15,
    "envelope.prod.memory": "31Gi",
    "envelope.prod.storage": "199Gi",
    "envelope.prod.gpu": 2,
    "environments.dev.stage": "integration",
    "environments.dev.cluster": "nonprod-2",
    "environments.dev.quota.cpu": 5,
    "environments.dev.quota.memory": "9Gi",
    "environments.dev.quota.storage": "51Gi",
    "environments.dev.quota.gpu": 1,
    "environments.dev.quota.pods": 41,
    "environments.dev.autosync": False,
    "environments.dev.url": "https://new.example.fr",
    "environments.dev.hosts": ["new.example.fr"],
    "environments.dev.freezes.0.schedule": "0 0 21 12 *",
    "environments.dev.freezes.0.duration": "300h",
    "environments.dev.freezes.0.timeZone": "UTC",
    "environments.dev.egress.0.host": "new.example.fr",
    "environments.dev.egress.0.port": 8443,
    "environments.dev.objectives.availability": 99.5,
    "environments.dev.objectives.latency.within": "1s",
    "environments.dev.objectives.latency.percent": 90,
    "repositories.api.kind": "infra",
    "repositories.web.preset": "java",
    "repositories.api.defaultBranch": "trunk",
    "repositories.api.protectedBranches": ["main", "release/*"],
    "repositories.api.mirror.url": "https://git.example.fr/new.git",
    "repositories.api.mirror.credentials": "mirror/new",
    "repositories.api.mirror.schedule": "0 4 * * *",
    "repositories.api.mirror.pipelines": True,
    "repositories.deploy.path": "manifests",
    "repositories.deploy.valueFiles": ["values-<env>.yaml"],
    "repositories.deploy.revision": {"default": "main", "dev": "next"},
    "repositories.deploy.parameters": {"replicas": "2"},
    "repositories.deploy.chart.source": "shared",
    "repositories.deploy.chart.name": "charts/api",
    "repositories.deploy.chart.version": {"default": "1.4.2", "dev": "1.5.0"},
    "repositories.socle.eachFolder": True,
    "repositories.web.deploys.repository": "socle",
    "repositories.web.deploys.environments": {"dev": "direct"},
    "registry.quota": "51Gi",
    "registry.keep.tags": 11,
    "registry.keep.days": 91,
    "registry.immutable": ["release-*"],
    "registry.blockSeverity": "high",
    "quality.gate": "strict",
    "quality.newCode.days": 31,
    "quality.findings": "low",
    "quality.dast.environments": ["dev", "test"],
    "quality.dast.schedule": "0 4 * * 1",
    "packages": ["npm"],
    "packageRegistry.keepVersions": 6,
    "packageRegistry.readers": ["portal", "other"],
    "quality.dast.scan": "full",
    "quality.dast.openapi": "/v3/openapi.json",
    "quality.dast.credentials": "dast/other",
    "quality.dast.threshold": "low",
    "quality.dast.exclusions": ["/logout", "/admin/*"],
    "secrets.deliver.database.environments": ["dev", "test"],
    "secrets.deliver.database.path": "app/other",
    "secrets.deliver.database.keys": {"DB_PASSWORD": "other"},
    "observability.logRetention": "31d",
    "observability.alerts.0.to": "other@example.fr",
    "observability.alerts.0.severity": "critical",
    "observability.alerts.1.webhook": "https://hooks.example.fr/b",
    "observability.alerts.1.credentials": "other",
}

#: Keys that have one legal value in this version of the format.
FIXED = {"apiVersion", "kind"}

#: Keys that no resource depends on: why, and what reads them.
NOT_IN_THE_PLAN: Mapping[str, str] = {
    "archetype": "this file states every key; the rule quota-envelope compares amounts with those of the archetype",
    "reviewAfter": "the rule review-date compares it with the day of the check",
    "roles.audit.description": "a note for readers of the file: nothing else reads it",
    **dict.fromkeys(
        (
            f"envelope.{stages}.{amount}"
            for stages in ("nonprod", "prod")
            for amount in ("cpu", "memory", "storage", "gpu")
        ),
        "a limit and not a resource: the check of a file compares it with the sum of the environments, the rule "
        "quota-envelope with the archetype",
    ),
}


def changed(key: str) -> dict[str, Any]:
    """Return the file with another value for a key."""
    file = copy.deepcopy(dict(FILE))
    if key in {"quality.dast.environments", "secrets.deliver.database.environments"}:
        file["environments"]["test"] = {"stage": "dev", "cluster": "nonprod-1", "url": "https://test.example.fr"}
    if key == "quality.dast.scan":
        del file["quality"]["dast"]["openapi"]
    node: Any = file
    *above, last = (int(part) if part.isdigit() else part for part in key.split("."))
    for part in above:
        node = node[part]
    assert node[last] != CHANGES[key]
    node[last] = CHANGES[key]
    return file


@functools.cache
def tenant_of(text: str) -> Tenant:
    """Return the tenant of a file's text."""
    return check_text(text.encode(), f"{json.loads(text)['slug']}.yaml", PLATFORM)


def test_every_key_of_the_schema_has_another_value_here() -> None:
    known = {path for path, _ in keys(SCHEMA)}
    leaves = {path for path in known if not any(other[: len(path)] == path and other != path for other in known)}
    stated = set()
    for key in (*CHANGES, *FIXED):
        path: tuple[str, ...] = ()
        for part in key.split("."):
            step = "[]" if part.isdigit() else part
            path = (*path, step if (*path, step) in known or step == "[]" else "*")
        stated.add(path)
    assert stated == leaves


@pytest.mark.parametrize("key", CHANGES)
def test_a_change_of_a_key_changes_the_tenant(key: str) -> None:
    assert tenant_of(json.dumps(changed(key))) != tenant_of(json.dumps(FILE))


@pytest.mark.parametrize("key", CHANGES)
def test_a_change_of_a_key_changes_the_plan_or_has_a_reason(key: str) -> None:
    before, after = (plan_of(tenant_of(json.dumps(file)), settings=PLATFORM) for file in (FILE, changed(key)))
    assert (before.resources == after.resources) == (key in NOT_IN_THE_PLAN)

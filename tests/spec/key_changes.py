"""A tenant file that states every key, another value for each of them, and what reads a key that no resource has."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from model.settings import CLEAN_CODE, FoundationMode, GateCondition
from model.waves import FleetSettings
from tests.spec.helpers import SETTINGS

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
    fleet=FleetSettings(longest_hold=30, versions={"2026.10": "0" * 40, "2026.11": "1" * 40}, longest_pin=30),
    observability=dataclasses.replace(
        SETTINGS.observability, log_retentions=(30, 31), webhook_hosts=("hooks.example.fr",)
    ),
    sonarqube=dataclasses.replace(
        SETTINGS.sonarqube, gates={"platform": CLEAN_CODE, "strict": (GateCondition("new_coverage", "LT", "90"),)}
    ),
)

#: A small tenant that states every key, because a key that is left out follows its archetype. Each list and mapping of
#: sections has two entries: `CHANGES` is about the second, which a component that takes only the first one drops.
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
hold: {until: "2027-01-15", reason: The election is in January.}
pin: {version: "2026.10", until: "2027-01-15", reason: The audit is in January.}
labels: {direction: dnum}
members: {admin: [bob], devops: [chloe], developer: [emma], security: [farid], readonly: [gaelle]}
roles:
  first: {rights: ["vault:names"]}
  audit: {description: Reads., rights: ["vault:names"], members: [hugo]}
envelope:
  nonprod: {cpu: 16, memory: 32Gi, storage: 200Gi, gpu: 1}
  prod: {cpu: 16, memory: 32Gi, storage: 200Gi, gpu: 1}
environments:
  test:
    stage: dev
    cluster: nonprod-1
    quota: {cpu: 4, memory: 8Gi, storage: 50Gi, gpu: 0, pods: 40}
    autosync: true
    url: https://test.example.fr
  dev:
    stage: dev
    cluster: nonprod-1
    quota: {cpu: 4, memory: 8Gi, storage: 50Gi, gpu: 0, pods: 40}
    autosync: true
    url: https://dev.example.fr
    hosts: [other.example.fr]
    freezes:
      - {schedule: "0 0 1 8 *", duration: 1h}
      - {schedule: "0 0 20 12 *", duration: 336h, timeZone: Europe/Paris}
    egress: [{host: first.example.fr, port: 443}, {host: api.example.fr, port: 443}]
    objectives: {availability: 99.9, latency: {within: 500ms, percent: 95}}
  prod:
    stage: prod
    cluster: prod-1
    quota: {cpu: 4, memory: 8Gi, storage: 50Gi, gpu: 0, pods: 40}
    autosync: false
    backup: {schedule: "0 2 * * *", keep: 30d}
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
registry: {quota: 50Gi, keep: {tags: 10, days: 90}, immutable: ["v*", "1.*"], blockSeverity: critical}
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
    first: {}
    database: {environments: [dev], path: app/database, keys: {DB_PASSWORD: password}}
observability:
  logRetention: 30d
  alerts:
    - {to: first@example.fr}
    - {to: team@example.fr, severity: warning}
    - {webhook: "https://hooks.example.fr/a", credentials: hook}
  dashboards:
    exported: {title: Exported, model: '{"panels": []}'}
    orders:
      title: Orders
      panels:
        - {title: First, query: up}
        - {title: Orders, query: sum(orders), kind: graph, unit: bytes, legend: "{{pod}}"}
""")

#: Each key, and another legal value for it. A list or a mapping of plain values gets one more entry.
CHANGES: Mapping[str, Any] = {
    "slug": "other",
    "name": "Other",
    "description": "Another tenant.",
    "archetype": "large",
    "state": "suspended",
    "owner": "zoe",
    "contact": "other@example.fr",
    "reviewAfter": "2028-06-30",
    "hold.until": "2027-01-16",
    "hold.reason": "The election is in February.",
    "pin.version": "2026.11",
    "pin.until": "2027-01-16",
    "pin.reason": "The audit is in February.",
    "labels": {"direction": "dnum", "bureau": "other"},
    "members.admin": ["bob", "zoe"],
    "members.devops": ["chloe", "zoe"],
    "members.developer": ["emma", "zoe"],
    "members.security": ["farid", "zoe"],
    "members.readonly": ["gaelle", "zoe"],
    "roles.audit.description": "Reads more.",
    "roles.audit.rights": ["vault:names", "harbor:pull"],
    "roles.audit.members": ["hugo", "zoe"],
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
    "environments.dev.hosts": ["other.example.fr", "new.example.fr"],
    "environments.dev.freezes.1.schedule": "0 0 21 12 *",
    "environments.dev.freezes.1.duration": "300h",
    "environments.dev.freezes.1.timeZone": "UTC",
    "environments.dev.egress.1.host": "new.example.fr",
    "environments.dev.egress.1.port": 8443,
    "environments.dev.objectives.availability": 99.5,
    "environments.dev.objectives.latency.within": "1s",
    "environments.dev.objectives.latency.percent": 90,
    "environments.prod.backup.schedule": "0 3 * * *",
    "environments.prod.backup.keep": "31d",
    "repositories.api.kind": "infra",
    "repositories.web.preset": "java",
    "repositories.api.defaultBranch": "trunk",
    "repositories.api.protectedBranches": ["main", "release/*"],
    "repositories.api.mirror.url": "https://git.example.fr/new.git",
    "repositories.api.mirror.credentials": "mirror/new",
    "repositories.api.mirror.schedule": "0 4 * * *",
    "repositories.api.mirror.pipelines": True,
    "repositories.deploy.path": "manifests",
    "repositories.deploy.valueFiles": ["values.yaml", "values-<env>.yaml"],
    "repositories.deploy.revision": {"default": "main", "dev": "next"},
    "repositories.deploy.parameters": {"replicas": 2, "tier": "front"},
    "repositories.deploy.chart.source": "shared",
    "repositories.deploy.chart.name": "charts/api",
    "repositories.deploy.chart.version": {"default": "1.4.2", "dev": "1.5.0"},
    "repositories.socle.eachFolder": True,
    "repositories.web.deploys.repository": "socle",
    "repositories.web.deploys.environments": {"dev": "merge-request", "test": "direct"},
    "registry.quota": "51Gi",
    "registry.keep.tags": 11,
    "registry.keep.days": 91,
    "registry.immutable": ["v*", "1.*", "release-*"],
    "registry.blockSeverity": "high",
    "quality.gate": "strict",
    "quality.newCode.days": 31,
    "quality.findings": "low",
    "quality.dast.environments": ["dev", "test"],
    "quality.dast.schedule": "0 4 * * 1",
    "packages": ["maven", "npm"],
    "packageRegistry.keepVersions": 6,
    "packageRegistry.readers": ["portal", "other"],
    "quality.dast.scan": "full",
    "quality.dast.openapi": "/v3/openapi.json",
    "quality.dast.credentials": "dast/other",
    "quality.dast.threshold": "low",
    "quality.dast.exclusions": ["/logout", "/admin/*"],
    "secrets.deliver.database.environments": ["dev", "test"],
    "secrets.deliver.database.path": "app/other",
    "secrets.deliver.database.keys": {"DB_PASSWORD": "password", "DB_USER": "other"},
    "observability.logRetention": "31d",
    "observability.alerts.1.to": "other@example.fr",
    "observability.alerts.1.severity": "critical",
    "observability.alerts.2.webhook": "https://hooks.example.fr/b",
    "observability.alerts.2.credentials": "other",
    "observability.dashboards.orders.title": "Other",
    "observability.dashboards.orders.panels.1.title": "Other",
    "observability.dashboards.orders.panels.1.query": "sum(other)",
    "observability.dashboards.orders.panels.1.kind": "table",
    "observability.dashboards.orders.panels.1.unit": "seconds",
    "observability.dashboards.orders.panels.1.legend": "{{container}}",
    "observability.dashboards.exported.model": '{"panels": [{"type": "text"}]}',
}

#: Keys that have one legal value in this version of the format.
FIXED = {"apiVersion", "kind"}


@dataclass(frozen=True)
class Elsewhere:
    """What reads a key that no resource depends on, and the test of its effect."""

    reader: str
    test: str


_PINS = "tests.fleet.test_versions"
_PINNED = "test_a_pinned_tenant_is_run_by_its_version_and_the_others_by_the_present_one"
#: Keys that no resource depends on.
NOT_IN_THE_PLAN: Mapping[str, Elsewhere] = {
    # This file states every key, and so leaves nothing to the archetype.
    "archetype": Elsewhere(
        "the values of all keys that a file leaves out; the rule quota-envelope",
        "tests.spec.test_every_key.test_an_archetype_gives_what_a_file_leaves_out",
    ),
    "reviewAfter": Elsewhere("the rule review-date", "tests.rules.test_tenants.test_a_review_date"),
    "hold.until": Elsewhere(
        "`usine fleet`; the rule hold-length", "tests.fleet.test_waves.test_a_held_tenant_waits_until_its_last_day"
    ),
    "hold.reason": Elsewhere(
        "the plan and the report of `usine fleet`", "tests.fleet.test_waves.test_a_held_tenant_waits_until_its_last_day"
    ),
    "pin.version": Elsewhere("`usine fleet`", f"{_PINS}.{_PINNED}"),
    "pin.until": Elsewhere("`usine fleet`; the rule hold-length", f"{_PINS}.test_a_pin_ends_with_its_last_day"),
    "pin.reason": Elsewhere("the plan of `usine fleet`", f"{_PINS}.{_PINNED}"),
    **{
        f"envelope.{stages}.{amount}": Elsewhere(
            "the check of the sum of the environments; the rule quota-envelope",
            "tests.spec.test_every_key.test_every_amount_of_an_envelope_limits_its_environments",
        )
        for stages in ("nonprod", "prod")
        for amount in ("cpu", "memory", "storage", "gpu")
    },
}

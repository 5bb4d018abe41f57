"""The monitoring objects of a tenant: what they select, match, name and link to."""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from components.observability.objectives import objectives
from components.observability.rules import RecordingRule, subject_of
from model.settings import Settings, System
from model.tenant import LATENCIES, LatencyObjective, Objectives, Observability, State
from policy.promql import selectors
from tests import factories
from tests.observability.fleet import HOOK, MAIL, namespace_of, objects, rules, spec, tenant
from tests.plans import plan_of

PAGE = Path(__file__).parents[2] / "docs" / "alertes.md"


def test_every_expression_reads_the_namespace_of_its_rule_only() -> None:
    checked = 0
    for one, rule in rules(objects(tenant("alpha"), tenant("beta"))):
        namespace = namespace_of(one)
        found = list(selectors(rule["expr"]))
        assert found, rule
        for matchers in found:
            assert matchers["namespace"] == ("=", namespace), rule["expr"]
            if namespace == "argocd":
                assert matchers["project"][1].rpartition("-")[0] == one.tenant
            checked += 1
        assert (rule["labels"]["namespace"], rule["labels"]["tenant"]) == (namespace, one.tenant)
        assert rule["labels"]["environment"] in {"dev", "prod"}
    assert checked > 100


def test_every_alert_has_a_procedure_and_every_procedure_an_alert() -> None:
    alerts = {rule["alert"]: rule for _, rule in rules(objects(tenant())) if "alert" in rule}
    sections = set(re.findall(r"^## (\w+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert alerts.keys() == sections
    for name, rule in alerts.items():
        assert rule["annotations"]["runbook_url"] == f"https://guide.example.test/alertes#{name.lower()}"
        assert rule["labels"]["severity"] in {"info", "warning", "critical"}


def test_monitors_scrape_the_own_namespace_and_set_the_own_labels() -> None:
    found = objects(tenant())
    for kind, endpoints in (("servicemonitor", "endpoints"), ("podmonitor", "podMetricsEndpoints")):
        made = spec(found, f"alpha/observability/dev/{kind}")
        assert "namespaceSelector" not in made
        assert made["selector"] == {"matchLabels": {"usine.dev/metrics": "true"}}
        (endpoint,) = made[endpoints]
        assert endpoint.keys() == {"port", "relabelings"}
        assert {r["targetLabel"]: r["replacement"] for r in endpoint["relabelings"]} == {
            "tenant": "alpha",
            "environment": "dev",
        }


def test_receivers_with_a_secret_of_the_team_are_apart_and_not_in_argo_cd_s_namespace() -> None:
    found = objects(tenant())
    names = {r.name.removeprefix("alpha/observability/") for r in found if r.type.endswith(":AlertmanagerConfig")}
    assert names == {
        *(f"{environment}/{part}" for environment in ("dev", "prod") for part in ("receivers", "webhooks")),
        "deployments/receivers",
    }
    for name in ("dev/receivers", "deployments/receivers"):
        assert "authorization" not in json.dumps(spec(found, f"alpha/observability/{name}"))
    (_, hook) = spec(found, "alpha/observability/dev/webhooks")["receivers"]
    (webhook,) = hook["webhookConfigs"]
    assert webhook["httpConfig"] == {
        "followRedirects": False,
        "authorization": {"type": "Bearer", "credentials": {"name": "hook", "key": "token"}},
    }
    assert "inhibitRules" not in json.dumps([r.inputs for r in found])


def test_without_receivers_there_is_no_alertmanager_config_and_rules_stay() -> None:
    found = objects(tenant(alerts=()))
    assert Counter(r.type.rpartition(":")[2] for r in found if r.tenant) == {
        "PodMonitor": 2,
        "ServiceMonitor": 2,
        "PrometheusRule": 3,
    }
    only_hook = objects(tenant(alerts=(HOOK,)))
    assert "alpha/observability/deployments/receivers" not in {r.name for r in only_hook}


def test_a_suspended_tenant_is_observed_without_its_deployments_and_an_archived_one_is_not() -> None:
    names = {r.name for r in objects(tenant(state=State.SUSPENDED))}
    assert "alpha/observability/dev/rules" in names
    assert not any("deployments" in name for name in names)
    assert objects(tenant(state=State.ARCHIVED)) == []


def without(system: System) -> Settings:
    base = factories.settings()
    return dataclasses.replace(base, systems=base.systems - {system})


def test_a_platform_without_argo_cd_or_observability() -> None:
    names = {r.name for r in objects(tenant(), systems=without(System.ARGOCD).systems)}
    assert not any("deployments" in name for name in names)
    assert objects(tenant(), systems=without(System.OBSERVABILITY).systems) == []


def test_an_environment_without_a_host_has_no_alerts_on_requests() -> None:
    bare = factories.environment("dev", url=None)
    made = {rule["alert"] for _, rule in rules(objects(tenant(environments=(bare,)))) if "alert" in rule}
    assert "ContainerRestarts" in made
    assert not made & {"ErrorRateHigh", "LatencyHigh", "TrafficStopped", "ErrorBudgetBurnsFast"}


def test_the_namespace_says_how_long_its_logs_are_kept() -> None:
    kept = tenant("beta", observability=Observability(14, (MAIL,)))
    for settings, label in ((factories.settings(), "14d"), (without(System.OBSERVABILITY), None)):
        (found,) = (r for r in plan_of(kept, settings=settings).resources if r.name == "beta/kubernetes/dev/namespace")
        metadata = found.inputs["metadata"]
        assert isinstance(metadata, dict)
        assert metadata["labels"].get("usine.dev/log-retention") == label


@pytest.mark.parametrize(("percent", "fast", "slow"), [(99.9, "0.0144", "0.003"), (95.0, "0.72", "0.15")])
def test_burn_rates_follow_from_the_objective(percent: float, fast: str, slow: str) -> None:
    environment = factories.environment("dev", objectives=Objectives(availability=percent))
    recorded, alerts = objectives(subject_of(tenant(), environment, "https://guide.example.test"))
    assert len(recorded.rules) == 7
    assert all(isinstance(rule, RecordingRule) for rule in recorded.rules)
    burns = [rule.expression for rule in alerts.rules]
    assert f"> {fast} and" in burns[0]
    assert f"> {slow} and" in burns[1]


@pytest.mark.parametrize("within", LATENCIES)
def test_every_duration_is_a_bucket_in_both_spellings_of_prometheus(within: str) -> None:
    environment = factories.environment("dev", objectives=Objectives(latency=LatencyObjective(within, 95.0)))
    recorded, _ = objectives(subject_of(tenant(), environment, "https://guide.example.test"))
    (pattern,) = {match for rule in recorded.rules for match in re.findall(r'le=~"([^"]*)"', rule.expression)}
    seconds = float(within[:-2]) / 1000 if within.endswith("ms") else float(within[:-1])
    spellings = {f"{seconds:g}", f"{seconds}"}
    assert all(re.fullmatch(pattern, spelling) for spelling in spellings)
    others = {"0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"} - spellings
    assert not any(re.fullmatch(pattern, other) for other in others)

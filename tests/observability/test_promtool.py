"""`promtool` accepts every rule; each alert fires for the own namespace and never for another tenant's series."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from components.observability.default_dashboards import default_dashboards
from tests.observability.fleet import namespace_of, objects, rules, tenant
from tests.observability.promtool import expected, must, run, write

pytestmark = pytest.mark.servers  # the part of promtool and amtool is built

REQUESTS = "nginx_ingress_controller_requests"
BUCKETS = "nginx_ingress_controller_request_duration_seconds_bucket"
POD = 'pod="app-1", container="app"'


@dataclass(frozen=True)
class Case:
    """Series by which an alert fires after some minutes. `NS` stands for the namespace, `PROJECT` for the project.

    `labels` are those that the alert has from its series.
    """

    minutes: int
    series: Sequence[tuple[str, str]]
    labels: Mapping[str, str] = field(default_factory=dict)


#: Slow requests: all are answered, a tenth within the objective of 500 ms.
_SLOW = tuple(
    (f'{BUCKETS}{{namespace="NS", ingress="web", le="{le}"}}', f"0+{rate}x400")
    for le, rate in (("0.5", 6), ("1.0", 6), ("2.5", 6), ("5.0", 60), ("+Inf", 60))
)
_FAILING = (
    (f'{REQUESTS}{{namespace="NS", ingress="web", status="200"}}', "0+54x400"),
    (f'{REQUESTS}{{namespace="NS", ingress="web", status="502"}}', "0+6x400"),
)
CASES: Mapping[str, Case] = {
    "ContainerRestarts": Case(
        40,
        ((f'kube_pod_container_status_restarts_total{{namespace="NS", {POD}}}', "0+1x60"),),
        {"pod": "app-1", "container": "app"},
    ),
    "ContainerMemoryHigh": Case(
        20,
        (
            (f'container_memory_working_set_bytes{{namespace="NS", {POD}}}', "95x30"),
            (f'kube_pod_container_resource_limits{{namespace="NS", {POD}, resource="memory"}}', "100x30"),
        ),
        {"pod": "app-1", "container": "app"},
    ),
    "PodNotReady": Case(
        20, (('kube_pod_status_phase{namespace="NS", pod="app-1", phase="Pending"}', "1x30"),), {"pod": "app-1"}
    ),
    "JobFailed": Case(
        5, (('kube_job_status_failed{namespace="NS", job_name="nightly"}', "1x30"),), {"job_name": "nightly"}
    ),
    "QuotaUsedUp": Case(
        20,
        (
            ('kube_resourcequota{namespace="NS", resourcequota="usine", resource="pods", type="used"}', "19x30"),
            ('kube_resourcequota{namespace="NS", resourcequota="usine", resource="pods", type="hard"}', "20x30"),
            # Nobody uses what nobody may have.
            ('kube_resourcequota{namespace="NS", resource="services.nodeports", type="used"}', "0x30"),
            ('kube_resourcequota{namespace="NS", resource="services.nodeports", type="hard"}', "0x30"),
        ),
        {"resource": "pods"},
    ),
    "CertificateExpires": Case(
        90,
        (('certmanager_certificate_expiration_timestamp_seconds{namespace="NS", name="web"}', "864000x100"),),
        {"name": "web"},
    ),
    "CredentialsExpire": Case(
        90,
        (
            ('kube_secret_created{namespace="NS", secret="usine-registry"}', "1x100"),
            ('kube_secret_created{namespace="NS", secret="other"}', "1x100"),
        ),
        {"secret": "usine-registry"},
    ),
    "ErrorRateHigh": Case(60, _FAILING, {"ingress": "web"}),
    "LatencyHigh": Case(
        60,
        (*_SLOW, (f'{REQUESTS}{{namespace="NS", ingress="web", status="200"}}', "0+60x400")),
        {"ingress": "web"},
    ),
    "TrafficStopped": Case(
        140,
        ((f'{REQUESTS}{{namespace="NS", ingress="web", status="200"}}', "0+60x100 6000x60"),),
        {"ingress": "web"},
    ),
    "ErrorBudgetBurnsFast": Case(90, _FAILING, {"objective": "availability"}),
    "ErrorBudgetBurnsSlowly": Case(300, _SLOW, {"objective": "latency"}),
    "ApplicationOutOfSync": Case(
        60,
        (
            ('argocd_app_info{namespace="argocd", project="PROJECT", name="web", sync_status="OutOfSync"}', "1x70"),
            ('argocd_app_info{namespace="argocd", project="PROJECT", name="api", sync_status="Synced"}', "1x70"),
        ),
        {"name": "web"},
    ),
    "ApplicationUnhealthy": Case(
        60,
        (('argocd_app_info{namespace="argocd", project="PROJECT", name="web", health_status="Degraded"}', "1x70"),),
        {"name": "web"},
    ),
}


def rule_file(folder: Path, until: datetime.date = datetime.date(1970, 1, 10)) -> tuple[Path, list[dict[str, Any]]]:
    """Write the rules of alpha's environment dev; return the file and the rules. Test files begin in 1970."""
    found = objects(tenant("alpha"), until=until)
    groups: list[dict[str, Any]] = []
    for one in found:
        if one.name in {"alpha/observability/dev/rules", "alpha/observability/deployments/rules"}:
            spec = one.inputs["spec"]
            assert isinstance(spec, dict)
            groups += [group for group in spec["groups"] if not group["name"].endswith("-prod")]
    return write(folder, "rules.yaml", {"groups": groups}), [rule for group in groups for rule in group["rules"]]


def series(case: Case, namespace: str) -> list[dict[str, str]]:
    return [
        {"series": name.replace("NS", namespace).replace("PROJECT", namespace), "values": values}
        for name, values in case.series
    ]


def test_promtool_accepts_every_rule_of_every_tenant(tmp_path: Path) -> None:
    found = objects(tenant("alpha"), tenant("beta"))
    files = [
        write(tmp_path, f"{one.name.replace('/', '.')}.yaml", one.inputs["spec"])
        for one in found
        if one.type.endswith(":PrometheusRule")
    ]
    assert len(files) == 6
    must("promtool", "check", "rules", "--lint=all", "--lint-fatal", *files)


def test_promtool_s_own_parser_finds_the_namespace_in_every_selector() -> None:
    """Setting the matcher changes an expression only where a selector lacks it."""
    expressions = {
        (namespace_of(one), rule["expr"]) for one, rule in rules(objects(tenant("alpha"))) if "/prod/" not in one.name
    }
    assert len(expressions) > 30
    joined: dict[str, list[str]] = {}
    for namespace, expression in sorted(expressions):
        joined.setdefault(namespace, []).append(f"({expression})")
    for namespace, parts in joined.items():
        whole = " or ".join(parts)
        setting = ("promql", "label-matchers", "set", whole, "namespace", namespace, "--experimental")
        assert must("promtool", *setting) == must("promtool", "promql", "format", whole, "--experimental")
    # Where one is missing, they differ.
    lacking = 'up{namespace="alpha-dev"} or down'
    setting = ("promql", "label-matchers", "set", lacking, "namespace", "alpha-dev", "--experimental")
    assert must("promtool", *setting) != must("promtool", "promql", "format", lacking, "--experimental")


def test_every_alert_fires_in_its_own_namespace_and_for_no_series_of_another(tmp_path: Path) -> None:
    path, made = rule_file(tmp_path)
    alerts: dict[str, dict[str, Any]] = {}
    for rule in made:
        if "alert" in rule:
            alerts.setdefault(rule["alert"], rule)
    assert alerts.keys() == CASES.keys()
    tests = []
    for name, case in CASES.items():
        own, other = series(case, "alpha-dev"), series(case, "beta-dev")
        fires = [rule for rule in made if rule.get("alert") == name and _is_about(rule, case)]
        firing = [expected(fires[0], **case.labels)]
        for what, given, wanted in (("fires", own + other, firing), ("another tenant's", other, [])):
            asked = {"eval_time": f"{case.minutes}m", "alertname": name, "exp_alerts": wanted}
            tests.append({"name": f"{name}: {what}", "input_series": given, "alert_rule_test": [asked]})
    must("promtool", "test", "rules", write(tmp_path, "tests.yaml", {"rule_files": [str(path)], "tests": tests}))


def _is_about(rule: dict[str, Any], case: Case) -> bool:
    objective = case.labels.get("objective")
    return objective is None or f"usine:{objective}_errors" in rule["expr"]


@pytest.mark.parametrize("day", [datetime.date(2027, 3, 31)])
def test_credentials_are_not_reported_before_their_end_is_near(tmp_path: Path, day: datetime.date) -> None:
    path, _ = rule_file(tmp_path, day)
    case = CASES["CredentialsExpire"]
    asked = {"eval_time": f"{case.minutes}m", "alertname": "CredentialsExpire", "exp_alerts": []}
    test = {"input_series": series(case, "alpha-dev"), "alert_rule_test": [asked]}
    must("promtool", "test", "rules", write(tmp_path, "tests.yaml", {"rule_files": [str(path)], "tests": [test]}))


def test_a_wrong_expectation_fails(tmp_path: Path) -> None:
    """The tests above mean something: promtool fails when an alert does not fire."""
    path, _ = rule_file(tmp_path)
    asked = {"eval_time": "5m", "alertname": "JobFailed", "exp_alerts": []}
    test = {"input_series": series(CASES["JobFailed"], "alpha-dev"), "alert_rule_test": [asked]}
    file = write(tmp_path, "tests.yaml", {"rule_files": [str(path)], "tests": [test]})
    assert run("promtool", "test", "rules", file).returncode != 0


def test_promtool_accepts_every_query_of_the_default_dashboards(tmp_path: Path) -> None:
    made = default_dashboards(tenant(), "https://guide.example.test/alertes", logs=False)
    queries = [
        target["expr"].replace("$namespace", "alpha-dev|alpha-prod")
        for text in made.values()
        for panel in json.loads(text)["panels"]
        for target in panel["targets"]
    ]
    named = [{"record": f"panel:{number}", "expr": query} for number, query in enumerate(queries)]
    path = write(tmp_path, "panels.json", {"groups": [{"name": "panels", "rules": named}]})
    assert f"{len(queries)} rules found" in must("promtool", "check", "rules", path)

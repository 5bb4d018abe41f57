"""The keys `observability.dashboards` of a tenant file and `observability.grafana` of the settings."""

from __future__ import annotations

import dataclasses
import json

import pytest

from model.settings import BoundBy, DataStore, Settings
from model.tenant import Dashboard, Panel, PanelKind, PanelUnit
from tests.spec.helpers import HEAD, SETTINGS, one, problems

ENVIRONMENTS = "environments:\n  dev: {}\n"
FILE = HEAD + ENVIRONMENTS + "observability: {dashboards: {orders: KEYS}}\n"


def without_grafana() -> Settings:
    return dataclasses.replace(SETTINGS, observability=dataclasses.replace(SETTINGS.observability, grafana=None))


def without_logs() -> Settings:
    grafana = SETTINGS.observability.grafana
    assert grafana is not None
    observability = dataclasses.replace(SETTINGS.observability, grafana=dataclasses.replace(grafana, logs=None))
    return dataclasses.replace(SETTINGS, observability=observability)


def shown(text: str) -> tuple[Dashboard, ...] | None:
    return one(HEAD + ENVIRONMENTS + text, SETTINGS).observability.dashboards


def test_a_tenant_without_the_key_has_no_grafana_and_an_empty_one_has_the_default_set() -> None:
    assert shown("") is None
    assert shown("observability: {dashboards: {}}\n") == ()


def test_panels_and_exported_dashboards() -> None:
    exported = '{"b": 1, "panels": [{"datasource": {"type": "loki", "uid": "logs"}}]}'
    text = (
        "observability:\n  dashboards:\n    orders:\n      title: Orders\n      panels:\n"
        "        - {title: All, query: sum(orders)}\n"
        f"        - {{title: Lines, query: '{{}}', kind: logs}}\n    old: {{title: Old, model: '{exported}'}}\n"
    )
    assert shown(text) == (
        Dashboard(
            "orders",
            "Orders",
            (
                Panel("All", "sum(orders)", PanelKind.GRAPH, PanelUnit.NONE),
                Panel("Lines", "{}", PanelKind.LOGS),
            ),
        ),
        Dashboard("old", "Old", model=json.dumps(json.loads(exported), separators=(",", ":"), sort_keys=True)),
    )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{title: T}", "9:30: observability.dashboards.orders: state either panels or model"),
        ("{title: T, panels: [{title: A, query: up}], model: '{\"panels\": []}'}", "state either panels or model"),
        ("{title: T, panels: [{title: A, query: ''}]}", "the value is empty"),
        ("{title: T, panels: [{title: A, query: up, kind: chart}]}", "no such kind of panel"),
        ("{title: T, panels: [{title: A, query: up, unit: second}]}", "did you mean seconds?"),
        ("{title: T, panels: [{title: A, query: up, kind: logs, unit: bytes}]}", "a panel of logs has none"),
        ("{title: T, panels: [{title: A, query: up, kind: logs, legend: a}]}", "a panel of logs has none"),
        ("{title: T, panels: [{titel: A, query: up}]}", "did you mean title?"),
        ("{title: T, model: 'panels: []'}", "not JSON"),
        ("{title: T, model: '[]'}", "expected the JSON object of a dashboard"),
        ("{title: T, model: '{\"panels\": 1}'}", "expected the JSON object of a dashboard"),
        ('{title: T, model: \'{"panels": [], "__inputs": []}\'}', "exported to be shared"),
        ('{title: T, model: \'{"panels": [{"datasource": {"uid": "abc"}}]}\'}', "the uid is logs or metrics"),
        ('{title: T, model: \'{"panels": [{"datasource": "abc"}]}\'}', "there is no data source"),
    ],
)
def test_wrong_values_are_reported_where_they_are(content: str, says: str) -> None:
    found = problems(FILE.replace("KEYS", content))
    assert any(says in f"{problem.line}:{problem.column}: {problem.message}" for problem in found), found


def test_names_are_short_and_safe() -> None:
    for name in ("Orders", "orders--x", "a" * 31, "1st", "a/b"):
        (problem,) = problems(HEAD + ENVIRONMENTS + f"observability: {{dashboards: {{{name}: {{title: T}}}}}}\n")
        assert "the name of a dashboard" in problem.message


def test_a_platform_without_grafana_or_logs_and_a_tenant_without_environments() -> None:
    text = FILE.replace("KEYS", "{title: T, panels: [{title: A, query: '{}', kind: logs}]}")
    (problem,) = problems(text, settings=without_grafana())
    assert "the platform has no Grafana for tenants" in problem.message
    (problem,) = problems(text, settings=without_logs())
    assert "the platform shows no logs" in problem.message
    (problem,) = problems(HEAD + "repositories: {api: {}}\nobservability: {dashboards: {}}\n")
    assert "the tenant has no environment to show" in problem.message


@pytest.mark.parametrize("host", ["grafana.example.gouv.fr", "other.grafana.example.gouv.fr"])
def test_no_environment_has_a_host_of_grafana(host: str) -> None:
    """Its owner could show a page for passwords at the address of another tenant's Grafana."""
    text = HEAD + f"environments:\n  dev: {{url: 'https://{host}'}}\n"
    (problem,) = problems(text)
    assert "the hosts of grafana.example.gouv.fr are those of Grafana" in problem.message
    assert problems(text, settings=without_grafana()) == []


def test_the_settings_say_where_grafana_is_and_what_bounds_it() -> None:
    grafana = SETTINGS.observability.grafana
    assert grafana is not None
    assert (grafana.cluster, grafana.namespace, grafana.domain) == ("nonprod-1", "grafana", "grafana.example.gouv.fr")
    assert grafana.metrics == DataStore(
        "http://prom-label-proxy.monitoring.svc:8080", "X-Usine-Namespaces", BoundBy.NAMESPACES
    )
    assert grafana.logs == DataStore("http://loki-gateway.monitoring.svc", "X-Scope-OrgID", BoundBy.TENANT)

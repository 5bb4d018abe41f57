"""The dashboards of a tenant: what their panels ask for, and what they link to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from components.observability.default_dashboards import default_dashboards
from model.reading.dashboard_fields import LONGEST_MODEL, MOST_DASHBOARDS
from model.tenant import Dashboard, Observability, Panel, PanelKind, PanelUnit, Tenant
from policy.promql import selectors
from tests import factories
from tests.observability.fleet import objects, rules, tenant

RUNBOOKS = "https://guide.example.test/alertes"
TEAM = Dashboard(
    "orders",
    "Orders",
    (
        Panel("Orders", "sum(orders_total)", unit=PanelUnit.PER_SECOND, legend="{{pod}}"),
        Panel("Now", "orders_now", PanelKind.NUMBER),
        Panel("List", "orders_by_state", PanelKind.TABLE),
        Panel("Lines", '{namespace=~"$namespace"} |= "order"', PanelKind.LOGS),
    ),
)
EXPORTED = Dashboard("old", "Old one", model='{"id":7,"panels":[{"type":"text"}],"title":"x","uid":"usine-alerts"}')


def dashboards(*team: Dashboard, logs: bool = True, one: Tenant | None = None) -> Mapping[str, Any]:
    found = tenant(observability=Observability(30, (), team)) if one is None else one
    return {name: json.loads(text) for name, text in default_dashboards(found, RUNBOOKS, logs=logs).items()}


def panels(made: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [panel for dashboard in made.values() for panel in dashboard["panels"]]


def test_every_query_of_the_default_set_reads_the_chosen_namespaces_only() -> None:
    checked = 0
    for panel in panels(dashboards(logs=False)):
        for target in panel["targets"]:
            found = list(selectors(target["expr"]))
            assert found
            assert all(matchers["namespace"] == ("=~", "$namespace") for matchers in found), target["expr"]
            checked += 1
    assert checked > 15
    (lines,) = dashboards()["logs.json"]["panels"]
    assert lines["targets"][0]["expr"] == '{namespace=~"$namespace"}'


def test_every_alert_is_linked_to_its_procedure() -> None:
    links = {link["title"]: link["url"] for panel in panels(dashboards()) for link in panel["links"]}
    alerts = {rule["alert"] for _, rule in rules(objects(tenant())) if "alert" in rule}
    assert links == {alert: f"{RUNBOOKS}#{alert.lower()}" for alert in alerts}


def test_dashboards_are_those_that_the_tenant_has_something_to_show_in() -> None:
    assert set(dashboards()) == {f"{name}.json" for name in ("requests", "workloads", "objectives", "alerts", "logs")}
    bare = factories.tenant(environments=(factories.environment("dev", url=None),))
    assert set(dashboards(one=bare, logs=False)) == {"workloads.json", "alerts.json"}


def test_the_reader_chooses_among_the_environments_of_the_tenant() -> None:
    for dashboard in dashboards().values():
        (variable,) = dashboard["templating"]["list"]
        assert variable["query"] == "dev : alpha-dev, prod : alpha-prod"
        assert (variable["multi"], variable["includeAll"]) == (True, True)


def test_dashboards_of_the_team_are_beside_the_default_ones_and_replace_none() -> None:
    made = dashboards(TEAM, EXPORTED)
    assert {"team-orders.json", "team-old.json"} < set(made)
    assert made["team-old.json"] == {"id": None, "panels": [{"type": "text"}], "title": "Old one", "uid": "team-old"}
    assert len({dashboard["uid"] for dashboard in made.values()}) == len(made)
    orders = made["team-orders.json"]
    assert [(p["type"], p["datasource"]["uid"]) for p in orders["panels"]] == [
        ("timeseries", "metrics"),
        ("stat", "metrics"),
        ("table", "metrics"),
        ("logs", "logs"),
    ]
    assert orders["panels"][0]["fieldConfig"]["defaults"]["unit"] == "cps"
    assert orders["panels"][0]["targets"][0]["legendFormat"] == "{{pod}}"


def test_panels_do_not_overlap() -> None:
    for dashboard in dashboards(TEAM).values():
        taken: set[tuple[int, int]] = set()
        for place in (panel["gridPos"] for panel in dashboard["panels"]):
            cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
            assert not cells & taken
            assert place["x"] + place["w"] <= 24
            taken |= cells


def test_all_dashboards_fit_into_one_config_map() -> None:
    defaults = default_dashboards(tenant(), RUNBOOKS, logs=True)
    # A character of the file has up to 4 bytes; the limit of etcd is 1.5 MiB, that of a ConfigMap one.
    assert sum(len(text.encode()) for text in defaults.values()) + MOST_DASHBOARDS * LONGEST_MODEL < 2**20

"""Dashboards of Grafana as plain values, and the JSON text of one. This module does not use Pulumi.

The fields are those of Grafana's classic dashboard model (schema version 39), which every version from 10 on reads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from model.tenant import Dashboard, Panel, PanelKind, PanelUnit

#: The uids of the data sources of a tenant's Grafana, by which panels name them.
METRICS, LOGS = "metrics", "logs"
_SOURCES: Mapping[str, Mapping[str, str]] = {
    METRICS: {"type": "prometheus", "uid": METRICS},
    LOGS: {"type": "loki", "uid": LOGS},
}
_SCHEMA_VERSION = 39
_TYPES: Mapping[PanelKind, str] = {
    PanelKind.GRAPH: "timeseries",
    PanelKind.NUMBER: "stat",
    PanelKind.TABLE: "table",
    PanelKind.LOGS: "logs",
}
_UNITS: Mapping[PanelUnit, str] = {
    PanelUnit.NONE: "short",
    PanelUnit.PERCENT: "percent",
    PanelUnit.RATIO: "percentunit",
    PanelUnit.SECONDS: "s",
    PanelUnit.MILLISECONDS: "ms",
    PanelUnit.BYTES: "bytes",
    PanelUnit.PER_SECOND: "cps",
}
#: The grid has 24 columns.
_COLUMNS, _WIDTH, _HEIGHT = 24, 12, 8
_WIDE = frozenset({PanelKind.TABLE, PanelKind.LOGS})


@dataclass(frozen=True, slots=True)
class Link:
    """A link of a dashboard or a panel."""

    title: str
    url: str


@dataclass(frozen=True, slots=True)
class LinkedPanel:
    """A panel with links, to the procedures of the alerts that are about the same."""

    panel: Panel
    links: Sequence[Link] = ()


def dashboard_text(
    uid: str, title: str, panels: Sequence[LinkedPanel], namespaces: Mapping[str, str], links: Sequence[Link] = ()
) -> str:
    """Return the JSON text of a dashboard. `namespaces` are by environment: `$namespace` stands for the chosen ones."""
    placed: list[dict[str, object]] = []
    x = y = 0
    for number, one in enumerate(panels, 1):
        width = _COLUMNS if one.panel.kind in _WIDE else _WIDTH
        if x + width > _COLUMNS:
            x, y = 0, y + _HEIGHT
        placed.append(_panel(number, one, {"x": x, "y": y, "w": width, "h": _HEIGHT}))
        x += width
    return _text(
        {
            "uid": uid,
            "title": title,
            "tags": ["usine"],
            "schemaVersion": _SCHEMA_VERSION,
            "editable": True,
            "refresh": "1m",
            "time": {"from": "now-6h", "to": "now"},
            "templating": {"list": [_variable(namespaces)]},
            "links": [_link(link) | {"type": "link", "icon": "doc"} for link in links],
            "panels": placed,
        }
    )


def team_dashboard(dashboard: Dashboard, namespaces: Mapping[str, str]) -> str:
    """Return the JSON text of a dashboard of the tenant file. Its address is that of its name, also if exported."""
    uid = f"team-{dashboard.name}"
    if dashboard.model is None:
        return dashboard_text(uid, dashboard.title, [LinkedPanel(panel) for panel in dashboard.panels], namespaces)
    model = json.loads(dashboard.model)
    return _text({**model, "id": None, "uid": uid, "title": dashboard.title})


def _variable(namespaces: Mapping[str, str]) -> dict[str, object]:
    return {
        "type": "custom",
        "name": "namespace",
        "label": "Environment",
        "query": ", ".join(f"{environment} : {namespace}" for environment, namespace in namespaces.items()),
        "multi": True,
        "includeAll": True,
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def _panel(number: int, one: LinkedPanel, place: Mapping[str, int]) -> dict[str, object]:
    panel = one.panel
    source = _SOURCES[LOGS if panel.kind is PanelKind.LOGS else METRICS]
    target: dict[str, object] = {"refId": "A", "datasource": source, "expr": panel.query}
    if panel.legend:
        target["legendFormat"] = panel.legend
    if panel.kind in {PanelKind.NUMBER, PanelKind.TABLE}:
        target |= {"instant": True, "range": False}
    if panel.kind is PanelKind.TABLE:
        target["format"] = "table"
    return {
        "id": number,
        "type": _TYPES[panel.kind],
        "title": panel.title,
        "datasource": source,
        "gridPos": dict(place),
        "targets": [target],
        "links": [_link(link) for link in one.links],
        "fieldConfig": {"defaults": {"unit": _UNITS[panel.unit]}, "overrides": []},
        "options": {},
    }


def _link(link: Link) -> dict[str, object]:
    return {"title": link.title, "url": link.url, "targetBlank": True}


def _text(model: Mapping[str, object]) -> str:
    return json.dumps(model, sort_keys=True, ensure_ascii=False, separators=(",", ":"))

"""The keys `observability` and `objectives` of a tenant file as pydantic sees them."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from model.reading import dashboard_fields as d
from model.reading import fields as f
from model.reading import secret_fields as s
from model.reading.section import Section, fixed, from_archetype
from model.tenant import LATENCIES, PanelKind, PanelUnit

ALERT_SEVERITIES: Final = ("info", "warning", "critical")


class LatencySection(Section):
    """How fast requests are answered."""

    within: Annotated[str, *fixed("duration", *LATENCIES)]
    """A duration that the ingress controller measures."""
    percent: f.Percent
    """The share of the requests that are answered within it."""


class ObjectivesSection(Section):
    """Service level objectives over 30 days, measured at the ingress."""

    availability: f.Percent | None = None
    """The share of requests without a server error (5xx)."""
    latency: LatencySection | None = None


class AlertSection(Section):
    """Who gets alerts: an e-mail address, or a webhook."""

    to: f.Email | None = None
    webhook: f.Url | None = None
    """Alertmanager posts alerts to this URL, whose host the platform has to allow."""
    credentials: s.SecretName | None = None
    """With a webhook: a Secret that the team creates in each namespace. Its key `token` is sent as bearer token."""
    severity: Annotated[str, *fixed("severity", *ALERT_SEVERITIES)] = "warning"
    """The lowest severity of the alerts."""


class PanelSection(Section):
    """A panel of a dashboard."""

    title: f.Name
    query: d.Query
    kind: Annotated[str, *fixed("kind of panel", *(kind.value for kind in PanelKind))] = "graph"
    """How the values are shown."""
    unit: Annotated[str, *fixed("unit", *(unit.value for unit in PanelUnit))] = "none"
    """The unit of the values."""
    legend: d.Legend = ""


class DashboardSection(Section):
    """A dashboard: panels, or the JSON text of one that Grafana exported."""

    title: f.Name
    panels: Annotated[list[PanelSection], Field(max_length=d.MOST_PANELS)] = []
    """Panels, in their order."""
    model: d.Model | None = None
    """The JSON of a dashboard, as Grafana exports it. Its data sources have the uid metrics or logs."""


class ObservabilitySection(Section):
    """Logs, alerts and dashboards."""

    log_retention: f.Days = from_archetype()
    alerts: Annotated[list[AlertSection], Field(max_length=20)] = []
    """Who gets which alerts."""
    dashboards: Annotated[dict[d.DashboardName, DashboardSection], Field(max_length=d.MOST_DASHBOARDS)] | None = None
    """Name -> dashboard, beside the default ones. `{}`: only the default ones. Default: the tenant has no Grafana."""

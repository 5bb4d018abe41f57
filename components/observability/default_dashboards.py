"""The dashboards that every tenant with Grafana has: requests, workloads, objectives, alerts, logs.

They show what the alerts of `alerts` and `objectives` are about, and link to their procedures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from components.observability.dashboards import Link, LinkedPanel, dashboard_text, team_dashboard
from model.naming import REGISTRY_SECRET, names_of
from model.tenant import Panel, PanelKind, PanelUnit, Tenant

#: The matcher of every selector: the namespaces that the reader chooses. Grafana fills it in.
_OWN = 'namespace=~"$namespace"'
_REQUESTS = "nginx_ingress_controller_requests"
_BUCKETS = "nginx_ingress_controller_request_duration_seconds_bucket"
_CONTAINERS = f'{_OWN}, container!="", container!="POD"'
#: What is available of 30 days cannot be computed quickly; three days are the longest window of the alerts.
_LONG, _SHORT = "3d", "1h"


def default_dashboards(tenant: Tenant, runbooks: str, *, logs: bool) -> Mapping[str, str]:
    """Return the JSON texts of all dashboards of the tenant, by the name of the file, the team's among them.

    `runbooks` is the page of procedures; `logs`: whether Grafana has the tenant's logs.
    """
    names = names_of(tenant)
    namespaces = {environment.name: names.namespace(environment.name) for environment in tenant.environments}
    sets: dict[str, tuple[str, Sequence[LinkedPanel]]] = {}
    if any(environment.all_hosts for environment in tenant.environments):
        sets["requests"] = ("Requests", _requests(runbooks))
    sets["workloads"] = ("Workloads", _workloads(runbooks))
    if objectives := _objectives(tenant, runbooks):
        sets["objectives"] = ("Objectives", objectives)
    sets["alerts"] = ("Alerts", _alerts(runbooks))
    if logs:
        sets["logs"] = ("Logs", _logs())
    home = [Link("Procedures", runbooks)]
    made = {
        f"{name}.json": dashboard_text(f"usine-{name}", title, panels, namespaces, home)
        for name, (title, panels) in sets.items()
    }
    return made | {
        f"team-{dashboard.name}.json": team_dashboard(dashboard, namespaces)
        for dashboard in tenant.observability.dashboards or ()
    }


def _linked(runbooks: str, panel: Panel, *alerts: str) -> LinkedPanel:
    return LinkedPanel(panel, [Link(alert, f"{runbooks}#{alert.lower()}") for alert in alerts])


def _requests(runbooks: str) -> Sequence[LinkedPanel]:
    by = "sum by (namespace, ingress)"
    total = f"{by} (rate({_REQUESTS}{{{_OWN}}}[5m]))"
    quantile = f"histogram_quantile(%s, sum by (namespace, ingress, le) (rate({_BUCKETS}{{{_OWN}}}[5m])))"
    legend = "{{namespace}} {{ingress}}"
    return (
        _linked(runbooks, Panel("Requests", total, unit=PanelUnit.PER_SECOND, legend=legend), "TrafficStopped"),
        _linked(
            runbooks,
            Panel(
                "Server errors (5xx)",
                f'{by} (rate({_REQUESTS}{{{_OWN}, status=~"5.."}}[5m])) / {total}',
                unit=PanelUnit.RATIO,
                legend=legend,
            ),
            "ErrorRateHigh",
        ),
        _linked(
            runbooks,
            Panel("95 % are faster than", quantile % "0.95", unit=PanelUnit.SECONDS, legend=legend),
            "LatencyHigh",
        ),
        LinkedPanel(Panel("50 % are faster than", quantile % "0.5", unit=PanelUnit.SECONDS, legend=legend)),
        LinkedPanel(
            Panel(
                "Answers by status",
                f"sum by (status) (rate({_REQUESTS}{{{_OWN}}}[5m]))",
                unit=PanelUnit.PER_SECOND,
                legend="{{status}}",
            )
        ),
    )


def _workloads(runbooks: str) -> Sequence[LinkedPanel]:
    by = "sum by (namespace, pod, container)"
    most = "max by (namespace, pod, container)"
    legend = "{{pod}} {{container}}"
    memory = f"{most} (container_memory_working_set_bytes{{{_CONTAINERS}}})"
    limit = f'{most} (kube_pod_container_resource_limits{{{_OWN}, resource="%s"}})'
    cpu = f"{by} (rate(container_cpu_usage_seconds_total{{{_CONTAINERS}}}[5m]))"
    quota = f'max by (namespace, resource) (kube_resourcequota{{{_OWN}, type="%s"}})'
    return (
        _linked(
            runbooks,
            Panel("Memory of the limit", f"{memory} / {limit % 'memory'}", unit=PanelUnit.RATIO, legend=legend),
            "ContainerMemoryHigh",
        ),
        LinkedPanel(Panel("CPU of the limit", f"{cpu} / {limit % 'cpu'}", unit=PanelUnit.RATIO, legend=legend)),
        _linked(
            runbooks,
            Panel(
                "Restarts in 15 minutes",
                f"{by} (increase(kube_pod_container_status_restarts_total{{{_OWN}}}[15m]))",
                legend=legend,
            ),
            "ContainerRestarts",
        ),
        _linked(
            runbooks,
            Panel(
                "Pods by phase",
                f"sum by (namespace, phase) (kube_pod_status_phase{{{_OWN}}})",
                legend="{{namespace}} {{phase}}",
            ),
            "PodNotReady",
        ),
        _linked(
            runbooks,
            Panel(
                "Failed jobs",
                f"max by (namespace, job_name) (kube_job_status_failed{{{_OWN}}}) > 0",
                legend="{{namespace}} {{job_name}}",
            ),
            "JobFailed",
        ),
        _linked(
            runbooks,
            Panel(
                "Used of the quota",
                f"{quota % 'used'} / ({quota % 'hard'} > 0)",
                unit=PanelUnit.RATIO,
                legend="{{namespace}} {{resource}}",
            ),
            "QuotaUsedUp",
        ),
        _linked(
            runbooks,
            Panel(
                "Certificates are good for",
                f"min by (namespace, name) (certmanager_certificate_expiration_timestamp_seconds{{{_OWN}}}) - time()",
                kind=PanelKind.NUMBER,
                unit=PanelUnit.SECONDS,
                legend="{{namespace}} {{name}}",
            ),
            "CertificateExpires",
        ),
        _linked(
            runbooks,
            Panel(
                "Age of the registry's credential",
                f'time() - max by (namespace) (kube_secret_created{{{_OWN}, secret="{REGISTRY_SECRET}"}})',
                kind=PanelKind.NUMBER,
                unit=PanelUnit.SECONDS,
                legend="{{namespace}}",
            ),
            "CredentialsExpire",
        ),
    )


def _objectives(tenant: Tenant, runbooks: str) -> Sequence[LinkedPanel]:
    found: list[LinkedPanel] = []
    for objective in ("availability", "latency"):
        if all(getattr(environment.objectives, objective) is None for environment in tenant.environments):
            continue
        for window, title in ((_SHORT, "last hour"), (_LONG, "last three days")):
            found.append(
                _linked(
                    runbooks,
                    Panel(
                        f"{objective.capitalize()}: share of bad requests, {title}",
                        f"usine:{objective}_errors:ratio_rate{window}{{{_OWN}}}",
                        unit=PanelUnit.RATIO,
                        legend="{{namespace}}",
                    ),
                    "ErrorBudgetBurnsFast" if window == _SHORT else "ErrorBudgetBurnsSlowly",
                )
            )
    return found


def _alerts(runbooks: str) -> Sequence[LinkedPanel]:
    firing = f'ALERTS{{{_OWN}, alertstate="firing"}}'
    return (
        LinkedPanel(Panel("Firing", f"sum by (alertname, severity, namespace) ({firing})", kind=PanelKind.TABLE)),
        _linked(
            runbooks,
            Panel("Firing over time", f"sum by (alertname) ({firing})", legend="{{alertname}}"),
            # Their series are Argo CD's. They are not within the bounds of the tenant's data source.
            "ApplicationOutOfSync",
            "ApplicationUnhealthy",
        ),
    )


def _logs() -> Sequence[LinkedPanel]:
    return (LinkedPanel(Panel("Lines", f"{{{_OWN}}}", kind=PanelKind.LOGS)),)

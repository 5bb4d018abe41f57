"""Service level objectives of an environment, as recording rules and alerts on the burn rate.

The windows and factors are those of the chapter "Alerting on SLOs" of Google's SRE Workbook, for 30 days: an alert
needs a long window, so that a short disturbance does not fire, and a short one, so that it ends with the disturbance.
"""

from __future__ import annotations

from components.observability.rules import AlertRule, RecordingRule, RuleGroup, RuleSubject

_WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
#: Severity -> (alert, time, factor, long window, short window) of each condition; one of them fires the alert.
_BURNS = (
    ("ErrorBudgetBurnsFast", "2m", "critical", ((14.4, "1h", "5m"), (6.0, "6h", "30m"))),
    ("ErrorBudgetBurnsSlowly", "15m", "warning", ((3.0, "1d", "2h"), (1.0, "3d", "6h"))),
)
_REQUESTS = "nginx_ingress_controller_requests"
_BUCKETS = "nginx_ingress_controller_request_duration_seconds_bucket"


def objectives(subject: RuleSubject) -> tuple[RuleGroup, ...]:
    """Return the rules of the environment's objectives."""
    stated, own = subject.environment.objectives, subject.scope
    groups: list[RuleGroup] = []
    if stated.availability is not None:
        groups += _objective(
            subject,
            "availability",
            stated.availability,
            f'sum by (namespace) (rate({_REQUESTS}{{{own}, status=~"5.."}}[%s])) / '
            f"sum by (namespace) (rate({_REQUESTS}{{{own}}}[%s]))",
            f"{stated.availability:g} % of the requests are answered without a server error",
        )
    if stated.latency is not None:
        within = f'{own}, le=~"{_bucket(stated.latency.within)}"'
        groups += _objective(
            subject,
            "latency",
            stated.latency.percent,
            f"1 - sum by (namespace) (rate({_BUCKETS}{{{within}}}[%s])) / "
            f'sum by (namespace) (rate({_BUCKETS}{{{own}, le="+Inf"}}[%s]))',
            f"{stated.latency.percent:g} % of the requests are answered within {stated.latency.within}",
        )
    return tuple(groups)


def _objective(
    subject: RuleSubject, name: str, percent: float, ratio: str, promise: str
) -> tuple[RuleGroup, RuleGroup]:
    budget = round(1 - percent / 100, 6)
    recorded = tuple(
        RecordingRule(f"usine:{name}_errors:ratio_rate{window}", ratio % (window, window), {"objective": name})
        for window in _WINDOWS
    )

    def burns(factor: float, *windows: str) -> str:
        limit = f"{round(factor * budget, 8):g}"
        return " and ".join(
            f"usine:{name}_errors:ratio_rate{window}{{{subject.scope}}} > {limit}" for window in windows
        )

    alerts = tuple(
        AlertRule(
            alert,
            " or ".join(f"({burns(factor, long, short)})" for factor, long, short in conditions),
            lasting,
            severity,
            f"the objective for {name} is at risk",
            f"The objective: {promise} (30 days). At this rate the allowed errors are used up before.",
            {"objective": name},
        )
        for alert, lasting, severity, conditions in _BURNS
    )
    return RuleGroup(f"objective-{name}", recorded), RuleGroup(f"objective-{name}-alerts", alerts)


def _bucket(within: str) -> str:
    """Return a regular expression for the label ``le``: Prometheus 3 writes ``1.0``, earlier versions ``1``."""
    milliseconds = within.removesuffix("ms")
    seconds = float(milliseconds) / 1000 if within.endswith("ms") else float(within.removesuffix("s"))
    return f"{seconds:g}".replace(".", "[.]") if seconds % 1 else f"{seconds:g}([.]0)?"

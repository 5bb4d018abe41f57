"""The checks of the keys `observability` and `objectives`: receivers, and what can be measured."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from model.problems import KeyPath
from model.reading.dashboards import to_dashboards
from model.reading.observability_schema import AlertSection, ObjectivesSection
from model.reading.promotions import Note
from model.reading.schema import EnvironmentSection, TenantSection
from model.settings import Settings, System
from model.tenant import Alert, LatencyObjective, Objectives, Observability
from model.texts import did_you_mean, show


def to_observability(file: TenantSection, settings: Settings, wrong: Collection[KeyPath], note: Note) -> Observability:
    """Return the value of the key `observability`; report what is wrong to `note`."""
    stated = file.observability
    path: KeyPath = ("observability", "logRetention")
    kept = settings.observability.log_retentions
    if settings.on(System.OBSERVABILITY) and stated.log_retention not in kept and path not in wrong:
        listed = ", ".join(f"{days}d" for days in sorted(kept))
        days = f"{stated.log_retention}d"
        note(path, f"observability.logRetention: the platform does not keep logs for {days}; allowed: {listed}")
    seen: set[str] = set()
    for index, alert in enumerate(stated.alerts):
        path = ("observability", "alerts", index)
        if not {(*path, key) for key in ("to", "webhook", "credentials")} & set(wrong):
            _check_receiver(path, alert, settings, seen, note)
    return Observability(
        stated.log_retention,
        tuple(Alert(alert.severity, alert.to, alert.webhook, alert.credentials) for alert in stated.alerts),
        to_dashboards(file, settings, wrong, note),
    )


def _check_receiver(path: KeyPath, alert: AlertSection, settings: Settings, seen: set[str], note: Note) -> None:
    where = f"observability.alerts[{path[-1]}]"
    if (alert.to is None) == (alert.webhook is None):
        note(path, f"{where}: state either to, an e-mail address, or webhook")
        return
    address = alert.to or alert.webhook or ""
    if address in seen:
        note(path, f"{where}: {show(address)} is in this list twice")
    seen.add(address)
    if alert.webhook is None:
        if alert.credentials is not None:
            note((*path, "credentials"), f"{where}: credentials are for a webhook; an e-mail needs none", at_key=True)
        return
    host = urlsplit(alert.webhook).hostname or ""
    if settings.on(System.OBSERVABILITY) and host not in settings.observability.webhook_hosts:
        # Alertmanager reaches hosts that the tenant does not.
        note(
            (*path, "webhook"),
            f"{where}: the platform does not allow webhooks on {show(host)}; "
            f"{did_you_mean(host, settings.observability.webhook_hosts)}",
        )


def to_objectives(name: str, environment: EnvironmentSection, wrong: Collection[KeyPath], note: Note) -> Objectives:
    """Return the objectives of an environment; report to `note` if the ingress cannot measure them."""
    stated = environment.objectives
    path: KeyPath = ("environments", name)
    hidden = {(*path, "url"), (*path, "hosts")} & set(wrong)
    if stated != ObjectivesSection() and not environment.url and not environment.hosts and not hidden:
        note(
            (*path, "objectives"),
            f"environments.{name}: objectives are measured at the ingress; state url or hosts",
            at_key=True,
        )
    latency = stated.latency
    return Objectives(
        stated.availability, None if latency is None else LatencyObjective(latency.within, latency.percent)
    )

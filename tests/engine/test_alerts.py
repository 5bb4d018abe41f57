"""Workloads of two tenants fail on a real Prometheus and Alertmanager: each alert reaches its own tenant's receiver.

The real operator makes their configuration from the objects that the fleet's `up` created. One platform is set up as
docs/observability.md asks. The other one enforces no namespace, neither in rules nor in routes: there, only the
matchers of the objects themselves separate the tenants.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.testing.platforms import TestLab
from tests.engine import live
from tests.engine.alerting import Monitoring, documented, running, unenforced, wait
from tests.engine.fleet import Fleet

pytestmark = pytest.mark.servers

#: What kube-state-metrics and Argo CD report, without the value.
_JOBS = {
    "alpha": 'kube_job_status_failed{namespace="alpha-dev",job_name="import"}',
    "beta": 'kube_job_status_failed{namespace="beta-dev",job_name="export"}',
}
_APPLICATION = (
    'argocd_app_info{namespace="argocd",name="alpha-dev-deploy",project="alpha-dev",'
    'sync_status="Synced",health_status="Degraded"}'
)
#: An alert as a receiver sees it: its name, its namespace, its tenant, and the object that it is about.
Seen = tuple[str, str, str, str]
_ALPHA: frozenset[Seen] = frozenset({
    ("JobFailed", "alpha-dev", "alpha", "import"), ("ApplicationUnhealthy", "argocd", "alpha", "alpha-dev-deploy"),
})  # fmt: skip
_BETA: frozenset[Seen] = frozenset({("JobFailed", "beta-dev", "beta", "export")})
#: The rules that beta brings: what it asks about alpha's jobs is answered about its own.
_OWN: frozenset[Seen] = frozenset({("Own", "beta-dev", "", ""), ("Spy", "beta-dev", "", "export")})
#: How long a wrong alert has to arrive after all right ones: every interval is 1 s.
_SETTLE = 4.0


@contextmanager
def objects_of_teams(lab: TestLab) -> Iterator[None]:
    """Create what teams bring: the token of alpha's webhook, and rules of beta. One of these reads alpha's series."""
    token = {"metadata": {"name": "hook"}, "stringData": {"token": "not-a-secret"}}
    rules = [
        {
            "alert": "Spy",
            "expr": 'kube_job_status_failed{namespace="alpha-dev"} > 0',
            "labels": {"severity": "warning"},
        },
        {"alert": "Own", "expr": "vector(1)", "labels": {"severity": "warning"}},
    ]
    own = {
        "apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule", "metadata": {"name": "own"},
        "spec": {"groups": [{"name": "own", "rules": rules}]},
    }  # fmt: skip
    made: dict[str, dict[str, Any]] = {
        "/api/v1/namespaces/alpha-dev/secrets": token,
        "/apis/monitoring.coreos.com/v1/namespaces/beta-dev/prometheusrules": own,
    }
    try:
        for path, body in made.items():
            lab.kubernetes.post(path, json=body).raise_for_status()
        yield
    finally:
        for path, body in made.items():
            lab.kubernetes.delete(f"{path}/{body['metadata']['name']}")


def received(monitoring: Monitoring) -> dict[str, frozenset[Seen]]:
    """Return the alerts that each address got."""
    found: dict[str, set[Seen]] = {}
    for mail in tuple(monitoring.mailbox.mails):
        found.setdefault(mail.to.partition("@")[0], set()).update(map(_seen, mail.alerts))
    return {to: frozenset(alerts) for to, alerts in found.items()}


def _seen(labels: dict[str, str]) -> Seen:
    about = labels.get("job_name") or labels.get("name") or ""
    return labels["alertname"], labels["namespace"], labels.get("tenant", ""), about


def test_an_alert_reaches_its_own_tenant_and_the_platform_and_nobody_else(fleet: Fleet, tmp_path: Path) -> None:
    wanted = {
        "documented": {"alpha": _ALPHA, "beta": _BETA | _OWN, "platform": _ALPHA | _BETA | _OWN},
        "unenforced": {"alpha": _ALPHA, "beta": _BETA, "platform": _ALPHA | _BETA},
    }
    lab, before = fleet.lab, live.kubernetes(fleet.lab)
    with objects_of_teams(lab), running(lab, tmp_path, [documented(), unenforced()]) as (exporter, platforms):
        exporter.series = {**dict.fromkeys(_JOBS.values(), 0), _APPLICATION: 0}
        for one in platforms:
            wait(one.scrapes, "the first scrape")
            wait(one.evaluates, "the first evaluation")
            assert {rule["labels"].get("tenant") for rule in one.rules()} >= {"alpha", "beta"}
            # The operator has found the token of the webhook, which is called by nobody: its host does not exist here.
            assert "https://hooks.example.gouv.fr/alpha" in one.routes
            # A monitor becomes a search in its own namespace, with the names of its tenant and environment.
            assert "serviceMonitor/alpha-dev/usine/0" in one.configuration
        assert not {"alpha", "platform"} & set(received(platforms[1])), "nothing is broken yet"
        exporter.series = {**dict.fromkeys(_JOBS.values(), 1), _APPLICATION: 1}
        for one in platforms:
            wait(functools.partial(_complete, one, wanted[one.name]), f"the mails of {one.name}")
        time.sleep(_SETTLE)
        assert {one.name: received(one) for one in platforms} == wanted
    assert live.kubernetes(lab) == before


def _complete(monitoring: Monitoring, wanted: dict[str, frozenset[Seen]]) -> bool:
    have = received(monitoring)
    return all(alerts <= have.get(to, frozenset()) for to, alerts in wanted.items())

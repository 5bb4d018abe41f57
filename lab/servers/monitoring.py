"""The Prometheus operator's API: its custom resources, in the Kubernetes API server.

No operator and no Prometheus runs, except in one test (`tests/engine/alerting.py`). In the others, promtool and amtool
check rules and routes.
"""

from __future__ import annotations

from lab.servers.definitions import Definitions

NAMESPACE = "monitoring"
_KINDS = ("alertmanagerconfigs", "podmonitors", "probes", "prometheusrules", "servicemonitors")


class PrometheusOperator(Definitions):
    """The Prometheus operator without its controller."""

    name = "prometheus-operator"
    parts = ("prometheus-operator",)
    namespace = NAMESPACE
    names = tuple(f"{kind}.monitoring.coreos.com" for kind in _KINDS)

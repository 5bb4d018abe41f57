"""Writes of the Prometheus operator's kinds that a tenant may try, for an API server with its definitions."""

from __future__ import annotations

from collections.abc import Iterator

from tests.engine.admission_model import Json, changed, object_of

_V1 = "monitoring.coreos.com/v1"


def monitoring_kinds() -> Iterator[tuple[str, str, Json | None, list[tuple[str, Json]]]]:
    """Yield kind, list, an allowed object (None: there is none), and the refused objects with their reasons."""
    for kind, endpoints in (("ServiceMonitor", "endpoints"), ("PodMonitor", "podMetricsEndpoints")):
        yield _monitor(kind, endpoints)
    probe = object_of(_V1, "Probe", spec={"prober": {"url": "vault.platform.svc"}})
    yield "Probe", f"apis/{_V1}/probes", None, [("probes and scrape configurations", probe)]
    rule = {"alert": "X", "expr": "up == 0", "labels": {"severity": "warning"}}
    rules = object_of(_V1, "PrometheusRule", spec={"groups": [{"name": "x", "rules": [rule]}]})
    labels = "spec/groups/0/rules/0/labels"
    own = {"severity": "info", "namespace": "alpha-dev", "tenant": "alpha", "environment": "dev"}
    yield (
        "PrometheusRule",
        f"apis/{_V1}/prometheusrules",
        changed(rules, labels, own),
        [
            ("are those of its namespace", changed(rules, f"{labels}/{name}", value))
            for name, value in (("namespace", "beta-dev"), ("tenant", "beta"), ("environment", "prod"))
        ],
    )
    yield _receivers()


def _monitor(kind: str, endpoints: str) -> tuple[str, str, Json | None, list[tuple[str, Json]]]:
    relabel = [
        {"sourceLabels": ["__meta_kubernetes_pod_name"], "targetLabel": "pod"},
        {"targetLabel": "tenant", "replacement": "alpha"},
        {"targetLabel": "environment", "replacement": "dev"},
        {"action": "drop", "regex": "x"},
    ]
    scraped = {"port": "http", "tlsConfig": {"serverName": "x"}, "relabelings": relabel}
    monitor = object_of(_V1, kind, spec={endpoints: [scraped], "selector": {}})
    first = f"spec/{endpoints}/0"
    address = [{"targetLabel": "__address__", "replacement": "vault.platform.svc:8200"}]
    named = [{"sourceLabels": ["x"], "targetLabel": "${1}__"}]
    relabelings, whose = "relabelings set plain labels", "labels tenant and environment"
    lowered = [{"targetLabel": "environment", "action": "Lowercase"}]
    copied = [{"sourceLabels": ["__meta_kubernetes_pod_label_t"], "targetLabel": "tenant", "replacement": "alpha"}]
    refused = [
        ("none of bearerTokenFile", changed(monitor, f"{first}/proxyUrl", "http://proxy.example.fr")),
        ("none of bearerTokenFile", changed(monitor, f"{first}/honorLabels", value=True)),
        ("its own namespace only", changed(monitor, "spec/namespaceSelector", {"any": True})),
        ("its own namespace only", changed(monitor, "spec/namespaceSelector", {"matchNames": ["beta-dev"]})),
        ("has no scrapeClass", changed(monitor, "spec/scrapeClass", "platform")),
        (relabelings, changed(monitor, f"{first}/relabelings", address)),
        (relabelings, changed(monitor, f"{first}/metricRelabelings", named)),
        (relabelings, changed(monitor, f"{first}/metricRelabelings", [{"targetLabel": "namespace"}])),
        (relabelings, changed(monitor, f"{first}/relabelings", [{"action": "LabelMap", "regex": "(.+)"}])),
        (whose, changed(monitor, f"{first}/relabelings", [{"targetLabel": "tenant", "replacement": "beta"}])),
        (
            whose,
            changed(monitor, f"{first}/metricRelabelings", lowered),
        ),
        (whose, changed(monitor, f"{first}/relabelings", copied)),
    ]
    if kind == "ServiceMonitor":  # a PodMonitor has no such fields: the API server drops them
        token = changed(monitor, f"{first}/bearerTokenFile", "/var/run/secrets/token")
        refused.append(("none of bearerTokenFile", token))
        refused.append(("no files of Prometheus", changed(monitor, f"{first}/tlsConfig", {"keyFile": "/etc/key"})))
    return kind, f"apis/{_V1}/{kind.lower()}s", monitor, refused


def _receivers() -> tuple[str, str, Json | None, list[tuple[str, Json]]]:
    webhook = {"url": "https://hooks.example.test/a", "httpConfig": {"followRedirects": False}}
    mail = {"to": "a@example.fr", "sendResolved": True}
    receiver = {"name": "x", "emailConfigs": [mail], "webhookConfigs": [webhook]}
    spec = {"route": {"receiver": "x"}, "receivers": [receiver]}
    config = object_of("monitoring.coreos.com/v1alpha1", "AlertmanagerConfig", spec=spec)
    first, hosts = "spec/receivers/0", "webhooks of alerts go to hosts"
    secret = {"name": "x", "key": "url"}
    inhibit = [{"sourceMatch": [{"name": "severity", "value": "info"}], "targetMatch": [{"name": "a", "value": "b"}]}]
    return (
        "AlertmanagerConfig",
        "apis/monitoring.coreos.com/v1alpha1/alertmanagerconfigs",
        config,
        [
            ("is an e-mail address", changed(config, f"{first}/slackConfigs", [{"apiURL": secret}])),
            ("is an e-mail address", changed(config, f"{first}/emailConfigs/0/smarthost", "10.0.0.1:25")),
            *(
                (hosts, changed(config, f"{first}/webhookConfigs/0/{field}", value))
                for field, value in (
                    ("url", "https://169.254.169.254/latest"),
                    ("url", "http://hooks.example.test/a"),
                    ("url", "https://hooks.example.test@evil.example/a"),
                    ("url", "https://hooks.example.test.evil.example/a"),
                    ("urlSecret", secret),
                    ("httpConfig/followRedirects", True),
                    ("httpConfig/proxyURL", "http://10.0.0.1"),
                )
            ),
            (hosts, changed(config, f"{first}/webhookConfigs", [{"url": "https://hooks.example.test/a"}])),
            ("have no inhibitRules", changed(config, "spec/inhibitRules", inhibit)),
        ],
    )


#: A role that opens all kinds of the operator; a cluster's `operators` opens fewer.
MEMBER = {
    "apiGroups": ["monitoring.coreos.com"],
    "resources": ["podmonitors", "servicemonitors", "prometheusrules", "alertmanagerconfigs"],
    "verbs": ["*"],
}


def on_platform_objects() -> Iterator[tuple[str, str, Json | None]]:
    """Yield method, path below the namespace and body of what a member tries with the platform's objects."""
    forged = object_of(_V1, "PrometheusRule", spec={"groups": []})
    forged["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "usine"}
    yield "DELETE", "prometheusrules/usine", None
    yield "PATCH", "prometheusrules/usine", {"spec": {"groups": []}}
    yield "PATCH", "prometheusrules/usine", {"metadata": {"labels": {"app.kubernetes.io/managed-by": "team"}}}
    yield "DELETE", "servicemonitors/usine", None
    yield "POST", "prometheusrules", forged

"""What tenants may request from the Prometheus operator, and who may change the platform's own objects.

Tenants write monitors and rules where the cluster's `operators` open them, and no receivers of alerts. The rules here
apply to every writer. The fields are those of prometheus-operator v0.85 (pkg/apis/monitoring).
"""

from __future__ import annotations

from collections.abc import Sequence

from components.kubernetes.admission_model import (
    SPEC_CHANGED,
    AdmissionRule,
    Demand,
    Match,
    cel_list,
)
from model.naming import DOMAIN, MANAGED_BY_LABEL, TENANT_LABEL

_GROUP = "monitoring.coreos.com"
_ENDPOINT = (
    *("port", "portNumber", "targetPort", "path", "scheme", "params", "interval", "scrapeTimeout", "filterRunning"),
    *("honorTimestamps", "trackTimestampsStaleness", "metricRelabelings", "relabelings", "followRedirects"),
    # The credentials of these fields come from secrets of the same namespace.
    *("enableHttp2", "authorization", "basicAuth", "bearerTokenSecret", "tlsConfig"),
)
_TLS = ("ca", "cert", "keySecret", "serverName", "insecureSkipVerify", "minVersion", "maxVersion")
_RELABEL_ACTIONS = (
    *("replace", "keep", "drop", "keepequal", "dropequal", "hashmod", "lowercase", "uppercase", "labeldrop"),
    *("labelkeep",),
)
#: The labels of the platform on series and alerts, and their values in CEL.
_OWN_LABELS = {
    "namespace": "request.namespace",
    "tenant": f"namespaceObject.metadata.labels['{TENANT_LABEL}']",
    "environment": f"namespaceObject.metadata.?labels[?'{DOMAIN}/environment'].orValue('')",
}


def monitoring_rules(webhook_hosts: Sequence[str]) -> tuple[AdmissionRule, ...]:
    """Return the rules of every cluster. `webhook_hosts` are the hosts that Alertmanager may call for tenants."""
    return _monitors(), _probes(), _alert_rules(), _receivers(webhook_hosts), _platform_objects()


def _monitors() -> AdmissionRule:
    relabelings = "variables.endpoints.map(e, e.?{}.orValue([]))"
    rules = f"({relabelings.format('relabelings')} + {relabelings.format('metricRelabelings')})"
    own = " && ".join(
        f"(r.?targetLabel.orValue('x') != '{label}' || r.?action.orValue('replace').lowerAscii() == 'replace' && "
        f"r.?replacement.orValue('') == {value} && !has(r.sourceLabels))"
        for label, value in _OWN_LABELS.items()
        if label != "namespace"
    )
    return AdmissionRule(
        "monitors",
        (Match(_GROUP, ("podmonitors", "servicemonitors")),),
        (
            Demand(
                f"variables.endpoints.all(e, e.all(k, k in {cel_list(_ENDPOINT)}))",
                "an endpoint to monitor has none of bearerTokenFile, proxyUrl, oauth2, honorLabels: Prometheus would "
                "show its own token, or call what the project cannot reach",
            ),
            Demand(
                f"variables.endpoints.all(e, e.?tlsConfig.orValue({{}}).all(k, k in {cel_list(_TLS)}))",
                "tlsConfig of an endpoint names secrets and config maps, no files of Prometheus",
            ),
            Demand(
                "!object.spec.?namespaceSelector.?any.orValue(false) && "
                "object.spec.?namespaceSelector.?matchNames.orValue([]).all(n, n == request.namespace)",
                "a monitor looks into its own namespace only: leave namespaceSelector out",
            ),
            Demand(
                "!has(object.spec.scrapeClass)", "a monitor has no scrapeClass: it may hold credentials of the platform"
            ),
            Demand(
                # Prometheus expands a `$` in a target label. It sends requests to the address in __address__.
                f"{rules}.all(rs, rs.all(r, "
                f"r.?action.orValue('replace').lowerAscii() in {cel_list(_RELABEL_ACTIONS)} && "
                "r.?targetLabel.orValue('x').matches('^[a-zA-Z][a-zA-Z0-9_]*$') && "
                "r.?targetLabel.orValue('x') != 'namespace'))",
                "relabelings set plain labels other than namespace, without labelmap: "
                "__address__ is whom Prometheus calls",
            ),
            Demand(
                f"{rules}.all(rs, rs.all(r, {own}))",
                "relabelings set the labels tenant and environment to those of the namespace only",
            ),
        ),
        variables=(("endpoints", "object.spec.?endpoints.orValue([]) + object.spec.?podMetricsEndpoints.orValue([])"),),
        when=SPEC_CHANGED,
    )


def _probes() -> AdmissionRule:
    """Refuse probes: the prober calls any address that a probe names, with all values of the other fields."""
    return AdmissionRule(
        "probes",
        (Match(_GROUP, ("probes", "scrapeconfigs")),),
        (Demand("false", "probes and scrape configurations are the platform's: they call any address"),),
        when=SPEC_CHANGED,
    )


def _alert_rules() -> AdmissionRule:
    """Check the labels of rules: by `namespace`, Alertmanager decides whose receivers get an alert.

    The API server cannot parse the expressions. The operator bounds them (`enforcedNamespaceLabel`).
    """
    own = " && ".join(f"r.?labels[?'{label}'].orValue({value}) == {value}" for label, value in _OWN_LABELS.items())
    return AdmissionRule(
        "alert-rules",
        (Match(_GROUP, ("prometheusrules",)),),
        (
            Demand(
                f"variables.rules.all(rs, rs.all(r, {own}))",
                "the labels namespace, tenant and environment of a rule are those of its namespace: leave them out",
            ),
        ),
        variables=(("rules", "object.spec.?groups.orValue([]).map(g, g.?rules.orValue([]))"),),
        when=SPEC_CHANGED,
    )


def _receivers(webhook_hosts: Sequence[str]) -> AdmissionRule:
    """Allow e-mail and webhooks on the platform's hosts: Alertmanager reaches addresses that a tenant does not."""
    hosts = cel_list(webhook_hosts)
    return AdmissionRule(
        "receivers",
        (Match(_GROUP, ("alertmanagerconfigs",)),),
        (
            Demand(
                "variables.receivers.all(r, r.all(k, k in ['name', 'emailConfigs', 'webhookConfigs'])) && "
                "variables.receivers.all(r, r.?emailConfigs.orValue([]).all(e, e.all(k, k in ['to', 'sendResolved'])))",
                "a receiver of alerts is an e-mail address, without a mail server of its own, or a webhook",
            ),
            Demand(
                "variables.webhooks.all(ws, ws.all(w, "
                "w.all(k, k in ['url', 'sendResolved', 'httpConfig']) && isURL(w.?url.orValue('')) && "
                f"url(w.url).getScheme() == 'https' && url(w.url).getHost() in {hosts} && "
                "w.?httpConfig.orValue({}).all(k, k in ['followRedirects', 'authorization']) && "
                "!w.?httpConfig.?followRedirects.orValue(true)))",
                f"webhooks of alerts go to hosts that the platform allows, by https and without redirects: "
                f"{', '.join(webhook_hosts) or 'none'}",
            ),
            Demand(
                "!has(object.spec.inhibitRules) || object.spec.inhibitRules.size() == 0",
                "receivers have no inhibitRules: the platform would not see the inhibited alerts",
            ),
        ),
        variables=(
            ("receivers", "object.spec.?receivers.orValue([])"),
            ("webhooks", "variables.receivers.map(r, r.?webhookConfigs.orValue([]))"),
        ),
        when=SPEC_CHANGED,
    )


def _platform_objects() -> AdmissionRule:
    """Let nobody change the platform's monitors, rules and receivers who may not also delete the namespace.

    Where the cluster opens these kinds, a member of the tenant could otherwise remove an alert before the platform sees
    it.
    """
    label = f"metadata.?labels[?'{MANAGED_BY_LABEL}'].orValue('')"
    return AdmissionRule(
        "platform-monitoring",
        (
            Match(
                _GROUP,
                ("alertmanagerconfigs", "podmonitors", "prometheusrules", "servicemonitors"),
                ("CREATE", "UPDATE", "DELETE"),
            ),
        ),
        (
            Demand(
                "!variables.platform || "
                "authorizer.group('').resource('namespaces').name(request.namespace).check('delete').allowed()",
                f"this object is the platform's ({MANAGED_BY_LABEL}: usine): give yours another name, "
                "without this label",
            ),
        ),
        variables=(
            (
                "platform",
                f"object != null && object.{label} == 'usine' || oldObject != null && oldObject.{label} == 'usine'",
            ),
        ),
    )

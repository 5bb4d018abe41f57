"""Metrics and alerts of tenants: what rules read, what Prometheus scrapes, who gets alerts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from model.naming import DOMAIN
from policy.model import Hidden, Policy, Resource, is_missing, is_set, items_of, value_at
from policy.promql import selectors

_SEVERITIES = ("info", "warning", "critical")
_MONITORS = {"ServiceMonitor": "endpoints", "PodMonitor": "podMetricsEndpoints"}
#: Fields of an endpoint by which Prometheus shows a credential of its own, trusts the target's labels, or calls others.
_REFUSED = ("bearerTokenFile", "proxyUrl", "proxyFromEnvironment", "oauth2", "honorLabels")
_EMAIL = frozenset({"to", "sendResolved"})


def _tenant_of(resource: Resource) -> str | None:
    label = resource.at("metadata", "labels", f"{DOMAIN}/tenant")
    return resource.tenant or (label if isinstance(label, str) else None)


def _rules_of(resource: Resource) -> Iterator[tuple[str, object]]:
    for place, group in enumerate(items_of(resource.at("spec", "groups"))):
        for index, rule in enumerate(items_of(value_at(group, "rules"))):
            yield f"spec.groups[{place}].rules[{index}]", rule


def _bounded_rules(resource: Resource) -> Iterator[str]:
    tenant, namespace = _tenant_of(resource), resource.at("metadata", "namespace")
    if resource.kind != "PrometheusRule" or tenant is None:
        return
    for path, rule in _rules_of(resource):
        expression = value_at(rule, "expr")
        if isinstance(expression, str):
            yield from _expression(path, expression, namespace)
        label = value_at(rule, "labels", "tenant")
        if not isinstance(label, Hidden) and label != tenant:
            yield f"{path}.labels.tenant is not the tenant"


def _expression(path: str, expression: str, namespace: object) -> Iterator[str]:
    try:
        found = tuple(selectors(expression))
    except ValueError:
        yield f"{path}.expr is not PromQL"
        return
    if not found:
        yield f"{path}.expr reads no series"
    for matchers in found:
        operator, value = matchers.get("namespace", ("", ""))
        if operator != "=" or not value:
            yield f"{path}.expr has a selector without namespace"
        elif isinstance(namespace, str) and value != namespace:
            yield f"{path}.expr has a selector of another namespace"


def _complete_alerts(resource: Resource) -> Iterator[str]:
    if resource.kind != "PrometheusRule":
        return
    for path, rule in _rules_of(resource):
        if is_missing(value_at(rule, "alert")):
            continue
        if value_at(rule, "labels", "severity") not in (*_SEVERITIES, Hidden.UNKNOWN):
            yield f"{path}.labels.severity is none of {', '.join(_SEVERITIES)}"
        runbook = value_at(rule, "annotations", "runbook_url")
        if not isinstance(runbook, Hidden) and not str(runbook or "").startswith("https://"):
            yield f"{path}.annotations.runbook_url is no https URL"


def _own_monitor(resource: Resource) -> Iterator[str]:
    endpoints = _MONITORS.get(resource.kind)
    if endpoints is None or _tenant_of(resource) is None:
        return
    if is_set(resource.at("spec", "namespaceSelector")):
        yield "spec.namespaceSelector selects other namespaces"
    for index, endpoint in enumerate(items_of(resource.at("spec", endpoints))):
        for field in _REFUSED:
            if is_set(value_at(endpoint, field)):
                yield f"spec.{endpoints}[{index}].{field} is set"


def _own_receivers(resource: Resource) -> Iterator[str]:
    tenant, namespace = _tenant_of(resource), resource.at("metadata", "namespace")
    if resource.kind != "AlertmanagerConfig" or tenant is None:
        return
    matching = {
        value_at(matcher, "name"): value_at(matcher, "value")
        for matcher in items_of(resource.at("spec", "route", "matchers"))
        if value_at(matcher, "matchType") == "="
    }
    if matching.get("namespace") not in (namespace, Hidden.UNKNOWN) and namespace is not Hidden.UNKNOWN:
        yield "spec.route has no matcher of its namespace"
    if isinstance(namespace, str) and namespace.rpartition("-")[0] != tenant and matching.get("tenant") != tenant:
        yield "spec.route is outside the tenant's namespaces and has no matcher of the tenant"
    if is_set(resource.at("spec", "inhibitRules")):
        yield "spec.inhibitRules hides alerts from the platform"
    for index, receiver in enumerate(items_of(resource.at("spec", "receivers"))):
        for place, email in enumerate(items_of(value_at(receiver, "emailConfigs"))):
            if isinstance(email, Mapping) and not _EMAIL.issuperset(email):
                yield f"spec.receivers[{index}].emailConfigs[{place}] has a mail server or credentials of its own"


POLICIES = (
    Policy(
        "rules-own-namespace",
        "The rules of a tenant read the series of one namespace, that of the rule, and are labelled with the tenant",
        'give every selector of the expression namespace="<namespace of the rule>", and the rule the label tenant',
        check=_bounded_rules,
    ),
    Policy(
        "alert-has-procedure",
        "An alert has a severity and a link to its procedure",
        "set labels.severity to info, warning or critical, and annotations.runbook_url",
        check=_complete_alerts,
    ),
    Policy(
        "monitor-own-namespace",
        "A monitor of a tenant scrapes its own namespace, without credentials of Prometheus",
        "leave out namespaceSelector and the fields that name files, proxies and labels of the target",
        check=_own_monitor,
    ),
    Policy(
        "receivers-own-alerts",
        "The receivers of a tenant get the alerts of the tenant, by the platform's mail server, and hide none",
        "match the namespace (outside the tenant's namespaces also the tenant), and leave out inhibitRules",
        check=_own_receivers,
    ),
)

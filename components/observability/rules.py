"""Rules of Prometheus as plain values. This module does not use Pulumi.

Every selector of every expression has the label `namespace`, which the platform's Prometheus enforces on rules and
series (docs/observability.md). So a rule reads the series of its own namespace only, with or without enforcement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from model.naming import names_of
from model.tenant import Environment, Tenant

#: The severities, from the lowest to the highest.
SEVERITIES = ("info", "warning", "critical")


@dataclass(frozen=True, slots=True)
class AlertRule:
    """An alert. `lasting` is how long the expression holds before it fires, such as ``10m``.

    `summary` and `description` are for people; Prometheus replaces ``{{ $labels.… }}`` in them.
    """

    name: str
    expression: str
    lasting: str
    severity: str
    summary: str
    description: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RecordingRule:
    """A series that Prometheus computes from others."""

    name: str
    expression: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuleGroup:
    """Rules that are computed together, in their order."""

    name: str
    rules: Sequence[AlertRule | RecordingRule]


@dataclass(frozen=True, slots=True)
class RuleSubject:
    """What rules are about: an environment, whose series are in `namespace`; `runbooks` is the page of procedures."""

    tenant: Tenant
    environment: Environment
    namespace: str
    runbooks: str

    @property
    def labels(self) -> dict[str, str]:
        """The labels of every series and alert of its rules."""
        return {"tenant": self.tenant.slug, "environment": self.environment.name, "namespace": self.namespace}

    @property
    def scope(self) -> str:
        """The matcher of every selector."""
        return f'namespace="{self.namespace}"'


def subject_of(tenant: Tenant, environment: Environment, runbooks: str, namespace: str | None = None) -> RuleSubject:
    """Return an environment as the subject of rules in its own namespace, or in another one of the platform."""
    return RuleSubject(tenant, environment, namespace or names_of(tenant).namespace(environment.name), runbooks)


def groups_spec(subject: RuleSubject, groups: Sequence[RuleGroup]) -> list[dict[str, object]]:
    """Return the groups as the specification of a PrometheusRule has them; groups without rules are left out."""
    return [{"name": g.name, "rules": [_rule(subject, rule) for rule in g.rules]} for g in groups if g.rules]


def _rule(subject: RuleSubject, rule: AlertRule | RecordingRule) -> dict[str, object]:
    if isinstance(rule, RecordingRule):
        return {"record": rule.name, "expr": rule.expression, "labels": {**subject.labels, **rule.labels}}
    return {
        "alert": rule.name,
        "expr": rule.expression,
        "for": rule.lasting,
        "labels": {**subject.labels, **rule.labels, "severity": rule.severity},
        "annotations": {
            "summary": f"{rule.summary} ({subject.tenant.slug}, {subject.environment.name})",
            "description": rule.description,
            "runbook_url": f"{subject.runbooks}#{rule.name.lower()}",
        },
    }

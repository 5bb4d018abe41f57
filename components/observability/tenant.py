"""A tenant's monitors, rules and receivers, in each of its namespaces and in Argo CD's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from components.base import Component
from components.observability import alerts as rules
from components.observability.grafana import GrafanaPlace, TenantGrafana, TenantGrafanaArgs
from components.observability.objectives import objectives
from components.observability.receivers import receivers_spec
from components.observability.rules import groups_spec, subject_of
from model.lifecycle import is_observed
from model.naming import METRICS_LABEL, MONITORING_OBJECT, WEBHOOKS_OBJECT, labels, names_of
from model.repository import RepositoryKind
from model.settings import Credential
from model.tenant import Environment, State, Tenant

API = "monitoring.coreos.com/v1"
#: The operator's one version of AlertmanagerConfig that needs no conversion webhook.
RECEIVERS_API = "monitoring.coreos.com/v1alpha1"
#: The name of the port that is scraped, and the limits of what one target may send.
_PORT = "metrics"
_LIMITS = {"sampleLimit": 20_000, "labelLimit": 64, "labelValueLengthLimit": 1024}


@dataclass(frozen=True, slots=True)
class DeploymentsPlace:
    """Where an Argo CD's metrics are: its namespace, the provider of its cluster, and the environments it deploys.

    `name` is a part of logical names: the cluster, if it is one that pulls, or the instance, if there are several.
    """

    namespace: str
    provider: kubernetes.Provider
    environments: Sequence[Environment]
    name: str = ""


@dataclass(frozen=True, slots=True)
class ObservabilityTenantArgs:
    """`providers` are by cluster, `namespaces` by environment. `runbooks` is the page of procedures.

    `generation` are the stored credentials that are handed out. `deployments` is empty without Argo CD. `grafana`
    None: the tenant has no dashboards.
    """

    tenant: Tenant
    providers: Mapping[str, kubernetes.Provider]
    namespaces: Mapping[str, pulumi.Output[str]]
    runbooks: str
    generation: Credential
    deployments: Sequence[DeploymentsPlace]
    grafana: GrafanaPlace | None = None


class ObservabilityTenant(Component):
    """Monitors, rules and receivers of every environment, and those of the tenant's deployments.

    An archived tenant has none. A suspended one keeps them, because its workloads still run; its deployments do not
    sync, so nothing is reported about them.
    """

    system = "observability"
    #: The address of the tenant's Grafana; None if it has none.
    dashboards: str | None

    def __init__(self, name: str, args: ObservabilityTenantArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register the objects."""
        super().__init__(name, opts)
        self._args = args
        self._prefix = name
        tenant = args.tenant
        if is_observed(tenant):
            for environment in tenant.environments:
                self._environment(environment)
            if tenant.state is State.ACTIVE:
                for place in args.deployments:
                    self._deployments(place)
        self.dashboards = None
        if args.grafana is not None:
            grafana = TenantGrafanaArgs(tenant, args.grafana, args.runbooks)
            opts = pulumi.ResourceOptions(parent=self)
            self.dashboards = TenantGrafana(f"{name}/grafana", grafana, opts).url
        self.register_outputs({})

    def _environment(self, environment: Environment) -> None:
        tenant, args = self._args.tenant, self._args
        self._monitor(environment, "ServiceMonitor", "endpoints")
        self._monitor(environment, "PodMonitor", "podMetricsEndpoints")
        subject = subject_of(tenant, environment, args.runbooks)
        groups = (
            rules.workloads(subject),
            rules.credentials(subject, args.generation),
            rules.golden_signals(subject),
            *objectives(subject),
        )
        self._own(environment, "rules", API, "PrometheusRule", {"groups": groups_spec(subject, groups)})
        # The operator ignores an AlertmanagerConfig whose Secret is missing: that must not silence the other receivers.
        receivers = tenant.observability.alerts
        for part, name, chosen in (
            ("receivers", MONITORING_OBJECT, [r for r in receivers if r.credentials is None]),
            ("webhooks", WEBHOOKS_OBJECT, [r for r in receivers if r.credentials is not None]),
        ):
            if chosen:
                spec = receivers_spec(chosen, namespace=subject.namespace)
                self._own(environment, part, RECEIVERS_API, "AlertmanagerConfig", spec, name)

    def _monitor(self, environment: Environment, kind: str, endpoints: str) -> None:
        """Scrape the port `metrics` of the Services, or of the pods, that have the label; in this namespace only."""
        own = {"tenant": self._args.tenant.slug, "environment": environment.name}
        spec = {
            "selector": {"matchLabels": {METRICS_LABEL: "true"}},
            endpoints: [
                {
                    "port": _PORT,
                    "relabelings": [
                        {"action": "replace", "targetLabel": label, "replacement": value}
                        for label, value in own.items()
                    ],
                }
            ],
            **_LIMITS,
        }
        self._own(environment, kind.lower(), API, kind, spec)

    def _own(
        self,
        environment: Environment,
        part: str,
        api: str,
        kind: str,
        spec: Mapping[str, object],
        name: str = MONITORING_OBJECT,
    ) -> None:
        args = self._args
        CustomResource(
            f"{self._prefix}/{environment.name}/{part}",
            api_version=api,
            kind=kind,
            metadata=ObjectMetaArgs(
                name=name, namespace=args.namespaces[environment.name], labels=labels(args.tenant, environment)
            ),
            spec=dict(spec),
            opts=self.child(args.providers[environment.cluster]),
        )

    def _deployments(self, place: DeploymentsPlace) -> None:
        tenant = self._args.tenant
        if not place.environments or all(r.kind is not RepositoryKind.INFRA for r in tenant.repositories):
            return
        groups: list[dict[str, object]] = []
        for environment in place.environments:
            subject = subject_of(tenant, environment, self._args.runbooks, place.namespace)
            groups += groups_spec(subject, [rules.deployments(subject)])
        self._for_deployments(place, "rules", API, "PrometheusRule", {"groups": groups})
        # A Secret of the team is in its own namespaces only.
        receivers = [r for r in tenant.observability.alerts if r.credentials is None]
        if receivers:
            spec = receivers_spec(receivers, namespace=place.namespace, tenant=tenant.slug)
            self._for_deployments(place, "receivers", RECEIVERS_API, "AlertmanagerConfig", spec)

    def _for_deployments(
        self, place: DeploymentsPlace, part: str, api: str, kind: str, spec: Mapping[str, object]
    ) -> None:
        tenant = self._args.tenant
        CustomResource(
            f"{self._prefix}/deployments/{place.name and f'{place.name}/'}{part}",
            api_version=api,
            kind=kind,
            metadata=ObjectMetaArgs(
                name=names_of(tenant).deployment_alerts, namespace=place.namespace, labels=labels(tenant)
            ),
            spec=dict(spec),
            opts=self.child(place.provider),
        )

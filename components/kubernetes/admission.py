"""Admission policies of a cluster: what the API server refuses in tenant namespaces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.admissionregistration import v1 as admission
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, LabelSelectorRequirementArgs, ObjectMetaArgs

from components.base import Component
from components.kubernetes.admission_model import AdmissionRule
from components.kubernetes.admission_rules import admission_rules, selector
from model.clusters import Cluster
from model.naming import MANAGED_BY_LABEL, admission_policy


@dataclass(frozen=True, slots=True)
class TenantAdmissionArgs:
    """One cluster, its provider, and what admission policies name of the platform.

    `others` are the names of other clusters of the settings on the same API server. `registry` is the host of the
    platform's registry, `vault` Vault's address; None if there is none. `webhook_hosts` are the hosts that
    Alertmanager may call for tenants.
    """

    cluster: Cluster
    provider: kubernetes.Provider
    others: Sequence[str] = ()
    registry: str | None = None
    vault: str | None = None
    webhook_hosts: Sequence[str] = ()


class TenantAdmission(Component):
    """A `ValidatingAdmissionPolicy` and its binding for each rule. If a rule cannot be evaluated, it refuses."""

    system = "kubernetes"

    def __init__(self, name: str, args: TenantAdmissionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register policies and bindings."""
        super().__init__(name, opts)
        self._args = args
        for rule in admission_rules(args.cluster, args.registry, args.vault, args.webhook_hosts):
            self._rule(f"{name}/{rule.name}", rule)
        self.register_outputs({})

    def _rule(self, name: str, rule: AdmissionRule) -> None:
        metadata = ObjectMetaArgs(
            name=admission_policy(self._args.cluster, rule.name), labels={MANAGED_BY_LABEL: "usine"}
        )
        policy = admission.ValidatingAdmissionPolicy(
            f"{name}/policy",
            metadata=metadata,
            spec=admission.ValidatingAdmissionPolicySpecArgs(
                failure_policy="Fail",
                match_constraints=self._matches(rule),
                match_conditions=[admission.MatchConditionArgs(name="changed", expression=rule.when)]
                if rule.when
                else None,
                variables=[admission.VariableArgs(name=key, expression=cel) for key, cel in rule.variables] or None,
                validations=[
                    admission.ValidationArgs(
                        expression=demand.expression,
                        message=demand.message,
                        message_expression=demand.detail or None,
                        reason="Forbidden",
                    )
                    for demand in rule.demands
                ],
            ),
            opts=self.child(self._args.provider),
        )
        admission.ValidatingAdmissionPolicyBinding(
            f"{name}/binding",
            metadata=metadata,
            spec=admission.ValidatingAdmissionPolicyBindingSpecArgs(
                policy_name=policy.metadata.apply(lambda made: str(made.name)), validation_actions=["Deny"]
            ),
            opts=self.child(self._args.provider),
        )

    def _matches(self, rule: AdmissionRule) -> admission.MatchResourcesArgs:
        expressions = [
            LabelSelectorRequirementArgs(
                key=required.key, operator=required.operator, values=list(required.values) or None
            )
            for required in selector(self._args.others)
        ]
        return admission.MatchResourcesArgs(
            match_policy="Equivalent",
            # The rule on namespaces also covers namespaces that belong to no tenant.
            namespace_selector=LabelSelectorArgs(match_expressions=expressions) if rule.namespaced else None,
            resource_rules=[
                admission.NamedRuleWithOperationsArgs(
                    api_groups=[match.group],
                    api_versions=["*"],
                    resources=list(match.resources),
                    operations=list(match.operations),
                    scope="Namespaced" if rule.namespaced else "Cluster",
                )
                for match in rule.matches
            ],
        )

"""The severity of findings, as a table; unauthorised access comes first in every format of the report."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console

from pulumi_facts.values import ABSENT
from tests.drift.values import finding
from tests.plans import plan_of_slugs
from usine.drift.causes import group
from usine.drift.findings import DriftFinding
from usine.drift.history import Past, compare
from usine.drift.left_open import settable
from usine.drift.report import Subject, folded, make_report
from usine.drift.severity import GRANTS, KEYS, OPENINGS, PROTECTIONS, REFUSALS, severity
from usine.report import as_json, html, junit, markdown, terminal
from usine.report.model import Action, EntrySeverity, Report

CRITICAL, HIGH, NORMAL = EntrySeverity
_SONARQUBE = "pulumi-python:dynamic/sonarqube:"
_RBAC = "kubernetes:rbac.authorization.k8s.io/v1:"
_ADMISSION = "kubernetes:admissionregistration.k8s.io/v1:"
_MONITORING = "kubernetes:monitoring.coreos.com/"
_KEY = "vault:transit/secretBackendKey:SecretBackendKey"
_IMAGES = "kubernetes:policies.kyverno.io/v1:NamespacedImageValidatingPolicy"
_UNMANAGED, _MISSING, _CHANGED = Action.UNMANAGED, Action.MISSING, Action.CHANGED

TABLE: tuple[tuple[str, EntrySeverity, Action, str, dict[str, Any]], ...] = (
    ("cluster-admin is bound", CRITICAL, _UNMANAGED, f"{_RBAC}ClusterRoleBinding", {}),
    ("a role is bound in a namespace", CRITICAL, _UNMANAGED, f"{_RBAC}RoleBinding", {}),
    ("a binding is gone", NORMAL, _MISSING, f"{_RBAC}RoleBinding", {}),
    (
        "a subject is added", CRITICAL, _CHANGED, f"{_RBAC}RoleBinding",
        {"path": "subjects", "expected": [{"name": "a"}], "found": [{"name": "a"}, {"name": "b"}]},
    ),
    (
        "a subject is taken away", NORMAL, _CHANGED, f"{_RBAC}RoleBinding",
        {"path": "subjects", "expected": [{"name": "a"}, {"name": "b"}], "found": [{"name": "a"}]},
    ),
    ("a foreign Vault policy", CRITICAL, _UNMANAGED, "vault:index/policy:Policy", {}),
    ("a policy is another", CRITICAL, _CHANGED, "vault:index/policy:Policy", {"path": "policy"}),
    ("a foreign role of a log-in", CRITICAL, _UNMANAGED, "vault:jwt/authBackendRole:AuthBackendRole", {}),
    (
        "a role's bound claims are gone", CRITICAL, _CHANGED, "vault:jwt/authBackendRole:AuthBackendRole",
        {"path": "boundClaims", "expected": {"project_id": "1"}, "found": {}},
    ),
    (
        "a role is bound to nothing", CRITICAL, _CHANGED, "vault:jwt/authBackendRole:AuthBackendRole",
        {"path": "boundAudiences", "expected": ["vault"], "found": []},
    ),
    ("a key can be exported", CRITICAL, _CHANGED, _KEY, {"path": "exportable"}),
    ("a key may be deleted", HIGH, _CHANGED, _KEY, {"path": "deletionAllowed"}),
    ("unsigned images run", HIGH, _MISSING, _IMAGES, {}),
    ("other images run", HIGH, _CHANGED, _IMAGES, {"path": "spec.attestors[0].cosign.key.data"}),
    ("more is verified", NORMAL, _UNMANAGED, _IMAGES, {}),
    ("a tenant's data is copied elsewhere", CRITICAL, _UNMANAGED, "kubernetes:velero.io/v1:Schedule", {}),
    ("somebody restores", CRITICAL, _UNMANAGED, "kubernetes:velero.io/v1:Restore", {}),
    ("nothing is backed up", HIGH, _MISSING, "kubernetes:velero.io/v1:Schedule", {}),
    (
        "backups are kept for a shorter time", HIGH, _CHANGED, "kubernetes:velero.io/v1:Schedule",
        {"path": "spec.template.ttl", "expected": "720h0m0s", "found": "1h0m0s"},
    ),
    (
        "backups go elsewhere", CRITICAL, _CHANGED, "kubernetes:velero.io/v1:Schedule",
        {"path": "spec.template.storageLocation", "expected": "lab", "found": "mine"},
    ),
    (
        "a data source of Grafana reads another tenant", CRITICAL, _CHANGED, "kubernetes:core/v1:ConfigMap",
        {"path": 'data["datasources.yaml"]', "expected": "a", "found": "b"},
    ),
    ("a pod where the stores answer for any tenant", CRITICAL, _UNMANAGED, "kubernetes:apps/v1:Deployment", {}),
    ("nobody sees dashboards", NORMAL, _MISSING, "kubernetes:apps/v1:Deployment", {}),
    ("an exception for images", HIGH, _UNMANAGED, "kubernetes:policies.kyverno.io/v1:PolicyException", {}),
    ("a key is gone", HIGH, _MISSING, _KEY, {}),
    ("a role is gone", NORMAL, _MISSING, "vault:jwt/authBackendRole:AuthBackendRole", {}),
    (
        "a rule about all objects", CRITICAL, _CHANGED, f"{_RBAC}ClusterRole",
        {"path": "rules[0].resourceNames", "expected": ["a"], "found": ABSENT},
    ),
    (
        "a rule that lost a verb", NORMAL, _CHANGED, f"{_RBAC}ClusterRole",
        {"path": "rules[0].verbs", "expected": ["get", "list"], "found": ["get"]},
    ),
    (
        "an AppProject refuses less", CRITICAL, _CHANGED, "kubernetes:argoproj.io/v1alpha1:AppProject",
        {"path": "spec.namespaceResourceBlacklist", "expected": [{"kind": "Role"}], "found": []},
    ),
    ("a foreign log-in method", CRITICAL, _UNMANAGED, "vault:jwt/authBackend:AuthBackend", {}),
    ("a token made by hand", CRITICAL, _UNMANAGED, "vault:index/token:Token", {}),
    ("a mount made by hand", NORMAL, _UNMANAGED, "vault:index/mount:Mount", {}),
    ("a secret of the platform is another", NORMAL, _CHANGED, "vault:kv/secretV2:SecretV2", {"path": "dataJson"}),
    ("an administrator's token", CRITICAL, _UNMANAGED, f"{_SONARQUBE}ProjectAnalysisToken", {}),
    ("a person made an administrator", CRITICAL, _UNMANAGED, f"{_SONARQUBE}GroupMembership", {}),
    ("a gate made by hand", NORMAL, _UNMANAGED, f"{_SONARQUBE}QualityGate", {}),
    (
        "a member is added to a role's group", CRITICAL, _CHANGED, "keycloak:index/groupMemberships:GroupMemberships",
        {"path": "members", "expected": ["a"], "found": ["a", "b"]},
    ),
    (
        "a role's group lost a member", NORMAL, _CHANGED, "keycloak:index/groupMemberships:GroupMemberships",
        {"path": "members", "expected": ["a", "b"], "found": ["a"]},
    ),
    (
        "a role's group has another member", CRITICAL, _CHANGED, "keycloak:index/groupMemberships:GroupMemberships",
        {"path": "members", "expected": ["a"], "found": ["b"]},
    ),
    ("people may reset passwords", CRITICAL, _CHANGED, "keycloak:index/realm:Realm", {"path": "resetPasswordAllowed"}),
    ("the realm's name for people", NORMAL, _CHANGED, "keycloak:index/realm:Realm", {"path": "displayName"}),
    ("an admission policy is gone", CRITICAL, _MISSING, f"{_ADMISSION}ValidatingAdmissionPolicy", {}),
    (
        "an admission policy is another", CRITICAL, _CHANGED, f"{_ADMISSION}ValidatingAdmissionPolicy",
        {"path": "spec.validations[0].expression", "expected": "false", "found": "true"},
    ),
    (
        "an admission policy is not bound", CRITICAL, _MISSING, f"{_ADMISSION}ValidatingAdmissionPolicyBinding", {},
    ),
    (
        "Pod Security is relaxed", CRITICAL, _CHANGED, "kubernetes:core/v1:Namespace",
        {"path": 'metadata.labels["pod-security.kubernetes.io/enforce"]'},
    ),
    ("a note on a namespace", NORMAL, _CHANGED, "kubernetes:core/v1:Namespace", {"path": 'metadata.annotations["a"]'}),
    ("a network policy is gone", HIGH, _MISSING, "kubernetes:networking.k8s.io/v1:NetworkPolicy", {}),
    ("a network policy that opens", HIGH, _UNMANAGED, "kubernetes:networking.k8s.io/v1:NetworkPolicy", {}),
    ("a quota is raised", HIGH, _CHANGED, "kubernetes:core/v1:ResourceQuota", {"path": "spec.hard"}),
    ("a quota too many", NORMAL, _UNMANAGED, "kubernetes:core/v1:ResourceQuota", {}),
    ("a secret is copied", CRITICAL, _UNMANAGED, "kubernetes:external-secrets.io/v1:ExternalSecret", {}),
    ("a copy is gone", NORMAL, _MISSING, "kubernetes:external-secrets.io/v1:ExternalSecret", {}),
    (
        "secrets are read as another role", CRITICAL, _CHANGED, "kubernetes:external-secrets.io/v1:SecretStore",
        {"path": "spec.provider.vault.auth.kubernetes.role", "expected": "a", "found": "b"},
    ),
    ("policy.csv of Argo CD", CRITICAL, _CHANGED, "kubernetes:core/v1:ConfigMapPatch", {"path": 'data["policy.csv"]'}),
    ("a cluster's credential", CRITICAL, _UNMANAGED, "kubernetes:core/v1:Secret", {"system": "argocd"}),
    ("a secret in a namespace", NORMAL, _UNMANAGED, "kubernetes:core/v1:Secret", {"system": "kubernetes"}),
    ("what an application deploys", CRITICAL, _CHANGED, "kubernetes:argoproj.io/v1alpha1:Application",
     {"path": "spec.source.repoURL"}),
    ("one of several sources", CRITICAL, _CHANGED, "kubernetes:argoproj.io/v1alpha1:Application",
     {"path": "spec.sources[0].repoURL"}),
    ("an application set by hand", CRITICAL, _UNMANAGED, "kubernetes:argoproj.io/v1alpha1:ApplicationSet", {}),
    ("the project of a set", CRITICAL, _CHANGED, "kubernetes:argoproj.io/v1alpha1:ApplicationSet",
     {"path": "spec.template.spec.project", "expected": "a-dev", "found": "default"}),
    ("alerts go elsewhere", CRITICAL, _UNMANAGED, f"{_MONITORING}v1alpha1:AlertmanagerConfig", {}),
    ("a receiver is another", CRITICAL, _CHANGED, f"{_MONITORING}v1alpha1:AlertmanagerConfig",
     {"path": "spec.receivers[0].emailConfigs[0].to"}),
    ("the alerts of a namespace are gone", HIGH, _MISSING, f"{_MONITORING}v1:PrometheusRule", {}),
    ("a threshold is another", HIGH, _CHANGED, f"{_MONITORING}v1:PrometheusRule", {"path": "spec.groups"}),
    ("a rule of somebody", NORMAL, _UNMANAGED, f"{_MONITORING}v1:PrometheusRule", {}),
    ("a monitor is gone", NORMAL, _MISSING, f"{_MONITORING}v1:ServiceMonitor", {}),
    ("somebody invited", CRITICAL, _UNMANAGED, "gitlab:index/projectMembership:ProjectMembership", {}),
    ("a protection is gone", HIGH, _MISSING, "gitlab:index/branchProtection:BranchProtection", {}),
    ("a project is public", CRITICAL, _CHANGED, "gitlab:index/project:Project", {"path": "visibilityLevel"}),
    ("a tag moved", CRITICAL, _CHANGED, "gitlab:index/projectTag:ProjectTag", {"path": "ref"}),
    ("a project's description", NORMAL, _CHANGED, "gitlab:index/project:Project", {"path": "description"}),
    ("a project's variable", NORMAL, _UNMANAGED, "gitlab:index/projectVariable:ProjectVariable", {}),
    ("images made public", CRITICAL, _CHANGED, "harbor:index/project:Project", {"path": "public"}),
    ("a robot made by hand", CRITICAL, _UNMANAGED, "harbor:index/robotAccount:RobotAccount", {}),
    ("immutable tags let go", HIGH, _MISSING, "harbor:index/immutableTagRule:ImmutableTagRule", {}),
)  # fmt: skip

#: Types of the program whose drift gives no access by itself.
ORDINARY = {
    "gitlab:index/branch:Branch",
    "gitlab:index/groupVariable:GroupVariable",
    "gitlab:index/pipelineSchedule:PipelineSchedule",
    "gitlab:index/projectEnvironment:ProjectEnvironment",
    "gitlab:index/projectVariable:ProjectVariable",
    "gitlab:index/repositoryFile:RepositoryFile",
    "harbor:index/configSystem:ConfigSystem",
    "harbor:index/garbageCollection:GarbageCollection",
    "harbor:index/retentionPolicy:RetentionPolicy",
    "keycloak:index/group:Group",
    "keycloak:openid/clientScope:ClientScope",
    "kubernetes:core/v1:Secret",
    f"{_MONITORING}v1:PodMonitor",
    f"{_MONITORING}v1:ServiceMonitor",
    f"{_SONARQUBE}Group",
    f"{_SONARQUBE}NewCodePeriod",
    f"{_SONARQUBE}Project",
    f"{_SONARQUBE}QualityGate",
    f"{_SONARQUBE}QualityGateAssociation",
    f"{_SONARQUBE}Webhook",
    "vault:index/mount:Mount",
    "vault:kv/secretV2:SecretV2",
}


@pytest.mark.parametrize(("what", "expected", "kind", "type_", "values"), TABLE, ids=[row[0] for row in TABLE])
def test_every_severity_of_the_table(
    what: str, expected: EntrySeverity, kind: Action, type_: str, values: dict[str, Any]
) -> None:
    assert severity(finding("x/y", kind, type=type_, **values)) is expected, what


def test_the_tenant_does_not_affect_the_severity() -> None:
    for tenant in (None, "alpha"):
        assert severity(finding("x", _UNMANAGED, type=f"{_RBAC}ClusterRoleBinding", tenant=tenant)) is CRITICAL


def test_every_type_of_the_program_has_a_severity() -> None:
    plan = plan_of_slugs(("teleservice", "a-b"))
    made = {one.type for one in plan.resources if not (one.is_component or one.is_provider)}
    assert made - GRANTS - KEYS - REFUSALS - PROTECTIONS - OPENINGS.keys() == made & ORDINARY


def test_properties_that_give_access_exist_in_their_types() -> None:
    wrong = [
        (type_, path)
        for type_, paths in OPENINGS.items()
        for path in paths
        if (has := settable(type_)) and path[0] not in has
    ]
    assert wrong == []


# First in every format --------------------------------------------------------------------------------------------

LOST = finding("alpha/vault/mount", _MISSING, type="vault:index/mount:Mount", holds_data=True)
WAY_IN = finding("policy: stranger", _UNMANAGED, tenant="zeta", type="vault:index/policy:Policy", detail="a policy")
PLAIN = finding("alpha/vault/secret/a", type="vault:kv/secretV2:SecretV2", path="dataJson")


def report(*findings: DriftFinding) -> Report:
    now = "2026-11-25T02:00:00Z"
    past = Past()
    causes, _ = group(findings, {})
    return make_report(Subject("lab", 3, causes=causes), findings, (), compare(past, findings, (), now), past)


def test_unauthorised_access_comes_first_in_every_format() -> None:
    made = report(PLAIN, LOST, WAY_IN)
    assert [entry.tenant for entry in made.entries] == ["zeta", "alpha", "alpha"]
    assert made.verdict.endswith("1 of them gives access")
    console = Console(file=io.StringIO(), width=200)
    terminal.render(made, console)
    assert isinstance(console.file, io.StringIO)
    texts = {
        "terminal": console.file.getvalue(),
        "comment": markdown.render(made, marker="usine:drift"),
        "page": html.render(made),
        "junit": junit.render(made),
        "json": as_json.render(made),
    }
    for form, text in texts.items():
        lost = text.index("alpha/vault/mount") if "alpha/vault/mount" in text else text.index("mount")
        assert text.index("stranger") < lost, form
    for form in ("terminal", "comment", "page"):
        assert texts[form].index("Unauthorised access") < texts[form].index("Data that is missing"), form
    entries = json.loads(texts["json"])["entries"]
    assert (entries[0]["name"], entries[0]["severity"]) == ("policy: stranger", "critical")
    assert as_json.load(texts["json"]) == made
    assert "1 object differ, 1 of them gives access" in texts["junit"]
    assert "critical: ? unmanaged Policy policy: stranger" in texts["junit"]


def test_the_worst_property_decides_the_severity_of_an_object() -> None:
    name, type_ = "alpha/gitlab/project", "gitlab:index/project:Project"
    both = (
        finding(name, type=type_, system="gitlab", path="description"),
        finding(name, type=type_, system="gitlab", path="visibilityLevel"),
    )
    assert [entry.severity for entry in report(*both).entries] == [CRITICAL]


def test_a_cause_does_not_hide_unauthorised_access() -> None:
    many = [finding(f"policy: {n}", _UNMANAGED, type="vault:index/policy:Policy") for n in range(12)]
    whole = report(*many)
    assert len(folded(whole, group(many, {})[0]).entries) == len(many)
    alike = [finding(f"t{n}/vault/policy", expected=ABSENT, found="x") for n in range(12)]
    assert len(folded(report(*alike), group(alike, {})[0]).entries) == len(alike)
    (entry,) = folded(report(*alike), group(alike, {"vault": "7.13.0 -> 7.14.0"})[0]).entries
    assert (entry.name, entry.severity) == ("12 objects", CRITICAL)


def test_an_empty_bound_may_match_everyone_and_an_empty_list_of_members_nobody() -> None:
    role = "vault:kubernetes/authBackendRole:AuthBackendRole"
    assert severity(finding(type=role, path="audience", expected="vault", found=ABSENT)) is CRITICAL
    people = "keycloak:index/groupMemberships:GroupMemberships"
    assert severity(finding(type=people, path="members", expected=["a"], found=[])) is NORMAL

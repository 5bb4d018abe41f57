"""Short ways to write entries as the tool makes them."""

from __future__ import annotations

from pulumi_facts.data_bearing import holds_data
from usine.report.model import Action, Entry, PropertyChange

TYPES = {
    "gitlab/project": "gitlab:index/project:Project",
    "gitlab/member": "gitlab:index/groupMembership:GroupMembership",
    "gitlab/deploy-token": "gitlab:index/projectDeployToken:ProjectDeployToken",
    "gitlab/branch": "gitlab:index/branchProtection:BranchProtection",
    "gitlab/variable": "gitlab:index/projectVariable:ProjectVariable",
    "harbor/project": "harbor:index/project:Project",
    "harbor/retention": "harbor:index/retentionPolicy:RetentionPolicy",
    "harbor/robot": "harbor:index/robotAccount:RobotAccount",
    "keycloak/members": "keycloak:index/groupMemberships:GroupMemberships",
    "keycloak/group": "keycloak:index/group:Group",
    "keycloak/client": "keycloak:openid/client:Client",
    "kubernetes/namespace": "kubernetes:core/v1:Namespace",
    "kubernetes/quota": "kubernetes:core/v1:ResourceQuota",
    "kubernetes/network": "kubernetes:networking.k8s.io/v1:NetworkPolicy",
    "kubernetes/binding": "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding",
    "argocd/project": "kubernetes:argoproj.io/v1alpha1:AppProject",
    "argocd/application": "kubernetes:argoproj.io/v1alpha1:Application",
    "sonarqube/project": "pulumi-python:dynamic/sonarqube:Project",
    "sonarqube/gate": "pulumi-python:dynamic/sonarqube:QualityGateAssociation",
    "vault/mount": "vault:index/mount:Mount",
    "vault/policy": "vault:index/policy:Policy",
    "vault/role": "vault:kubernetes/authBackendRole:AuthBackendRole",
    "vault/secret": "vault:kv/secretV2:SecretV2",
}


def entry(
    action: Action,
    tenant: str | None,
    kind: str,
    name: str,
    *properties: tuple[str, object, object],
    seconds: float | None = None,
    note: str = "",
) -> Entry:
    """Return an entry. `kind` is a key of the types above, `name` the name without tenant and system."""
    system = kind.partition("/")[0]
    return Entry(
        action=action,
        tenant=tenant,
        system=system,
        type=TYPES[kind],
        name=f"{tenant or 'foundation'}/{system}/{name}",
        properties=tuple(PropertyChange(*each) for each in properties),
        holds_data=holds_data(TYPES[kind]),
        seconds=seconds,
        note=note,
    )

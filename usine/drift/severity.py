"""The severity of a finding, decided by what differs, never by its tenant.

``critical``: it gives access; a person or a program can do, read or reach what no file allows. ``high``: a protection
is missing or weaker, but no right was given. ``normal``: everything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pulumi_facts.paths import parse
from pulumi_facts.values import ABSENT
from usine.drift.findings import DriftFinding
from usine.report.model import Action, EntrySeverity

_ADMISSION: Final = "kubernetes:admissionregistration.k8s.io/v1:"
_MONITORING: Final = "kubernetes:monitoring.coreos.com/"
_RBAC: Final = "kubernetes:rbac.authorization.k8s.io/v1:"
_SONARQUBE: Final = "pulumi-python:dynamic/sonarqube:"

#: Objects that give a right: an added or a wider one gives access, a missing one does not.
GRANTS: Final = frozenset(
    {
        "gitlab:index/deployKey:DeployKey",
        "gitlab:index/groupAccessToken:GroupAccessToken",
        "gitlab:index/groupDeployToken:GroupDeployToken",
        "gitlab:index/groupMembership:GroupMembership",
        "gitlab:index/groupShareGroup:GroupShareGroup",
        "gitlab:index/pipelineTrigger:PipelineTrigger",
        "gitlab:index/projectAccessToken:ProjectAccessToken",
        "gitlab:index/projectDeployToken:ProjectDeployToken",
        "gitlab:index/projectJobTokenScopes:ProjectJobTokenScopes",
        "gitlab:index/projectMembership:ProjectMembership",
        "gitlab:index/projectShareGroup:ProjectShareGroup",
        "gitlab:index/user:User",
        "gitlab:index/userIdentity:UserIdentity",
        "gitlab:index/userRunner:UserRunner",
        "harbor:index/projectMemberGroup:ProjectMemberGroup",
        "harbor:index/projectMemberUser:ProjectMemberUser",
        "harbor:index/replication:Replication",
        "harbor:index/robotAccount:RobotAccount",
        "harbor:index/user:User",
        "keycloak:index/defaultGroups:DefaultGroups",
        "keycloak:index/defaultRoles:DefaultRoles",
        "keycloak:index/groupMemberships:GroupMemberships",
        "keycloak:index/groupRoles:GroupRoles",
        "keycloak:index/role:Role",
        "keycloak:index/user:User",
        "keycloak:index/userRoles:UserRoles",
        "keycloak:oidc/identityProvider:IdentityProvider",
        "keycloak:openid/client:Client",
        "keycloak:saml/client:Client",
        "kubernetes:core/v1:ServiceAccount",
        "kubernetes:external-secrets.io/v1:ExternalSecret",
        f"{_RBAC}ClusterRole",
        f"{_RBAC}ClusterRoleBinding",
        f"{_RBAC}Role",
        f"{_RBAC}RoleBinding",
        f"{_SONARQUBE}GlobalPermissions",
        f"{_SONARQUBE}GroupMembership",
        f"{_SONARQUBE}ProjectAnalysisToken",
        f"{_SONARQUBE}ProjectPermissions",
        f"{_SONARQUBE}TechnicalAccount",
        "vault:identity/entity:Entity",
        "vault:identity/group:Group",
        "vault:identity/groupAlias:GroupAlias",
        "vault:index/authBackend:AuthBackend",
        "vault:index/policy:Policy",
        "vault:index/token:Token",
    }
)

#: Objects that decide who a person is, or who may administer: every change and every added object gives access.
#: `argocd-rbac-cm` and `argocd-cm` are patched (components/argocd/). In a log-in role and in an AppProject a shorter
#: list may allow more: an empty bound matches everyone, and some lists name what is refused.
KEYS: Final = frozenset(
    {
        "vault:jwt/authBackend:AuthBackend",
        "vault:jwt/authBackendRole:AuthBackendRole",
        "vault:kubernetes/authBackendConfig:AuthBackendConfig",
        "vault:kubernetes/authBackendRole:AuthBackendRole",
        "kubernetes:argoproj.io/v1alpha1:AppProject",
        # It makes applications of any project.
        "kubernetes:argoproj.io/v1alpha1:ApplicationSet",
        # Who gets the alerts of a tenant, with what they tell of its workloads.
        f"{_MONITORING}v1alpha1:AlertmanagerConfig",
        "harbor:index/configAuth:ConfigAuth",
        "kubernetes:core/v1:ConfigMapPatch",
        # Who logs in to a tenant's Grafana, and whose metrics and logs it reads. The program has no others.
        "kubernetes:core/v1:ConfigMap",
        "kubernetes:apps/v1:Deployment",
        # As whom, and where, secrets are read.
        "kubernetes:external-secrets.io/v1:SecretStore",
        "keycloak:index/genericProtocolMapper:GenericProtocolMapper",
        "keycloak:openid/audienceProtocolMapper:AudienceProtocolMapper",
        "keycloak:openid/clientDefaultScopes:ClientDefaultScopes",
        "keycloak:openid/clientOptionalScopes:ClientOptionalScopes",
        "keycloak:openid/groupMembershipProtocolMapper:GroupMembershipProtocolMapper",
        "keycloak:openid/userAttributeProtocolMapper:UserAttributeProtocolMapper",
        "keycloak:openid/userPropertyProtocolMapper:UserPropertyProtocolMapper",
        f"{_SONARQUBE}Settings",
        # A file of a zone's repository: the zone's Argo CD applies it with the rights of the platform.
        "usine:zones:File",
    }
)

#: The API server refuses requests by these beyond its roles: a missing or changed one gives access.
REFUSALS: Final = frozenset({f"{_ADMISSION}ValidatingAdmissionPolicy", f"{_ADMISSION}ValidatingAdmissionPolicyBinding"})

#: Objects that protect: a missing or changed one protects less.
PROTECTIONS: Final = frozenset(
    {
        "gitlab:index/branchProtection:BranchProtection",
        "gitlab:index/projectApprovalRule:ProjectApprovalRule",
        "gitlab:index/projectLevelMrApprovals:ProjectLevelMrApprovals",
        "gitlab:index/projectPackageProtectionRule:ProjectPackageProtectionRule",
        "gitlab:index/projectProtectedEnvironment:ProjectProtectedEnvironment",
        "gitlab:index/tagProtection:TagProtection",
        "harbor:index/immutableTagRule:ImmutableTagRule",
        "harbor:index/interrogationServices:InterrogationServices",
        "kubernetes:core/v1:LimitRange",
        "kubernetes:core/v1:ResourceQuota",
        "kubernetes:networking.k8s.io/v1:NetworkPolicy",
        f"{_MONITORING}v1:PrometheusRule",
        "kubernetes:policies.kyverno.io/v1:NamespacedImageValidatingPolicy",
        "kubernetes:policies.kyverno.io/v1:PolicyException",
        "kubernetes:velero.io/v1:Schedule",
        "usine:zones:Cluster",
        "usine:zones:File",
        "vault:transit/secretBackendKey:SecretBackendKey",
    }
)

#: Objects of Velero, which acts with all rights: an added one copies a tenant's data out of its namespace, or into it.
COPIES: Final = frozenset({"kubernetes:velero.io/v1:Restore", "kubernetes:velero.io/v1:Schedule"})

#: Properties that give access to the object itself, unlike the others of the type. The path begins with one of them.
OPENINGS: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "gitlab:index/group:Group": (
        ("visibilityLevel",),
        ("membershipLock",),
        ("shareWithGroupLock",),
        ("preventSharingGroupsOutsideHierarchy",),
        ("preventForkingOutsideGroup",),
        ("requireTwoFactorAuthentication",),
    ),
    "gitlab:index/project:Project": (
        ("visibilityLevel",),
        ("ciPipelineVariablesMinimumOverrideRole",),
        ("ciConfigPath",),
    ),
    # The files at this commit run in the pipelines of every tenant.
    "gitlab:index/projectTag:ProjectTag": (("ref",),),
    "harbor:index/project:Project": (("public",),),
    # Where a proxy cache gets its images.
    "harbor:index/registry:Registry": (("endpointUrl",),),
    "keycloak:index/realm:Realm": (
        ("registrationAllowed",),
        ("resetPasswordAllowed",),
        ("editUsernameAllowed",),
        ("loginWithEmailAllowed",),
        ("duplicateEmailsAllowed",),
        ("verifyEmail",),
        ("sslRequired",),
        ("passwordPolicy",),
        ("securityDefenses",),
        ("enabled",),
    ),
    # The labels are the tenant, the Pod Security level and the parameters of the admission policies.
    "kubernetes:core/v1:Namespace": (("metadata", "labels"),),
    # With one of these, a person can read the key and sign in the name of the tenant.
    "vault:transit/secretBackendKey:SecretBackendKey": (("exportable",), ("allowPlaintextBackup",)),
    # What is copied, and where to.
    "kubernetes:velero.io/v1:Schedule": (
        ("spec", "template", "includedNamespaces"),
        ("spec", "template", "excludedNamespaceScopedResources"),
        ("spec", "template", "labelSelector"),
        ("spec", "template", "storageLocation"),
    ),
    # These decide which repository is deployed, and where.
    "kubernetes:argoproj.io/v1alpha1:Application": (
        ("spec", "source"),
        ("spec", "sources"),
        ("spec", "destination"),
        ("spec", "project"),
    ),
}

#: In this system a secret is the credential of a cluster or of a repository.
_ARGOCD: Final = "argocd"
_SECRET: Final = "kubernetes:core/v1:Secret"  # noqa: S105 - a type token
_NOTHING: Final[tuple[object, ...]] = (ABSENT, None, "", [], {})
#: A rule without names applies to all objects: documentation of Kubernetes RBAC, "Referring to resources".
_NAMES: Final = "resourceNames"


def severity(finding: DriftFinding) -> EntrySeverity:
    """Return the severity of a finding."""
    added = finding.kind is Action.UNMANAGED
    changed = finding.kind is Action.CHANGED
    type_ = finding.type
    opens = (
        (type_ in GRANTS and (added or (changed and _more(finding))))
        or (type_ in KEYS and (added or changed))
        or type_ in REFUSALS
        or (type_ in COPIES and added)
        or (changed and _is_opening(finding))
        or (type_ == _SECRET and finding.system == _ARGOCD and (added or changed))
    )
    if opens:
        return EntrySeverity.CRITICAL
    # A network policy can only allow more traffic, and an exception more images: an added one weakens the protection.
    weakened = type_ in PROTECTIONS and (not added or type_.endswith((":NetworkPolicy", ":PolicyException")))
    return EntrySeverity.HIGH if weakened else EntrySeverity.NORMAL


def _is_opening(finding: DriftFinding) -> bool:
    path = tuple(str(part) for part in parse(finding.path))
    return any(path[: len(opening)] == opening for opening in OPENINGS.get(finding.type, ()))


def _more(finding: DriftFinding) -> bool:
    """Return whether the found value may give more rights than the expected one; a list with fewer items does not."""
    expected, found = finding.expected, finding.found
    if not isinstance(expected, list):
        return True
    if found in _NOTHING:
        return parse(finding.path)[-1] == _NAMES
    return not isinstance(found, list) or any(item not in expected for item in found)

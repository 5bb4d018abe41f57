"""How severe a finding is: the one place that decides it, from what differs, never from the tenant it belongs to.

``critical``: it opens a way in; somebody can do, read or reach what no file gives them. ``high``: a wall that held
something back is down or lower, though nobody was given a right. ``normal``: everything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from usine.drift.findings import Finding
from usine.drift.paths import parse
from usine.report.model import ABSENT, Action, EntrySeverity

_ADMISSION: Final = "kubernetes:admissionregistration.k8s.io/v1:"
_RBAC: Final = "kubernetes:rbac.authorization.k8s.io/v1:"
_SONARQUBE: Final = "pulumi-python:dynamic/sonarqube:"

#: Each gives somebody a right: one more, or a wider one, is a way in; one less is none.
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

#: Each says who is who, or who may administer: any change of one is a way in, and so is another one beside it.
#: `argocd-rbac-cm` and `argocd-cm` are patched (components/argocd.py). Of a log-in's role and an AppProject a list that
#: got shorter may mean more: an empty bound holds for anybody, and there are lists of what is refused.
KEYS: Final = frozenset(
    {
        "vault:jwt/authBackend:AuthBackend",
        "vault:jwt/authBackendRole:AuthBackendRole",
        "vault:kubernetes/authBackendConfig:AuthBackendConfig",
        "vault:kubernetes/authBackendRole:AuthBackendRole",
        "kubernetes:argoproj.io/v1alpha1:AppProject",
        "harbor:index/configAuth:ConfigAuth",
        "kubernetes:core/v1:ConfigMapPatch",
        "keycloak:index/genericProtocolMapper:GenericProtocolMapper",
        "keycloak:openid/audienceProtocolMapper:AudienceProtocolMapper",
        "keycloak:openid/clientDefaultScopes:ClientDefaultScopes",
        "keycloak:openid/clientOptionalScopes:ClientOptionalScopes",
        "keycloak:openid/groupMembershipProtocolMapper:GroupMembershipProtocolMapper",
        "keycloak:openid/userAttributeProtocolMapper:UserAttributeProtocolMapper",
        "keycloak:openid/userPropertyProtocolMapper:UserPropertyProtocolMapper",
        f"{_SONARQUBE}Settings",
    }
)

#: The API server refuses by them what no right of a role holds back: without one, a right becomes a way in.
REFUSALS: Final = frozenset({f"{_ADMISSION}ValidatingAdmissionPolicy", f"{_ADMISSION}ValidatingAdmissionPolicyBinding"})

#: Each holds something back: missing or changed it holds back less, or something else.
WALLS: Final = frozenset(
    {
        "gitlab:index/branchProtection:BranchProtection",
        "gitlab:index/projectApprovalRule:ProjectApprovalRule",
        "gitlab:index/projectLevelMrApprovals:ProjectLevelMrApprovals",
        "gitlab:index/projectProtectedEnvironment:ProjectProtectedEnvironment",
        "gitlab:index/tagProtection:TagProtection",
        "harbor:index/immutableTagRule:ImmutableTagRule",
        "kubernetes:core/v1:LimitRange",
        "kubernetes:core/v1:ResourceQuota",
        "kubernetes:networking.k8s.io/v1:NetworkPolicy",
    }
)

#: What most properties of a type do not do, these do: they open the object itself. A path begins with one of them.
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
    # What it points at runs in the pipelines of every tenant.
    "gitlab:index/projectTag:ProjectTag": (("ref",),),
    "harbor:index/project:Project": (("public",),),
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
    # Its labels say whose it is, what Pod Security allows in it, and which parameters the admission policies take.
    "kubernetes:core/v1:Namespace": (("metadata", "labels"),),
    # It says which repository is deployed, and where.
    "kubernetes:argoproj.io/v1alpha1:Application": (("spec", "source"), ("spec", "destination"), ("spec", "project")),
}

#: A cluster's or a repository's credential by its name, where the type holds many other things.
_ARGOCD: Final = "argocd"
_SECRET: Final = "kubernetes:core/v1:Secret"  # noqa: S105 - a type token
_NOTHING: Final[tuple[object, ...]] = (ABSENT, None, "", [], {})
#: A rule of a Kubernetes role without names is about all objects: RBAC's documentation, "Referring to resources".
_NAMES: Final = "resourceNames"


def severity(finding: Finding) -> EntrySeverity:
    """Say how severe a finding is."""
    added = finding.kind is Action.UNMANAGED
    changed = finding.kind is Action.CHANGED
    type_ = finding.type
    opens = (
        (type_ in GRANTS and (added or (changed and _more(finding))))
        or (type_ in KEYS and (added or changed))
        or type_ in REFUSALS
        or (changed and _is_opening(finding))
        or (type_ == _SECRET and finding.system == _ARGOCD and (added or changed))
    )
    if opens:
        return EntrySeverity.CRITICAL
    # A network policy only ever adds to what may pass: a foreign one is a wall with a hole.
    lowered = type_ in WALLS and (not added or type_.endswith(":NetworkPolicy"))
    return EntrySeverity.HIGH if lowered else EntrySeverity.NORMAL


def _is_opening(finding: Finding) -> bool:
    path = tuple(str(part) for part in parse(finding.path))
    return any(path[: len(opening)] == opening for opening in OPENINGS.get(finding.type, ()))


def _more(finding: Finding) -> bool:
    """Say whether what was found may hold more than what was expected: only a list that lost some surely does not."""
    expected, found = finding.expected, finding.found
    if not isinstance(expected, list):
        return True
    if found in _NOTHING:
        return parse(finding.path)[-1] == _NAMES
    return not isinstance(found, list) or any(item not in expected for item in found)

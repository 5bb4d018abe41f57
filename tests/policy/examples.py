"""For every policy, resources of which it holds and resources of which it does not."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from policy.model import TENANT, Hidden, Resource

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"


def resource(
    type_: str,
    inputs: Mapping[str, Any],
    *,
    tenant: str | None = "a-b",
    within: str = "",
    name: str = "thing",
    **more: Any,
) -> Resource:
    """Make a resource of a tenant (None: of the foundation), below a component of type `within`."""
    chain = [*([TENANT] if tenant else []), *([within] if within else []), type_]
    full = f"{tenant or 'foundation'}/{name}"
    return Resource(type_, full, f"urn:pulumi:test::usine::{'$'.join(chain)}::{full}", inputs, **more)


def changed(inputs: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a copy with one value changed; `path` is keys and indexes joined by blanks, None takes the value away."""
    result = copy.deepcopy(dict(inputs))
    place: Any = result
    *above, last = [int(step) if step.isdigit() else step for step in path.split(" ")]
    for step in above:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return result


def kubernetes(kind: str, inputs: Mapping[str, Any], *, api: str = "core/v1", **more: Any) -> Resource:
    metadata = {"name": "usine", "namespace": "a-b-dev", "labels": {"usine.dev/tenant": "a-b"}} | inputs.get(
        "metadata", {}
    )
    return resource(f"kubernetes:{api}:{kind}", {"kind": kind, **inputs, "metadata": metadata}, **more)


def rbac(kind: str, inputs: Mapping[str, Any]) -> Resource:
    return kubernetes(kind, inputs, api="rbac.authorization.k8s.io/v1")


CLIENT = {
    "accessType": "PUBLIC",
    "standardFlowEnabled": True,
    "implicitFlowEnabled": False,
    "directAccessGrantsEnabled": False,
    "fullScopeAllowed": False,
    "pkceCodeChallengeMethod": "S256",
    "validRedirectUris": ["https://argocd.example.fr/auth/callback", "http://localhost/*", "http://127.0.0.1:8085/cb"],
    "webOrigins": ["+"],
}
ROBOT = {
    "duration": 180,
    "level": "project",
    "permissions": [
        {"kind": "project", "namespace": "a-b", "accesses": [{"resource": "repository", "action": "pull"}]}
    ],
}
JWT_ROLE = {
    "backend": "gitlab",
    "boundAudiences": ["https://vault.example.fr"],
    "boundClaims": {"namespace_id": Hidden.UNKNOWN, "ref_protected": "true"},
    "tokenPolicies": ["a-b.ci"],
    "tokenTtl": 900,
    "tokenMaxTtl": 3600,
}
KUBERNETES_ROLE = {
    "audience": "https://kubernetes.default.svc",
    "boundServiceAccountNames": ["vault"],
    "boundServiceAccountNamespaces": ["a-b-dev"],
    "tokenPolicies": ["a-b.env.dev"],
    "tokenMaxTtl": 28800,
}
LOOSE_ROLES: tuple[dict[str, Any], ...] = (
    {"boundServiceAccountNames": ["*"]},
    {"boundServiceAccountNames": ["vault", "default"]},
    {"boundServiceAccountNamespaces": ["a-b-dev", "a-b-prod"]},
    {"boundServiceAccountNamespaces": ["a-dev"]},
    {"boundServiceAccountNamespaces": []},
    {"boundServiceAccountNamespaceSelector": '{"matchLabels": {"team": "a"}}'},
    {"audience": ""},
    {"tokenPolicies": ["a.env.dev"]},
)
APP_PROJECT = {
    "spec": {
        "sourceRepos": ["https://gitlab.example.fr/tenants/a-b/deploy.git"],
        "destinations": [{"server": "https://cluster.example.fr", "namespace": "a-b-dev"}],
        "destinationServiceAccounts": [
            {"server": "https://cluster.example.fr", "namespace": "a-b-dev", "defaultServiceAccount": "usine-deployer"}
        ],
        "clusterResourceWhitelist": [],
        "namespaceResourceBlacklist": [{"group": "", "kind": "ResourceQuota"}],
        "roles": [{"name": "owner", "groups": ["/a-b/owner"]}],
    }
}
BINDING = {
    "roleRef": {"kind": "ClusterRole", "name": "usine:nonprod-1:tenant-rw"},
    "subjects": [{"kind": "Group", "name": "oidc:/a-b/dev/rw"}],
}
OUTSIDE = {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}
EGRESS = {"spec": {"egress": [{"to": [OUTSIDE], "ports": [{"port": 443, "protocol": "TCP"}]}]}}
INGRESS = {"spec": {"ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"name": "ingress"}}}]}]}}
HARD = {
    **dict.fromkeys(("limits.cpu", "limits.memory", "requests.cpu", "requests.memory", "requests.storage"), "1"),
    "pods": "20",
    "services.loadbalancers": "0",
    "services.nodeports": "0",
}

VARIABLE = "gitlab:index/projectVariable:ProjectVariable"
SCHEDULE_VARIABLE = "gitlab:index/pipelineScheduleVariable:PipelineScheduleVariable"
POLICY = "vault:index/policy:Policy"
JWT_TYPE = "vault:jwt/authBackendRole:AuthBackendRole"
KUBERNETES_TYPE = "vault:kubernetes/authBackendRole:AuthBackendRole"
ROBOT_TYPE = "harbor:index/robotAccount:RobotAccount"
CLIENT_TYPE = "keycloak:openid/client:Client"
ARGOCD = "argoproj.io/v1alpha1"


def hcl(path: str, *capabilities: str) -> str:
    listed = ", ".join(f'"{c}"' for c in capabilities)
    return f'path "{path}" {{\n  capabilities = [{listed}]\n}}'


def policy_text(*stanzas: str, name: str = "a-b.role.developer", **more: Any) -> Resource:
    return resource(POLICY, {"name": name, "policy": "\n".join(stanzas)}, **more)


#: Of these the policy holds.
GOOD: Mapping[str, tuple[Resource, ...]] = {
    "gitlab-private": (
        resource("gitlab:index/group:Group", {"visibilityLevel": "private"}),
        resource("gitlab:index/project:Project", {"visibilityLevel": Hidden.UNKNOWN}),
        resource(
            "gitlab:index/group:Group",
            {"visibilityLevel": "internal"},
            tenant=None,
            within="usine:gitlab:GitLabFoundation",
        ),
    ),
    "harbor-private": (resource("harbor:index/project:Project", {"public": False}),),
    "sonarqube-private": (
        resource("pulumi-python:dynamic/sonarqube:Project", {"visibility": "private"}),
        resource("pulumi-python:dynamic/sonarqube:Settings", {"values": {"sonar.forceAuthentication": "true"}}),
    ),
    "keycloak-realm-closed": (
        resource("keycloak:index/realm:Realm", {"registrationAllowed": False, "sslRequired": "external"}),
    ),
    "oidc-client-exact": (
        resource(CLIENT_TYPE, CLIENT),
        resource(CLIENT_TYPE, changed(CLIENT, "accessType", "CONFIDENTIAL") | {"pkceCodeChallengeMethod": ""}),
    ),
    "service-internal": (kubernetes("Service", {"spec": {"type": "ClusterIP"}}), kubernetes("Service", {"spec": {}})),
    "ci-variable-secret": (
        resource(VARIABLE, {"key": "SONAR_PROJECT_KEY", "value": "a-b:api"}),
        resource(VARIABLE, {"key": "NPM_TOKEN", "value": Hidden.SECRET, "masked": True, "protected": True}),
        resource(SCHEDULE_VARIABLE, {"key": "MIRROR_CREDENTIALS", "value": "a-b/sources/geo"}),
    ),
    "secret-store-encrypted": (
        kubernetes("Secret", {"data": Hidden.SECRET}),
        kubernetes("Secret", {"stringData": {"token": Hidden.SECRET, "later": Hidden.UNKNOWN}}),
        resource("vault:kv/secretV2:SecretV2", {"dataJson": Hidden.SECRET}),
    ),
    "secret-property-encrypted": (
        resource("harbor:index/configAuth:ConfigAuth", {"oidcClientSecret": Hidden.SECRET, "oidcName": "Keycloak"}),
        resource("keycloak:index/user:User", {"revokeRefreshToken": True, "password": ""}),
    ),
    "no-secret-in-clear": (
        kubernetes("ConfigMap", {"data": {"url": "https://example.fr/glpat", "token": Hidden.SECRET}}),
        resource(VARIABLE, {"key": "IMAGE", "value": "bm90IGEgc2VjcmV0IGF0IGFsbA=="}),
    ),
    "robot-life-finite": (
        resource(ROBOT_TYPE, ROBOT),
        resource("harbor:index/configSystem:ConfigSystem", {"robotTokenExpiration": 30}),
    ),
    "robot-own-project": (resource(ROBOT_TYPE, ROBOT),),
    "access-token-expires": (
        resource("gitlab:index/projectAccessToken:ProjectAccessToken", {"expiresAt": "2027-01-31"}),
        resource("gitlab:index/groupAccessToken:GroupAccessToken", {"rotationConfiguration": {"expirationDays": 90}}),
    ),
    "generation-token-expires": (
        resource("gitlab:index/projectDeployToken:ProjectDeployToken", {"expiresAt": "2027-01-31T23:59:59Z"}),
        resource("pulumi-python:dynamic/sonarqube:ProjectAnalysisToken", {"expires": "2027-01-31"}),
    ),
    "login-life-finite": (resource(JWT_TYPE, JWT_ROLE), resource(KUBERNETES_TYPE, KUBERNETES_ROLE)),
    "vault-policy-own-paths": (
        policy_text("# read only", hcl("a-b/data/*", "read"), hcl("a-b/metadata/*", "list")),
        policy_text(hcl("a-b/data/review/*", "read"), name="a-b.review"),
        policy_text(hcl("sys/health", "read"), name="watcher", tenant=None),
        resource(POLICY, {"name": "a-b.ci", "policy": Hidden.UNKNOWN}),
    ),
    "jwt-role-bound": (
        resource(JWT_TYPE, JWT_ROLE),
        resource(
            JWT_TYPE,
            changed(JWT_ROLE, "tokenPolicies", ["a-b.review"]) | {"boundClaims": {"project_id": "42"}},
        ),
        resource(JWT_TYPE, {"boundAudiences": ["vault"], "tokenPolicies": ["default"]}, tenant=None),
        resource(JWT_TYPE, changed(JWT_ROLE, "boundClaims", Hidden.UNKNOWN)),
    ),
    "kubernetes-role-bound": (resource(KUBERNETES_TYPE, KUBERNETES_ROLE),),
    "vault-group-own-policies": (resource("vault:identity/group:Group", {"policies": ["a-b.role.owner"]}),),
    "namespace-pod-security": (
        kubernetes("Namespace", {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}),
        kubernetes("NamespacePatch", {"kind": "Namespace"}),
    ),
    "network-policy-narrow": (
        kubernetes("NetworkPolicy", EGRESS),
        kubernetes("NetworkPolicy", INGRESS),
        kubernetes("NetworkPolicy", {"spec": {"ingress": [{"from": [{"podSelector": {}}]}]}}),
        kubernetes("NetworkPolicy", {"spec": {"egress": [{"to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}]}]}}),
    ),
    "role-binding-narrow": (
        rbac("RoleBinding", BINDING),
        rbac(
            "RoleBinding",
            changed(BINDING, "subjects 0", {"kind": "ServiceAccount", "name": "x", "namespace": "a-b-dev"}),
        ),
        rbac(
            "ClusterRoleBinding",
            {
                "roleRef": {"kind": "ClusterRole", "name": "system:auth-delegator"},
                "subjects": [{"kind": "ServiceAccount", "name": "vault", "namespace": "a-b-dev"}],
            },
        ),
    ),
    "role-narrow": (
        rbac(
            "ClusterRole",
            {
                "rules": [
                    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "create"]},
                    {"apiGroups": [""], "resources": ["resourcequotas"], "verbs": ["get", "list"]},
                ]
            },
        ),
    ),
    "app-project-exact": (kubernetes("AppProject", APP_PROJECT, api=ARGOCD),),
    "application-bounded": (
        kubernetes(
            "Application", {"spec": {"project": "a-b-dev", "destination": {"namespace": "a-b-dev"}}}, api=ARGOCD
        ),
    ),
    "argocd-no-default-rights": (
        kubernetes("ConfigMap", {"metadata": {"name": "argocd-rbac-cm"}, "data": {"policy.default": ""}}),
        kubernetes("ConfigMap", {"metadata": {"name": "argocd-cm"}, "data": {"policy.default": "role:admin"}}),
    ),
    "tenant-own-groups": (
        rbac("RoleBinding", BINDING),
        kubernetes("AppProject", APP_PROJECT, api=ARGOCD),
        resource("vault:identity/groupAlias:GroupAlias", {"name": "/a-b/owner"}),
        resource("harbor:index/projectMemberGroup:ProjectMemberGroup", {"groupName": Hidden.UNKNOWN}),
        resource(
            "pulumi-python:dynamic/sonarqube:ProjectPermissions",
            {"groups": {"/a-b/owner": ["user"], "sonar-administrators": ["admin"]}, "users": {}},
        ),
        resource("vault:identity/groupAlias:GroupAlias", {"name": "/plateforme/admin"}, tenant=None),
    ),
}

#: Of each of these it does not.
BAD: Mapping[str, tuple[Resource, ...]] = {
    "gitlab-private": (
        resource("gitlab:index/group:Group", {"visibilityLevel": "public"}),
        resource("gitlab:index/group:Group", {"visibilityLevel": "internal"}),
        resource("gitlab:index/project:Project", {"visibilityLevel": "internal"}, tenant=None),
        resource("gitlab:index/project:Project", {}),
        resource("gitlab:index/project:Project", {"visibilityLevel": "private", "pagesAccessLevel": "public"}),
    ),
    "harbor-private": (
        resource("harbor:index/project:Project", {"public": True}),
        resource("harbor:index/project:Project", {"public": "true"}),
    ),
    "sonarqube-private": (
        resource("pulumi-python:dynamic/sonarqube:Project", {"visibility": "public"}),
        resource("pulumi-python:dynamic/sonarqube:Project", {}),
        resource("pulumi-python:dynamic/sonarqube:Settings", {"values": {}}),
    ),
    "keycloak-realm-closed": (
        resource("keycloak:index/realm:Realm", {"registrationAllowed": True}),
        resource("keycloak:index/realm:Realm", {"sslRequired": "none"}),
    ),
    "oidc-client-exact": tuple(
        resource(CLIENT_TYPE, changed(CLIENT, path, value))
        for path, value in (
            ("validRedirectUris", ["*"]),
            ("validRedirectUris", ["https://*.example.fr/cb"]),
            ("validRedirectUris", ["https://example.fr/*"]),
            ("validRedirectUris", ["http://example.fr/cb"]),
            ("validRedirectUris", ["http://127.0.0.1:8085/*"]),
            ("validRedirectUris", ["http://localhost:*/cb"]),
            ("validRedirectUris", ["javascript:alert(1)"]),
            ("validRedirectUris", []),
            ("webOrigins", ["*"]),
            ("implicitFlowEnabled", True),
            ("directAccessGrantsEnabled", True),
            ("fullScopeAllowed", None),
            ("pkceCodeChallengeMethod", None),
        )
    ),
    "service-internal": (
        kubernetes("Service", {"spec": {"type": "LoadBalancer"}}),
        kubernetes("Service", {"spec": {"type": "NodePort"}}),
        kubernetes("Service", {"spec": {"externalIPs": ["192.0.2.1"]}}),
    ),
    "ci-variable-secret": (
        resource(VARIABLE, {"key": "IMAGE", "value": Hidden.SECRET}),
        resource(VARIABLE, {"key": "IMAGE", "value": Hidden.SECRET, "masked": True}),
        resource("gitlab:index/groupVariable:GroupVariable", {"key": "NPM_TOKEN", "value": "x"}),
        resource("gitlab:index/instanceVariable:InstanceVariable", {"key": "password", "value": "x"}),
        resource(SCHEDULE_VARIABLE, {"key": "IMAGE", "value": Hidden.SECRET}),
    ),
    "secret-store-encrypted": (
        kubernetes("Secret", {"data": {"password": "aHVudGVyMg=="}}),
        resource("vault:kv/secretV2:SecretV2", {"dataJson": "{}"}),
        resource("pulumi-python:dynamic/sonarqube:Settings", {"secured": {"clientSecret": "x"}}),
    ),
    "secret-property-encrypted": (
        resource("harbor:index/configAuth:ConfigAuth", {"oidcClientSecret": "hunter2"}),
        resource("pulumi:providers:keycloak", {"password": "hunter2"}, tenant=None),
        resource("gitlab:index/projectHook:ProjectHook", {"token": "hunter2"}),
    ),
    "no-secret-in-clear": (
        kubernetes("ConfigMap", {"data": {"a": "glpat-abcdefghij0123456789"}}),
        kubernetes("Namespace", {"metadata": {"annotations": {"note": "-----BEGIN RSA PRIVATE KEY-----"}}}),
        kubernetes("Application", {"spec": {"source": {"helm": {"values": f"token: {JWT}"}}}}, api=ARGOCD),
        kubernetes("Application", {"spec": {"source": {"repoURL": "https://bot:pw@gitlab.example.fr/a.git"}}}),
        kubernetes("ConfigMap", {"data": {"a": "aHZzLkNBRVNJSm9obkRvZTAxMjM0NTY3ODk="}}),
        resource("gitlab:index/repositoryFile:RepositoryFile", {"content": "export A=hvs.CAESIJohnDoe0123456789"}),
    ),
    "robot-life-finite": (
        resource(ROBOT_TYPE, changed(ROBOT, "duration", -1)),
        resource(ROBOT_TYPE, changed(ROBOT, "duration", 0)),
        resource(ROBOT_TYPE, changed(ROBOT, "duration", 10_000)),
        resource(ROBOT_TYPE, changed(ROBOT, "duration", None)),
        resource("harbor:index/configSystem:ConfigSystem", {"robotTokenExpiration": -1}),
    ),
    "robot-own-project": tuple(
        resource(ROBOT_TYPE, changed(ROBOT, path, value))
        for path, value in (
            ("level", "system"),
            ("permissions 0 namespace", "*"),
            ("permissions 0 namespace", "a"),
            ("permissions 0 kind", "system"),
            ("permissions 0 accesses 0 action", "*"),
        )
    ),
    "access-token-expires": (
        resource("gitlab:index/projectAccessToken:ProjectAccessToken", {}),
        resource(
            "gitlab:index/projectAccessToken:ProjectAccessToken", {"rotationConfiguration": {"expirationDays": 9999}}
        ),
        resource("gitlab:index/personalAccessToken:PersonalAccessToken", {"expiresAt": ""}),
    ),
    "generation-token-expires": (
        resource("gitlab:index/projectDeployToken:ProjectDeployToken", {}),
        resource("gitlab:index/groupDeployToken:GroupDeployToken", {"expiresAt": ""}),
        resource("pulumi-python:dynamic/sonarqube:ProjectAnalysisToken", {}),
    ),
    "login-life-finite": (
        resource(JWT_TYPE, changed(JWT_ROLE, "tokenMaxTtl", None)),
        resource(JWT_TYPE, changed(JWT_ROLE, "tokenMaxTtl", 0)),
        resource(KUBERNETES_TYPE, changed(KUBERNETES_ROLE, "tokenMaxTtl", 10**9)),
        resource(JWT_TYPE, JWT_ROLE | {"tokenPeriod": 3600}),
    ),
    "vault-policy-own-paths": (
        policy_text(hcl("*", "read")),
        policy_text(hcl("+/data/*", "read")),
        policy_text(hcl("a/data/*", "read")),
        policy_text(hcl("a-b-c/data/*", "read")),
        policy_text(hcl("sys/policies/acl/*", "update")),
        policy_text(hcl("a-b/data/*", "read", "sudo")),
        policy_text(hcl("a-b/data/*", "read"), name="other.ci"),
        policy_text(hcl("a-b/data/ci/*", "read"), name="a-b.review"),
        policy_text(hcl("a-b/data/review/*", "read", "update"), name="a-b.review"),
        policy_text(hcl("*/data/*", "read"), tenant=None, name="watcher"),
        policy_text("path a-b { policy = 'write' }"),
        policy_text('path "a-b/data/*" {\n  policy = "write"\n}'),
    ),
    "jwt-role-bound": tuple(
        resource(JWT_TYPE, changed(JWT_ROLE, path, value))
        for path, value in (
            ("boundAudiences", []),
            ("boundAudiences", ["*"]),
            ("boundClaims", {}),
            ("boundClaims", {"project_path": "tenants/a-b/api", "ref_protected": "true"}),
            ("boundClaims", {"namespace_id": "4*", "ref_protected": "true"}),
            ("boundClaims", {"namespace_id": "42"}),
            ("boundClaims", {"namespace_id": "42", "ref_protected": "false"}),
            ("tokenPolicies", ["other.ci"]),
            ("tokenPolicies", ["root"]),
        )
    ),
    "kubernetes-role-bound": tuple(resource(KUBERNETES_TYPE, KUBERNETES_ROLE | change) for change in LOOSE_ROLES),
    "vault-group-own-policies": (
        resource("vault:identity/group:Group", {"policies": ["a.role.owner"]}),
        resource("vault:identity/group:Group", {"policies": ["root"]}, tenant=None),
    ),
    "namespace-pod-security": (
        kubernetes("Namespace", {}),
        kubernetes("Namespace", {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}}}),
        kubernetes(
            "NamespacePatch",
            {"kind": "Namespace", "metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}},
        ),
    ),
    "network-policy-narrow": (
        kubernetes("NetworkPolicy", {"spec": {"ingress": [{}]}}),
        kubernetes("NetworkPolicy", {"spec": {"egress": [{"to": []}]}}),
        kubernetes("NetworkPolicy", {"spec": {"ingress": [{"from": [{}]}]}}),
        kubernetes("NetworkPolicy", {"spec": {"ingress": [{"from": [{"namespaceSelector": {}}]}]}}),
        kubernetes("NetworkPolicy", {"spec": {"ingress": [{"from": [OUTSIDE]}]}}),
        kubernetes("NetworkPolicy", changed(EGRESS, "spec egress 0 ports", None)),
        kubernetes("NetworkPolicy", changed(EGRESS, "spec egress 0 to 0 ipBlock except", None)),
    ),
    "role-binding-narrow": (
        *(
            rbac("RoleBinding", changed(BINDING, path, value))
            for path, value in (
                ("roleRef name", "cluster-admin"),
                ("roleRef name", "edit"),
                ("subjects 0", {"kind": "User", "name": "alice.martin"}),
                ("subjects 0", {"kind": "Group", "name": "system:authenticated"}),
                ("subjects 0", {"kind": "ServiceAccount", "name": "x", "namespace": "a-dev"}),
            )
        ),
        rbac("ClusterRoleBinding", BINDING),
        rbac(
            "ClusterRoleBinding",
            {
                "roleRef": {"kind": "ClusterRole", "name": "system:auth-delegator"},
                "subjects": [{"kind": "Group", "name": "oidc:/a-b/dev/rw"}],
            },
        ),
    ),
    "role-narrow": (
        *(
            rbac("Role", {"rules": [{"apiGroups": ["apps"], "resources": ["pods"], "verbs": ["get"]} | change]})
            for change in (
                {"verbs": ["*"]},
                {"resources": ["*"]},
                {"resources": ["*/scale"]},
                {"apiGroups": ["*"]},
                {"verbs": ["escalate"]},
                {"resources": ["networkpolicies"], "verbs": ["patch"]},
            )
        ),
        rbac("ClusterRole", {"aggregationRule": {"clusterRoleSelectors": [{}]}}),
    ),
    "app-project-exact": tuple(
        kubernetes("AppProject", changed(APP_PROJECT, path, value), api=ARGOCD)
        for path, value in (
            ("spec destinations 0 namespace", "*"),
            ("spec destinations 0 namespace", "a-b-*"),
            ("spec destinations 0 namespace", None),
            ("spec destinations 0 server", "*"),
            ("spec destinations 0 server", "!https://cluster.example.fr"),
            ("spec sourceRepos", ["*"]),
            ("spec sourceNamespaces", ["argocd-[ab]"]),
            ("spec destinationServiceAccounts 0 namespace", "*"),
            ("spec clusterResourceWhitelist", [{"group": "*", "kind": "*"}]),
            ("spec namespaceResourceBlacklist", None),
        )
    ),
    "application-bounded": tuple(
        kubernetes("Application", {"spec": spec}, api=ARGOCD)
        for spec in (
            {"project": "default", "destination": {"namespace": "a-b-dev"}},
            {"destination": {"namespace": "a-b-dev"}},
            {"project": "a-b-dev", "destination": {}},
        )
    ),
    "argocd-no-default-rights": (
        kubernetes("ConfigMap", {"metadata": {"name": "argocd-rbac-cm"}, "data": {"policy.default": "role:readonly"}}),
    ),
    "tenant-own-groups": (
        rbac("RoleBinding", changed(BINDING, "subjects 0 name", "oidc:/a/dev/rw")),
        rbac("RoleBinding", changed(BINDING, "subjects 0 name", "oidc:/a-b-c/dev/rw")),
        rbac("RoleBinding", changed(BINDING, "subjects 0 name", "everybody")),
        kubernetes("AppProject", changed(APP_PROJECT, "spec roles 0 groups", ["/a-b/owner", "/a/owner"]), api=ARGOCD),
        resource("vault:identity/groupAlias:GroupAlias", {"name": "/a/owner"}),
        resource("harbor:index/projectMemberGroup:ProjectMemberGroup", {"groupName": "/a/owner"}),
        resource("harbor:index/projectMemberUser:ProjectMemberUser", {"userName": "alice.martin"}),
        resource("pulumi-python:dynamic/sonarqube:ProjectPermissions", {"groups": {"/a/owner": ["user"]}}),
        resource("pulumi-python:dynamic/sonarqube:ProjectPermissions", {"users": {"alice.martin": ["user"]}}),
    ),
}

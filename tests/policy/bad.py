"""For every policy of one resource, resources that violate it."""

from __future__ import annotations

from collections.abc import Mapping

from policy.model import Hidden, Resource
from tests.policy.bad_in_clusters import BAD_IN_CLUSTERS
from tests.policy.shapes import (
    APP_PROJECT,
    ARGOCD,
    BINDING,
    CLIENT,
    CLIENT_TYPE,
    JWT,
    JWT_ROLE,
    JWT_TYPE,
    KUBERNETES_ROLE,
    KUBERNETES_TYPE,
    LOOSE_ROLES,
    PROXY_ROBOT,
    ROBOT,
    ROBOT_TYPE,
    SCHEDULE_VARIABLE,
    SIGNED_ROLE,
    VARIABLE,
    changed,
    hcl,
    kubernetes,
    policy_text,
    rbac,
    resource,
)

_AUTH = "spec provider vault auth"

#: Each of these violates the policy.
BAD: Mapping[str, tuple[Resource, ...]] = {
    **BAD_IN_CLUSTERS,
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
    "robot-own-project": (
        *(
            resource(ROBOT_TYPE, changed(ROBOT, path, value))
            for path, value in (
                ("level", "system"),
                ("permissions 0 namespace", "*"),
                ("permissions 0 namespace", "a"),
                ("permissions 0 kind", "system"),
                ("permissions 0 accesses 0 action", "*"),
            )
        ),
        # A robot of the system may pull from proxy caches, and do nothing else.
        *(
            resource(ROBOT_TYPE, changed(PROXY_ROBOT, path, value), tenant=None)
            for path, value in (
                ("permissions 0 namespace", "teleservice"),
                ("permissions 0 accesses 0 action", "push"),
                ("permissions 0 kind", "system"),
            )
        ),
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
        policy_text(hcl("usine-signing/sign/a/sha2-256", "update"), name="a-b.ci"),
        policy_text(hcl("usine-signing/sign/*", "update"), name="a-b.ci"),
        policy_text(hcl("usine-signing/export/signing-key/a-b", "read"), name="a-b.ci"),
        policy_text(hcl("usine-signing/keys/a-b", "read", "update"), name="a-b.ci"),
        policy_text(hcl("usine-signing/sign/a-b/sha2-256", "update"), name="a-b.review"),
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
            ("boundClaims", {"project_path": "tenants/a-b/api", "ref_protected": "true", "pipeline_source": "push"}),
            ("boundClaims", {"namespace_id": "4*", "ref_protected": "true", "pipeline_source": "push"}),
            ("boundClaims", {"namespace_id": "42", "pipeline_source": "push"}),
            ("boundClaims", {"namespace_id": "42", "ref_protected": "false", "pipeline_source": "push"}),
            ("boundClaims", {"namespace_id": "42", "ref_protected": "true"}),
            ("boundClaims", {"namespace_id": "42", "ref_protected": "true", "pipeline_source": "push,pipeline"}),
            ("tokenPolicies", ["other.ci"]),
            ("tokenPolicies", ["a-b.ci.prod", "a-b.ci"]),
            ("tokenPolicies", ["root"]),
        )
    ),
    "kubernetes-role-bound": (
        *(resource(KUBERNETES_TYPE, KUBERNETES_ROLE | change) for change in LOOSE_ROLES),
        *(
            resource(JWT_TYPE, changed(SIGNED_ROLE, path, value))
            for path, value in (
                ("boundSubject", "system:serviceaccount:other-dev:vault"),
                ("boundSubject", "system:serviceaccount:a-b-dev"),
                ("boundSubject", "system:serviceaccount:a-b-*:vault"),
                ("boundSubject", "system:serviceaccount:a-b-dev:*"),
                ("boundAudiences", []),
                ("boundAudiences", ["*"]),
                ("tokenPolicies", ["other.env.dev"]),
            )
        ),
    ),
    "vault-group-own-policies": (
        resource("vault:identity/group:Group", {"policies": ["a.role.owner"]}),
        resource("vault:identity/group:Group", {"policies": ["root"]}, tenant=None),
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
        resource("pulumi-python:dynamic/sonarqube:ProjectPermissions", {"users": {"usine.a.1": ["scan"]}}),
        resource("pulumi-python:dynamic/sonarqube:ProjectPermissions", {"users": {"usine.a-b.1": ["scan", "admin"]}}),
    ),
}

"""For every policy of one resource, resources that pass."""

from __future__ import annotations

from collections.abc import Mapping

from policy.model import Hidden, Resource
from tests.policy.shapes import (
    ADMISSION,
    APP_PROJECT,
    APPLICATION_SET,
    ARGOCD,
    BACKUPS,
    BINDING,
    CLIENT,
    CLIENT_TYPE,
    EGRESS,
    EXTERNAL_SECRETS,
    GRAFANA,
    GRAFANA_POD,
    IMAGES,
    INGRESS,
    JWT_ROLE,
    JWT_TYPE,
    KUBERNETES_ROLE,
    KUBERNETES_TYPE,
    KYVERNO,
    MONITOR,
    MONITORING,
    POLICY,
    PROXY_ROBOT,
    RECEIVERS,
    ROBOT,
    ROBOT_TYPE,
    RULE,
    SCHEDULE_VARIABLE,
    SIGNED_ROLE,
    SIGNED_STORE,
    STORE,
    VARIABLE,
    VELERO,
    changed,
    grafana_with,
    hcl,
    kubernetes,
    policy_text,
    rbac,
    resource,
)

#: These pass the policy.
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
    "robot-own-project": (
        resource(ROBOT_TYPE, ROBOT),
        resource(ROBOT_TYPE, PROXY_ROBOT, tenant=None),
    ),
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
        policy_text(hcl("a-b/data/review/*", "read"), hcl("usine-signing/keys/a-b", "read"), name="a-b.review"),
        policy_text(hcl("usine-signing/sign/a-b/sha2-256", "update"), name="a-b.ci"),
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
        resource(
            JWT_TYPE,
            {
                **changed(JWT_ROLE, "boundClaims environment", "prod"),
                "tokenPolicies": ["a-b.ci.prod", "a-b.ci"],
            },
        ),
    ),
    "kubernetes-role-bound": (
        resource(KUBERNETES_TYPE, KUBERNETES_ROLE),
        resource(JWT_TYPE, SIGNED_ROLE),
        resource(
            JWT_TYPE,
            {
                **SIGNED_ROLE,
                "boundSubject": "system:serviceaccount:argocd:x",
                "tokenPolicies": ["usine.zone.c"],
            },
            tenant=None,
        ),
    ),
    "secret-store-bound": (
        kubernetes("SecretStore", STORE, api=EXTERNAL_SECRETS),
        kubernetes("SecretStore", SIGNED_STORE, api=EXTERNAL_SECRETS),
        kubernetes("SecretStore", {**STORE, "metadata": {"namespace": Hidden.UNKNOWN}}, api=EXTERNAL_SECRETS),
        kubernetes("SecretStore", {"spec": {"provider": Hidden.UNKNOWN}}, api=EXTERNAL_SECRETS),
        kubernetes("SecretStore", {"spec": {"provider": {"fake": {}}}}, api=EXTERNAL_SECRETS, tenant=None),
    ),
    "backup-own-namespace": (
        kubernetes("Schedule", BACKUPS, api=VELERO),
        kubernetes("Schedule", {"spec": {"template": Hidden.UNKNOWN}}, api=VELERO),
        kubernetes("Schedule", {"spec": {"template": {"includedNamespaces": ["*"]}}}, api=VELERO, tenant=None),
    ),
    "vault-group-own-policies": (resource("vault:identity/group:Group", {"policies": ["a-b.role.owner"]}),),
    "namespace-pod-security": (
        kubernetes("Namespace", {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}),
        kubernetes("NamespacePatch", {"kind": "Namespace"}),
    ),
    "admission-refuses": (
        kubernetes("ValidatingAdmissionPolicy", {"spec": {"failurePolicy": "Fail"}}, api=ADMISSION),
        kubernetes("ValidatingAdmissionPolicyBinding", {"spec": {"validationActions": ["Deny"]}}, api=ADMISSION),
        kubernetes("NamespacedImageValidatingPolicy", {"spec": IMAGES}, api=KYVERNO),
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
                "roleRef": {"kind": "ClusterRole", "name": "usine:prod-1:token-review"},
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
        # Of the platform itself: an AppProject of any name.
        kubernetes(
            "Application",
            {
                "spec": {"project": "platform", "destination": {"namespace": "monitoring"}},
                "metadata": {"labels": {}},
            },
            api=ARGOCD,
            tenant=None,
        ),
    ),
    "application-set-bounded": (
        kubernetes("ApplicationSet", APPLICATION_SET, api=ARGOCD),
        kubernetes(
            "ApplicationSet",
            changed(APPLICATION_SET, "spec template spec destination namespace", Hidden.UNKNOWN),
            api=ARGOCD,
        ),
        kubernetes("ApplicationSet", changed(APPLICATION_SET, "spec generators 0 git", Hidden.UNKNOWN), api=ARGOCD),
        kubernetes(
            "ApplicationSet",
            changed(
                APPLICATION_SET,
                "spec generators 0 git template",
                {"metadata": {}, "spec": {"destination": {}, "project": ""}},
            ),
            api=ARGOCD,
        ),
    ),
    "argocd-no-default-rights": (
        kubernetes("ConfigMap", {"metadata": {"name": "argocd-rbac-cm"}, "data": {"policy.default": ""}}),
        kubernetes("ConfigMap", {"metadata": {"name": "argocd-cm"}, "data": {"policy.default": "role:admin"}}),
    ),
    "rules-own-namespace": (
        kubernetes("PrometheusRule", RULE, api=MONITORING),
        kubernetes("PrometheusRule", changed(RULE, "metadata namespace", Hidden.UNKNOWN), api=MONITORING),
        kubernetes(
            "PrometheusRule",
            changed(
                RULE,
                "spec groups 0 rules 0 expr",
                'a{namespace="a-b-dev"} / on (x) group_left (y) (b{x!="}", namespace="a-b-dev"}[5m:1m] offset 1h) > '
                "bool time() - 0x1f and vector(1) == 1e3 or quantile_over_time(0.5, {namespace='a-b-dev'}[1h])",
            ),
            api=MONITORING,
        ),
        kubernetes(
            "PrometheusRule",
            {"spec": {"groups": [{"rules": [{"expr": "up"}]}]}, "metadata": {"labels": {}}},
            api=MONITORING,
            tenant=None,
        ),
    ),
    "alert-has-procedure": (
        kubernetes("PrometheusRule", RULE, api=MONITORING),
        kubernetes("PrometheusRule", {"spec": {"groups": [{"rules": [{"record": "x", "expr": "y"}]}]}}, api=MONITORING),
    ),
    "monitor-own-namespace": (
        kubernetes("ServiceMonitor", MONITOR, api=MONITORING),
        kubernetes("ServiceMonitor", changed(MONITOR, "spec namespaceSelector", {}), api=MONITORING),
    ),
    "grafana-own-data": (
        kubernetes("ConfigMap", GRAFANA),
        kubernetes("ConfigMap", {"data": Hidden.UNKNOWN}),
        kubernetes("ConfigMap", {"data": {"other": "x"}}),
        kubernetes("ConfigMap", grafana_with("datasources.yaml", '"a-b"', '"other"'), tenant=None),
    ),
    "grafana-pod-bare": (
        kubernetes("Deployment", GRAFANA_POD, api="apps/v1"),
        kubernetes("Deployment", {"spec": {"template": Hidden.UNKNOWN}}, api="apps/v1"),
    ),
    "receivers-own-alerts": (
        kubernetes("AlertmanagerConfig", RECEIVERS, api=MONITORING),
        kubernetes(
            "AlertmanagerConfig",
            {
                "metadata": {"namespace": "argocd"},
                "spec": {
                    "route": {
                        "matchers": [
                            {"name": "namespace", "value": "argocd", "matchType": "="},
                            {"name": "tenant", "value": "a-b", "matchType": "="},
                        ]
                    }
                },
            },
            api=MONITORING,
        ),
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
        resource(
            "pulumi-python:dynamic/sonarqube:ProjectPermissions", {"groups": {}, "users": {"usine.a-b.1": ["scan"]}}
        ),
        resource("vault:identity/groupAlias:GroupAlias", {"name": "/plateforme/admin"}, tenant=None),
    ),
}

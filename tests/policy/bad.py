"""For every policy of one resource, resources that violate it."""

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
    GRAFANA_POD,
    IMAGES,
    JWT,
    JWT_ROLE,
    JWT_TYPE,
    KUBERNETES_ROLE,
    KUBERNETES_TYPE,
    KYVERNO,
    LOOSE_ROLES,
    MONITOR,
    MONITORING,
    OUTSIDE,
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

_AUTH = "spec provider vault auth"

#: Each of these violates the policy.
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
    "backup-own-namespace": (
        *(
            kubernetes("Schedule", changed(BACKUPS, f"spec {path}", value), api=VELERO)
            for path, value in (
                ("template includedNamespaces", []),
                ("template includedNamespaces", ["*"]),
                ("template includedNamespaces", ["a-b-prod", "a-b-dev"]),
                ("template includedNamespaces", ["a-prod"]),
                ("template excludedNamespaceScopedResources", ["events"]),
                ("template includeClusterResources", True),
                ("template hooks", {"resources": [{"name": "x"}]}),
                ("useOwnerReferencesInBackup", True),
            )
        ),
        kubernetes("Restore", {"spec": {"backupName": "x", "includedNamespaces": ["a-b-prod"]}}, api=VELERO),
    ),
    "secret-store-bound": tuple(
        kubernetes("SecretStore", changed(STORE, f"spec provider{path}", value), api=EXTERNAL_SECRETS)
        for path, value in (
            ("", {"webhook": {"url": "http://169.254.169.254"}}),
            (" webhook", {"url": "http://169.254.169.254"}),
            (" vault path", "other"),
            (" vault auth", {"tokenSecretRef": {"name": "x", "key": "token"}}),
            (" vault auth tokenSecretRef", {"name": "x", "key": "token"}),
            (" vault auth kubernetes role", "a-b-prod"),
            (" vault auth kubernetes role", "other-dev"),
            (" vault auth kubernetes serviceAccountRef", None),
            (" vault auth kubernetes serviceAccountRef", {"name": "vault", "namespace": "other-dev"}),
            (" vault auth kubernetes serviceAccountRef", {"name": "default"}),
            (" vault auth kubernetes secretRef", {"name": "x"}),
        )
    )
    + tuple(
        kubernetes("SecretStore", changed(SIGNED_STORE, f"{_AUTH} {path}", value), api=EXTERNAL_SECRETS)
        for path, value in (
            ("kubernetes", {"role": "a-b-dev", "serviceAccountRef": {"name": "vault"}}),
            ("jwt role", "a-b-prod"),
            ("jwt secretRef", {"name": "x", "key": "y"}),
            ("jwt kubernetesServiceAccountToken serviceAccountRef", {"name": "vault"}),
            (
                "jwt kubernetesServiceAccountToken serviceAccountRef",
                {"name": "default", "audiences": ["https://vault"]},
            ),
            ("jwt kubernetesServiceAccountToken serviceAccountRef audiences", ["https://vault", "https://other"]),
            ("jwt kubernetesServiceAccountToken serviceAccountRef namespace", "other-dev"),
        )
    ),
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
    "admission-refuses": (
        kubernetes("ValidatingAdmissionPolicy", {"spec": {"failurePolicy": "Ignore"}}, api=ADMISSION),
        kubernetes("ValidatingAdmissionPolicy", {"spec": {}}, api=ADMISSION),
        *(
            kubernetes("ValidatingAdmissionPolicyBinding", {"spec": spec}, api=ADMISSION)
            for spec in (
                {"validationActions": ["Warn"]},
                {},
                {"validationActions": ["Deny"], "matchResources": {"namespaceSelector": {"matchLabels": {"a": "b"}}}},
            )
        ),
        *(
            kubernetes("NamespacedImageValidatingPolicy", {"spec": {**IMAGES, **change}}, api=KYVERNO)
            for change in (
                {"failurePolicy": "Ignore"},
                {"validationActions": ["Audit"]},
                {"validationConfigurations": {"verifyDigest": False}},
            )
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
                "roleRef": {"kind": "ClusterRole", "name": "usine:prod-1:token-review"},
                "subjects": [{"kind": "Group", "name": "oidc:/a-b/dev/rw"}],
            },
        ),
        *(
            rbac(
                "ClusterRoleBinding",
                {
                    "roleRef": {"kind": "ClusterRole", "name": role},
                    "subjects": [{"kind": "ServiceAccount", "name": "vault", "namespace": "a-b-dev"}],
                },
            )
            for role in ("system:auth-delegator", "usine:prod-1:tenant-rw")
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
                {"resources": ["endpointslices"], "verbs": ["create"]},
                {"resources": ["validatingadmissionpolicybindings"], "verbs": ["delete"]},
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
            {"project": "a-dev", "destination": {"namespace": "a-dev"}},
            {"project": "a-b-c-dev", "destination": {"namespace": "a-b-c-dev"}},
            {"project": "a-b", "destination": {"namespace": "a-b"}},
            {"project": "a-b-dev", "destination": {"namespace": "a-b-prod"}},
            {"project": "a-b-dev", "destination": {"namespace": "argocd"}},
        )
    ),
    "application-set-bounded": tuple(
        kubernetes("ApplicationSet", changed(APPLICATION_SET, path, value), api=ARGOCD)
        for path, value in (
            ("spec template spec project", "{{ .path.basename }}"),
            ("spec template spec project", "a-b-{{ .path.basename }}"),
            ("spec template spec project", "default"),
            ("spec template spec project", "a-dev"),
            ("spec template spec destination namespace", "{{ .path.basename }}"),
            ("spec template spec destination namespace", "a-b-prod"),
            ("spec template spec destination server", "{{ .url }}"),
            ("spec template spec source repoURL", "https://gitlab.example.fr/{{ .path.path }}.git"),
            ("spec template spec source helm", {"parameters": [{"name": "a", "value": "{{ .path.path }}"}]}),
            ("spec template metadata name", "{{ .path.basename }}"),
            ("spec template metadata name", "a-b-dev--deploy{{ .path.basename }}"),
            ("spec template metadata name", None),
            ("spec template metadata namespace", "{{ .path.basename }}"),
            ("spec templatePatch", "spec: {project: default}"),
            ("spec goTemplate", None),
            ("spec goTemplateOptions", []),
            ("spec syncPolicy", None),
            ("spec generators", []),
            ("spec generators 0", {"scmProvider": {"gitlab": {"group": "a", "api": "https://evil.example"}}}),
            ("spec generators 0", {"clusters": {}}),
            ("spec generators 0", {"matrix": {"generators": []}}),
            ("spec generators 0 selector", {}),
            ("spec generators 0 git template", {"spec": {"project": "default"}}),
            ("spec generators 0 git files", [{"path": "*.yaml"}]),
            ("spec generators 0 git values", {"a": "{{ .path.path }}"}),
            ("spec generators 0 git directories", None),
            ("spec generators 0 git repoURL", "https://gitlab.example.fr/{{ .x }}.git"),
        )
    ),
    "argocd-no-default-rights": (
        kubernetes("ConfigMap", {"metadata": {"name": "argocd-rbac-cm"}, "data": {"policy.default": "role:readonly"}}),
    ),
    "rules-own-namespace": (
        *(
            kubernetes("PrometheusRule", changed(RULE, "spec groups 0 rules 0 expr", expression), api=MONITORING)
            for expression in (
                "up",
                "sum(up)",
                "time() > 1",
                'up{namespace="a-b-prod"}',
                'up{namespace=~"a-b-dev"}',
                'up{namespace!="a-b-dev"}',
                'up{namespace="a-b-dev" or namespace="a-dev"}',
                'up{namespace="a-b-dev"} or {__name__="up"}',
                'up{namespace="a-b-dev"} / on (pod) group_left sum(down)',
                'up{pod="namespace=a-b-dev"}',
                'absent({"up"})',
                'up{namespace="a-b-dev"} ; down',
            )
        ),
        kubernetes("PrometheusRule", changed(RULE, "spec groups 0 rules 0 labels tenant", "a"), api=MONITORING),
        kubernetes("PrometheusRule", changed(RULE, "spec groups 0 rules 0 labels", None), api=MONITORING),
    ),
    "alert-has-procedure": tuple(
        kubernetes("PrometheusRule", changed(RULE, f"spec groups 0 rules 0 {path}", value), api=MONITORING)
        for path, value in (
            ("labels severity", "page"),
            ("labels severity", None),
            ("annotations", None),
            ("annotations runbook_url", "javascript:alert(1)"),
        )
    ),
    "monitor-own-namespace": (
        kubernetes("ServiceMonitor", changed(MONITOR, "spec namespaceSelector", {"any": True}), api=MONITORING),
        kubernetes("ServiceMonitor", changed(MONITOR, "spec endpoints 0 honorLabels", value=True), api=MONITORING),
        kubernetes("PodMonitor", {"spec": {"podMetricsEndpoints": [{"proxyUrl": "http://x"}]}}, api=MONITORING),
    ),
    "grafana-own-data": tuple(
        kubernetes("ConfigMap", grafana_with(key, old, new))
        for key, old, new in (
            ("datasources.yaml", '"a-b"', '"a"'),
            ("datasources.yaml", '"a-b"', '"a-b|other"'),
            ("datasources.yaml", '"a-b"', '""'),
            ("datasources.yaml", '"a-b-dev,', '"other-dev,'),
            ("datasources.yaml", '"a-b-dev,', '"a-b-dev,,'),
            ("datasources.yaml", '"httpHeaderName1": "X-Scope-OrgID"', '"httpHeaderName1": ""'),
            ("datasources.yaml", '"editable": false', '"editable": true'),
            ("datasources.yaml", '"access": "proxy"', '"access": "direct"'),
            ("datasources.yaml", "{", "apiVersion: 1 {"),
            ("grafana.ini", "[auth.anonymous]\nenabled = false", "[auth.anonymous]\nenabled = true"),
            ("grafana.ini", "[auth.basic]\nenabled = false", "[auth.basic]"),
            ("grafana.ini", "[snapshots]\nenabled = false", "[snapshots]\nenabled = true"),
            ("grafana.ini", "role_attribute_strict = true", "role_attribute_strict = false"),
            ("grafana.ini", "use_pkce = true", "use_pkce = false"),
            ("grafana.ini", "allow_assign_grafana_admin = false", "allow_assign_grafana_admin = true"),
            ("grafana.ini", "disable_initial_admin_creation = true", "disable_initial_admin_creation = false"),
            ("grafana.ini", "'/a-b/owner') && 'Editor'", "'/a-b/owner') && 'Admin'"),
            ("grafana.ini", "'/a-b/readonly'", "'/other/readonly'"),
            ("grafana.ini", "role_attribute_path = ", "role_attribute_path = 'Viewer' || "),
            ("grafana.ini", "[server]", "no section"),
        )
    ),
    "grafana-pod-bare": tuple(
        kubernetes("Deployment", changed(GRAFANA_POD, f"spec template spec {path}", value), api="apps/v1")
        for path, value in (
            ("automountServiceAccountToken", True),
            ("automountServiceAccountToken", None),
            ("containers 0 image", "grafana/grafana:latest"),
            ("initContainers 0 image", "grafana/grafana"),
            ("containers 0 env", [{"name": "GF_AUTH_ANONYMOUS_ENABLED", "value": "true"}]),
        )
    ),
    "receivers-own-alerts": (
        kubernetes("AlertmanagerConfig", changed(RECEIVERS, "spec route matchers", []), api=MONITORING),
        kubernetes("AlertmanagerConfig", changed(RECEIVERS, "spec route matchers 0 value", "a-dev"), api=MONITORING),
        kubernetes("AlertmanagerConfig", changed(RECEIVERS, "spec route matchers 0 matchType", "=~"), api=MONITORING),
        kubernetes("AlertmanagerConfig", changed(RECEIVERS, "spec inhibitRules", [{}]), api=MONITORING),
        kubernetes(
            "AlertmanagerConfig",
            changed(RECEIVERS, "spec receivers 0 emailConfigs 0 smarthost", "x:25"),
            api=MONITORING,
        ),
        kubernetes(
            "AlertmanagerConfig",
            {
                "metadata": {"namespace": "argocd"},
                "spec": {"route": {"matchers": [{"name": "namespace", "value": "argocd", "matchType": "="}]}},
            },
            api=MONITORING,
        ),
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

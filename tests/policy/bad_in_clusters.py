"""For every policy of one object in a cluster, objects that violate it."""

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
    EGRESS,
    EXTERNAL_SECRETS,
    GRAFANA_POD,
    IMAGES,
    KYVERNO,
    MONITOR,
    MONITORING,
    OUTSIDE,
    RECEIVERS,
    RULE,
    SIGNED_STORE,
    STORE,
    VELERO,
    changed,
    grafana_with,
    kubernetes,
    rbac,
)

_AUTH = "spec provider vault auth"

BAD_IN_CLUSTERS: Mapping[str, tuple[Resource, ...]] = {
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
            ("spec generators 0 git template", {"metadata": {}, "spec": {"destination": {"namespace": "b-dev"}}}),
            ("spec generators 0 git template", Hidden.UNKNOWN),
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
}

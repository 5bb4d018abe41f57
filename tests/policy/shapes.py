"""Functions that make resources for the examples, and resources that several examples vary."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from components.observability.grafana_config import LogIn, configuration
from policy.model import Hidden, Resource
from pulumi_facts.tokens import TENANT
from tests import factories

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
    """Return a resource of a tenant (None: of the foundation), below a component of type `within`."""
    chain = [*([TENANT] if tenant else []), *([within] if within else []), type_]
    full = f"{tenant or 'foundation'}/{name}"
    return Resource(type_, full, f"urn:pulumi:test::usine::{'$'.join(chain)}::{full}", inputs, **more)


def changed(inputs: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a copy with one value changed; `path` has keys and indexes between blanks. None removes the value."""
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


MONITORING = "monitoring.coreos.com/v1"
RULE = {
    "metadata": {"name": "usine", "namespace": "a-b-dev", "labels": {"usine.dev/tenant": "a-b"}},
    "spec": {
        "groups": [
            {
                "name": "x",
                "rules": [
                    {
                        "alert": "X",
                        "expr": 'sum by (pod) (rate(errors_total{namespace="a-b-dev", code=~"5.."}[5m])) > 1',
                        "labels": {"tenant": "a-b", "severity": "warning"},
                        "annotations": {"runbook_url": "https://guide.example.fr/alertes#x"},
                    }
                ],
            }
        ]
    },
}
MONITOR = {"spec": {"selector": {}, "endpoints": [{"port": "metrics"}]}}
RECEIVERS = {
    "spec": {
        "route": {"receiver": "x", "matchers": [{"name": "namespace", "value": "a-b-dev", "matchType": "="}]},
        "receivers": [{"name": "x", "emailConfigs": [{"to": "a@example.fr", "sendResolved": True}]}],
    }
}

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
    "boundClaims": {"namespace_id": Hidden.UNKNOWN, "ref_protected": "true", "pipeline_source": "push,schedule"},
    "tokenPolicies": ["a-b.ci"],
    "tokenTtl": 900,
    "tokenMaxTtl": 3600,
}
SIGNED_ROLE: Mapping[str, Any] = {
    "boundAudiences": ["https://vault"],
    "boundSubject": "system:serviceaccount:a-b-dev:vault",
    "tokenPolicies": ["a-b.env.dev"],
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
APPLICATION_SET = {
    "metadata": {"name": "a-b-dev--deploy", "namespace": "argocd"},
    "spec": {
        "goTemplate": True,
        "goTemplateOptions": ["missingkey=error"],
        "generators": [
            {
                "git": {
                    "repoURL": "https://gitlab.example.fr/tenants/a-b/deploy.git",
                    "revision": "main",
                    "directories": [{"path": "apps/*"}],
                }
            }
        ],
        "syncPolicy": {"preserveResourcesOnDeletion": True},
        "template": {
            "metadata": {"name": "a-b-dev--deploy.{{ .path.basenameNormalized }}"},
            "spec": {
                "project": "a-b-dev",
                "destination": {"server": "https://cluster.example.fr", "namespace": "a-b-dev"},
                "source": {
                    "repoURL": "https://gitlab.example.fr/tenants/a-b/deploy.git",
                    "path": "{{ .path.path }}",
                    "helm": {"releaseName": "{{ .path.basenameNormalized }}"},
                },
            },
        },
    },
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
ADMISSION = "admissionregistration.k8s.io/v1"
EXTERNAL_SECRETS = "external-secrets.io/v1"
ARGOCD = "argoproj.io/v1alpha1"
KYVERNO = "policies.kyverno.io/v1"
IMAGES = {
    "failurePolicy": "Fail",
    "validationActions": ["Deny"],
    "validationConfigurations": {"verifyDigest": True, "mutateDigest": False},
}


def hcl(path: str, *capabilities: str) -> str:
    listed = ", ".join(f'"{c}"' for c in capabilities)
    return f'path "{path}" {{\n  capabilities = [{listed}]\n}}'


def policy_text(*stanzas: str, name: str = "a-b.role.developer", **more: Any) -> Resource:
    return resource(POLICY, {"name": name, "policy": "\n".join(stanzas)}, **more)


_STORE_LOGIN = {"mountPath": "kubernetes/prod-1", "role": "a-b-dev", "serviceAccountRef": {"name": "vault"}}
#: A store of the environment `dev` of the tenant `a-b`.
STORE: Mapping[str, Any] = {
    "spec": {
        "provider": {
            "vault": {"server": "https://vault.example.fr", "path": "a-b", "auth": {"kubernetes": _STORE_LOGIN}}
        }
    }
}


#: The same on a cluster that pulls its objects.
SIGNED_STORE: Mapping[str, Any] = {
    "spec": {
        "provider": {
            "vault": {
                "server": "https://vault.example.fr",
                "path": "a-b",
                "auth": {
                    "jwt": {
                        "path": "kubernetes/c",
                        "role": "a-b-dev",
                        "kubernetesServiceAccountToken": {
                            "serviceAccountRef": {"name": "vault", "audiences": ["https://vault"]}
                        },
                    }
                },
            }
        }
    }
}


#: The configuration and the pod of the Grafana of the tenant `a-b`, as the program writes them.
_A_B = factories.tenant("a-b")
GRAFANA: Mapping[str, Any] = {
    "metadata": {"name": "grafana-a-b", "namespace": "grafana"},
    "data": configuration(_A_B, factories.GRAFANA, LogIn("https://sso.example.fr/realms/usine", authority=False), None),
}
GRAFANA_POD: Mapping[str, Any] = {
    "spec": {
        "template": {
            "spec": {
                "automountServiceAccountToken": False,
                "initContainers": [{"name": "key", "image": factories.GRAFANA.image}],
                "containers": [{"name": "grafana", "image": factories.GRAFANA.image}],
            }
        }
    }
}


def grafana_with(key: str, old: str, new: str) -> dict[str, Any]:
    """Return the configuration with another text in one of its files."""
    text = GRAFANA["data"][key]
    assert old in text, old
    return changed(GRAFANA, f"data {key}", text.replace(old, new))


VELERO = "velero.io/v1"
#: A schedule of backups of the environment `prod` of the tenant `a-b`.
BACKUPS: Mapping[str, Any] = {
    "spec": {
        "useOwnerReferencesInBackup": False,
        "template": {"includedNamespaces": ["a-b-prod"], "excludedNamespaceScopedResources": ["events", "secrets"]},
    }
}


#: A robot of the platform that pulls from a cache of another registry.
PROXY_ROBOT: Mapping[str, Any] = {
    **ROBOT,
    "level": "system",
    "permissions": [
        {"kind": "project", "namespace": "proxy.docker", "accesses": [{"resource": "repository", "action": "pull"}]}
    ],
}

"""The objects in the systems, read with their own APIs, without ids and times: two equal platforms compare equal."""

from __future__ import annotations

import json
import re
from typing import Any

from lab.testing.platforms import TestLab
from model.naming import DOMAIN
from tests.engine import live_forge

REALM = "usine"
_KINDS = {
    "validatingadmissionpolicies": "apis/admissionregistration.k8s.io/v1",
    "validatingadmissionpolicybindings": "apis/admissionregistration.k8s.io/v1",
    "clusterroles": "apis/rbac.authorization.k8s.io/v1",
    "clusterrolebindings": "apis/rbac.authorization.k8s.io/v1",
    "namespaces": "api/v1",
    "resourcequotas": "api/v1",
    "limitranges": "api/v1",
    "serviceaccounts": "api/v1",
    "secrets": "api/v1",
    "networkpolicies": "apis/networking.k8s.io/v1",
    "rolebindings": "apis/rbac.authorization.k8s.io/v1",
    "namespacedimagevalidatingpolicies": "apis/policies.kyverno.io/v1",
    "appprojects": "apis/argoproj.io/v1alpha1",
    "applications": "apis/argoproj.io/v1alpha1",
    "applicationsets": "apis/argoproj.io/v1alpha1",
    "secretstores": "apis/external-secrets.io/v1",
    "externalsecrets": "apis/external-secrets.io/v1",
    "alertmanagerconfigs": "apis/monitoring.coreos.com/v1alpha1",
    **dict.fromkeys(("podmonitors", "prometheusrules", "servicemonitors"), "apis/monitoring.coreos.com/v1"),
    "schedules": "apis/velero.io/v1",
    **dict.fromkeys(("configmaps", "services"), "api/v1"),
    "deployments": "apis/apps/v1",
    "ingresses": "apis/networking.k8s.io/v1",
}


def kubernetes(lab: TestLab) -> dict[str, Any]:
    """Objects Usine manages, by ``kind/namespace/name``: labels, annotations, everything but metadata and status."""
    found: dict[str, Any] = {}
    for kind, api in _KINDS.items():
        query = {"labelSelector": "app.kubernetes.io/managed-by=usine"}
        response = lab.kubernetes.get(f"/{api}/{kind}", params=query)
        response.raise_for_status()
        for item in response.json()["items"]:
            metadata = item["metadata"]
            body = {key: value for key, value in item.items() if key not in {"metadata", "status"}}
            if kind == "secrets":
                body["data"] = sorted(body["data"])  # the values differ each time
            if kind == "deployments":  # a hash of texts with the tenant's slug
                body["spec"]["template"]["metadata"]["annotations"][f"{DOMAIN}/configuration"] = "..."
            if kind == "services":
                body["spec"] = {key: value for key, value in body["spec"].items() if not key.startswith("clusterIP")}
            if kind == "namespacedimagevalidatingpolicies":
                body["spec"]["attestors"] = len(body["spec"]["attestors"])  # each has a version of the tenant's key
            found[f"{kind}/{metadata.get('namespace', '')}/{metadata['name']}"] = {
                "labels": metadata.get("labels", {}),
                "annotations": metadata.get("annotations", {}),
                **body,
            }
    return found


def attestors(lab: TestLab, namespace: str) -> list[dict[str, Any]]:
    """Return the keys that the namespace's admission policy for images trusts."""
    response = lab.kubernetes.get(
        f"/apis/policies.kyverno.io/v1/namespaces/{namespace}/namespacedimagevalidatingpolicies/usine-signed-images"
    )
    found: list[dict[str, Any]] = response.raise_for_status().json()["spec"]["attestors"]
    return found


def keycloak(lab: TestLab) -> dict[str, Any]:
    """The realm's groups by path with their members, our clients with their redirect URIs, and the accounts."""
    admin = lab.keycloak
    if REALM not in {realm["realm"] for realm in admin.get_realms()}:
        return {}
    admin.connection.realm_name = REALM
    try:
        groups: dict[str, Any] = {}

        def walk(group: dict[str, Any]) -> None:
            members = admin.get_group_members(group["id"], query={"max": 1000})
            groups[group["path"]] = {
                "members": sorted(member["username"] for member in members),
                "attributes": admin.get_group(group["id"])["attributes"],
            }
            for child in admin.get_group_children(group["id"], query={"max": 1000}):
                walk(child)

        for group in admin.get_groups(query={"max": 1000}, full_hierarchy=False):
            walk(group)
        clients = {
            client["clientId"]: [
                sorted(client["redirectUris"]),
                client["publicClient"],
                sorted(client["defaultClientScopes"]),
            ]
            for client in admin.get_clients()
        }
        users = sorted(user["username"] for user in admin.get_users({"max": 1000}))
        return {"groups": groups, "clients": clients, "users": users}
    finally:
        admin.connection.realm_name = "master"


def vault(lab: TestLab) -> dict[str, Any]:
    """Mounts, auth back ends, policies, groups with their aliases, and the roles of the auth back ends."""
    client = lab.vault
    mounts = {path: m["options"] for path, m in client.sys.list_mounted_secrets_engines()["data"].items()}
    auths = {path: m["type"] for path, m in client.sys.list_auth_methods()["data"].items()}
    policies = {
        name: client.sys.read_acl_policy(name)["data"]["policy"]
        for name in client.sys.list_acl_policies()["data"]["keys"]
        if name not in {"default", "root"}
    }
    groups = {}
    listed = client.list("identity/group/name")
    for name in listed["data"]["keys"] if listed else ():
        group = client.read(f"identity/group/name/{name}")["data"]
        groups[name] = [group["policies"], group["metadata"], (group.get("alias") or {}).get("name")]
    roles = {}
    for path in auths:
        listed = client.list(f"auth/{path}role") if path != "token/" else None
        for role in listed["data"]["keys"] if listed else ():
            roles[f"{path}{role}"] = _without_ids(client.read(f"auth/{path}role/{role}")["data"])
    return {"mounts": mounts, "auth": auths, "policies": policies, "groups": groups, "roles": roles}


def _without_ids(role: dict[str, Any]) -> dict[str, Any]:
    """Remove the ids of GitLab's groups and projects from a role of pipelines: they change when these are recreated."""
    claims = role.get("bound_claims") or {}
    ids = {"namespace_id", "project_id"}
    return {**role, "bound_claims": {name: "*" if name in ids else value for name, value in claims.items()}}


def snapshot(lab: TestLab) -> dict[str, Any]:
    return {
        "kubernetes": kubernetes(lab),
        "keycloak": keycloak(lab),
        "vault": vault(lab),
        "gitlab": live_forge.gitlab(lab),
        "harbor": live_forge.harbor(lab),
        "sonarqube": live_forge.sonarqube(lab),
    }


def of_tenant(snapshot: dict[str, Any], slug: str) -> Any:
    """Return the objects of one tenant in a snapshot, with a placeholder for its slug."""
    found: dict[str, Any] = {}
    word = re.compile(rf"\b{slug}\b")  # not within another word, as in v1alpha1

    def walk(path: str, value: Any) -> None:
        for name, inner in value.items():
            if word.search(name):
                found[f"{path}/{name}"] = inner
            elif isinstance(inner, dict):
                walk(f"{path}/{name}", inner)
            elif isinstance(inner, list) and (mine := [item for item in inner if word.search(str(item))]):
                found[f"{path}/{name}"] = mine

    walk("", snapshot)
    return json.loads(word.sub("SLUG", json.dumps(found, sort_keys=True)))

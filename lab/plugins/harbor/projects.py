"""Projects, their members by group, and their webhooks."""

from __future__ import annotations

import contextlib
from typing import Final

from lab.plugins.bridge import Resource
from lab.plugins.harbor.client import ApiError, Harbor, full, in_project
from lab.plugins.planning import Data
from lab.plugins.schema import resource
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties, Value

GIBIBYTE: Final = 1024**3

# -- projects ----------------------------------------------------------------------------------------------------------

_SEVERITIES: Final = ("none", "low", "medium", "high", "critical")


def _severity(value: Value) -> str | None:
    if value in _SEVERITIES:
        return None
    return f'"deployment_security" must be one of [{", ".join(_SEVERITIES)}], got {value}'


PROJECT: Final = resource("harbor:index/project:Project", autoname=("name",)).tuned(
    default={
        "public": False, "vulnerabilityScanning": True, "storageQuota": -1, "enableContentTrust": False,
        "enableContentTrustCosign": False, "forceDestroy": False, "autoSbomGeneration": False,
    },
    validate={"deploymentSecurity": _severity},
)  # fmt: skip


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _project_body(data: Data) -> Properties:
    quota = data.get("storageQuota")
    security, exempt = data.get("deploymentSecurity"), data.get("cveAllowlists")
    metadata = {
        "auto_scan": _flag(data.get("vulnerabilityScanning")),
        "public": _flag(data.get("public")),
        "severity": security or "low",
        "prevent_vul": _flag(bool(security)),
        "enable_content_trust": _flag(data.get("enableContentTrust")),
        "enable_content_trust_cosign": _flag(data.get("enableContentTrustCosign")),
        "auto_sbom_generation": _flag(data.get("autoSbomGeneration")),
        "reuse_sys_cve_allowlist": _flag(not exempt),
    }
    body = full(
        {
            "project_name": data.get("name"),
            "registry_id": data.get("registryId"),
            "storage_limit": quota if quota == -1 else quota * GIBIBYTE,
        }
    )
    allowlist = {"items": [{"cve_id": name} for name in exempt]} if exempt else {}
    return {**body, "cve_allowlist": allowlist, "metadata": metadata}


def _create_project(data: Data, harbor: Harbor) -> None:
    body = _project_body(data)
    data.id, _ = harbor.post("/projects", body)
    if data.get("cveAllowlists"):
        harbor.put(data.id, body)
    _read_project(data, harbor)


def _read_project(data: Data, harbor: Harbor) -> None:
    try:
        project = harbor.get(data.id)
    except ApiError as error:
        if not error.missing:
            raise
        data.id = ""
        return
    metadata = project.get("metadata") or {}

    def flag(name: str) -> bool:
        return str(metadata.get(name) or "false").lower() in ("true", "1", "t")

    severity = str(metadata.get("severity") or "")
    # What the two settings say together, as upstream reads them.
    unfit = flag("prevent_vul") if severity == "none" else not flag("prevent_vul")
    data.set("deploymentSecurity", "" if unfit else severity)
    data.set("name", project["name"])
    data.set("projectId", project["project_id"])
    data.set("registryId", project.get("registry_id"))
    data.set("public", flag("public"))
    data.set("vulnerabilityScanning", flag("auto_scan"))
    data.set("enableContentTrust", flag("enable_content_trust"))
    data.set("enableContentTrustCosign", flag("enable_content_trust_cosign"))
    data.set("autoSbomGeneration", flag("auto_sbom_generation"))
    items = (project.get("cve_allowlist") or {}).get("items") or []
    data.set("cveAllowlists", [item["cve_id"] for item in items])


def _update_project(data: Data, harbor: Harbor) -> None:
    harbor.put(data.id, _project_body(data))
    if data.changed("storageQuota"):
        _update_quota(data, harbor)
    _read_project(data, harbor)


def _update_quota(data: Data, harbor: Harbor) -> None:
    """Change the quota. Upstream says nothing when this fails, and the state then claims what is not so."""
    quota = data.get("storageQuota")
    storage = quota * GIBIBYTE if quota > 0 else quota
    number = data.id.replace("/projects/", "")
    try:
        if not harbor.get("/configurations")["quota_per_project_enable"]["value"]:
            return
        for found in harbor.pages("/quotas/", 100):
            if str(found["ref"]["id"]) == number:
                harbor.put(f"/quotas/{found['id']}", {"hard": {"storage": storage}})
    except ApiError:
        return


def _delete_project(data: Data, harbor: Harbor) -> None:
    name = data.get("name")
    try:
        repositories = harbor.pages(f"/projects/{name}/repositories", 100)
    except ApiError:
        if data.get("forceDestroy"):
            raise
        repositories = []
    if repositories and not data.get("forceDestroy"):
        raise PluginError(f"project {name} is not empty, please set force_destroy to TRUE to clean all repositories")
    for repository in repositories:
        short = repository["name"].removeprefix(f"{name}/").replace("/", "%252F")
        harbor.delete(f"/projects/{name}/repositories/{short}")
    try:
        harbor.delete(data.id)
    except ApiError as error:
        if not error.missing:
            raise


# -- members -----------------------------------------------------------------------------------------------------------

ROLES: Final = {"projectadmin": 1, "developer": 2, "guest": 3, "maintainer": 4, "limitedguest": 5}
_GROUP_TYPES: Final = {"ldap": 1, "internal": 2, "oidc": 3}
_ROLE_NAMES: Final = {number: name for name, number in ROLES.items()}


def _role_name(number: int) -> str:
    """Return what the provider calls a role; empty for one it does not know."""
    return _ROLE_NAMES.get(number, "")


def _role(value: Value) -> str | None:
    known = ["projectadmin", "developer", "guest", "maintainer", "limitedguest"]
    return None if value in known else f'"role" must be one of [{" ".join(known)}], got: {value}'


def _group_type(value: Value) -> str | None:
    return None if value in _GROUP_TYPES else f'"type" must be either ldap, internal or oidc, got: {value}'


MEMBER: Final = resource("harbor:index/projectMemberGroup:ProjectMemberGroup").tuned(
    validate={"role": _role, "type": _group_type}
)


def _member_body(data: Data) -> Properties:
    group = {
        "group_type": _GROUP_TYPES.get(data.get("type"), 0),
        "group_name": data.get("groupName"),
        "id": data.get("groupId"),
        "ldap_group_dn": data.get("ldapGroupDn"),
    }
    return {**full({"role_id": ROLES.get(data.get("role"), 0)}), "member_group": full(group), "member_user": {}}


def _create_member(data: Data, harbor: Harbor) -> None:
    data.id, _ = harbor.post(f"{in_project(data.get('projectId'))}/members", _member_body(data))
    _read_member(data, harbor)


def _read_member(data: Data, harbor: Harbor) -> None:
    try:
        member = harbor.get(data.id)
    except ApiError as error:
        if not error.missing:
            raise PluginError(f"resource not found {data.id}") from None
        data.id = ""
        return
    data.set("role", _role_name(member["role_id"]))
    data.set("projectId", in_project(str(member["project_id"])))
    data.set("groupName", member["entity_name"])


def _update_member(data: Data, harbor: Harbor) -> None:
    with contextlib.suppress(ApiError):  # upstream only prints it: what is read back then shows the change again
        harbor.put(data.id, _member_body(data))
    _read_member(data, harbor)


def _delete_member(data: Data, harbor: Harbor) -> None:
    try:
        harbor.delete(data.id)
    except ApiError as error:
        if not error.missing:
            raise


# -- webhooks ----------------------------------------------------------------------------------------------------------

WEBHOOK: Final = resource("harbor:index/projectWebhook:ProjectWebhook", autoname=("name",)).tuned(
    default={"description": "", "enabled": True, "skipCertVerify": True}
)


def _webhook_body(data: Data) -> Properties:
    target = {
        "type": data.get("notifyType"),
        "auth_header": data.get("authHeader"),
        "skip_cert_verify": data.get("skipCertVerify"),
        "address": data.get("address"),
    }
    return {
        "name": data.get("name"),
        "description": data.get("description"),
        "enabled": data.get("enabled"),
        "event_types": data.get("eventsTypes"),
        "targets": [target],
    }


def _create_webhook(data: Data, harbor: Harbor) -> None:
    data.id, _ = harbor.post(f"{data.get('projectId')}/webhook/policies", _webhook_body(data))
    _read_webhook(data, harbor)


def _read_webhook(data: Data, harbor: Harbor) -> None:
    # Upstream takes a policy that is gone for an error, and leaves events and project as they were.
    try:
        policy = harbor.get(data.id)
    except ApiError as error:
        raise PluginError(f"Resource not found {'' if error.missing else data.id}") from None
    target = policy["targets"][0]
    data.set("name", policy.get("name"))
    data.set("description", policy.get("description"))
    data.set("enabled", policy.get("enabled"))
    data.set("notifyType", target.get("type"))
    data.set("address", target.get("address"))
    data.set("authHeader", target.get("auth_header"))
    data.set("skipCertVerify", target.get("skip_cert_verify"))


def _update_webhook(data: Data, harbor: Harbor) -> None:
    harbor.put(data.id, _webhook_body(data))
    _read_webhook(data, harbor)


def _delete(data: Data, harbor: Harbor) -> None:
    harbor.delete(data.id)


RESOURCES: Final = {
    item.shape.token: item
    for item in (
        Resource(PROJECT, _create_project, _read_project, _update_project, _delete_project),
        Resource(MEMBER, _create_member, _read_member, _update_member, _delete_member),
        Resource(WEBHOOK, _create_webhook, _read_webhook, _update_webhook, _delete),
    )
}

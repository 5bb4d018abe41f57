"""Projects, their member groups, and their webhooks."""

from __future__ import annotations

import contextlib
from typing import Final

from lab.plugins.fields import fields, take
from lab.plugins.harbor.client import HarborApiError, HarborPluginClient, full, in_project
from lab.plugins.harbor.items import HarborItem
from lab.plugins.items import table
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


#: Properties that are texts in a project's metadata.
_FLAGS: Final = fields("public", "autoSbomGeneration", vulnerabilityScanning="auto_scan")


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _update_quota(data: Data, harbor: HarborPluginClient) -> None:
    """Update the quota. Like upstream, it ignores failures, after which the state is wrong."""
    quota = data.get("storageQuota")
    storage = quota * GIBIBYTE if quota > 0 else quota
    number = data.id.replace("/projects/", "")
    try:
        if not harbor.get("/configurations")["quota_per_project_enable"]["value"]:
            return
        for found in harbor.pages("/quotas/", 100):
            if str(found["ref"]["id"]) == number:
                harbor.put(f"/quotas/{found['id']}", {"hard": {"storage": storage}})
    except HarborApiError:
        return


class _HarborProject(HarborItem):
    def body(self, data: Data) -> Properties:
        quota = data.get("storageQuota")
        security = data.get("deploymentSecurity")
        metadata = {
            **{field: _flag(data.get(name)) for name, field in _FLAGS.items()},
            "severity": security or "low",
            "prevent_vul": _flag(bool(security)),
            "reuse_sys_cve_allowlist": "true",
        }
        body = full(
            {
                "project_name": data.get("name"),
                "registry_id": data.get("registryId"),
                "storage_limit": quota if quota == -1 else quota * GIBIBYTE,
            }
        )
        return {**body, "cve_allowlist": {}, "metadata": metadata}

    def take(self, data: Data, found: Properties, harbor: HarborPluginClient) -> None:
        super().take(data, found, harbor)
        metadata = found.get("metadata") or {}

        def flag(name: str) -> bool:
            return str(metadata.get(name) or "false").lower() in ("true", "1", "t")

        severity = str(metadata.get("severity") or "")
        # Upstream combines two settings in this way.
        unfit = flag("prevent_vul") if severity == "none" else not flag("prevent_vul")
        data.set("deploymentSecurity", "" if unfit else severity)
        for name, field in _FLAGS.items():
            data.set(name, flag(field))

    def update(self, data: Data, harbor: HarborPluginClient) -> None:
        """Update the project; its quota is a separate object."""
        harbor.put(data.id, self.body(data))
        if data.changed("storageQuota"):
            _update_quota(data, harbor)
        self.read(data, harbor)

    def delete(self, data: Data, harbor: HarborPluginClient) -> None:
        """Delete it, with its repositories if the program requests it."""
        name = data.get("name")
        try:
            repositories = harbor.pages(f"/projects/{name}/repositories", 100)
        except HarborApiError:
            if data.get("forceDestroy"):
                raise
            repositories = []
        if repositories and not data.get("forceDestroy"):
            raise PluginError(
                f"project {name} is not empty, please set force_destroy to TRUE to clean all repositories"
            )
        for repository in repositories:
            short = repository["name"].removeprefix(f"{name}/").replace("/", "%252F")
            harbor.delete(f"/projects/{name}/repositories/{short}")
        super().delete(data, harbor)


_PROJECT: Final = _HarborProject(
    shape=resource("harbor:index/project:Project", autoname=("name",)).tuned(
        default={
            "public": False,
            "vulnerabilityScanning": True,
            "storageQuota": -1,
            "forceDestroy": False,
            "autoSbomGeneration": False,
        },
        validate={"deploymentSecurity": _severity},
    ),
    collection="/projects",
    read_back=fields("name", "projectId", "registryId"),
)

# -- members -----------------------------------------------------------------------------------------------------------

ROLES: Final = {"projectadmin": 1, "developer": 2, "guest": 3, "maintainer": 4, "limitedguest": 5}
_GROUP_TYPES: Final = {"ldap": 1, "internal": 2, "oidc": 3}
_ROLE_NAMES: Final = {number: name for name, number in ROLES.items()}


def _role(value: Value) -> str | None:
    known = ["projectadmin", "developer", "guest", "maintainer", "limitedguest"]
    return None if value in known else f'"role" must be one of [{" ".join(known)}], got: {value}'


def _group_type(value: Value) -> str | None:
    return None if value in _GROUP_TYPES else f'"type" must be either ldap, internal or oidc, got: {value}'


class _Member(HarborItem):
    def body(self, data: Data) -> Properties:
        group = {
            "group_type": _GROUP_TYPES.get(data.get("type"), 0),
            "group_name": data.get("groupName"),
        }
        return {**full({"role_id": ROLES.get(data.get("role"), 0)}), "member_group": full(group), "member_user": {}}

    def take(self, data: Data, found: Properties, harbor: HarborPluginClient) -> None:
        super().take(data, found, harbor)
        data.set("role", _ROLE_NAMES.get(found["role_id"], ""))
        data.set("projectId", in_project(str(found["project_id"])))

    def update(self, data: Data, harbor: HarborPluginClient) -> None:
        """Update the member. Like upstream, it ignores a refusal, so the next diff shows the change again."""
        with contextlib.suppress(HarborApiError):
            harbor.put(data.id, self.body(data))
        self.read(data, harbor)


_MEMBER: Final = _Member(
    shape=resource("harbor:index/projectMemberGroup:ProjectMemberGroup").tuned(
        validate={"role": _role, "type": _group_type}
    ),
    collection="/members",
    project="projectId",
    read_back=fields(groupName="entity_name"),
    vague=True,
)

# -- webhooks ----------------------------------------------------------------------------------------------------------


class _Webhook(HarborItem):
    def find(self, data: Data, harbor: HarborPluginClient) -> Properties:
        """Return the webhook; it is an error if it is gone, as in upstream."""
        try:
            found: Properties = harbor.get(data.id)
        except HarborApiError as error:
            raise PluginError(f"Resource not found {'' if error.missing else data.id}") from None
        return found

    def take(self, data: Data, found: Properties, harbor: HarborPluginClient) -> None:
        # Upstream does not read events and project.
        super().take(data, found, harbor)
        take(data, fields("authHeader", "skipCertVerify", "address", notifyType="type"), found["targets"][0])


_WEBHOOK: Final = _Webhook(
    shape=resource("harbor:index/projectWebhook:ProjectWebhook", autoname=("name",)).tuned(
        default={"description": "", "enabled": True, "skipCertVerify": True}
    ),
    collection="/webhook/policies",
    read_back=fields("name", "description", "enabled"),
    may_be_gone=False,
    adopted=True,
)

RESOURCES: Final = table(_PROJECT, _MEMBER, _WEBHOOK)

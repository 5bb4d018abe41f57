"""Inventory of Harbor: projects with their content, robots of the whole registry, replication, administrators."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from model.reserved import platform_names
from model.settings import System
from usine.clients import ClientError, Connections
from usine.clients.base import Json
from usine.drift.inventory.base import Found, InventoryScan, InventoryScope, Managed

_PROJECT: Final = "harbor:index/project:Project"
_ROBOT: Final = "harbor:index/robotAccount:RobotAccount"
_MEMBER_GROUP: Final = "harbor:index/projectMemberGroup:ProjectMemberGroup"
_MEMBER_USER: Final = "harbor:index/projectMemberUser:ProjectMemberUser"
_IMMUTABLE: Final = "harbor:index/immutableTagRule:ImmutableTagRule"
_RETENTION: Final = "harbor:index/retentionPolicy:RetentionPolicy"
_WEBHOOK: Final = "harbor:index/projectWebhook:ProjectWebhook"
_LABEL: Final = "harbor:index/label:Label"
_REGISTRY: Final = "harbor:index/registry:Registry"
_REPLICATION: Final = "harbor:index/replication:Replication"
_GIB: Final = 1024**3
#: The administrator that every installation has from the start.
_FIRST_USER: Final = 1


class HarborInventory:
    """Lists the objects of the registry. An object's id is its path in the API."""

    def __init__(self, scope: InventoryScope, connections: Connections) -> None:
        """Prepare the client; nothing is sent yet."""
        self._scope = scope
        self._client = connections.harbor()

    def scans(self) -> Iterable[InventoryScan]:
        """See `SystemInventory`."""
        for project in self._scope.every(_PROJECT):
            for take in (self._members, self._robots, self._rules, self._webhooks, self._labels, self._quota):
                yield InventoryScan((project.tenant,), partial(take, project))
        for policy in self._scope.every(_RETENTION):
            yield InventoryScan((policy.tenant,), partial(self._deleted_retention, policy))
        yield InventoryScan(self._scope.everyone, self._projects)
        if self._scope.foundation:
            for whole in (self._system_robots, self._system_labels, self._registries, self._replications, self._admins):
                yield InventoryScan((None,), whole)

    def _pages(self, path: str, of: Managed | None = None, **query: str) -> Iterator[Json]:
        owner = of.id.lstrip("/") if of else None
        return self._client.pages(path.lstrip("/"), of=owner, **query)

    def _projects(self) -> Iterator[Found]:
        """Projects, without Harbor's own one and the platform's, which has the image of its tools."""
        settings = self._scope.settings
        host, _, rest = (settings.gitlab.tools_image or "").partition("/")
        tools = rest.partition("/")[0] if host == settings.registry_host else settings.gitlab.platform
        own = platform_names(settings)["Harbor project"] | {tools}
        for project in self._pages("projects"):
            name, path = project["name"], f"/projects/{project['project_id']}"
            if name in own or self._scope.knows(_PROJECT, path):
                continue
            public = (project.get("metadata") or {}).get("public") == "true"
            yield self._found(
                name if name in self._scope.slugs else None,
                _PROJECT,
                name,
                import_id=path,
                detail=f"a {'public' if public else 'private'} project of {project.get('repo_count', 0)} repositories",
            )

    # In a project -------------------------------------------------------------------------------------------------

    def _members(self, project: Managed) -> Iterator[Found]:
        """Members, without the creator of the project, whom Harbor makes its administrator."""
        found = self._client.get(project.id.lstrip("/"))
        if found is None:
            return  # a missing object is another finding
        for member in self._pages(f"{project.id}/members", project):
            group = member["entity_type"] == "g"
            if not group and member["entity_name"] == found.get("owner_name"):
                continue
            yield from self._unless_known(
                project.tenant,
                _MEMBER_GROUP if group else _MEMBER_USER,
                f"{found['name']}: {member['entity_name']}",
                import_id=f"{project.id}/members/{member['id']}",
                detail=f"a {'group' if group else 'person'} with the role {member['role_name']}",
                importable=group,
            )

    def _robots(self, project: Managed) -> Iterator[Found]:
        number = project.id.rpartition("/")[2]
        for robot in self._pages("robots", project, q=f"Level=project,ProjectID={number}"):
            yield from self._robot(robot, project.tenant)

    def _robot(self, robot: Json, tenant: str | None) -> Iterator[Found]:
        rights = sorted(
            f"{access['action']} {access['resource']} of {grant['namespace'] or grant['kind']}"
            for grant in robot["permissions"]
            for access in grant["access"]
        )
        yield from self._unless_known(
            tenant,
            _ROBOT,
            f"robot: {robot['name']}",
            import_id=f"/robots/{robot['id']}",
            detail=("disabled; " if robot.get("disable") else "") + _shortened(rights),
        )

    def _rules(self, project: Managed) -> Iterator[Found]:
        name = str(project.inputs.get("name") or project.id)
        for rule in self._pages(f"{project.id}/immutabletagrules", project):
            patterns = ", ".join(selector["pattern"] for selector in rule.get("tag_selectors") or ())
            yield from self._unless_known(
                project.tenant,
                _IMMUTABLE,
                f"{name}: immutable {patterns} (#{rule['id']})",
                import_id=f"{project.id}/immutabletagrules/{rule['id']}",
                detail="these tags cannot be deleted or overwritten" + (", disabled" if rule.get("disabled") else ""),
            )
        if project.inputs.get("registryId"):
            return  # Harbor itself creates the retention of a proxy cache, with the project.
        retention = ((self._client.get(project.id.lstrip("/")) or {}).get("metadata") or {}).get("retention_id")
        if retention:
            yield from self._unless_known(
                project.tenant,
                _RETENTION,
                f"{name}: retention",
                import_id=f"/retentions/{retention}",
                detail="defines which images are deleted",
                # Harbor keeps the id of a deleted policy, and then refuses a new one (goharbor/harbor#18198).
                then=f", then DELETE /api/v2.0{project.id}/metadatas/retention_id",
            )

    def _deleted_retention(self, policy: Managed) -> Iterator[Found]:
        """Explain the error for a deleted policy: Harbor answers 500, and its plugin fails."""
        try:
            self._client.get(policy.id.lstrip("/"))
        except ClientError as error:
            if error.status != HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            text = f"{error}, its answer for a retention policy that was deleted: see docs/drift.md"
            raise ClientError(text) from None
        yield from ()

    def _webhooks(self, project: Managed) -> Iterator[Found]:
        name = str(project.inputs.get("name") or project.id)
        for policy in self._pages(f"{project.id}/webhook/policies", project):
            hosts = sorted({str(urlsplit(target["address"]).hostname) for target in policy.get("targets") or ()})
            yield from self._unless_known(
                project.tenant,
                _WEBHOOK,
                f"{name}: webhook {policy['name']}",
                import_id=f"{project.id}/webhook/policies/{policy['id']}",
                detail=f"calls {', '.join(hosts) or 'no server'}",
            )

    def _labels(self, project: Managed) -> Iterator[Found]:
        name = str(project.inputs.get("name") or project.id)
        for label in self._pages("labels", project, scope="p", project_id=project.id.rpartition("/")[2]):
            yield from self._label(label, project.tenant, f"{name}: label {label['name']}")

    def _label(self, label: Json, tenant: str | None, name: str) -> Iterator[Found]:
        yield from self._unless_known(tenant, _LABEL, name, import_id=f"/labels/{label['id']}", detail="a label")

    def _quota(self, project: Managed) -> Iterator[Found]:
        """The storage quota, which the plugin writes and never reads back (harbor 3.10.21)."""
        name, wanted = str(project.inputs.get("name") or project.id), project.inputs.get("storageQuota")
        number = project.id.rpartition("/")[2]
        for quota in self._pages("quotas", reference="project", reference_id=number):
            limit = int((quota.get("hard") or {}).get("storage", -1))
            expected = int(wanted) * _GIB if wanted is not None and int(wanted) > 0 else -1
            if str((quota.get("ref") or {}).get("id")) == number and limit != expected:
                yield Found(
                    System.HARBOR.value,
                    project.tenant,
                    "harbor:index/quota:Quota",
                    f"{name}: storage quota",
                    "harbor",
                    detail=f"{_storage(limit)}, where the file says {_storage(expected)}",
                    removal=f'PUT /api/v2.0/quotas/{quota["id"]} {{"hard": {{"storage": {expected}}}}}',
                )

    # In the whole registry ----------------------------------------------------------------------------------------

    def _system_robots(self) -> Iterator[Found]:
        for robot in self._pages("robots", q="Level=system"):
            yield from self._robot(robot, None)

    def _system_labels(self) -> Iterator[Found]:
        for label in self._pages("labels", scope="g"):
            yield from self._label(label, None, f"label {label['name']}")

    def _registries(self) -> Iterator[Found]:
        for registry in self._pages("registries"):
            yield from self._unless_known(
                None,
                _REGISTRY,
                f"registry: {registry['name']}",
                import_id=f"/registries/{registry['id']}",
                detail=f"images can come from and go to {urlsplit(registry['url']).hostname}",
            )

    def _replications(self) -> Iterator[Found]:
        for policy in self._pages("replication/policies"):
            yield from self._unless_known(
                None,
                _REPLICATION,
                f"replication: {policy['name']}",
                import_id=f"/replication/policies/{policy['id']}",
                detail="copies images" + ("" if policy.get("enabled") else ", switched off"),
                importable=False,
            )

    def _admins(self) -> Iterator[Found]:
        """Administrators, without the first account and those that the settings' group makes administrators."""
        for user in self._pages("users"):
            if user.get("sysadmin_flag") and user["user_id"] != _FIRST_USER:
                yield Found(
                    System.HARBOR.value,
                    None,
                    "harbor:index/user:User",
                    f"administrator: {user['username']}",
                    "harbor",
                    detail="a person made an administrator of the whole registry",
                    removal=f'PUT /api/v2.0/users/{user["user_id"]}/sysadmin {{"sysadmin_flag": false}}',
                )

    def _unless_known(
        self,
        tenant: str | None,
        type_: str,
        name: str,
        *,
        import_id: str,
        detail: str,
        importable: bool = True,
        then: str = "",
    ) -> Iterator[Found]:
        if not self._scope.knows(type_, import_id):
            found = self._found(tenant, type_, name, import_id=import_id, detail=detail, importable=importable)
            yield replace(found, removal=found.removal + then)

    @staticmethod
    def _found(
        tenant: str | None, type_: str, name: str, *, import_id: str, detail: str, importable: bool = True
    ) -> Found:
        removal = f"DELETE /api/v2.0{import_id}"
        return Found(
            System.HARBOR.value, tenant, type_, name, "harbor", import_id if importable else None, detail, removal
        )


def _storage(limit: int) -> str:
    return "without a limit" if limit < 0 else f"{limit / _GIB:g} GiB"


def _shortened(words: list[str], most: int = 4) -> str:
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return f"may {', '.join(words[:most])}{more}" if words else "may do nothing"

"""Inventory of GitLab: the content of the platform's and the tenants' groups and projects, and accounts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property, partial
from typing import Final
from urllib.parse import quote

from model.naming import TenantNames
from model.settings import Edition, PeopleSource, System
from usine.clients.base import Json
from usine.clients.connections import Connections
from usine.drift.inventory.base import Found, InventoryScan, InventoryScope, Managed
from usine.drift.inventory.gitlab_kinds import (
    GROUP_KINDS,
    PREMIUM_GROUP_KINDS,
    PREMIUM_PROJECT_KINDS,
    PROJECT_KINDS,
    GitLabKind,
    GitLabPlace,
    level,
)

_GROUP: Final = "gitlab:index/group:Group"
_PROJECT: Final = "gitlab:index/project:Project"
_USER: Final = "gitlab:index/user:User"
_SCHEDULE: Final = "gitlab:index/pipelineSchedule:PipelineSchedule"
_SCHEDULE_VARIABLE: Final = "gitlab:index/pipelineScheduleVariable:PipelineScheduleVariable"
#: The administrator that every installation has from the start.
_FIRST_USER: Final = 1


class GitLabInventory:
    """Scans every managed group and project. An unmanaged one is a single finding, without its content."""

    def __init__(self, scope: InventoryScope, connections: Connections) -> None:
        """Prepare the client; nothing is sent yet."""
        self._scope = scope
        self._settings = scope.settings.gitlab
        self._client = connections.gitlab()
        premium = self._settings.edition is Edition.PREMIUM
        self._group_kinds = (*GROUP_KINDS, *(PREMIUM_GROUP_KINDS if premium else ()))
        self._project_kinds = (*PROJECT_KINDS, *(PREMIUM_PROJECT_KINDS if premium else ()))

    def scans(self) -> Iterable[InventoryScan]:
        """See `SystemInventory`."""
        for group in self._scope.every(_GROUP):
            yield InventoryScan((group.tenant,), partial(self._group, self._place("groups", group)))
        for project in self._scope.every(_PROJECT):
            yield InventoryScan((project.tenant,), partial(self._project, self._place("projects", project)))
        for schedule in self._scope.every(_SCHEDULE):
            yield InventoryScan((schedule.tenant,), partial(self._schedule_variables, schedule))
        for slug in sorted(self._scope.tenants):
            if not self._scope.of(_GROUP, slug):
                yield InventoryScan((slug,), partial(self._taken_path, slug))
        if self._scope.foundation and self._settings.people is PeopleSource.MANAGED:
            yield InventoryScan((None,), self._accounts)

    @cached_property
    def _account(self) -> int:
        """The platform's own account, which GitLab makes an owner of every group that it creates."""
        return int(self._client.get("user")["id"])

    @cached_property
    def _shared_runners(self) -> frozenset[int]:
        """The runners of the tenants' root group. GitLab lists them in each group below it too."""
        root = f"groups/{quote(self._settings.root, safe='')}"
        return frozenset(int(runner["id"]) for runner in self._client.pages(f"{root}/runners", of=root))

    @cached_property
    def _inside(self) -> Mapping[str, frozenset[str]]:
        """The resource types of the state, by the project that the resources are in."""
        types: dict[str, set[str]] = {}
        for resource in self._scope.resources:
            if project := resource.inputs.get("project"):
                types.setdefault(str(project), set()).add(resource.type)
        return {project: frozenset(found) for project, found in types.items()}

    @cached_property
    def _paths(self) -> Mapping[str, str]:
        """The full paths of managed projects, by id."""
        return {project.id: _path(project) for project in self._scope.every(_PROJECT)}

    def _place(self, kind: str, managed: Managed) -> GitLabPlace:
        return GitLabPlace(
            kind,
            managed.id,
            _path(managed),
            managed.tenant,
            managed.outputs.get("defaultBranch"),
            self._inside.get(managed.id, frozenset()),
        )

    # Groups and projects ------------------------------------------------------------------------------------------

    def _group(self, place: GitLabPlace) -> Iterator[Found]:
        path = f"groups/{place.id}"
        group = self._client.get(path, with_projects="false")
        if group is None:
            return  # a missing object is another finding
        yield from self._kinds(place, self._group_kinds)
        yield from self._shares(place, group, "gitlab:index/groupShareGroup:GroupShareGroup")
        for subgroup in self._client.pages(f"{path}/subgroups", of=path, all_available="true"):
            yield from self._unknown_group(subgroup, place.tenant)
        below = {"include_subgroups": "false", "with_shared": "false"}
        for project in self._client.pages(f"{path}/projects", of=path, **below):
            if self._scope.knows(_PROJECT, str(project["id"])) or _leaving(project):
                continue
            name = project["path_with_namespace"]
            yield self._found(
                self._scheduled_for(name) or place.tenant,
                _PROJECT,
                name,
                import_id=str(project["id"]),
                detail=f"a project, {project['visibility']}",
                removal=f"DELETE /api/v4/projects/{project['id']}",
            )

    def _scheduled_for(self, path: str) -> str | None:
        """Return the tenant of a project of scheduled work, which is in a group of the platform."""
        slug = path.rpartition("/")[2]
        ours = TenantNames(slug).operations_path(self._settings.platform) == path
        return slug if ours and slug in self._scope.slugs else None

    def _unknown_group(self, group: Json, parents: str | None) -> Iterator[Found]:
        """Yield a group that is not in the state. Below the tenants' root, its path names its tenant."""
        path = str(group["full_path"])
        within = path.removeprefix(f"{self._settings.root}/") if parents is None else ""
        tenant = within if within in self._scope.slugs else parents
        # A group with a pending deletion counts as deleted.
        if not self._scope.knows(_GROUP, str(group["id"])) and not _leaving(group):
            yield self._found(
                tenant,
                _GROUP,
                path,
                import_id=str(group["id"]),
                detail=f"a group, {group['visibility']}",
                removal=f"DELETE /api/v4/groups/{group['id']}",
            )

    def _taken_path(self, slug: str) -> Iterator[Found]:
        """Yield a group at the path where the tenant's group will be."""
        path = TenantNames(slug).forge_group(self._settings.root)
        group = self._client.get(f"groups/{quote(path, safe='')}", with_projects="false")
        if group is not None:
            yield from self._unknown_group(group, slug)

    def _project(self, place: GitLabPlace) -> Iterator[Found]:
        project = self._client.get(f"projects/{place.id}")
        if project is None:
            return
        yield from self._kinds(place, self._project_kinds)
        yield from self._shares(place, project, "gitlab:index/projectShareGroup:ProjectShareGroup")

    # Objects of groups and projects -----------------------------------------------------------------------------------

    def _kinds(self, place: GitLabPlace, kinds: Iterable[GitLabKind]) -> Iterator[Found]:
        for kind in kinds:
            of = f"{place.kind}/{place.id}"
            for item in self._client.pages(f"{of}/{kind.path}", of=of, **kind.query):
                id_ = kind.id(place, item)
                ours = kind.own(item, place) or (kind.path == "members" and item["id"] == self._account)
                if ours or self._is_above(kind, place, item) or self._scope.knows(kind.type, id_):
                    continue
                yield self._found(
                    place.tenant,
                    kind.type,
                    f"{place.path}: {kind.title(item)}",
                    import_id=id_ if kind.importable else None,
                    detail=kind.detail(item),
                    removal=kind.removal(place, item),
                )

    def _is_above(self, kind: GitLabKind, place: GitLabPlace, item: Json) -> bool:
        """Return whether an item in a group's list belongs to the tenants' root group, where it is reported once."""
        return kind.path == "runners" and place.path != self._settings.root and item["id"] in self._shared_runners

    def _shares(self, place: GitLabPlace, item: Json, type_: str) -> Iterator[Found]:
        for share in item.get("shared_with_groups") or ():
            id_ = f"{place.id}:{share['group_id']}"
            if not self._scope.knows(type_, id_):
                yield self._found(
                    place.tenant,
                    type_,
                    f"{place.path}: {share['group_full_path']}",
                    import_id=id_,
                    detail=f"its members are at most {level(share['group_access_level'])}s here",
                    removal=f"DELETE /api/v4/{place.kind}/{place.id}/share/{share['group_id']}",
                )

    def _schedule_variables(self, schedule: Managed) -> Iterator[Found]:
        project, _, number = schedule.id.partition(":")
        path = f"projects/{project}/pipeline_schedules/{number}"
        found = self._client.get(path) or {}
        for variable in found.get("variables") or ():
            id_ = f"{schedule.id}:{variable['key']}"
            if not self._scope.knows(_SCHEDULE_VARIABLE, id_):
                yield self._found(
                    schedule.tenant,
                    _SCHEDULE_VARIABLE,
                    f"{self._paths.get(project, project)}: {found['description']} (#{number}): {variable['key']}",
                    import_id=id_,
                    detail="given to the jobs of a schedule of the platform",
                    removal=f"DELETE /api/v4/{path}/variables/{variable['key']}",
                )

    def _accounts(self) -> Iterator[Found]:
        """Active accounts of people, if the foundation creates all accounts."""
        for user in self._client.pages("users", humans="true", active="true"):
            number = int(user["id"])
            if number in {_FIRST_USER, self._account} or self._scope.knows(_USER, str(number)):
                continue
            yield self._found(
                None,
                _USER,
                str(user["username"]),
                import_id=str(number),
                detail="an administrator" if user.get("is_admin") else "an account that no tenant names",
                removal=f"POST /api/v4/users/{number}/block",
            )

    @staticmethod
    def _found(tenant: str | None, type_: str, name: str, *, import_id: str | None, detail: str, removal: str) -> Found:
        return Found(System.GITLAB.value, tenant, type_, name, "gitlab", import_id, detail, removal)


def _path(managed: Managed) -> str:
    return str(managed.outputs.get("pathWithNamespace") or managed.outputs.get("fullPath") or managed.id)


def _leaving(item: Json) -> bool:
    return bool(item.get("marked_for_deletion_on") or item.get("marked_for_deletion_at"))

"""Scheduled pipelines, their variables, and the projects whose job tokens a project accepts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lab.plugins import framework
from lab.plugins.fields import fields
from lab.plugins.gitlab.client import GitLabApiError, GitLabPluginClient, segment
from lab.plugins.gitlab.common import number, parts
from lab.plugins.gitlab.items import GitLabItem, ItemLocation, ProjectPart
from lab.plugins.items import table
from lab.plugins.planning import Data
from lab.plugins.schema import resource
from lab.plugins.wire import Properties

# -- schedules --------------------------------------------------------------------------------------------------------


class _PipelineSchedule(GitLabItem):
    def take(self, data: Data, found: Properties, gitlab: GitLabPluginClient) -> None:
        super().take(data, found, gitlab)
        data.set("takeOwnership", bool(data.raw("takeOwnership")))
        data.set("owner", (found.get("owner") or {}).get("id") or 0)

    def update(self, data: Data, gitlab: GitLabPluginClient) -> None:
        """Update it; take its ownership first if the program requests it."""
        try:
            if data.get("takeOwnership"):
                gitlab.post(f"{self.place(data.id).path}/take_ownership")
        except GitLabApiError as error:
            raise self.refusal("update", error) from None
        super().update(data, gitlab)


_SCHEDULE: Final = _PipelineSchedule(
    shape=framework.resource(
        "gitlab:index/pipelineSchedule:PipelineSchedule",
        default={"cronTimezone": "UTC", "active": True, "takeOwnership": False},
        kept=("pipelineScheduleId",),
    ),
    root="projects",
    collection="pipeline_schedules",
    owner="project",
    id=("project-id", "pipeline-schedule-id"),
    numbers=("", "pipeline schedule id"),
    always=fields("description", "ref", "cron", "cronTimezone", "active"),
    read_back=fields(pipelineScheduleId="id"),
    refused={doing: f"Unable to {doing} pipeline schedule" for doing in ("create", "update")},
    replacing=("project",),
)

# -- their variables --------------------------------------------------------------------------------------------------


class _ScheduleVariable(GitLabItem):
    def place(self, id_: str) -> ItemLocation:
        project, schedule, key = parts(id_, "project", "pipelineScheduleId", "key")
        path = _SCHEDULE.path(project, number(schedule, "pipeline schedule id"))
        return ItemLocation(project, f"{path}/variables/{segment(key)}", {})

    def named(self, owner: str, found: Properties) -> str:
        return f"{owner}:{found['schedule']}:{found['key']}"

    def find(self, data: Data, client: GitLabPluginClient) -> Properties | None:
        """Return the variable from its schedule."""
        project, schedule, key = parts(data.id, "project", "pipelineScheduleId", "key")
        found = client.find(_SCHEDULE.path(project, number(schedule, "pipeline schedule id"))) or {}
        variables = ({**item, "schedule": schedule} for item in found.get("variables") or [])
        return next((item for item in variables if item["key"] == key), None)


_VARIABLE: Final = _ScheduleVariable(
    shape=resource("gitlab:index/pipelineScheduleVariable:PipelineScheduleVariable"),
    root="projects",
    collection="variables",
    owner="project",
    id=("project", "key"),
    read_back=fields("key", "value", "variableType", pipelineScheduleId="schedule"),
    refused={"delete": "failed to delete pipeline schedule variable"},
    adopted=True,
)

# -- job tokens -------------------------------------------------------------------------------------------------------

_ALLOWED: Final = {
    "targetProjectIds": ("allowlist", "target_project_id"),
    "targetGroupIds": ("groups_allowlist", "target_group_id"),
}


class _Scopes(ProjectPart):
    def _allowed(self, client: GitLabPluginClient, project: str, path: str) -> list[int]:
        """Return the projects and groups that a project allows, without itself."""
        found = client.all(f"{self.path(project)}/{path}")
        itself = [item for item in found if project in (str(item["id"]), item.get("path_with_namespace"))]
        return [item["id"] for item in found if path != "allowlist" or item not in itself]

    def _set_entries(
        self, client: GitLabPluginClient, project: str, wanted: Mapping[str, list[int]], *, enabled: bool
    ) -> None:
        """Add the wanted entries, and remove all others."""
        for name, (path, field) in _ALLOWED.items():
            present = self._allowed(client, project, path)
            for target in present:
                if target not in wanted[name]:
                    client.delete(f"{self.path(project)}/{path}/{target}")
            for target in wanted[name]:
                if target not in present:
                    client.post(f"{self.path(project)}/{path}", {field: target})
        client.patch(self.path(project), {"enabled": enabled})

    def create(self, data: Data, client: GitLabPluginClient) -> None:
        """Set the lists; the limitation itself changes only if the program sets it."""
        project = data.get("project")
        given = data.raw("enabled")
        enabled = client.get(self.path(project)).get("inbound_enabled") if given is None else given
        self._set_entries(client, project, {name: data.get(name) for name in _ALLOWED}, enabled=bool(enabled))
        self.take_of(project, data, client.get(self.path(project)), client)

    def update(self, data: Data, client: GitLabPluginClient) -> None:
        """Set the lists again."""
        self.create(data, client)

    def take(self, data: Data, found: Properties, client: GitLabPluginClient) -> None:
        data.set("enabled", bool(found.get("inbound_enabled")))
        for name, (path, _) in _ALLOWED.items():
            data.set(name, self._allowed(client, data.id, path))

    def delete(self, data: Data, client: GitLabPluginClient) -> None:
        """Empty the lists."""
        self._set_entries(client, data.id, {name: [] for name in _ALLOWED}, enabled=True)


_JOB_TOKEN_SCOPES: Final = _Scopes(
    shape=framework.resource(
        "gitlab:index/projectJobTokenScopes:ProjectJobTokenScopes", sets=tuple(_ALLOWED), kept=("enabled", *_ALLOWED)
    ),
    collection="job_token_scope",
)

RESOURCES: Final = table(_SCHEDULE, _VARIABLE, _JOB_TOKEN_SCOPES)

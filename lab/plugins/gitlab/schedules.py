"""Scheduled pipelines, their variables, and whose job tokens a project lets in."""

from __future__ import annotations

from typing import Final

from lab.plugins import framework
from lab.plugins.bridge import Resource
from lab.plugins.fields import fields
from lab.plugins.gitlab.client import ApiError, GitLab, segment
from lab.plugins.gitlab.common import number, parts
from lab.plugins.gitlab.items import Item
from lab.plugins.items import table
from lab.plugins.planning import Data
from lab.plugins.schema import one_of, resource
from lab.plugins.server import refused
from lab.plugins.wire import Properties

# -- schedules --------------------------------------------------------------------------------------------------------


class _Schedule(Item):
    def body(self, data: Data) -> Properties:
        wanted = {item["name"]: item["value"] for item in data.get("inputs")}
        inputs = [{"name": name, "value": value} for name, value in wanted.items()]
        gone = [item["name"] for item in data.old("inputs") or [] if item["name"] not in wanted]
        inputs += [{"name": name, "destroy": True} for name in gone]
        return {**super().body(data), **({"inputs": inputs} if inputs else {})}

    def take(self, data: Data, found: Properties, gitlab: GitLab) -> None:
        super().take(data, found, gitlab)
        data.set("takeOwnership", bool(data.raw("takeOwnership")))
        data.set("owner", (found.get("owner") or {}).get("id") or 0)
        inputs = [{"name": item["name"], "value": item["value"]} for item in found.get("inputs") or []]
        data.set("inputs", inputs or None)

    def update(self, data: Data, gitlab: GitLab) -> None:
        """Change it in place, as its owner where the program wants that."""
        try:
            if data.get("takeOwnership"):
                gitlab.post(f"{self.place(data.id).path}/take_ownership")
        except ApiError as error:
            raise self.refusal("update", error) from None
        super().update(data, gitlab)


_SCHEDULE: Final = _Schedule(
    shape=framework.resource(
        "gitlab:index/pipelineSchedule:PipelineSchedule",
        sets=("inputs",),
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

VARIABLE: Final = resource("gitlab:index/pipelineScheduleVariable:PipelineScheduleVariable").tuned(
    validate={"variableType": one_of("env_var", "file")}
)


def _create_variable(data: Data, gitlab: GitLab) -> None:
    project, schedule = data.get("project"), data.get("pipelineScheduleId")
    body = {"key": data.get("key"), "value": data.get("value")}
    if data.get("variableType"):
        body["variable_type"] = data.get("variableType")
    made = gitlab.post(f"{_SCHEDULE.path(project, schedule)}/variables", body)
    data.id = f"{project}:{schedule}:{made['key']}"
    _read_variable(data, gitlab)


def _read_variable(data: Data, gitlab: GitLab) -> None:
    project, text, key = parts(data.id, "project", "pipelineScheduleId", "key")
    schedule = number(text, "pipeline schedule id")
    found = gitlab.find(_SCHEDULE.path(project, schedule)) or {}
    variable = next((item for item in found.get("variables") or [] if item["key"] == key), None)
    if variable is None:
        data.id = ""
        return
    data.set("project", project)
    data.set("pipelineScheduleId", schedule)
    data.set("key", variable["key"])
    data.set("value", variable["value"])
    data.set("variableType", variable.get("variable_type"))


def _variable(id_: str) -> str:
    project, schedule, key = parts(id_, "project", "pipelineScheduleId", "key")
    return f"{_SCHEDULE.path(project, number(schedule, 'pipeline schedule id'))}/variables/{segment(key)}"


def _update_variable(data: Data, gitlab: GitLab) -> None:
    if data.changed("value") or data.changed("variableType"):
        gitlab.put(_variable(data.id), {"value": data.get("value"), "variable_type": data.get("variableType")})
    _read_variable(data, gitlab)


def _delete_variable(data: Data, gitlab: GitLab) -> None:
    with refused(f"{data.id} failed to delete pipeline schedule variable"):
        gitlab.delete(_variable(data.id))


# -- job tokens -------------------------------------------------------------------------------------------------------

JOB_TOKEN_SCOPES: Final = framework.resource(
    "gitlab:index/projectJobTokenScopes:ProjectJobTokenScopes",
    sets=("targetProjectIds", "targetGroupIds"),
    kept=("enabled", "targetProjectIds", "targetGroupIds"),
)
_ALLOWED: Final = {
    "targetProjectIds": ("allowlist", "target_project_id"),
    "targetGroupIds": ("groups_allowlist", "target_group_id"),
}


def _scope(project: str) -> str:
    return f"projects/{segment(project)}/job_token_scope"


def _allowed(gitlab: GitLab, project: str, path: str) -> list[int]:
    """Return whom a project lets in, but for itself."""
    found = gitlab.all(f"{_scope(project)}/{path}")
    itself = [item for item in found if project in (str(item["id"]), item.get("path_with_namespace"))]
    return [item["id"] for item in found if path != "allowlist" or item not in itself]


def _set_scopes(gitlab: GitLab, project: str, wanted: dict[str, list[int]], *, enabled: bool) -> None:
    for name, (path, field) in _ALLOWED.items():
        present = _allowed(gitlab, project, path)
        for target in present:
            if target not in wanted[name]:
                gitlab.delete(f"{_scope(project)}/{path}/{target}")
        for target in wanted[name]:
            if target not in present:
                gitlab.post(f"{_scope(project)}/{path}", {field: target})
    gitlab.patch(_scope(project), {"enabled": enabled})


def _take_scopes(data: Data, gitlab: GitLab, project: str, settings: Properties) -> None:
    data.id = project
    data.set("project", project)
    data.set("enabled", bool(settings.get("inbound_enabled")))
    for name, (path, _) in _ALLOWED.items():
        data.set(name, _allowed(gitlab, project, path))


def _write_scopes(data: Data, gitlab: GitLab) -> None:
    project = data.get("project")
    # Whoever is let in without the program saying so is put out; the gate itself stays as it is.
    settings = gitlab.get(_scope(project))
    enabled = settings.get("inbound_enabled") if data.raw("enabled") is None else data.get("enabled")
    _set_scopes(gitlab, project, {name: data.get(name) for name in _ALLOWED}, enabled=bool(enabled))
    _take_scopes(data, gitlab, project, gitlab.get(_scope(project)))


def _read_scopes(data: Data, gitlab: GitLab) -> None:
    settings = gitlab.find(_scope(data.id))
    if settings is None:
        data.id = ""
        return
    _take_scopes(data, gitlab, data.id, settings)


def _delete_scopes(data: Data, gitlab: GitLab) -> None:
    _set_scopes(gitlab, data.id, {name: [] for name in _ALLOWED}, enabled=True)


RESOURCES: Final = {
    **table(_SCHEDULE),
    VARIABLE.token: Resource(VARIABLE, _create_variable, _read_variable, _update_variable, _delete_variable),
    JOB_TOKEN_SCOPES.token: Resource(
        JOB_TOKEN_SCOPES,
        _write_scopes,
        _read_scopes,
        _write_scopes,
        _delete_scopes,
        customise=framework.replacing("project"),
    ),
}

# ruff: noqa: ANN401 - JSON answers have any type
"""Triggers: tokens to run a project's pipelines."""

from __future__ import annotations

import secrets
from typing import Any

from lab.standins.gitlab import access, ci_pipelines, ci_tokens, users
from lab.standins.gitlab.api_ci_pipelines import run
from lab.standins.gitlab.errors import not_found
from lab.standins.gitlab.params import Hash, Paging, Params
from lab.standins.gitlab.routing import Call, Router
from lab.standins.gitlab.site import GitLabSite, digest, now
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router = Router("triggers")


class NewTrigger(Params):
    """Parameters of a new trigger."""

    description: str


class TriggerParams(Params):
    """Parameters of a triggered pipeline; `token` is a trigger's or a job's."""

    token: str
    ref: str
    variables: Hash = None


def _trigger(site: GitLabSite, trigger: Document, token: str | None = None) -> Document:
    owner = site.store.get("user", trigger["owner_id"])
    names = ("id", "description", "created_at", "updated_at")
    return {
        **{name: trigger[name] for name in names},
        "token": token or trigger["start"],
        "last_used": trigger.get("last_used"),
        "expires_at": None,
        "owner": users.basic(site, owner) if owner else None,
    }


def _one_trigger(call: Call, id_: str, trigger_id: int) -> Document:
    project = call.ci_project(id_, access.MAINTAINER)
    found = call.store.get("trigger", trigger_id)
    if found is None or found["project_id"] != project["id"]:
        raise not_found("Trigger")
    return found


@router.get("/projects/{id}/triggers")
@needed_by(Need.INVENTORY)
def list_triggers(call: Call, id: str, given: Paging) -> Any:
    """List the triggers of a project."""
    project = call.ci_project(id, access.MAINTAINER)
    found = call.store.find("trigger", project_id=project["id"])
    return call.page(found, given, lambda one: _trigger(call.site, one))


@router.post("/projects/{id}/triggers")
@needed_by(Need.PEOPLE, Need.ISOLATION)
def create_trigger(call: Call, id: str, given: NewTrigger) -> Any:
    """Create a trigger; only this answer contains its whole token."""
    project = call.ci_project(id, access.MAINTAINER)
    token = f"glptt-{secrets.token_hex(20)}"
    moment = now()
    made = call.store.add(
        "trigger",
        {
            "project_id": project["id"],
            "owner_id": call.user["id"],
            "description": given.description,
            "digest": digest(token),
            "start": token[:4],
            "created_at": moment,
            "updated_at": moment,
        },
    )
    return _trigger(call.site, made, token)


@router.delete("/projects/{id}/triggers/{trigger_id}")
@needed_by(Need.INVENTORY)
def delete_trigger(call: Call, id: str, trigger_id: int) -> None:
    """Delete a trigger."""
    call.store.remove("trigger", _one_trigger(call, id, trigger_id)["id"])


@router.post("/projects/{id}/trigger/pipeline", anonymous=True, job_token=True)
@needed_by(Need.ISOLATION, Need.FLEET)
def trigger_pipeline(call: Call, id: str, given: TriggerParams) -> Any:
    """Run a pipeline as the owner of a trigger, or as the user of a running job that has access to the project."""
    project = access.find_project(call.site, id)
    job = ci_tokens.actor(call.site, given.token)
    if job is not None and job.user is not None:
        if project is None or not access.sees_project(call.site, job, project):
            raise not_found()
        passed = [{"key": name, "value": value} for name, value in (given.variables or {}).items()]
        return run(call, project, given.ref, "pipeline", passed, actor=ci_pipelines.acting(job.user))
    found = call.store.first("trigger", digest=digest(given.token))
    owner = call.store.get("user", found["owner_id"]) if found else None
    if project is None or found is None or owner is None or found["project_id"] != project["id"]:
        raise not_found()
    if owner["state"] != "active":
        raise not_found()
    variables = [{"key": name, "value": value} for name, value in (given.variables or {}).items()]
    call.store.put("trigger", {**found, "last_used": now()})
    actor = ci_pipelines.acting(owner)
    return run(call, project, given.ref, "trigger", variables, actor=actor, trigger_id=found["id"])

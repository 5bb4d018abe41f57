# ruff: noqa: ANN401 - JSON answers have any type
"""Statuses of commits, as an external system sets them.

GitLab keeps them in a pipeline of the source `external`. This server keeps none, but asks for the same right: who sets
a status may push to the branch that it names, or merge into it (`Ci::CreateCommitStatusService`, `Ci::PipelinePolicy`).
"""

from __future__ import annotations

from typing import Any, Final, Literal

from lab.standins.gitlab import access, git_push, users
from lab.standins.gitlab.api_repository_commits import found_commit
from lab.standins.gitlab.errors import forbidden, not_found, refused
from lab.standins.gitlab.params import Bool, Paging, Params, Text
from lab.standins.gitlab.routing import Call, Router
from lab.standins.gitlab.site import GitLabSite, now
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router = Router("commit statuses")

_LIVE: Final = ("pending", "running")
#: GitLab's events by the new state, and the states that they can begin in. A new status begins in `created`.
_EVENTS: Final = {
    "pending": ("enqueue", ("created",)),
    "running": ("run", ("created", "pending")),
    "success": ("success", ("created", *_LIVE)),
    "failed": ("drop", ("created", *_LIVE)),
    "canceled": ("cancel", ("created", *_LIVE)),
    "skipped": ("skip", ("created", "pending")),
}


class StatusFilter(Paging):
    """Filter of statuses."""

    ref: Text = None
    name: Text = None
    all: Bool = None


class NewStatus(Params):
    """Parameters of a status."""

    state: Literal["pending", "running", "success", "failed", "canceled", "skipped"]
    ref: Text = None
    name: Text = None
    context: Text = None
    target_url: Text = None
    description: Text = None


def _shown(site: GitLabSite, status: Document) -> Document:
    user = site.store.get("user", status["user_id"])
    return {
        **{name: value for name, value in status.items() if name not in {"user_id", "project_id", "retried"}},
        "author": users.basic(site, user) if user else None,
    }


@router.get("/projects/{id}/repository/commits/{sha}/statuses", anonymous=True)
@needed_by(Need.ZONES)
def statuses(call: Call, id: str, sha: str, given: StatusFilter) -> Any:
    """List the statuses of a commit; without `all`, only the last one of each name."""
    project = call.project(id, access.REPORTER)
    _, commit = found_commit(call, project, sha)
    listed = [
        one
        for one in call.store.find("commit_status", project_id=project["id"], sha=commit)
        if (given.all or not one["retried"])
        and given.ref in {None, "", one["ref"]}
        and given.name in {None, "", one["name"]}
    ]
    return call.page(listed, given, lambda one: _shown(call.site, one))


@router.post("/projects/{id}/statuses/{sha}")
@needed_by(Need.ZONES)
def set_status(call: Call, id: str, sha: str, given: NewStatus) -> Any:
    """Set the status of a commit. A finished one stays, and another one takes its place."""
    project = call.project(id, access.DEVELOPER)
    repo, commit = found_commit(call, project, sha)
    ref = given.ref or next((name for name in repo.branches() if repo.is_ancestor(commit, f"refs/heads/{name}")), None)
    if ref is None:
        raise not_found("References for commit")
    may = git_push.can_push(call.site, call.actor, project, ref) or git_push.can_merge(
        call.site, call.actor, project, ref
    )
    if not may:
        raise forbidden()
    name = given.name or given.context or "default"
    same = [
        one
        for one in call.store.find("commit_status", project_id=project["id"], sha=commit)
        if one["ref"] == ref and one["name"] == name
    ]
    found = next((one for one in same if one["status"] in _LIVE and one["user_id"] == call.user["id"]), None)
    event, allowed = _EVENTS[given.state]
    before = found["status"] if found else "created"
    if before not in allowed:
        raise refused(
            f'Cannot transition status via :{event} from :{before} (Reason(s): Status cannot transition via "{event}")'
        )
    for one in same:
        call.store.put("commit_status", {**one, "retried": True})
    moment, finished = now(), given.state not in _LIVE
    content: Document = {
        **(found or {"project_id": project["id"], "sha": commit, "ref": ref, "name": name, "created_at": moment}),
        "user_id": call.user["id"],
        "status": given.state,
        "description": given.description,
        "target_url": given.target_url,
        "started_at": moment if given.state == "running" else (found or {}).get("started_at"),
        "finished_at": moment if finished else None,
        "allow_failure": False,
        "coverage": None,
        "retried": False,
    }
    if found is None:
        content = call.store.add("commit_status", content)
    else:
        call.store.put("commit_status", content)
    return _shown(call.site, content)

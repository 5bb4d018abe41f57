# ruff: noqa: ANN401 - answers are JSON
"""Comparisons of commits, and what tools think of them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from lab.standins.gitlab import access, users
from lab.standins.gitlab.api_repository_commits import found_commit, rendered, rendered_diff
from lab.standins.gitlab.errors import invalid, not_found, refused
from lab.standins.gitlab.params import Bool, Int, Paging, Params, Text, Texts
from lab.standins.gitlab.repositories import repositories, repository
from lab.standins.gitlab.routing import Call, Router
from lab.standins.gitlab.site import Site, now
from lab.standins.store import Document

router = Router("comparisons")


class Comparison(Params):
    """From what to what."""

    from_: str = Field(alias="from")
    to: str
    straight: Bool = None


class Bases(Params):
    """Of what."""

    refs: Texts = None


@router.get("/projects/{id}/repository/compare", scopes=("read_repository",), anonymous=True)
def compare(call: Call, id: str, given: Comparison) -> Any:
    """What one commit has that another has not."""
    project = call.project(id, access.REPORTER)
    repo = repository(call.site, project)
    old, new = repo.resolve(given.from_), repo.resolve(given.to)
    if old is None or new is None:
        raise not_found("Ref")
    base = old if given.straight else repo.merge_base(old, new)
    commits = list(reversed(repo.log(f"{old}..{new}")))
    shown = [rendered(call.site, project, one) for one in commits]
    return {
        "commit": shown[-1] if shown else None,
        "commits": shown,
        "diffs": [rendered_diff(one) for one in repo.diffs(base, new)] if base else [],
        "compare_timeout": False,
        "compare_same_ref": old == new,
        "web_url": f"{call.site.url}/{project['full_path']}/-/compare/{old}...{new}",
    }


@router.get("/projects/{id}/repository/merge_base", scopes=("read_repository",), anonymous=True)
def merge_base(call: Call, id: str, given: Bases) -> Any:
    """The last commit that all have."""
    project = call.project(id, access.REPORTER)
    repo = repository(call.site, project)
    refs = given.refs or []
    if len(refs) < 2:  # noqa: PLR2004 - of one there is none
        raise refused("Provide at least 2 refs")
    found = [repo.resolve(one) for one in refs]
    if None in found:
        missing = [name for name, sha in zip(refs, found, strict=True) if sha is None]
        raise refused(f"Could not find ref: {missing[0]}")
    base: str | None = found[0]
    for one in found[1:]:
        base = repo.merge_base(base, one) if base and one else None
    if base is None:
        raise not_found("Merge Base")
    return rendered(call.site, project, repo.commit(base))


# Statuses -------------------------------------------------------------------------------------------------------------


class NewStatus(Params):
    """What some tool thinks of a commit."""

    state: Literal["pending", "running", "success", "failed", "canceled", "skipped"]
    ref: Text = None
    name: Text = None
    context: Text = None
    target_url: Text = None
    description: Text = None
    coverage: Text = None
    pipeline_id: Int = None


def _status(site: Site, one: Document) -> Document:
    user = site.store.get("user", one["user_id"])
    names = (
        "id",
        "sha",
        "ref",
        "status",
        "name",
        "target_url",
        "description",
        "created_at",
        "started_at",
        "finished_at",
    )
    return {
        **{name: one[name] for name in names},
        "allow_failure": False,
        "coverage": None,
        "pipeline_id": one["pipeline_id"],
        "author": users.basic(site, user) if user else None,
    }


@router.get("/projects/{id}/repository/commits/{sha}/statuses", anonymous=True)
def list_statuses(call: Call, id: str, sha: str, given: Paging) -> Any:
    """What tools think of a commit."""
    project = call.project(id, access.REPORTER)
    _, found = found_commit(call, project, sha)
    return call.page(
        call.store.find("commit_status", project_id=project["id"], sha=found),
        given,
        lambda one: _status(call.site, one),
    )


@router.post("/projects/{id}/statuses/{sha}")
def set_status(call: Call, id: str, sha: str, given: NewStatus) -> Any:
    """Say what a tool thinks of a commit; the same name again changes it."""
    project = call.project(id, access.DEVELOPER)
    _, found = found_commit(call, project, sha)
    name = given.name or given.context or "default"
    if len(name) > 255:  # noqa: PLR2004
        raise invalid(name=["is too long (maximum is 255 characters)"])
    old = call.store.first("commit_status", project_id=project["id"], sha=found, name=name)
    over = given.state in {"success", "failed", "canceled", "skipped"}
    content = {
        "project_id": project["id"],
        "sha": found,
        "ref": given.ref or repositories(call.site).default_branch(project),
        "status": given.state,
        "name": name,
        "target_url": given.target_url,
        "description": given.description,
        "created_at": old["created_at"] if old else now(),
        "started_at": None if given.state == "pending" else now(),
        "finished_at": now() if over else None,
        "pipeline_id": given.pipeline_id,
        "user_id": call.user["id"],
    }
    if old is None:
        return _status(call.site, call.store.add("commit_status", content))
    call.store.put("commit_status", {**content, "id": old["id"]})
    return _status(call.site, {**content, "id": old["id"]})

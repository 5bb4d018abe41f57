# ruff: noqa: ANN401 - JSON answers have any type
"""Merge requests: create, list, read, update, merge."""

from __future__ import annotations

from typing import Any, Literal

from lab.standins.gitlab import access, api_ci_pipelines, api_issues, ci_jobs, git_push
from lab.standins.gitlab.api_issues import Filter, changed_labels, check_title, chosen, people
from lab.standins.gitlab.ci_merge_requests import add, base_of, can_merge_now, complete, pipelines_of, refresh
from lab.standins.gitlab.errors import forbidden, invalid, not_found, parameter, refused
from lab.standins.gitlab.git import RepositoryError
from lab.standins.gitlab.params import Bool, Int, Ints, Params, Text, Texts
from lab.standins.gitlab.repositories import repository
from lab.standins.gitlab.routing import Call, Router
from lab.standins.gitlab.site import now
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router = Router("merge requests")


class MergeRequestFilter(Filter):
    """Filter of merge requests."""

    source_branch: Text = None
    target_branch: Text = None
    source_project_id: Int = None
    draft: Bool = None
    wip: Literal["yes", "no"] | None = None


class MergeRequestParams(Params):
    """Parameters of creation and update."""

    description: Text = None
    labels: Texts = None
    assignee_id: Int = None
    assignee_ids: Ints = None
    reviewer_ids: Ints = None
    remove_source_branch: Bool = None
    squash: Bool = None
    allow_collaboration: Bool = None


class NewMergeRequest(MergeRequestParams):
    """Parameters of a new merge request."""

    title: str
    source_branch: str
    target_branch: str
    target_project_id: Int = None


class ChangedMergeRequest(MergeRequestParams):
    """Parameters of an update."""

    title: Text = None
    target_branch: Text = None
    state_event: Literal["close", "reopen"] | None = None
    add_labels: Texts = None
    remove_labels: Texts = None
    discussion_locked: Bool = None


class MergeParams(Params):
    """Parameters of a merge."""

    merge_commit_message: Text = None
    squash_commit_message: Text = None
    squash: Bool = None
    should_remove_source_branch: Bool = None
    merge_when_pipeline_succeeds: Bool = None
    auto_merge: Bool = None
    sha: Text = None


class OneMergeRequest(Params):
    """Parameters of a read."""

    include_diverged_commits_count: Bool = None
    include_rebase_in_progress: Bool = None
    render_html: Bool = None


def shown(call: Call, one: Document) -> Document:
    """Return a merge request as shown in lists."""
    site = call.site
    project = call.store.get("project", one["target_project_id"]) or {}
    assignees = people(site, one["assignee_ids"])
    author, merger, closer = (
        next(iter(people(site, [one[name] or 0])), None) for name in ("author_id", "merged_by_id", "closed_by_id")
    )
    notes = call.store.find("note", noteable_type="MergeRequest", noteable_id=one["id"], system=False)
    able, status = can_merge_now(site, one)
    names = ("id", "iid", "title", "description", "state", "created_at", "updated_at", "merged_at", "closed_at")
    return {
        **{name: one[name] for name in names},
        "project_id": one["target_project_id"],
        "merged_by": merger,
        "merge_user": merger,
        "closed_by": closer,
        **{name: one[name] for name in ("target_branch", "source_branch")},
        "user_notes_count": len(notes),
        "upvotes": 0,
        "downvotes": 0,
        "author": author,
        "assignees": assignees,
        "assignee": assignees[0] if assignees else None,
        "reviewers": people(site, one["reviewer_ids"]),
        **{name: one[name] for name in ("source_project_id", "target_project_id", "labels", "draft")},
        "work_in_progress": one["draft"],
        "imported": False,
        "imported_from": "none",
        "milestone": None,
        "merge_when_pipeline_succeeds": one["state"] == "opened" and one.get("auto_merge") is not None,
        "merge_status": "can_be_merged" if able or one["state"] == "merged" else "cannot_be_merged",
        "detailed_merge_status": status,
        "merge_after": None,
        "sha": one["sha"],
        "merge_commit_sha": one["merge_commit_sha"],
        "squash_commit_sha": one["squash_commit_sha"],
        "discussion_locked": one["discussion_locked"],
        "should_remove_source_branch": None,
        "force_remove_source_branch": one["remove_source_branch"],
        "prepared_at": one["created_at"],
        "reference": f"!{one['iid']}",
        "references": {
            "short": f"!{one['iid']}",
            "relative": f"!{one['iid']}",
            "full": f"{project['full_path']}!{one['iid']}",
        },
        "web_url": f"{site.url}/{project['full_path']}/-/merge_requests/{one['iid']}",
        "time_stats": {
            "time_estimate": 0,
            "total_time_spent": 0,
            "human_time_estimate": None,
            "human_total_time_spent": None,
        },
        "squash": one["squash"],
        "squash_on_merge": one["squash"],
        "task_completion_status": {"count": 0, "completed_count": 0},
        "has_conflicts": status == "conflict",
        "blocking_discussions_resolved": True,
        "approvals_before_merge": None,
    }


def whole(call: Call, one: Document) -> Document:
    """Return a merge request as shown alone."""
    found = pipelines_of(call.site, one)
    head = found[-1] if found else None
    merger = call.user if call.actor is not None else None
    project = call.store.get("project", one["target_project_id"]) or {}
    basic = {k: v for k, v in api_ci_pipelines.basic(call.site, head).items() if k != "name"} if head else None
    base = base_of(call.site, one)
    return {
        **shown(call, one),
        "subscribed": False,
        "changes_count": str(_changed_files(call, one, base)) if one["sha"] else None,
        "latest_build_started_at": head["started_at"] if head else None,
        "latest_build_finished_at": head["finished_at"] if head else None,
        "first_deployed_to_production_at": None,
        "pipeline": basic,
        "head_pipeline": api_ci_pipelines.whole(call.site, head) if head else None,
        "diff_refs": {"base_sha": base, "head_sha": one["sha"], "start_sha": base},
        "merge_error": None,
        "first_contribution": False,
        "user": {
            "can_merge": merger is not None and git_push.can_merge(call.site, call.actor, project, one["target_branch"])
        },
    }


def _changed_files(call: Call, one: Document, base: str | None) -> int:
    project = call.store.get("project", one["target_project_id"]) or {}
    return len(repository(call.site, project).changes(base, one["sha"])) if base is not None else 0


def find(call: Call, id_: str, iid: int) -> tuple[Document, Document]:
    """Return a project and one of its merge requests."""
    project = call.project(id_, access.REPORTER)
    found = call.store.first("merge_request", target_project_id=project["id"], iid=iid)
    if found is None or project.get("merge_requests_access_level") == "disabled":
        raise not_found("Merge Request")
    return project, found


def _listed(call: Call, found: list[Document], given: MergeRequestFilter) -> Any:
    draft = given.draft if given.draft is not None else {"yes": True, "no": False}.get(given.wip or "")

    def wanted(one: Document) -> bool:
        project = call.store.get("project", one["target_project_id"])
        fields = ("source_branch", "target_branch", "source_project_id")
        return (
            project is not None
            and access.sees_project(call.site, call.actor, project)
            and (project["visibility"] != "private" or call.project_level(project) >= access.REPORTER)
            and all(getattr(given, name) in {None, one[name]} for name in fields)
            and draft in {None, one["draft"]}
        )

    return call.page(chosen(call, [one for one in found if wanted(one)], given), given, lambda one: shown(call, one))


@router.get("/projects/{id}/merge_requests", anonymous=True)
@needed_by(Need.CATALOGUE_JOBS)
def list_merge_requests(call: Call, id: str, given: MergeRequestFilter) -> Any:
    """List the merge requests of a project, newest first."""
    project = call.project(id, access.REPORTER)
    return _listed(call, call.store.find("merge_request", target_project_id=project["id"]), given)


@router.get("/projects/{id}/merge_requests/{merge_request_iid}", anonymous=True)
@needed_by(Need.COMMENT)
def get_merge_request(call: Call, id: str, merge_request_iid: int, given: OneMergeRequest) -> Any:  # noqa: ARG001 - the path of the operation
    """Return one merge request."""
    return whole(call, find(call, id, merge_request_iid)[1])


@router.post("/projects/{id}/merge_requests")
@needed_by(Need.CHAIN, Need.PIPELINE)
def create_merge_request(call: Call, id: str, given: NewMergeRequest) -> Any:
    """Create a merge request from a branch of this project, into it or into the project from which it was forked."""
    source = call.project(id, access.DEVELOPER)
    target = call.project(given.target_project_id, access.REPORTER) if given.target_project_id else source
    if source.get("archived") or target.get("archived"):
        raise forbidden()
    if target["id"] not in {source["id"], source.get("forked_from_id")}:
        raise invalid(validate_fork=["Source project is not a fork of the target project"])
    check_title(given.title)
    sha = repository(call.site, source).ref(f"refs/heads/{given.source_branch}")
    if source["id"] == target["id"] and given.source_branch == given.target_branch:
        raise invalid(branch_conflict=["You can't use same project/branch for source and target"])
    wrong = {}
    if sha is None:
        wrong["source_branch"] = ["does not exist"]
    if not given.target_branch or repository(call.site, target).ref(f"refs/heads/{given.target_branch}") is None:
        wrong["target_branch"] = ["does not exist"]
    if wrong:
        raise invalid(**wrong)
    key = {"source_project_id": source["id"], "target_project_id": target["id"], "state": "opened"}
    branches = {"source_branch": given.source_branch, "target_branch": given.target_branch}
    if (other := call.store.first("merge_request", **key, **branches)) is not None:
        raise refused([f"Another open merge request already exists for this source branch: !{other['iid']}"], 409)
    content = {
        **key,
        **branches,
        "title": given.title,
        "draft": _draft(given.title),
        "description": given.description,
        "labels": sorted(set(given.labels or [])),
        "assignee_ids": api_issues.assigned(call, given.assignee_ids, given.assignee_id),
        "reviewer_ids": api_issues.assigned(call, given.reviewer_ids, None),
        "remove_source_branch": bool(given.remove_source_branch),
        "squash": bool(given.squash),
        "sha": sha,
    }
    assert call.actor is not None  # noqa: S101 - a developer
    return whole(call, add(call.site, call.actor, content, target))


def _draft(title: str) -> bool:
    return title.lower().startswith(("draft:", "[draft]", "(draft)"))


@router.put("/projects/{id}/merge_requests/{merge_request_iid}")
@needed_by(Need.CATALOGUE_JOBS)
def update_merge_request(call: Call, id: str, merge_request_iid: int, given: ChangedMergeRequest) -> Any:
    """Update, close or reopen it: developers may do so with any, authors with their own."""
    project, one = find(call, id, merge_request_iid)
    if call.project_level(project) < access.DEVELOPER and one["author_id"] != call.user["id"]:
        raise forbidden()
    if project.get("archived"):
        raise forbidden()
    if not given.sent():
        raise parameter(
            "assignee_id, assignee_ids, description, discussion_locked, labels, add_labels, remove_labels, "
            "milestone_id, remove_source_branch, allow_collaboration, squash, target_branch, title, "
            "state_event, reviewer_ids are missing, at least one parameter must be provided"
        )
    if given.title is not None:
        check_title(given.title)
    if given.target_branch is not None:
        if repository(call.site, project).ref(f"refs/heads/{given.target_branch}") is None:
            raise invalid(target_branch=["does not exist"])
        if one["state"] in {"merged", "closed"}:
            raise refused("405 Method Not Allowed", 405)
    kept = ("title", "description", "remove_source_branch", "squash", "target_branch", "discussion_locked")
    sent = given.sent()
    changed = {
        **one,
        **{name: sent[name] for name in kept if name in sent and (sent[name] is not None or name == "description")},
    }
    changed |= {"draft": _draft(changed["title"]), "updated_at": now()}
    changed["labels"] = changed_labels(one["labels"], given)
    if given.assignee_ids is not None or given.assignee_id is not None:
        changed["assignee_ids"] = api_issues.assigned(call, given.assignee_ids, given.assignee_id)
    if given.reviewer_ids is not None:
        changed["reviewer_ids"] = api_issues.assigned(call, given.reviewer_ids, None)
    if given.state_event == "close" and one["state"] == "opened":
        changed |= {"state": "closed", "closed_at": now(), "closed_by_id": call.user["id"]}
    elif given.state_event == "reopen" and one["state"] == "closed":
        changed |= {"state": "opened", "closed_at": None, "closed_by_id": None}
    call.store.put("merge_request", changed)
    if changed["state"] == "opened":
        changed = refresh(call.site, changed)
    return whole(call, changed)


@router.put("/projects/{id}/merge_requests/{merge_request_iid}/merge")
@needed_by(Need.PIPELINE)
def merge_merge_request(call: Call, id: str, merge_request_iid: int, given: MergeParams) -> Any:
    """Merge it, if its state and the caller's rights on the target branch allow it."""
    project, one = find(call, id, merge_request_iid)
    if not git_push.can_merge(call.site, call.actor, project, one["target_branch"]):
        raise refused("401 Unauthorized", 401)
    if project.get("archived"):
        raise forbidden()
    if given.sha and given.sha != one["sha"]:
        raise refused("SHA does not match HEAD of source branch: " + str(one["sha"]), 409)
    able, state = can_merge_now(call.site, one)
    if one["state"] != "opened" or one["draft"]:
        raise refused("405 Method Not Allowed", 405)
    head = pipelines_of(call.site, one)[-1:]
    automatic = bool(given.auto_merge or given.merge_when_pipeline_succeeds)
    waits = automatic and any(pipeline["status"] in ci_jobs.ACTIVE for pipeline in head)
    # lib/api/merge_requests.rb: 405 for its state, such as a pipeline that has not passed, 422 for what git refuses.
    if not able and not waits and (automatic or state not in {"conflict", "need_rebase"}):
        raise refused("405 Method Not Allowed", 405)
    if not able and not waits:
        raise refused("Branch cannot be merged", 422)
    squash = one["squash"] if given.squash is None else given.squash
    message = given.squash_commit_message if squash else given.merge_commit_message
    remove = given.should_remove_source_branch
    wish = {
        "squash": bool(squash),
        "message": message,
        "remove": bool(one["remove_source_branch"] if remove is None else remove),
    }
    if waits:
        changed = {**one, "auto_merge": {**wish, "user_id": call.user["id"]}, "updated_at": now()}
        call.store.put("merge_request", changed)
        return whole(call, changed)
    try:
        return whole(call, complete(call.site, one, call.user, wish))
    except RepositoryError:
        raise refused("Branch cannot be merged", 422) from None

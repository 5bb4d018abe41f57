# ruff: noqa: ANN401 - JSON answers have any type
"""Issues of projects, and functions for both issues and merge requests: numbers, labels, filters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal

from pydantic import Field

from lab.standins.gitlab import access, users
from lab.standins.gitlab.errors import forbidden, invalid, not_found, parameter
from lab.standins.gitlab.params import Bool, Day, Int, Ints, Paging, Params, Text, Texts
from lab.standins.gitlab.routing import Call, Router
from lab.standins.gitlab.site import GitLabSite, now
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router = Router("issues")

_LONGEST_TITLE: Final = 255


class Filter(Paging):
    """Filter of issues and merge requests."""

    state: Literal["opened", "closed", "all", "merged", "locked"] | None = None
    labels: Texts = None
    search: Text = None
    in_: Text = Field(None, alias="in")
    author_id: Int = None
    author_username: Text = None
    scope: Literal["created_by_me", "created-by-me", "assigned_to_me", "assigned-to-me", "all"] | None = None
    iids: Ints = None
    order_by: Literal["created_at", "updated_at", "title", "priority", "due_date", "relative_position"] = "created_at"
    sort: Literal["asc", "desc"] = "desc"
    with_labels_details: Bool = None


class IssueFilter(Filter):
    """Filter of issues."""

    assignee_username: Texts = None
    confidential: Bool = None
    issue_type: Literal["issue", "incident", "test_case", "task"] | None = None


class IssueParams(Params):
    """Parameters of creation and update."""

    description: Text = None
    labels: Texts = None
    confidential: Bool = None
    assignee_ids: Ints = None
    assignee_id: Int = None
    due_date: Day = None
    weight: Int = None
    discussion_locked: Bool = None
    issue_type: Literal["issue", "incident", "test_case", "task"] | None = None


class NewIssue(IssueParams):
    """Parameters of a new issue."""

    title: str
    iid: Int = None
    created_at: Text = None


class ChangedIssue(IssueParams):
    """What changes."""

    title: Text = None
    state_event: Literal["close", "reopen"] | None = None
    add_labels: Texts = None
    remove_labels: Texts = None
    updated_at: Text = None


# Shared ---------------------------------------------------------------------------------------------------------------


def next_iid(site: GitLabSite, kind: str, **equal: int) -> int:
    """Return the next number in a project."""
    return max((int(one["iid"]) for one in site.store.find(kind, **equal)), default=0) + 1


def check_title(title: str) -> None:
    """Raise 400 for an invalid title."""
    if not title.strip():
        raise invalid(title=["can't be blank"])
    if len(title) > _LONGEST_TITLE:
        raise invalid(title=[f"is too long (maximum is {_LONGEST_TITLE} characters)"])


def changed_labels(current: list[str], given: Any) -> list[str]:
    """Return the labels after `labels`, `add_labels` and `remove_labels`."""
    names = set(current if given.labels is None else given.labels)
    names |= set(given.add_labels or [])
    return sorted(names - set(given.remove_labels or []))


def assigned(call: Call, ids: list[int] | None, id_: int | None) -> list[int]:
    """Return the existing assignees, only one in the free edition."""
    wanted = ids if ids is not None else ([id_] if id_ else [])
    found = [one for one in wanted if one and call.store.get("user", one) is not None]
    return found if call.site.premium else found[:1]


def chosen(call: Call, found: list[Document], given: Filter) -> list[Document]:
    """Return the items that match a filter, in its order."""
    text, fields = (given.search or "").lower(), (given.in_ or "title,description").split(",")
    author = call.store.first("user", username_key=given.author_username.lower()) if given.author_username else None
    me = call.actor.user["id"] if call.actor is not None and call.actor.user is not None else 0
    labels = given.labels or []

    def wanted(one: Document) -> bool:
        own = set(one["labels"])
        special = labels in (["None"], ["Any"])
        right = bool(own) is (labels == ["Any"]) if special else set(labels) <= own
        return (
            right
            and given.state in {None, "all", one["state"]}
            and (not text or any(text in (one.get(field) or "").lower() for field in fields))
            and given.author_id in {None, one["author_id"]}
            and (given.author_username is None or (author is not None and one["author_id"] == author["id"]))
            and (given.scope not in {"created_by_me", "created-by-me"} or one["author_id"] == me)
            and (given.scope not in {"assigned_to_me", "assigned-to-me"} or me in one["assignee_ids"])
            and (given.iids is None or one["iid"] in given.iids)
        )

    by = given.order_by if given.order_by in {"updated_at", "title", "due_date"} else "created_at"
    kept = [one for one in found if wanted(one)]
    return sorted(kept, key=lambda one: (str(one.get(by) or ""), one["id"]), reverse=given.sort == "desc")


def people(site: GitLabSite, ids: Iterable[int]) -> list[Document]:
    """Return users as shown in lists."""
    found = [site.store.get("user", one) for one in ids]
    return [users.basic(site, one) for one in found if one is not None]


# Issues ---------------------------------------------------------------------------------------------------------------


def shown(call: Call, issue: Document) -> Document:
    """Return an issue as shown in the API."""
    site = call.site
    project = call.store.get("project", issue["project_id"]) or {}
    author, closer = people(site, [issue["author_id"]]), people(site, [issue["closed_by_id"] or 0])
    assignees = people(site, issue["assignee_ids"])
    notes = call.store.find("note", noteable_type="Issue", noteable_id=issue["id"], system=False)
    url = f"{site.url}/api/v4/projects/{project['id']}"
    kind = issue["issue_type"]
    done = issue["description"] or ""
    total, finished = done.count("- [ ]") + done.count("- [x]"), done.count("- [x]")
    return {
        **{name: issue[name] for name in ("id", "iid", "project_id", "title", "description", "state")},
        **{name: issue[name] for name in ("created_at", "updated_at", "closed_at")},
        "closed_by": closer[0] if closer else None,
        "labels": issue["labels"],
        "milestone": None,
        "assignees": assignees,
        "author": author[0] if author else None,
        "type": kind.upper(),
        "assignee": assignees[0] if assignees else None,
        "user_notes_count": len(notes),
        "merge_requests_count": 0,
        "upvotes": 0,
        "downvotes": 0,
        "due_date": issue["due_date"],
        "confidential": issue["confidential"],
        "discussion_locked": issue["discussion_locked"],
        "issue_type": kind,
        "web_url": f"{site.url}/{project['full_path']}/-/issues/{issue['iid']}",
        "time_stats": {
            "time_estimate": 0,
            "total_time_spent": 0,
            "human_time_estimate": None,
            "human_total_time_spent": None,
        },
        "task_completion_status": {"count": total, "completed_count": finished},
        **({"weight": issue["weight"]} if site.premium else {}),
        "blocking_issues_count": 0,
        "has_tasks": total > 0,
        "_links": {
            "self": f"{url}/issues/{issue['iid']}",
            "notes": f"{url}/issues/{issue['iid']}/notes",
            "award_emoji": f"{url}/issues/{issue['iid']}/award_emoji",
            "project": url,
            "closed_as_duplicate_of": None,
        },
        "references": {
            "short": f"#{issue['iid']}",
            "relative": f"#{issue['iid']}",
            "full": f"{project['full_path']}#{issue['iid']}",
        },
        "severity": "UNKNOWN",
        "subscribed": True,
        "moved_to_id": None,
        "imported": False,
        "imported_from": "none",
        "service_desk_reply_to": None,
    }


def sees(call: Call, issue: Document) -> bool:
    """Whether an issue is visible to the caller: a confidential one to planners and above, its author and assignees."""
    project = call.store.get("project", issue["project_id"])
    if project is None or project.get("issues_access_level") == "disabled":
        return False
    if not access.sees_project(call.site, call.actor, project):
        return False
    if not issue["confidential"]:
        return True
    user = call.actor.user if call.actor is not None else None
    mine = user is not None and user["id"] in {issue["author_id"], *issue["assignee_ids"]}
    return mine or call.project_level(project) >= access.PLANNER


def find(call: Call, id_: str, iid: int) -> tuple[Document, Document]:
    """Return a project and one of its issues. Raises 404 if it is not visible."""
    project = call.project(id_, access.GUEST)
    found = call.store.first("issue", project_id=project["id"], iid=iid)
    if found is None or not sees(call, found):
        raise not_found("Issue")
    return project, found


def _listed(call: Call, found: list[Document], given: IssueFilter) -> Any:
    names = {name.lower() for name in given.assignee_username or []}

    def wanted(one: Document) -> bool:
        assignees = {str(user["username"]).lower() for user in people(call.site, one["assignee_ids"])}
        return (
            sees(call, one)
            and given.confidential in {None, one["confidential"]}
            and given.issue_type in {None, one["issue_type"]}
            and names <= assignees
        )

    return call.page(chosen(call, [one for one in found if wanted(one)], given), given, lambda one: shown(call, one))


@router.get("/projects/{id}/issues", anonymous=True)
@needed_by(Need.COMMENT)
def list_issues(call: Call, id: str, given: IssueFilter) -> Any:
    """List the issues of a project, newest first."""
    project = call.project(id, access.GUEST)
    return _listed(call, call.store.find("issue", project_id=project["id"]), given)


@router.get("/projects/{id}/issues/{issue_iid}", anonymous=True)
@needed_by(Need.PEOPLE)
def get_issue(call: Call, id: str, issue_iid: int) -> Any:
    """Return one issue."""
    return shown(call, find(call, id, issue_iid)[1])


@router.post("/projects/{id}/issues")
@needed_by(Need.COMMENT)
def create_issue(call: Call, id: str, given: NewIssue) -> Any:
    """Create an issue; labels and assignees are ignored below the level of a planner."""
    project = call.project(id)
    _may_write(call, project)
    check_title(given.title)
    planner = call.project_level(project) >= access.PLANNER
    moment = now()
    issue = call.store.add(
        "issue",
        {
            "project_id": project["id"],
            "iid": next_iid(call.site, "issue", project_id=project["id"]),
            "title": given.title,
            "description": given.description,
            "state": "opened",
            "labels": sorted(set(given.labels or [])) if planner else [],
            "confidential": bool(given.confidential),
            "author_id": call.user["id"],
            "assignee_ids": assigned(call, given.assignee_ids, given.assignee_id) if planner else [],
            "due_date": given.due_date,
            "weight": given.weight,
            "discussion_locked": None,
            "issue_type": given.issue_type or "issue",
            "created_at": moment,
            "updated_at": moment,
            "closed_at": None,
            "closed_by_id": None,
        },
    )
    return shown(call, issue)


def _may_write(call: Call, project: Document) -> None:
    if project.get("issues_access_level") == "disabled":
        raise not_found()
    member = call.project_level(project) >= access.GUEST or project["visibility"] != "private"
    if not member or project.get("archived") or project.get("marked_for_deletion_on"):
        raise forbidden()


@router.put("/projects/{id}/issues/{issue_iid}")
@needed_by(Need.COMMENT)
def update_issue(call: Call, id: str, issue_iid: int, given: ChangedIssue) -> Any:
    """Update, close or reopen an issue: planners may do so with any, authors with their own."""
    project, issue = find(call, id, issue_iid)
    planner = call.project_level(project) >= access.PLANNER
    if (not planner and issue["author_id"] != call.user["id"]) or project.get("archived"):
        raise forbidden()
    if not given.sent():
        raise parameter(
            "assignee_id, assignee_ids, confidential, created_at, description, discussion_locked, due_date, labels, "
            "add_labels, remove_labels, milestone_id, state_event, title, issue_type are missing, "
            "at least one parameter must be provided"
        )
    if given.title is not None:
        check_title(given.title)
    sent = given.sent(
        "labels", "add_labels", "remove_labels", "assignee_ids", "assignee_id", "state_event", "updated_at"
    )
    nullable = {"description", "due_date", "weight", "discussion_locked"}
    changed = {**issue, **{name: value for name, value in sent.items() if value is not None or name in nullable}}
    changed["updated_at"] = now()
    if planner:
        changed["labels"] = changed_labels(issue["labels"], given)
        if given.assignee_ids is not None or given.assignee_id is not None:
            changed["assignee_ids"] = assigned(call, given.assignee_ids, given.assignee_id)
    if given.state_event == "close" and issue["state"] == "opened":
        changed |= {"state": "closed", "closed_at": now(), "closed_by_id": call.user["id"]}
    elif given.state_event == "reopen" and issue["state"] == "closed":
        changed |= {"state": "opened", "closed_at": None, "closed_by_id": None}
    call.store.put("issue", changed)
    return shown(call, changed)

# ruff: noqa: ANN401 - JSON answers have any type
"""Approvals of merge requests, in the paid edition."""

from __future__ import annotations

from typing import Any

from lab.standins.gitlab import access
from lab.standins.gitlab.api_issues import people
from lab.standins.gitlab.api_merge_requests import find
from lab.standins.gitlab.ci_merge_requests import can_merge_now
from lab.standins.gitlab.errors import not_found, refused
from lab.standins.gitlab.params import Params, Text
from lab.standins.gitlab.routing import Call, Router
from lab.standins.gitlab.site import now
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router = Router("approvals")


class ApproveParams(Params):
    """Parameters of an approval."""

    sha: Text = None


def _approvals(call: Call, one: Document) -> Document:
    rules = call.store.find("approval_rule", project_id=one["target_project_id"])
    required = max((int(rule.get("approvals_required") or 0) for rule in rules), default=0)
    by = people(call.site, one["approved_by_ids"])
    left = max(0, required - len(by))
    me = call.actor.user["id"] if call.actor is not None and call.actor.user is not None else 0
    return {
        "id": one["id"],
        "iid": one["iid"],
        "project_id": one["target_project_id"],
        **{name: one[name] for name in ("title", "description", "state", "created_at", "updated_at")},
        "merge_status": "can_be_merged" if can_merge_now(call.site, one)[0] else "cannot_be_merged",
        "approved": not left,
        "approvals_required": required,
        "approvals_left": left,
        "approved_by": [{"user": user, "approved_at": one["updated_at"]} for user in by],
        "suggested_approvers": [],
        "approvers": [],
        "approver_groups": [],
        "user_has_approved": me in one["approved_by_ids"],
        "user_can_approve": me not in one["approved_by_ids"] and me != one["author_id"],
        "require_password_to_approve": False,
        "has_approval_rules": bool(rules),
        "merge_request_approvers_available": True,
        "multiple_approval_rules_available": True,
    }


@router.get("/projects/{id}/merge_requests/{merge_request_iid}/approvals")
@needed_by(Need.ISOLATION)
def approvals(call: Call, id: str, merge_request_iid: int) -> Any:
    """Return who approved it, and how many approvals are missing."""
    call.require_premium()
    return _approvals(call, find(call, id, merge_request_iid)[1])


@router.post("/projects/{id}/merge_requests/{merge_request_iid}/approve")
@needed_by(Need.ISOLATION)
def approve(call: Call, id: str, merge_request_iid: int, given: ApproveParams) -> Any:
    """Approve it, unless the caller is its author."""
    call.require_premium()
    project, one = find(call, id, merge_request_iid)
    if call.project_level(project) < access.DEVELOPER or one["author_id"] == call.user["id"]:
        raise refused("401 Unauthorized", 401)
    if given.sha and given.sha != one["sha"]:
        raise refused("SHA does not match HEAD of source branch: " + str(one["sha"]), 409)
    if call.user["id"] in one["approved_by_ids"]:
        raise refused("401 Unauthorized", 401)
    changed = {**one, "approved_by_ids": [*one["approved_by_ids"], call.user["id"]], "updated_at": now()}
    call.store.put("merge_request", changed)
    return _approvals(call, changed)


@router.post("/projects/{id}/merge_requests/{merge_request_iid}/unapprove")
@needed_by(Need.ISOLATION)
def unapprove(call: Call, id: str, merge_request_iid: int) -> Any:
    """Remove an approval."""
    call.require_premium()
    _, one = find(call, id, merge_request_iid)
    if call.user["id"] not in one["approved_by_ids"]:
        raise not_found()
    left = [user for user in one["approved_by_ids"] if user != call.user["id"]]
    changed = {**one, "approved_by_ids": left, "updated_at": now()}
    call.store.put("merge_request", changed)
    return _approvals(call, changed)

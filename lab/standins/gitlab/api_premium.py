# ruff: noqa: ANN401 - JSON answers have any type
"""Push rules and merge request approvals, which exist only in the paid edition."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Final, Literal

from starlette.responses import JSONResponse

from lab.standins.gitlab import access, groups, users
from lab.standins.gitlab.errors import ApiError, invalid, not_found
from lab.standins.gitlab.params import Bool, Int, Ints, Paging, Params, Text, Texts
from lab.standins.gitlab.routing import Call, Router
from lab.standins.gitlab.site import now
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router = Router("premium")

_RULES: Final[dict[str, Any]] = {
    "commit_message_regex": "",
    "commit_message_negative_regex": "",
    "branch_name_regex": "",
    "deny_delete_tag": False,
    "member_check": False,
    "prevent_secrets": False,
    "author_email_regex": "",
    "file_name_regex": "",
    "max_file_size": 0,
    "commit_committer_check": False,
    "commit_committer_name_check": False,
    "reject_unsigned_commits": False,
    "reject_non_dco_commits": False,
}


class PushRule(Params):
    """Parameters of a push rule."""

    at_least_one: ClassVar[tuple[str, ...]] = (
        "deny_delete_tag", "member_check", "prevent_secrets", "commit_message_regex", "commit_message_negative_regex",
        "branch_name_regex", "author_email_regex", "file_name_regex", "max_file_size", "commit_committer_check",
        "commit_committer_name_check", "reject_unsigned_commits", "reject_non_dco_commits",
    )  # fmt: skip
    commit_message_regex: Text = None
    commit_message_negative_regex: Text = None
    branch_name_regex: Text = None
    deny_delete_tag: Bool = None
    member_check: Bool = None
    prevent_secrets: Bool = None
    author_email_regex: Text = None
    file_name_regex: Text = None
    max_file_size: Int = None
    commit_committer_check: Bool = None
    commit_committer_name_check: Bool = None
    reject_unsigned_commits: Bool = None
    reject_non_dco_commits: Bool = None


def _project(call: Call, id_: str, level: int = access.MAINTAINER) -> Document:
    call.require_premium()
    return call.project(id_, level)


def _rule(rule: Document) -> Document:
    names = ("id", "project_id", "created_at", *_RULES)
    return {name: rule[name] for name in names}


def _applied(rule: Document, given: PushRule) -> Document:
    wrong = {}
    for name, value in given.sent().items():
        if name.endswith("_regex") and value:
            try:
                re.compile(value)
            except re.error:
                wrong[name] = ["not valid RE2 syntax"]
    if (given.max_file_size or 0) < 0:
        wrong["max_file_size"] = ["must be greater than or equal to 0"]
    if wrong:
        raise invalid(**wrong)
    sent = {name: _RULES[name] if value is None else value for name, value in given.sent().items()}
    return {**rule, **sent}


@router.get("/projects/{id}/push_rule")
@needed_by(Need.PLUGINS)
def get_push_rule(call: Call, id: str) -> Any:
    """Return the push rule, `null` if there is none."""
    rule = call.store.first("push_rule", project_id=_project(call, id)["id"])
    return JSONResponse(rule and _rule(rule))


@router.post("/projects/{id}/push_rule")
@needed_by(Need.PLUGINS)
def create_push_rule(call: Call, id: str, given: PushRule) -> Any:
    """Create the push rule; a project has at most one."""
    project = _project(call, id)
    if call.store.first("push_rule", project_id=project["id"]):
        raise ApiError(422, {"error": "Project push rule exists"})
    blank = {**_RULES, "project_id": project["id"], "created_at": now()}
    return _rule(call.store.add("push_rule", _applied(blank, given)))


@router.put("/projects/{id}/push_rule")
@needed_by(Need.PLUGINS)
def update_push_rule(call: Call, id: str, given: PushRule) -> Any:
    """Update the push rule."""
    rule = call.store.first("push_rule", project_id=_project(call, id)["id"])
    if rule is None:
        raise not_found("Push rule")
    changed = _applied(rule, given)
    call.store.put("push_rule", changed)
    return _rule(changed)


@router.delete("/projects/{id}/push_rule")
@needed_by(Need.PLUGINS)
def delete_push_rule(call: Call, id: str) -> None:
    """Delete the push rule."""
    rule = call.store.first("push_rule", project_id=_project(call, id)["id"])
    if rule is None:
        raise not_found("Push rule")
    call.store.remove("push_rule", rule["id"])


# Approvals ------------------------------------------------------------------------------------------------------------

_SETTINGS: Final[dict[str, Any]] = {
    "approvals_before_merge": 0,
    "reset_approvals_on_push": True,
    "selective_code_owner_removals": False,
    "disable_overriding_approvers_per_merge_request": False,
    "merge_requests_author_approval": False,
    "merge_requests_disable_committers_approval": False,
    "require_password_to_approve": False,
    "require_reauthentication_to_approve": False,
}


class ApprovalParams(Params):
    """Settings of approvals."""

    approvals_before_merge: Int = None
    reset_approvals_on_push: Bool = None
    selective_code_owner_removals: Bool = None
    disable_overriding_approvers_per_merge_request: Bool = None
    merge_requests_author_approval: Bool = None
    merge_requests_disable_committers_approval: Bool = None
    require_password_to_approve: Bool = None
    require_reauthentication_to_approve: Bool = None


def _settings(call: Call, project: Document) -> Document:
    return call.store.first("approval_settings", project_id=project["id"]) or {
        **_SETTINGS,
        "project_id": project["id"],
    }


def _approvals(settings: Document) -> Document:
    return {"approvers": [], "approver_groups": [], **{name: settings[name] for name in _SETTINGS}}


@router.get("/projects/{id}/approvals")
@needed_by(Need.PLUGINS)
def get_approvals(call: Call, id: str) -> Any:
    """Settings of approvals."""
    return _approvals(_settings(call, _project(call, id, access.REPORTER)))


@router.post("/projects/{id}/approvals")
@needed_by(Need.PLUGINS)
def set_approvals(call: Call, id: str, given: ApprovalParams) -> Any:
    """Update the settings."""
    settings = _settings(call, _project(call, id))
    sent = {name: value for name, value in given.sent().items() if value is not None}
    for one, other in (
        ("require_password_to_approve", "require_reauthentication_to_approve"),
        ("require_reauthentication_to_approve", "require_password_to_approve"),
    ):
        if one in sent:
            sent.setdefault(other, sent[one])  # two names of one setting
    changed = {**settings, **sent}
    if changed["reset_approvals_on_push"] and changed["selective_code_owner_removals"]:
        raise invalid(base=["selective_code_owner_removals needs reset_approvals_on_push to be disabled"])
    if "id" in changed:
        call.store.put("approval_settings", changed)
    else:
        call.store.add("approval_settings", changed)
    return _approvals(changed)


class RuleParams(Params):
    """Parameters of creation and update."""

    user_ids: Ints = None
    group_ids: Ints = None
    usernames: Texts = None
    protected_branch_ids: Ints = None
    applies_to_all_protected_branches: Bool = None
    remove_hidden_groups: Bool = None


class NewRule(RuleParams):
    """Parameters of a new rule."""

    name: str
    approvals_required: int
    rule_type: Literal["any_approver", "regular", "report_approver"] | None = None
    report_type: Literal["license_scanning", "code_coverage"] | None = None


class ChangedRule(RuleParams):
    """Parameters of an update."""

    name: Text = None
    approvals_required: Int = None


def _shown(call: Call, rule: Document) -> Document:
    people = [users.basic(call.site, one) for id_ in rule["user_ids"] if (one := call.store.get("user", id_))]
    spaces = [groups.shown(call.site, one) for id_ in rule["group_ids"] if (one := call.store.get("namespace", id_))]
    branches = [call.store.get("protected_branch", id_) for id_ in rule["protected_branch_ids"]]
    names = ("id", "name", "rule_type", "report_type", "approvals_required", "applies_to_all_protected_branches")
    return {
        **{name: rule[name] for name in names},
        "eligible_approvers": people,
        "users": people,
        "groups": spaces,
        "contains_hidden_groups": False,
        "protected_branches": [one for one in branches if one],
    }


def _checked(call: Call, project: Document, rule: Document, given: RuleParams) -> Document:
    changed = dict(rule)
    for name in ("group_ids", "protected_branch_ids", "applies_to_all_protected_branches"):
        if getattr(given, name) is not None:
            changed[name] = getattr(given, name)
    if given.user_ids is not None or given.usernames is not None:
        named = [call.store.first("user", username_key=name.lower()) for name in given.usernames or []]
        changed["user_ids"] = list(dict.fromkeys([*(given.user_ids or []), *(one["id"] for one in named if one)]))
    # Like GitLab, silently omit users and groups without access to the project.
    changed["user_ids"] = [
        one for one in changed["user_ids"] if access.user_project_level(call.site, one, project) > access.NONE
    ]
    wrong: dict[str, list[str]] = {}
    if not 0 <= changed["approvals_required"] <= 100:  # noqa: PLR2004 - GitLab's limit
        wrong["approvals_required"] = ["must be less than or equal to 100"]
    namesake = call.store.first("approval_rule", project_id=project["id"], name=changed["name"])
    if namesake is not None and namesake["id"] != rule.get("id"):
        wrong["name"] = ["has already been taken"]
    if not changed["name"].strip():
        wrong["name"] = ["can't be blank"]
    others = call.store.find("approval_rule", project_id=project["id"], rule_type="any_approver")
    if changed["rule_type"] == "any_approver" and any(one["id"] != rule.get("id") for one in others):
        wrong["rule_type"] = ["any-approver for the project already exists"]
    if wrong:
        raise invalid(**wrong)
    return changed


def _one(call: Call, project: Document, rule_id: int) -> Document:
    rule = call.store.get("approval_rule", rule_id)
    if rule is None or rule["project_id"] != project["id"]:
        raise not_found()
    return rule


@router.get("/projects/{id}/approval_rules")
@needed_by(Need.PLUGINS, Need.LOOKUP, Need.INVENTORY)
def list_rules(call: Call, id: str, given: Paging) -> Any:
    """List all approval rules, those of reports last."""
    found = call.store.find("approval_rule", project_id=_project(call, id, access.REPORTER)["id"])
    return call.page(sorted(found, key=lambda one: bool(one["report_type"])), given, lambda one: _shown(call, one))


@router.get("/projects/{id}/approval_rules/{rule_id}")
@needed_by(Need.PLUGINS)
def get_rule(call: Call, id: str, rule_id: int) -> Any:
    """Return one approval rule."""
    return _shown(call, _one(call, _project(call, id, access.REPORTER), rule_id))


@router.post("/projects/{id}/approval_rules")
@needed_by(Need.PLUGINS)
def create_rule(call: Call, id: str, given: NewRule) -> Any:
    """Create an approval rule."""
    project = _project(call, id)
    blank = {
        "project_id": project["id"],
        "name": given.name,
        "approvals_required": given.approvals_required,
        "rule_type": given.rule_type or "regular",
        "report_type": given.report_type,
        "user_ids": [],
        "group_ids": [],
        "protected_branch_ids": [],
        "applies_to_all_protected_branches": False,
    }
    return _shown(call, call.store.add("approval_rule", _checked(call, project, blank, given)))


@router.put("/projects/{id}/approval_rules/{rule_id}")
@needed_by(Need.PLUGINS)
def update_rule(call: Call, id: str, rule_id: int, given: ChangedRule) -> Any:
    """Update an approval rule."""
    project = _project(call, id)
    rule = _one(call, project, rule_id)
    for name in ("name", "approvals_required"):
        if getattr(given, name) is not None:
            rule[name] = getattr(given, name)
    changed = _checked(call, project, rule, given)
    call.store.put("approval_rule", changed)
    return _shown(call, changed)


@router.delete("/projects/{id}/approval_rules/{rule_id}")
@needed_by(Need.PLUGINS, Need.INVENTORY)
def delete_rule(call: Call, id: str, rule_id: int) -> None:
    """Delete an approval rule."""
    call.store.remove("approval_rule", _one(call, _project(call, id), rule_id)["id"])

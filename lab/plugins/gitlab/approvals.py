"""How many must approve a merge request (paid editions)."""

from __future__ import annotations

from typing import Final

from lab.plugins import framework
from lab.plugins.bridge import Resource
from lab.plugins.fields import snake
from lab.plugins.gitlab.client import ApiError, GitLab, segment
from lab.plugins.gitlab.common import number, parts
from lab.plugins.planning import Data
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties

# -- a project's settings ---------------------------------------------------------------------------------------------

_SELECTIVE: Final = "selectiveCodeOwnerRemovals"
_FLAGS: Final = (
    "resetApprovalsOnPush",
    "disableOverridingApproversPerMergeRequest",
    "mergeRequestsAuthorApproval",
    "mergeRequestsDisableCommittersApproval",
    "requirePasswordToApprove",
    "requireReauthenticationToApprove",
)

SETTINGS: Final = framework.resource(
    "gitlab:index/projectLevelMrApprovals:ProjectLevelMrApprovals", kept=(*_FLAGS, _SELECTIVE)
)


def _approvals(project: str) -> str:
    return f"projects/{segment(project)}/approvals"


def _take(data: Data, project: str, found: Properties) -> None:
    data.id = project
    data.set("project", project)
    for name in (*_FLAGS, _SELECTIVE):
        data.set(name, bool(found.get(snake(name))))


def _write_settings(data: Data, gitlab: GitLab) -> None:
    project = data.get("project")
    if data.get(_SELECTIVE) and data.get("resetApprovalsOnPush"):
        raise PluginError(
            "selective_code_owner_removals can only be enabled when reset_approvals_on_push is disabled. Selective "
            "code owner removals may only be configured to `true` while Reset approvals on push is configured to "
            "`false` or unconfigured"
        )
    selective = {snake(_SELECTIVE): data.get(_SELECTIVE)}
    # GitLab refuses both at once: one is taken away before, or given after, the other.
    if not data.new and data.raw(_SELECTIVE) is False:
        gitlab.post(_approvals(project), selective)
    body = {snake(name): data.raw(name) for name in _FLAGS if data.raw(name) is not None}
    try:
        found = gitlab.post(_approvals(project), body)
        if data.get(_SELECTIVE):
            found = gitlab.post(_approvals(project), selective)
    except ApiError as error:
        raise PluginError(f"couldn't create approval configuration: {error}") from None
    _take(data, project, found)


def _read_settings(data: Data, gitlab: GitLab) -> None:
    found = gitlab.find(_approvals(data.id))
    if found is None:
        data.id = ""
        return
    _take(data, data.id, found)


def _delete_settings(data: Data, gitlab: GitLab) -> None:
    gitlab.post(_approvals(data.id), {snake(_SELECTIVE): False})
    reset = {snake(name): name == "resetApprovalsOnPush" for name in _FLAGS if name != _FLAGS[-1]}
    gitlab.post(_approvals(data.id), reset)


# -- rules ------------------------------------------------------------------------------------------------------------

_SETS: Final = ("userIds", "groupIds", "protectedBranchIds")
_ON_CREATE: Final = "disableImportingDefaultAnyApproverRuleOnCreate"

RULE: Final = framework.resource(
    "gitlab:index/projectApprovalRule:ProjectApprovalRule",
    sets=_SETS,
    autoname=("name",),
    default={_ON_CREATE: False, "appliesToAllProtectedBranches": False},
    kept=("ruleType", "reportType", *_SETS),
    conflicts={
        "protectedBranchIds": ("appliesToAllProtectedBranches",),
        "appliesToAllProtectedBranches": ("protectedBranchIds",),
    },
    required_with={"reportType": ("ruleType",)},
    validate={
        "ruleType": framework.one_of("rule_type", "regular", "any_approver", "report_approver"),
        "reportType": framework.one_of("report_type", "code_coverage"),
    },
)


def _rules(project: str, rule: int | str = "") -> str:
    path = f"projects/{segment(project)}/approval_rules"
    return f"{path}/{rule}" if rule else path


def _rule_body(data: Data) -> Properties:
    return {
        "name": data.get("name"),
        "approvals_required": data.get("approvalsRequired"),
        **{snake(name): data.raw(name) for name in _SETS if data.raw(name) is not None},
        "applies_to_all_protected_branches": data.get("appliesToAllProtectedBranches"),
    }


def _default_rule(gitlab: GitLab, project: str) -> int | None:
    """Return the `any_approver` rule a project has, when it asks for nobody yet."""
    for rule in gitlab.all(_rules(project)):
        if rule["rule_type"] == "any_approver":
            return int(rule["id"]) if rule["approvals_required"] == 0 else None
    return None


def _create_rule(data: Data, gitlab: GitLab) -> None:
    project, kind, body = data.get("project"), data.get("ruleType"), _rule_body(data)
    taken = None
    if kind == "any_approver" and not data.get(_ON_CREATE):
        taken = _default_rule(gitlab, project)
    if taken is not None:
        rule = gitlab.put(_rules(project, taken), body)
    else:
        if kind:
            body["rule_type"] = kind
        if data.get("reportType"):
            if kind != "report_approver":
                raise PluginError("rule_type incorrect: rule_type should be set to `report_approver`")
            if data.get("name") != "Coverage-Check":
                raise PluginError(
                    "name incorrect: if rule_type is `report_approver` then name should be set to 'Coverage-Check'"
                )
            body["report_type"] = data.get("reportType")
        rule = gitlab.post(_rules(project), body)
    _take_rule(data, project, rule)


def _read_rule(data: Data, gitlab: GitLab) -> None:
    project, text = parts(data.id, "project", "rule_id")
    rule = gitlab.find(_rules(project, number(text, "rule id")))
    if rule is None:
        data.id = ""
        return
    _take_rule(data, project, rule)


def _take_rule(data: Data, project: str, rule: Properties) -> None:
    data.id = f"{project}:{rule['id']}"
    data.set("project", project)
    data.set("name", rule["name"])
    data.set("approvalsRequired", rule["approvals_required"])
    data.set("ruleType", rule.get("rule_type") or "")
    data.set("reportType", rule.get("report_type") or "")
    everywhere = bool(rule.get("applies_to_all_protected_branches"))
    data.set("appliesToAllProtectedBranches", everywhere)
    data.set("groupIds", [item["id"] for item in rule.get("groups") or []])
    data.set("userIds", [item["id"] for item in rule.get("users") or []])
    # A rule for all protected branches lists each: that is not what the program said.
    branches = [] if everywhere else rule.get("protected_branches") or []
    data.set("protectedBranchIds", [item["id"] for item in branches])
    data.set(_ON_CREATE, bool(data.raw(_ON_CREATE)))


def _update_rule(data: Data, gitlab: GitLab) -> None:
    project, text = parts(data.id, "project", "rule_id")
    _take_rule(data, project, gitlab.put(_rules(project, number(text, "rule id")), _rule_body(data)))


def _delete_rule(data: Data, gitlab: GitLab) -> None:
    project, text = parts(data.id, "project", "rule_id")
    gitlab.delete(_rules(project, number(text, "rule id")))


RESOURCES: Final = {
    SETTINGS.token: Resource(
        SETTINGS,
        _write_settings,
        _read_settings,
        _write_settings,
        _delete_settings,
        customise=framework.replacing("project"),
    ),
    RULE.token: Resource(
        RULE,
        _create_rule,
        _read_rule,
        _update_rule,
        _delete_rule,
        customise=framework.replacing("project", "ruleType", "reportType"),
    ),
}

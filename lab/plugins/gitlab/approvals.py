"""How many must approve a merge request (paid editions)."""

from __future__ import annotations

from typing import Final

from lab.plugins import framework
from lab.plugins.bridge import Resource
from lab.plugins.fields import fields, snake
from lab.plugins.gitlab.client import GitLab, segment
from lab.plugins.gitlab.items import Item
from lab.plugins.items import table
from lab.plugins.planning import Data
from lab.plugins.server import PluginError, refused
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
    with refused("couldn't create approval configuration"):
        found = gitlab.post(_approvals(project), body)
        if data.get(_SELECTIVE):
            found = gitlab.post(_approvals(project), selective)
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


class _Rule(Item):
    def creation(self, data: Data) -> Properties:
        kind, report = data.get("ruleType"), data.get("reportType")
        if report and kind != "report_approver":
            raise PluginError("rule_type incorrect: rule_type should be set to `report_approver`")
        if report and data.get("name") != "Coverage-Check":
            raise PluginError(
                "name incorrect: if rule_type is `report_approver` then name should be set to 'Coverage-Check'"
            )
        return {
            **self.body(data),
            **({"rule_type": kind} if kind else {}),
            **({"report_type": report} if report else {}),
        }

    def create(self, data: Data, gitlab: GitLab) -> None:
        """Make it, or take over the `any_approver` rule a project has, when that asks for nobody yet."""
        project = data.get("project")
        if data.get("ruleType") == "any_approver" and not data.get(_ON_CREATE):
            for rule in gitlab.all(self.path(project)):
                if rule["rule_type"] == "any_approver" and rule["approvals_required"] == 0:
                    self.take_of(project, data, gitlab.put(self.path(project, rule["id"]), self.body(data)), gitlab)
                    return
        super().create(data, gitlab)

    def take(self, data: Data, found: Properties, gitlab: GitLab) -> None:
        super().take(data, found, gitlab)
        data.set("groupIds", [item["id"] for item in found.get("groups") or []])
        data.set("userIds", [item["id"] for item in found.get("users") or []])
        # A rule for all protected branches lists each: that is not what the program said.
        everywhere = data.get("appliesToAllProtectedBranches")
        branches = [] if everywhere else found.get("protected_branches") or []
        data.set("protectedBranchIds", [item["id"] for item in branches])
        data.set(_ON_CREATE, bool(data.raw(_ON_CREATE)))


_RULE: Final = _Rule(
    shape=framework.resource(
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
    ),
    root="projects",
    collection="approval_rules",
    owner="project",
    id=("project", "rule_id"),
    numbers=("", "rule id"),
    always=fields("name", "approvalsRequired", "appliesToAllProtectedBranches"),
    written=fields(*_SETS),
    read_back=fields("ruleType", "reportType"),
    replacing=("project", "ruleType", "reportType"),
)

RESOURCES: Final = {
    **table(_RULE),
    SETTINGS.token: Resource(
        SETTINGS,
        _write_settings,
        _read_settings,
        _write_settings,
        _delete_settings,
        customise=framework.replacing("project"),
    ),
}

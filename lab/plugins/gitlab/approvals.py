"""Approvals of merge requests: a project's settings and rules (paid editions)."""

from __future__ import annotations

from typing import Final

from lab.plugins import framework
from lab.plugins.fields import fields
from lab.plugins.gitlab.client import GitLabPluginClient
from lab.plugins.gitlab.items import GitLabItem, ProjectPart
from lab.plugins.items import table
from lab.plugins.planning import Data
from lab.plugins.wire import Properties

# -- a project's settings ---------------------------------------------------------------------------------------------

_FLAGS: Final = (
    "resetApprovalsOnPush", "disableOverridingApproversPerMergeRequest", "mergeRequestsAuthorApproval",
    "mergeRequestsDisableCommittersApproval", "requirePasswordToApprove", "requireReauthenticationToApprove",
)  # fmt: skip


class _Settings(ProjectPart):
    def update(self, data: Data, client: GitLabPluginClient) -> None:
        """Set them; GitLab creates and changes them by the same request."""
        self.create(data, client)

    def delete(self, data: Data, client: GitLabPluginClient) -> None:
        """Restore the values of a new project."""
        names = fields(*(name for name in _FLAGS if name != "requireReauthenticationToApprove"))
        client.post(self.path(data.id), {field: name == "resetApprovalsOnPush" for name, field in names.items()})


_SETTINGS: Final = _Settings(
    shape=framework.resource("gitlab:index/projectLevelMrApprovals:ProjectLevelMrApprovals", kept=_FLAGS),
    collection="approvals",
    sent=fields(*_FLAGS),
    refused={"create": "couldn't create approval configuration"},
)

# -- rules ------------------------------------------------------------------------------------------------------------

_SETS: Final = ("userIds", "groupIds", "protectedBranchIds")


class _Rule(GitLabItem):
    def creation(self, data: Data) -> Properties:
        kind = data.get("ruleType")
        return {**self.body(data), **({"rule_type": kind} if kind else {})}

    def create(self, data: Data, gitlab: GitLabPluginClient) -> None:
        """Create it, or adopt a project's `any_approver` rule if that requires no approval yet."""
        project = data.get("project")
        if data.get("ruleType") == "any_approver":
            for rule in gitlab.all(self.path(project)):
                if rule["rule_type"] == "any_approver" and rule["approvals_required"] == 0:
                    self.take_of(project, data, gitlab.put(self.path(project, rule["id"]), self.body(data)), gitlab)
                    return
        super().create(data, gitlab)

    def take(self, data: Data, found: Properties, gitlab: GitLabPluginClient) -> None:
        super().take(data, found, gitlab)
        data.set("groupIds", [item["id"] for item in found.get("groups") or []])
        data.set("userIds", [item["id"] for item in found.get("users") or []])
        # GitLab lists each branch for a rule on all protected branches; the program does not.
        everywhere = data.get("appliesToAllProtectedBranches")
        branches = [] if everywhere else found.get("protected_branches") or []
        data.set("protectedBranchIds", [item["id"] for item in branches])


_RULE: Final = _Rule(
    shape=framework.resource(
        "gitlab:index/projectApprovalRule:ProjectApprovalRule",
        sets=_SETS,
        autoname=("name",),
        default={"appliesToAllProtectedBranches": False},
        kept=("ruleType", *_SETS),
        conflicts={
            "protectedBranchIds": ("appliesToAllProtectedBranches",),
            "appliesToAllProtectedBranches": ("protectedBranchIds",),
        },
        validate={"ruleType": framework.one_of("rule_type", "regular", "any_approver", "report_approver")},
    ),
    root="projects",
    collection="approval_rules",
    owner="project",
    id=("project", "rule_id"),
    numbers=("", "rule id"),
    always=fields("name", "approvalsRequired", "appliesToAllProtectedBranches"),
    written=fields(*_SETS),
    read_back=fields("ruleType"),
    replacing=("project", "ruleType", "reportType"),
)

RESOURCES: Final = table(_RULE, _SETTINGS)

"""Features of GitLab's premium edition and above: approvals, push rules, protected environments."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi_gitlab as gitlab

from components.base import Component


def guard_merges(owner: Component, name: str, project: gitlab.Project, provider: gitlab.Provider) -> None:
    """Require one approval by a person who wrote none of the commits, and refuse pushes that contain known secrets.

    Nobody can change the approvers of a single merge request, or push without one: see `protect_branch`.
    """
    gitlab.ProjectLevelMrApprovals(
        f"{name}/approvals",
        project=project.id,
        merge_requests_author_approval=False,
        merge_requests_disable_committers_approval=True,
        disable_overriding_approvers_per_merge_request=True,
        reset_approvals_on_push=True,
        opts=owner.child(provider, parent=project),
    )
    gitlab.ProjectApprovalRule(
        f"{name}/approval-rule",
        project=project.id,
        name="Any approver",
        rule_type="any_approver",
        approvals_required=1,
        opts=owner.child(provider, parent=project),
    )
    gitlab.ProjectPushRules(
        f"{name}/push-rules",
        project=project.id,
        prevent_secrets=True,
        opts=owner.child(provider, parent=project),
    )


def guard_deployments(
    owner: Component,
    name: str,
    project: gitlab.Project,
    environments: Mapping[str, gitlab.ProjectEnvironment],
    provider: gitlab.Provider,
) -> None:
    """Allow only maintainers to deploy to these environments."""
    for environment, made in environments.items():
        gitlab.ProjectProtectedEnvironment(
            f"{name}/environment/{environment}/protection",
            project=project.id,
            environment=made.name,
            deploy_access_levels_attributes=[
                gitlab.ProjectProtectedEnvironmentDeployAccessLevelsAttributeArgs(access_level="maintainer")
            ],
            opts=owner.child(provider, parent=made, deleted_with=made, delete_before_replace=True),
        )

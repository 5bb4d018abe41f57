"""Protected branches, in the words that each edition of GitLab takes."""

from __future__ import annotations

from typing import Any

import pulumi_gitlab as gitlab

from components.base import Component
from usine.spec.settings import Edition, Settings


def protect_branch(
    owner: Component,
    name: str,
    project: gitlab.Project,
    branch: str,
    settings: Settings,
    provider: gitlab.Provider,
    *,
    allow_force_push: bool = False,
) -> None:
    """Let only maintainers push to a branch and merge into it."""
    gitlab.BranchProtection(
        f"{name}/branch/{branch}",
        project=project.id,
        branch=branch,
        **_maintainers_only(settings.gitlab.edition),
        allow_force_push=allow_force_push,
        # A branch has one protection, and another level replaces it.
        opts=owner.child(provider, parent=project, delete_before_replace=True),
    )


def _maintainers_only(edition: Edition) -> dict[str, Any]:
    """The provider takes one of two words for it, by the edition."""
    if edition is Edition.COMMUNITY:
        return {"push_access_level": "maintainer", "merge_access_level": "maintainer"}
    return {
        "allowed_to_pushes": [gitlab.BranchProtectionAllowedToPushArgs(access_level="maintainer")],
        "allowed_to_merges": [gitlab.BranchProtectionAllowedToMergeArgs(access_level="maintainer")],
    }

"""Protected branches, in the words that each edition of GitLab takes."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_gitlab as gitlab

from components.base import Component
from model.settings import Edition, Settings


def protect_branch(
    owner: Component,
    name: str,
    project: gitlab.Project,
    branch: str,
    settings: Settings,
    provider: gitlab.Provider,
    *,
    allow_force_push: bool = False,
    only_merges: bool = False,
    after: pulumi.Resource | None = None,
) -> None:
    """Let only maintainers merge into a branch and, unless `only_merges`, push to it; `after` is committed before."""
    gitlab.BranchProtection(
        f"{name}/branch/{branch}",
        project=project.id,
        branch=branch,
        **_maintainers_only(settings.gitlab.edition, push="no one" if only_merges else "maintainer"),
        allow_force_push=allow_force_push,
        # A branch has one protection, and another level replaces it.
        opts=owner.child(provider, parent=project, delete_before_replace=True, depends_on=[after] if after else None),
    )


def _maintainers_only(edition: Edition, push: str) -> dict[str, Any]:
    """The provider takes one of two words for it, by the edition."""
    if edition is Edition.COMMUNITY:
        return {"push_access_level": push, "merge_access_level": "maintainer"}
    return {
        "allowed_to_pushes": [gitlab.BranchProtectionAllowedToPushArgs(access_level=push)],
        "allowed_to_merges": [gitlab.BranchProtectionAllowedToMergeArgs(access_level="maintainer")],
    }

"""Protected branches, with the arguments that each edition of GitLab accepts."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_gitlab as gitlab

from components.base import Component
from model.settings import Edition


def protect_branch(
    owner: Component,
    name: str,
    project: gitlab.Project,
    branch: str,
    edition: Edition,
    provider: gitlab.Provider,
    *,
    allow_force_push: bool = False,
    only_merges: bool = False,
    only_administrators: bool = False,
    after: pulumi.Resource | None = None,
) -> None:
    """Allow only maintainers to merge into a branch and to push to it.

    With `only_merges`, nobody pushes. With `only_administrators`, only administrators of GitLab do either. `after` is a
    commit that has to be on the branch before.
    """
    merge = "admin" if only_administrators else "maintainer"
    gitlab.BranchProtection(
        f"{name}/branch/{branch}",
        project=project.id,
        branch=branch,
        **_levels(edition, push="no one" if only_merges else merge, merge=merge),
        allow_force_push=allow_force_push,
        # A branch has only one protection, and a changed level replaces it.
        opts=owner.child(provider, parent=project, delete_before_replace=True, depends_on=[after] if after else None),
    )


def _levels(edition: Edition, push: str, merge: str) -> dict[str, Any]:
    """Return the provider's arguments: they are different in the community edition."""
    if edition is Edition.COMMUNITY:
        return {"push_access_level": push, "merge_access_level": merge}
    return {
        "allowed_to_pushes": [gitlab.BranchProtectionAllowedToPushArgs(access_level=push)],
        "allowed_to_merges": [gitlab.BranchProtectionAllowedToMergeArgs(access_level=merge)],
    }

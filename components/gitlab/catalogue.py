"""The catalogue of CI presets: a project in the platform's own group, and the tag by which pipelines include its files.

Pipelines of tenants include what a run of Usine published, not the head of a branch: a push to the project, even by the
platform team, does not change a pipeline before a run has created a tag for it (issue 11.A15).
"""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_gitlab as gitlab

from components.base import Component, number
from components.gitlab.operations import NO_PIPELINE_VARIABLES
from components.gitlab.protection import protect_branch
from model.naming import CATALOGUE_PROJECT, catalogue_tag
from model.settings import GitLabSettings

_BRANCH = "main"


def publish_catalogue(
    owner: Component,
    name: str,
    platform: gitlab.Group,
    catalogue: Mapping[str, str],
    settings: GitLabSettings,
    provider: gitlab.Provider,
) -> pulumi.Output[str]:
    """Create the project with the catalogue's files, and return their tag once it exists."""
    project = gitlab.Project(
        name,
        name=CATALOGUE_PROJECT,
        path=CATALOGUE_PROJECT,
        namespace_id=number(platform.id),
        description="CI presets of the platform, included by the tenants' pipelines",
        # A person who runs a pipeline must be able to read what it includes.
        visibility_level="internal",
        default_branch=_BRANCH,
        initialize_with_readme=True,
        ci_pipeline_variables_minimum_override_role=NO_PIPELINE_VARIABLES,
        opts=owner.child(provider, parent=platform, protect=True),
    )
    protect_branch(owner, name, project, _BRANCH, settings.edition, provider)
    files = dict(sorted(catalogue.items()))
    tag = catalogue_tag(files)
    before: list[pulumi.Resource] = []
    for path, text in files.items():
        # Each file is a commit. They are created one after the other: GitLab refuses a commit on an outdated branch.
        file = gitlab.RepositoryFile(
            f"{name}/{path}",
            project=project.id,
            branch=_BRANCH,
            file_path=path,
            content=text,
            encoding="text",
            # The message is different for each tag, so the engine writes every file again. The tag then has these
            # contents, even if somebody changed a file on the branch.
            commit_message=f"Publish {path} for {tag}",
            overwrite_on_create=True,
            opts=owner.child(provider, parent=project, depends_on=before[-1:]),
        )
        before.append(file)
    protection = gitlab.TagProtection(
        f"{name}/tag/*",
        project=project.id,
        tag="*",
        # Members are of the platform team only: no tenant file adds one. Nobody can move a protected tag.
        create_access_level="maintainer",
        # A tag has only one protection, and a changed level replaces it.
        opts=owner.child(provider, parent=project, delete_before_replace=True),
    )
    made = gitlab.ProjectTag(
        # A resource per tag: the new tag exists before anything names it, and the old one leaves the state afterwards.
        f"{name}/version/{tag}",
        project=project.id,
        name=tag,
        # GitLab resolves the branch when it creates the tag: to the commit of the last file. The tag never moves.
        ref=_BRANCH,
        opts=pulumi.ResourceOptions.merge(
            owner.child(provider, parent=project, depends_on=[*before, protection]),
            # Old tags stay in GitLab: running pipelines name them, and tenants that are not updated yet.
            pulumi.ResourceOptions(retain_on_delete=True),
        ),
    )
    return made.name

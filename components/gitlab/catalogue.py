"""The catalogue of CI presets: a project of the platform's own group, and the tag by which pipelines include its files.

What runs in every tenant's pipelines is what was published by a run, not what stands on a branch: nobody's push, the
platform's own included, reaches a pipeline before a run has tagged it (issue 11.A15).
"""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_gitlab as gitlab

from components.base import Component, number
from components.gitlab.operations import NO_PIPELINE_VARIABLES
from components.gitlab.protection import protect_branch
from model.naming import CATALOGUE_PROJECT, catalogue_tag
from model.settings import Settings

_BRANCH = "main"
#: Stands in the catalogue's files for the image that the settings name.
_TOOLS_IMAGE = "$USINE_TOOLS_IMAGE"


def publish_catalogue(
    owner: Component,
    name: str,
    platform: gitlab.Group,
    catalogue: Mapping[str, str],
    settings: Settings,
    provider: gitlab.Provider,
) -> pulumi.Output[str]:
    """Make the project with the catalogue's files, and return their tag once it is there."""
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
    protect_branch(owner, name, project, _BRANCH, settings, provider)
    files = {path: published(text, settings) for path, text in sorted(catalogue.items())}
    tag = catalogue_tag(files)
    before: list[pulumi.Resource] = []
    for path, text in files.items():
        # One after the other: each is a commit, and GitLab refuses one that another overtook.
        file = gitlab.RepositoryFile(
            f"{name}/{path}",
            project=project.id,
            branch=_BRANCH,
            file_path=path,
            content=text,
            encoding="text",
            # Another for each tag, so that each file is written again, whatever somebody made of it on the branch: the
            # tag has what stands here.
            commit_message=f"Publish {path} for {tag}",
            overwrite_on_create=True,
            opts=owner.child(provider, parent=project, depends_on=before[-1:]),
        )
        before.append(file)
    protection = gitlab.TagProtection(
        f"{name}/tag/*",
        project=project.id,
        tag="*",
        # The platform is: no tenant file makes anybody a member there. GitLab moves a protected tag for nobody.
        create_access_level="maintainer",
        # A tag has one protection, and another level replaces it.
        opts=owner.child(provider, parent=project, delete_before_replace=True),
    )
    made = gitlab.ProjectTag(
        # A resource for each tag: a new one is made before anything names it, and then the old one is let go.
        f"{name}/version/{tag}",
        project=project.id,
        name=tag,
        # Resolved when the tag is made: the commit of the last of the files, and never another one after that.
        ref=_BRANCH,
        opts=pulumi.ResourceOptions.merge(
            owner.child(provider, parent=project, depends_on=[*before, protection]),
            # The old tags stay: pipelines that run and tenants whose own run is still to come name them.
            pulumi.ResourceOptions(retain_on_delete=True),
        ),
    )
    return made.name


def published(text: str, settings: Settings) -> str:
    """Return a file of the catalogue as it is published: with the image of tools in place of its name."""
    image = settings.gitlab.tools_image
    return text if image is None else text.replace(f"image: {_TOOLS_IMAGE}\n", f"image: {image}\n")

"""The repositories of zones whose clusters pull their objects (docs/zones.md).

`usine up` commits the manifests, as an administrator, and nobody else pushes to the branch. The Argo CD of a zone reads
it with a deploy token. With an access token it reports what it has synchronized: the bot of that token is a developer,
because GitLab lets no lower level set the status of a commit, and it cannot change the branch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gitlab as gitlab

from components.base import Component, UserPassword, number, secret
from components.gitlab.operations import NO_PIPELINE_VARIABLES
from components.gitlab.protection import protect_branch
from model.settings import Credential, GitLabSettings
from model.zone_naming import ZONE_BRANCH, ZONES_GROUP

#: Lifetime of the token that reports, and how long before its end `up` renews it, in days.
_TOKEN_DAYS, _ROTATION_DAYS = 90, 30


@dataclass(frozen=True, slots=True)
class GitLabZonesArgs:
    """`platform` is the id of the platform's group. There is a deploy token for each of `credentials`."""

    provider: gitlab.Provider
    settings: GitLabSettings
    platform: pulumi.Output[int]
    zones: Sequence[str]
    credentials: Sequence[Credential]


class GitLabZones(Component):
    """A private group, and in it a repository per zone.

    `readers` are the credentials that read, `reporters` the tokens that report, both by zone and secret.
    """

    system = "gitlab"
    readers: Mapping[str, UserPassword]
    reporters: Mapping[str, pulumi.Output[str]]

    def __init__(self, name: str, args: GitLabZonesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register the group, the repositories and their credentials."""
        super().__init__(name, opts)
        self._args = args
        group = gitlab.Group(
            f"{name}/group",
            name="Zones",
            path=ZONES_GROUP,
            parent_id=args.platform,
            description="Manifests that the Argo CD of a zone pulls",
            visibility_level="private",
            request_access_enabled=False,
            project_creation_level="owner",
            subgroup_creation_level="owner",
            auto_devops_enabled=False,
            share_with_group_lock=True,
            # What somebody pushes with the token that reports is not run.
            shared_runners_setting="disabled_and_unoverridable",
            opts=self.child(args.provider, protect=True),
        )
        readers, reporters = {}, {}
        for zone in args.zones:
            project = self._project(f"{name}/{zone}", zone, group)
            readers[zone] = self._reader(f"{name}/{zone}", project)
            reporters[zone] = self._reporter(f"{name}/{zone}", project)
        self.readers, self.reporters = readers, reporters
        self.register_outputs({})

    def _project(self, name: str, zone: str, group: gitlab.Group) -> gitlab.Project:
        provider = self._args.provider
        project = gitlab.Project(
            f"{name}/project",
            name=zone,
            path=zone,
            namespace_id=number(group.id),
            description=f"What the clusters of zone {zone} pull. Written by usine: a change made here is undone",
            visibility_level="private",
            default_branch=ZONE_BRANCH,
            initialize_with_readme=True,
            request_access_enabled=False,
            forking_access_level="disabled",
            auto_devops_enabled=False,
            shared_runners_enabled=False,
            # Never "disabled": GitLab would refuse the status of a commit.
            builds_access_level="private",
            ci_pipeline_variables_minimum_override_role=NO_PIPELINE_VARIABLES,
            opts=self.child(provider, parent=group),
        )
        protect_branch(
            self, name, project, ZONE_BRANCH, self._args.settings.edition, provider, only_administrators=True
        )
        return project

    def _reader(self, name: str, project: gitlab.Project) -> UserPassword:
        """Create a deploy token per credential generation, and return the last one."""
        tokens = [
            gitlab.ProjectDeployToken(
                f"{name}/deploy-token/{credential.name}",
                project=project.id,
                name=f"argocd-{credential.name}",
                scopes=["read_repository"],
                expires_at=f"{credential.until}T23:59:59Z" if credential.until else None,
                # As for other deploy tokens (components/gitlab/repository.py): GitLab returns another offset.
                opts=pulumi.ResourceOptions.merge(
                    self.child(self._args.provider, parent=project),
                    pulumi.ResourceOptions(
                        ignore_changes=["expiresAt"],
                        replacement_trigger=credential.until.isoformat() if credential.until else "never",
                    ),
                ),
            )
            for credential in self._args.credentials
        ]
        return UserPassword(tokens[-1].username, secret(tokens[-1].token))

    def _reporter(self, name: str, project: gitlab.Project) -> pulumi.Output[str]:
        token = gitlab.ProjectAccessToken(
            f"{name}/report-token",
            project=project.id,
            name="usine-report",
            description="Reports what the zone's Argo CD has synchronized",
            access_level="developer",
            scopes=["api"],
            rotation_configuration=gitlab.ProjectAccessTokenRotationConfigurationArgs(
                expiration_days=_TOKEN_DAYS, rotate_before_days=_ROTATION_DAYS
            ),
            opts=self.child(self._args.provider, parent=project),
        )
        return secret(token.token)

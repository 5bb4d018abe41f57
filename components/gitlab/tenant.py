"""GitLab's part of a tenant: its group with the members of the file, and its projects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gitlab as gitlab

from components.base import Component, FoundationRefs, UserPassword, number
from components.gitlab.levels import access_level, is_stronger
from components.gitlab.operations import GitLabOperations, OperationsArgs, has_scheduled_work
from components.gitlab.repository import TenantRepository, TenantRepositoryArgs
from components.gitlab.variables import pipeline_variables
from model.lifecycle import protects_data
from model.naming import (
    OPERATIONS_COMPONENT,
    PENDING_PEOPLE,
    names_of,
)
from model.settings import Edition, Settings, System
from model.tenant import Repository, Tenant


@dataclass(frozen=True, slots=True)
class GitLabTenantArgs:
    """What one tenant's group needs. `owner` is GitLab as the account that owns the platform's schedules."""

    tenant: Tenant
    settings: Settings
    provider: gitlab.Provider
    refs: FoundationRefs
    owner: gitlab.Provider | None = None


class GitLabTenant(Component):
    """The tenant's group with exactly the members of the file, and its projects.

    `group` is the group's id, `operations` that of the project of the platform's scheduled work, `publishers` those of
    the projects whose protected pipelines publish. `readers` is the credential that reads an infra repository, and
    `mirrors` the token that pushes to a mirrored one, both by repository and both always secret.
    """

    system = "gitlab"
    group: pulumi.Output[int]
    operations: pulumi.Output[int] | None
    publishers: Sequence[pulumi.Output[int]]
    readers: Mapping[str, UserPassword]
    mirrors: Mapping[str, pulumi.Output[str]]

    def __init__(self, name: str, args: GitLabTenantArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register group, members, variables and projects."""
        super().__init__(name, opts)
        self._args = args
        project, provider = args.tenant, args.provider
        root = args.refs.forge_root
        if root is None:
            raise ValueError("GitLab is on, but nothing says which group the tenants are below")
        if args.refs.catalogue_tag is None:
            raise ValueError("GitLab is on, but nothing says which tag of the catalogue pipelines include")
        self._catalogue_tag = pulumi.Output.from_input(args.refs.catalogue_tag)
        group = gitlab.Group(
            f"{name}/group",
            # Names are unique below a parent, and two tenants may well carry the same one.
            name=project.slug,
            path=project.slug,
            parent_id=root,
            description=project.description or project.name,
            visibility_level="private",
            request_access_enabled=False,
            share_with_group_lock=True,
            project_creation_level="owner",
            subgroup_creation_level="owner",
            auto_devops_enabled=False,
            # Members come by the file, to the group: none is added to a project.
            membership_lock=True if args.settings.gitlab.edition is Edition.PREMIUM else None,
            opts=self.child(provider, protect=protects_data(project)),
        )
        self.group = number(group.id)
        self._members(name, group)
        gitlab.GroupVariable(
            f"{name}/variable/USINE_TENANT",
            group=group.id,
            key="USINE_TENANT",
            value=project.slug,
            opts=self.child(provider, parent=group),
        )
        repositories = {r.name: self._repository(name, group, r) for r in project.repositories}
        self.readers = {r: made.reader for r, made in repositories.items() if made.reader is not None}
        # What others write publishes nothing.
        self.publishers = [repositories[r.name].id for r in project.repositories if r.mirror is None]
        self.mirrors = {r: made.mirror for r, made in repositories.items() if made.mirror is not None}
        self.operations = self._operations(name)
        self.register_outputs({"group": self.group})

    def _members(self, name: str, group: gitlab.Group) -> None:
        project, refs = self._args.tenant, self._args.refs
        for person in sorted(project.people):
            level = access_level(project, person)
            if level is None or person not in refs.forge_users:
                continue
            above = refs.forge_levels.get(person, "")
            if is_stronger(above, level):
                root = self._args.settings.gitlab.root
                pulumi.log.warn(
                    f"{PENDING_PEOPLE}gitlab: {person} is {above} of the group {root}, so of this tenant's group, and "
                    f"GitLab refuses to make them its {level}: take them out of {root}",
                    group,
                )
                continue
            gitlab.GroupMembership(
                f"{name}/member/{person}",
                group_id=self.group,
                user_id=refs.forge_users[person],
                access_level=level,
                opts=self.child(self._args.provider, parent=group),
            )

    def _repository(self, name: str, group: gitlab.Group, repository: Repository) -> TenantRepository:
        return TenantRepository(
            f"{name}/{repository.name}",
            TenantRepositoryArgs(
                self._args.tenant,
                repository,
                self._args.settings,
                self._args.provider,
                self.group,
                self._catalogue_tag,
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[group]),
        )

    def _operations(self, name: str) -> pulumi.Output[int] | None:
        """Create the project of the platform's scheduled work for the tenant, where there is any."""
        args = self._args
        if args.owner is None or args.refs.forge_operations is None or not has_scheduled_work(args.tenant):
            return None
        return GitLabOperations(
            f"{name}/{OPERATIONS_COMPONENT}",
            OperationsArgs(
                args.tenant,
                args.settings,
                args.provider,
                args.owner,
                args.refs.forge_operations,
                self.group,
                pipeline_variables(args.settings),
                self._catalogue_tag,
            ),
            pulumi.ResourceOptions(parent=self),
        ).project


def group_url(settings: Settings, tenant: Tenant) -> str:
    """Address of the tenant's group, for people."""
    return f"{settings.endpoints[System.GITLAB].url}/{names_of(tenant).forge_group(settings.gitlab.root)}"

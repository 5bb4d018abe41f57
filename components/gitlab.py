"""GitLab: accounts, root groups and the CI catalogue for everyone; a group with its projects for a tenant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import pulumi
import pulumi_gitlab as gitlab

from components.base import Component, FoundationRefs, UserPassword, number
from components.gitlab_catalogue import publish_catalogue
from components.gitlab_operations import GitLabOperations, OperationsArgs, has_scheduled_work
from components.gitlab_repository import TenantRepository, TenantRepositoryArgs
from components.people import LOGIN_PROVIDER
from usine.access import rights_of
from usine.lifecycle import protects_data
from usine.naming import (
    CATALOGUE_TAG_VARIABLE,
    OPERATIONS_ACCOUNT,
    OPERATIONS_COMPONENT,
    OPERATIONS_GROUP,
    PENDING_PEOPLE,
    PIPELINE_AUTH_PATH,
    catalogue_path,
    names_of,
)
from usine.spec.model import Project, Repository, Right
from usine.spec.settings import Edition, Settings, System

#: The level in the tenant's group that a right is, the strongest first. Nobody of a tenant owns the group: its shape
#: comes from the tenant file.
ACCESS_LEVELS: Mapping[Right, str] = {
    Right.GITLAB_MAINTAINER: "maintainer",
    Right.GITLAB_DEVELOPER: "developer",
    Right.GITLAB_REPORTER: "reporter",
}
#: The levels in the root group that may be above a tenant's, as the plugin names them, the strongest first.
_STRONGEST_FIRST = ("owner", *ACCESS_LEVELS.values())


def access_level(project: Project, person: str) -> str | None:
    """Return the level of a person in the tenant's group, by the strongest of their rights; None without one."""
    rights = rights_of(project, person)
    return next((level for right, level in ACCESS_LEVELS.items() if right in rights), None)


def _is_more(level: str, other: str) -> bool:
    return level in _STRONGEST_FIRST and _STRONGEST_FIRST.index(level) < _STRONGEST_FIRST.index(other)


@dataclass(frozen=True, slots=True)
class GitLabFoundationArgs:
    """`people` are all user names of all tenants; `catalogue` the text of the CI catalogue's files by their path.

    `users` is the account id by user name where the platform makes no accounts, None where it does.
    """

    settings: Settings
    provider: gitlab.Provider
    people: frozenset[str]
    catalogue: Mapping[str, str]
    users: Mapping[str, pulumi.Output[int]] | None = None


class GitLabFoundation(Component):
    """Accounts, the group all tenants are below, and the catalogue of CI presets in the platform's own group.

    `root` is the id of the tenants' root group, `operations` that of the group of the platform's scheduled work once
    its account may work there, `users` the account id by user name, `catalogue_tag` the tag of the catalogue once it is
    there.
    """

    system = "gitlab"
    root: pulumi.Output[int]
    operations: pulumi.Output[int]
    users: Mapping[str, pulumi.Output[int]]
    catalogue_tag: pulumi.Output[str]

    def __init__(self, name: str, args: GitLabFoundationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register groups, catalogue, variables and accounts."""
        super().__init__(name, opts)
        self._args = args
        settings = args.settings.gitlab
        root = self._group(f"{name}/root", settings.root, "Tenants", visibility="private", locks=True)
        platform = self._group(f"{name}/platform", settings.platform, "Platform", visibility="internal")
        self.root = number(root.id)
        self.catalogue_tag = publish_catalogue(
            self, f"{name}/catalogue", platform, args.catalogue, args.settings, args.provider
        )
        self.operations = self._operations(name, platform)
        variables: dict[str, pulumi.Input[str]] = {**pipeline_variables(args.settings)}
        for key, value in {**variables, CATALOGUE_TAG_VARIABLE: self.catalogue_tag}.items():
            gitlab.GroupVariable(
                f"{name}/variable/{key}",
                group=root.id,
                key=key,
                value=value,
                opts=self.child(args.provider, parent=root),
            )
        self.users = (
            {person: self._account(name, person) for person in sorted(args.people)}
            if args.users is None
            else args.users
        )
        self.register_outputs({"root": self.root})

    def _group(
        self,
        name: str,
        path: str,
        title: str,
        *,
        visibility: str,
        parent: gitlab.Group | None = None,
        locks: bool = False,
    ) -> gitlab.Group:
        """Create a group of the platform's; `locks` keep those below to themselves.

        The platform's own has none: the projects of scheduled work are shared with the tenants' groups.
        """
        settings = self._args.settings.gitlab
        premium = settings.edition is Edition.PREMIUM
        return gitlab.Group(
            name,
            name=title,
            path=path,
            parent_id=number(parent.id) if parent else None,
            visibility_level=visibility,
            request_access_enabled=False,
            project_creation_level="owner",
            subgroup_creation_level="owner",
            auto_devops_enabled=False,
            share_with_group_lock=locks,
            # Of the top group: it holds for all groups and projects below.
            prevent_sharing_groups_outside_hierarchy=locks if parent is None else None,
            membership_lock=True if locks and premium else None,
            prevent_forking_outside_group=True if locks and premium else None,
            # Members of the groups below must have one, too.
            require_two_factor_authentication=settings.second_factor if parent is None else None,
            opts=self.child(self._args.provider, parent=parent, protect=True),
        )

    def _operations(self, name: str, platform: gitlab.Group) -> pulumi.Output[int]:
        """Create the group of the platform's scheduled work, and the account that owns the schedules.

        Nobody logs in as that account: it has no identity to log in by, no token, a password that nobody knows and an
        address that takes no mail.
        """
        provider = self._args.provider
        group = self._group(
            f"{name}/operations", OPERATIONS_GROUP, "Scheduled work for tenants", visibility="private", parent=platform
        )
        account = gitlab.User(
            f"{name}/operations/account",
            username=OPERATIONS_ACCOUNT,
            name="Usine, scheduled work",
            email=f"{OPERATIONS_ACCOUNT}@usine.invalid",
            force_random_password=True,
            skip_confirmation=True,
            can_create_group=False,
            projects_limit=0,
            opts=self.child(provider, parent=group),
        )
        member = gitlab.GroupMembership(
            f"{name}/operations/member",
            group_id=number(group.id),
            user_id=number(account.id),
            access_level="maintainer",
            opts=self.child(provider, parent=group),
        )
        return pulumi.Output.all(number(group.id), member.id).apply(lambda ids: cast(int, ids[0]))

    def _account(self, name: str, person: str) -> pulumi.Output[int]:
        """Create an account without a password, linked to the person's identity in Keycloak."""
        settings, provider = self._args.settings, self._args.provider
        first, _, last = person.partition(".")
        user = gitlab.User(
            f"{name}/account/{person}",
            username=person,
            name=f"{first.capitalize()} {last.capitalize()}".strip(),
            email=f"{person}@{settings.gitlab.email_domain}",
            force_random_password=True,
            skip_confirmation=True,
            # Nothing outside the tenants' groups: no personal project, no group of one's own.
            can_create_group=False,
            projects_limit=0,
            opts=self.child(provider),
        )
        account = number(user.id)
        if settings.on(System.KEYCLOAK):
            gitlab.UserIdentity(
                f"{name}/account/{person}/identity",
                user_id=account,
                external_provider=LOGIN_PROVIDER,
                external_uid=person,
                opts=self.child(provider, parent=user),
            )
        return account


def pipeline_variables(settings: Settings) -> dict[str, str]:
    """Return the CI variables every tenant's pipelines see: where things are. Never a secret."""
    variables = {"USINE_CATALOGUE": catalogue_path(settings)}
    if settings.on(System.VAULT):
        variables |= {"VAULT_ADDR": settings.endpoints[System.VAULT].url, "VAULT_AUTH_PATH": PIPELINE_AUTH_PATH}
    if settings.on(System.HARBOR):
        variables["REGISTRY_HOST"] = settings.registry_host
    if settings.on(System.SONARQUBE):
        variables["SONAR_HOST_URL"] = settings.endpoints[System.SONARQUBE].url
    return variables


@dataclass(frozen=True, slots=True)
class GitLabTenantArgs:
    """What one tenant's group needs. `owner` is GitLab as the account that owns the platform's schedules."""

    project: Project
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
        project, provider = args.project, args.provider
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
        project, refs = self._args.project, self._args.refs
        for person in sorted(project.people):
            level = access_level(project, person)
            if level is None or person not in refs.forge_users:
                continue
            above = refs.forge_levels.get(person, "")
            if _is_more(above, level):
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
                self._args.project,
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
        if args.owner is None or args.refs.forge_operations is None or not has_scheduled_work(args.project):
            return None
        return GitLabOperations(
            f"{name}/{OPERATIONS_COMPONENT}",
            OperationsArgs(
                args.project,
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


def group_url(settings: Settings, project: Project) -> str:
    """Address of the tenant's group, for people."""
    return f"{settings.endpoints[System.GITLAB].url}/{names_of(project).forge_group(settings.gitlab.root)}"

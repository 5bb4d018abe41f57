"""The foundation in GitLab: accounts, root groups, the CI catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import pulumi
import pulumi_gitlab as gitlab

from components.base import Component, number
from components.gitlab.catalogue import publish_catalogue
from components.gitlab.runners import GitLabRunners, GitLabRunnersArgs
from components.gitlab.zones import GitLabZones, GitLabZonesArgs
from components.people import LOGIN_PROVIDER
from model.naming import CATALOGUE_TAG_VARIABLE, OPERATIONS_ACCOUNT, OPERATIONS_GROUP, RunnerPurpose, name_of_person
from model.settings import CatalogueSettings, Credential, Edition, GitLabSettings


@dataclass(frozen=True, slots=True)
class GitLabFoundationArgs:
    """`people` are the user names of all tenants; `catalogue` is the text of the CI catalogue's files by path.

    `versions` decides which tenants use which tag of the catalogue. `variables` are the CI variables of all tenants'
    pipelines (see `pipeline_variables`). `identities`: people log in by Keycloak, so accounts are linked to their
    identity there. `users` is the account id by user name if the accounts come from a directory; None if the platform
    creates them. There is a runner per purpose for each of `credentials`, if the settings declare runners. `zones` are
    those with clusters that pull their objects.
    """

    provider: gitlab.Provider
    settings: GitLabSettings
    people: frozenset[str]
    catalogue: Mapping[str, str]
    versions: CatalogueSettings
    credentials: Sequence[Credential]
    variables: Mapping[str, str]
    identities: bool
    users: Mapping[str, pulumi.Output[int]] | None = None
    zones: Sequence[str] = ()


class GitLabFoundation(Component):
    """Accounts, the root group of all tenants, and the catalogue of CI presets in the platform's own group.

    `root` is the id of the tenants' root group, `operations` that of the group of the platform's scheduled work once
    its account is a member, `users` the account id by user name, `catalogue_tag` the tag of the catalogue that tenants
    use, once it exists, `first_catalogue_tag` that of the tenants that use a new version first; None without them.
    `runners` are the tokens of the declared runners, always secret. `zones` are the zones' repositories; None without.
    """

    system = "gitlab"
    root: pulumi.Output[int]
    operations: pulumi.Output[int]
    users: Mapping[str, pulumi.Output[int]]
    runners: Mapping[RunnerPurpose, pulumi.Output[str]]
    catalogue_tag: pulumi.Output[str]
    first_catalogue_tag: pulumi.Output[str] | None
    zones: GitLabZones | None

    def __init__(self, name: str, args: GitLabFoundationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register groups, catalogue, variables and accounts."""
        super().__init__(name, opts)
        self._args = args
        settings = args.settings
        root = self._group(f"{name}/root", settings.root, "Tenants", visibility="private", locks=True)
        platform = self._group(f"{name}/platform", settings.platform, "Platform", visibility="internal")
        self.root = number(root.id)
        published = publish_catalogue(self, f"{name}/catalogue", platform, args.catalogue, args.settings, args.provider)
        version = args.versions.version
        self.catalogue_tag = published if version is None else pulumi.Output.from_input(version)
        self.first_catalogue_tag = published if args.versions.first else None
        if self.first_catalogue_tag is not None:
            # Stacks of single tenants look it up: of the platform's group, where no pipeline of a tenant inherits it.
            self._variable(f"{name}/first/{CATALOGUE_TAG_VARIABLE}", platform, CATALOGUE_TAG_VARIABLE, published)
        self.operations, work = self._operations(name, platform)
        self.runners = self._runners(f"{name}/runner", root, work)
        self.zones = None
        if args.zones:
            zones = GitLabZonesArgs(args.provider, settings, number(platform.id), args.zones, args.credentials)
            self.zones = GitLabZones(f"{name}/zones", zones, pulumi.ResourceOptions(parent=self))
        variables: dict[str, pulumi.Input[str]] = {**args.variables, CATALOGUE_TAG_VARIABLE: self.catalogue_tag}
        for key, value in variables.items():
            self._variable(f"{name}/variable/{key}", root, key, value)
        self.users = (
            {person: self._account(name, person) for person in sorted(args.people)}
            if args.users is None
            else args.users
        )
        self.register_outputs({"root": self.root})

    def _variable(self, name: str, group: gitlab.Group, key: str, value: pulumi.Input[str]) -> None:
        gitlab.GroupVariable(
            name, group=group.id, key=key, value=value, opts=self.child(self._args.provider, parent=group)
        )

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
        """Create a group of the platform; `locks` forbids sharing of its groups and projects with other groups.

        The platform's own group is not locked: the projects of scheduled work are shared with the tenants' groups.
        """
        settings = self._args.settings
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
            # A setting of top-level groups, for all groups and projects in them.
            prevent_sharing_groups_outside_hierarchy=locks if parent is None else None,
            membership_lock=True if locks and premium else None,
            prevent_forking_outside_group=True if locks and premium else None,
            # Also required from the members of subgroups.
            require_two_factor_authentication=settings.second_factor if parent is None else None,
            opts=self.child(self._args.provider, parent=parent, protect=True),
        )

    def _runners(
        self, name: str, tenants: gitlab.Group, operations: gitlab.Group
    ) -> Mapping[RunnerPurpose, pulumi.Output[str]]:
        settings, credentials = self._args.settings.runners, self._args.credentials
        if settings is None:
            return {}
        args = GitLabRunnersArgs(self._args.provider, settings, tenants, operations, credentials)
        return GitLabRunners(name, args, pulumi.ResourceOptions(parent=self)).tokens

    def _operations(self, name: str, platform: gitlab.Group) -> tuple[pulumi.Output[int], gitlab.Group]:
        """Create the group of the platform's scheduled work, and the account that owns the schedules.

        Return the group's id once that account is a member, and the group.

        Nobody can log in as that account: it has no identity at Keycloak, no token, a random password that is not kept,
        and an address that does not exist.
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
        return pulumi.Output.all(number(group.id), member.id).apply(lambda ids: cast(int, ids[0])), group

    def _account(self, name: str, person: str) -> pulumi.Output[int]:
        """Create an account without a password, linked to the person's identity in Keycloak."""
        provider = self._args.provider
        user = gitlab.User(
            f"{name}/account/{person}",
            username=person,
            name=" ".join(name_of_person(person)).strip(),
            email=f"{person}@{self._args.settings.email_domain}",
            force_random_password=True,
            skip_confirmation=True,
            # People work in tenants' groups only: they create no personal projects and no groups.
            can_create_group=False,
            projects_limit=0,
            opts=self.child(provider),
        )
        account = number(user.id)
        if self._args.identities:
            gitlab.UserIdentity(
                f"{name}/account/{person}/identity",
                user_id=account,
                external_provider=LOGIN_PROVIDER,
                external_uid=person,
                opts=self.child(provider, parent=user),
            )
        return account

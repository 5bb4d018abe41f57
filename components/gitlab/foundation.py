"""GitLab's part of the foundation: accounts, root groups, the CI catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import pulumi
import pulumi_gitlab as gitlab

from components.base import Component, number
from components.gitlab.catalogue import publish_catalogue
from components.gitlab.variables import pipeline_variables
from components.people import LOGIN_PROVIDER
from model.naming import (
    CATALOGUE_TAG_VARIABLE,
    OPERATIONS_ACCOUNT,
    OPERATIONS_GROUP,
)
from model.settings import Edition, Settings, System


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

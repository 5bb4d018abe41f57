"""A tenant in GitLab: its group with the members of the tenant file, and its projects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gitlab as gitlab

from components.base import Component, GitLabRefs, UserPassword, number
from components.gitlab.levels import access_level, is_stronger
from components.gitlab.operations import GitLabOperations, GitLabOperationsArgs, has_scheduled_work
from components.gitlab.packages import package_readers
from components.gitlab.repository import TenantRepository, TenantRepositoryArgs
from components.gitlab.variables import tenant_variables
from model.argocd import ONLY_INSTANCE
from model.lifecycle import protects_data
from model.naming import CATALOGUE_TAG_VARIABLE, OPERATIONS_COMPONENT, PENDING_PEOPLE
from model.repository import Repository
from model.settings import Credential, Edition, GitLabSettings
from model.tenant import Tenant


@dataclass(frozen=True, slots=True)
class GitLabTenantArgs:
    """`owner` is the provider that acts as the account that owns the platform's schedules; None if there are none.

    `variables` are the CI variables of all tenants' pipelines (see `pipeline_variables`). There is a deploy token for
    each of `credentials`, and for each of `argocds`, the names of the Argo CDs that read. `analyses`: SonarQube
    analyses app repositories. `first`: the tenant uses a new version of the catalogue before the others.
    """

    tenant: Tenant
    provider: gitlab.Provider
    settings: GitLabSettings
    refs: GitLabRefs
    variables: Mapping[str, str]
    credentials: Sequence[Credential]
    argocds: Sequence[str] = (ONLY_INSTANCE,)
    analyses: bool = False
    owner: gitlab.Provider | None = None
    first: bool = False


class GitLabTenant(Component):
    """The tenant's group with exactly the members of the tenant file, and its projects.

    `group` is the id of the group, `operations` that of the project of the platform's scheduled work, `publishers` are
    those of the projects whose protected pipelines publish. `readers` are the credentials that read infra repositories,
    by repository and name of the Argo CD; `mirrors` are the tokens that push to mirrors, `deployers` those that
    promotions push to infra repositories with, both by repository; `package_readers` are the credentials that read
    packages, by reader. All of them are secret.
    """

    system = "gitlab"
    group: pulumi.Output[int]
    operations: pulumi.Output[int] | None
    publishers: Sequence[pulumi.Output[int]]
    readers: Mapping[str, Mapping[str, UserPassword]]
    mirrors: Mapping[str, pulumi.Output[str]]
    package_readers: Mapping[str, UserPassword]
    deployers: Mapping[str, pulumi.Output[str]]

    def __init__(self, name: str, args: GitLabTenantArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register group, members, variables and projects."""
        super().__init__(name, opts)
        self._args = args
        tenant, provider = args.tenant, args.provider
        first = args.refs.first_catalogue_tag if args.first else None
        self._catalogue_tag = pulumi.Output.from_input(args.refs.catalogue_tag if first is None else first)
        group = gitlab.Group(
            f"{name}/group",
            # The slug, because names are unique in a parent group, and two tenants may have the same name.
            name=tenant.slug,
            path=tenant.slug,
            parent_id=args.refs.root,
            description=tenant.description or tenant.name,
            visibility_level="private",
            request_access_enabled=False,
            share_with_group_lock=True,
            project_creation_level="owner",
            subgroup_creation_level="owner",
            auto_devops_enabled=False,
            # The tenant file lists the members of the group; nobody is added to a project.
            membership_lock=True if args.settings.edition is Edition.PREMIUM else None,
            opts=self.child(provider, protect=protects_data(tenant)),
        )
        self.group = number(group.id)
        self._members(name, group)
        variables: dict[str, pulumi.Input[str]] = {**tenant_variables(tenant)}
        if first is not None:
            # In the tenant's pipelines it overrides the variable of the tenants' root group.
            variables[CATALOGUE_TAG_VARIABLE] = first
        for key, value in variables.items():
            gitlab.GroupVariable(
                f"{name}/variable/{key}",
                group=group.id,
                key=key,
                value=value,
                opts=self.child(provider, parent=group),
            )
        self.package_readers = package_readers(self, name, group, tenant, args.credentials, provider)
        repositories = {r.name: self._repository(name, group, r) for r in tenant.repositories}
        self.readers = {r: made.readers for r, made in repositories.items() if made.readers}
        # People outside the tenant write the content of mirrors, so mirrors do not publish.
        self.publishers = [repositories[r.name].id for r in tenant.repositories if r.mirror is None]
        self.mirrors = {r: made.mirror for r, made in repositories.items() if made.mirror is not None}
        self.deployers = {r: made.deployer for r, made in repositories.items() if made.deployer is not None}
        self.operations = self._operations(name)
        self.register_outputs({"group": self.group})

    def _members(self, name: str, group: gitlab.Group) -> None:
        tenant, refs = self._args.tenant, self._args.refs
        for person in sorted(tenant.people):
            level = access_level(tenant, person)
            if level is None or person not in refs.users:
                continue
            above = refs.levels.get(person, "")
            if is_stronger(above, level):
                root = self._args.settings.root
                pulumi.log.warn(
                    f"{PENDING_PEOPLE}gitlab: {person} is {above} of the group {root}, so also of this tenant's group. "
                    f"GitLab refuses the lower level {level} there: remove {person} from {root}",
                    group,
                )
                continue
            gitlab.GroupMembership(
                f"{name}/member/{person}",
                group_id=self.group,
                user_id=refs.users[person],
                access_level=level,
                opts=self.child(self._args.provider, parent=group),
            )

    def _repository(self, name: str, group: gitlab.Group, repository: Repository) -> TenantRepository:
        return TenantRepository(
            f"{name}/{repository.name}",
            TenantRepositoryArgs(
                tenant=self._args.tenant,
                repository=repository,
                provider=self._args.provider,
                settings=self._args.settings,
                credentials=self._args.credentials,
                argocds=self._args.argocds,
                analyses=self._args.analyses,
                group=self.group,
                catalogue_tag=self._catalogue_tag,
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[group]),
        )

    def _operations(self, name: str) -> pulumi.Output[int] | None:
        """Create the project of the platform's scheduled work, and return its id; None without such work."""
        args = self._args
        if args.owner is None or args.refs.operations is None or not has_scheduled_work(args.tenant):
            return None
        return GitLabOperations(
            f"{name}/{OPERATIONS_COMPONENT}",
            GitLabOperationsArgs(
                tenant=args.tenant,
                settings=args.settings,
                provider=args.provider,
                owner=args.owner,
                parent=args.refs.operations,
                group=self.group,
                variables=args.variables,
                catalogue_tag=self._catalogue_tag,
            ),
            pulumi.ResourceOptions(parent=self),
        ).project

"""GitLab: accounts, root groups and the CI catalogue for everyone; a group with its projects for a tenant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_gitlab as gitlab

from components.base import Component, FoundationRefs, UserPassword, number
from components.gitlab_repository import TenantRepository, TenantRepositoryArgs
from usine.lifecycle import members_of_role, pipelines_run, protects_data
from usine.naming import CATALOGUE_PROJECT, OPERATIONS_PROJECT, PIPELINE_AUTH_PATH, names_of
from usine.spec.model import Project, Repository, Role
from usine.spec.settings import PeopleSource, Settings, System

#: What a role may do in the tenant's group. Nobody of a tenant owns the group: its shape comes from the tenant file.
ACCESS_LEVELS: Mapping[Role, str] = {
    Role.OWNER: "maintainer",
    Role.ADMIN: "maintainer",
    Role.DEVOPS: "maintainer",
    Role.DEVELOPER: "developer",
    Role.SECURITY: "reporter",
    Role.READONLY: "reporter",
}
_STRONGEST_FIRST = ("maintainer", "developer", "reporter")
#: The name under which GitLab's log-in by OpenID Connect knows its provider.
_LOGIN_PROVIDER = "openid_connect"


def access_level(project: Project, person: str) -> str | None:
    """Return the level of a person in the tenant's group, by the strongest of their roles; None without a role."""
    levels = {ACCESS_LEVELS[role] for role in Role if person in members_of_role(project, role)}
    return next((level for level in _STRONGEST_FIRST if level in levels), None)


def account_ids(provider: gitlab.Provider, people: frozenset[str]) -> Mapping[str, pulumi.Output[int]]:
    """Look accounts up by user name; GitLab's error names one that does not exist."""
    return {
        person: number(gitlab.get_user_output(username=person, opts=pulumi.InvokeOutputOptions(provider=provider)).id)
        for person in sorted(people)
    }


@dataclass(frozen=True, slots=True)
class GitLabFoundationArgs:
    """`people` are all user names of all tenants; `catalogue` the text of the CI catalogue's files by their path."""

    settings: Settings
    provider: gitlab.Provider
    people: frozenset[str]
    catalogue: Mapping[str, str]


class GitLabFoundation(Component):
    """Accounts, the group all tenants are below, and the catalogue of CI presets in the platform's own group.

    `root` is the id of the tenants' root group, `users` the account id by user name.
    """

    system = "gitlab"
    root: pulumi.Output[int]
    users: Mapping[str, pulumi.Output[int]]

    def __init__(self, name: str, args: GitLabFoundationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register groups, catalogue, variables and accounts."""
        super().__init__(name, opts)
        self._args = args
        settings = args.settings.gitlab
        root = self._group(f"{name}/root", settings.root, "Tenants", visibility="private")
        platform = self._group(f"{name}/platform", settings.platform, "Platform", visibility="internal")
        self.root = number(root.id)
        self._catalogue(name, platform)
        for key, value in pipeline_variables(args.settings).items():
            gitlab.GroupVariable(
                f"{name}/variable/{key}",
                group=root.id,
                key=key,
                value=value,
                opts=self.child(args.provider, parent=root),
            )
        self.users = (
            {person: self._account(name, person) for person in sorted(args.people)}
            if settings.people is PeopleSource.MANAGED
            else account_ids(args.provider, args.people)
        )
        self.register_outputs({"root": self.root})

    def _group(self, name: str, path: str, title: str, *, visibility: str) -> gitlab.Group:
        return gitlab.Group(
            name,
            name=title,
            path=path,
            visibility_level=visibility,
            request_access_enabled=False,
            project_creation_level="owner",
            subgroup_creation_level="owner",
            auto_devops_enabled=False,
            opts=self.child(self._args.provider, protect=True),
        )

    def _catalogue(self, name: str, platform: gitlab.Group) -> None:
        project = gitlab.Project(
            f"{name}/catalogue",
            name=CATALOGUE_PROJECT,
            path=CATALOGUE_PROJECT,
            namespace_id=number(platform.id),
            description="CI presets of the platform, included by the tenants' pipelines",
            # Whoever runs a pipeline must be able to read what it includes.
            visibility_level="internal",
            default_branch="main",
            initialize_with_readme=True,
            opts=self.child(self._args.provider, parent=platform, protect=True),
        )
        before: pulumi.Resource = project
        for path, text in sorted(self._args.catalogue.items()):
            # One after the other: each is a commit, and GitLab refuses one that another overtook.
            before = gitlab.RepositoryFile(
                f"{name}/catalogue/{path}",
                project=project.id,
                branch="main",
                file_path=path,
                content=text,
                encoding="text",
                commit_message=f"Publish {path}",
                overwrite_on_create=True,
                opts=self.child(self._args.provider, parent=project, depends_on=[before]),
            )

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
                external_provider=_LOGIN_PROVIDER,
                external_uid=person,
                opts=self.child(provider, parent=user),
            )
        return account


def pipeline_variables(settings: Settings) -> dict[str, str]:
    """Return the CI variables every tenant's pipelines see: where things are. Never a secret."""
    variables = {"USINE_CATALOGUE": f"{settings.gitlab.platform}/{CATALOGUE_PROJECT}"}
    if settings.on(System.VAULT):
        variables |= {"VAULT_ADDR": settings.endpoints[System.VAULT].url, "VAULT_AUTH_PATH": PIPELINE_AUTH_PATH}
    if settings.on(System.HARBOR):
        host = settings.registry_host
        variables |= {
            "REGISTRY_HOST": host,
            "USINE_TOOLS_IMAGE": settings.gitlab.tools_image or f"{host}/{settings.gitlab.platform}/tools:1",
        }
    if settings.on(System.SONARQUBE):
        variables["SONAR_HOST_URL"] = settings.endpoints[System.SONARQUBE].url
    return variables


@dataclass(frozen=True, slots=True)
class GitLabTenantArgs:
    """What one tenant's group needs."""

    project: Project
    settings: Settings
    provider: gitlab.Provider
    refs: FoundationRefs


class GitLabTenant(Component):
    """The tenant's group with exactly the members of the file, and its projects.

    `group` is the group's id. `readers` is the credential that reads an infra repository, `mirrors` the token that
    pushes to a mirrored one, both by repository and both always secret.
    """

    system = "gitlab"
    group: pulumi.Output[int]
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
            opts=self.child(provider, protect=protects_data(project)),
        )
        self.group = number(group.id)
        for person in sorted(project.people):
            level = access_level(project, person)
            if level is not None:
                gitlab.GroupMembership(
                    f"{name}/member/{person}",
                    group_id=self.group,
                    user_id=args.refs.forge_users[person],
                    access_level=level,
                    opts=self.child(provider, parent=group),
                )
        gitlab.GroupVariable(
            f"{name}/variable/USINE_TENANT",
            group=group.id,
            key="USINE_TENANT",
            value=project.slug,
            opts=self.child(provider, parent=group),
        )
        repositories = {r.name: self._repository(name, group, r) for r in project.repositories}
        self.readers = {r: made.reader for r, made in repositories.items() if made.reader is not None}
        self.mirrors = {r: made.mirror for r, made in repositories.items() if made.mirror is not None}
        if pipelines_run(project):
            self._operations(name, group)
        self.register_outputs({"group": self.group})

    def _repository(self, name: str, group: gitlab.Group, repository: Repository) -> TenantRepository:
        return TenantRepository(
            f"{name}/{repository.name}",
            TenantRepositoryArgs(self._args.project, repository, self._args.settings, self._args.provider, self.group),
            pulumi.ResourceOptions(parent=self, depends_on=[group]),
        )

    def _operations(self, name: str, group: gitlab.Group) -> None:
        """Create the project whose schedules mirror repositories and analyse what is deployed, where there are any."""
        project, settings = self._args.project, self._args.settings
        schedules: dict[str, tuple[str, dict[str, str]]] = {}
        for repository in project.repositories:
            if repository.mirror is not None:
                schedules[f"mirror-{repository.name}"] = (
                    repository.mirror.schedule,
                    {
                        "USINE_JOB": "mirror",
                        "MIRROR_SOURCE": repository.mirror.url,
                        "MIRROR_TARGET": repository.name,
                        "MIRROR_CREDENTIALS": repository.mirror.credentials or "",
                    },
                )
        dast = project.quality.dast
        if dast is not None:
            urls = [e.url for e in project.environments if e.name in dast.environments and e.url]
            schedules["dast"] = (dast.schedule, {"USINE_JOB": "dast", "DAST_TARGETS": " ".join(urls)})
        if not schedules:
            return
        operations = gitlab.Project(
            f"{name}/operations",
            name=OPERATIONS_PROJECT,
            path=OPERATIONS_PROJECT,
            namespace_id=self.group,
            description="Scheduled work of the platform for this tenant; nothing of yours goes here",
            visibility_level="private",
            default_branch="main",
            initialize_with_readme=True,
            # The pipeline is the platform's, whatever is pushed here.
            ci_config_path=f"operations.yml@{settings.gitlab.platform}/{CATALOGUE_PROJECT}",
            opts=self.child(self._args.provider, parent=group),
        )
        for key, (cron, variables) in schedules.items():
            schedule = gitlab.PipelineSchedule(
                f"{name}/operations/{key}",
                project=operations.id,
                description=key,
                ref="refs/heads/main",
                cron=cron,
                cron_timezone="Europe/Paris",
                active=True,
                opts=self.child(self._args.provider, parent=operations),
            )
            for variable, value in variables.items():
                if value:
                    gitlab.PipelineScheduleVariable(
                        f"{name}/operations/{key}/{variable}",
                        project=operations.id,
                        pipeline_schedule_id=schedule.pipeline_schedule_id,
                        key=variable,
                        value=value,
                        opts=self.child(self._args.provider, parent=schedule, deleted_with=schedule),
                    )


def group_url(settings: Settings, project: Project) -> str:
    """Address of the tenant's group, for people."""
    return f"{settings.endpoints[System.GITLAB].url}/{names_of(project).forge_group(settings.gitlab.root)}"

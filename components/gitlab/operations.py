"""The platform's scheduled work for a tenant (mirrors, dynamic analysis): one project, outside the tenant's group.

A schedule runs with the rights of its owner, and the maintainers of its project decide what runs (GitLab's
Ci::PipelineSchedulePolicy, Ci::CreateDownstreamPipelineService). So the projects are in a group of the platform without
members of tenants, and an account without any credential owns the schedules. Each tenant has a project of its own:
Vault recognizes a job by the id of its project, and no other claim of a job differs between the work of two tenants.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_gitlab as gitlab
import yaml

from components.base import Component, number
from components.gitlab.protection import protect_branch
from components.gitlab.variables import dast_variables
from model.lifecycle import pipelines_run
from model.naming import OPERATIONS_BRANCH, OPERATIONS_FOLDER, catalogue_path, names_of
from model.settings import GitLabSettings
from model.tenant import Tenant

#: Nobody may pass variables to a pipeline: they would override those of the group and of the CI file.
NO_PIPELINE_VARIABLES = "no_one_allowed"


@dataclass(frozen=True, slots=True)
class ScheduledJob:
    """A job of the catalogue's ``operations.yml``, its schedule and its variables."""

    job: str
    cron: str
    variables: Mapping[str, str] = field(default_factory=dict)


def scheduled_work(tenant: Tenant, root: str) -> Mapping[str, ScheduledJob]:
    """Return the tenant's scheduled jobs by the description of their schedule. `root` is the tenants' root group."""
    if not pipelines_run(tenant):
        return {}
    work: dict[str, ScheduledJob] = {}
    for repository in tenant.repositories:
        if repository.mirror is not None:
            variables = {
                "MIRROR_SOURCE": repository.mirror.url,
                "MIRROR_TARGET": names_of(tenant).repository_path(root, repository.name),
                "MIRROR_TARGET_CREDENTIALS": mirror_token_path(repository.name),
                "MIRROR_PUSH_OPTION": "" if repository.mirror.pipelines else "ci.skip",
            }
            if repository.mirror.credentials:
                variables["MIRROR_SOURCE_CREDENTIALS"] = repository.mirror.credentials
            work[f"mirror-{repository.name}"] = ScheduledJob(".mirror", repository.mirror.schedule, variables)
    dast = tenant.quality.dast
    if dast is not None:
        credentials = {"DAST_CREDENTIALS": dast.credentials} if dast.credentials else {}
        work["dast"] = ScheduledJob(".dast", dast.schedule, {**dast_variables(tenant), **credentials})
    return work


def has_scheduled_work(tenant: Tenant) -> bool:
    """Return whether the tenant has scheduled work."""
    return pipelines_run(tenant) and (
        tenant.quality.dast is not None or any(repository.mirror for repository in tenant.repositories)
    )


def mirror_token_path(repository: str) -> str:
    """Return the path, in the tenant's mount, of the token that pushes to a mirrored repository."""
    return f"{OPERATIONS_FOLDER}/mirror/{repository}"


def pipeline_file(tenant: Tenant, settings: GitLabSettings, variables: Mapping[str, str], tag: str) -> str:
    """Return the project's CI file. It has a job per schedule, with its variables: schedules have no variables.

    `variables` are those of all pipelines of tenants, `tag` is the tag of the catalogue.
    """
    names = names_of(tenant)
    content: dict[str, object] = {
        "include": [{"project": catalogue_path(settings), "ref": tag, "file": "/operations.yml"}],
        "variables": _plain(
            {**variables, "USINE_TENANT": names.slug, "VAULT_TRUSTED_ROLE": names.operations_policy},
        ),
    }
    for description, scheduled in scheduled_work(tenant, settings.root).items():
        content[description] = {
            "extends": scheduled.job,
            "variables": _plain(scheduled.variables),
            "rules": [{"if": f'$CI_PIPELINE_SCHEDULE_DESCRIPTION == "{description}"'}],
        }
    head = "# Written by the platform from the tenant file: a change made here is lost.\n"
    return head + yaml.safe_dump(content, sort_keys=False, width=1000)


def _plain(variables: Mapping[str, str]) -> dict[str, object]:
    """Return the variables without expansion: GitLab does not take a `$` in a tenant file for another variable."""
    return {key: {"value": value, "expand": False} for key, value in variables.items()}


@dataclass(frozen=True, slots=True)
class GitLabOperationsArgs:
    """`owner` is the provider that acts as the account that owns the schedules.

    `parent` is the id of the group of these projects, `group` that of the tenant's own group, whose members read the
    jobs' logs. `variables` are those of all pipelines of tenants, `catalogue_tag` is the tag of the included jobs.
    """

    tenant: Tenant
    settings: GitLabSettings
    provider: gitlab.Provider
    owner: gitlab.Provider
    parent: pulumi.Input[int]
    group: pulumi.Output[int]
    variables: Mapping[str, str]
    catalogue_tag: pulumi.Output[str]


class GitLabOperations(Component):
    """The project, its CI file and its schedules. `project` is the id of the project in GitLab."""

    system = "gitlab"
    project: pulumi.Output[int]

    def __init__(self, name: str, args: GitLabOperationsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register the project, its protection, CI file and schedules."""
        super().__init__(name, opts)
        slug = args.tenant.slug
        made = gitlab.Project(
            f"{name}/project",
            name=slug,
            path=slug,
            namespace_id=args.parent,
            description=f"Scheduled work of the platform for {slug}",
            visibility_level="private",
            default_branch=OPERATIONS_BRANCH,
            initialize_with_readme=True,
            request_access_enabled=False,
            auto_devops_enabled=False,
            ci_pipeline_variables_minimum_override_role=NO_PIPELINE_VARIABLES,
            opts=self.child(args.provider),
        )
        self.project = number(made.id)
        protect_branch(self, name, made, OPERATIONS_BRANCH, args.settings.edition, args.provider)
        # Members of the tenant see jobs and download reports. They cannot start or change a pipeline.
        gitlab.ProjectShareGroup(
            f"{name}/readers",
            project=made.id,
            group_id=args.group,
            group_access="reporter",
            opts=self.child(args.provider, parent=made),
        )
        file = gitlab.RepositoryFile(
            f"{name}/pipeline",
            project=made.id,
            branch=OPERATIONS_BRANCH,
            file_path=".gitlab-ci.yml",
            content=args.catalogue_tag.apply(
                lambda tag: pipeline_file(args.tenant, args.settings, args.variables, tag)
            ),
            encoding="text",
            commit_message="Say what the schedules do",
            overwrite_on_create=True,
            opts=self.child(args.provider, parent=made, deleted_with=made),
        )
        for key, scheduled in scheduled_work(args.tenant, args.settings.root).items():
            gitlab.PipelineSchedule(
                f"{name}/{key}",
                project=made.id,
                description=key,
                ref=f"refs/heads/{OPERATIONS_BRANCH}",
                cron=scheduled.cron,
                cron_timezone="Europe/Paris",
                active=True,
                opts=self.child(args.owner, parent=made, depends_on=[file]),
            )
        self.register_outputs({"project": self.project})

"""One project of a tenant in GitLab: the repository, its protections, and the credentials for machines.

Here, `project` is always GitLab's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gitlab as gitlab

from components.base import Component, UserPassword, number, secret
from components.gitlab.operations import NO_PIPELINE_VARIABLES
from components.gitlab.packages import protect_packages
from components.gitlab.premium import guard_deployments, guard_merges
from components.gitlab.protection import protect_branch
from model.argocd import ONLY_INSTANCE
from model.lifecycle import deploys, pipelines_run, protects_data
from model.naming import CATALOGUE_TAG_VARIABLE, catalogue_path, names_of
from model.promotion import described
from model.repository import Deployment, Repository, RepositoryKind
from model.revisions import SHADOWS, protected_tags
from model.settings import Credential, Edition, GitLabSettings
from model.tenant import Tenant
from model.zone_naming import reader_token

CI_FILE = ".gitlab-ci.yml"
#: Lifetime of a token by which a job pushes, and how long before its end `up` renews it, in days.
_PUSH_TOKEN_DAYS, _PUSH_ROTATION_DAYS = 90, 30


@dataclass(frozen=True, slots=True)
class TenantRepositoryArgs:
    """`group` is the id of the tenant's group, `catalogue_tag` the tag of the catalogue that pipelines include.

    There is a deploy token for each of `credentials`, and for each of `argocds`, the names of the Argo CDs that read.
    `analyses`: SonarQube analyses app repositories.
    """

    tenant: Tenant
    repository: Repository
    provider: gitlab.Provider
    settings: GitLabSettings
    credentials: Sequence[Credential]
    argocds: Sequence[str]
    analyses: bool
    group: pulumi.Output[int]
    catalogue_tag: pulumi.Output[str]


class TenantRepository(Component):
    """A private project: protected branches and tags, CI preset, environments, job tokens of its own group only.

    `id` is the project's id. `readers` are the credentials that read an infra repository, by the name of the Argo CD
    that each is for; empty for other projects. `mirror` is the token that pushes to a mirror, `deployer` the token that
    promotions push with; they are None in other projects.
    """

    system = "gitlab"
    readers: Mapping[str, UserPassword]
    mirror: pulumi.Output[str] | None
    deployer: pulumi.Output[str] | None
    id: pulumi.Output[int]

    def __init__(self, name: str, args: TenantRepositoryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register the project, its protections and its credentials."""
        super().__init__(name, opts)
        self._args = args
        self._prefix = name
        tenant, repository = args.tenant, args.repository
        runs = pipelines_run(tenant)
        own = repository.mirror is None
        self._project = gitlab.Project(
            f"{name}/project",
            name=repository.name,
            path=repository.name,
            namespace_id=args.group,
            visibility_level="private",
            default_branch=repository.default_branch,
            # Creates the default branch, which is protected below and gets the first pipeline.
            initialize_with_readme=True,
            request_access_enabled=False,
            # A fork would be outside the group, with other members.
            forking_access_level="disabled",
            auto_devops_enabled=False,
            # People outside the tenant write the content of a mirror, so it publishes nothing.
            packages_enabled=bool(tenant.packages) and own,
            # Never "disabled": GitLab would refuse environments, schedules and variables, even to administrators.
            builds_access_level="private",
            ci_config_path=self._ci_file(),
            ci_pipeline_variables_minimum_override_role=NO_PIPELINE_VARIABLES,
            only_allow_merge_if_pipeline_succeeds=runs and own,
            only_allow_merge_if_all_discussions_are_resolved=True,
            remove_source_branch_after_merge=True,
            opts=self.child(args.provider, protect=protects_data(tenant)),
        )
        self.id = number(self._project.id)
        self._protections(self._pipeline() if own else None)
        # Job tokens of the tenant's own group have access, those of other tenants do not.
        gitlab.ProjectJobTokenScopes(
            f"{name}/job-token-scope",
            project=self._project.id,
            enabled=True,
            target_group_ids=[args.group],
            target_project_ids=[],
            opts=self._child(),
        )
        self._variables()
        if tenant.packages and own:
            protect_packages(self, name, self._project, tenant, args.provider)
        if repository.kind is RepositoryKind.INFRA:
            self._environments()
        read = repository.kind is RepositoryKind.INFRA and deploys(tenant)
        self.readers = {argocd: self._reader(argocd) for argocd in args.argocds} if read else {}
        self.mirror = self._mirror_token() if repository.mirror is not None and runs else None
        self.deployer = self._deploy_token() if runs and described(tenant, repository.name) else None
        if args.settings.edition is Edition.PREMIUM:
            guard_merges(self, name, self._project, args.provider)
        self.register_outputs({"project": self._project.id})

    def _ci_file(self) -> pulumi.Input[str]:
        """Return the path of the CI file.

        A mirror uses a file of the catalogue: other people write the mirrored one. The projects of a tenant that is not
        active use a file without jobs. Members of the tenant cannot change this setting: they have only read access
        then.
        """
        mirror, runs = self._args.repository.mirror, pipelines_run(self._args.tenant)
        if mirror is None and runs:
            return CI_FILE
        file = "mirror.yml" if runs and mirror is not None and mirror.pipelines else "off.yml"
        return pulumi.Output.concat(file, "@", catalogue_path(self._args.settings), ":", self._args.catalogue_tag)

    def _child(self, *depends_on: pulumi.Resource) -> pulumi.ResourceOptions:
        return self.child(self._args.provider, parent=self._project, depends_on=list(depends_on))

    def _protections(self, first_commit: pulumi.Resource | None) -> None:
        """Protect branches and tags. Only maintainers change them.

        The pipelines of protected branches and tags publish images and read CI secrets.

        With approvals (premium) nobody pushes to a protected branch, not even an administrator: every change there is
        approved (issue 11.A10). A mirror is the exception: the platform's scheduled work pushes to it.
        """
        repository = self._args.repository
        approved = self._args.settings.edition is Edition.PREMIUM and repository.mirror is None
        shadows = (SHADOWS,) if repository.kind is RepositoryKind.INFRA else ()
        for branch in (*repository.protected_branches, *shadows):
            protect_branch(
                self,
                self._prefix,
                self._project,
                branch,
                self._args.settings.edition,
                self._args.provider,
                # The source of a mirror may rewrite its history.
                allow_force_push=repository.mirror is not None,
                only_merges=approved,
                after=first_commit if approved else None,
            )
        for tag in protected_tags(self._args.tenant, self._args.repository):
            gitlab.TagProtection(
                f"{self._prefix}/tag/{tag}",
                project=self._project.id,
                tag=tag,
                create_access_level="maintainer",
                # A tag has only one protection, and a changed level replaces it.
                opts=self.child(self._args.provider, parent=self._project, delete_before_replace=True),
            )

    def _pipeline(self) -> gitlab.RepositoryFile:
        """Commit a first pipeline that includes the preset's component. After that, the file belongs to the team.

        The file names the catalogue's tag by a variable that the platform sets, so that later runs can change the tag.
        GitLab compares a component's host with its own, which has the port if it is not the usual one.
        The commit starts no pipeline: there is nothing to build yet (issue 11.B12).
        """
        repository = self._args.repository
        catalogue = catalogue_path(self._args.settings)
        return gitlab.RepositoryFile(
            f"{self._prefix}/pipeline",
            project=self._project.id,
            branch=repository.default_branch,
            file_path=CI_FILE,
            content=(
                f"# Written once, when the project was made; yours from now on. The presets: {catalogue}\n"
                f"include:\n  - component: $CI_SERVER_FQDN/{catalogue}/{repository.preset}@${CATALOGUE_TAG_VARIABLE}\n"
            ),
            encoding="text",
            commit_message="Start from the platform's preset [skip ci]",
            # A file that exists stays: of a repository that was a mirror before, or of a team that was faster.
            overwrite_on_create=False,
            opts=pulumi.ResourceOptions.merge(
                self._child(),
                pulumi.ResourceOptions(
                    retain_on_delete=True, ignore_changes=["content", "commitMessage", "filePath", "branch"]
                ),
            ),
        )

    def _variables(self) -> None:
        """Create the project's CI variables, which hold no secret."""
        tenant, repository = self._args.tenant, self._args.repository
        variables: dict[str, str] = {}
        if repository.kind is RepositoryKind.APP and self._args.analyses:
            variables["SONAR_PROJECT_KEY"] = names_of(tenant).analysis_project(repository.name)
        variables |= deployment_variables(tenant, repository, self._args.settings.root)
        for key, value in variables.items():
            gitlab.ProjectVariable(
                f"{self._prefix}/variable/{key}",
                project=self._project.id,
                key=key,
                value=value,
                # A text as it is: `<env>` and `$` are no references.
                raw=None if key == "SONAR_PROJECT_KEY" else True,
                opts=self._child(),
            )

    def _environments(self) -> None:
        tenant = self._args.tenant
        made: dict[str, gitlab.ProjectEnvironment] = {}
        for environment in tenant.environments:
            made[environment.name] = gitlab.ProjectEnvironment(
                f"{self._prefix}/environment/{environment.name}",
                project=self._project.id,
                name=environment.name,
                external_url=environment.url,
                tier=_TIERS.get(environment.stage, "production" if environment.production else "other"),
                stop_before_destroy=True,
                opts=self._child(),
            )
        if self._args.settings.edition is Edition.PREMIUM:
            guarded = {e.name: made[e.name] for e in tenant.environments if e.production}
            guard_deployments(self, self._prefix, self._project, guarded, self._args.provider)

    def _reader(self, argocd: str) -> UserPassword:
        """Create a deploy token per credential generation for one Argo CD, and return the last one."""
        own = "" if argocd == ONLY_INSTANCE else f"{argocd}/"
        tokens = [
            gitlab.ProjectDeployToken(
                f"{self._prefix}/deploy-token/{own}{credential.name}",
                project=self._project.id,
                name=reader_token(argocd, credential.name),
                scopes=["read_repository"],
                expires_at=f"{credential.until}T23:59:59Z" if credential.until else None,
                # GitLab returns the expiry with its own UTC offset, and the plugin takes the same time with another
                # offset for a change: outside UTC, each run would replace the token. So only a change of the date in
                # the settings replaces it.
                opts=pulumi.ResourceOptions.merge(
                    self._child(),
                    pulumi.ResourceOptions(
                        ignore_changes=["expiresAt"],
                        replacement_trigger=credential.until.isoformat() if credential.until else "never",
                    ),
                ),
            )
            for credential in self._args.credentials
        ]
        return UserPassword(tokens[-1].username, secret(tokens[-1].token))

    def _deploy_token(self) -> pulumi.Output[str]:
        """Create the token by which applications are promoted.

        Its bot is a developer, so it pushes to no protected branch. Without the scope `api`, it cannot approve or merge
        a merge request: it opens one by options of its push.
        """
        return self._push_token("deploy", "Promotes images: writes their digests", "developer")

    def _mirror_token(self) -> pulumi.Output[str]:
        """Create the token by which the mirror job pushes."""
        return self._push_token("mirror", "Pushes what the mirror job fetched", "maintainer")

    def _push_token(self, purpose: str, description: str, level: str) -> pulumi.Output[str]:
        """Create a token that pushes and does nothing else; the provider renews it."""
        token = gitlab.ProjectAccessToken(
            f"{self._prefix}/{purpose}-token",
            project=self._project.id,
            name=f"usine-{purpose}",
            description=description,
            access_level=level,
            scopes=["write_repository"],
            rotation_configuration=gitlab.ProjectAccessTokenRotationConfigurationArgs(
                expiration_days=_PUSH_TOKEN_DAYS, rotate_before_days=_PUSH_ROTATION_DAYS
            ),
            opts=self._child(),
        )
        return secret(token.token)


def deployment_variables(tenant: Tenant, repository: Repository, root: str) -> Mapping[str, str]:
    """Return the CI variables of the jobs that deploy: of an infra repository, or of an application that is promoted.

    They name the infra repository, the folder of its chart, its value files, and who is promoted to what in it.
    """
    infra = repository if repository.deployment is not None else None
    if repository.deploys is not None:
        into = repository.deploys.repository
        infra = next((other for other in tenant.repositories if other.name == into), None)
    if infra is None or infra.deployment is None or repository.mirror is not None:
        return {}
    variables = {"USINE_DEPLOY_PATH": infra.deployment.path}
    if promotions := described(tenant, infra.name):
        variables |= {
            "USINE_DEPLOY_REPOSITORY": names_of(tenant).repository_path(root, infra.name),
            "USINE_PROMOTIONS": promotions,
        }
    if infra is repository:
        variables["USINE_ENVIRONMENTS"] = " ".join(environment.name for environment in tenant.environments)
        variables |= _rendering_variables(infra.deployment)
    return {key: value for key, value in variables.items() if value}


def _rendering_variables(deployment: Deployment) -> Mapping[str, str]:
    """Return how the jobs of an infra repository make its manifests, as Argo CD does."""
    variables = {"USINE_VALUE_FILES": " ".join(deployment.value_files)}
    if deployment.parameters:
        variables["USINE_PARAMETERS"] = json.dumps(dict(deployment.parameters))
    if deployment.chart is not None:
        variables["USINE_CHART"] = f"{deployment.chart.source}: {deployment.chart.name}"
    if deployment.each_folder:
        variables["USINE_EACH_FOLDER"] = "true"
    return variables


#: GitLab's deployment tiers of the usual stages. Other stages are `production` or `other`.
_TIERS: Mapping[str, str] = {
    "dev": "development",
    "integration": "testing",
    "staging": "staging",
    "prod": "production",
}

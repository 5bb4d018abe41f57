"""Harbor: log-in and scanning for everyone; a private project with its robots for a tenant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumiverse_harbor as harbor

from components.base import OFFLINE_SCOPE, Component, FoundationRefs, OidcClient, UserPassword, secret
from model.access import roles_of
from model.lifecycle import pipelines_run, protects_data, workloads_authenticate
from model.naming import RobotPurpose, names_of
from model.settings import Settings, System
from model.tenant import ImageSeverity, Right, Tenant

#: The role in the tenant's project that a right is, the strongest first. People read, images come from pipelines: in
#: Harbor even a developer pushes over a tag, and changes and runs the retention policy, which deletes images (its
#: rbac_role.go; issue 11.A11).
MEMBER_ROLES: Mapping[Right, str] = {Right.HARBOR_SCANS: "guest", Right.HARBOR_PULL: "limitedguest"}
#: What a robot may do: (resource, action), in Harbor's words.
ROBOT_RIGHTS: Mapping[RobotPurpose, tuple[tuple[str, str], ...]] = {
    RobotPurpose.PULL: (("repository", "pull"),),
    RobotPurpose.PUSH: (("repository", "pull"), ("repository", "push")),
}
_GIB = 1024**3
#: Cron expressions with seconds, as Harbor reads them: retention at night, clean-up of what it left on Sundays.
_RETENTION_SCHEDULE = "0 30 2 * * *"
_CLEANUP_SCHEDULE = "0 0 4 * * 0"


@dataclass(frozen=True, slots=True)
class HarborFoundationArgs:
    """`client` is Keycloak's OIDC client for Harbor, None when Keycloak is off: then nobody logs in as a person."""

    settings: Settings
    provider: harbor.Provider
    client: OidcClient | None


class HarborFoundation(Component):
    """Log-in by Keycloak, projects made by the platform only, and clean-up of what no tag names any more.

    `login` is Harbor's mode of log-in once it knows groups, None without Keycloak.
    """

    system = "harbor"
    login: pulumi.Output[str] | None

    def __init__(self, name: str, args: HarborFoundationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register Harbor's own settings."""
        super().__init__(name, opts)
        provider, settings = args.provider, args.settings
        self.login = self._login(name, args, args.client) if args.client is not None else None
        harbor.ConfigSystem(
            f"{name}/system",
            project_creation_restriction="adminonly",
            # What asks for no life of its own lives this many days.
            robot_token_expiration=settings.harbor.robot_days,
            robot_name_prefix="robot$",
            opts=self.child(provider),
        )
        harbor.GarbageCollection(
            f"{name}/clean-up",
            schedule=_CLEANUP_SCHEDULE,
            delete_untagged=True,
            opts=self.child(provider),
        )
        self.register_outputs({"login": self.login})

    def _login(self, name: str, args: HarborFoundationArgs, client: OidcClient) -> pulumi.Output[str]:
        settings = args.settings
        issuer = settings.endpoints[System.KEYCLOAK]
        config = harbor.ConfigAuth(
            f"{name}/login",
            auth_mode="oidc_auth",
            primary_auth_mode=True,
            oidc_name="Keycloak",
            oidc_endpoint=f"{issuer.url}/realms/{settings.keycloak.realm}",
            oidc_client_id=client.client_id,
            oidc_client_secret=client.secret,
            oidc_scope=f"openid,profile,email,groups,{OFFLINE_SCOPE}",
            oidc_groups_claim="groups",
            oidc_user_claim="preferred_username",
            oidc_admin_group=settings.harbor.admin_group,
            oidc_auto_onboard=True,
            oidc_verify_cert=True,
            opts=self.child(args.provider),
        )
        return config.auth_mode


@dataclass(frozen=True, slots=True)
class HarborTenantArgs:
    """What one tenant's registry needs."""

    tenant: Tenant
    settings: Settings
    provider: harbor.Provider
    refs: FoundationRefs


class HarborTenant(Component):
    """A private project: quota, scan on push, severity gate, groups, retention, immutable tags, robots of finite life.

    `robots` is the credential handed out for each purpose, always secret; empty for an archived tenant.
    """

    system = "harbor"
    robots: Mapping[RobotPurpose, UserPassword]

    def __init__(self, name: str, args: HarborTenantArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register the project and what guards it."""
        super().__init__(name, opts)
        self._args = args
        self._prefix = name
        project, registry = args.tenant, args.tenant.registry
        protected = protects_data(project)
        self._project = harbor.Project(
            f"{name}/project",
            name=names_of(project).registry_project,
            public=False,
            # Harbor counts in GiB; a quota is never rounded down to nothing.
            storage_quota=max(1, -(-registry.quota // _GIB)),
            vulnerability_scanning=True,
            deployment_security=None
            if registry.block_severity is ImageSeverity.NONE
            else registry.block_severity.value,
            # Harbor keeps a project that holds images, unless told otherwise: an archived tenant's may go with them.
            force_destroy=not protected,
            opts=self.child(args.provider, protect=protected),
        )
        self._members()
        self._retention()
        for pattern in registry.immutable:
            harbor.ImmutableTagRule(
                f"{name}/immutable/{pattern}",
                project_id=self._project.id,
                repo_matching="**",
                tag_matching=pattern,
                opts=self._child(),
            )
        purposes = [
            *([RobotPurpose.PULL] if workloads_authenticate(project) else []),
            *([RobotPurpose.PUSH] if pipelines_run(project) else []),
        ]
        self.robots = {purpose: self._robot(purpose) for purpose in purposes}
        self.register_outputs({"project": self._project.id})

    def _child(self) -> pulumi.ResourceOptions:
        return self.child(self._args.provider, parent=self._project)

    def _members(self) -> None:
        login = self._args.refs.registry_login
        if login is None:
            return
        for role in roles_of(self._args.tenant):
            member_role = next((member for right, member in MEMBER_ROLES.items() if right in role.rights), None)
            if member_role is None:
                continue
            harbor.ProjectMemberGroup(
                f"{self._prefix}/member/{role.name}",
                project_id=self._project.id,
                # Harbor knows groups only once people log in by OpenID Connect.
                group_name=pulumi.Output.all(login, names_of(self._args.tenant).role_group_path(role.name)).apply(
                    lambda values: str(values[1])
                ),
                type="oidc",
                role=member_role,
                opts=self._child(),
            )

    def _retention(self) -> None:
        keep = self._args.tenant.registry.keep
        harbor.RetentionPolicy(
            f"{self._prefix}/retention",
            scope=self._project.id,
            schedule=_RETENTION_SCHEDULE,
            # A tag stays when either rule keeps it.
            rules=[
                harbor.RetentionPolicyRuleArgs(
                    most_recently_pushed=keep.tags, repo_matching="**", tag_matching="**", untagged_artifacts=False
                ),
                harbor.RetentionPolicyRuleArgs(
                    n_days_since_last_push=keep.days, repo_matching="**", tag_matching="**", untagged_artifacts=False
                ),
            ],
            opts=self._child(),
        )

    def _robot(self, purpose: RobotPurpose) -> UserPassword:
        """Make a robot per generation of credentials; the last one is handed out."""
        names = names_of(self._args.tenant)
        robots = [
            harbor.RobotAccount(
                f"{self._prefix}/robot/{purpose.value}-{credential.name}",
                name=names.robot(purpose, credential.name),
                description=f"{purpose.value}, by usine",
                level="project",
                duration=self._args.settings.harbor.robot_days,
                permissions=[
                    harbor.RobotAccountPermissionArgs(
                        kind="project",
                        namespace=self._project.name,
                        accesses=[
                            harbor.RobotAccountPermissionAccessArgs(resource=resource, action=action)
                            for resource, action in ROBOT_RIGHTS[purpose]
                        ],
                    )
                ],
                opts=pulumi.ResourceOptions.merge(
                    self._child(), pulumi.ResourceOptions(additional_secret_outputs=["secret"])
                ),
            )
            for credential in self._args.settings.credentials
        ]
        return UserPassword(robots[-1].full_name, secret(robots[-1].secret))

"""Harbor: the server's settings and proxy caches (foundation); a private project with robots for each tenant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumiverse_harbor as harbor

from components.base import OFFLINE_SCOPE, Component, OidcClient, UserPassword, secret
from model.access import roles_of
from model.images import DOCKER_HUB
from model.lifecycle import pipelines_run, protects_data, workloads_authenticate
from model.naming import PROXY_ROBOT, RobotPurpose, names_of, proxy_project
from model.settings import Credential, HarborSettings, ProxyCache
from model.tenant import ImageSeverity, Right, Tenant

#: The role in the tenant's project that each right gives, the strongest first. People only read, and pipelines push: in
#: Harbor a developer could already overwrite a tag, and change and run the retention policy, which deletes images
#: (rbac_role.go of Harbor; issue 11.A11).
MEMBER_ROLES: Mapping[Right, str] = {Right.HARBOR_SCANS: "guest", Right.HARBOR_PULL: "limitedguest"}
#: Permissions of the robot accounts: (resource, action), as Harbor names them.
ROBOT_RIGHTS: Mapping[RobotPurpose, tuple[tuple[str, str], ...]] = {
    RobotPurpose.PULL: (("repository", "pull"),),
    RobotPurpose.PUSH: (("repository", "pull"), ("repository", "push")),
}
_GIB = 1024**3
#: Harbor's cron expressions begin with seconds. Retention runs at night, garbage collection on Sundays.
_RETENTION_SCHEDULE = "0 30 2 * * *"
_CLEANUP_SCHEDULE = "0 0 4 * * 0"
#: Every image is scanned again each night: flaws become known after the push.
_SCAN_SCHEDULE = "0 0 1 * * *"
#: Harbor's adapter of a registry, by its host; all others speak the registry protocol.
_ADAPTERS: Mapping[str, str] = {DOCKER_HUB: "docker-hub", "quay.io": "quay", "ghcr.io": "github"}
_ADAPTER = "docker-registry"


@dataclass(frozen=True, slots=True)
class HarborFoundationArgs:
    """`client` is Keycloak's OIDC client for Harbor; None if Keycloak is off and people cannot log in.

    There is a robot account that pulls from the proxy caches for each of `credentials`.
    """

    provider: harbor.Provider
    settings: HarborSettings
    client: OidcClient | None
    credentials: Sequence[Credential]


class HarborFoundation(Component):
    """Log-in by Keycloak, projects that only the platform creates, scans, garbage collection, and proxy caches.

    `login` is Harbor's authentication mode once it accepts OIDC groups; None without Keycloak. `puller` is the
    credential that pulls from the proxy caches, always secret; None if there are none.
    """

    system = "harbor"
    login: pulumi.Output[str] | None
    puller: UserPassword | None

    def __init__(self, name: str, args: HarborFoundationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register Harbor's own settings."""
        super().__init__(name, opts)
        provider = args.provider
        self.login = self._login(name, args, args.client) if args.client is not None else None
        harbor.ConfigSystem(
            f"{name}/system",
            project_creation_restriction="adminonly",
            # For robot accounts that are created without a lifetime of their own, in days.
            robot_token_expiration=args.settings.robot_days,
            robot_name_prefix="robot$",
            opts=self.child(provider),
        )
        harbor.GarbageCollection(
            f"{name}/clean-up",
            schedule=_CLEANUP_SCHEDULE,
            delete_untagged=True,
            opts=self.child(provider),
        )
        harbor.InterrogationServices(
            f"{name}/scans",
            vulnerability_scan_policy=_SCAN_SCHEDULE,
            opts=self.child(provider),
        )
        projects = [self._proxy(f"{name}/proxy/{proxy.name}", provider, proxy) for proxy in args.settings.proxies]
        self.puller = self._puller(name, args, projects) if projects else None
        self.register_outputs({"login": self.login})

    def _proxy(self, name: str, provider: harbor.Provider, proxy: ProxyCache) -> harbor.Project:
        """Create the cache of a registry. Harbor deletes what nobody has pulled for seven days."""
        registry = harbor.Registry(
            f"{name}/registry",
            name=proxy.name,
            provider_name=_ADAPTERS.get(proxy.registry, _ADAPTER),
            endpoint_url=proxy.url,
            # Names are unique in Harbor.
            opts=self.child(provider, delete_before_replace=True),
        )
        return harbor.Project(
            name,
            name=proxy_project(proxy.name),
            registry_id=registry.registry_id,
            public=proxy.public,
            storage_quota=max(1, -(-proxy.quota // _GIB)),
            vulnerability_scanning=True,
            # Copies: they are fetched again.
            force_destroy=True,
            opts=self.child(provider, parent=registry, delete_before_replace=True),
        )

    def _puller(self, name: str, args: HarborFoundationArgs, projects: Sequence[harbor.Project]) -> UserPassword:
        """Create a robot account per credential generation that pulls from all caches, and return the last one.

        Harbor gives a robot of a project rights in that project only, so these are robots of the system.
        """
        robots = [
            harbor.RobotAccount(
                f"{name}/robot/{PROXY_ROBOT}-{credential.name}",
                name=f"{PROXY_ROBOT}-{credential.name}",
                description="pulls from proxy caches, by usine",
                level="system",
                duration=args.settings.robot_days,
                permissions=[
                    harbor.RobotAccountPermissionArgs(
                        kind="project",
                        namespace=project.name,
                        accesses=[harbor.RobotAccountPermissionAccessArgs(resource="repository", action="pull")],
                    )
                    for project in projects
                ],
                opts=pulumi.ResourceOptions.merge(
                    self.child(args.provider), pulumi.ResourceOptions(additional_secret_outputs=["secret"])
                ),
            )
            for credential in args.credentials
        ]
        return UserPassword(robots[-1].full_name, secret(robots[-1].secret))

    def _login(self, name: str, args: HarborFoundationArgs, client: OidcClient) -> pulumi.Output[str]:
        config = harbor.ConfigAuth(
            f"{name}/login",
            auth_mode="oidc_auth",
            primary_auth_mode=True,
            oidc_name="Keycloak",
            oidc_endpoint=client.issuer.url,
            oidc_client_id=client.client_id,
            oidc_client_secret=client.secret,
            oidc_scope=f"openid,profile,email,groups,{OFFLINE_SCOPE}",
            oidc_groups_claim="groups",
            oidc_user_claim="preferred_username",
            oidc_admin_group=args.settings.admin_group,
            oidc_auto_onboard=True,
            oidc_verify_cert=True,
            opts=self.child(args.provider),
        )
        return config.auth_mode


@dataclass(frozen=True, slots=True)
class HarborTenantArgs:
    """Robot accounts live `robot_days` days; there is one per purpose for each of `credentials`.

    `login` resolves once Harbor accepts OIDC groups (`HarborFoundation.login`); None if people cannot log in.
    """

    tenant: Tenant
    provider: harbor.Provider
    robot_days: int
    credentials: Sequence[Credential]
    login: pulumi.Input[str] | None = None


class HarborTenant(Component):
    """A private project: quota, scan on push, severity gate, groups, retention, immutable tags, robot accounts.

    Robot accounts expire. `robots` is the current credential for each purpose, always secret; empty for an archived
    tenant.
    """

    system = "harbor"
    robots: Mapping[RobotPurpose, UserPassword]

    def __init__(self, name: str, args: HarborTenantArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register the project, its rules and its robot accounts."""
        super().__init__(name, opts)
        self._args = args
        self._prefix = name
        tenant, registry = args.tenant, args.tenant.registry
        protected = protects_data(tenant)
        self._project = harbor.Project(
            f"{name}/project",
            name=names_of(tenant).registry_project,
            public=False,
            # Harbor takes whole GiB. The quota is rounded up, so that it is never 0.
            storage_quota=max(1, -(-registry.quota // _GIB)),
            vulnerability_scanning=True,
            auto_sbom_generation=True,
            deployment_security=None
            if registry.block_severity is ImageSeverity.NONE
            else registry.block_severity.value,
            # By default Harbor refuses to delete a project with images. An archived tenant's is deleted with them.
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
            *([RobotPurpose.PULL] if workloads_authenticate(tenant) else []),
            *([RobotPurpose.PUSH] if pipelines_run(tenant) else []),
        ]
        self.robots = {purpose: self._robot(purpose) for purpose in purposes}
        self.register_outputs({"project": self._project.id})

    def _child(self) -> pulumi.ResourceOptions:
        return self.child(self._args.provider, parent=self._project)

    def _members(self) -> None:
        login = self._args.login
        if login is None:
            return
        for role in roles_of(self._args.tenant):
            member_role = next((member for right, member in MEMBER_ROLES.items() if right in role.rights), None)
            if member_role is None:
                continue
            harbor.ProjectMemberGroup(
                f"{self._prefix}/member/{role.name}",
                project_id=self._project.id,
                # Harbor accepts OIDC groups only once its authentication mode is OpenID Connect.
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
            # Harbor keeps a tag if at least one rule keeps it.
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
        """Create a robot account per credential generation, and return the last one."""
        names = names_of(self._args.tenant)
        robots = [
            harbor.RobotAccount(
                f"{self._prefix}/robot/{purpose.value}-{credential.name}",
                name=names.robot(purpose, credential.name),
                description=f"{purpose.value}, by usine",
                level="project",
                duration=self._args.robot_days,
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
            for credential in self._args.credentials
        ]
        return UserPassword(robots[-1].full_name, secret(robots[-1].secret))

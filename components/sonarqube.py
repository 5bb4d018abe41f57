"""SonarQube: gates and log-in for everyone; a private project per app repository for a tenant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.base import Component, FoundationRefs, OidcClient
from components.sonarqube_dynamic import resources as sonarqube
from usine.access import has_any, roles_of
from usine.lifecycle import pipelines_run, protects_data
from usine.naming import names_of
from usine.spec.model import Project, Repository, RepositoryKind, Right, State
from usine.spec.settings import Settings, System

_READ = ("user", "codeviewer")
#: The permissions in the tenant's projects that a right is. Nobody of a tenant administers one: gate and permissions
#: are the file's.
PERMISSIONS: Mapping[Right, tuple[str, ...]] = {
    Right.SONARQUBE_VIEW: _READ,
    Right.SONARQUBE_ISSUES: ("issueadmin",),
    Right.SONARQUBE_HOTSPOTS: ("securityhotspotadmin",),
}
#: What the accounts may do whose tokens pipelines analyse with. Nothing may be seen by it but what an analysis needs.
_ANALYSES = ("scan",)
#: SonarQube's own group; the account of the platform's token is in it.
_ADMINISTRATORS = "sonar-administrators"
_EVERYTHING_GLOBAL = ("admin", "gateadmin", "profileadmin", "provisioning", "scan")
_EVERYTHING = (*_READ, "issueadmin", "securityhotspotadmin", "scan", "admin")
#: The longest new-code period SonarQube takes, in days.
_LONGEST_PERIOD = 90


@dataclass(frozen=True, slots=True)
class SonarQubeFoundationArgs:
    """`client` is Keycloak's OIDC client for SonarQube, None when Keycloak is off: then nobody logs in as a person."""

    settings: Settings
    provider: pulumi.ProviderResource
    client: OidcClient | None


class SonarQubeFoundation(Component):
    """Quality gates, log-in by Keycloak, and no right for anybody but administrators outside a tenant's projects.

    `gates` maps a gate's name to that name once the gate exists.
    """

    system = "sonarqube"
    gates: Mapping[str, pulumi.Output[str]]

    def __init__(self, name: str, args: SonarQubeFoundationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register gates, permissions and settings."""
        super().__init__(name, opts)
        settings = args.settings
        # The first of the declared gates is the platform's own: for projects that nothing says anything of.
        default = settings.gates[0]
        self.gates = {
            gate: sonarqube.QualityGate(
                f"{name}/gate/{gate}",
                sonarqube.QualityGateArgs(
                    gate,
                    [
                        # Checked by the loader: nothing but these two words.
                        sonarqube.Condition(c.metric, "LT" if c.op == "LT" else "GT", c.error)
                        for c in conditions
                    ],
                    default=gate == default,
                ),
                self.child(args.provider),
            ).name
            for gate, conditions in settings.sonarqube.gates.items()
        }
        sonarqube.GlobalPermissions(
            f"{name}/permissions",
            sonarqube.GlobalPermissionsArgs({_ADMINISTRATORS: _EVERYTHING_GLOBAL}),
            self.child(args.provider),
        )
        sonarqube.Settings(f"{name}/settings", self._settings(settings, args.client), self.child(args.provider))
        self.register_outputs({"gates": sorted(self.gates)})

    @staticmethod
    def _settings(settings: Settings, client: OidcClient | None) -> sonarqube.SettingsArgs:
        values: dict[str, sonarqube.Value] = {
            "sonar.core.serverBaseURL": settings.endpoints[System.SONARQUBE].url,
            "sonar.forceAuthentication": "true",
        }
        if client is None:
            return sonarqube.SettingsArgs(values)
        issuer = f"{settings.endpoints[System.KEYCLOAK].url}/realms/{settings.keycloak.realm}"
        secured: dict[str, pulumi.Input[str]] = {"sonar.auth.oidc.clientId.secured": client.client_id}
        if client.secret is not None:
            secured["sonar.auth.oidc.clientSecret.secured"] = client.secret
        values |= {
            "sonar.auth.oidc.enabled": "true",
            "sonar.auth.oidc.issuerUri": issuer,
            "sonar.auth.oidc.scopes": "openid profile email groups",
            "sonar.auth.oidc.loginStrategy": "Preferred username",
            "sonar.auth.oidc.allowUsersToSignUp": "true",
            # Groups are Keycloak's at every log-in; until then, `members` of a group takes out who left the role.
            "sonar.auth.oidc.groupsSync": "true",
            "sonar.auth.oidc.groupsSync.claimName": "groups",
        }
        return sonarqube.SettingsArgs(values, secured)


@dataclass(frozen=True, slots=True)
class SonarQubeTenantArgs:
    """What one tenant's projects need."""

    project: Project
    settings: Settings
    provider: pulumi.ProviderResource
    refs: FoundationRefs


class SonarQubeTenant(Component):
    """A group per role, and for each app repository a private project: permissions, gate, new-code period, token.

    Analysis tokens are of an account of their own, which may do nothing but analyse the tenant's projects. The holder
    of one can make others of its account (`api/user_tokens/generate`), so each generation of credentials has its
    account: when the generation goes, the account is deactivated, and everything made of it is revoked at once.

    `tokens` is the analysis token handed out, by repository; always secret, empty unless pipelines run.
    """

    system = "sonarqube"
    tokens: Mapping[str, pulumi.Output[str]]

    def __init__(self, name: str, args: SonarQubeTenantArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register groups and projects."""
        super().__init__(name, opts)
        self._args = args
        self._prefix = name
        names = names_of(args.project)
        apps = [r for r in args.project.repositories if r.kind is RepositoryKind.APP]
        self._groups = [
            sonarqube.Group(
                f"{name}/group/{role.name}",
                sonarqube.GroupArgs(
                    names.role_group_path(role.name),
                    f"{role.name} of {args.project.slug}",
                    role.members if args.settings.on(System.KEYCLOAK) else None,
                ),
                self.child(args.provider),
            )
            for role in (roles_of(args.project) if apps else ())
            if has_any(role.rights, System.SONARQUBE)
        ]
        self._accounts = {
            credential.name: sonarqube.TechnicalAccount(
                f"{name}/account/{credential.name}",
                sonarqube.TechnicalAccountArgs(
                    names.analysis_account(credential.name), f"usine {args.project.slug} {credential.name}"
                ),
                self.child(args.provider),
            )
            for credential in (args.settings.credentials if apps and pipelines_run(args.project) else ())
        }
        tokens = {repository.name: self._project(repository) for repository in apps}
        self.tokens = {repository: token for repository, token in tokens.items() if token is not None}
        self.register_outputs({"projects": [names.analysis_project(r.name) for r in apps]})

    def _project(self, repository: Repository) -> pulumi.Output[str] | None:
        """Register the project of a repository; return its token."""
        args, name = self._args, f"{self._prefix}/{repository.name}"
        project, quality, names = args.project, args.project.quality, names_of(args.project)
        made = sonarqube.Project(
            f"{name}/project",
            sonarqube.ProjectArgs(
                names.analysis_project(repository.name),
                f"{project.slug} {repository.name}",
                main_branch=repository.default_branch,
            ),
            self.child(args.provider, protect=protects_data(project)),
        )
        options = self.child(args.provider, parent=made)
        groups = {
            names.role_group_path(role.name): tuple(
                permission for right, given in PERMISSIONS.items() if right in role.rights for permission in given
            )
            for role in roles_of(project)
            if project.state is not State.ARCHIVED and has_any(role.rights, System.SONARQUBE)
        }
        sonarqube.ProjectPermissions(
            f"{name}/permissions",
            sonarqube.ProjectPermissionsArgs(
                made.key,
                {_ADMINISTRATORS: _EVERYTHING, **groups},
                {names.analysis_account(generation): _ANALYSES for generation in self._accounts},
            ),
            self.child(args.provider, parent=made, depends_on=[*self._groups, *self._accounts.values()]),
        )
        sonarqube.QualityGateAssociation(
            f"{name}/gate",
            sonarqube.QualityGateAssociationArgs(made.key, args.refs.gates.get(quality.gate, quality.gate)),
            options,
        )
        sonarqube.NewCodePeriod(
            f"{name}/new-code",
            sonarqube.NewCodePeriodArgs(made.key, "NUMBER_OF_DAYS", min(quality.new_code_days, _LONGEST_PERIOD)),
            options,
        )
        webhook = args.settings.sonarqube.webhook
        if webhook is not None:
            sonarqube.Webhook(f"{name}/webhook", sonarqube.WebhookArgs("usine", webhook, made.key), options)
        if not self._accounts:
            return None
        tokens = [
            sonarqube.ProjectAnalysisToken(
                f"{name}/token/{credential.name}",
                sonarqube.ProjectAnalysisTokenArgs(
                    f"usine {names.analysis_project(repository.name)} {credential.name}",
                    self._accounts[credential.name].login,
                    credential.until.isoformat() if credential.until else None,
                ),
                options,
            )
            for credential in args.settings.credentials
        ]
        return tokens[-1].token

"""SonarQube's part of a tenant: a group per role, a private project per app repository."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.base import Component, FoundationRefs
from components.sonarqube.dynamic import resources as sonarqube
from components.sonarqube.permissions import ADMINISTRATORS, ANALYSES, EVERYTHING, PERMISSIONS
from model.access import has_any, roles_of
from model.lifecycle import pipelines_run, protects_data
from model.naming import names_of
from model.settings import Settings, System
from model.tenant import Repository, RepositoryKind, State, Tenant

#: The longest new-code period SonarQube takes, in days.
_LONGEST_PERIOD = 90


@dataclass(frozen=True, slots=True)
class SonarQubeTenantArgs:
    """What one tenant's projects need."""

    tenant: Tenant
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
        names = names_of(args.tenant)
        apps = [r for r in args.tenant.repositories if r.kind is RepositoryKind.APP]
        self._groups = [
            sonarqube.Group(
                f"{name}/group/{role.name}",
                sonarqube.GroupArgs(
                    names.role_group_path(role.name),
                    f"{role.name} of {args.tenant.slug}",
                    role.members if args.settings.on(System.KEYCLOAK) else None,
                ),
                self.child(args.provider),
            )
            for role in (roles_of(args.tenant) if apps else ())
            if has_any(role.rights, System.SONARQUBE)
        ]
        self._accounts = {
            credential.name: sonarqube.TechnicalAccount(
                f"{name}/account/{credential.name}",
                sonarqube.TechnicalAccountArgs(
                    names.analysis_account(credential.name), f"usine {args.tenant.slug} {credential.name}"
                ),
                self.child(args.provider),
            )
            for credential in (args.settings.credentials if apps and pipelines_run(args.tenant) else ())
        }
        tokens = {repository.name: self._project(repository) for repository in apps}
        self.tokens = {repository: token for repository, token in tokens.items() if token is not None}
        self.register_outputs({"projects": [names.analysis_project(r.name) for r in apps]})

    def _project(self, repository: Repository) -> pulumi.Output[str] | None:
        """Register the project of a repository; return its token."""
        args, name = self._args, f"{self._prefix}/{repository.name}"
        project, quality, names = args.tenant, args.tenant.quality, names_of(args.tenant)
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
                {ADMINISTRATORS: EVERYTHING, **groups},
                {names.analysis_account(generation): ANALYSES for generation in self._accounts},
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

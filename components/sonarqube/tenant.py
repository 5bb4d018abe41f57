"""A tenant in SonarQube: a group per role, a private project per app repository."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi

from components.base import Component
from components.sonarqube.dynamic import resources as sonarqube
from components.sonarqube.permissions import ADMINISTRATORS, ANALYSES, EVERYTHING, PERMISSIONS
from model.access import has_any, roles_of
from model.lifecycle import pipelines_run, protects_data
from model.naming import names_of
from model.repository import Repository, RepositoryKind
from model.settings import Credential, System
from model.tenant import State, Tenant

#: The longest new-code period that SonarQube accepts, in days.
_LONGEST_PERIOD = 90


@dataclass(frozen=True, slots=True)
class SonarQubeTenantArgs:
    """There is a technical account for each of `credentials`. `webhook` is the URL that SonarQube calls after analyses.

    `exact_members`: groups have only the members of the tenant file; False if Keycloak is off and nobody logs in.
    `gates` maps a quality gate's name to that name once the gate exists; a gate that is missing there exists already.
    """

    tenant: Tenant
    provider: pulumi.ProviderResource
    credentials: Sequence[Credential]
    exact_members: bool
    webhook: str | None = None
    gates: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)


class SonarQubeTenant(Component):
    """A group per role, and for each app repository a private project: permissions, gate, new-code period, token.

    Analysis tokens belong to a technical account, which may only analyse the tenant's projects. The holder of a token
    can create other tokens of its account (`api/user_tokens/generate`), so each credential generation has its own
    account: when the generation is removed, the account is deactivated, which revokes all its tokens at once.

    `tokens` are the current analysis tokens by repository; always secret, empty unless pipelines run.
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
                    role.members if args.exact_members else None,
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
            for credential in (args.credentials if apps and pipelines_run(args.tenant) else ())
        }
        tokens = {repository.name: self._project(repository) for repository in apps}
        self.tokens = {repository: token for repository, token in tokens.items() if token is not None}
        self.register_outputs({"projects": [names.analysis_project(r.name) for r in apps]})

    def _project(self, repository: Repository) -> pulumi.Output[str] | None:
        """Register the project of a repository, and return its token."""
        args, name = self._args, f"{self._prefix}/{repository.name}"
        tenant, quality, names = args.tenant, args.tenant.quality, names_of(args.tenant)
        made = sonarqube.Project(
            f"{name}/project",
            sonarqube.ProjectArgs(
                names.analysis_project(repository.name),
                f"{tenant.slug} {repository.name}",
                main_branch=repository.default_branch,
            ),
            self.child(args.provider, protect=protects_data(tenant)),
        )
        options = self.child(args.provider, parent=made)
        groups = {
            names.role_group_path(role.name): tuple(
                permission for right, given in PERMISSIONS.items() if right in role.rights for permission in given
            )
            for role in roles_of(tenant)
            if tenant.state is not State.ARCHIVED and has_any(role.rights, System.SONARQUBE)
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
            sonarqube.QualityGateAssociationArgs(made.key, args.gates.get(quality.gate, quality.gate)),
            options,
        )
        sonarqube.NewCodePeriod(
            f"{name}/new-code",
            sonarqube.NewCodePeriodArgs(made.key, "NUMBER_OF_DAYS", min(quality.new_code_days, _LONGEST_PERIOD)),
            options,
        )
        if args.webhook is not None:
            sonarqube.Webhook(f"{name}/webhook", sonarqube.WebhookArgs("usine", args.webhook, made.key), options)
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
            for credential in args.credentials
        ]
        return tokens[-1].token

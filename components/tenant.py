"""One tenant, whole: composes what each system that is on gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.argocd import ArgoCDTenant, ArgoCDTenantArgs
from components.base import COMPOSITION, Component, FoundationRefs, Providers
from components.gitlab.operations import mirror_token_path
from components.gitlab.tenant import GitLabTenant, GitLabTenantArgs, group_url
from components.harbor import HarborTenant, HarborTenantArgs
from components.keycloak import KeycloakTenant, KeycloakTenantArgs
from components.kubernetes.tenant import KubernetesTenant, KubernetesTenantArgs
from components.sonarqube.tenant import SonarQubeTenant, SonarQubeTenantArgs
from components.vault.tenant import VaultTenant, VaultTenantArgs
from model.naming import CI_FOLDER, REVIEW_FOLDER, RobotPurpose, names_of
from model.settings import Settings, System
from model.tenant import Tenant


@dataclass(frozen=True, slots=True)
class TenantProjectArgs:
    """One project, the platform it lives on, and what crosses from the foundation."""

    tenant: Tenant
    settings: Settings
    providers: Providers
    refs: FoundationRefs


class TenantProject(Component):
    """Everything of one file of `projects.d/`. Its logical name is the slug.

    `summary` is what the stack exports for the tenant: where each thing is, no secret.
    """

    system = COMPOSITION
    summary: Mapping[str, object]

    def __init__(self, name: str, args: TenantProjectArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register one component per system that is on."""
        # The state is an input, so that whoever looks at the resources alone can tell what may be destroyed.
        super().__init__(name, opts, {"state": args.tenant.state.value})
        tenant, settings, providers = args.tenant, args.settings, args.providers
        child = pulumi.ResourceOptions(parent=self)
        summary: dict[str, object] = {"name": tenant.name, "state": tenant.state.value, "owner": tenant.owner}
        if providers.keycloak is not None:
            KeycloakTenant(f"{name}/keycloak", KeycloakTenantArgs(tenant, providers.keycloak, args.refs), child)
            summary["group"] = names_of(tenant).group_path
        forge: GitLabTenant | None = None
        registry: HarborTenant | None = None
        if providers.gitlab is not None:
            forge = GitLabTenant(
                f"{name}/gitlab",
                GitLabTenantArgs(tenant, settings, providers.gitlab, args.refs, providers.operations),
                child,
            )
            summary["repositories"] = group_url(settings, tenant)
        if providers.harbor is not None:
            registry = HarborTenant(
                f"{name}/harbor", HarborTenantArgs(tenant, settings, providers.harbor, args.refs), child
            )
            summary["registry"] = f"{settings.registry_host}/{names_of(tenant).registry_project}"
        quality: SonarQubeTenant | None = None
        if providers.sonarqube is not None:
            quality = SonarQubeTenant(
                f"{name}/sonarqube", SonarQubeTenantArgs(tenant, settings, providers.sonarqube, args.refs), child
            )
        if providers.vault is not None:
            secrets = VaultTenant(
                f"{name}/vault",
                VaultTenantArgs(
                    tenant,
                    settings,
                    providers.vault,
                    args.refs,
                    forge.group if forge else None,
                    forge.operations if forge else None,
                    forge.publishers if forge else (),
                    _pipeline_secrets(settings, forge, registry, quality),
                ),
                child,
            )
            summary["secrets"] = secrets.mount.apply(
                lambda mount: f"{settings.endpoints[System.VAULT].url}/ui/vault/secrets/{mount}/kv/list"
            )
        if settings.on(System.KUBERNETES):
            kubernetes = KubernetesTenant(
                f"{name}/kubernetes",
                KubernetesTenantArgs(
                    tenant,
                    settings,
                    providers.kubernetes,
                    args.refs,
                    registry.robots.get(RobotPurpose.PULL) if registry else None,
                ),
                child,
            )
            summary["namespaces"] = {
                e.name: {"cluster": e.cluster, "namespace": kubernetes.namespaces[e.name]} for e in tenant.environments
            }
            if settings.on(System.ARGOCD):
                argocd = ArgoCDTenant(
                    f"{name}/argocd",
                    ArgoCDTenantArgs(
                        tenant,
                        settings,
                        providers.kubernetes[settings.argocd.cluster],
                        kubernetes.namespaces,
                        forge.readers if forge else {},
                    ),
                    child,
                )
                base = settings.endpoints[System.ARGOCD].url
                summary["applications"] = {
                    a: f"{base}/applications/{settings.argocd.namespace}/{a}" for a in argocd.applications
                }
        self.summary = summary
        self.register_outputs(summary)


def _pipeline_secrets(
    settings: Settings, forge: GitLabTenant | None, registry: HarborTenant | None, quality: SonarQubeTenant | None
) -> Mapping[str, Mapping[str, pulumi.Input[str]]]:
    """Return what pipelines find in the tenant's mount, by path: all that GitLab's signed identity cannot replace."""
    secrets: dict[str, Mapping[str, pulumi.Input[str]]] = {}
    for purpose, robot in (registry.robots if registry else {}).items():
        secrets[_ROBOT_SECRETS[purpose]] = {
            "username": robot.username,
            "password": robot.password,
            "registry": settings.registry_host,
        }
    for repository, token in (forge.mirrors if forge else {}).items():
        secrets[mirror_token_path(repository)] = {"token": token}
    for repository, token in (quality.tokens if quality else {}).items():
        secrets[f"{CI_FOLDER}/quality/{repository}"] = {"token": token}
    return secrets


#: Pulling is for every pipeline of the tenant, pushing for those of protected branches and tags.
_ROBOT_SECRETS: Mapping[RobotPurpose, str] = {
    RobotPurpose.PULL: f"{REVIEW_FOLDER}/registry/pull",
    RobotPurpose.PUSH: f"{CI_FOLDER}/registry/push",
}

"""Argo CD, by its custom resources: log-in for everyone; projects and applications for a tenant."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs, ObjectMetaPatchArgs

from components.base import Component, UserPassword, secret
from components.kubernetes.cluster_roles import DENIED_KINDS
from model.access import TenantRole, deployments, roles_of
from model.lifecycle import deploys, syncs
from model.naming import DEPLOYER_SERVICE_ACCOUNT, labels, names_of, repository_url
from model.settings import Settings, SyncWindow, System
from model.tenant import Environment, Repository, RepositoryKind, State, Tenant

_API = "argoproj.io/v1alpha1"
#: What the roles of a tenant may do to the applications of one environment, in Argo CD's RBAC words.
_READ_ACTIONS = ("get",)
_WRITE_ACTIONS = ("get", "sync", "override", "action/*")


@dataclass(frozen=True, slots=True)
class ArgoCDFoundationArgs:
    """`client_id` is Argo CD's OIDC client (None without Keycloak); `authorities` PEM text by CA file path."""

    settings: Settings
    provider: kubernetes.Provider
    client_id: pulumi.Output[str] | None
    authorities: Mapping[str, str]


class ArgoCDFoundation(Component):
    """Argo CD's own settings, patched into the config maps its installation made: log-in by Keycloak, rights for
    the administrators' groups only, and deployments that run as the namespace's deployer account.
    """

    system = "argocd"

    def __init__(self, name: str, args: ArgoCDFoundationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register the patches."""
        super().__init__(name, opts)
        self._args = args
        url = args.settings.endpoints[System.ARGOCD].url
        data: dict[str, pulumi.Input[str]] = {
            "url": url,
            "application.sync.impersonation.enabled": "true",
            # People log in by Keycloak, and no one opens a shell in a pod through Argo CD.
            "admin.enabled": "false" if args.client_id is not None else "true",
            "exec.enabled": "false",
        }
        if args.client_id is not None:
            data["oidc.config"] = args.client_id.apply(self._oidc_config)
        self._patch(f"{name}/settings", "argocd-cm", data)
        # Declared also when it is empty: a line added by hand is then drift.
        policy = "".join(f"g, {group}, role:admin\n" for group in args.settings.argocd.admin_groups)
        rights = {"policy.default": "", "policy.csv": policy, "scopes": "[groups]"}
        self._patch(f"{name}/rights", "argocd-rbac-cm", rights)
        self.register_outputs({"url": url})

    def _oidc_config(self, client_id: str) -> str:
        """Argo CD reads YAML; JSON is YAML."""
        settings = self._args.settings
        issuer = settings.endpoints[System.KEYCLOAK]
        config: dict[str, object] = {
            "name": "Keycloak",
            "issuer": f"{issuer.url}/realms/{settings.keycloak.realm}",
            "clientID": client_id,
            "enablePKCEAuthentication": True,  # a public client: no secret to keep
            "requestedScopes": ["openid", "profile", "email", "groups"],
        }
        if issuer.ca is not None:
            config["rootCA"] = self._args.authorities[str(issuer.ca)]
        return json.dumps(config, sort_keys=True)

    def _patch(self, name: str, config_map: str, data: Mapping[str, pulumi.Input[str]]) -> None:
        core.ConfigMapPatch(
            name,
            metadata=ObjectMetaPatchArgs(
                name=config_map,
                namespace=self._args.settings.argocd.namespace,
                annotations={"pulumi.com/patchForce": "true"},
            ),
            data=dict(data),
            opts=self.child(self._args.provider),
        )


@dataclass(frozen=True, slots=True)
class ArgoCDTenantArgs:
    """`provider` is the one of the cluster Argo CD runs on; `namespaces` are the tenant's, by environment.

    `readers` is what Argo CD clones an infra repository with, by repository.
    """

    tenant: Tenant
    settings: Settings
    provider: kubernetes.Provider
    namespaces: Mapping[str, pulumi.Output[str]]
    readers: Mapping[str, UserPassword] = field(default_factory=dict)


class ArgoCDTenant(Component):
    """An AppProject per environment, and an Application per environment and infra repository.

    An AppProject says exactly which repositories may be deployed into exactly which namespace, and by whom.
    `applications` are the applications' names, in the file's order.
    """

    system = "argocd"
    applications: tuple[str, ...]

    def __init__(self, name: str, args: ArgoCDTenantArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register projects and applications."""
        super().__init__(name, opts)
        self._args = args
        self._prefix = name
        applications: list[str] = []
        if deploys(args.tenant):
            for repository_name, reader in args.readers.items():
                self._repository(repository_name, reader)
            for environment in args.tenant.environments:
                app_project = self._project(environment)
                for repository in self._infra():
                    applications.append(self._application(environment, repository, app_project))
        self.applications = tuple(applications)
        self.register_outputs({"applications": applications})

    def _infra(self) -> tuple[Repository, ...]:
        return tuple(r for r in self._args.tenant.repositories if r.kind is RepositoryKind.INFRA)

    def _metadata(self, name: str, environment: Environment) -> ObjectMetaArgs:
        return ObjectMetaArgs(
            name=name,
            namespace=self._args.settings.argocd.namespace,
            labels=labels(self._args.tenant, environment),
        )

    def _repository(self, repository: str, reader: UserPassword) -> None:
        """Declare a repository with its credential, as Argo CD reads it from a labelled secret."""
        project, settings = self._args.tenant, self._args.settings

        def encoded(text: str) -> str:
            return base64.b64encode(text.encode()).decode()

        core.Secret(
            f"{self._prefix}/repository/{repository}",
            metadata=ObjectMetaArgs(
                name=names_of(project).repository_secret(repository),
                namespace=settings.argocd.namespace,
                labels={**labels(project), "argocd.argoproj.io/secret-type": "repository"},
            ),
            type="Opaque",
            data={
                "type": encoded("git"),
                "url": encoded(repository_url(settings, project, repository)),
                "username": reader.username.apply(encoded),
                "password": secret(reader.password.apply(encoded)),
            },
            opts=self.child(self._args.provider),
        )

    def _project(self, environment: Environment) -> CustomResource:
        project, settings = self._args.tenant, self._args.settings
        names = names_of(project)
        name = names.argocd_project(environment.name)
        server = settings.clusters[environment.cluster].server
        namespace = self._args.namespaces[environment.name]
        spec: dict[str, object] = {
            "description": f"{project.name}, {environment.name}",
            "sourceRepos": [repository_url(settings, project, r.name) for r in self._infra()],
            "destinations": [{"server": server, "namespace": namespace}],
            "destinationServiceAccounts": [
                {"server": server, "namespace": namespace, "defaultServiceAccount": DEPLOYER_SERVICE_ACCOUNT}
            ],
            "clusterResourceWhitelist": [],
            "namespaceResourceBlacklist": [{"group": group, "kind": kind} for group, kind in DENIED_KINDS],
            "roles": [made for role in roles_of(project) if (made := _role(name, project, role, environment))],
        }
        windows = self._windows(environment)
        if windows:
            spec["syncWindows"] = windows
        return CustomResource(
            f"{self._prefix}/{environment.name}/project",
            api_version=_API,
            kind="AppProject",
            metadata=self._metadata(name, environment),
            spec=spec,
            opts=self.child(self._args.provider),
        )

    def _windows(self, environment: Environment) -> list[dict[str, object]]:
        windows = self._args.settings.stages[environment.stage].sync_windows
        if self._args.tenant.state is State.SUSPENDED:
            # Always, and for people too: a suspended tenant does not move.
            windows = (SyncWindow(kind="deny", schedule="* * * * *", duration="24h", manual_sync=False), *windows)
        return [
            {
                "kind": window.kind,
                "schedule": window.schedule,
                "duration": window.duration,
                "applications": ["*"],
                "manualSync": window.manual_sync,
                "timeZone": window.time_zone,
            }
            for window in windows
        ]

    def _application(self, environment: Environment, repository: Repository, app_project: CustomResource) -> str:
        project, settings, deployment = self._args.tenant, self._args.settings, repository.deployment
        if deployment is None:
            raise ValueError(f"{repository.name} is an infra repository without a deployment")
        names = names_of(project)
        name = names.application(environment.name, repository.name)
        source: dict[str, object] = {
            "repoURL": repository_url(settings, project, repository.name),
            "path": deployment.path,
            "targetRevision": deployment.revision.of(environment.name),
        }
        if deployment.value_files:
            source["helm"] = {
                "releaseName": repository.name,
                "valueFiles": [f.replace("<env>", environment.name) for f in deployment.value_files],
            }
        sync_policy: dict[str, object] = {"syncOptions": ["CreateNamespace=false", "ServerSideApply=true"]}
        if syncs(project, environment):
            sync_policy["automated"] = {"prune": True, "selfHeal": True}
        CustomResource(
            f"{self._prefix}/{environment.name}/{repository.name}",
            api_version=_API,
            kind="Application",
            # No resources finalizer: deleting an Application leaves what it deployed, and blocks on nothing.
            metadata=self._metadata(name, environment),
            spec={
                "project": names.argocd_project(environment.name),
                "source": source,
                "destination": {
                    "server": settings.clusters[environment.cluster].server,
                    "namespace": self._args.namespaces[environment.name],
                },
                "syncPolicy": sync_policy,
            },
            opts=self.child(self._args.provider, depends_on=[app_project]),
        )
        return name


def _role(app_project: str, tenant: Tenant, role: TenantRole, environment: Environment) -> dict[str, object] | None:
    """Return a role of the AppProject: who the Keycloak group lets see, or also sync, its applications."""
    view, sync = deployments(environment)
    if view not in role.rights:
        return None
    actions = _WRITE_ACTIONS if sync in role.rights else _READ_ACTIONS
    subject = f"proj:{app_project}:{role.name}"
    return {
        "name": role.name,
        "description": f"{role.name} of {tenant.slug}",
        "groups": [names_of(tenant).role_group_path(role.name)],
        "policies": [f"p, {subject}, applications, {action}, {app_project}/*, allow" for action in actions],
    }

"""Argo CD, by its config maps and custom resources: log-in (foundation); AppProjects and Applications of a tenant."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs, ObjectMetaPatchArgs

from components.base import Component, OidcClient, OidcIssuer, UserPassword, secret
from components.kubernetes.cluster_roles import DENIED_KINDS
from components.kubernetes.delivery import secrets_of
from model.access import TenantRole, deployments, namespace, roles_of
from model.lifecycle import deploys, syncs
from model.naming import (
    DELIVERY_STORE,
    DEPLOYER_SERVICE_ACCOUNT,
    IMAGE_POLICY,
    MONITORING_OBJECT,
    REGISTRY_SECRET,
    VAULT_SERVICE_ACCOUNT,
    labels,
    names_of,
)
from model.promotion import followed, image_file, promotions_into
from model.settings import ArgoCDSettings, Cluster, Stage, SyncWindow
from model.tenant import Environment, Repository, RepositoryKind, State, Tenant

_API = "argoproj.io/v1alpha1"
#: What a role of a tenant may do in one environment, as Argo CD's resource and action.
_READ_ACTIONS = (("applications", "get"),)
_WRITE_ACTIONS = tuple(("applications", action) for action in ("get", "sync", "override", "action/*"))
#: Version 3 has the right to read the logs of pods apart from that to see the application. Those have it who may read
#: the same logs in Kubernetes.
_LOG_ACTIONS = (("logs", "get"),)
#: What the program creates in a namespace. No application deploys it, and it is no leftover of one either.
_NOT_ORPHANS: tuple[Mapping[str, str], ...] = (
    *({"group": group, "kind": kind} for group, kind in DENIED_KINDS),
    {"group": "", "kind": "Secret", "name": REGISTRY_SECRET},
    {"group": "", "kind": "ServiceAccount", "name": DEPLOYER_SERVICE_ACCOUNT},
    {"group": "", "kind": "ServiceAccount", "name": VAULT_SERVICE_ACCOUNT},
    {"group": "external-secrets.io", "kind": "SecretStore", "name": DELIVERY_STORE},
    {"group": "monitoring.coreos.com", "kind": "*", "name": f"{MONITORING_OBJECT}*"},
    {"group": "policies.kyverno.io", "kind": "NamespacedImageValidatingPolicy", "name": IMAGE_POLICY},
)


@dataclass(frozen=True, slots=True)
class ArgoCDFoundationArgs:
    """`provider` is that of the cluster that Argo CD runs on, `url` Argo CD's address.

    `client` is Argo CD's OIDC client; None if Keycloak is off, and only Argo CD's own administrator can log in.
    """

    provider: kubernetes.Provider
    url: str
    settings: ArgoCDSettings
    client: OidcClient | None


class ArgoCDFoundation(Component):
    """Argo CD's own settings, patched into the config maps of its installation.

    People log in by Keycloak, only the administrators' groups have rights everywhere, and deployments run as the
    deployer account of the namespace.
    """

    system = "argocd"

    def __init__(self, name: str, args: ArgoCDFoundationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register the patches."""
        super().__init__(name, opts)
        self._args = args
        client = args.client
        data: dict[str, pulumi.Input[str]] = {
            "url": args.url,
            "application.sync.impersonation.enabled": "true",
            # With Keycloak, Argo CD's own administrator cannot log in. Nobody opens a shell in a pod through Argo CD.
            "admin.enabled": "false" if client is not None else "true",
            "exec.enabled": "false",
        }
        if client is not None:
            issuer = client.issuer
            data["oidc.config"] = client.client_id.apply(lambda client_id: _oidc_config(client_id, issuer))
        self._patch(f"{name}/settings", "argocd-cm", data)
        # Written even if it is empty, so that a line added manually is drift.
        policy = "".join(f"g, {group}, role:admin\n" for group in args.settings.admin_groups)
        rights = {"policy.default": "", "policy.csv": policy, "scopes": "[groups]"}
        self._patch(f"{name}/rights", "argocd-rbac-cm", rights)
        self.register_outputs({"url": args.url})

    def _patch(self, name: str, config_map: str, data: Mapping[str, pulumi.Input[str]]) -> None:
        core.ConfigMapPatch(
            name,
            metadata=ObjectMetaPatchArgs(
                name=config_map,
                namespace=self._args.settings.namespace,
                annotations={"pulumi.com/patchForce": "true"},
            ),
            data=dict(data),
            opts=self.child(self._args.provider),
        )


def _oidc_config(client_id: str, issuer: OidcIssuer) -> str:
    """Return Argo CD's OIDC configuration. Argo CD reads YAML, and JSON is YAML."""
    config: dict[str, object] = {
        "name": "Keycloak",
        "issuer": issuer.url,
        "clientID": client_id,
        "enablePKCEAuthentication": True,  # a public client, so no secret has to be stored
        "requestedScopes": ["openid", "profile", "email", "groups"],
    }
    if issuer.authority is not None:
        config["rootCA"] = issuer.authority
    return json.dumps(config, sort_keys=True)


@dataclass(frozen=True, slots=True)
class DeployedRepository:
    """An infra repository of a tenant.

    `url` is its address for `git clone`, `reader` the credential of Argo CD (None: it needs none, or gets none).
    """

    url: str
    reader: UserPassword | None


@dataclass(frozen=True, slots=True)
class ArgoCDTenantArgs:
    """`provider` is that of the cluster that Argo CD runs on, `namespace` Argo CD's own namespace there.

    `clusters` and `stages` are those of the tenant's environments, by name. `namespaces` are the tenant's namespaces by
    environment, `repositories` its infra repositories by name.
    """

    tenant: Tenant
    provider: kubernetes.Provider
    namespace: str
    clusters: Mapping[str, Cluster]
    stages: Mapping[str, Stage]
    namespaces: Mapping[str, pulumi.Output[str]]
    repositories: Mapping[str, DeployedRepository]


class ArgoCDTenant(Component):
    """An AppProject per environment, and an Application per environment and infra repository.

    An AppProject lists the repositories that may be deployed into the environment's namespace, and who may do so.
    `applications` are the names of the Applications, in the order of the tenant file.
    """

    system = "argocd"
    applications: tuple[str, ...]

    def __init__(self, name: str, args: ArgoCDTenantArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register credentials, AppProjects and Applications."""
        super().__init__(name, opts)
        self._args = args
        self._prefix = name
        applications: list[str] = []
        if deploys(args.tenant):
            for repository_name, deployed in args.repositories.items():
                if deployed.reader is not None:
                    self._repository(repository_name, deployed.url, deployed.reader)
            for environment in args.tenant.environments:
                app_project = self._app_project(environment)
                for repository in self._infra():
                    applications.append(self._application(environment, repository, app_project))
        self.applications = tuple(applications)
        self.register_outputs({"applications": applications})

    def _infra(self) -> tuple[Repository, ...]:
        return tuple(r for r in self._args.tenant.repositories if r.kind is RepositoryKind.INFRA)

    def _metadata(self, name: str, environment: Environment) -> ObjectMetaArgs:
        return ObjectMetaArgs(
            name=name,
            namespace=self._args.namespace,
            labels=labels(self._args.tenant, environment),
        )

    def _repository(self, repository: str, url: str, reader: UserPassword) -> None:
        """Create the labelled Secret from which Argo CD reads a repository and its credential."""
        tenant = self._args.tenant

        def encoded(text: str) -> str:
            return base64.b64encode(text.encode()).decode()

        core.Secret(
            f"{self._prefix}/repository/{repository}",
            metadata=ObjectMetaArgs(
                name=names_of(tenant).repository_secret(repository),
                namespace=self._args.namespace,
                labels={**labels(tenant), "argocd.argoproj.io/secret-type": "repository"},
            ),
            type="Opaque",
            data={
                "type": encoded("git"),
                "url": encoded(url),
                "username": reader.username.apply(encoded),
                "password": secret(reader.password.apply(encoded)),
            },
            opts=self.child(self._args.provider),
        )

    def _app_project(self, environment: Environment) -> CustomResource:
        tenant = self._args.tenant
        name = names_of(tenant).argocd_project(environment.name)
        server = self._args.clusters[environment.cluster].server
        namespace = self._args.namespaces[environment.name]
        delivered = [
            {"group": "external-secrets.io", "kind": "ExternalSecret", "name": each.name}
            for each in secrets_of(tenant, environment)
        ]
        spec: dict[str, object] = {
            "description": f"{tenant.name}, {environment.name}",
            "sourceRepos": [self._args.repositories[r.name].url for r in self._infra()],
            "destinations": [{"server": server, "namespace": namespace}],
            "destinationServiceAccounts": [
                {"server": server, "namespace": namespace, "defaultServiceAccount": DEPLOYER_SERVICE_ACCOUNT}
            ],
            "clusterResourceWhitelist": [],
            "orphanedResources": {"warn": True, "ignore": [*_NOT_ORPHANS, *delivered]},
            "namespaceResourceBlacklist": [{"group": group, "kind": kind} for group, kind in DENIED_KINDS],
            "roles": [made for role in roles_of(tenant) if (made := _role(name, tenant, role, environment))],
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
        # An active window that denies decides alone. If it allowed manual syncs, a team could deploy by it while no
        # window of the stage allows anything (`SyncWindows.CanSync` of Argo CD 3.5).
        freezes = [
            SyncWindow("deny", freeze.schedule, freeze.duration, manual_sync=False, time_zone=freeze.time_zone)
            for freeze in environment.freezes
        ]
        if self._args.tenant.state is State.SUSPENDED:
            # At all times, and also for manual syncs: nothing is deployed for a suspended tenant.
            freezes.append(SyncWindow(kind="deny", schedule="* * * * *", duration="24h", manual_sync=False))
        windows = [*freezes, *self._args.stages[environment.stage].sync_windows]
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
        tenant, deployment = self._args.tenant, repository.deployment
        if deployment is None:
            raise ValueError(f"{repository.name} is an infra repository without a deployment")
        names = names_of(tenant)
        name = names.application(environment.name, repository.name)
        source: dict[str, object] = {
            "repoURL": self._args.repositories[repository.name].url,
            "path": deployment.path,
            "targetRevision": followed(tenant, repository.name, environment.name)
            or deployment.revision.of(environment.name),
        }
        promoted = promotions_into(tenant, repository.name).get(environment.name, {})
        if deployment.value_files or promoted:
            own = [f.replace("<env>", environment.name) for f in deployment.value_files]
            helm: dict[str, object] = {
                "releaseName": repository.name,
                # The last file wins: no value file of the team replaces a promoted digest.
                "valueFiles": [*own, *(image_file(application, environment.name) for application in promoted)],
            }
            if promoted:
                # Before its first promotion, an application has no file. The preset `infra` refuses missing files of
                # the team in the pipeline.
                helm["ignoreMissingValueFiles"] = True
            source["helm"] = helm
        sync_policy: dict[str, object] = {"syncOptions": ["CreateNamespace=false", "ServerSideApply=true"]}
        if syncs(tenant, environment):
            sync_policy["automated"] = {"prune": True, "selfHeal": True}
        CustomResource(
            f"{self._prefix}/{environment.name}/{repository.name}",
            api_version=_API,
            kind="Application",
            # No resources finalizer: what an Application deployed stays when it is deleted, and the deletion waits for
            # nothing.
            metadata=self._metadata(name, environment),
            spec={
                "project": names.argocd_project(environment.name),
                "source": source,
                "destination": {
                    "server": self._args.clusters[environment.cluster].server,
                    "namespace": self._args.namespaces[environment.name],
                },
                "syncPolicy": sync_policy,
            },
            opts=self.child(self._args.provider, depends_on=[app_project]),
        )
        return name


def _role(app_project: str, tenant: Tenant, role: TenantRole, environment: Environment) -> dict[str, object] | None:
    """Return the AppProject's role for a role of the tenant: its members see, or also sync, the applications.

    None if the role gives no right to deployments.
    """
    view, sync = deployments(environment)
    if view not in role.rights:
        return None
    actions = (
        *(_WRITE_ACTIONS if sync in role.rights else _READ_ACTIONS),
        *(_LOG_ACTIONS if namespace(environment)[0] in role.rights else ()),
    )
    subject = f"proj:{app_project}:{role.name}"
    return {
        "name": role.name,
        "description": f"{role.name} of {tenant.slug}",
        "groups": [names_of(tenant).role_group_path(role.name)],
        "policies": [f"p, {subject}, {what}, {action}, {app_project}/*, allow" for what, action in actions],
    }

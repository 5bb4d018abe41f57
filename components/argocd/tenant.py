"""Argo CD, by its custom resources: AppProjects, Applications and ApplicationSets of a tenant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import ResourceOptions
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from components.argocd.pulled import PulledCredential, PulledCredentialArgs
from components.argocd.sources import (
    FOLDER_NAME,
    DeployedRepository,
    deployment_of,
    folders,
    registry_of,
    source_urls,
    sources,
)
from components.base import Component, UserPassword, encoded, secret
from components.kubernetes.cluster_roles import DENIED_KINDS
from components.kubernetes.delivery import secrets_of
from model.access import TenantRole, deployments, namespace, roles_of
from model.argocd import ArgoCDInstance
from model.clusters import Cluster, ClusterPull
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
from model.repository import Repository, RepositoryKind
from model.settings import Stage, SyncWindow
from model.tenant import Environment, State, Tenant
from model.zone_naming import pulled_secret

API = "argoproj.io/v1alpha1"
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
class ArgoCDPlace:
    """An Argo CD of the platform that has objects of a tenant, and the provider of the cluster that it runs on."""

    instance: ArgoCDInstance
    provider: kubernetes.Provider


@dataclass(frozen=True, slots=True)
class ArgoCDTenantArgs:
    """`places` are the Argo CDs of the platform that have objects of the tenant.

    `clusters` and `stages` are those of the tenant's environments, by name. `namespaces` are the tenant's namespaces by
    environment, `repositories` its infra repositories by name. `pulling` are the providers of the clusters that pull:
    the objects of their environments are for their own Argo CD.
    """

    tenant: Tenant
    places: Sequence[ArgoCDPlace]
    clusters: Mapping[str, Cluster]
    stages: Mapping[str, Stage]
    namespaces: Mapping[str, pulumi.Output[str]]
    repositories: Mapping[str, DeployedRepository]
    pulling: Mapping[str, kubernetes.Provider] = field(default_factory=dict)


class ArgoCDTenant(Component):
    """An AppProject per environment, and an Application per environment and infra repository.

    An AppProject lists the repositories that may be deployed into the environment's namespace, and who may do so.
    A repository of which each folder is an application has an ApplicationSet instead. Both are in the Argo CD that
    deploys to the environment's cluster. `applications` are the addresses of those in the platform's Argo CDs, by name:
    of the Applications, then of what the ApplicationSets make; each in the order of the tenant file.
    """

    system = "argocd"
    applications: Mapping[str, str]

    def __init__(self, name: str, args: ArgoCDTenantArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register credentials, AppProjects and Applications."""
        super().__init__(name, opts)
        self._args = args
        self._prefix = name
        applications: dict[str, str] = {}
        application_sets: dict[str, str] = {}
        if deploys(args.tenant):
            self._git_secrets()
            for environment in args.tenant.environments:
                app_project, place = self._app_project(environment), self._place(environment)
                for repository in self._infra():
                    self._chart_secret(environment, repository.name)
                    if deployment_of(repository).each_folder:
                        made = self._application_set(environment, repository, app_project)
                        if place is not None:
                            # Only Argo CD knows the applications of folders: the address lists those of the project.
                            project = names_of(args.tenant).argocd_project(environment.name)
                            application_sets[made] = f"{place.instance.url}/applications?proj={project}"
                    else:
                        made = self._application(environment, repository, app_project)
                        if place is not None:
                            instance = place.instance
                            applications[made] = f"{instance.url}/applications/{instance.namespace}/{made}"
        self.applications = {**applications, **application_sets}
        self.register_outputs({"applications": list(applications)})

    def _infra(self) -> tuple[Repository, ...]:
        return tuple(r for r in self._args.tenant.repositories if r.kind is RepositoryKind.INFRA)

    def _pull(self, environment: Environment) -> ClusterPull | None:
        return self._args.clusters[environment.cluster].pull

    def _place(self, environment: Environment) -> ArgoCDPlace | None:
        """Return the platform's Argo CD that deploys an environment; None if the Argo CD of its cluster does."""
        cluster = self._args.clusters[environment.cluster]
        return next((place for place in self._args.places if place.instance.deploys_to(cluster)), None)

    def _inside(self, environment: Environment, depends_on: list[pulumi.Resource] | None = None) -> ResourceOptions:
        """Return the options of an object for the Argo CD that deploys an environment.

        If another Argo CD deploys the environment from now on, the object is deleted there before it is created here:
        never do two Argo CDs manage one namespace.
        """
        place = self._place(environment)
        provider = self._args.pulling[environment.cluster] if place is None else place.provider
        return self.child(provider, depends_on=depends_on, delete_before_replace=True)

    def _metadata(self, name: str, environment: Environment) -> ObjectMetaArgs:
        return ObjectMetaArgs(
            name=name, namespace=self._namespace(environment), labels=labels(self._args.tenant, environment)
        )

    def _namespace(self, environment: Environment) -> str:
        """Return the namespace of the Argo CD that deploys an environment."""
        place, pull = self._place(environment), self._pull(environment)
        if place is not None:
            return place.instance.namespace
        if pull is None:
            raise ValueError(f"no Argo CD deploys to cluster {environment.cluster}")
        return pull.argocd_namespace

    def _git_secrets(self) -> None:
        """Create a Secret per infra repository; on clusters that pull, what delivers it."""
        tenant, names = self._args.tenant, names_of(self._args.tenant)
        pulling = {e.cluster: pull for e in tenant.environments if (pull := self._pull(e)) is not None}
        here = not tenant.environments or any(self._pull(e) is None for e in tenant.environments)
        for repository, deployed in self._args.repositories.items():
            if not deployed.readers:
                continue
            name, data = names.repository_secret(repository), {"type": "git", "url": deployed.url}
            for place in self._args.places if here else ():
                instance = place.instance
                logical = f"repository/{repository}{instance.suffix}"
                self._repository_secret(logical, name, deployed.readers[instance.name], data, place)
            for cluster, pull in pulling.items():
                PulledCredential(
                    f"{self._prefix}/repository/{repository}/{cluster}",
                    PulledCredentialArgs(
                        name,
                        pull.argocd_namespace,
                        pulled_secret(self._args.clusters[cluster], tenant, name),
                        data,
                        labels(tenant),
                        self._args.pulling[cluster],
                    ),
                    ResourceOptions(parent=self),
                )

    def _chart_secret(self, environment: Environment, repository: str) -> None:
        """Let the environment's AppProject read the chart of a repository, if that is in the tenant's own registry."""
        names, chart = names_of(self._args.tenant), self._args.repositories[repository].chart
        if chart is None or chart.puller is None:
            return
        pull, place = self._pull(environment), self._place(environment)
        if pull is not None:
            name = names.chart_secret(environment.name, repository)
            PulledCredential(
                f"{self._prefix}/{environment.name}/{repository}/chart",
                PulledCredentialArgs(
                    name,
                    pull.argocd_namespace,
                    pulled_secret(self._args.clusters[environment.cluster], self._args.tenant, name),
                    registry_of(chart, names.argocd_project(environment.name)),
                    labels(self._args.tenant, environment),
                    self._args.pulling[environment.cluster],
                ),
                ResourceOptions(parent=self),
            )
        elif place is not None:
            self._repository_secret(
                f"{environment.name}/{repository}/chart",
                names.chart_secret(environment.name, repository),
                chart.puller,
                registry_of(chart, names.argocd_project(environment.name)),
                place,
                environment,
            )

    def _repository_secret(
        self,
        logical: str,
        name: str,
        credential: UserPassword,
        data: Mapping[str, str],
        place: ArgoCDPlace,
        environment: Environment | None = None,
    ) -> None:
        """Create the labelled Secret from which an Argo CD reads a repository and its credential."""
        core.Secret(
            f"{self._prefix}/{logical}",
            metadata=ObjectMetaArgs(
                name=name,
                namespace=place.instance.namespace,
                labels={
                    **labels(self._args.tenant, environment),
                    "argocd.argoproj.io/secret-type": "repository",
                },
            ),
            type="Opaque",
            data={
                **{key: encoded(value) for key, value in data.items()},
                "username": credential.username.apply(encoded),
                "password": secret(credential.password.apply(encoded)),
            },
            opts=self.child(place.provider),
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
        if self._pull(environment) is not None:
            delivered.append({"group": "external-secrets.io", "kind": "ExternalSecret", "name": REGISTRY_SECRET})
        spec: dict[str, object] = {
            "description": f"{tenant.name}, {environment.name}",
            "sourceRepos": self._source_repositories(environment),
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
            api_version=API,
            kind="AppProject",
            metadata=self._metadata(name, environment),
            spec=spec,
            opts=self._inside(environment),
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

    def _source_repositories(self, environment: Environment) -> list[str]:
        """Return what the environment deploys from, each once: repositories, and the addresses of charts."""
        found = {
            url: None
            for repository in self._infra()
            for spec in [sources(self._args.tenant, environment, repository, self._args.repositories[repository.name])]
            for url in source_urls(spec)
        }
        return list(found)

    def _spec(self, environment: Environment, repository: Repository) -> dict[str, object]:
        """Return the spec of an Application; of an ApplicationSet's template, for a repository with a folder each."""
        tenant = self._args.tenant
        sync_policy: dict[str, object] = {"syncOptions": ["CreateNamespace=false", "ServerSideApply=true"]}
        if syncs(tenant, environment):
            sync_policy["automated"] = {"prune": True, "selfHeal": True}
        return {
            "project": names_of(tenant).argocd_project(environment.name),
            **sources(tenant, environment, repository, self._args.repositories[repository.name]),
            "destination": {
                "server": self._args.clusters[environment.cluster].server,
                "namespace": self._args.namespaces[environment.name],
            },
            "syncPolicy": sync_policy,
        }

    def _application(self, environment: Environment, repository: Repository, app_project: CustomResource) -> str:
        name = names_of(self._args.tenant).application(environment.name, repository.name)
        CustomResource(
            f"{self._prefix}/{environment.name}/{repository.name}",
            api_version=API,
            kind="Application",
            # No resources finalizer: what an Application deployed stays when it is deleted, and the deletion waits for
            # nothing.
            metadata=self._metadata(name, environment),
            spec=self._spec(environment, repository),
            opts=self._inside(environment, [app_project]),
        )
        return name

    def _application_set(self, environment: Environment, repository: Repository, app_project: CustomResource) -> str:
        tenant, deployed = self._args.tenant, self._args.repositories[repository.name]
        names, deployment = names_of(tenant), deployment_of(repository)
        name = names.application(environment.name, repository.name)
        revision = deployment.revision.of(environment.name)
        CustomResource(
            f"{self._prefix}/{environment.name}/{repository.name}",
            api_version=API,
            kind="ApplicationSet",
            metadata=self._metadata(name, environment),
            spec={
                # An unknown variable is an error, and not an empty text.
                "goTemplate": True,
                "goTemplateOptions": ["missingkey=error"],
                "generators": [folders(deployment, deployed.url, revision)],
                # Otherwise Argo CD deletes what a folder deployed when the folder is gone, also in a freeze.
                "syncPolicy": {"preserveResourcesOnDeletion": True},
                "template": {
                    "metadata": {
                        "name": names.folder_application(environment.name, repository.name, FOLDER_NAME),
                        "labels": labels(tenant, environment),
                    },
                    "spec": self._spec(environment, repository),
                },
            },
            opts=self._inside(environment, [app_project]),
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

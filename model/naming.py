"""The names of all objects that Usine creates, in every tool; `model.zone_naming` has those of zones.

No other module derives a name.

Two rules make names of distinct tenants distinct, in any tool:

- a slug has no double and no final dash, an environment name has no dash at all: ``<slug>-<environment>`` splits back
  at its last dash, and ``<slug>-<environment>--<repository>`` at its first double dash;
- all other text that follows a slug is behind a character that no slug has (``/``, ``.``, ``:``).

Names are never cut: the lengths below are those of the longest legal parts, and each tool allows them.
"""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from model.clusters import Cluster
from model.repository import OWN_REGISTRY, Chart, RepositoryKind
from model.settings import GitLabSettings, Settings, System
from model.tenant import Environment, Tenant

#: What the logins of the accounts whose tokens analyse begin with, before the tenant's slug.
ANALYSIS_ACCOUNTS = "usine."
#: Label and annotation prefix of everything Usine owns in Kubernetes.
DOMAIN = "usine.dev"
#: The label of every object that Usine manages in Kubernetes, with the value `usine`.
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
#: What the addresses of charts in registries begin with.
OCI = "oci://"
#: The beginning of the program's warnings about people who have no account yet; the report of a run repeats these.
PENDING_PEOPLE = "pending in "


class Access(enum.StrEnum):
    """What a person may do in one environment; the Keycloak groups `/<slug>/<environment>/<access>`."""

    READ_WRITE = "rw"
    READ_ONLY = "ro"


class RobotPurpose(enum.StrEnum):
    """What a robot account of the registry is for."""

    PULL = "pull"
    PUSH = "push"


class RunnerPurpose(enum.StrEnum):
    """Which jobs a runner takes; also its tag. The last one is for the platform's scheduled work."""

    PROTECTED = "protected"
    UNPROTECTED = "unprotected"
    OPERATIONS = "operations"


@dataclass(frozen=True, slots=True)
class TenantNames:
    """The names of one tenant. Lengths in comments are the longest possible, against the tool's limit."""

    slug: str

    # Keycloak ---------------------------------------------------------------------------------------------------

    @property
    def group_path(self) -> str:
        """Full path of the tenant's group in Keycloak, also the claim value."""
        return f"/{self.slug}"

    def role_group_path(self, role: str) -> str:
        """Full path of a role's group, as the ``groups`` claim of a token has it."""
        return f"/{self.slug}/{role}"

    def access_group_path(self, environment: str, access: Access) -> str:
        """Full path of an environment's access group."""
        return f"/{self.slug}/{environment}/{access.value}"

    # Vault ------------------------------------------------------------------------------------------------------

    @property
    def secrets_mount(self) -> str:
        """Path of the tenant's KV version 2 mount."""
        return self.slug

    def role_policy(self, role: str) -> str:
        """Vault policy of the people of a role."""
        return f"{self.slug}.role.{role}"

    def environment_policy(self, environment: str) -> str:
        """Vault policy of the workloads of an environment."""
        return f"{self.slug}.env.{environment}"

    @property
    def pipeline_policy(self) -> str:
        """Vault policy, and JWT role, of the pipelines of protected branches and tags."""
        return f"{self.slug}.ci"

    def pipeline_environment_policy(self, environment: str) -> str:
        """Vault policy, and JWT role, of the jobs that name an environment, of protected branches and tags."""
        return f"{self.slug}.ci.{environment}"

    @property
    def operations_policy(self) -> str:
        """Vault policy, and JWT role, of the platform's scheduled work for the tenant."""
        return f"{self.slug}.operations"

    @property
    def review_policy(self) -> str:
        """Vault policy, and JWT role, of every other pipeline, merge requests' among them."""
        return f"{self.slug}.review"

    @property
    def signing_key(self) -> str:
        """Key in Vault's mount of signing keys that signs the tenant's images."""
        return self.slug

    def role_identity_group(self, role: str) -> str:
        """Vault external identity group of a role."""
        return f"{self.slug}.{role}"

    # Kubernetes -------------------------------------------------------------------------------------------------

    def namespace(self, environment: str) -> str:
        """Namespace of an environment, also its Vault Kubernetes-auth role (32 of 63)."""
        return f"{self.slug}-{environment}"

    # Observability -------------------------------------------------------------------------------------------------

    @property
    def deployment_alerts(self) -> str:
        """Rules and receivers for the tenant's deployments, in Argo CD's namespace."""
        return self.slug

    @property
    def grafana(self) -> str:
        """Objects of the tenant's Grafana in the namespace of these, and its OIDC client in Keycloak (28 of 63)."""
        return f"{GRAFANA_PREFIX}{self.slug}"

    @property
    def grafana_dashboards(self) -> str:
        """ConfigMap with the dashboards of the tenant's Grafana (39 of 253)."""
        return f"{self.grafana}.dashboards"

    def grafana_host(self, domain: str) -> str:
        """Host of the tenant's Grafana; a host of its own, so that browsers keep tenants apart."""
        return f"{self.slug}.{domain}"

    def verifier_secret(self, environment: str) -> str:
        """Secret, in the namespace of a cluster's verifier, that pulls the images of an environment (38 of 63)."""
        return f"usine-{self.namespace(environment)}"

    def backup_schedule(self, environment: str) -> str:
        """Schedule of an environment in Velero's namespace (38 of 63); backups are called ``<this>-<time>`` (53)."""
        return f"usine-{self.namespace(environment)}"

    # Argo CD ----------------------------------------------------------------------------------------------------

    def argocd_project(self, environment: str) -> str:
        """AppProject of an environment (32 of 63)."""
        return f"{self.slug}-{environment}"

    def application(self, environment: str, repository: str) -> str:
        """Application or ApplicationSet of an environment and an infra repository (54 of 63)."""
        return f"{self.slug}-{environment}--{repository}"

    def folder_application(self, environment: str, repository: str, folder: str) -> str:
        """Application of a folder of an infra repository. No name of a repository has a dot."""
        return f"{self.application(environment, repository)}.{folder}"

    def repository_secret(self, repository: str) -> str:
        """Secret that holds Argo CD's credential of an infra repository (48 of 63)."""
        return f"usine-{self.slug}--{repository}"

    def chart_secret(self, environment: str, repository: str) -> str:
        """Secret that holds Argo CD's credential of the chart of an infra repository, per environment (60 of 253)."""
        return f"usine-{self.slug}.{environment}--{repository}"

    # Forge ------------------------------------------------------------------------------------------------------

    def forge_group(self, root: str) -> str:
        """Full path of the tenant's group in GitLab, below the platform's root group."""
        return f"{root}/{self.slug}"

    def repository_path(self, root: str, repository: str) -> str:
        """Full path of a repository in GitLab."""
        return f"{root}/{self.slug}/{repository}"

    def operations_path(self, platform: str) -> str:
        """Full path of the project of the platform's scheduled work, in a group that has no tenant's members."""
        return f"{platform}/{OPERATIONS_GROUP}/{self.slug}"

    @property
    def registry_project(self) -> str:
        """Harbor project."""
        return self.slug

    def robot(self, purpose: RobotPurpose, generation: str) -> str:
        """Short name of a robot of the Harbor project; Harbor puts ``robot$<project>+`` before it."""
        return f"{purpose.value}-{generation}"

    def analysis_project(self, repository: str) -> str:
        """SonarQube project key."""
        return f"{self.slug}:{repository}"

    def analysis_account(self, generation: str) -> str:
        """Login of the account whose tokens analyse, one per generation of credentials (38 of 255).

        SonarQube makes people's logins of letters, digits and dashes: none of them has a dot.
        """
        return f"{ANALYSIS_ACCOUNTS}{self.slug}.{generation}"


def names_of(tenant: Tenant) -> TenantNames:
    """Return the names of a tenant."""
    return TenantNames(tenant.slug)


def chart_url(settings: Settings, tenant: Tenant, chart: Chart) -> str:
    """Address from which Argo CD reads a chart: of the chart itself (``oci://``), or of its Helm repository."""
    own = f"oci://{settings.registry_host}/{names_of(tenant).registry_project}"
    base = own if chart.source == OWN_REGISTRY else settings.argocd.charts[chart.source]
    return f"{base}/{chart.name}" if base.startswith(OCI) else base


def repository_url(settings: Settings, tenant: Tenant, repository: str) -> str:
    """Clone URL of a repository, as Argo CD sees it."""
    base = settings.endpoints[System.GITLAB].url
    return f"{base}/{names_of(tenant).repository_path(settings.gitlab.root, repository)}.git"


def name_of_person(person: str) -> tuple[str, str]:
    """Return the first and the last name in a user name: ``alice.martin``; the last name is empty without a dot."""
    first, _, last = person.partition(".")
    return first.capitalize(), last.capitalize()


def cluster_role_name(cluster: str, role: str) -> str:
    """Return the name of a ClusterRole for tenants. It contains the cluster: two clusters may share one API server."""
    return f"usine:{cluster}:{role}"


def vault_account_binding(namespace: str) -> str:
    """Return the name of the ClusterRoleBinding by which a namespace's workloads log in to Vault."""
    return f"usine:{namespace}:vault"


def kubernetes_auth_path(cluster: Cluster) -> str:
    """Path of the Vault auth back end of a cluster's workloads: of type `kubernetes`, or `jwt` if the cluster pulls."""
    return f"kubernetes/{cluster.name}"


#: Path of the Vault auth back end that takes Keycloak's tokens, and of the one that takes GitLab's job tokens.
OIDC_AUTH_PATH = "oidc"
PIPELINE_AUTH_PATH = "gitlab"
#: The transit mount with the tenants' keys that sign images.
SIGNING_MOUNT = "usine-signing"
#: The group, below the platform's, of the projects whose pipelines do the platform's work for tenants (mirrors, dynamic
#: analysis), and the account that owns their schedules. No person of a tenant file can have an underscore.
OPERATIONS_GROUP = "jobs"
OPERATIONS_ACCOUNT = "usine_jobs"
#: Where those pipelines push from and are scheduled on.
OPERATIONS_BRANCH = "main"
#: The component of that project, in logical names. No repository of a tenant file can have an underscore.
OPERATIONS_COMPONENT = "usine_jobs"
#: The CI variable with the tag of the runner for a job.
RUNNER_VARIABLE = "USINE_RUNNER"
#: The mount in Vault for credentials that the platform creates for its own machines. No slug has an underscore.
PLATFORM_MOUNT = "usine_platform"
#: What the names of the robot accounts that pull from proxy caches begin with, before the generation.
PROXY_ROBOT = "proxies"
#: The project of the platform's group that holds the CI presets, and the CI variable of all tenants with the tag they
#: are included by.
CATALOGUE_PROJECT = "catalogue"
CATALOGUE_TAG_VARIABLE = "USINE_CATALOGUE_TAG"
#: What the catalogue's tags begin with: raised where the same files must have another tag than before.
_CATALOGUE_EDITION = "v1"
#: Folders of a tenant's mount in Vault for what pipelines read: those of protected branches and tags, the platform's
#: scheduled work, and all of them.
CI_FOLDER = "ci"
#: The folder of what only jobs of one environment read: `ci-env/<environment>`. It is not below `ci`, which every
#: protected pipeline reads.
CI_ENVIRONMENTS_FOLDER = "ci-env"
OPERATIONS_FOLDER = "operations"
REVIEW_FOLDER = "review"
#: The path, in a tenant's mount, of the credential that pulls its images.
PULL_SECRET = f"{REVIEW_FOLDER}/registry/pull"
#: The folder of the tokens that read packages, for readers outside the platform.
PACKAGES_FOLDER = "packages"
#: The pull secret in each tenant namespace.
REGISTRY_SECRET = "usine-registry"  # noqa: S105 - an object's name
#: The SecretStore in tenant namespaces by which External Secrets reads the environment's folder in Vault.
DELIVERY_STORE = "vault"
#: The policy in each tenant namespace by which a cluster's verifier admits signed images only.
IMAGE_POLICY = "usine-signed-images"
#: The service account Argo CD deploys as, and the one workloads show to Vault, in each tenant namespace.
DEPLOYER_SERVICE_ACCOUNT = "usine-deployer"
VAULT_SERVICE_ACCOUNT = "vault"


#: What the platform's monitors, rules and receivers are called in a tenant namespace, and the receivers that need a
#: Secret of the team.
MONITORING_OBJECT = "usine"
WEBHOOKS_OBJECT = "usine-webhooks"
#: The label by which a Service, or pods without one, ask for their port `metrics` to be scraped.
METRICS_LABEL = f"{DOMAIN}/metrics"
#: What the names of the objects of a tenant's Grafana begin with.
GRAFANA_PREFIX = "grafana-"
#: The label of a namespace by which Loki knows how long to keep its logs, such as ``30d``.
LOG_RETENTION_LABEL = f"{DOMAIN}/log-retention"


#: What the API server's admission policies read of a tenant's namespace: whose it is and on which of the settings'
#: clusters (labels), and the host names its routes may have (an annotation, with commas).
TENANT_LABEL = f"{DOMAIN}/tenant"
CLUSTER_LABEL = f"{DOMAIN}/cluster"
HOSTS_ANNOTATION = f"{DOMAIN}/hosts"
#: What the names of those policies begin with.
ADMISSION_PREFIX = "usine."


def admission_policy(cluster: Cluster, rule: str) -> str:
    """Name of an admission policy and of its binding; of the cluster too, since two may share one API server."""
    return f"{ADMISSION_PREFIX}{cluster.name}.{rule}"


def environment_folder(environment: str) -> str:
    """Folder of a tenant's mount in Vault that the workloads of an environment read."""
    return f"env/{environment}"


def runner_description(purpose: RunnerPurpose, generation: str) -> str:
    """Description of a runner, which is all that GitLab shows of it in its lists."""
    return f"usine {purpose.value} {generation}"


def runner_secret(purpose: RunnerPurpose) -> str:
    """Path, in the platform's mount, of the token of a runner."""
    return f"{OPERATIONS_FOLDER}/runners/{purpose.value}"


#: Path, in the platform's mount, of the credential that pulls from Harbor's proxy caches.
PROXY_SECRET = f"{OPERATIONS_FOLDER}/registry/{PROXY_ROBOT}"


def proxy_project(proxy: str) -> str:
    """Name of the Harbor project that caches another registry. No slug has a dot."""
    return f"proxy.{proxy}"


def catalogue_path(gitlab: GitLabSettings) -> str:
    """Full path of the project with the CI presets."""
    return f"{gitlab.platform}/{CATALOGUE_PROJECT}"


def catalogue_tag(files: Mapping[str, str]) -> str:
    """Tag of the CI catalogue with these published files: the same files have the same tag, on every machine."""
    digest = hashlib.sha256(json.dumps(sorted(files.items())).encode()).hexdigest()
    return f"{_CATALOGUE_EDITION}-{digest[:16]}"


def labels(tenant: Tenant, environment: Environment | None = None) -> dict[str, str]:
    """Labels of a Kubernetes object of the tenant: those of the file, then those of the platform, which win."""
    ours = {MANAGED_BY_LABEL: "usine", TENANT_LABEL: tenant.slug}
    if environment is not None:
        ours |= {f"{DOMAIN}/environment": environment.name, f"{DOMAIN}/stage": environment.stage}
    return {**{f"label.{DOMAIN}/{key}": value for key, value in tenant.labels.items()}, **ours}


def all_names(tenant: Tenant, settings: Settings) -> Mapping[str, tuple[str, ...]]:
    """Return every name of a tenant, by kind of object. Two objects of one kind with the same name are an error.

    Messages use the words for the kinds.
    """
    names = names_of(tenant)
    infra = [r.name for r in tenant.repositories if r.kind is RepositoryKind.INFRA]
    environments = [e.name for e in tenant.environments]
    return {
        "Keycloak group": (
            names.group_path,
            *(names.role_group_path(role) for role in tenant.role_names),
            *(f"{names.group_path}/{e}" for e in environments),
        ),
        "Vault mount": (names.secrets_mount,),
        "Vault policy": (
            *(names.role_policy(role) for role in tenant.role_names),
            *(names.environment_policy(e) for e in environments),
            names.pipeline_policy,
            *(names.pipeline_environment_policy(e) for e in environments),
            names.operations_policy,
            names.review_policy,
        ),
        "Vault signing key": (names.signing_key,),
        "Vault identity group": tuple(names.role_identity_group(role) for role in tenant.role_names),
        "Kubernetes namespace": tuple(names.namespace(e) for e in environments),
        "Secret of an image verifier": tuple(names.verifier_secret(e) for e in environments),
        "backup schedule": tuple(names.backup_schedule(e) for e in environments),
        "Grafana": (names.grafana,),
        "config map of Grafana": (names.grafana, names.grafana_dashboards),
        "OIDC client": (names.grafana,),
        "Argo CD project": tuple(names.argocd_project(e) for e in environments),
        "Argo CD application": tuple(names.application(e, r) for e in environments for r in infra),
        "Argo CD repository secret": (
            *(names.repository_secret(r) for r in infra),
            *(names.chart_secret(e, r) for e in environments for r in infra),
        ),
        "Argo CD rules": (names.deployment_alerts,),
        "GitLab path": (
            names.forge_group(settings.gitlab.root),
            names.operations_path(settings.gitlab.platform),
            *(names.repository_path(settings.gitlab.root, r.name) for r in tenant.repositories),
        ),
        "Harbor project": (names.registry_project,),
        "SonarQube project": tuple(
            names.analysis_project(r.name) for r in tenant.repositories if r.kind is RepositoryKind.APP
        ),
        "SonarQube group": tuple(names.role_group_path(role) for role in tenant.role_names),
        "SonarQube account": tuple(
            names.analysis_account(credential.name) for credential in settings.generations_of(tenant.slug)
        ),
    }

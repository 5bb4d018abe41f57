"""The `usine:` keys of a settings file for pydantic: names and types, without checks across keys."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from model.clusters import VOLUME_TYPES, BackupTool, Operator, Verifier, VolumeBackup
from model.reading import fields as f
from model.reading import settings_fields as v
from model.reading.archetypes_load import ArchetypeSection
from model.reading.section import Section, fixed
from model.settings import BoundBy, Edition, FoundationMode, PeopleSource, System

SystemName = Annotated[str, *fixed("system", *(system.value for system in System))]


class EndpointSection(Section):
    """The address of a tool."""

    url: v.Endpoint
    ca: v.Line | None = None


class KeycloakSection(Section):
    """The realm and where its people come from."""

    realm: v.DnsLabel = "usine"
    people: Annotated[str, *fixed("source of people", *(source.value for source in PeopleSource))] = "directory"
    email_domain: f.Host | None = None


class ArgoCDInstanceSection(Section):
    """The place of one Argo CD of several, and the zones that it deploys to."""

    cluster: str
    namespace: v.DnsLabel = "argocd"
    url: v.Endpoint
    zones: Annotated[list[str], Field(min_length=1)]


class ArgoCDSection(Section):
    """The place of Argo CD, or those of several, and their administrators."""

    cluster: str | None = None
    namespace: v.DnsLabel | None = None
    instances: Annotated[dict[v.ArgoCDName, ArgoCDInstanceSection], Field(min_length=1)] | None = None
    admin_groups: list[v.Group] | None = None
    charts: dict[v.ChartSource, v.ChartRepository] = Field(default={})


class CatalogueSection(Section):
    """Which tenants use which version of the CI catalogue."""

    version: v.CatalogueVersion | None = None
    first: list[str] = Field(default=[])


class RunnersSection(Section):
    """Runners that the foundation declares."""

    timeout: Annotated[int, Field(ge=600, le=86_400)] = 7200  # GitLab takes no less than ten minutes


class GitLabSection(Section):
    """Where the tenants' and the platform's groups are, and who makes the accounts."""

    root: v.DnsLabel = "tenants"
    platform: v.DnsLabel = "platform"
    edition: Annotated[str, *fixed("edition", *(edition.value for edition in Edition))] = "free"
    people: Annotated[str, *fixed("source of people", *(source.value for source in PeopleSource))] = "directory"
    email_domain: f.Host | None = None
    tools_image: v.PinnedImage | None = None
    second_factor: bool = False
    runners: RunnersSection | None = None


class ProxySection(Section):
    """A project of Harbor that caches another registry."""

    registry: v.RegistryHost
    url: v.Endpoint | None = None
    public: bool = False
    quota: f.Size = 200 * 2**30


class HarborSection(Section):
    """The lifetime of robots, the administrators, and the caches of other registries."""

    robot_days: Annotated[int, Field(ge=1, le=730)] = 180
    admin_group: v.Line | None = None
    proxies: dict[v.ProxyName, ProxySection] = Field(default={})


class ScansSection(Section):
    """What the scanners of pipelines work by."""

    vulnerability_database: v.ImageRepository | None = None
    java_database: v.ImageRepository | None = None
    denied_licenses: list[v.License] | None = None


class DataStoreSection(Section):
    """A store of metrics or logs, and the header by which it bounds what it answers."""

    url: v.DataStoreUrl
    header: v.Header = "X-Scope-OrgID"
    bound: Annotated[str, *fixed("bound", *(bound.value for bound in BoundBy))] = "tenant"


class GrafanaSection(Section):
    """The Grafana instances of tenants."""

    cluster: str
    namespace: v.NamespaceName = "grafana"
    domain: f.Host
    image: v.PinnedImage
    metrics: DataStoreSection
    logs: DataStoreSection | None = None
    ingress_class: v.ClassName | None = None


class ObservabilitySettingsSection(Section):
    """Runbooks of alerts, retentions of logs, hosts of webhooks, and Grafana."""

    runbooks: v.Page
    log_retentions: Annotated[list[f.Days], Field(min_length=1)]
    webhook_hosts: list[f.Host] = Field(default=[])
    grafana: GrafanaSection | None = None


class GateConditionSection(Section):
    """A condition of a quality gate."""

    metric: v.Metric
    op: Annotated[str, *fixed("comparison", "LT", "GT")]
    error: Annotated[int, Field(ge=0, le=1_000_000)]


class SonarQubeSection(Section):
    """Quality gates, the webhook of analyses, and the name of the platform's own token."""

    gates: dict[v.NameText, Annotated[list[GateConditionSection], Field(min_length=1)]] = Field(default={})
    webhook: v.Endpoint | None = None
    token_name: v.Line = "usine"  # noqa: S105 - a name


class CredentialSection(Section):
    """A generation of stored credentials."""

    name: v.GenerationName
    until: f.Date | None = None


class SyncWindowSection(Section):
    """An Argo CD sync window."""

    kind: Annotated[str, *fixed("kind of sync window", "allow", "deny")]
    schedule: f.Cron
    duration: f.Duration
    manual_sync: bool = True
    time_zone: f.TimeZone = "UTC"


class StageSection(Section):
    """A stage of environments."""

    production: bool = False
    sync_windows: list[SyncWindowSection] = Field(default=[])


class CapacitySection(Section):
    """Limits for the sum of all environments of a cluster."""

    cpu: f.Cpu
    memory: f.Size
    storage: f.Size
    gpu: f.Count = 0
    pods: f.Count


class WorkloadRulesSection(Section):
    """Shared objects of a cluster that tenants may use."""

    images: list[v.ImagePrefix] | None = None
    volumes: list[Annotated[str, *fixed("volume type", *VOLUME_TYPES)]] | None = None
    storage_classes: list[v.ClassName] | None = None
    priority_classes: list[v.ClassName] | None = None
    ingress_annotations: list[v.AnnotationName] | None = None


class SecretDeliverySection(Section):
    """The operator that writes secrets of Vault into Kubernetes Secrets."""

    operator: Annotated[str, *fixed("operator that delivers secrets", Operator.EXTERNAL_SECRETS.value)]
    refresh_interval: v.RefreshInterval = "1h"


class ImageVerifierSection(Section):
    """The controller that verifies images."""

    kind: Annotated[str, *fixed("verifier of images", *(kind.value for kind in Verifier))]
    namespace: v.NamespaceName | None = None


class ClusterBackupSection(Section):
    """What backs up the production namespaces of a cluster."""

    kind: Annotated[str, *fixed("backup tool", *(kind.value for kind in BackupTool))]
    namespace: v.NamespaceName = "velero"
    storage_location: v.NamespaceName = "default"
    volumes: Annotated[str, *fixed("backup of volumes", *(way.value for way in VolumeBackup))] = "moved"
    longest: f.Days = 90


class ClusterPullSection(Section):
    """How a cluster that the platform does not reach gets its objects."""

    issuer: v.Line
    keys: v.Line
    argocd_namespace: v.NamespaceName = "argocd"


class ClusterSection(Section):
    """A Kubernetes cluster."""

    zone: str
    server: v.ApiServer
    context: v.Line | None = None
    stages: list[str]  # empty: a cluster of the platform, where no tenant deploys
    ca: v.Line | None = None
    capacity: CapacitySection | None = None
    oidc_prefix: v.Line | None = None
    token_audience: v.Line | None = None
    ingress_namespace: v.DnsLabel | None = None
    monitoring_namespace: v.DnsLabel | None = None
    internal_networks: list[v.Network] | None = None
    platform_networks: list[v.Network] | None = None
    platform_ports: Annotated[list[Annotated[int, Field(ge=1, le=65535)]], Field(min_length=1)] | None = None
    workloads: WorkloadRulesSection = WorkloadRulesSection()
    operators: list[Annotated[str, *fixed("operator", *(operator.value for operator in Operator))]] = Field(default=[])
    reserved_namespaces: list[v.NamespaceName] = Field(default=[])
    secret_delivery: SecretDeliverySection | None = None
    image_verifier: ImageVerifierSection | None = None
    backup: ClusterBackupSection | None = None
    argocd_token: v.TokenFile | None = None
    pull: ClusterPullSection | None = None


class LimitsSection(Section):
    """Limits of a tenant."""

    environments: Annotated[int, Field(ge=1, le=1000)] | None = None
    repositories: Annotated[int, Field(ge=1, le=1000)] | None = None
    members: Annotated[int, Field(ge=1, le=100_000)] | None = None
    egress: Annotated[int, Field(ge=0, le=1000)] | None = None
    hosts: Annotated[int, Field(ge=0, le=1000)] | None = None


class MassRemovalSection(Section):
    """Limits on removals: a change that removes more is refused."""

    count: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    fraction: f.Fraction | None = None
    least: Annotated[int, Field(ge=1, le=1000)] | None = None


class ChangesSection(Section):
    """Who may change what."""

    platform_team: list[f.Person] = Field(default=[])
    platform_owners: v.Owners | None = None
    mass_removal: MassRemovalSection = MassRemovalSection()


class WaveSection(Section):
    """Some tenants, which a change of the platform reaches at the same time."""

    tenants: Annotated[list[str], Field(min_length=1)] | None = None
    share: f.Fraction | None = None
    probe: v.NameText | None = None


class FleetSection(Section):
    """How changes of the platform reach the tenants of `usine fleet`."""

    waves: Annotated[list[WaveSection], Field(max_length=20)] = Field(default=[])
    soak: f.Duration | None = None
    scanned: bool = True
    longest_hold: f.Days | None = None
    versions: Annotated[dict[f.VersionName, v.Commit], Field(max_length=20)] = Field(default={})
    longest_pin: f.Days | None = None
    shards: Annotated[int, Field(ge=2, le=1000)] | None = None


class SettingsSection(Section):
    """All keys of the name space `usine`."""

    systems: Annotated[list[SystemName], Field(min_length=1)]
    endpoints: dict[SystemName, EndpointSection] = Field(default={})
    keycloak: KeycloakSection = KeycloakSection()
    argocd: ArgoCDSection | None = None
    gitlab: GitLabSection = GitLabSection()
    catalogue: CatalogueSection = CatalogueSection()
    harbor: HarborSection = HarborSection()
    sonarqube: SonarQubeSection = SonarQubeSection()
    scans: ScansSection = ScansSection()
    observability: ObservabilitySettingsSection | None = None
    credentials: Annotated[list[CredentialSection], Field(min_length=1)] | None = None
    tenant_credentials: dict[str, Annotated[list[CredentialSection], Field(min_length=1)]] = Field(default={})
    zones: list[v.NameText] = Field(default=[])
    stages: Annotated[dict[v.DnsLabel, StageSection], Field(min_length=1)]
    clusters: dict[v.DnsLabel, ClusterSection] = Field(default={})
    presets: Annotated[list[v.NameText], Field(min_length=1)]
    gates: Annotated[list[v.NameText], Field(min_length=1)]
    packages: list[v.PackageName] = Field(default=[])
    reserved: list[v.NameText] = Field(default=[])
    limits: LimitsSection = LimitsSection()
    changes: ChangesSection = ChangesSection()
    fleet: FleetSection = FleetSection()
    archetypes: dict[v.DnsLabel, ArchetypeSection]
    tenants: list[str] | None = None
    foundation: Annotated[str, *fixed("mode", *(mode.value for mode in FoundationMode))] = "include"
    projects: v.Line = "projects.d"

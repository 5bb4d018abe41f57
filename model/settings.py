"""The settings of the platform, from the `usine:` keys of `Pulumi.<stack>.yaml`: frozen dataclasses of checked values.

Only `model.reading.settings_load` makes them.
"""

from __future__ import annotations

import datetime
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from model.archetypes import Archetype
from model.argocd import ArgoCDSettings
from model.clusters import Cluster
from model.waves import FleetSettings


class System(enum.StrEnum):
    """The systems that Usine manages; a settings file lists those that are on."""

    KEYCLOAK = "keycloak"
    VAULT = "vault"
    KUBERNETES = "kubernetes"
    ARGOCD = "argocd"
    GITLAB = "gitlab"
    HARBOR = "harbor"
    SONARQUBE = "sonarqube"
    OBSERVABILITY = "observability"


class FoundationMode(enum.StrEnum):
    """What a stack holds: foundation and tenants (``include``), only the foundation, or only tenants (``skip``)."""

    INCLUDE = "include"
    ONLY = "only"
    SKIP = "skip"


class PeopleSource(enum.StrEnum):
    """Where accounts come from: a ``directory`` federated into the tool, or ``managed`` by the foundation."""

    DIRECTORY = "directory"
    MANAGED = "managed"


@dataclass(frozen=True, slots=True)
class SyncWindow:
    """An Argo CD sync window: `kind` allow or deny, a cron `schedule`, a `duration` such as ``8h``."""

    kind: str
    schedule: str
    duration: str
    manual_sync: bool = True
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of environments. Argo CD keeps its `sync_windows`."""

    name: str
    production: bool
    sync_windows: tuple[SyncWindow, ...] = ()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of a tool. `url` without a final slash; `ca` the PEM file to trust (None: a public authority)."""

    url: str
    ca: Path | None = None

    def authority(self, authorities: Mapping[str, str]) -> str | None:
        """Return the PEM text of its authority; `authorities` has those of the settings by path."""
        return authorities[str(self.ca)] if self.ca else None


@dataclass(frozen=True, slots=True)
class KeycloakSettings:
    """`realm` holds tenants' people and groups; `people` is the source of the accounts.

    `email_domain` completes the e-mail address of managed accounts; None leaves it for the person to fill in.
    """

    realm: str
    people: PeopleSource
    email_domain: str | None = None


class BoundBy(enum.StrEnum):
    """What a store reads in the header: the tenant's slug, or its namespaces with commas between them."""

    TENANT = "tenant"
    NAMESPACES = "namespaces"


@dataclass(frozen=True, slots=True)
class DataStore:
    """A store of metrics or logs that answers within the bounds of a header, which Grafana sets."""

    url: str
    header: str = "X-Scope-OrgID"
    bound: BoundBy = BoundBy.TENANT


@dataclass(frozen=True, slots=True)
class GrafanaSettings:
    """Where the Grafana instances of tenants run: one for each tenant that declares dashboards.

    The instance of a tenant is at ``https://<slug>.<domain>``. `image` has a digest. `logs` None: no logs are shown.
    `ingress_class` None: the cluster's default class.
    """

    cluster: str
    namespace: str
    domain: str
    image: str
    metrics: DataStore
    logs: DataStore | None = None
    ingress_class: str | None = None


@dataclass(frozen=True, slots=True)
class ObservabilitySettings:
    """`runbooks` is the address of the published page docs/alertes.md, which alerts link to.

    `log_retentions` are the days that the platform's Loki is set up for, `webhook_hosts` the hosts that Alertmanager
    may call for tenants. `grafana` None: tenants have no dashboards.
    """

    runbooks: str = ""
    log_retentions: tuple[int, ...] = ()
    webhook_hosts: tuple[str, ...] = ()
    grafana: GrafanaSettings | None = None


class Edition(enum.StrEnum):
    """GitLab's edition: ``community`` (the CE package), ``free`` (the EE package without a licence), or ``premium``
    (and above), which adds approvals, push rules and guarded deployments.

    CE and EE name differently who may push to a protected branch, licence or not.
    """

    COMMUNITY = "community"
    FREE = "free"
    PREMIUM = "premium"


@dataclass(frozen=True, slots=True)
class RunnerSettings:
    """Runners that the foundation declares. `timeout` is how long a job may run, in seconds."""

    timeout: int = 7200


@dataclass(frozen=True, slots=True)
class GitLabSettings:
    """`root` is the group below which all tenants' groups are, `platform` the group of the platform's own projects.

    `people`: whether the foundation creates the accounts, or looks up those that log-in or a directory made.
    `email_domain` completes the e-mail address of managed accounts. `tools_image` is the image the catalogue's jobs run
    in (bao, git, buildah, sonar-scanner), by digest; None only where GitLab or Harbor is off.
    `second_factor`: members of the platform's and the tenants' groups must have one in GitLab itself. `runners` None:
    the platform has runners that Usine does not know, and the catalogue's jobs have no tags.
    """

    root: str = "tenants"
    platform: str = "platform"
    edition: Edition = Edition.FREE
    people: PeopleSource = PeopleSource.MANAGED
    email_domain: str | None = None
    tools_image: str | None = None
    second_factor: bool = False
    runners: RunnerSettings | None = None


@dataclass(frozen=True, slots=True)
class CatalogueSettings:
    """`version` is the tag of the CI catalogue that tenants use; None: that of this checkout.

    The tenants in `first` use that of this checkout.
    """

    version: str | None = None
    first: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProxyCache:
    """A project of Harbor that fetches the images of another registry and keeps them.

    `registry` is the host that image names start with, `url` the address that Harbor asks. `public`: everybody who
    reaches Harbor may pull, without a credential. `quota` is in bytes.
    """

    name: str
    registry: str
    url: str
    public: bool
    quota: int


@dataclass(frozen=True, slots=True)
class HarborSettings:
    """`robot_days` is how long a robot account lives from its creation, in days.

    `admin_group` is the group of the ``groups`` claim that administers Harbor, None for none. `proxies` are the caches
    of other registries.
    """

    robot_days: int = 180
    admin_group: str | None = None
    proxies: tuple[ProxyCache, ...] = ()


@dataclass(frozen=True, slots=True)
class ScanSettings:
    """What the scanners of pipelines work by.

    `vulnerability_database` and `java_database` are trivy's databases: image repositories without tag, which jobs may
    pull without credentials; None: trivy's own default. `denied_licenses` are SPDX ids and trivy's categories.
    """

    vulnerability_database: str | None = None
    java_database: str | None = None
    denied_licenses: tuple[str, ...] = ("forbidden",)


@dataclass(frozen=True, slots=True)
class GateCondition:
    """A condition of a quality gate, in SonarQube's words: it fails when `metric` is `op` (LT or GT) `error`."""

    metric: str
    op: str
    error: str


#: The default conditions of a gate: those that SonarQube recommends for new code.
CLEAN_CODE = (
    GateCondition("new_violations", "GT", "0"),
    GateCondition("new_security_hotspots_reviewed", "LT", "100"),
    GateCondition("new_coverage", "LT", "80"),
    GateCondition("new_duplicated_lines_density", "GT", "3"),
)


@dataclass(frozen=True, slots=True)
class SonarQubeSettings:
    """`gates` has the conditions of every declared gate. SonarQube calls the URL `webhook` after each analysis.

    `token_name` is the name in SonarQube of the token in SONAR_TOKEN: every other token of an administrator is drift.
    """

    gates: Mapping[str, tuple[GateCondition, ...]] = field(default_factory=dict)
    webhook: str | None = None
    token_name: str = "usine"  # noqa: S105 - a name


#: How long before its end a certificate or a stored credential is reported.
CREDENTIAL_NOTICE = datetime.timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Credential:
    """A generation of the stored credentials that nothing short-lived can replace (robots, deploy and analysis tokens).

    Every declared generation exists, the last one is handed out: adding one rotates, and the older ones still work
    until they are taken out of the list. `until` is the last day they are good for, where the tool takes a date.
    """

    name: str
    until: datetime.date | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of every tenant."""

    environments: int = 10
    repositories: int = 50
    members: int = 200
    egress: int = 20
    hosts: int = 20


@dataclass(frozen=True, slots=True)
class MassRemoval:
    """Limits on removals: a change or a run that removes more objects of one kind is refused.

    More than `count` of them; or at least `least` that are more than `fraction` of all there are.
    """

    count: int = 50
    fraction: float = 0.2
    least: int = 5


@dataclass(frozen=True, slots=True)
class ChangeSettings:
    """Who may change what (see docs/rules.md).

    `platform_team` are the GitLab user names of those who may change everything and waive a rule. `platform_owners` is
    whom CODEOWNERS names for what is the platform's: a user or a group with its ``@``; several, with spaces between.
    """

    platform_team: frozenset[str] = frozenset()
    platform_owners: str = "@platform"
    mass_removal: MassRemoval = field(default_factory=MassRemoval)


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of the platform. `tenants` None: all tenants."""

    stack: str
    source: str
    systems: frozenset[System]
    endpoints: Mapping[System, Endpoint]
    keycloak: KeycloakSettings
    argocd: ArgoCDSettings
    clusters: Mapping[str, Cluster]
    stages: Mapping[str, Stage]
    zones: tuple[str, ...]
    presets: tuple[str, ...]
    gates: tuple[str, ...]
    packages: tuple[str, ...]
    reserved: frozenset[str]
    archetypes: Mapping[str, Archetype]
    gitlab: GitLabSettings = field(default_factory=GitLabSettings)
    catalogue: CatalogueSettings = field(default_factory=CatalogueSettings)
    harbor: HarborSettings = field(default_factory=HarborSettings)
    sonarqube: SonarQubeSettings = field(default_factory=SonarQubeSettings)
    scans: ScanSettings = field(default_factory=ScanSettings)
    observability: ObservabilitySettings = field(default_factory=ObservabilitySettings)
    credentials: tuple[Credential, ...] = (Credential("1"),)
    tenant_credentials: Mapping[str, tuple[Credential, ...]] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    changes: ChangeSettings = field(default_factory=ChangeSettings)
    fleet: FleetSettings = field(default_factory=FleetSettings)
    tenants: tuple[str, ...] | None = None
    foundation: FoundationMode = FoundationMode.INCLUDE
    projects: Path = Path("projects.d")

    @property
    def addresses(self) -> tuple[tuple[System, str], ...]:
        """The addresses of the tools by system; several of Argo CD, if zones have one of their own."""
        others = [(system, one.url) for system, one in self.endpoints.items() if system is not System.ARGOCD]
        return tuple(sorted([*others, *((System.ARGOCD, one.url) for one in self.argocd.instances if one.url)]))

    @property
    def authorities(self) -> tuple[Path, ...]:
        """The CA files of endpoints and clusters, and the files of `issuer_keys`, each once, sorted."""
        named = {endpoint.ca for endpoint in self.endpoints.values()} | {c.ca for c in self.clusters.values()}
        named |= self.issuer_keys
        return tuple(sorted(path for path in named if path is not None))

    @property
    def issuer_keys(self) -> frozenset[Path]:
        """The files with public keys of clusters' issuers (JSON Web Key Sets)."""
        return frozenset(cluster.pull.keys for cluster in self.clusters.values() if cluster.pull is not None)

    @property
    def pulling_zones(self) -> tuple[str, ...]:
        """The zones with clusters that pull their objects, sorted. Each one has a repository."""
        return tuple(sorted({cluster.zone for cluster in self.clusters.values() if cluster.pull is not None}))

    @property
    def issuer(self) -> str:
        """URL of the Keycloak realm: the issuer of people's tokens."""
        return f"{self.endpoints[System.KEYCLOAK].url}/realms/{self.keycloak.realm}"

    @property
    def registry_host(self) -> str:
        """Host, and port where it is not the usual one, that image names start with."""
        return urlsplit(self.endpoints[System.HARBOR].url).netloc

    def on(self, system: System) -> bool:
        """Return whether a system is switched on."""
        return system in self.systems

    def generations_of(self, slug: str | None) -> tuple[Credential, ...]:
        """Return the credential generations of a tenant, or of the foundation (None); the last one is handed out."""
        return self.credentials if slug is None else self.tenant_credentials.get(slug, self.credentials)

    @property
    def signs_images(self) -> bool:
        """Whether pipelines push images and sign them with a key in Vault."""
        return self.on(System.VAULT) and self.on(System.GITLAB) and self.on(System.HARBOR)

    def selected(self, slug: str) -> bool:
        """Return whether this stack holds the tenant."""
        return self.foundation is not FoundationMode.ONLY and (self.tenants is None or slug in self.tenants)

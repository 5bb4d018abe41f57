"""The tenant: frozen dataclasses of checked values.

Nothing here reads a file. Only `model.reading.load` makes these objects from text; components, plan and rules rely on
the invariants in the docstrings.
"""

from __future__ import annotations

import datetime
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from model.repository import Repository
from model.waves import Hold, Pin


class Role(enum.StrEnum):
    """The roles of people in a tenant. Each is a Keycloak group `/<slug>/<role>`, from which all rights derive."""

    OWNER = "owner"
    ADMIN = "admin"
    DEVOPS = "devops"
    DEVELOPER = "developer"
    SECURITY = "security"
    READONLY = "readonly"


class Right(enum.StrEnum):
    """What a person may do in one system, on the objects of the tenant. Tenant files use the values."""

    VAULT_NAMES = "vault:names"
    VAULT_SECRETS_NONPROD = "vault:secrets-nonprod"
    VAULT_SECRETS_PROD = "vault:secrets-prod"
    VAULT_SECRETS = "vault:secrets"
    VAULT_DESTROY = "vault:destroy"
    KUBERNETES_VIEW_NONPROD = "kubernetes:view-nonprod"
    KUBERNETES_VIEW_PROD = "kubernetes:view-prod"
    KUBERNETES_CHANGE_NONPROD = "kubernetes:change-nonprod"
    KUBERNETES_CHANGE_PROD = "kubernetes:change-prod"
    ARGOCD_VIEW_NONPROD = "argocd:view-nonprod"
    ARGOCD_VIEW_PROD = "argocd:view-prod"
    ARGOCD_SYNC_NONPROD = "argocd:sync-nonprod"
    ARGOCD_SYNC_PROD = "argocd:sync-prod"
    GITLAB_REPORTER = "gitlab:reporter"
    GITLAB_DEVELOPER = "gitlab:developer"
    GITLAB_MAINTAINER = "gitlab:maintainer"
    HARBOR_PULL = "harbor:pull"
    HARBOR_SCANS = "harbor:scans"
    SONARQUBE_VIEW = "sonarqube:view"
    SONARQUBE_ISSUES = "sonarqube:issues"
    SONARQUBE_HOTSPOTS = "sonarqube:hotspots"

    @property
    def system(self) -> str:
        """The system of the right, by its name in the settings."""
        return self.value.partition(":")[0]


class PackageFormat(enum.StrEnum):
    """A format of GitLab's package registry that the platform can restrict and whose packages the catalogue publishes.

    Their values are GitLab's names of package types.
    """

    MAVEN = "maven"
    NPM = "npm"
    PYPI = "pypi"
    GENERIC = "generic"


class State(enum.StrEnum):
    """The life cycle of a tenant.

    - ``active``: everything works.
    - ``suspended``: people keep read access only, deployments stop syncing, all data stays.
    - ``archived``: nobody has access, deployments are deleted, data stays but is no longer protected. When the file is
      removed then, the next run destroys the data. There is no other way to destroy it.
    """

    ACTIVE = "active"
    SUSPENDED = "suspended"
    ARCHIVED = "archived"


class ImageSeverity(enum.StrEnum):
    """From which severity on the registry refuses a pull, in Harbor's terms, and a finding makes a job red."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Quota:
    """An amount of resources. `cpu` in millicores, `memory` and `storage` in bytes, `gpu` and `pods` in units."""

    cpu: int = 0
    memory: int = 0
    storage: int = 0
    gpu: int = 0
    pods: int = 0

    def __add__(self, other: Quota) -> Quota:
        """Add amount by amount."""
        return Quota(
            self.cpu + other.cpu,
            self.memory + other.memory,
            self.storage + other.storage,
            self.gpu + other.gpu,
            self.pods + other.pods,
        )


@dataclass(frozen=True, slots=True)
class Envelope:
    """Limits for the sum of a tenant's environments; `pods` is not part of an envelope and stays 0."""

    nonprod: Quota
    prod: Quota


@dataclass(frozen=True, slots=True, order=True)
class Egress:
    """One allowed destination outside the platform: a lower-case DNS name and a TCP port (1-65535)."""

    host: str
    port: int


#: Durations that a latency objective may name: those of the ingress controller's histogram (buckets ``le``).
LATENCIES = ("100ms", "250ms", "500ms", "1s", "2.5s", "5s", "10s")


@dataclass(frozen=True, slots=True)
class LatencyObjective:
    """`percent` of the requests are answered within `within`, one of `LATENCIES`."""

    within: str
    percent: float


@dataclass(frozen=True, slots=True)
class Objectives:
    """Service level objectives over 30 days. `availability` is the percentage of requests without a server error."""

    availability: float | None = None
    latency: LatencyObjective | None = None


@dataclass(frozen=True, slots=True)
class Freeze:
    """A time without deployments: a cron `schedule` in `time_zone`, a `duration` such as ``8h``."""

    schedule: str
    duration: str
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Backup:
    """When an environment is backed up (a cron `schedule` in UTC), and how many days a backup is kept."""

    schedule: str
    keep_days: int


@dataclass(frozen=True, slots=True)
class Environment:
    """One environment: a namespace on a cluster.

    `name` is ``[a-z][a-z0-9]{1,10}`` (no dash, so `<slug>-<name>` splits back at its last dash). `production` is a
    copy of the stage's value. `url` is an https URL without credentials, or None. `hosts` are more
    DNS names, beside that of the URL. `backup` is None outside production, and on a cluster without backups.
    """

    name: str
    stage: str
    production: bool
    cluster: str
    quota: Quota
    autosync: bool
    url: str | None = None
    egress: tuple[Egress, ...] = ()
    hosts: tuple[str, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    objectives: Objectives = Objectives()
    backup: Backup | None = None

    @property
    def all_hosts(self) -> tuple[str, ...]:
        """Every DNS name that an Ingress or a route of its namespace may have, sorted."""
        named = urlsplit(self.url).hostname if self.url else None
        return tuple(sorted({*self.hosts, *([named] if named else [])}))


@dataclass(frozen=True, slots=True)
class Retention:
    """Keep the newest `tags` tags and all that were pushed in the last `days` days."""

    tags: int
    days: int


@dataclass(frozen=True, slots=True)
class Registry:
    """The tenant's image registry. `quota` in bytes; `immutable` are tag patterns."""

    quota: int
    keep: Retention
    immutable: tuple[str, ...]
    block_severity: ImageSeverity


class DastScan(enum.StrEnum):
    """What a dynamic analysis does: look only, attack the pages that a spider finds, or attack an API's operations."""

    BASELINE = "baseline"
    FULL = "full"
    API = "api"


@dataclass(frozen=True, slots=True)
class Dast:
    """Dynamic analysis of the public URL of these environments, at a cron schedule and after deployments.

    `openapi` is the path of the OpenAPI document on each environment, for the scan of an API. `credentials` is a path
    among the tenant's secrets; only the scheduled analysis reads it. `exclusions` are paths that it leaves alone.
    """

    environments: tuple[str, ...]
    schedule: str
    scan: DastScan = DastScan.BASELINE
    openapi: str | None = None
    credentials: str | None = None
    threshold: ImageSeverity = ImageSeverity.HIGH
    exclusions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Quality:
    """Static analysis: quality gate, length of the new-code period in days, DAST targets.

    `findings`: from which severity on a finding of a scanner makes its job red.
    """

    gate: str
    new_code_days: int
    findings: ImageSeverity
    dast: Dast | None = None


@dataclass(frozen=True, slots=True)
class PackageRegistry:
    """GitLab's package registry. `keep_versions`: how many versions of a package stay; None: all.

    `readers` are the names of those outside the platform that read packages with a stored token.
    """

    keep_versions: int | None = None
    readers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Alert:
    """A receiver of alerts, from which severity on (``info``, ``warning``, ``critical``).

    Either `to` is an e-mail address, or `webhook` an https URL on a host that the settings allow. `credentials` is the
    name of a Secret in the tenant's namespaces, whose key ``token`` is sent to the webhook.
    """

    severity: str
    to: str | None = None
    webhook: str | None = None
    credentials: str | None = None


class PanelKind(enum.StrEnum):
    """How a panel of a dashboard shows what its query finds."""

    GRAPH = "graph"
    NUMBER = "number"
    TABLE = "table"
    LOGS = "logs"


class PanelUnit(enum.StrEnum):
    """Units of a panel's values. `RATIO`: 1 is shown as 100 %."""

    NONE = "none"
    PERCENT = "percent"
    RATIO = "ratio"
    SECONDS = "seconds"
    MILLISECONDS = "milliseconds"
    BYTES = "bytes"
    PER_SECOND = "per-second"


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel of a dashboard. `query` is PromQL, or LogQL for the kind ``logs``; `legend` names its series."""

    title: str
    query: str
    kind: PanelKind = PanelKind.GRAPH
    unit: PanelUnit = PanelUnit.NONE
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A dashboard of the team: either `panels`, or `model`, the JSON text of one that Grafana exported."""

    name: str
    title: str
    panels: tuple[Panel, ...] = ()
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Observability:
    """Log retention in days, who gets alerts, and the team's dashboards (None: the tenant has no Grafana)."""

    log_retention_days: int
    alerts: tuple[Alert, ...] = ()
    dashboards: tuple[Dashboard, ...] | None = None


@dataclass(frozen=True, slots=True)
class DeliveredSecret:
    """A secret of Vault that an operator writes into a Kubernetes Secret of this name.

    `environments` are names of the same tenant's environments, on clusters that deliver secrets. `path` is below the
    folder of each environment. `keys` maps keys of the Secret to fields in Vault; empty: every field, with its name.
    """

    name: str
    environments: tuple[str, ...]
    path: str
    keys: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OwnRole:
    """A role that the tenant's file declares: rights of the table in `model.rights`, and people as in the file.

    `name` is ``[a-z][a-z0-9-]{1,19}`` without a double or final dash, and neither a `Role` nor an environment.
    """

    name: str
    description: str
    rights: frozenset[Right]
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tenant:
    """One tenant: everything of one file of `projects.d/`, with the defaults of its archetype.

    `slug` is ``[a-z][a-z0-9-]{1,19}``, no double or final dash; unique; it never changes. `owner` and the people of
    `members` are lower-case user names. `members` never holds Role.OWNER: see `people_of`.
    `environments`, `repositories` and `roles` keep the order of the file. `source` is the path of the file, for
    messages only.
    """

    slug: str
    name: str
    description: str
    archetype: str
    state: State
    owner: str
    contact: str
    review_after: datetime.date | None
    labels: Mapping[str, str]
    members: Mapping[Role, tuple[str, ...]]
    envelope: Envelope
    environments: tuple[Environment, ...]
    repositories: tuple[Repository, ...]
    registry: Registry
    quality: Quality
    packages: tuple[PackageFormat, ...]
    observability: Observability
    package_registry: PackageRegistry = PackageRegistry()
    roles: tuple[OwnRole, ...] = ()
    delivered: tuple[DeliveredSecret, ...] = ()
    hold: Hold | None = None
    pin: Pin | None = None
    source: str = field(default="", compare=False)

    def people_of(self, role: Role) -> tuple[str, ...]:
        """Return the people of one role, sorted; the owner is the one person of Role.OWNER."""
        if role is Role.OWNER:
            return (self.owner,)
        return tuple(sorted(self.members.get(role, ())))

    @property
    def people(self) -> frozenset[str]:
        """Everyone the file names with a role, the owner included."""
        named = {person for role in Role for person in self.people_of(role)}
        return frozenset(named | {person for role in self.roles for person in role.members})

    @property
    def role_names(self) -> tuple[str, ...]:
        """The platform's roles, then those of the file."""
        return (*(role.value for role in Role), *(role.name for role in self.roles))

"""The tenant file as pydantic sees it: names, types and descriptions of every field, and nothing across fields.

Archetypes leave no gap: `model.reading.complete` adds what a file leaves out before the validation. pydantic stays at
this edge: `model.reading.convert` turns a `TenantSection` into the frozen `Tenant` that everything else uses.
What the platform declares (clusters, stages, presets, ...) is checked against the `Words` in the validation context.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field, TypeAdapter

from model.archetypes import DEFAULT_ARCHETYPE
from model.reading import chart_fields as c
from model.reading import fields as f
from model.reading import secret_fields as s
from model.reading.observability_schema import ObjectivesSection, ObservabilitySection
from model.reading.section import Section, declared, fixed, from_archetype
from model.repository import Promotion, RepositoryKind
from model.tenant import DastScan, ImageSeverity, Right, State

API_VERSION: Final = "usine/v1"
KIND: Final = "Project"

ProtectedBranches = Annotated[list[f.BranchPattern], Field(max_length=20)]


class MembersSection(Section):
    """Role -> people. A person may have several roles; the key `owner` names the owner."""

    admin: list[f.Person] = []
    """All rights in the tenant, except to destroy it."""
    devops: list[f.Person] = []
    """Deploy everywhere, production included."""
    developer: list[f.Person] = []
    """Write code, deploy outside production."""
    security: list[f.Person] = []
    """Read everything, assess vulnerabilities."""
    readonly: list[f.Person] = []
    """Read everything, change nothing."""


class RoleSection(Section):
    """An own role of the tenant, beside those of the platform."""

    description: f.RoleDescription = ""
    rights: Annotated[list[Annotated[str, *fixed("right", *(right.value for right in Right))]], Field(min_length=1)]
    """The rights of the role. A right includes others: `usine explain` lists them."""
    members: list[f.Person] = []
    """Its people."""


class AmountsSection(Section):
    """Limits for a sum of environments."""

    cpu: f.Cpu = from_archetype()
    memory: f.Size = from_archetype()
    storage: f.Size = from_archetype()
    gpu: f.Count = from_archetype()
    """Graphics processors."""


class QuotaSection(AmountsSection):
    """What one environment may use."""

    pods: f.Count = from_archetype()
    """How many pods."""


class EnvelopeSection(Section):
    """Limits for the sum of the environments, by class of stage."""

    nonprod: AmountsSection = from_archetype()
    """All environments outside production."""
    prod: AmountsSection = from_archetype()
    """All environments in production."""


class EgressSection(Section):
    """One allowed destination outside the namespace."""

    host: f.Host
    port: Annotated[int, Field(ge=1, le=65535)] = 443
    """A TCP port."""


class FreezeSection(Section):
    """A time without deployments."""

    schedule: f.Cron
    """When it starts."""
    duration: f.Duration
    """How long it lasts."""
    time_zone: f.TimeZone = "UTC"
    """Time zone of the schedule."""


class BackupSection(Section):
    """Backups of an environment in production, on a cluster that has them."""

    schedule: f.BackupSchedule = from_archetype()
    """When, in UTC: once an hour at most, once a week at least. Default: that of the archetype."""
    keep: f.BackupDays = from_archetype()
    """How long a backup is kept. Default: as the archetype says."""


class EnvironmentSection(Section):
    """One environment: a namespace on a cluster."""

    stage: Annotated[str, *declared("stage")] | None = None
    """A stage of the platform. Default: the name of the environment, if a stage has that name."""
    cluster: Annotated[str, *declared("cluster")] | None = None
    """A cluster of the platform. Default: the cluster that offers the stage, if only one does."""
    quota: QuotaSection = from_archetype()
    """Limits of the environment. Default: those of the archetype."""
    autosync: bool = from_archetype()
    """Argo CD deploys each change of the repository without a person. Default: that of the archetype."""
    url: f.Url | None = None
    """The URL of the application."""
    hosts: list[f.Host] = []
    """Other host names of the application. An Ingress or a route of the namespace may have these and that of the url,
    and no others."""
    freezes: Annotated[list[FreezeSection], Field(max_length=20)] = []
    """Times in which Argo CD deploys nothing into the environment, also not if a person asks for it. They are added to
    the sync windows of the stage."""
    egress: list[EgressSection] = []
    """Destinations outside the platform that the namespace may connect to."""
    objectives: ObjectivesSection = ObjectivesSection()
    """What the environment promises; alerts report when it uses up its errors too fast. It needs a url or hosts."""
    backup: BackupSection | None = None
    """Production only: when the namespace and its volumes are backed up. Secrets are not: they are in Vault."""


class MirrorSection(Section):
    """An external repository to mirror."""

    url: f.Url
    credentials: s.SecretPath | None = None
    schedule: f.Cron
    pipelines: bool = False
    """Run the CI file of the external repository, on branches and tags that are not protected, without credentials that
    publish."""


class ChartSection(Section):
    """A Helm chart outside the repository."""

    source: Annotated[str, *declared("source of charts")]
    """`registry`: the tenant's own project in Harbor. Or a chart repository of the platform."""
    name: c.ChartName
    version: Annotated[dict[str, c.ChartVersion], Field(min_length=1)]
    """The exact version in each environment; `default` for all others."""


class DeploysSection(Section):
    """Where the pipeline of an application writes the digest of its image."""

    repository: f.RepositoryName
    """A repository of this file of kind infra."""
    environments: Annotated[
        dict[f.EnvironmentName, Annotated[str, *fixed("way of promotion", *(way.value for way in Promotion))]],
        Field(min_length=1),
    ]
    """Environment -> `direct` (the pipeline deploys; not for production) or `merge-request` (people merge)."""


class RepositorySection(Section):
    """One Git repository."""

    kind: Annotated[str, *fixed("kind of repository", *(kind.value for kind in RepositoryKind))] = "app"
    """`app`: source code. `infra`: charts or manifests that Argo CD deploys."""
    preset: Annotated[str, *declared("preset")] = from_archetype()
    """CI preset of the platform's catalogue. Default: that of the archetype; kind infra: `infra`, if the platform has
    it. A mirror has it from the run on that removes `mirror`: until then its source writes the files."""
    default_branch: f.Branch = from_archetype()
    protected_branches: ProtectedBranches = from_archetype()
    """Branches that change by merge requests only."""
    mirror: MirrorSection | None = None
    path: f.Directory | None = None
    """Kind infra: folder of the chart or of the manifests."""
    value_files: Annotated[list[f.ValueFile], Field(max_length=20)] | None = None
    """Kind infra: Helm value files, in order."""
    revision: dict[str, f.RevisionName] | None = None
    """Kind infra: the revision that Argo CD deploys in each environment; `default` for all others."""
    chart: ChartSection | None = None
    """Kind infra: a chart to deploy that is not in this repository. `path` is then the folder of its value files."""
    parameters: Annotated[dict[c.ParameterName, c.ParameterValue], Field(max_length=50)] | None = None
    """Kind infra: Helm parameters, which win over the value files. Everyone who sees the deployment reads them: no
    secrets."""
    each_folder: bool = False
    """Kind infra: every folder directly below `path` is an application of its own."""
    deploys: DeploysSection | None = None
    """Kind app: where the pipeline writes the digest of the image that it pushes."""


class KeepSection(Section):
    """The image tags to keep."""

    tags: Annotated[int, Field(ge=1, le=1000)] = from_archetype()
    """How many of the newest tags to keep."""
    days: Annotated[int, Field(ge=1, le=3650)] = from_archetype()
    """Keep tags pushed in so many last days."""


class RegistrySection(Section):
    """The tenant's image registry."""

    quota: f.Size = from_archetype()
    keep: KeepSection = from_archetype()
    """The image tags to keep."""
    immutable: Annotated[list[f.TagPattern], Field(max_length=15)] = from_archetype()
    """Patterns of tags that nobody can overwrite."""
    block_severity: Annotated[str, *fixed("severity", *(severity.value for severity in ImageSeverity))] = (
        from_archetype()
    )
    """Nobody can pull an image with a vulnerability of this severity or a higher one."""


FindingsThreshold = Annotated[str, *fixed("severity", *(severity.value for severity in ImageSeverity))]


class NewCodeSection(Section):
    """Length of the new-code period."""

    days: Annotated[int, Field(ge=1, le=90)]
    """Days, 1 to 90."""


class DastSection(Section):
    """Dynamic analysis of running environments."""

    environments: Annotated[list[f.EnvironmentName], Field(min_length=1)]
    """Environments of this file that have a url."""
    schedule: f.Cron
    scan: Annotated[str, *fixed("scan", *(scan.value for scan in DastScan))] = DastScan.BASELINE.value
    """baseline: sends no attack. full: attacks what a spider finds. api: attacks the operations of an OpenAPI document.
    full and api change data."""
    openapi: f.WebPath | None = None
    """The path of the OpenAPI document on each environment; only with scan api."""
    credentials: s.SecretPath | None = None
    """A path in the tenant's secrets with username and password, which the scheduled analysis sends to the environments
    by HTTP authentication."""
    threshold: FindingsThreshold = ImageSeverity.HIGH.value
    """The job is red from this severity on. none: never."""
    exclusions: Annotated[list[f.WebPattern], Field(max_length=20)] = []
    """Paths that no request goes to; * stands for anything."""


class QualitySection(Section):
    """Static and dynamic analysis."""

    gate: Annotated[str, *declared("gate")] = from_archetype()
    """A quality gate of the platform."""
    new_code: NewCodeSection = from_archetype()
    """The period in which code counts as new."""
    findings: FindingsThreshold = from_archetype()
    """The jobs of the scanners (secrets, code, dependencies, images, manifests) are red from this severity on. `none`:
    never."""
    dast: DastSection | None = None
    """Dynamic analysis."""


class PackageRegistrySection(Section):
    """GitLab's package registry, for a tenant that has `packages`."""

    keep_versions: Annotated[int, Field(ge=1, le=1000)] | None = None
    """How many versions of a package to keep: each publication deletes older ones. Default: all."""
    readers: Annotated[list[s.ReaderName], Field(max_length=10)] = []
    """Readers outside the platform's pipelines. Each has a token that reads the packages of the tenant, at
    `packages/<name>` among the tenant's secrets."""


class DeliverySection(Section):
    """A secret of Vault that pods get as a Kubernetes Secret."""

    environments: Annotated[list[f.EnvironmentName], Field(min_length=1)] | None = None
    """Environments of this file. Default: all of them."""
    path: s.DeliveredPath | None = None
    """The path in Vault, below env/<environment>/. Default: the name of the Secret."""
    keys: Annotated[dict[s.SecretKey, s.SecretField], Field(min_length=1, max_length=50)] | None = None
    """Key of the Secret -> field of the secret in Vault. Default: every field, with its name."""


class SecretsSection(Section):
    """The tenant's secrets."""

    deliver: Annotated[dict[s.DeliveredName, DeliverySection], Field(max_length=30)] = {}
    """Name of a Kubernetes Secret -> the secret in Vault that it is a copy of. The environment's cluster must deliver
    secrets."""


class HoldSection(Section):
    """No change of the platform reaches the tenant for some days; only on a platform that allows it (`usine:fleet`)."""

    until: f.Date
    """The last day."""
    reason: f.Reason


class PinSection(Section):
    """The tenant keeps a version of the platform for some days; only on a platform that lists versions."""

    version: f.VersionName
    """A version that the platform lists (`usine:fleet.versions`)."""
    until: f.Date
    """The last day."""
    reason: f.Reason


class TenantSection(Section):
    """One tenant: one file `<slug>.yaml` in `projects.d/`."""

    api_version: Annotated[str, *fixed("version", API_VERSION)]
    """Version of this format."""
    kind: Annotated[str, *fixed("kind", KIND)]
    """The kind of file."""
    slug: f.Slug
    name: f.Name
    description: f.Description = ""
    archetype: Annotated[str, *declared("archetype")] = DEFAULT_ARCHETYPE
    """The source of defaults: small, standard, large, or an archetype of the platform."""
    state: Annotated[str, *fixed("state", *(state.value for state in State))] = "active"
    """`suspended`: nobody changes anything, all data stays. `archived`: nobody has access; when the file is then
    removed, the next run destroys the data."""
    owner: f.Person
    contact: f.Email
    review_after: f.Date | None = None
    """The date of the next review of the tenant."""
    hold: HoldSection | None = None
    """Changes wait, those of this file too, except its removal."""
    pin: PinSection | None = None
    """Changes of the platform wait. Those of this file are applied, by the version of the platform that it names."""
    labels: Annotated[dict[f.LabelKey, f.LabelValue], Field(max_length=20)] = {}
    """Labels of your choice, on every object of a kind that has labels."""
    members: MembersSection = MembersSection()
    roles: Annotated[dict[f.RoleName, RoleSection], Field(max_length=20)] = {}
    """Name -> own role of the tenant."""
    envelope: EnvelopeSection = from_archetype()
    environments: dict[f.EnvironmentName, EnvironmentSection] = {}
    """Name -> environment."""
    repositories: dict[f.RepositoryName, RepositorySection] = {}
    """Name -> repository."""
    registry: RegistrySection = from_archetype()
    quality: QualitySection = from_archetype()
    packages: list[Annotated[str, *declared("package")]] = from_archetype()
    """Formats of packages that protected pipelines and maintainers publish to GitLab's registry; GitLab refuses all
    others. An empty list switches the registry off."""
    package_registry: PackageRegistrySection = PackageRegistrySection()
    secrets: SecretsSection = SecretsSection()
    observability: ObservabilitySection = from_archetype()


#: Built once: to build a validator takes as long as to read a hundred files.
TENANT_SECTION: Final = TypeAdapter(TenantSection)

"""The tenant file as pydantic sees it: names, types and descriptions of every field, and nothing across fields.

Archetypes leave no gap: `model.reading.complete` adds what a file leaves out before the validation. pydantic stays at
this edge: `model.reading.convert` turns a `TenantSection` into the frozen `Tenant` that everything else uses.
What the platform declares (clusters, stages, presets, ...) is checked against the `Words` in the validation context.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationInfo, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from model.archetypes import DEFAULT_ARCHETYPE
from model.reading import fields as f
from model.settings import Settings
from model.tenant import ImageSeverity, RepositoryKind, Right, State
from model.texts import did_you_mean, show

API_VERSION: Final = "usine/v1"
KIND: Final = "Project"
ALERT_SEVERITIES: Final = ("info", "warning", "critical")


@dataclass(frozen=True, slots=True)
class Words:
    """The words that the platform allows, by kind; None means that anything goes (a file looked at by itself)."""

    allowed: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, settings: Settings) -> Words:
        """Return the words of a platform."""
        return cls(
            {
                "cluster": tuple(settings.clusters),
                "stage": tuple(settings.stages),
                "preset": settings.presets,
                "gate": settings.gates,
                "package": settings.packages,
                "archetype": tuple(settings.archetypes),
            }
        )


def _choice(value: str, kind: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError(f"no such {kind}: {show(value)}; {did_you_mean(value, allowed)}")
    return value


def fixed(kind: str, *allowed: str) -> tuple[AfterValidator, WithJsonSchema]:
    """Annotate a text that is one of a few words."""
    return AfterValidator(lambda value: _choice(value, kind, allowed)), WithJsonSchema({"enum": list(allowed)})


def _declared(kind: str) -> tuple[AfterValidator, WithJsonSchema]:
    """Annotate a text that is one of the words the platform declares."""

    def check(value: str, info: ValidationInfo) -> str:
        words = info.context
        return _choice(value, kind, words.allowed[kind]) if isinstance(words, Words) else value

    return AfterValidator(check), WithJsonSchema({"type": "string", "x-usine-declared": kind})


class Section(BaseModel):
    """A mapping of the file: unknown keys refused, no conversion between types, names in camelCase."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, alias_generator=to_camel, use_attribute_docstrings=True
    )


def from_archetype() -> Any:  # noqa: ANN401 - the default of fields of any type
    """Return the default of a field that a file may leave out, because `model.reading.complete` fills it in."""
    return Field(default_factory=_not_completed)


def _not_completed() -> Any:  # noqa: ANN401 - see above
    raise RuntimeError("keys of an archetype are missing: complete a file's keys before you validate them")


ProtectedBranches = Annotated[list[f.BranchPattern], Field(max_length=20)]


class MembersSection(Section):
    """Role -> people. A person may have several roles; the owner stands in `owner`."""

    admin: list[f.Person] = []
    """Everything in the tenant but destroying it."""
    devops: list[f.Person] = []
    """Deploy everywhere, production included."""
    developer: list[f.Person] = []
    """Write code, deploy outside production."""
    security: list[f.Person] = []
    """Read everything, judge vulnerabilities."""
    readonly: list[f.Person] = []
    """Look, and change nothing."""


class RoleSection(Section):
    """A role of the tenant's own, beside those of the platform."""

    description: f.Description = ""
    rights: Annotated[list[Annotated[str, *fixed("right", *(right.value for right in Right))]], Field(min_length=1)]
    """What it may do: any of these, each with what comes with it."""
    members: list[f.Person] = []
    """Its people."""


class AmountsSection(Section):
    """What environments may add up to."""

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
    """What the environments may add up to, by class of stage."""

    nonprod: AmountsSection = from_archetype()
    """All environments outside production."""
    prod: AmountsSection = from_archetype()
    """All environments in production."""


class EgressSection(Section):
    """One opening of the namespace towards the outside."""

    host: f.Host
    port: Annotated[int, Field(ge=1, le=65535)] = 443
    """A TCP port."""


class EnvironmentSection(Section):
    """One environment: a namespace on a cluster."""

    stage: Annotated[str, *_declared("stage")] | None = None
    """Stage the platform declares; without it, the environment's own name if that is a stage."""
    cluster: Annotated[str, *_declared("cluster")] | None = None
    """Cluster the platform declares; without it, the only one that offers the stage."""
    quota: QuotaSection = from_archetype()
    """What it may use; what is left out comes from the archetype."""
    autosync: bool = from_archetype()
    """Deploy by itself what the repository says; outside production this is the default."""
    url: f.Url | None = None
    """Where it answers."""
    hosts: list[f.Host] = []
    """Other host names it answers at, beside that of the url: an Ingress or a route of its namespace may name these
    and no others."""
    egress: list[EgressSection] = []
    """What the namespace may reach beyond its own."""


class MirrorSection(Section):
    """An external repository to mirror."""

    url: f.Url
    credentials: f.SecretPath | None = None
    schedule: f.Cron
    pipelines: bool = False
    """Run the source's own CI file, on branches and tags that are not protected; it gets nothing that publishes."""


class RepositorySection(Section):
    """One Git repository."""

    kind: Annotated[str, *fixed("kind of repository", *(kind.value for kind in RepositoryKind))] = "app"
    """`app` holds sources, `infra` what Argo CD deploys."""
    preset: Annotated[str, *_declared("preset")] = from_archetype()
    """CI preset of the platform's catalogue."""
    default_branch: f.Branch = from_archetype()
    protected_branches: ProtectedBranches = from_archetype()
    """Branches that only a merge request changes."""
    mirror: MirrorSection | None = None
    path: f.Directory | None = None
    """Kind infra: folder of the chart or of the manifests."""
    value_files: Annotated[list[f.ValueFile], Field(max_length=20)] | None = None
    """Kind infra: Helm value files, in order."""
    revision: dict[str, f.RevisionName] | None = None
    """Kind infra: what each environment follows; `default` for the others."""


class KeepSection(Section):
    """Which image tags stay."""

    tags: Annotated[int, Field(ge=1, le=1000)] = from_archetype()
    """The newest ones, how many."""
    days: Annotated[int, Field(ge=1, le=3650)] = from_archetype()
    """Those pushed in the last days, how many days."""


class RegistrySection(Section):
    """The tenant's image registry."""

    quota: f.Size = from_archetype()
    keep: KeepSection = from_archetype()
    """What retention keeps."""
    immutable: Annotated[list[f.TagPattern], Field(max_length=15)] = from_archetype()
    """Patterns of tags that nobody overwrites."""
    block_severity: Annotated[str, *fixed("severity", *(severity.value for severity in ImageSeverity))] = (
        from_archetype()
    )
    """From this severity on, a vulnerable image is not pulled."""


class NewCodeSection(Section):
    """Length of the new-code period."""

    days: Annotated[int, Field(ge=1, le=90)]
    """Days, 1 to 90."""


class DastSection(Section):
    """Dynamic analysis of running environments."""

    environments: Annotated[list[f.EnvironmentName], Field(min_length=1)]
    """Environments of this file that have a url."""
    schedule: f.Cron


class QualitySection(Section):
    """Static and dynamic analysis."""

    gate: Annotated[str, *_declared("gate")] = from_archetype()
    """Quality gate of the platform."""
    new_code: NewCodeSection = from_archetype()
    """What counts as new."""
    dast: DastSection | None = None
    """Dynamic analysis."""


class AlertSection(Section):
    """Who is told."""

    to: f.Email
    severity: Annotated[str, *fixed("severity", *ALERT_SEVERITIES)] = "warning"
    """From this severity on."""


class ObservabilitySection(Section):
    """Logs, alerts, dashboards."""

    log_retention: f.Days = from_archetype()
    alerts: Annotated[list[AlertSection], Field(max_length=20)] = []
    """Who is told of what."""
    dashboards: f.Dashboards | None = None


class TenantSection(Section):
    """One tenant project of Usine: one file `<slug>.yaml` in `projects.d/`."""

    api_version: Annotated[str, *fixed("version", API_VERSION)]
    """Version of this format."""
    kind: Annotated[str, *fixed("kind", KIND)]
    """What the file describes."""
    slug: f.Slug
    name: f.Name
    description: f.Description = ""
    archetype: Annotated[str, *_declared("archetype")] = DEFAULT_ARCHETYPE
    """Where defaults come from: small, standard, large, or one that the platform declares."""
    state: Annotated[str, *fixed("state", *(state.value for state in State))] = "active"
    """`suspended`: nothing moves, nothing is lost. `archived`: nobody has access; the only way to destruction."""
    owner: f.Person
    contact: f.Email
    review_after: f.Date | None = None
    """When somebody looks at the project again."""
    labels: Annotated[dict[f.LabelKey, f.LabelValue], Field(max_length=20)] = {}
    """Free labels, on every object that takes some."""
    members: MembersSection = MembersSection()
    roles: Annotated[dict[f.RoleName, RoleSection], Field(max_length=20)] = {}
    """Name -> role of the tenant's own."""
    envelope: EnvelopeSection = from_archetype()
    environments: dict[f.EnvironmentName, EnvironmentSection] = {}
    """Name -> environment."""
    repositories: dict[f.RepositoryName, RepositorySection] = {}
    """Name -> repository."""
    registry: RegistrySection = from_archetype()
    quality: QualitySection = from_archetype()
    packages: list[Annotated[str, *_declared("package")]] = from_archetype()
    """Kinds of package registries."""
    observability: ObservabilitySection = from_archetype()


#: Compiled once: building a validator costs as much as reading a hundred files.
TENANT_SECTION: Final = TypeAdapter(TenantSection)


class FileSchema(GenerateJsonSchema):
    """JSON Schema of what may stand in a file: a key is left out or has a value; it is never null."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """Describe the value only."""
        return self.generate_inner(schema["schema"])

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """Describe the keys too: editors and other tools then say what a name may be."""
        described: JsonSchemaValue = {"type": "object"}
        if "max_length" in schema:
            described["maxProperties"] = schema["max_length"]
        if "keys_schema" in schema:
            described["propertyNames"] = self.generate_inner(schema["keys_schema"])
        if "values_schema" in schema:
            described["additionalProperties"] = self.generate_inner(schema["values_schema"])
        return described

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Leave out defaults that are no value of a file."""
        described = super().default_schema(schema)
        if described.get("default") in (None, {}, [], ""):
            described.pop("default", None)
        return described


def json_schema(words: Words | None = None) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a tenant file, with the platform's words where they are given."""
    schema: dict[str, Any] = TenantSection.model_json_schema(by_alias=True, schema_generator=FileSchema)
    _declare(schema, words)
    schema["anyOf"] = [
        {"required": [key], "properties": {key: {"minProperties": 1}}} for key in ("environments", "repositories")
    ]
    return {"$schema": GenerateJsonSchema.schema_dialect, "title": "Usine project", **schema}


def _declare(node: object, words: Words | None) -> None:
    if isinstance(node, dict):
        node.pop("title", None) if not isinstance(node.get("title"), dict) else None
        kind = node.pop("x-usine-declared", None)
        if kind is not None and words is not None:
            node["enum"] = list(words.allowed[kind])
        for child in node.values():
            _declare(child, words)
    elif isinstance(node, list):
        for child in node:
            _declare(child, words)

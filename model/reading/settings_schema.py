"""The `usine:` keys of a settings file for pydantic: names and types, without checks across keys."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from model.reading import fields as f
from model.reading.addresses import parse_host
from model.reading.archetypes_load import ArchetypeSection
from model.reading.schema import Section, fixed
from model.settings import VOLUME_TYPES, Edition, FoundationMode, Operator, PeopleSource, System, Verifier
from model.tenant import PackageFormat
from model.texts import did_you_mean, has_userinfo, show

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?")
_DNS_LABEL = re.compile(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?")
_OWNER = re.compile(r"@[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
_IMAGE = re.compile(r"[\w][\w.:/-]*@sha256:[0-9a-f]{64}")
_CLASS = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_NAMESPACE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_IMAGES = re.compile(
    r"(?=[^/]*[.:])[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::[0-9]{1,5})?(?:/[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)*/?"
)
_REGISTRY = re.compile(r"(?=.*\.)[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::[0-9]{1,5})?")
_ANNOTATION = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/(?:\*|[A-Za-z0-9][A-Za-z0-9._-]{0,62}\*?)")
_LICENSE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,63}")
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def _check_name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("a name here has up to 63 lower-case letters, digits, dots, dashes and underscores")
    return value


def _check_dns_label(value: str) -> str:
    if not _DNS_LABEL.fullmatch(value):
        raise ValueError("a name here has up to 40 lower-case letters, digits and dashes, a letter first")
    return value


def _check_metric(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{1,63}", value):
        raise ValueError("expected the key of a SonarQube metric, such as new_coverage")
    return value


def _check_generation(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9](?:-?[a-z0-9]){0,11}", value):
        raise ValueError("a generation has up to 12 lower-case letters, digits and single dashes, such as 2027-1")
    return value


def _check_group(value: str) -> str:
    # A line of Argo CD's policy.csv is made of it.
    if not re.fullmatch(r"/?[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*", value):
        raise ValueError("a Keycloak group is a path of letters, digits, dots, dashes and underscores: /platform")
    return value


def _check_text(value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise ValueError("expected a line of text")
    return value


def _check_owners(value: str) -> str:
    if not value or not all(_OWNER.fullmatch(owner) for owner in value.split(" ")):
        raise ValueError(
            "expected users or groups of GitLab as in CODEOWNERS, such as @platform or @platform/reviewers"
        )
    return value


def _check_endpoint(value: str) -> str:
    if has_userinfo(value):
        raise ValueError("the URL holds a user or a password (not shown): credentials come from the environment")
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("not a URL: the host or the port cannot be read") from None
    if not host or not value.isprintable() or " " in value or parts.query or parts.fragment:
        raise ValueError("expected a URL such as https://vault.example.fr, without ? and #")
    if parts.scheme == "http" and host not in _LOOPBACK:
        raise ValueError("http is allowed for this machine only (127.0.0.1): expected a URL that starts with https://")
    if parts.scheme not in {"http", "https"}:
        raise ValueError("expected a URL that starts with https://")
    return value.rstrip("/")


def _check_image(value: str) -> str:
    if not _IMAGE.fullmatch(value):
        raise ValueError("expected an image with its digest, such as harbor.example.fr/platform/tools@sha256:3f1c...")
    return value


def _check_version(value: str) -> str:
    if not re.fullmatch(r"v[0-9]{1,3}-[0-9a-f]{16}", value):
        raise ValueError("expected a tag of the catalogue, such as v1-3f1c0a5be2d47968: `usine catalogue` shows them")
    return value


def _check_registry(value: str) -> str:
    if not _REGISTRY.fullmatch(value):
        raise ValueError("expected the host that image names start with, such as docker.io or quay.io")
    return value


def _check_proxy(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9](?:-?[a-z0-9]){0,19}", value):
        raise ValueError("the name of a proxy has up to 20 lower-case letters, digits and single dashes")
    return value


def _check_server(value: str) -> str:
    value = _check_endpoint(value)
    if not value.startswith("https://"):
        raise ValueError("a Kubernetes API needs a URL that starts with https://")
    return value


def _check_page(value: str) -> str:
    value = _check_endpoint(value)
    if not value.startswith("https://"):
        raise ValueError("expected the https URL of the published page docs/alertes.md")
    return value


def _check_network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        raise ValueError("expected a network such as 10.0.0.0/8, without bits set after its length") from None


def _check_class(value: str) -> str:
    if not _CLASS.fullmatch(value):
        raise ValueError("the name of a Kubernetes class has lower-case letters, digits, dots and dashes only")
    return value


def _check_namespace(value: str) -> str:
    if not _NAMESPACE.fullmatch(value):
        raise ValueError("a namespace has up to 63 lower-case letters, digits and dashes")
    return value


def _check_images(value: str) -> str:
    if "/" not in value or not _IMAGES.fullmatch(value):
        raise ValueError(
            "expected a repository with its registry's host, such as registry.example.fr/tools/base, without tag; "
            "with a final slash, all below that path"
        )
    return value


def _check_repository(value: str) -> str:
    if "/" not in value or value.endswith("/") or not _IMAGES.fullmatch(value):
        raise ValueError(
            "expected a repository with its registry's host and without tag, such as registry.example.fr/proxy/trivy-db"
        )
    return value


def _check_license(value: str) -> str:
    # They are the words of a CI variable.
    if not _LICENSE.fullmatch(value):
        raise ValueError("expected an SPDX id such as AGPL-3.0-only, or a category of trivy such as forbidden")
    return value


def _check_annotation(value: str) -> str:
    if not _ANNOTATION.fullmatch(value):
        raise ValueError("expected an annotation with its domain, such as nginx.ingress.kubernetes.io/rewrite-target")
    return value


def _check_package(value: str) -> str:
    allowed = [known.value for known in PackageFormat]
    if value == "nexus":
        raise ValueError(
            f"nexus is no longer a choice, because the platform sets up no Nexus; allowed: {', '.join(allowed)}, which "
            "are formats of GitLab's package registry"
        )
    if value not in allowed:
        raise ValueError(f"no such package: {show(value)}; {did_you_mean(value, allowed)}")
    return value


def _check_refresh_interval(value: str) -> str:
    hours, _, minutes = value.removesuffix("m").rpartition("h")
    if not 1 <= int(hours or 0) * 60 + int(minutes or 0) <= 24 * 60:
        raise ValueError("expected a duration from 1m to 24h")
    return value


NameText = Annotated[str, AfterValidator(_check_name)]
DnsLabel = Annotated[str, AfterValidator(_check_dns_label)]
Line = Annotated[str, AfterValidator(_check_text)]
Network = Annotated[str, AfterValidator(_check_network)]
ClassName = Annotated[str, AfterValidator(_check_class)]
NamespaceName = Annotated[str, AfterValidator(_check_namespace)]
PackageName = Annotated[str, AfterValidator(_check_package)]
SystemName = Annotated[str, *fixed("system", *(system.value for system in System))]


class EndpointSection(Section):
    """The address of a tool."""

    url: Annotated[str, AfterValidator(_check_endpoint)]
    ca: Line | None = None


class KeycloakSection(Section):
    """The realm and where its people come from."""

    realm: DnsLabel = "usine"
    people: Annotated[str, *fixed("source of people", *(source.value for source in PeopleSource))] = "directory"
    email_domain: Annotated[str, AfterValidator(parse_host)] | None = None


class ArgoCDSection(Section):
    """The place of Argo CD, and its administrators."""

    cluster: str
    namespace: DnsLabel = "argocd"
    admin_groups: list[Annotated[str, AfterValidator(_check_group)]] | None = None


class CatalogueSection(Section):
    """Which tenants use which version of the CI catalogue."""

    version: Annotated[str, AfterValidator(_check_version)] | None = None
    first: list[str] = Field(default=[])


class RunnersSection(Section):
    """Runners that the foundation declares."""

    timeout: Annotated[int, Field(ge=600, le=86_400)] = 7200  # GitLab takes no less than ten minutes


class GitLabSection(Section):
    """Where the tenants' and the platform's groups are, and who makes the accounts."""

    root: DnsLabel = "tenants"
    platform: DnsLabel = "platform"
    edition: Annotated[str, *fixed("edition", *(edition.value for edition in Edition))] = "free"
    people: Annotated[str, *fixed("source of people", *(source.value for source in PeopleSource))] = "directory"
    email_domain: Annotated[str, AfterValidator(parse_host)] | None = None
    tools_image: Annotated[str, AfterValidator(_check_image)] | None = None
    second_factor: bool = False
    runners: RunnersSection | None = None


class ProxySection(Section):
    """A project of Harbor that caches another registry."""

    registry: Annotated[str, AfterValidator(_check_registry)]
    url: Annotated[str, AfterValidator(_check_endpoint)] | None = None
    public: bool = False
    quota: f.Size = 200 * 2**30


class HarborSection(Section):
    """The lifetime of robots, the administrators, and the caches of other registries."""

    robot_days: Annotated[int, Field(ge=1, le=730)] = 180
    admin_group: Line | None = None
    proxies: dict[Annotated[str, AfterValidator(_check_proxy)], ProxySection] = Field(default={})


class ScansSection(Section):
    """What the scanners of pipelines work by."""

    vulnerability_database: Annotated[str, AfterValidator(_check_repository)] | None = None
    java_database: Annotated[str, AfterValidator(_check_repository)] | None = None
    denied_licenses: list[Annotated[str, AfterValidator(_check_license)]] | None = None


class ObservabilitySettingsSection(Section):
    """Runbooks of alerts, retentions of logs, and hosts of webhooks."""

    runbooks: Annotated[str, AfterValidator(_check_page)]
    log_retentions: Annotated[list[f.Days], Field(min_length=1)]
    webhook_hosts: list[Annotated[str, AfterValidator(parse_host)]] = Field(default=[])


class GateConditionSection(Section):
    """A condition of a quality gate."""

    metric: Annotated[str, AfterValidator(_check_metric)]
    op: Annotated[str, *fixed("comparison", "LT", "GT")]
    error: Annotated[int, Field(ge=0, le=1_000_000)]


class SonarQubeSection(Section):
    """Quality gates, the webhook of analyses, and the name of the platform's own token."""

    gates: dict[NameText, Annotated[list[GateConditionSection], Field(min_length=1)]] = Field(default={})
    webhook: Annotated[str, AfterValidator(_check_endpoint)] | None = None
    token_name: Annotated[str, AfterValidator(_check_text)] = "usine"  # noqa: S105 - a name


class CredentialSection(Section):
    """A generation of stored credentials."""

    name: Annotated[str, AfterValidator(_check_generation)]
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

    images: list[Annotated[str, AfterValidator(_check_images)]] | None = None
    volumes: list[Annotated[str, *fixed("volume type", *VOLUME_TYPES)]] | None = None
    storage_classes: list[ClassName] | None = None
    priority_classes: list[ClassName] | None = None
    ingress_annotations: list[Annotated[str, AfterValidator(_check_annotation)]] | None = None


class SecretDeliverySection(Section):
    """The operator that writes secrets of Vault into Kubernetes Secrets."""

    operator: Annotated[str, *fixed("operator that delivers secrets", Operator.EXTERNAL_SECRETS.value)]
    refresh_interval: Annotated[f.Duration, AfterValidator(_check_refresh_interval)] = "1h"


class ImageVerifierSection(Section):
    """The controller that verifies images."""

    kind: Annotated[str, *fixed("verifier of images", *(kind.value for kind in Verifier))]
    namespace: NamespaceName | None = None


class ClusterSection(Section):
    """A Kubernetes cluster."""

    zone: str
    server: Annotated[str, AfterValidator(_check_server)]
    context: Line
    stages: list[str]  # empty: a cluster of the platform, where no tenant deploys
    ca: Line | None = None
    capacity: CapacitySection | None = None
    oidc_prefix: Line | None = None
    token_audience: Line | None = None
    ingress_namespace: DnsLabel | None = None
    monitoring_namespace: DnsLabel | None = None
    internal_networks: list[Network] | None = None
    platform_networks: list[Network] | None = None
    platform_ports: Annotated[list[Annotated[int, Field(ge=1, le=65535)]], Field(min_length=1)] | None = None
    workloads: WorkloadRulesSection = WorkloadRulesSection()
    operators: list[Annotated[str, *fixed("operator", *(operator.value for operator in Operator))]] = Field(default=[])
    reserved_namespaces: list[NamespaceName] = Field(default=[])
    secret_delivery: SecretDeliverySection | None = None
    image_verifier: ImageVerifierSection | None = None


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
    platform_owners: Annotated[str, AfterValidator(_check_owners)] | None = None
    mass_removal: MassRemovalSection = MassRemovalSection()


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
    zones: list[NameText] = Field(default=[])
    stages: Annotated[dict[DnsLabel, StageSection], Field(min_length=1)]
    clusters: dict[DnsLabel, ClusterSection] = Field(default={})
    presets: Annotated[list[NameText], Field(min_length=1)]
    gates: Annotated[list[NameText], Field(min_length=1)]
    packages: list[PackageName] = Field(default=[])
    reserved: list[NameText] = Field(default=[])
    limits: LimitsSection = LimitsSection()
    changes: ChangesSection = ChangesSection()
    archetypes: dict[DnsLabel, ArchetypeSection]
    tenants: list[str] | None = None
    foundation: Annotated[str, *fixed("mode", *(mode.value for mode in FoundationMode))] = "include"
    projects: Line = "projects.d"

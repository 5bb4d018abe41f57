"""The types of single values in a settings file, like `fields` for tenant files."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

from model.reading import fields as f
from model.reading.amounts import minutes_of
from model.repository import OWN_REGISTRY
from model.tenant import PackageFormat
from model.texts import did_you_mean, has_userinfo, show

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?")
_DNS_LABEL = re.compile(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?")
_OWNER = re.compile(r"@[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
_IMAGE = re.compile(r"[\w][\w.:/-]*@sha256:[0-9a-f]{64}")
#: Also an argument of a shell script in Argo CD's pods.
_TOKEN_FILE = re.compile(r"(?:/[A-Za-z0-9._-]+)+")
_CLASS = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_NAMESPACE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_IMAGES = re.compile(
    r"(?=[^/]*[.:])[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::[0-9]{1,5})?(?:/[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)*/?"
)
_REGISTRY = re.compile(r"(?=.*\.)[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::[0-9]{1,5})?")
_ANNOTATION = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/(?:\*|[A-Za-z0-9][A-Za-z0-9._-]{0,62}\*?)")
_LICENSE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,63}")
_CHARTS = re.compile(
    r"(?:https|oci)://[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::[0-9]{1,5})?(?:/[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)*/?"
)
_LONGEST_HEADER = 64
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


def _check_commit(value: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{40}", value):
        raise ValueError("expected the full id of a commit: 40 characters of 0-9 and a-f")
    return value


def _check_registry(value: str) -> str:
    if not _REGISTRY.fullmatch(value):
        raise ValueError("expected the host that image names start with, such as docker.io or quay.io")
    return value


def _check_proxy(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9](?:-?[a-z0-9]){0,19}", value):
        raise ValueError("the name of a proxy has up to 20 lower-case letters, digits and single dashes")
    return value


def _check_argocd(value: str) -> str:
    if not re.fullmatch(r"[a-z](?:-?[a-z0-9]){0,19}", value):
        raise ValueError(
            "the name of an Argo CD has up to 20 lower-case letters, digits and single dashes, a letter first"
        )
    return value


def _check_chart_source(value: str) -> str:
    if value == OWN_REGISTRY or not re.fullmatch(r"[a-z0-9](?:-?[a-z0-9]){0,19}", value):
        raise ValueError(
            f"the name of a chart repository has up to 20 lower-case letters, digits and single dashes, and is not "
            f"{OWN_REGISTRY}, which is each tenant's own project in Harbor"
        )
    return value


def _check_chart_repository(value: str) -> str:
    # Argo CD reads the address in an AppProject as a pattern, and compares it in lower case.
    if has_userinfo(value):
        raise ValueError("the address holds a user or a password (not shown): Argo CD has credentials of its own")
    if not _CHARTS.fullmatch(value) or "//" in value.partition("://")[2] or ".." in value:
        raise ValueError(
            "expected a Helm repository such as https://charts.example.fr/stable, or a path of a registry such as "
            "oci://registry.example.fr/charts: lower-case letters, digits, dots, dashes and underscores"
        )
    return value.rstrip("/")


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


def _check_token_file(value: str) -> str:
    if not _TOKEN_FILE.fullmatch(value) or "/../" in f"{value}/":
        raise ValueError(
            "expected the absolute path of a file in Argo CD's pods, such as /var/run/secrets/prod-1/token"
        )
    return value


def _check_data_store(value: str) -> str:
    plain = value.startswith("http://")
    https = _check_endpoint(value.replace("http://", "https://", 1) if plain else value)
    # Services of a cluster have no certificate; a network policy and the cluster's own network lead to them.
    if plain and not (urlsplit(https).hostname or "").endswith((".svc", ".svc.cluster.local")):
        raise ValueError("expected an https URL, or http for a service of the cluster: http://<name>.<namespace>.svc")
    return https.replace("https://", "http://", 1) if plain else https


def _check_header(value: str) -> str:
    if not re.fullmatch(r"X-[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*", value) or len(value) > _LONGEST_HEADER:
        raise ValueError("a header that bounds answers begins with X-, such as X-Scope-OrgID")
    if value.lower().startswith(("x-forwarded", "x-grafana", "x-ds-", "x-real")):
        raise ValueError("Grafana or a proxy writes this header itself: take another")
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
    if not 1 <= minutes_of(value) <= 24 * 60:
        raise ValueError("expected a duration from 1m to 24h")
    return value


NameText = Annotated[str, AfterValidator(_check_name)]
DnsLabel = Annotated[str, AfterValidator(_check_dns_label)]
Line = Annotated[str, AfterValidator(_check_text)]
Network = Annotated[str, AfterValidator(_check_network)]
ClassName = Annotated[str, AfterValidator(_check_class)]
NamespaceName = Annotated[str, AfterValidator(_check_namespace)]
PackageName = Annotated[str, AfterValidator(_check_package)]
Endpoint = Annotated[str, AfterValidator(_check_endpoint)]
Group = Annotated[str, AfterValidator(_check_group)]
CatalogueVersion = Annotated[str, AfterValidator(_check_version)]
Commit = Annotated[str, AfterValidator(_check_commit)]
PinnedImage = Annotated[str, AfterValidator(_check_image)]
RegistryHost = Annotated[str, AfterValidator(_check_registry)]
ProxyName = Annotated[str, AfterValidator(_check_proxy)]
ImageRepository = Annotated[str, AfterValidator(_check_repository)]
License = Annotated[str, AfterValidator(_check_license)]
Page = Annotated[str, AfterValidator(_check_page)]
DataStoreUrl = Annotated[str, AfterValidator(_check_data_store)]
Header = Annotated[str, AfterValidator(_check_header)]
Metric = Annotated[str, AfterValidator(_check_metric)]
GenerationName = Annotated[str, AfterValidator(_check_generation)]
ImagePrefix = Annotated[str, AfterValidator(_check_images)]
AnnotationName = Annotated[str, AfterValidator(_check_annotation)]
ArgoCDName = Annotated[str, AfterValidator(_check_argocd)]
ChartSource = Annotated[str, AfterValidator(_check_chart_source)]
ChartRepository = Annotated[str, AfterValidator(_check_chart_repository)]
TokenFile = Annotated[str, AfterValidator(_check_token_file)]
ApiServer = Annotated[str, AfterValidator(_check_server)]
Owners = Annotated[str, AfterValidator(_check_owners)]
RefreshInterval = Annotated[f.Duration, AfterValidator(_check_refresh_interval)]

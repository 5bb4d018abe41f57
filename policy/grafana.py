"""Grafana of a tenant: its data sources are bounded to the tenant, and only people of the tenant log in."""

from __future__ import annotations

import configparser
import json
import re
from collections.abc import Iterator, Mapping

from policy.model import Hidden, Policy, Resource, items_of, value_at

_OFF = ("auth.anonymous", "auth.basic", "auth.jwt", "auth.proxy", "public_dashboards", "snapshots", "unified_alerting")
_LOG_IN = "auth.generic_oauth"
_GROUP = re.compile(r"contains\(groups\[\*\], '/([^/']+)/[^']+'\) && '(Editor|Viewer)'")


def _own_data(resource: Resource) -> Iterator[str]:
    slug = resource.tenant
    if slug is None or resource.kind != "ConfigMap":
        return
    sources, ini = resource.at("data", "datasources.yaml"), resource.at("data", "grafana.ini")
    if isinstance(sources, str):
        yield from _sources(slug, sources)
    if isinstance(ini, str):
        yield from _log_in(slug, ini)


def _sources(slug: str, text: str) -> Iterator[str]:
    try:
        found = items_of(value_at(json.loads(text), "datasources"))
    except ValueError:
        yield "datasources.yaml is not what the program writes (JSON)"
        return
    for index, source in enumerate(found):
        where = f"datasources[{index}]"
        if value_at(source, "editable") is not False or value_at(source, "access") != "proxy":
            yield f"{where} can be changed, or browsers call it themselves"
        bound = value_at(source, "secureJsonData", "httpHeaderValue1")
        names = bound.split(",") if isinstance(bound, str) else []
        # The name of an environment has no dash: the slug is the text before the last dash.
        if not value_at(source, "jsonData", "httpHeaderName1") or not (
            names == [slug] or (names and all(name.rpartition("-")[0] == slug for name in names))
        ):
            yield f"{where} has no header that bounds it to the tenant"


def _log_in(slug: str, text: str) -> Iterator[str]:
    ini = configparser.ConfigParser(interpolation=None)
    try:
        ini.read_string(text)
    except configparser.Error:
        yield "grafana.ini cannot be read"
        return
    for section in _OFF:
        if ini.get(section, "enabled", fallback="") != "false":
            yield f"grafana.ini: [{section}] is not off"
    required = {
        "role_attribute_strict": "true",
        "skip_org_role_sync": "false",
        "allow_assign_grafana_admin": "false",
        "use_pkce": "true",
    }
    for key, value in required.items():
        if ini.get(_LOG_IN, key, fallback="") != value:
            yield f"grafana.ini: {key} is not {value}"
    if ini.get("security", "disable_initial_admin_creation", fallback="") != "true":
        yield "grafana.ini: an administrator with a password is created"
    for part in ini.get(_LOG_IN, "role_attribute_path", fallback="").split(" || "):
        group = _GROUP.fullmatch(part)
        if group is None or group[1] != slug:
            yield "grafana.ini: role_attribute_path gives a role to others than groups of the tenant, or an Admin"


def _own_pod(resource: Resource) -> Iterator[str]:
    if resource.tenant is None or resource.kind != "Deployment":
        return
    pod = ("spec", "template", "spec")
    if resource.at(*pod, "automountServiceAccountToken") not in (False, Hidden.UNKNOWN):
        yield "the pod has the token of a service account"
    for containers in ("initContainers", "containers"):
        for index, container in enumerate(items_of(resource.at(*pod, containers))):
            image = value_at(container, "image")
            if not isinstance(image, Hidden) and "@sha256:" not in str(image):
                yield f"{containers}[{index}].image has no digest"
            env = value_at(container, "env")
            if any(isinstance(one, Mapping) and str(one.get("name")).startswith("GF_") for one in items_of(env)):
                yield f"{containers}[{index}].env overrides grafana.ini"


POLICIES = (
    Policy(
        "grafana-own-data",
        "A Grafana of a tenant reads the tenant's metrics and logs only, and only groups of the tenant log in, without "
        "an administrator",
        "create it with components.observability.grafana.TenantGrafana",
        check=_own_data,
    ),
    Policy(
        "grafana-pod-bare",
        "The pod of a tenant's Grafana has an image with a digest, no right in the cluster and no other configuration",
        "create it with components.observability.grafana.TenantGrafana",
        check=_own_pod,
    ),
)

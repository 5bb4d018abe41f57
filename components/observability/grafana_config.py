"""The configuration of a tenant's Grafana, as plain values: who may log in, and what its data sources may read.

The free edition has no permissions on data sources: everyone who logs in to an instance can query all of them, past the
dashboards. So an instance has one tenant's people and data sources only. The names of keys are those of Grafana's
documentation ("Configure Grafana", "Provision Grafana").
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from components.observability.dashboards import LOGS, METRICS
from model.access import readers_of_dashboards
from model.naming import names_of
from model.settings import BoundBy, DataStore, GrafanaSettings
from model.tenant import Tenant

#: Where the pod has its configuration, its dashboards and its data.
CONFIGURATION, DASHBOARDS, DATA = "/etc/grafana", "/etc/usine/dashboards", "/var/lib/grafana"
#: Each pod makes its own key. It encrypts what the database of the same pod has.
SECRET_KEY = f"{DATA}/secret-key"
AUTHORITY = "ca.pem"
PORT = 3000
#: What people are logged out after: Grafana reads their groups when they log in.
_SESSION = "8h"


@dataclass(frozen=True, slots=True)
class LogIn:
    """Keycloak's realm as Grafana needs it. `authority`: whether the configuration has its certificate authority."""

    issuer: str
    authority: bool


def grafana_ini(tenant: Tenant, grafana: GrafanaSettings, log_in: LogIn) -> str:
    """Return `grafana.ini`: people log in by Keycloak only, and nobody is an administrator."""
    names = names_of(tenant)
    protocol = f"{log_in.issuer}/protocol/openid-connect"
    stores = [store for store in (grafana.metrics, grafana.logs) if store is not None]
    sections: dict[str, dict[str, str]] = {
        "server": {"root_url": f"https://{names.grafana_host(grafana.domain)}/", "http_port": str(PORT)},
        "paths": {"data": DATA, "provisioning": f"{CONFIGURATION}/provisioning"},
        "security": {
            # No account with a password exists, so nothing can log in but Keycloak's people.
            "disable_initial_admin_creation": "true",
            "secret_key": f"$__file{{{SECRET_KEY}}}",
            "cookie_secure": "true",
            "cookie_samesite": "lax",
            "strict_transport_security": "true",
            "content_security_policy": "true",
            "disable_gravatar": "true",
            "allow_embedding": "false",
            "data_source_proxy_whitelist": " ".join(sorted({urlsplit(store.url).netloc for store in stores})),
        },
        "auth": {
            "disable_login_form": "true",
            "oauth_allow_insecure_email_lookup": "false",
            "login_maximum_inactive_lifetime_duration": _SESSION,
            "login_maximum_lifetime_duration": _SESSION,
        },
        "auth.basic": {"enabled": "false"},
        "auth.anonymous": {"enabled": "false"},
        "auth.proxy": {"enabled": "false"},
        "auth.jwt": {"enabled": "false"},
        "auth.generic_oauth": {
            "enabled": "true",
            "name": "Keycloak",
            "auto_login": "true",
            "allow_sign_up": "true",
            # A public client: Keycloak requires the proof key, and no secret is stored.
            "client_id": names.grafana,
            "use_pkce": "true",
            "auth_style": "InParams",
            "scopes": "openid profile email",
            "auth_url": f"{protocol}/auth",
            "token_url": f"{protocol}/token",
            "api_url": f"{protocol}/userinfo",
            "login_attribute_path": "preferred_username",
            "role_attribute_path": role_path(tenant),
            # Without it, everybody of the realm would get a role.
            "role_attribute_strict": "true",
            "skip_org_role_sync": "false",
            "allow_assign_grafana_admin": "false",
            **({"tls_client_ca": f"{CONFIGURATION}/{AUTHORITY}"} if log_in.authority else {}),
        },
        "users": {"allow_sign_up": "false", "allow_org_create": "false", "auto_assign_org_role": "Viewer"},
        # Alerts are Alertmanager's: an editor could have Grafana call any address.
        "unified_alerting": {"enabled": "false"},
        # They would show data to people who do not log in.
        "public_dashboards": {"enabled": "false"},
        "snapshots": {"enabled": "false", "external_enabled": "false"},
        "plugins": {"plugin_admin_enabled": "false", "preinstall_disabled": "true"},
        "analytics": {
            "reporting_enabled": "false",
            "check_for_updates": "false",
            "check_for_plugin_updates": "false",
            "feedback_links_enabled": "false",
        },
        "news": {"news_feed_enabled": "false"},
        "log": {"mode": "console"},
    }
    return "\n".join(
        line
        for section, values in sections.items()
        for line in (f"[{section}]", *(f"{key} = {value}" for key, value in values.items()), "")
    )


def role_path(tenant: Tenant) -> str:
    """Return the JMESPath expression for a person's role in Grafana; it gives none to people of other groups.

    Groups are full paths of the claim `groups`. Nobody is an `Admin`, who could change the data sources.
    """
    names = names_of(tenant)
    editors, viewers = readers_of_dashboards(tenant)
    ranked = [*((role, "Editor") for role in editors), *((role, "Viewer") for role in viewers)]
    return " || ".join(f"contains(groups[*], '{names.role_group_path(role)}') && '{rank}'" for role, rank in ranked)


def data_sources(tenant: Tenant, grafana: GrafanaSettings) -> str:
    """Return the data sources: metrics, and logs if the platform shows them.

    Grafana sets the header on every request, also through its proxy, in place of one that a browser sends.
    A parameter of the query could be overridden there.
    """
    sources = [_source("Metrics", METRICS, "prometheus", grafana.metrics, tenant, {"httpMethod": "POST"})]
    if grafana.logs is not None:
        sources.append(_source("Logs", LOGS, "loki", grafana.logs, tenant, {}))
    sources[0]["isDefault"] = True
    return _yaml({"apiVersion": 1, "prune": True, "datasources": sources})


def bound_of(tenant: Tenant, store: DataStore) -> str:
    """Return the value of the header that bounds what a store answers."""
    if store.bound is BoundBy.TENANT:
        return tenant.slug
    return ",".join(names_of(tenant).namespace(environment.name) for environment in tenant.environments)


def _source(
    name: str, uid: str, kind: str, store: DataStore, tenant: Tenant, data: Mapping[str, object]
) -> dict[str, object]:
    return {
        "name": name,
        "uid": uid,
        "type": kind,
        "access": "proxy",
        "orgId": 1,
        "url": store.url,
        "editable": False,
        "jsonData": {**data, "manageAlerts": False, "httpHeaderName1": store.header},
        # No secret: Grafana reads values of headers from nowhere else.
        "secureJsonData": {"httpHeaderValue1": bound_of(tenant, store)},
    }


def dashboard_provider() -> str:
    """Return the provider of dashboards: files, which nobody changes in the browser."""
    return _yaml(
        {
            "apiVersion": 1,
            "providers": [
                {
                    "name": "usine",
                    "orgId": 1,
                    "type": "file",
                    "folder": "Usine",
                    "disableDeletion": True,
                    "allowUiUpdates": False,
                    "updateIntervalSeconds": 30,
                    "options": {"path": DASHBOARDS},
                }
            ],
        }
    )


def configuration(tenant: Tenant, grafana: GrafanaSettings, log_in: LogIn, authority: str | None) -> dict[str, str]:
    """Return the files of the configuration, by key of the ConfigMap."""
    files = {
        "grafana.ini": grafana_ini(tenant, grafana, log_in),
        "datasources.yaml": data_sources(tenant, grafana),
        "dashboards.yaml": dashboard_provider(),
    }
    return files if authority is None else files | {AUTHORITY: authority}


#: Where each file of the configuration is, below `CONFIGURATION`.
PLACES: Mapping[str, str] = {
    "grafana.ini": "grafana.ini",
    "datasources.yaml": "provisioning/datasources/usine.yaml",
    "dashboards.yaml": "provisioning/dashboards/usine.yaml",
    AUTHORITY: AUTHORITY,
}


def namespaces_of(stores: Sequence[DataStore]) -> tuple[str, ...]:
    """Return the namespaces of the stores that are services of the cluster: ``http://<name>.<namespace>.svc``."""
    hosts = [urlsplit(store.url).hostname or "" for store in stores]
    inside = [host.removesuffix(".cluster.local") for host in hosts]
    return tuple(sorted({host.split(".")[1] for host in inside if host.endswith(".svc")}))


def _yaml(value: object) -> str:
    """Return a value as JSON, which is YAML."""
    return json.dumps(value, sort_keys=True, indent=1)

"""The Grafana of a tenant: who logs in, what its data sources answer, what its pod may do."""

from __future__ import annotations

import configparser
import dataclasses
import json
import re
from collections.abc import Sequence
from typing import Any

import pytest

from components.observability.grafana_config import LogIn, grafana_ini, role_path
from model.access import roles_of
from model.clusters import Cluster
from model.lifecycle import clusters_in_use, dashboards_url
from model.naming import names_of
from model.settings import FoundationMode, GrafanaSettings, Settings, System
from model.tenant import Dashboard, Observability, OwnRole, Panel, Right, State, Tenant
from tests import factories
from tests.plans import plan_of
from usine.plan import PlannedResource

ORDERS = Dashboard("orders", "Orders", (Panel("Orders", "sum(orders_total)"),))
NAMES = {"config", "dashboards", "deployment", "service", "ingress", "network"}


def tenant(slug: str = "alpha", *dashboards: Dashboard, **changes: Any) -> Tenant:
    return factories.tenant(slug, **{"observability": Observability(30, (), dashboards), **changes})


def platform(grafana: GrafanaSettings | None = factories.GRAFANA, **changes: Any) -> Settings:
    base = factories.settings(**changes)
    return dataclasses.replace(base, observability=dataclasses.replace(base.observability, grafana=grafana))


def of(*tenants: Tenant, settings: Settings | None = None) -> dict[str, PlannedResource]:
    """Return the objects of Grafana by logical name."""
    plan = plan_of(*tenants, settings=settings or factories.settings())
    return {r.name: r for r in plan.resources if "/observability/grafana/" in r.name and not r.is_component}


def inputs(objects: dict[str, PlannedResource], part: str, slug: str = "alpha") -> Any:
    return objects[f"{slug}/observability/grafana/{part}"].inputs


def ini(objects: dict[str, PlannedResource], slug: str = "alpha") -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(inputs(objects, "config", slug)["data"]["grafana.ini"])
    return parser


def role_of(expression: str, groups: Sequence[str]) -> str | None:
    """Return what JMESPath makes of the expression: the first group that a person has decides."""
    for part in expression.split(" || "):
        found = re.fullmatch(r"contains\(groups\[\*\], '([^']+)'\) && '([^']+)'", part)
        assert found, part
        if found[1] in groups:
            return found[2]
    return None


def groups_of(one: Tenant, person: str) -> list[str]:
    """Return the claim `groups` of a person of a tenant."""
    names = names_of(one)
    return [names.group_path, *(names.role_group_path(r.name) for r in roles_of(one) if person in r.members)]


def test_a_tenant_with_dashboards_has_an_instance_in_the_platform_s_namespace_and_others_have_none() -> None:
    objects = of(tenant("alpha"), factories.tenant("beta"))
    assert {name.removeprefix("alpha/observability/grafana/") for name in objects} == NAMES
    for name, one in objects.items():
        metadata: Any = one.inputs["metadata"]
        assert metadata["namespace"] == "grafana"
        assert metadata["labels"]["usine.dev/tenant"] == "alpha"
        assert metadata["name"] == ("grafana-alpha.dashboards" if name.endswith("dashboards") else "grafana-alpha")
    clients = [
        r.name for r in plan_of(tenant("alpha"), factories.tenant("beta")).resources if "client/grafana" in r.name
    ]
    assert clients == [f"alpha/keycloak/client/grafana{part}" for part in ("", "/scopes", "/optional-scopes")]


@pytest.mark.parametrize("system", [System.OBSERVABILITY, System.KUBERNETES])
def test_a_platform_without_grafana_has_none(system: System) -> None:
    base = factories.settings()
    without = dataclasses.replace(base, systems=base.systems - {system, System.OBSERVABILITY, System.ARGOCD})
    for settings in (without, platform(None)):
        assert of(tenant(), settings=settings) == {}
        assert dashboards_url(settings, tenant()) is None
        assert not [r for r in plan_of(tenant(), settings=settings).resources if "client/grafana" in r.name]


def test_each_source_is_bounded_to_the_tenant_by_a_header_that_grafana_sets() -> None:
    objects = of(tenant("alpha"), tenant("beta"))
    bounds = {}
    for slug in ("alpha", "beta"):
        text = inputs(objects, "config", slug)["data"]["datasources.yaml"]
        assert ("beta" if slug == "alpha" else "alpha") not in text
        sources = json.loads(text)
        assert sources["prune"] is True
        for source in sources["datasources"]:
            assert (source["access"], source["editable"], source["orgId"]) == ("proxy", False, 1)
            # Not a parameter of the query, which a reader overrides through Grafana's proxy.
            assert "customQueryParameters" not in source["jsonData"]
            header, value = source["jsonData"]["httpHeaderName1"], source["secureJsonData"]["httpHeaderValue1"]
            bounds[slug, source["uid"]] = (header, value)
            assert source["url"].partition("//")[2] in ini(objects, slug)["security"]["data_source_proxy_whitelist"]
    assert bounds == {
        ("alpha", "metrics"): ("X-Usine-Namespaces", "alpha-dev,alpha-prod"),
        ("beta", "metrics"): ("X-Usine-Namespaces", "beta-dev,beta-prod"),
        ("alpha", "logs"): ("X-Scope-OrgID", "alpha"),
        ("beta", "logs"): ("X-Scope-OrgID", "beta"),
    }


def test_without_a_store_of_logs_there_is_no_source_and_no_dashboard_of_them() -> None:
    objects = of(tenant(), settings=platform(dataclasses.replace(factories.GRAFANA, logs=None)))
    sources = json.loads(inputs(objects, "config")["data"]["datasources.yaml"])["datasources"]
    assert [source["uid"] for source in sources] == ["metrics"]
    assert "logs.json" not in inputs(objects, "dashboards")["data"]
    assert "logs.json" in inputs(of(tenant()), "dashboards")["data"]


def test_people_log_in_by_keycloak_only_and_nobody_is_an_administrator() -> None:
    read = ini(of(tenant()))
    for section in ("auth.basic", "auth.anonymous", "auth.proxy", "auth.jwt"):
        assert read[section]["enabled"] == "false"
    assert read["security"]["disable_initial_admin_creation"] == "true"
    assert read["auth"]["disable_login_form"] == "true"
    log_in = read["auth.generic_oauth"]
    assert (log_in["use_pkce"], log_in["client_id"]) == ("true", "grafana-alpha")
    assert "client_secret" not in log_in
    assert (log_in["role_attribute_strict"], log_in["skip_org_role_sync"]) == ("true", "false")
    assert log_in["allow_assign_grafana_admin"] == "false"
    assert "Admin" not in log_in["role_attribute_path"]
    assert log_in["auth_url"] == "https://keycloak.example.test/realms/usine/protocol/openid-connect/auth"
    assert log_in["tls_client_ca"] == "/etc/grafana/ca.pem"
    assert read["server"]["root_url"] == "https://alpha.grafana.example.test/"
    # What would call other addresses, or show data to people who do not log in.
    for section in ("unified_alerting", "public_dashboards", "snapshots"):
        assert read[section]["enabled"] == "false"


def test_the_client_is_public_demands_the_proof_key_and_knows_one_address() -> None:
    (client,) = (r for r in plan_of(tenant()).resources if r.name == "alpha/keycloak/client/grafana")
    assert (client.inputs["clientId"], client.inputs["accessType"]) == ("grafana-alpha", "PUBLIC")
    assert client.inputs["pkceCodeChallengeMethod"] == "S256"
    assert client.inputs["validRedirectUris"] == ["https://alpha.grafana.example.test/login/generic_oauth"]
    flows = ("implicitFlowEnabled", "directAccessGrantsEnabled", "serviceAccountsEnabled", "fullScopeAllowed")
    assert [client.inputs[flow] for flow in flows] == [False] * 4


def test_the_role_follows_from_the_groups_of_the_tenant_and_of_no_other() -> None:
    audit = OwnRole("audit", "", frozenset({Right.KUBERNETES_VIEW_PROD, Right.ARGOCD_VIEW_PROD}), ("hugo.lambert",))
    looks = OwnRole(
        "looks", "", frozenset({Right.KUBERNETES_VIEW_PROD, Right.KUBERNETES_VIEW_NONPROD}), ("ines.roche",)
    )
    alpha, other = tenant(roles=(audit, looks)), tenant("alpha-two", roles=(looks,))
    roles = {person: role_of(role_path(alpha), groups_of(alpha, person)) for person in sorted(alpha.people)}
    assert roles == {
        "alice.martin": "Editor",
        "bob.durand": "Editor",
        "chloe.petit": "Editor",
        "emma.leroy": "Editor",
        "farid.benali": "Viewer",
        "gaelle.morin": "Viewer",
        "hugo.lambert": None,  # sees production only, and Grafana cannot tell the environments apart
        "ines.roche": "Viewer",
    }
    for person in sorted(other.people):
        assert role_of(role_path(alpha), groups_of(other, person)) is None
    assert role_of(role_path(alpha), ["/platform", "/", "/alpha", "/alpha/dev/rw"]) is None


def test_a_suspended_tenant_only_reads_and_an_archived_one_has_no_grafana() -> None:
    suspended = tenant(state=State.SUSPENDED)
    assert "Editor" not in role_path(suspended)
    assert role_of(role_path(suspended), groups_of(suspended, "alice.martin")) == "Viewer"
    assert {name.removeprefix("alpha/observability/grafana/") for name in of(suspended)} == NAMES
    assert of(tenant(state=State.ARCHIVED)) == {}


def test_the_pod_has_no_credential_and_no_privilege() -> None:
    objects = of(tenant())
    spec = inputs(objects, "deployment")["spec"]["template"]["spec"]
    assert (spec["automountServiceAccountToken"], spec["enableServiceLinks"]) == (False, False)
    assert spec["securityContext"]["runAsNonRoot"] is True
    for container in (*spec["initContainers"], *spec["containers"]):
        assert container["image"] == factories.GRAFANA.image
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert "env" not in container
    assert not [volume for volume in spec["volumes"] if not {"emptyDir", "configMap"} & volume.keys()]
    assert "secret" not in json.dumps([r.type for r in objects.values()]).lower()
    # The key is made in the pod.
    assert ini(objects)["security"]["secret_key"] == "$__file{/var/lib/grafana/secret-key}"
    assert "/var/lib/grafana/secret-key" in spec["initContainers"][0]["command"][2]


def test_every_file_of_the_configuration_is_where_grafana_reads_it() -> None:
    objects = of(tenant())
    spec = inputs(objects, "deployment")["spec"]["template"]["spec"]
    (config,) = (volume["configMap"] for volume in spec["volumes"] if volume["name"] == "config")
    assert {item["key"] for item in config["items"]} == set(inputs(objects, "config")["data"])
    assert {item["path"] for item in config["items"]} == {
        "grafana.ini",
        "ca.pem",
        "provisioning/datasources/usine.yaml",
        "provisioning/dashboards/usine.yaml",
    }
    (provider,) = json.loads(inputs(objects, "config")["data"]["dashboards.yaml"])["providers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]}
    assert provider["options"]["path"] == mounts["dashboards"]
    assert provider["allowUiUpdates"] is False


def test_a_new_configuration_restarts_the_pod_and_a_new_dashboard_does_not() -> None:
    def version(objects: dict[str, PlannedResource]) -> str:
        return str(inputs(objects, "deployment")["spec"]["template"]["metadata"]["annotations"])

    before = of(tenant())
    shown = of(tenant("alpha", ORDERS))
    assert inputs(shown, "dashboards") != inputs(before, "dashboards")
    assert version(shown) == version(before)
    assert version(of(tenant(environments=(factories.environment("dev"),)))) != version(before)


def test_only_the_ingress_reaches_it_and_it_reaches_the_stores_and_the_platform_only() -> None:
    base = factories.settings()
    clusters: dict[str, Cluster] = {
        name: dataclasses.replace(cluster, platform_networks=("10.20.0.0/27",))
        for name, cluster in base.clusters.items()
    }
    spec = inputs(of(tenant(), settings=dataclasses.replace(base, clusters=clusters)), "network")["spec"]
    pods = inputs(of(tenant()), "deployment")["spec"]
    assert spec["podSelector"] == pods["selector"]
    assert spec["podSelector"]["matchLabels"].items() <= pods["template"]["metadata"]["labels"].items()
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    text = json.dumps(spec["ingress"])
    assert re.findall(r'"kubernetes.io/metadata.name": "([^"]+)"', text) == ["ingress-nginx"]
    outside = json.dumps(spec["egress"])
    assert re.findall(r'"kubernetes.io/metadata.name": "([^"]+)"', outside) == ["kube-system", "logs", "monitoring"]
    assert re.findall(r'"cidr": "([^"]+)"', outside) == ["10.20.0.0/27"]


def test_the_stack_of_one_tenant_has_the_cluster_of_grafana() -> None:
    """It may be a cluster on which the tenant has no environment."""
    alone = platform(dataclasses.replace(factories.GRAFANA, cluster="prod-1"), foundation=FoundationMode.SKIP)
    settings = dataclasses.replace(alone, systems=alone.systems - {System.ARGOCD})
    only = (factories.environment("dev"),)
    assert clusters_in_use(settings, [tenant(environments=only)]) == ("nonprod-1", "prod-1")
    assert clusters_in_use(settings, [factories.tenant(environments=only)]) == ("nonprod-1",)


def test_the_configuration_has_no_line_that_a_value_adds() -> None:
    text = grafana_ini(tenant(), factories.GRAFANA, LogIn("https://sso.example.test/realms/usine", authority=False))
    assert "tls_client_ca" not in text
    for line in text.splitlines():
        assert re.fullmatch(r"|\[[a-z_.]+\]|[a-z_]+ = \S.*", line), line

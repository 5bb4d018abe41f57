"""Two Argo CDs, one for each zone: what each of them has, and that it has nothing of the other zone."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import pytest
from google.protobuf import empty_pb2, json_format

from model.argocd import ONLY_INSTANCE, ArgoCDInstance, ArgoCDSettings
from model.clusters import ClusterPull, SecretDelivery
from model.lifecycle import clusters_in_use
from model.reading.fleet import check_hosts
from model.repository import Chart, Revision
from model.reserved import platform_names, who_reserves_slug
from model.settings import Credential, FoundationMode, Settings, System
from model.tenant import Tenant
from policy.model import Level
from pulumi_facts.generations import generation_of
from tests import factories
from tests.plans import plan_of
from tests.zones.values import ISSUER, KEYS
from usine.commands.up import login_page
from usine.diff.compare import compare
from usine.plan import Plan, make_plan
from usine.plan.model import PlannedResource
from usine.plan.monitor import RecordingMonitor
from usine.plan.policies import check_plan
from usine.report.model import Action, Entry

NEAR, DMZ = "kubernetes-nonprod-1", "kubernetes-prod-1"
#: Of a zone each, on a cluster each, in namespaces of one name.
INSTANCES = (
    ArgoCDInstance(ONLY_INSTANCE, "nonprod-1", "argocd", "https://argocd.example.test", ("lab",)),
    ArgoCDInstance("dmz", "prod-1", "argocd", "https://argocd-dmz.example.test", ("dmz",)),
)
DEPLOY_TOKEN = "gitlab:index/projectDeployToken:ProjectDeployToken"


def zoned(instances: Sequence[ArgoCDInstance] = INSTANCES, **changes: Any) -> Settings:
    """Settings with two zones: nonprod-1 is in `lab`, prod-1 in `dmz`; both can be registered."""
    base = factories.settings()
    clusters = {
        name: dataclasses.replace(cluster, zone=zone, argocd_token=f"/run/{name}/token")
        for (name, cluster), zone in zip(base.clusters.items(), ("lab", "dmz"), strict=True)
    }
    argocd = ArgoCDSettings(tuple(instances), ("/platform",))
    return dataclasses.replace(base, zones=("lab", "dmz"), clusters=clusters, argocd=argocd, **changes)


#: One Argo CD for the same two zones, as before.
ONE = zoned((dataclasses.replace(INSTANCES[0], zones=None),))


def tenant(*environments: str) -> Tenant:
    """A tenant that deploys manifests of a repository, and a chart of its own registry."""
    infra = factories.infra("charted")
    assert infra.deployment is not None
    chart = Chart("registry", "web", Revision("1.4.2", {}))
    charted = dataclasses.replace(infra, deployment=dataclasses.replace(infra.deployment, chart=chart))
    return factories.tenant(
        environments=tuple(map(factories.environment, environments)),
        repositories=(factories.infra(), charted),
    )


def planned(settings: Settings | None = None, environments: Sequence[str] = ("dev", "prod")) -> Plan:
    return plan_of(tenant(*environments), settings=settings or zoned())


def of_type(plan: Plan, ending: str, provider: str | None = None) -> Mapping[str, PlannedResource]:
    return {r.name: r for r in plan.resources if r.type.endswith(ending) and provider in {None, r.options.provider}}


def changes(base: Plan, head: Plan) -> dict[str, Entry]:
    return {entry.name: entry for entry in compare(base, head)}


def in_argocd(plan: Plan, provider: str, namespace: str = "argocd") -> dict[str, Any]:
    """The objects of a cluster in the namespace of Argo CD, by logical name."""
    found: dict[str, Any] = {}
    for resource in plan.resources:
        metadata: Any = resource.inputs.get("metadata") or {}
        if resource.options.provider == provider and metadata.get("namespace") == namespace:
            found[resource.name] = resource.inputs
    return found


def test_each_instance_deploys_to_the_clusters_of_its_zone_only() -> None:
    plan = planned()
    for provider, environment, server in ((NEAR, "dev", "nonprod"), (DMZ, "prod", "prod")):
        (project,) = of_type(plan, ":AppProject", provider).values()
        spec: Any = project.inputs["spec"]
        address = f"https://{server}.example.test"
        assert [one["server"] for one in spec["destinations"]] == [address]
        assert [one["server"] for one in spec["destinationServiceAccounts"]] == [address]
        applications: list[Any] = [r.inputs for r in of_type(plan, ":Application", provider).values()]
        assert {one["metadata"]["name"] for one in applications} == {
            f"teleservice-{environment}--deploy",
            f"teleservice-{environment}--charted",
        }
        assert {one["spec"]["destination"]["server"] for one in applications} == {address}
    other = "teleservice-dev"
    assert other not in json.dumps(in_argocd(plan, DMZ)), "the instance of the zone dmz knows nothing of the zone lab"


def test_a_cluster_is_registered_in_the_instance_of_its_zone_only() -> None:
    registered = {
        name: (r.inputs["metadata"]["name"], r.options.provider)  # type: ignore[index]  # a mapping
        for name, r in of_type(planned(), ":Secret").items()
        if "/cluster/" in name
    }
    assert registered == {
        "foundation/argocd/cluster/nonprod-1": ("usine-cluster--nonprod-1", NEAR),
        "foundation/argocd/instance/dmz/cluster/prod-1": ("usine-cluster--prod-1", DMZ),
    }


def test_each_instance_reads_repositories_by_its_own_token() -> None:
    plan = planned(zoned(credentials=(Credential("1"), Credential("2027-1"))))
    tokens = of_type(plan, DEPLOY_TOKEN)
    prefix = "teleservice/gitlab/deploy/deploy-token"
    assert {name: r.inputs["name"] for name, r in tokens.items() if name.startswith(prefix)} == {
        f"{prefix}/1": "argocd-1",
        f"{prefix}/2027-1": "argocd-2027-1",
        f"{prefix}/dmz/1": "argocd.dmz.1",
        f"{prefix}/dmz/2027-1": "argocd.dmz.2027-1",
    }
    assert all(r.inputs["scopes"] == ["read_repository"] for r in tokens.values())
    secrets = of_type(plan, ":Secret")
    for provider, logical, token in ((NEAR, "deploy", "2027-1"), (DMZ, "deploy/instance/dmz", "dmz/2027-1")):
        made = secrets[f"teleservice/argocd/repository/{logical}"]
        assert made.options.provider == provider
        metadata: Any = made.inputs["metadata"]
        assert metadata["name"] == "usine-teleservice--deploy"
        assert made.sources["data"] == (f"{DEPLOY_TOKEN}::{prefix}/{token}",), "the token of the other zone"


def test_a_generation_of_a_token_is_known_by_both_its_names() -> None:
    name = "teleservice/gitlab/deploy/deploy-token/dmz/2027-1"
    assert generation_of(DEPLOY_TOKEN, name, "argocd.dmz.2027-1") == "2027-1"
    for other in ("argocd-2027-1", "argocd.lab.2027-1", "argocd.dmz.2026-1"):
        assert generation_of(DEPLOY_TOKEN, name, other) is None


def test_the_credential_of_a_chart_is_in_the_instance_that_deploys_it() -> None:
    secrets = {name: r for name, r in of_type(planned(), ":Secret").items() if name.endswith("/chart")}
    assert {name: r.options.provider for name, r in secrets.items()} == {
        "teleservice/argocd/dev/charted/chart": NEAR,
        "teleservice/argocd/prod/charted/chart": DMZ,
    }


@pytest.mark.parametrize(("environment", "here", "elsewhere"), [("dev", NEAR, DMZ), ("prod", DMZ, NEAR)])
def test_the_other_instance_has_nothing_of_a_tenant_of_one_zone(environment: str, here: str, elsewhere: str) -> None:
    plan = planned(environments=(environment,))
    assert any(name.startswith("teleservice/") for name in in_argocd(plan, here))
    assert not [name for name in in_argocd(plan, elsewhere) if name.startswith("teleservice/")]
    tokens = {str(r.inputs["name"]) for r in of_type(plan, DEPLOY_TOKEN).values()}
    assert tokens == ({"argocd-1"} if environment == "dev" else {"argocd.dmz.1"})


def test_each_instance_has_a_client_that_only_its_own_address_may_use() -> None:
    plan = planned()
    clients = {r.inputs["clientId"]: r for r in of_type(plan, "client:Client").values()}
    maps = of_type(plan, ":ConfigMapPatch")
    for client, prefix, provider, url in (
        ("argocd", "foundation/argocd", NEAR, "https://argocd.example.test"),
        ("argocd-dmz", "foundation/argocd/instance/dmz", DMZ, "https://argocd-dmz.example.test"),
    ):
        redirects: Any = clients[client].inputs["validRedirectUris"]
        assert {one for one in redirects if "localhost" not in one} == {f"{url}/auth/callback", f"{url}/pkce/verify"}
        assert clients[client].inputs["accessType"] == "PUBLIC"
        settings = maps[f"{prefix}/settings"]
        assert settings.options.provider == provider
        data: Any = settings.inputs["data"]
        assert data["url"] == url
        assert data["application.sync.impersonation.enforced"] == "true"
        assert json.loads(data["oidc.config"])["clientID"] == client
        rights: Any = maps[f"{prefix}/rights"].inputs["data"]
        assert (rights["policy.default"], rights["policy.csv"]) == ("", "g, /platform, role:admin\n")


def test_each_instance_has_the_alerts_of_its_own_deployments() -> None:
    rules = {n: r for n, r in of_type(planned(), ":PrometheusRule").items() if "/deployments/" in n}
    prefix = "teleservice/observability/deployments"
    assert {name: r.options.provider for name, r in rules.items()} == {
        f"{prefix}/rules": NEAR,
        f"{prefix}/instance/dmz/rules": DMZ,
    }
    for name, here, elsewhere in ((f"{prefix}/rules", "dev", "prod"), (f"{prefix}/instance/dmz/rules", "prod", "dev")):
        text = json.dumps(rules[name].inputs["spec"])
        assert f"teleservice-{here}" in text
        assert f"teleservice-{elsewhere}" not in text


def test_two_instances_may_be_in_two_namespaces_of_one_cluster() -> None:
    both = (INSTANCES[0], dataclasses.replace(INSTANCES[1], cluster="nonprod-1", namespace="argocd-dmz"))
    plan = planned(zoned(both))
    near, far = (in_argocd(plan, NEAR, namespace) for namespace in ("argocd", "argocd-dmz"))
    assert "teleservice/argocd/dev/project" in near
    assert "teleservice/argocd/prod/project" in far
    assert "teleservice-prod" not in json.dumps(near)
    assert "teleservice-dev" not in json.dumps(far)
    for name in ("teleservice/observability/deployments/rules", "teleservice/observability/deployments/instance/dmz"):
        assert "argocd-dmz" not in json.dumps(near.get(name, {}))
    rule: Any = far["teleservice/observability/deployments/instance/dmz/rules"]
    assert 'namespace=\\"argocd-dmz\\"' in json.dumps(rule["spec"])


def test_the_policies_accept_it() -> None:
    found = [one for one in check_plan(planned()) if one.level is Level.MANDATORY]
    assert [f"{one.resource.name}: {one.text}" for one in found] == []


def test_the_addresses_of_applications_are_those_of_their_instances(monkeypatch: pytest.MonkeyPatch) -> None:
    outputs: dict[str, Any] = {}

    def register_outputs(_monitor: RecordingMonitor, request: Any) -> Any:
        outputs[request.urn.rsplit("::", 1)[-1]] = json_format.MessageToDict(request.outputs)
        return empty_pb2.Empty()

    monkeypatch.setattr(RecordingMonitor, "RegisterResourceOutputs", register_outputs)
    make_plan(zoned(), [tenant("dev", "prod")])
    assert outputs["teleservice"]["applications"] == {
        f"teleservice-{environment}--{repository}": f"{url}/applications/argocd/teleservice-{environment}--{repository}"
        for environment, url in (("dev", INSTANCES[0].url), ("prod", INSTANCES[1].url))
        for repository in ("deploy", "charted")
    }


# Changes of the settings ---------------------------------------------------------------------------------------------


def test_one_instance_of_all_zones_is_what_a_platform_without_instances_has() -> None:
    named = zoned((dataclasses.replace(INSTANCES[0], zones=("lab", "dmz")),))
    assert compare(planned(ONE), planned(named)) == ()


def test_the_instance_called_argocd_keeps_the_objects_of_the_one_before_it() -> None:
    found = changes(planned(ONE), planned())
    assert {e.action for e in found.values()} <= {Action.CREATED, Action.CHANGED, Action.REPLACED, Action.DESTROYED}
    kept = {name: e for name, e in found.items() if e.action is not Action.CREATED}
    assert kept.keys() == {
        "foundation/argocd/cluster/prod-1",  # registered in the new instance
        *(f"teleservice/argocd/prod/{part}" for part in ("project", "deploy", "charted", "charted/chart")),
        "teleservice/observability/deployments/rules",
    }
    assert kept["foundation/argocd/cluster/prod-1"].action is Action.DESTROYED
    assert kept["teleservice/observability/deployments/rules"].action is Action.CHANGED


@pytest.mark.parametrize("base", [zoned(), ONE], ids=["several", "one"])
@pytest.mark.parametrize(("cluster", "namespace"), [("nonprod-1", "argocd-edge"), ("prod-1", "argocd-edge")])
def test_when_a_zone_moves_the_old_objects_are_deleted_first(base: Settings, cluster: str, namespace: str) -> None:
    """Never do two Argo CDs manage one namespace: the first one to go is the project, without which nothing syncs."""
    edge = ArgoCDInstance("edge", cluster, namespace, "https://edge.example.test", ("dmz",))
    found = changes(planned(base), planned(zoned((INSTANCES[0], edge))))
    for part in ("project", "deploy", "charted"):
        entry = found[f"teleservice/argocd/prod/{part}"]
        assert entry.action is Action.REPLACED
        assert "deleted first" in entry.note
    assert not [name for name in found if "/argocd/dev/" in name]


def test_an_instance_that_only_gets_another_name_keeps_projects_and_applications() -> None:
    found = changes(planned(), planned(zoned((INSTANCES[0], dataclasses.replace(INSTANCES[1], name="edge")))))
    assert not [name for name in found if name.startswith("teleservice/argocd/prod/")]


def test_what_was_deployed_stays_when_an_application_is_deleted() -> None:
    """An Application without finalizer, and a set that preserves, delete only themselves."""
    infra = factories.infra()
    assert infra.deployment is not None
    folders = dataclasses.replace(
        infra, deployment=dataclasses.replace(infra.deployment, value_files=(), each_folder=True)
    )
    plan = plan_of(factories.tenant(repositories=(factories.infra("web"), folders)), settings=zoned())
    applications: list[Any] = [r.inputs for r in of_type(plan, ":Application").values()]
    assert len(applications) == 2
    assert not [one for one in applications if "finalizers" in one["metadata"]]
    sets: list[Any] = [r.inputs["spec"] for r in of_type(plan, ":ApplicationSet").values()]
    assert [one["syncPolicy"] for one in sets] == [{"preserveResourcesOnDeletion": True}] * 2
    assert not [one for one in sets if "finalizers" in one["template"]["metadata"]]


def test_clusters_that_pull_do_not_read_by_the_token_of_another_instance() -> None:
    base = zoned((INSTANCES[0], dataclasses.replace(INSTANCES[1], cluster="nonprod-1", namespace="argocd-dmz")))
    far = dataclasses.replace(
        base.clusters["prod-1"],
        name="far",
        zone="far",
        context="",
        ca=None,
        argocd_token=None,
        secret_delivery=SecretDelivery(),
        pull=ClusterPull(ISSUER, KEYS),
    )
    settings = dataclasses.replace(base, zones=(*base.zones, "far"), clusters={**base.clusters, "far": far})
    environments = (factories.environment("prod"), dataclasses.replace(factories.environment("dev"), cluster="far"))
    plan = plan_of(factories.tenant(environments=environments), settings=settings)
    assert {r.inputs["name"] for r in of_type(plan, DEPLOY_TOKEN).values()} == {"argocd-1", "argocd.dmz.1"}
    (pulled,) = (r for n, r in of_type(plan, "secretV2:SecretV2").items() if "/pulled/" in n)
    assert any(one.endswith("deploy-token/1") for sources in pulled.sources.values() for one in sources)
    assert not any("deploy-token/dmz" in one for sources in pulled.sources.values() for one in sources)
    assert not [name for name in in_argocd(plan, NEAR) if name.startswith("teleservice/")]


def test_no_tenant_takes_the_namespace_of_an_instance() -> None:
    settings = zoned((INSTANCES[0], dataclasses.replace(INSTANCES[1], namespace="edge-argo")))
    assert {"argocd", "edge-argo"} <= platform_names(settings)["Kubernetes namespace"]
    assert who_reserves_slug("edge-argo", settings) == "the platform"


def test_the_stack_of_one_tenant_reaches_every_instance() -> None:
    """Its drift scan also finds and removes what was made for the tenant in the instance of another zone."""
    alone = dataclasses.replace(zoned(), foundation=FoundationMode.SKIP, tenants=("teleservice",))
    assert clusters_in_use(alone, [tenant("dev")]) == ("nonprod-1", "prod-1")


def test_the_addresses_of_all_instances_are_shown_and_no_host_of_a_tenant() -> None:
    settings = zoned()
    urls = sorted(one.url for one in INSTANCES)
    assert [url for system, url in settings.addresses if system is System.ARGOCD] == urls
    assert login_page(settings, System.ARGOCD) == ", ".join(urls)
    for url in urls:
        taken = factories.tenant(environments=(factories.environment("dev", url=f"{url}/path"),))
        (finding,) = check_hosts([taken], settings)
        assert f"{urlsplit(url).hostname} is the host of argocd on the platform" in finding.message


@pytest.mark.parametrize("system", System)
def test_each_system_has_a_page_to_log_in(system: System) -> None:
    assert login_page(zoned(), system).startswith("https://")

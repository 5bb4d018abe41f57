"""The objects of environments on a cluster that pulls, in Kubernetes, Vault, GitLab and Argo CD."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import yaml

from components.argocd.zone import zone_manifests
from components.kubernetes.admission_rules import admission_rules
from components.kubernetes.delivery import VaultAddress
from components.vault.policies import environment_rules, zone_rules
from model.repository import Chart, Revision
from model.settings import Credential, Edition, FoundationMode
from model.tenant import DeliveredSecret, State
from policy.model import Level
from tests import factories
from tests.plans import plan_of
from tests.zones.values import ISSUER, KEYS, pulling
from usine.plan import Plan
from usine.plan.model import PlannedResource
from usine.plan.policies import check_plan

FAR = "kubernetes-prod-1"


def plan(**changes: Any) -> Plan:
    return plan_of(factories.tenant(**changes), settings=pulling())


def of_type(planned: Plan, ending: str, provider: str | None = None) -> Mapping[str, PlannedResource]:
    return {
        one.name: one
        for one in planned.resources
        if one.type.endswith(ending) and provider in {None, one.options.provider}
    }


def test_the_provider_of_a_cluster_that_pulls_connects_to_nothing() -> None:
    (far,) = (one for one in plan().resources if one.is_provider and one.name == FAR)
    assert far.inputs["renderYamlToDirectory"] == "../../out/rendered/prod-1", "outside the folders of the program"
    assert far.inputs["skipUpdateUnreachable"] == "true", "the official plugin would fail each drift scan"
    assert not {"context", "upsertExistingObjects", "enablePatchForce"} & far.inputs.keys()
    assert not far.inputs.get("kubeconfig")


def test_the_pull_secret_is_delivered_and_no_secret_is_rendered() -> None:
    planned = plan()
    assert not of_type(planned, ":Secret", FAR)
    (external,) = (r for name, r in of_type(planned, ":ExternalSecret", FAR).items() if name.endswith("pull-secret"))
    spec: Any = external.inputs["spec"]
    assert spec["dataFrom"] == [{"extract": {"key": "teleservice/review/registry/pull"}}]
    template = spec["target"]["template"]
    assert (spec["target"]["name"], template["type"]) == ("usine-registry", "kubernetes.io/dockerconfigjson")
    text = template["data"][".dockerconfigjson"]
    filled = text.replace("{{ .username | toJson }}", '"robot$teleservice+pull-1"')
    filled = filled.replace("{{ .password | toJson }}", '"word"')
    filled = filled.replace('{{ printf "%s:%s" .username .password | b64enc | toJson }}', '"cm9ib3Q="')
    assert json.loads(filled)["auths"]["harbor.example.test"] == {
        "username": "robot$teleservice+pull-1", "password": "word", "auth": "cm9ib3Q=",
    }  # fmt: skip


def test_the_store_logs_in_by_a_signed_token_for_one_audience() -> None:
    (store,) = of_type(plan(), ":SecretStore", FAR).values()
    spec: Any = store.inputs["spec"]
    assert spec["provider"]["vault"]["auth"] == {
        "jwt": {
            "path": "kubernetes/prod-1",
            "role": "teleservice-prod",
            "kubernetesServiceAccountToken": {
                "serviceAccountRef": {
                    "name": "vault",
                    "audiences": ["https://kubernetes.default.svc.cluster.local"],
                }
            },
        }
    }


def test_an_archived_tenant_has_neither_store_nor_pull_secret() -> None:
    assert not of_type(plan(state=State.ARCHIVED), ":SecretStore", FAR)
    assert not of_type(plan(state=State.ARCHIVED), ":ExternalSecret", FAR)


def test_vault_verifies_tokens_by_the_issuer_s_keys_and_reviews_none() -> None:
    planned = plan()
    assert not of_type(planned, ":ClusterRoleBinding", FAR), "the right to review tokens"
    (backend,) = (r for n, r in of_type(planned, "jwt/authBackend:AuthBackend").items() if "jwt/prod-1" in n)
    assert backend.inputs["boundIssuer"] == ISSUER
    assert backend.inputs["jwtValidationPubkeys"] == [f"[contents of {KEYS}]"]
    roles = {r.inputs["roleName"]: r.inputs for r in of_type(planned, "AuthBackendRole").values()
             if r.inputs["backend"] == "kubernetes/prod-1"}  # fmt: skip
    assert roles.keys() == {"teleservice-prod", "usine-argocd"}
    role = roles["teleservice-prod"]
    assert role["boundSubject"] == "system:serviceaccount:teleservice-prod:vault"
    assert role["boundAudiences"] == ["https://kubernetes.default.svc.cluster.local"]
    assert role["tokenPolicies"] == ["teleservice.env.prod"]
    zone = roles["usine-argocd"]
    assert zone["boundSubject"] == "system:serviceaccount:argocd:usine-argocd"
    assert zone["tokenPolicies"] == ["usine.zone.prod-1"]


def test_pods_of_a_cluster_that_pulls_read_the_pull_secret_and_nothing_else_more() -> None:
    tenant = factories.tenant()
    near, far = (environment_rules(tenant, tenant.environments[1], pulls=pulls) for pulls in (False, True))
    assert {rule.path for rule in far} - {rule.path for rule in near} == {"teleservice/data/review/registry/pull"}


def test_the_argo_cd_of_a_cluster_reads_its_own_folders() -> None:
    assert {(rule.path, rule.capabilities) for rule in zone_rules(pulling().clusters["prod-1"])} == {
        ("usine_platform/data/operations/zones/lab/*", ("read",)),
        ("usine_platform/data/operations/clusters/prod-1/*", ("read",)),
    }


def test_each_argo_cd_gets_the_environments_that_it_deploys() -> None:
    planned = plan()
    for kind in (":AppProject", ":Application"):
        for provider, environment in (("kubernetes-nonprod-1", "dev"), (FAR, "prod")):
            (found,) = of_type(planned, kind, provider).values()
            metadata: Any = found.inputs["metadata"]
            assert metadata["name"].startswith(f"teleservice-{environment}")
    rules = of_type(planned, ":PrometheusRule")
    assert rules["teleservice/observability/deployments/rules"].options.provider == "kubernetes-nonprod-1"
    assert rules["teleservice/observability/deployments/prod-1/rules"].options.provider == FAR
    for name, environment in (("deployments/rules", "dev"), ("deployments/prod-1/rules", "prod")):
        text = json.dumps(rules[f"teleservice/observability/{name}"].inputs)
        assert f"teleservice-{environment}" in text
        assert f"teleservice-{'prod' if environment == 'dev' else 'dev'}" not in text


def test_argo_cd_s_credentials_are_in_vault_and_delivered() -> None:
    infra = factories.infra()
    assert infra.deployment is not None
    chart = Chart("registry", "charts/web", Revision("1.4.2", {}))
    charted = dataclasses.replace(infra, deployment=dataclasses.replace(infra.deployment, chart=chart))
    planned = plan(repositories=(factories.app(), charted))
    written = {str(r.inputs["name"]) for r in of_type(planned, "secretV2:SecretV2").values()
               if "pulled" in r.name}  # fmt: skip
    git, chart_path = "usine-teleservice--deploy", "usine-teleservice.prod--deploy"
    assert written == {
        f"operations/clusters/prod-1/teleservice/{git}",
        f"operations/clusters/prod-1/teleservice/{chart_path}",
    }
    delivered: dict[str, Any] = {}
    for one in of_type(planned, ":ExternalSecret", FAR).values():
        metadata: Any = one.inputs["metadata"]
        if metadata["namespace"] == "argocd":
            delivered[metadata["name"]] = one.inputs["spec"]
    assert delivered.keys() == {git, chart_path}
    template = delivered[chart_path]["target"]["template"]
    assert template["metadata"]["labels"]["argocd.argoproj.io/secret-type"] == "repository"
    assert "app.kubernetes.io/managed-by" not in template["metadata"]["labels"]
    assert template["data"]["project"] == "teleservice-prod", "no other project gets the credential"
    keys = {one["dataFrom"][0]["extract"]["key"] for one in delivered.values()}
    assert keys == {f"usine_platform/{path}" for path in written}


def test_a_tenant_without_an_environment_here_has_no_secret_in_the_platform_s_argo_cd() -> None:
    only = plan(environments=(factories.environment("prod"),))
    assert not [n for n in of_type(only, ":Secret") if "argocd" in n]


def test_a_stack_of_one_tenant_looks_up_what_the_foundation_made() -> None:
    settings = pulling(foundation=FoundationMode.SKIP, tenants=("teleservice",))
    planned = plan_of(factories.tenant(), settings=settings)
    assert [r.inputs["mount"] for n, r in of_type(planned, "secretV2:SecretV2").items() if "pulled" in n] == [
        "usine_platform"
    ]


def test_only_administrators_push_to_the_repository_of_a_zone() -> None:
    for edition in Edition:
        base = pulling()
        settings = dataclasses.replace(base, gitlab=dataclasses.replace(base.gitlab, edition=edition))
        protections = of_type(plan_of(factories.tenant(), settings=settings), ":BranchProtection")
        protection = protections["foundation/gitlab/zones/lab/branch/main"]
        levels = json.dumps({key: value for key, value in protection.inputs.items() if "ush" in key or "erge" in key})
        assert levels.count('"admin"') == 2
        assert "maintainer" not in levels
        assert protection.inputs["allowForcePush"] is False


def test_the_credentials_of_a_zone() -> None:
    settings = pulling(credentials=(Credential("1"), Credential("2")))
    planned = plan_of(factories.tenant(), settings=settings)
    readers = {n: r.inputs for n, r in of_type(planned, ":ProjectDeployToken").items() if "zones" in n}
    assert {tuple(one["scopes"]) for one in readers.values()} == {("read_repository",)}  # type: ignore[arg-type]  # inputs of a plan are objects
    assert {one["name"] for one in readers.values()} == {"argocd-1", "argocd-2"}
    (report,) = (r.inputs for n, r in of_type(planned, ":ProjectAccessToken").items() if "zones" in n)
    assert (report["accessLevel"], report["scopes"]) == ("developer", ["api"])
    (group,) = (r for n, r in of_type(planned, "group:Group").items() if "zones" in n)
    assert (group.inputs["visibilityLevel"], group.protect) == ("private", True)
    assert group.inputs["sharedRunnersSetting"] == "disabled_and_unoverridable"


def test_without_a_cluster_that_pulls_nothing_of_it_exists() -> None:
    text = plan_of(factories.tenant()).dumps()
    for word in ("zones", "usine-argocd", "renderYaml", "pulled"):
        assert word not in text


def test_the_policies_accept_it() -> None:
    found = check_plan(plan(delivered=(DeliveredSecret("database", ("prod",), "app/db", {}),)))
    assert [f"{one.resource.name}: {one.text}" for one in found if one.level is Level.MANDATORY] == []


def manifests() -> dict[tuple[str, str], Any]:
    settings = pulling()
    cluster = settings.clusters["prod-1"]
    assert cluster.pull is not None
    made = zone_manifests(settings, cluster, cluster.pull, VaultAddress("https://vault.example.test", "PEM"))
    again = list(yaml.safe_load_all(yaml.safe_dump_all(made, sort_keys=False)))
    return {(one["kind"], one["metadata"]["name"]): one for one in again}


def test_the_zone_s_application_synchronizes_one_folder_as_one_account() -> None:
    made = manifests()
    application, project = made["Application", "usine-zone-prod-1"], made["AppProject", "usine-zone-prod-1"]
    url = "https://gitlab.example.test/platform/zones/lab.git"
    assert application["spec"]["source"] == {
        "repoURL": url, "targetRevision": "main", "path": "prod-1", "directory": {"recurse": True},
    }  # fmt: skip
    assert (project["spec"]["sourceRepos"], application["spec"]["project"]) == ([url], "usine-zone-prod-1")
    (account,) = project["spec"]["destinationServiceAccounts"]
    assert account["defaultServiceAccount"] == "argocd:usine-zone"
    (subject,) = made["ClusterRoleBinding", "usine:zone"]["subjects"]
    assert (subject["namespace"], subject["name"]) == ("argocd", "usine-zone")
    allowed = {one["kind"] for one in project["spec"]["namespaceResourceWhitelist"]}
    assert "Secret" not in allowed
    assert not [rule for rule in made["ClusterRole", "usine:zone"]["rules"] if "secrets" in rule["resources"]]
    settings = made["ConfigMap", "argocd-cm"]["data"]
    assert settings["application.sync.impersonation.enabled"] == "true"


def test_the_manifests_contain_no_secret_but_what_delivers_it() -> None:
    made = manifests()
    assert not [kind for kind, _ in made if kind == "Secret"]
    store = made["SecretStore", "usine"]["spec"]["provider"]["vault"]
    assert (store["path"], store["auth"]["jwt"]["role"]) == ("usine_platform", "usine-argocd")
    reader = made["ExternalSecret", "usine-zone"]["spec"]
    assert reader["dataFrom"] == [{"extract": {"key": "usine_platform/operations/zones/lab/reader"}}]
    assert reader["target"]["template"]["data"]["project"] == "usine-zone-prod-1"
    report = made["ExternalSecret", "usine-zone-report"]["spec"]["target"]
    assert (report["name"], report["creationPolicy"]) == ("argocd-notifications-secret", "Merge")


def test_argo_cd_reports_by_the_status_of_the_commit() -> None:
    data = manifests()["ConfigMap", "argocd-notifications-cm"]["data"]
    service = json.loads(data["service.webhook.usine"])
    assert {"name": "PRIVATE-TOKEN", "value": "$usine-report-token"} in service["headers"]
    states = {}
    for what in ("synced", "out-of-sync", "failed"):
        webhook = json.loads(data[f"template.usine-{what}"])["webhook"]["usine"]
        assert webhook["path"] == "/api/v4/projects/platform%2Fzones%2Flab/statuses/{{.app.status.sync.revision}}"
        body = json.loads(webhook["body"])
        assert (body["name"], body["ref"]) == ("usine/prod-1", "argocd"), "nobody may set a status for main"
        states[what] = body["state"]
        triggers = json.loads(data[f"trigger.usine-{what}"])
        assert all(trigger["send"] == [f"usine-{what}"] for trigger in triggers)
    assert states == {"synced": "success", "out-of-sync": "canceled", "failed": "failed"}
    synced = json.loads(data["trigger.usine-synced"])
    assert [trigger.get("oncePer") for trigger in synced] == [None, "app.status.sync.revision"]


def test_the_api_server_of_a_cluster_that_pulls_admits_that_log_in_only() -> None:
    settings = pulling()

    def text(cluster: str) -> str:
        rules = admission_rules(settings.clusters[cluster], None, "https://vault.example.test")
        (stores,) = (rule for rule in rules if rule.name == "stores")
        return " ".join(demand.expression for demand in stores.demands)

    assert "auth.jwt.?path.orValue('') == " in text("prod-1")
    assert "auth.kubernetes" not in text("prod-1")
    assert "auth.jwt" not in text("nonprod-1")

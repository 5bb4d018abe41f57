"""What Argo CD may deploy from, with which credential, and what an application set can make."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import pytest
from google.protobuf import empty_pb2, json_format

from components.argocd.sources import DeployedChart, registry_of
from components.gitlab.repository import deployment_variables
from model.repository import Chart, Deploys, Promotion, Repository, Revision
from model.settings import FoundationMode, System
from model.tenant import State, Tenant
from tests import factories
from tests.plans import plan_of
from usine.plan import Plan, make_plan
from usine.plan.monitor import RecordingMonitor

OWN = Chart("registry", "charts/web", Revision("1.4.2", {"prod": f"sha256:{'3f1c' * 16}"}))
SHARED = Chart("shared", "cache", Revision("2.0.0"))
HELM = Chart("public", "nginx", Revision("15.9.0"))
GIT = "https://gitlab.example.test/tenants/teleservice"
SETTINGS = factories.settings(
    systems=frozenset({System.KUBERNETES, System.ARGOCD, System.GITLAB, System.HARBOR}),
    foundation=FoundationMode.SKIP,
    argocd=dataclasses.replace(
        factories.settings().argocd,
        charts={"shared": "oci://registry.example.fr/charts", "public": "https://charts.example.fr/stable"},
    ),
)
#: What a template may contain, and where.
ALLOWED = {
    "metadata.name": "teleservice-dev--deploy.{{ .path.basenameNormalized }}",
    "spec.source.path": "{{ .path.path }}",
    "spec.source.helm.releaseName": "{{ .path.basenameNormalized }}",
}


def infra(name: str = "deploy", **changes: Any) -> Repository:
    base = factories.infra(name)
    assert base.deployment is not None
    return dataclasses.replace(base, deployment=dataclasses.replace(base.deployment, **changes))


def plan(*repositories: Repository, **changes: Any) -> Plan:
    return plan_of(factories.tenant(repositories=repositories, **changes), settings=SETTINGS)


def of(plan: Plan, kind: str, environment: str = "dev") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [dict(r.inputs) for r in plan.resources if r.inputs.get("kind") == kind]
    return [one for one in found if labels_of(one).get("usine.dev/environment") == environment]


def labels_of(inputs: Mapping[str, Any]) -> Mapping[str, str]:
    return (inputs.get("metadata") or {}).get("labels") or {}


def application(plan: Plan, environment: str = "dev", name: str = "deploy") -> dict[str, Any]:
    (found,) = [
        one["spec"] for one in of(plan, "Application", environment) if one["metadata"]["name"].endswith(f"--{name}")
    ]
    assert isinstance(found, dict)
    return found


def repositories_of(plan: Plan, environment: str = "dev") -> list[str]:
    (project,) = of(plan, "AppProject", environment)
    return list(project["spec"]["sourceRepos"])


def secrets(plan: Plan) -> dict[str, object]:
    """Return Argo CD's secrets by name: their data, which is secret as a whole."""
    found: dict[str, object] = {}
    for resource in plan.resources:
        if "argocd.argoproj.io/secret-type" in labels_of(resource.inputs):
            metadata: Any = resource.inputs["metadata"]
            found[metadata["name"]] = resource.inputs["data"]
    return found


def test_a_chart_of_the_own_registry_with_value_files_from_git() -> None:
    made = plan(infra(chart=OWN))
    for environment, version in (("dev", "1.4.2"), ("prod", OWN.version.of("prod"))):
        spec = application(made, environment)
        assert "source" not in spec
        assert spec["sources"] == [
            {
                "repoURL": "oci://harbor.example.test/teleservice/charts/web",
                "targetRevision": version,
                "path": ".",
                "helm": {
                    "releaseName": "deploy",
                    "valueFiles": [
                        "$values/charts/app/values.yaml",
                        f"$values/charts/app/values-{environment}.yaml",
                    ],
                },
            },
            {
                "repoURL": f"{GIT}/deploy.git",
                "targetRevision": "refs/tags/v1.4.2" if environment == "prod" else "main",
                "ref": "values",
            },
        ]
        assert repositories_of(made, environment) == [
            "oci://harbor.example.test/teleservice/charts/web",
            f"{GIT}/deploy.git",
        ]


def test_the_credential_of_a_chart_is_the_pulling_robot_s_and_belongs_to_one_project() -> None:
    """Argo CD gives it to no application of another project: not of another tenant, nor of another environment."""
    made = secrets(plan(infra(chart=OWN), infra("cache", chart=SHARED)))
    assert registry_of(DeployedChart("oci://harbor.example.test/a/web", None), "a-dev") == {
        "type": "oci",
        "url": "oci://harbor.example.test/a/web",
        "project": "a-dev",
    }
    # A repository of the platform gets no credential of a tenant, which its owner could read.
    assert made.keys() == {
        "usine-teleservice.dev--deploy",
        "usine-teleservice.prod--deploy",
        "usine-teleservice--deploy",
        "usine-teleservice--cache",
    }
    assert set(made.values()) == {"[secret]"}


def test_charts_of_the_platform() -> None:
    made = plan(
        infra("cache", chart=SHARED, value_files=()), infra("web", chart=HELM, path=".", value_files=("a.yaml",))
    )
    assert application(made, name="cache")["source"] == {
        "repoURL": "oci://registry.example.fr/charts/cache",
        "targetRevision": "2.0.0",
        "path": ".",
        "helm": {"releaseName": "cache"},
    }
    chart, values = application(made, name="web")["sources"]
    assert chart == {
        "repoURL": "https://charts.example.fr/stable",
        "targetRevision": "15.9.0",
        "chart": "nginx",
        "helm": {"releaseName": "web", "valueFiles": ["$values/a.yaml"]},
    }
    assert values.keys() == {"repoURL", "targetRevision", "ref"}, "with a path, Argo CD deploys that folder too"
    # Nothing that is not deployed from: not the Git repository of `cache`, not the Harbor project.
    assert repositories_of(made) == [
        "oci://registry.example.fr/charts/cache",
        "https://charts.example.fr/stable",
        f"{GIT}/web.git",
    ]


def test_no_tenant_deploys_from_a_repository_that_its_file_does_not_name() -> None:
    variants: tuple[Mapping[str, Any], ...] = (
        {},
        {"chart": OWN},
        {"chart": SHARED},
        {"chart": HELM, "value_files": ()},
        {"each_folder": True},
        {"parameters": {"a": 1}},
    )
    for changes in variants:
        for listed in (repositories_of(plan(infra(**changes)), "dev"), repositories_of(plan(infra(**changes)), "prod")):
            assert listed
            for url in listed:
                assert "*" not in url
                assert url.startswith((f"{GIT}/", "oci://harbor.example.test/teleservice/", *_platform(changes)))


def _platform(changes: Mapping[str, Any]) -> tuple[str, ...]:
    chart = changes.get("chart")
    return (SETTINGS.argocd.charts[chart.source],) if chart in (SHARED, HELM) else ()


def test_a_promoted_digest_wins_over_value_files_and_no_parameter_names_it() -> None:
    promoted = dataclasses.replace(factories.app(), deploys=Deploys("deploy", {"dev": Promotion.DIRECT}))
    spec = application(plan(promoted, infra(chart=OWN, parameters={"replicas": 2, "host": "<env>.fr", "on": True})))
    chart, values = spec["sources"]
    assert chart["helm"] == {
        "releaseName": "deploy",
        "valueFiles": [
            "$values/charts/app/values.yaml",
            "$values/charts/app/values-dev.yaml",
            "$values/charts/app/images/dev/api.yaml",
        ],
        "ignoreMissingValueFiles": True,
        "parameters": [
            {"name": "replicas", "value": "2"},
            {"name": "host", "value": "dev.fr", "forceString": True},
            {"name": "on", "value": "true"},
        ],
    }
    assert values["targetRevision"] == "deploy/dev"


# Application sets ----------------------------------------------------------------------------------------------------


def application_set(made: Plan) -> dict[str, Any]:
    (found,) = of(made, "ApplicationSet")
    return found


def test_a_folder_is_an_application_of_the_environment_s_project() -> None:
    made = plan(infra(each_folder=True, path="apps", value_files=()))
    one = application_set(made)
    assert of(made, "Application") == []
    assert one["metadata"]["name"] == "teleservice-dev--deploy"
    assert one["metadata"]["namespace"] == "argocd"
    spec = one["spec"]
    assert spec["generators"] == [
        {
            "git": {
                "repoURL": f"{GIT}/deploy.git",
                "revision": "main",
                "directories": [{"path": "apps/*"}],
                # Argo CD's controller writes it where there is none (tests/engine/test_argocd.py).
                "template": {"metadata": {}, "spec": {"destination": {}, "project": ""}},
            }
        }
    ]
    assert (spec["goTemplate"], spec["goTemplateOptions"]) == (True, ["missingkey=error"])
    assert spec["syncPolicy"] == {"preserveResourcesOnDeletion": True}
    template = spec["template"]
    assert template["spec"] == {
        "project": "teleservice-dev",
        "source": {"repoURL": f"{GIT}/deploy.git", "targetRevision": "main", "path": "{{ .path.path }}"},
        "destination": {"server": "https://nonprod.example.test", "namespace": "teleservice-dev"},
        "syncPolicy": {
            "syncOptions": ["CreateNamespace=false", "ServerSideApply=true"],
            "automated": {"prune": True, "selfHeal": True},
        },
    }
    assert "finalizers" not in template["metadata"]
    (prod,) = of(made, "ApplicationSet", "prod")
    assert prod["spec"]["generators"][0]["git"]["revision"] == "refs/tags/v1.4.2", "a revision that maintainers move"
    assert "automated" not in prod["spec"]["template"]["spec"]["syncPolicy"]


def test_the_whole_repository_and_value_files_of_each_folder() -> None:
    spec = application_set(plan(infra(each_folder=True, path=".")))["spec"]
    assert spec["generators"][0]["git"]["directories"] == [{"path": "*"}]
    assert spec["template"]["spec"]["source"]["helm"] == {
        "releaseName": "{{ .path.basenameNormalized }}",
        "valueFiles": ["values.yaml", "values-dev.yaml"],
    }


@pytest.mark.parametrize("text", ["{{ .path.basename }}", '{{ printf "default" }}', "{{project}}"])
def test_no_text_of_a_tenant_becomes_a_variable_of_the_template(text: str) -> None:
    """The checks of a file refuse braces in each of these. The names and descriptions of a tenant are not in it."""
    hostile = factories.tenant(
        name=text, description=text, repositories=(infra(each_folder=True, parameters={"a": "b"}),)
    )
    spec = application_set(plan_of(hostile, settings=SETTINGS))["spec"]
    found = {path: value for path, value in leaves(spec["template"]) if "{{" in str(value)}
    assert found == ALLOWED
    assert "{{" not in json.dumps([spec["generators"], list(spec["template"]["metadata"]["labels"])])


def leaves(value: Any, path: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in leaves(item, f"{path}.{key}".lstrip("."))]
    if isinstance(value, list):
        return [leaf for index, item in enumerate(value) for leaf in leaves(item, f"{path}[{index}]")]
    return [(path, value)]


def test_a_tenant_that_is_suspended_deploys_nothing_by_a_set() -> None:
    made = plan(infra(each_folder=True), state=State.SUSPENDED)
    assert "automated" not in application_set(made)["spec"]["template"]["spec"]["syncPolicy"]
    archived = plan(infra(each_folder=True), state=State.ARCHIVED)
    assert of(archived, "ApplicationSet") == []


def test_the_summary_of_a_tenant_has_the_address_of_its_applications(monkeypatch: pytest.MonkeyPatch) -> None:
    outputs: dict[str, Any] = {}

    def register_outputs(_monitor: RecordingMonitor, request: Any) -> Any:
        outputs[request.urn.rsplit("::", 1)[-1]] = json_format.MessageToDict(request.outputs)
        return empty_pb2.Empty()

    monkeypatch.setattr(RecordingMonitor, "RegisterResourceOutputs", register_outputs)
    make_plan(SETTINGS, [factories.tenant(repositories=(infra(each_folder=True), infra("web")))])
    assert outputs["teleservice"]["applications"] == {
        "teleservice-dev--deploy": "https://argocd.example.test/applications?proj=teleservice-dev",
        "teleservice-dev--web": "https://argocd.example.test/applications/argocd/teleservice-dev--web",
        "teleservice-prod--deploy": "https://argocd.example.test/applications?proj=teleservice-prod",
        "teleservice-prod--web": "https://argocd.example.test/applications/argocd/teleservice-prod--web",
    }


def test_the_jobs_know_how_argo_cd_makes_the_manifests() -> None:
    def variables(**changes: Any) -> Mapping[str, str]:
        repository = infra(**changes)
        file: Tenant = factories.tenant(repositories=(repository,))
        return deployment_variables(file, repository, "tenants")

    assert variables(parameters={"a": 1, "b": "<env>"})["USINE_PARAMETERS"] == '{"a": 1, "b": "<env>"}'
    assert variables(chart=OWN)["USINE_CHART"] == "registry: charts/web"
    assert variables(each_folder=True)["USINE_EACH_FOLDER"] == "true"
    assert not {"USINE_PARAMETERS", "USINE_CHART", "USINE_EACH_FOLDER"} & variables().keys()


def test_a_platform_without_harbor_deploys_charts_of_the_platform() -> None:
    settings = dataclasses.replace(SETTINGS, systems=SETTINGS.systems - {System.HARBOR})
    file = factories.tenant(repositories=(infra(chart=SHARED),))
    assert secrets(plan_of(file, settings=settings)).keys() == {"usine-teleservice--deploy"}

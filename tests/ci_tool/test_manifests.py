"""`usine-ci manifests` and `compare`: what the cluster would refuse, and what a merge request changes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from usine_ci.cli import main
from usine_ci.manifests import DENIED, VOLUMES, Place, check

from components.kubernetes.cluster_roles import DENIED_KINDS
from model.clusters import VOLUME_TYPES

IMAGE = f"registry.example.test/atelier/api@sha256:{'a' * 64}"
POD = f"""\
apiVersion: v1
kind: Pod
metadata: {{name: api, namespace: atelier-dev}}
spec:
  securityContext: {{runAsNonRoot: true, seccompProfile: {{type: RuntimeDefault}}}}
  volumes: [{{name: data, emptyDir: {{}}}}]
  containers:
    - name: api
      image: {IMAGE}
      securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
"""
PLACE = Place("atelier-dev", "registry.example.test/atelier/")


def found(text: str) -> list[str]:
    return [str(problem) for problem in check("dev.yaml", text, PLACE)]


def test_what_the_cluster_accepts() -> None:
    assert found(POD + "---\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n") == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("emptyDir: {}", "hostPath: {path: /}", "volume data: the type hostPath is not allowed: configMap, csi"),
        ("atelier/api@", "voisin/api@", "images come from registry.example.test/atelier/"),
        ("registry.example.test/", "evil.example/", "images come from registry.example.test/atelier/"),
        (
            f"@sha256:{'a' * 64}",
            ":1.0",
            "has no digest; a tag can be moved: write registry.example.test/atelier/api@sha",
        ),
        (f"@sha256:{'a' * 64}", "", "has no digest"),
        ("      image: ", "      imge: ", "image is missing"),
        (
            "namespace: atelier-dev",
            "namespace: atelier-prod",
            "atelier-prod; this environment is atelier-dev",
        ),
        ("spec:", "spec:\n  hostNetwork: true", "hostNetwork is not allowed"),
        ("runAsNonRoot: true, ", "", "runAsNonRoot must be true"),
        ("runAsNonRoot: true", "runAsNonRoot: true, runAsUser: 0", "runAsUser must not be 0"),
        (", seccompProfile: {type: RuntimeDefault}", "", "seccompProfile.type must be RuntimeDefault"),
        ("allowPrivilegeEscalation: false, ", "", "allowPrivilegeEscalation must be false"),
        ("drop: [ALL]", "drop: [CHOWN]", "drop must have ALL"),
        ("drop: [ALL]", "drop: [ALL], add: [SYS_ADMIN]", "add may have NET_BIND_SERVICE only"),
        ("{allowPrivilegeEscalation", "{privileged: true, allowPrivilegeEscalation", "privileged is not allowed"),
    ],
)
def test_what_the_cluster_would_refuse_in_a_pod(old: str, new: str, says: str) -> None:
    assert old in POD
    (problem,) = found(POD.replace(old, new))
    assert problem.startswith("dev.yaml:1:1: Pod api: ")
    assert says in problem


def test_images_that_all_tenants_may_use() -> None:
    place = Place(
        "atelier-dev", "registry.example.test/atelier/", ("registry.example.test/tools/", "quay.example/proxy")
    )
    for image, allowed in (
        ("registry.example.test/tools/base", True),
        ("quay.example/proxy", True),
        ("quay.example/proxy-evil", False),
        ("registry.example.test/toolsevil/base", False),
    ):
        text = POD.replace("registry.example.test/atelier/api@", f"{image}@")
        assert (list(check("dev.yaml", text, place)) == []) is allowed, image


@pytest.mark.parametrize("kind", ["Deployment", "CronJob"])
def test_pods_of_other_objects_are_checked_too(kind: str) -> None:
    pod = yaml.safe_load(POD.replace("emptyDir", "hostPath"))["spec"]
    spec: object = {"template": {"spec": pod}}
    spec = {"jobTemplate": {"spec": spec}} if kind == "CronJob" else spec
    (problem,) = found(POD + "---\n---\n" + yaml.safe_dump({"kind": kind, "metadata": {"name": "x"}, "spec": spec}))
    assert problem.startswith(f"dev.yaml:13:1: {kind} x: volume data")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kind: Namespace\nmetadata: {name: x}", "an object of the whole cluster"),
        ("kind: RoleBinding\nmetadata: {name: x}", "Argo CD does not deploy them"),
        ("kind: ApplicationSet\nmetadata: {name: x}", "Argo CD does not deploy them"),
        ("kind: Service\nmetadata: {name: x}\nspec: {type: NodePort}", "has the type ClusterIP"),
        ("kind: Service\nmetadata: {name: x}\nspec: {externalIPs: [1.2.3.4]}", "no externalIPs"),
        ("kind: Secret\nmetadata: {name: x}\ntype: kubernetes.io/service-account-token", "never ends"),
        ("kind: List\nmetadata: {}\nitems: []", "documents of their own"),
        ("- a", "no Kubernetes object"),
        ("a: [", "no YAML"),
        ("kind: !!python/object/apply:os.system [x]\nmetadata: {}", "no YAML"),
    ],
)
def test_what_the_cluster_would_refuse_otherwise(text: str, says: str) -> None:
    assert any(says in problem for problem in found(text)), found(text)


def test_the_lists_are_those_of_the_platform() -> None:
    assert {kind for _, kind in DENIED_KINDS} == DENIED
    assert set(VOLUME_TYPES) == VOLUMES


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return the folder of a job of an infra repository."""
    variables = {"USINE_TENANT": "atelier", "CI_PROJECT_NAME": "deploy", "USINE_DEPLOY_PATH": "charts/atelier"}
    variables |= {"USINE_ENVIRONMENTS": "dev prod", "REGISTRY_HOST": "registry.example.test"}
    for key, value in variables.items():
        monkeypatch.setenv(key, value)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_reports_all_environments(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (job / "rendered").mkdir()
    assert main(["manifests", "--rendered", "rendered"]) == 0, "nothing to deploy yet"
    for name in ("dev", "prod"):
        (job / "rendered" / f"{name}.yaml").write_text(POD)
    assert main(["manifests", "--rendered", "rendered"]) == 1
    said = capsys.readouterr().out
    assert "rendered/prod.yaml:1:1: Pod api: namespace atelier-dev; this environment is atelier-prod" in said
    assert "2 environments checked, 1 problems" in said


def test_plain_manifests_and_nothing_to_deploy_yet(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", "--output", "rendered"]) == 0
    assert "dev: charts/atelier has neither a chart nor manifests: nothing to deploy yet" in capsys.readouterr().out
    assert [one.name for one in (job / "rendered").iterdir()] == ["summary.txt"]
    (job / "charts/atelier").mkdir(parents=True)
    (job / "charts/atelier/pod.yaml").write_text(POD)
    assert main(["render", "--output", "rendered"]) == 0
    assert [*yaml.safe_load_all((job / "rendered/dev.yaml").read_text())] == [yaml.safe_load(POD)]


def test_a_folder_is_an_application_and_a_chart_elsewhere_has_value_files_only(
    job: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("api", "web", ".hidden"):
        (job / "charts/atelier" / name).mkdir(parents=True)
        (job / "charts/atelier" / name / "pod.yaml").write_text(POD.replace("name: api", f"name: {name}"))
    (job / "charts/atelier/README.yaml").write_text("no: manifest\n")
    monkeypatch.setenv("USINE_EACH_FOLDER", "true")
    assert main(["render", "--output", "rendered", "--lint"]) == 0
    made = [one["metadata"]["name"] for one in yaml.safe_load_all((job / "rendered/dev.yaml").read_text())]
    assert made == ["api", "web"]
    (job / "charts/atelier/web/kustomization.yaml").write_text("resources: []\n")
    (job / "charts/atelier/api/kustomization.yaml").write_text("resources: []\n")
    assert main(["render", "--output", "rendered"]) == 2
    said = capsys.readouterr().err
    assert "charts/atelier/api: charts/atelier/api: Kustomize" in said
    assert "charts/atelier/web: Kustomize" in said, "the problems of all folders at once"
    monkeypatch.delenv("USINE_EACH_FOLDER")
    monkeypatch.setenv("USINE_CHART", "registry: charts/web")
    monkeypatch.setenv("USINE_VALUE_FILES", "values-<env>.yaml")
    (job / "charts/atelier/values-dev.yaml").write_text("{}\n")
    assert main(["render", "--output", "again"]) == 2
    assert "charts/atelier/values-prod.yaml: the value file is missing" in capsys.readouterr().err
    (job / "charts/atelier/values-prod.yaml").write_text("{}\n")
    assert main(["render", "--output", "again"]) == 0
    assert "dev: the chart registry: charts/web is not in this repository" in capsys.readouterr().out
    assert [one.name for one in (job / "again").iterdir()] == ["summary.txt"], "value files are no manifests"


def test_parameters_reach_helm_as_argo_cd_passes_them(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also to the chart of each folder, whose release is the folder's name."""
    (job / "bin").mkdir()
    (job / "bin/helm").write_text(f'#!/bin/sh\necho "$@" | tee -a {job}/calls\n')
    (job / "bin/helm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{job / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("USINE_PARAMETERS", '{"replicas": 2, "debug": false, "host": "<env>.example.fr", "tag": "010"}')
    monkeypatch.setenv("USINE_EACH_FOLDER", "true")
    (job / "charts/atelier/Web").mkdir(parents=True)
    (job / "charts/atelier/Web/Chart.yaml").write_text("name: web\n")
    assert main(["render", "--output", "rendered", "--lint"]) == 0
    calls = (job / "calls").read_text().splitlines()
    passed = "--set replicas=2 --set debug=false --set-string host=prod.example.fr --set-string tag=010"
    assert len(calls) == 4
    assert calls[2].startswith(f"template web {job}/charts/atelier/Web --include-crds --namespace atelier-prod")
    assert calls[3].startswith(f"lint {job}/charts/atelier/Web")
    assert all(call.endswith(passed) for call in calls[2:])


@pytest.mark.parametrize(
    ("file", "variables", "says"),
    [
        ("kustomization.yaml", {}, "Kustomize is not rendered here"),
        ("pod.yaml", {"USINE_PROMOTIONS": "api/dev=direct"}, "dev: charts/atelier: promotions need a Helm chart"),
        ("Chart.yaml", {"USINE_VALUE_FILES": "<env>.yaml"}, "charts/atelier/prod.yaml: the value file is missing"),
    ],
)
def test_what_cannot_be_rendered(
    job: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    variables: dict[str, str],
    says: str,
) -> None:
    (job / "charts/atelier").mkdir(parents=True)
    (job / "charts/atelier" / file).write_text(POD)
    for key, value in variables.items():
        monkeypatch.setenv(key, value)
    assert main(["render", "--output", "rendered"]) == 2
    assert says in capsys.readouterr().err


def test_a_comparison_names_the_objects(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder, text in (
        ("before", POD + "---\nkind: A\nmetadata: {name: old}\n"),
        ("after", POD.replace("emptyDir", "x")),
    ):
        (job / folder).mkdir()
        (job / folder / "dev.yaml").write_text(text)
    (job / "after" / "prod.yaml").write_text(POD)
    assert main(["compare", "--before", "before", "--after", "after", "--output", "out"]) == 0
    said = capsys.readouterr().out
    assert said.splitlines() == [
        "dev: 2 objects change",
        "  changed  Pod api",
        "  removed  A old",
        "prod: 1 objects change",
        "  added    Pod api",
    ]
    assert "+  volumes: [{name: data, x: {}}]" in (job / "out/dev.diff").read_text()

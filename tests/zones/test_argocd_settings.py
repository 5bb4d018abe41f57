"""The key `argocd` of the settings: one Argo CD, or instances by zone; what is wrong is reported at its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from model.argocd import ArgoCDInstance
from model.problems import Problem, SpecError
from model.reading.settings_load import load_settings, settings_from_config
from tests.spec.helpers import LAB
from tests.zones.test_settings import PULL

A = {"cluster": "nonprod-1", "url": "https://argocd.example.fr", "zones": ["lab"]}
B = {"cluster": "prod-1", "namespace": "argo-dmz", "url": "https://argocd-dmz.example.fr/", "zones": ["dmz"]}


def written(folder: Path, argocd: object, endpoint: bool = False, **clusters: Any) -> Path:
    """The settings of the local platform in two zones, with this key `argocd`, and other keys of clusters."""
    values = yaml.safe_load(LAB.read_text(encoding="utf-8"))
    config = values["config"]
    config["usine:zones"] = ["lab", "dmz", "spare"]
    config["usine:clusters"]["prod-1"]["zone"] = "dmz"
    if not endpoint:
        config["usine:endpoints"].pop("argocd")
    for name, changes in clusters.items():
        cluster = config["usine:clusters"].setdefault(name.replace("_", "-"), {})
        cluster.update(changes)
        for key in [key for key, value in cluster.items() if value is None]:
            cluster.pop(key)
    config["usine:argocd"] = argocd
    path = folder / "Pulumi.test.yaml"
    path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    return path


def problems(path: Path) -> list[Problem]:
    try:
        load_settings(path)
    except SpecError as error:
        return list(error.problems)
    return []


def several(**instances: Any) -> dict[str, Any]:
    return {"instances": instances}


def test_instances_by_zone_in_the_order_of_their_names(tmp_path: Path) -> None:
    """The engine passes the keys of a mapping in another order than the file has them."""
    expected = (
        ArgoCDInstance("a", "nonprod-1", "argocd", "https://argocd.example.fr", ("lab",)),
        ArgoCDInstance("b", "prod-1", "argo-dmz", "https://argocd-dmz.example.fr", ("dmz",)),
    )
    for instances in (several(a=A, b=B), several(b=B, a=A)):
        settings = load_settings(written(tmp_path, {**instances, "adminGroups": ["/platform"]}))
        assert settings.argocd.instances == expected
        assert settings.argocd.admin_groups == ("/platform",)
    assert [one.name for one in map(settings.argocd.of, settings.clusters.values()) if one] == ["a", "b"]


def test_the_engine_passes_instances_too(tmp_path: Path) -> None:
    path = written(tmp_path, several(a=A, b=B))
    values = yaml.safe_load(path.read_text(encoding="utf-8"))["config"]
    config = {
        key.removeprefix("usine:"): value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        for key, value in values.items()
    }
    assert settings_from_config(config, stack="test").argocd == load_settings(path).argocd


@pytest.mark.parametrize(
    ("argocd", "part", "message"),
    [
        (
            several(a={**A, "cluster": "nonprd-1"}, b=B),
            "nonprd-1",
            'a.cluster: no such cluster: "nonprd-1"; did',
        ),
        (several(a={**A, "zones": ["lba"]}, b=B), "lba", 'no such zone: "lba"; did you mean lab?'),
        (several(a={**A, "zones": ["lab", "lab"]}, b=B), "- lab", '"lab" is in this list twice'),
        (several(a={**A, "zones": ["lab", "dmz"]}, b=B), "- dmz", '"dmz" is already in a; exactly one Argo CD'),
        (several(a=A), "a:", "no instance has zone dmz, where the platform reaches cluster prod-1"),
        (several(a={**A, "zones": []}, b=B), "zones", "zones"),
        (several(a={k: v for k, v in A.items() if k != "url"}, b=B), "a:", "the key url is missing"),
        (several(a={**A, "zone": ["lab"]}, b=B), "zone:", "usine:argocd.instances.a: unknown key zone; did you"),
        (several(a={**A, "url": "http://argocd.example.fr"}, b=B), "url", "http is allowed for this machine only"),
        (several(a=A, b={**B, "url": A["url"]}), "url", "b.url: a has this address already"),
        (several(a=A, b={**B, "namespace": "argocd"}), "prod-1", "a is already in namespace argocd of the same API"),
        (several(A=A, b=B), "A:", "the name of an Argo CD has up to 20 lower-case letters"),
        (several(**{"a--b": A}, b=B), "a--b", "the name of an Argo CD has up to 20 lower-case letters"),
        ({"instances": {}}, "instances", "instances"),
        ({**several(a=A, b=B), "cluster": "nonprod-1"}, "cluster: nonprod-1", "remove this key, or `instances`"),
        ({**several(a=A, b=B), "namespace": "argocd"}, "namespace: argocd", "remove this key, or `instances`"),
        ({"instance": {"a": A}}, "instance", "unknown key instance; did you mean instances?"),
        ({"adminGroups": ["/p"]}, "adminGroups", "usine:argocd.cluster is missing"),
    ],
)
def test_what_is_wrong_is_reported_at_its_place(tmp_path: Path, argocd: object, part: str, message: str) -> None:
    path = written(tmp_path, argocd)
    matching = [one for one in problems(path) if message in one.message]
    assert len(matching) == 1, [str(one) for one in problems(path)]
    line = path.read_text(encoding="utf-8").splitlines()[matching[0].line - 1]
    assert part in line, line
    assert matching[0].column > 1


def test_all_of_it_is_reported_at_once(tmp_path: Path) -> None:
    wrong = several(a={**A, "cluster": "x", "zones": ["zone-y"]}, b={**B, "zones": ["dmz", "dmz"]})
    messages = [one.message for one in problems(written(tmp_path, wrong, endpoint=True))]
    for expected in (
        'cluster: no such cluster: "x"',
        'no such zone: "zone-y"',
        "twice",
        "no instance has zone lab",
        "own url",
    ):
        assert any(expected in message for message in messages), messages


def test_an_instance_is_on_a_cluster_that_the_platform_reaches(tmp_path: Path) -> None:
    far = {"context": None, "ca": None, "imageVerifier": None, "pull": PULL}
    on_far = several(a=A, b={**B, "zones": ["spare"]})
    (problem,) = problems(written(tmp_path, on_far, prod_1=far))
    assert "usine:argocd.instances.b.cluster: prod-1 pulls its objects" in problem.message
    (problem,) = problems(written(tmp_path, several(a={**A, "zones": ["lab", "dmz"]}), prod_1=far))
    assert "zones: the clusters of dmz pull, and have an Argo CD of their own: remove the zone" in problem.message
    assert problems(written(tmp_path, several(a=A), prod_1=far)) == [], "a zone that pulls needs no instance"


def test_two_registrations_of_one_address_are_refused_in_one_instance_only(tmp_path: Path) -> None:
    """In the local platform both clusters are one API server."""
    token = {"argocdToken": "/run/prod-1/token"}
    assert problems(written(tmp_path, several(a=A, b=B), prod_1=token)) == []
    (problem,) = problems(written(tmp_path, several(a={**A, "zones": ["lab", "dmz"]}), prod_1=token))
    assert "nonprod-1 registers this one already" in problem.message


def test_without_instances_argo_cd_needs_its_endpoint(tmp_path: Path) -> None:
    (problem,) = problems(written(tmp_path, {"cluster": "nonprod-1"}))
    assert "usine:endpoints: argocd is missing" in problem.message
    assert problems(written(tmp_path, {"cluster": "nonprod-1"}, endpoint=True)) == []

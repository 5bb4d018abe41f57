"""Harbor's proxy caches, and scans of every image."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from model.reading.catalogue import read_catalogue
from model.settings import Credential, HarborSettings, ProxyCache, Settings, System
from tests import factories
from tests.plans import plan_of
from usine.plan import PlannedResource

DOCKER = ProxyCache("docker", "docker.io", "https://hub.docker.com", public=True, quota=2**30 + 1)
OTHER = ProxyCache("other", "registry.example.net", "https://mirror.example.net", public=False, quota=2**31)
PROXIES = HarborSettings(proxies=(DOCKER, OTHER))


def of(type_: str, settings: Settings) -> dict[str, PlannedResource]:
    plan = plan_of(factories.tenant(), settings=settings)
    return {r.name: r for r in plan.resources if r.type == f"harbor:index/{type_}"}


def test_a_proxy_is_a_registry_and_a_project_that_caches_it() -> None:
    settings = factories.settings(harbor=PROXIES)
    registries = of("registry:Registry", settings)
    at = "foundation/harbor/proxy"
    assert {name: (r.inputs["providerName"], r.inputs["endpointUrl"]) for name, r in registries.items()} == {
        f"{at}/docker/registry": ("docker-hub", "https://hub.docker.com"),
        f"{at}/other/registry": ("docker-registry", "https://mirror.example.net"),
    }
    # No credential of an upstream registry is in a file or in the state.
    assert not [key for r in registries.values() for key in r.inputs if key.startswith("access")]
    projects = {name: r for name, r in of("project:Project", settings).items() if name.startswith(at)}
    assert {r.inputs["name"]: (r.inputs["public"], r.inputs["storageQuota"]) for r in projects.values()} == {
        "proxy.docker": (True, 2),
        "proxy.other": (False, 2),
    }
    assert [r.inputs["registryId"] for r in projects.values()] == [f"[number of {name}]" for name in registries]


def grants(robot: PlannedResource) -> list[tuple[str, str, list[dict[str, str]]]]:
    listed: Any = robot.inputs["permissions"]
    return [(one["kind"], one["namespace"], one["accesses"]) for one in listed]


def test_the_robot_of_each_generation_only_pulls_and_only_from_proxies() -> None:
    generations = (Credential("1"), Credential("2"))
    robots = of("robotAccount:RobotAccount", factories.settings(harbor=PROXIES, credentials=generations))
    ours = {name: r for name, r in robots.items() if name.startswith("foundation/")}
    assert list(ours) == ["foundation/harbor/robot/proxies-1", "foundation/harbor/robot/proxies-2"]
    for robot in ours.values():
        assert robot.inputs["level"] == "system"
        pull = [{"action": "pull", "resource": "repository"}]
        assert grants(robot) == [("project", "proxy.docker", pull), ("project", "proxy.other", pull)]
    # A tenant's robots have rights in its own project only.
    for name in robots.keys() - ours.keys():
        assert [namespace for _, namespace, _ in grants(robots[name])] == ["teleservice"]


def test_without_proxies_there_is_no_robot_of_the_system() -> None:
    assert not [name for name in of("robotAccount:RobotAccount", factories.settings()) if name.startswith("foundation")]


def test_all_images_are_scanned_daily_and_described_when_they_are_pushed() -> None:
    (scans,) = of("interrogationServices:InterrogationServices", factories.settings()).values()
    assert scans.inputs["vulnerabilityScanPolicy"] == "0 0 1 * * *"
    (project,) = of("project:Project", factories.settings()).values()
    assert (project.inputs["vulnerabilityScanning"], project.inputs["autoSbomGeneration"]) == (True, True)


@pytest.mark.parametrize("on", [True, False])
def test_images_of_the_catalogue_come_through_the_proxy_of_their_registry(tmp_path: Path, on: bool) -> None:
    digest = f"sha256:{'1' * 64}"
    images = f"python: docker.io/library/python:3.13@{digest}\nhelm: quay.io/helm/helm:4@{digest}\n"
    (tmp_path / "images.yml").write_text(images, encoding="utf-8")
    text = "a: {image: $USINE_PYTHON_IMAGE}\nb: {image: $USINE_HELM_IMAGE}\n"
    (tmp_path / "a.yml").write_text(text, encoding="utf-8")
    systems = frozenset(System) if on else frozenset(System) - {System.HARBOR}
    settings = dataclasses.replace(factories.settings(harbor=PROXIES), presets=(), systems=systems)
    host = "harbor.example.test/proxy.docker" if on else "docker.io"
    assert read_catalogue(tmp_path, settings) == {
        "a.yml": f"a: {{image: {host}/library/python:3.13@{digest}}}\nb: {{image: quay.io/helm/helm:4@{digest}}}\n"
    }

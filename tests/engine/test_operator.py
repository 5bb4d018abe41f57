"""The resources of the Pulumi Kubernetes Operator: what the API server says of them (docs/fleet-operator.md)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from lab.home import CHECKOUT
from lab.testing.platforms import TestLab
from usine.fleet.layout import Layout
from usine.fleet.operator import OperatorStacks, StackRun

pytestmark = pytest.mark.servers

DEFINITION = CHECKOUT / "lab" / "definitions" / "stacks.pulumi.com.yaml"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
STACKS = "/apis/pulumi.com/v1/namespaces/default/stacks"


def made(**options: Any) -> list[dict[str, Any]]:
    """Return the resources of a foundation and of a tenant."""
    layout = Layout("prod", Path("prod"), Path("prod"), Path("prod"), {})
    repository, image = "https://gitlab.example.fr/a.git", f"registry.example.fr/platform/ci@sha256:{'0' * 64}"
    vault = "https://vault.example.fr"
    stacks = OperatorStacks(layout, "Pulumi.prod.yaml", repository, image, "default", vault, "/usr/bin", **options)
    text = stacks.render([StackRun(None, "0" * 40, "7"), StackRun("beta", "1" * 40, "7")])
    return list(yaml.safe_load_all(text))


@pytest.fixture(scope="module")
def client(lab: TestLab) -> Iterator[httpx.Client]:
    """The API server, with the definition of `Stack`."""
    http = lab.kubernetes
    http.post(CRDS, json=yaml.safe_load(DEFINITION.read_text(encoding="utf-8"))).raise_for_status()
    try:
        deadline = time.monotonic() + 30
        while http.get(STACKS).status_code != httpx.codes.OK:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield http
    finally:
        http.delete(f"{CRDS}/stacks.pulumi.com").raise_for_status()


def test_the_api_server_accepts_the_resources(client: httpx.Client) -> None:
    def create(body: Mapping[str, Any]) -> str:
        answer = client.post(STACKS, json=body, params={"fieldValidation": "Strict", "dryRun": "All"})
        return "" if answer.is_success else str(answer.json()["message"])

    plain = made()
    for body in (*plain, *made(applies=True, git_secret="x", state_audience="s3")):
        assert create(body) == ""
    # The definition refuses what the official one refuses, so that a wrong writer is found.
    body = plain[0]
    assert "no more than 42 characters" in create({**body, "metadata": {"name": "a" * 43}})
    assert 'unknown field "spec.retainOnDelete"' in create({**body, "spec": {**body["spec"], "retainOnDelete": True}})
    assert "spec.stack: Required" in create({**body, "spec": {}})


def test_the_same_file_again_changes_no_resource(client: httpx.Client) -> None:
    """The operator runs a stack whose `generation` grows."""
    for body in made(applies=True):
        path = f"{STACKS}/{body['metadata']['name']}"
        options = {"fieldManager": "kubectl", "fieldValidation": "Strict"}
        headers = {"Content-Type": "application/apply-patch+yaml"}
        answers = [client.patch(path, content=yaml.safe_dump(body), params=options, headers=headers) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [httpx.codes.CREATED, httpx.codes.OK]
        assert answers[1].json()["metadata"]["generation"] == 1
        client.delete(path).raise_for_status()

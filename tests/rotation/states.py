"""A state with a tenant's credentials of some generations, and what hands them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.guard.samples import STACK

ROBOT = "harbor:index/robotAccount:RobotAccount"
ACCOUNT = "pulumi-python:dynamic/sonarqube:TechnicalAccount"
TOKEN = "pulumi-python:dynamic/sonarqube:ProjectAnalysisToken"
CLIENT = "keycloak:openid/client:Client"
RUNNER = "gitlab:index/userRunner:UserRunner"
READER = "gitlab:index/groupDeployToken:GroupDeployToken"
SECRET = "vault:kv/secretV2:SecretV2"
Json = dict[str, Any]


def urn(type_: str, name: str) -> str:
    owner = "usine:usine:Foundation" if name.startswith("foundation/") else "usine:usine:TenantProject"
    return f"urn:pulumi:lab::usine::{owner}${type_}::{name}"


def resource(type_: str, place: str, at: str, uses: Sequence[str] = (), **inputs: object) -> Json:
    return {
        "urn": urn(type_, place),
        "type": type_,
        "custom": True,
        "id": place.rpartition("/")[2],
        "inputs": inputs,
        "outputs": inputs,
        "created": at,
        "modified": at,
        "propertyDependencies": {"dataJson": list(uses)},
    }


def tenant(slug: str, generations: Mapping[str, str], handed_out: str) -> list[Json]:
    """Return the credentials of a tenant; `generations` has the time of creation of each.

    Its places in Vault have those of the generation `handed_out`, since the time of its creation.
    """
    found = []
    for name, at in generations.items():
        robot = resource(ROBOT, f"{slug}/harbor/robot/push-{name}", at, name=f"push-{name}")
        account = resource(
            ACCOUNT, f"{slug}/sonarqube/account/{name}", at, name=f"usine {slug} {name}", login=f"usine.{slug}.{name}"
        )
        token = resource(
            TOKEN, f"{slug}/sonarqube/api/token/{name}", at, [account["urn"]], name=f"usine {slug}:api {name}"
        )
        found += [robot, account, token]
    at = generations[handed_out]
    found += [
        resource(SECRET, f"{slug}/secret/push", at, [urn(ROBOT, f"{slug}/harbor/robot/push-{handed_out}")]),
        resource(SECRET, f"{slug}/secret/quality", at, [urn(TOKEN, f"{slug}/sonarqube/api/token/{handed_out}")]),
    ]
    return found


def runners(*generations: str, at: str) -> list[Json]:
    """Return the runner of protected branches of each generation."""
    return [
        resource(RUNNER, f"foundation/gitlab/runner/protected-{name}", at, description=f"usine protected {name}")
        for name in generations
    ]


def stack() -> Json:
    return {"urn": STACK, "type": "pulumi:pulumi:Stack"}

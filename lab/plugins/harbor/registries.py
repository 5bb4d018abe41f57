"""Other registries, and labels."""

from __future__ import annotations

import re
from typing import Final

from lab.plugins.bridge import Resource
from lab.plugins.harbor.client import ApiError, Harbor, full
from lab.plugins.planning import Data
from lab.plugins.schema import resource
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties

REGISTRY: Final = resource("harbor:index/registry:Registry", autoname=("name",)).tuned(
    default={"description": "", "accessId": "", "accessSecret": "", "insecure": False}
)
_TYPES: Final = {
    "alibaba": "ali-acr", "artifact-hub": "artifact-hub", "aws": "aws-ecr", "azure": "azure-acr",
    "docker-hub": "docker-hub", "docker-registry": "docker-registry", "gitlab": "gitlab", "github": "github-ghcr",
    "google": "google-gcr", "harbor": "harbor", "helm": "helm-hub", "huawei": "huawei-SWR",
    "jfrog": "jfrog-artifactory", "quay": "quay",
}  # fmt: skip
_NAMES: Final = {type_: name for name, type_ in _TYPES.items()}


def _create_registry(data: Data, harbor: Harbor) -> None:
    body = full(
        {
            "name": data.get("name"),
            "description": data.get("description"),
            "type": _TYPES.get(data.get("providerName"), ""),
            "url": data.get("endpointUrl"),
        }
    )
    credential = full({"access_key": data.get("accessId"), "access_secret": data.get("accessSecret"), "type": "basic"})
    insecure = {"insecure": True} if data.get("insecure") else {}
    data.id, _ = harbor.post("/registries", {**body, **insecure, "credential": credential})
    _read_registry(data, harbor)


def _read_registry(data: Data, harbor: Harbor) -> None:
    try:
        found = harbor.get(data.id)
    except ApiError as error:
        if not error.missing:
            raise PluginError(f"resource not found {data.id}") from None
        data.id = ""
        return
    data.set("name", found.get("name"))
    data.set("description", found.get("description"))
    data.set("endpointUrl", found.get("url"))
    data.set("accessId", (found.get("credential") or {}).get("access_key"))
    data.set("insecure", bool(found.get("insecure")))
    data.set("status", found.get("status"))
    data.set("registryId", found.get("id"))
    data.set("providerName", _NAMES.get(found.get("type", ""), ""))


def _update_registry(data: Data, harbor: Harbor) -> None:
    body = {
        "access_key": data.get("accessId"),
        "access_secret": data.get("accessSecret"),
        "insecure": data.get("insecure"),
        "description": data.get("description"),
        **full({"name": data.get("name"), "url": data.get("endpointUrl")}),
    }
    harbor.put(data.id, body)
    _read_registry(data, harbor)


def _delete(data: Data, harbor: Harbor) -> None:
    try:
        harbor.delete(data.id)
    except ApiError as error:
        if not error.missing:
            raise


# -- labels ------------------------------------------------------------------------------------------------------------

# Upstream's default for the colour is a word that is none.
LABEL: Final = resource("harbor:index/label:Label", autoname=("name",)).tuned(default={"color": "false"})


def _label_body(data: Data) -> Properties:
    body = {"name": data.get("name"), "description": data.get("description"), "color": data.get("color")}
    project = data.get("projectId")
    number = re.fullmatch(r"\d+", project.replace("/projects/", ""))
    place = (
        {"project_id": int(number[0]) if number else 0, "scope": "p"} if project else {"project_id": 0, "scope": "g"}
    )
    return {**body, **place}


def _create_label(data: Data, harbor: Harbor) -> None:
    data.id, _ = harbor.post("/labels", _label_body(data))
    _read_label(data, harbor)


def _read_label(data: Data, harbor: Harbor) -> None:
    try:
        found = harbor.get(data.id)
    except ApiError as error:
        if not error.missing:
            raise PluginError(f"resource not found {data.id}") from None
        data.id = ""
        return
    data.set("name", found.get("name"))
    data.set("description", found.get("description"))
    data.set("color", found.get("color"))
    data.set("scope", found.get("scope"))


def _update_label(data: Data, harbor: Harbor) -> None:
    harbor.put(data.id, _label_body(data))
    _read_label(data, harbor)


RESOURCES: Final = {
    item.shape.token: item
    for item in (
        Resource(REGISTRY, _create_registry, _read_registry, _update_registry, _delete),
        Resource(LABEL, _create_label, _read_label, _update_label, _delete),
    )
}

"""Registry endpoints and labels."""

from __future__ import annotations

import re
from typing import Final

from lab.plugins.fields import fields
from lab.plugins.harbor.client import HarborPluginClient, full
from lab.plugins.harbor.items import HarborItem
from lab.plugins.items import table
from lab.plugins.planning import Data
from lab.plugins.schema import resource
from lab.plugins.wire import Properties

_TYPES: Final = {
    "alibaba": "ali-acr", "artifact-hub": "artifact-hub", "aws": "aws-ecr", "azure": "azure-acr",
    "docker-hub": "docker-hub", "docker-registry": "docker-registry", "gitlab": "gitlab", "github": "github-ghcr",
    "google": "google-gcr", "harbor": "harbor", "helm": "helm-hub", "huawei": "huawei-SWR",
    "jfrog": "jfrog-artifactory", "quay": "quay",
}  # fmt: skip
_NAMES: Final = {type_: name for name, type_ in _TYPES.items()}


class _Registry(HarborItem):
    def creation(self, data: Data) -> Properties:
        key, secret = data.get("accessId"), data.get("accessSecret")
        body = full(
            {
                "name": data.get("name"),
                "description": data.get("description"),
                "type": _TYPES.get(data.get("providerName"), ""),
                "url": data.get("endpointUrl"),
                "insecure": data.get("insecure"),
            }
        )
        return {**body, "credential": full({"access_key": key, "access_secret": secret, "type": "basic"})}

    def body(self, data: Data) -> Properties:
        return {
            "access_key": data.get("accessId"),
            "access_secret": data.get("accessSecret"),
            "insecure": data.get("insecure"),
            "description": data.get("description"),
            **full({"name": data.get("name"), "url": data.get("endpointUrl")}),
        }

    def take(self, data: Data, found: Properties, harbor: HarborPluginClient) -> None:
        super().take(data, found, harbor)
        data.set("accessId", (found.get("credential") or {}).get("access_key"))
        data.set("providerName", _NAMES.get(found.get("type", ""), ""))


class _Label(HarborItem):
    def body(self, data: Data) -> Properties:
        project = data.get("projectId")
        number = re.fullmatch(r"\d+", project.replace("/projects/", ""))
        place = {"project_id": int(number[0]) if number else 0, "scope": "p" if project else "g"}
        return {**super().body(data), **place}


RESOURCES: Final = table(
    _Registry(
        shape=resource("harbor:index/registry:Registry", autoname=("name",)).tuned(
            default={"description": "", "accessId": "", "accessSecret": "", "insecure": False}
        ),
        collection="/registries",
        read_back=fields("name", "description", "insecure", "status", endpointUrl="url", registryId="id"),
        vague=True,
    ),
    _Label(
        # Upstream's default for the colour is not a valid colour.
        shape=resource("harbor:index/label:Label", autoname=("name",)).tuned(default={"color": "false"}),
        collection="/labels",
        sent=fields("name", "description", "color"),
        read_back=fields("scope"),
        vague=True,
    ),
)

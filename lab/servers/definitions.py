"""A product of which the API server has the custom resources and the namespace, without its controllers.

The API server validates all objects of these kinds. There are no nodes, so no controller has anything to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import httpx
import yaml

from lab import kubeconfig
from lab.errors import LabError
from lab.home import LabHome
from lab.servers.base import Context, LabServer, probe
from lab.servers.kubernetes import admin_client

_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_APPLY = {"Content-Type": "application/apply-patch+yaml"}
_OWNER = {"fieldManager": "usine-lab", "force": "true"}


class Definitions(LabServer):
    """A step after the start of the API server, without a process. The part and the server have the product's name."""

    after = ("kube-apiserver",)
    #: Names of the custom resource definitions, which are in the part's folder `crds`.
    names: ClassVar[tuple[str, ...]]
    #: The product's own namespace, and its files in the part that are objects of this namespace.
    namespace: ClassVar[str]
    config_maps: ClassVar[tuple[str, ...]] = ()

    def where(self, home: LabHome) -> str:  # noqa: ARG002 - not an address
        """Namespace of its objects."""
        return f"namespace {self.namespace} of kube-apiserver"

    def answers(self, home: LabHome) -> bool:
        """Whether the API server is healthy."""
        return probe(home, kubeconfig.server(home), "/readyz", admin=True) == httpx.codes.OK

    def healthy(self, home: LabHome) -> bool:
        """Whether every custom resource is served."""
        try:
            with admin_client(home) as http:
                return all(_established(http.get(f"{_CRDS}/{name}")) for name in self.names)
        except (LabError, httpx.HTTPError):
            return False

    def set_up(self, context: Context) -> None:
        """Apply the definitions unless this version was applied before, and create missing configuration."""
        part = context.parts[self.name]
        version = part.resolve().name
        # Annotation of the namespace: the part that was applied, so that it is not sent at every start.
        applied = f"lab.usine/{self.name}"
        try:
            with admin_client(context.home) as http:
                found = http.get(f"/api/v1/namespaces/{self.namespace}")
                known = found.json()["metadata"].get("annotations", {}) if found.is_success else {}
                if known.get(applied) == version and self.healthy(context.home):
                    return
                for name, text in _definitions(part):
                    self._check(http.patch(f"{_CRDS}/{name}", content=text, headers=_APPLY, params=_OWNER))
                self._check(self._apply_namespace(http, {}))
                for name in self.config_maps:
                    manifest = (part / f"{name}.yaml").read_bytes()
                    self._create(http, yaml.safe_load(manifest))
                self._check(self._apply_namespace(http, {applied: version}))
        except (OSError, yaml.YAMLError, httpx.HTTPError) as error:
            raise LabError(f"{self.name}: {error}") from None

    def _apply_namespace(
        self, http: httpx.Client, annotations: dict[str, str], labels: dict[str, str] | None = None
    ) -> httpx.Response:
        body = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": self.namespace, "annotations": annotations, "labels": labels or {}},
        }
        path = f"/api/v1/namespaces/{self.namespace}"
        return http.patch(path, content=yaml.safe_dump(body), headers=_APPLY, params=_OWNER)

    def _create(self, http: httpx.Client, manifest: dict[str, Any]) -> None:
        answer = http.post(f"/api/v1/namespaces/{self.namespace}/configmaps", json=manifest)
        if answer.status_code != httpx.codes.CONFLICT:  # it exists: the platform's changes to it are kept
            self._check(answer)

    def _check(self, answer: httpx.Response) -> None:
        if not answer.is_success:
            message = answer.json().get("message", "") if "json" in answer.headers.get("content-type", "") else ""
            raise LabError(f"{self.name}: {answer.request.method} {answer.request.url.path}: {message or answer}")


class _Loader(yaml.CSafeLoader):
    """Reads `=` as text. PyYAML gives it a type of YAML 1.1 that it cannot construct."""


def _text(loader: yaml.CSafeLoader, node: yaml.ScalarNode) -> object:
    return loader.construct_scalar(node)


_Loader.add_constructor("tag:yaml.org,2002:value", _text)


def _definitions(part: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted((part / "crds").glob("*.yaml")):
        text = path.read_bytes()
        content = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
        if content.get("kind") == "CustomResourceDefinition":
            yield content["metadata"]["name"], text


def _established(answer: httpx.Response) -> bool:
    status = answer.json().get("status") or {} if answer.is_success else {}
    conditions = status.get("conditions") or []  # null until the API server has processed it
    return any(condition["type"] == "Established" and condition["status"] == "True" for condition in conditions)

"""Definitions of custom resources, applied to the API server of the local platform."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import yaml

from lab.errors import LabError

_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_APPLY = {"Content-Type": "application/apply-patch+yaml"}
_OWNER = {"fieldManager": "usine-lab", "force": "true"}


def applied(http: httpx.Client, namespace: str, mark: str) -> str:
    """Return the version of the part whose definitions were applied; it is in an annotation of the namespace."""
    found = http.get(f"/api/v1/namespaces/{namespace}")
    return str((found.json()["metadata"].get("annotations") or {}).get(mark, "")) if found.is_success else ""


def apply_namespace(http: httpx.Client, namespace: str, marks: dict[str, str] | None = None) -> None:
    """Create the namespace, with annotations."""
    metadata: dict[str, Any] = {"name": namespace, **({"annotations": marks} if marks else {})}
    body = yaml.safe_dump({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    check(http.patch(f"/api/v1/namespaces/{namespace}", content=body, headers=_APPLY, params=_OWNER))


def apply_definitions(http: httpx.Client, folder: Path) -> None:
    """Apply every definition of a folder."""
    for name, text in _definitions(folder):
        check(http.patch(f"{_CRDS}/{name}", content=text, headers=_APPLY, params=_OWNER))


def served(http: httpx.Client, names: Sequence[str]) -> bool:
    """Return whether the API server serves these custom resources."""
    return all(_established(http.get(f"{_CRDS}/{name}")) for name in names)


def check(answer: httpx.Response) -> None:
    """Raise LabError for a refused request."""
    if not answer.is_success:
        message = answer.json().get("message", "") if "json" in answer.headers.get("content-type", "") else ""
        raise LabError(f"{answer.request.method} {answer.request.url.path}: {message or answer}")


class _Loader(yaml.CSafeLoader):
    """Reads `=` as text. PyYAML gives it a type of YAML 1.1 that it cannot construct."""


_Loader.add_constructor("tag:yaml.org,2002:value", lambda _, node: node.value)


def _definitions(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.glob("*.yaml")):
        text = path.read_bytes()
        content = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
        if content.get("kind") == "CustomResourceDefinition":
            yield content["metadata"]["name"], text


def _established(answer: httpx.Response) -> bool:
    status = answer.json().get("status") or {} if answer.is_success else {}
    conditions = status.get("conditions") or []  # null until the API server has processed it
    return any(condition["type"] == "Established" and condition["status"] == "True" for condition in conditions)

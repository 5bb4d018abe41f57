"""Definitions of custom resources in the Kubernetes API server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx

from lab.errors import LabError

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
#: Headers and parameters of an apply on the server's side. JSON is YAML.
APPLY = {"Content-Type": "application/apply-patch+yaml"}
OWNER = {"fieldManager": "usine-lab", "force": "true"}


def apply(http: httpx.Client, who: str, name: str, definition: Mapping[str, Any]) -> None:
    """Create or change a definition. Raises LabError with the server's message."""
    text = json.dumps(definition)
    check(who, http.patch(f"{DEFINITIONS}/{name}", content=text, headers=APPLY, params=OWNER))


def check(who: str, answer: httpx.Response) -> None:
    """Raise LabError if a request failed."""
    if not answer.is_success:
        message = answer.json().get("message", "") if "json" in answer.headers.get("content-type", "") else ""
        raise LabError(f"{who}: {answer.request.method} {answer.request.url.path}: {message or answer}")


def established(answer: httpx.Response) -> bool:
    """Return whether the answer is a definition whose kind is served."""
    status = answer.json().get("status") or {} if answer.is_success else {}
    conditions = status.get("conditions") or []  # null until the API server has processed it
    return any(condition["type"] == "Established" and condition["status"] == "True" for condition in conditions)

"""Writes that a tenant tries in Kubernetes, as its people and as the account Argo CD deploys as, and what stops each.

All with ``dryRun=All``: the API server asks its admission policies, and keeps nothing.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

Json = Any

#: Who asks: somebody with all rights in alpha's dev environment, and Argo CD on behalf of it.
PERSON = {
    "Impersonate-User": "oidc:emma.leroy",
    "Impersonate-Group": ("oidc:/alpha/dev/rw", "system:authenticated"),
}
DEPLOYER = {
    "Impersonate-User": "system:serviceaccount:alpha-dev:usine-deployer",
    "Impersonate-Group": ("system:serviceaccounts", "system:serviceaccounts:alpha-dev", "system:authenticated"),
}
#: An operator with every right there is.
OPERATOR = {"Impersonate-User": "system:serviceaccount:operators:operator", "Impersonate-Group": ("system:masters",)}
HOST = "app.alpha.example.fr"
WHO = {"person": PERSON, "deployer": DEPLOYER, "operator": OPERATOR}


@dataclass(frozen=True)
class Attempt:
    """One write of `body` to a list of the namespace: `stop` is in the answer that refuses it, empty: it is allowed."""

    what: str
    api: str
    body: Json
    stop: str = ""
    who: str = "person"


def changed(base: Json, path: str, value: object) -> Json:
    """The object with the value at a path of keys and numbers, made where it is not there."""
    result = copy.deepcopy(base)
    inner = result
    *way, last = path.split("/")
    for key in way:
        inner = inner[int(key)] if isinstance(inner, list) else inner.setdefault(key, {})
    if isinstance(inner, list):
        inner[int(last)] = value
    else:
        inner[last] = value
    return result


def object_of(api: str, kind: str, **parts: object) -> Json:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "tried"}, **parts}


def pod_spec(image: str) -> Json:
    """Of a pod that Pod Security ``restricted`` takes."""
    return {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container(image)],
    }


def container(image: str) -> Json:
    return {
        "name": "main",
        "image": image,
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }


def template(image: str) -> Json:
    return {"metadata": {"labels": {"app": "x"}}, "spec": {**pod_spec(image), "restartPolicy": "Always"}}

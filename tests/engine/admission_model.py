"""Writes that a tenant may try in Kubernetes, as its people and as Argo CD's deploying account, and what refuses each.

All with ``dryRun=All``: the API server asks its admission policies, and keeps nothing.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

Json = Any

#: Who writes: a person with all rights in alpha's dev environment, and Argo CD for that environment.
PERSON = {
    "Impersonate-User": "oidc:emma.leroy",
    "Impersonate-Group": ("oidc:/alpha/dev/rw", "system:authenticated"),
}
DEPLOYER = {
    "Impersonate-User": "system:serviceaccount:alpha-dev:usine-deployer",
    "Impersonate-Group": ("system:serviceaccounts", "system:serviceaccounts:alpha-dev", "system:authenticated"),
}
#: An operator with every right in the cluster.
OPERATOR = {"Impersonate-User": "system:serviceaccount:operators:operator", "Impersonate-Group": ("system:masters",)}
HOST = "app.alpha.example.fr"
WHO = {"person": PERSON, "deployer": DEPLOYER, "operator": OPERATOR}


@dataclass(frozen=True)
class Attempt:
    """A write of `body` to a list of the namespace. `stop` is a part of the refusal; empty: the write is allowed."""

    what: str
    api: str
    body: Json
    stop: str = ""
    who: str = "person"


def changed(base: Json, path: str, value: object) -> Json:
    """Return the object with a value set at a path of keys and indexes; missing parts are created."""
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
    """The spec of a pod that Pod Security ``restricted`` accepts."""
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

"""The clusters that Argo CD deploys to, registered with an identity: no credential of a cluster is stored."""

from __future__ import annotations

import json
from typing import Final

from components.base import encoded

#: Prints the current token as client-go expects it (client.authentication.k8s.io/v1). The token's file is an argument
#: of the script, not a part of it. client-go keeps the token until the API server refuses it, and then asks again.
SCRIPT: Final = (
    'printf \'{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"}}\' '
    '"$(cat "$0")"'
)


def secret_name(cluster: str) -> str:
    """Return the name of the Secret in Argo CD's namespace that registers a cluster."""
    return f"usine-cluster--{cluster}"


def registration(cluster: str, server: str, token: str, authority: str | None) -> dict[str, str]:
    """Return the data of the Secret by which Argo CD knows a cluster, encoded in base64.

    `server` is the URL of its API, `token` the file in Argo CD's pods with the current token for it, `authority` the
    PEM text of the API's certificate authority (None: a public one). The keys are those of Argo CD's `ClusterConfig`
    (pkg/apis/application/v1alpha1/types.go of version 3.5).
    """
    tls: dict[str, object] = {"insecure": False}
    if authority is not None:
        tls["caData"] = encoded(authority)
    config = {
        "execProviderConfig": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "sh",
            "args": ["-c", SCRIPT, token],
        },
        "tlsClientConfig": tls,
    }
    data = {"name": cluster, "server": server, "config": json.dumps(config, sort_keys=True)}
    return {key: encoded(value) for key, value in data.items()}

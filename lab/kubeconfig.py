"""Kubeconfig files of the local platform. Credentials are inline, so a file works in any folder; its mode is 0600."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

import yaml

from lab.files import write_private
from lab.home import LabHome
from lab.pki import KeyPair
from lab.sockets import LOOPBACK

#: The clusters of `Pulumi.lab.yaml`. One API server serves both.
CLUSTERS = ("nonprod-1", "prod-1")


def server(home: LabHome) -> str:
    """URL of the API server."""
    return f"https://{LOOPBACK}:{home.ports.kube_apiserver}"


def write(path: Path, home: LabHome, user: str, pair: KeyPair, clusters: Sequence[str] = CLUSTERS) -> None:
    """Write a file with one context for each cluster, of the same name. The first is the current context."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": clusters[0],
        "clusters": [
            {"name": name, "cluster": {"server": server(home), "certificate-authority-data": _inline(home.ca)}}
            for name in clusters
        ],
        "users": [
            {
                "name": user,
                "user": {
                    "client-certificate-data": _inline(pair.certificate),
                    "client-key-data": _inline(pair.key),
                },
            }
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": user}} for name in clusters],
    }
    text = yaml.safe_dump(content, sort_keys=False)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_private(path, text)


def _inline(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode("ascii")

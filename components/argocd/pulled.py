"""The credential of a repository for the Argo CD of a cluster that pulls. Vault delivers it: no manifest has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from components.base import Component
from components.kubernetes.delivery import API, without_manager
from model.naming import PLATFORM_MOUNT
from model.zone_naming import ZONE_STORE


@dataclass(frozen=True, slots=True)
class PulledCredentialArgs:
    """`name` is that of the Secret, `path` where the credential is in the platform's mount.

    `data` is what the Secret has besides the credential, `provider` that of the cluster.
    """

    name: str
    namespace: str
    path: str
    data: Mapping[str, str]
    labels: Mapping[str, str]
    provider: kubernetes.Provider


class PulledCredential(Component):
    """An ExternalSecret that makes the labelled Secret from which Argo CD reads a repository and its credential."""

    system = "argocd"

    def __init__(self, name: str, args: PulledCredentialArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register the external secret."""
        super().__init__(name, opts)
        secret = {"argocd.argoproj.io/secret-type": "repository", **without_manager(args.labels)}
        CustomResource(
            f"{name}/secret",
            api_version=API,
            kind="ExternalSecret",
            metadata=ObjectMetaArgs(name=args.name, namespace=args.namespace, labels=dict(args.labels)),
            spec={
                "refreshInterval": "15m",
                "secretStoreRef": {"kind": "SecretStore", "name": ZONE_STORE},
                "target": {
                    "name": args.name,
                    "creationPolicy": "Owner",
                    "deletionPolicy": "Retain",
                    "template": {
                        "engineVersion": "v2",
                        "metadata": {"labels": secret},
                        "data": {
                            **args.data,
                            "username": "{{ .username }}",
                            "password": "{{ .password }}",
                        },
                    },
                },
                "dataFrom": [{"extract": {"key": f"{PLATFORM_MOUNT}/{args.path}"}}],
            },
            opts=self.child(args.provider),
        )
        self.register_outputs({})

"""Parts that are custom resource definitions of products whose controllers do not run on the local platform.

A definition's hash is computed from the file in the Go module, which its `h1:` sum checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lab.parts.part import Part
from lab.parts.recipes import GoModuleFiles
from lab.parts.releases import ANY, Download, Release

#: Files of a repository at a tag.
FILES: Final = "https://raw.githubusercontent.com"
_CRDS = "crds"


def plain(url: str, sha256: str, path: str, *, executable: bool = False) -> Download:
    """Return the release of a small file, the same for every machine."""
    return Download(url, ((ANY, sha256),), 1, path=path, executable=executable)


def _part(
    name: str,
    repository: str,
    version: str,
    module_sum: str,
    definitions: Mapping[str, str],
    *,
    megabytes: int,
    module: str = "",
    configuration: Mapping[str, str] | None = None,
) -> Part:
    """Return a part with these files of a repository, by path, and their hashes."""
    files = [(path, _CRDS, sha256) for path, sha256 in definitions.items()]
    files += [(path, ".", sha256) for path, sha256 in (configuration or {}).items()]
    placed = [
        (path, f"{folder}/{path.rpartition('/')[2]}".removeprefix("./"), sha256) for path, folder, sha256 in files
    ]
    return Part(
        name=name,
        version=version,
        recipe=GoModuleFiles(
            module=module or f"github.com/{repository}",
            version=f"v{version}",
            sum=module_sum,
            files=tuple((path, folder) for path, folder, _ in files),
        ),
        provides=tuple(place for _, place, _ in placed),
        about="custom resource definitions, downloaded",
        megabytes=megabytes,
        official=Release(
            version,
            tuple(
                plain(f"{FILES}/{repository}/refs/tags/v{version}/{path}", sha256, place)
                for path, place, sha256 in placed
            ),
        ),
    )


def _in(folder: str, files: Mapping[str, str]) -> dict[str, str]:
    return {f"{folder}/{file}": sha256 for file, sha256 in files.items()}


DEFINITIONS: Final[tuple[Part, ...]] = (
    _part(
        "argocd",
        "argoproj/argo-cd",
        "3.5.7",  # 3.6 needs Go 1.27, the other parts do not
        "h1:Xm1BF+I5OgDKUG3SDK49vn2/Y5AMyaNVko+/JT08gj0=",
        _in(
            "manifests/crds",
            {
                "application-crd.yaml": "5dde0e229249b6b707beb98674c1deae3949d5c319a6c45b9f5a80c99618e40c",
                "applicationset-crd.yaml": "7d282054f41ca2b71a22bab04a8caf0000e07e53a62432e6ea292dae5ab4f07d",
                "appproject-crd.yaml": "ab225266944322750136f1198d93786e4a79a0e43c8d149abfba44da30a3eac8",
            },
        ),
        configuration=_in(
            "manifests/base/config",
            {
                "argocd-cm.yaml": "f59df69938c049b3908ee8bdfb7361d21fb0f3550f7d91755fd37b6fb1f1ba78",
                "argocd-rbac-cm.yaml": "41e22fcaf3e8e7e2dc8f37797ed95eea00f1ce46030ecc2d613e132e5e4ceaff",
            },
        ),
        module="github.com/argoproj/argo-cd/v3",
        megabytes=56,
    ),
    _part(
        "external-secrets",
        "external-secrets/external-secrets",
        "1.3.2",
        "h1:u2J8RjlHIeF0oZCqtl92adI/uZWUwOesJIDkfql6LqQ=",
        _in(
            "config/crds/bases",
            {
                "external-secrets.io_externalsecrets.yaml": (
                    "690dbc0d51b5f9bc5266b450b533cfd22c5273268e8569102e528a39519cd4ba"
                ),
                "external-secrets.io_pushsecrets.yaml": (
                    "fce0972b3475b4faae2a674b1f31dfb21c5a21bb6df8d8dacf61d7f711f97623"
                ),
                "external-secrets.io_secretstores.yaml": (
                    "ef1fc349941cea1d56b87f8c31cf05a9fed85b7c000a60e69c6b2b29a13fa648"
                ),
                "generators.external-secrets.io_webhooks.yaml": (
                    "82b412a5fd5f330b1cbc394ecba8e7b1677a06d68b0189f93f4c1a14ed3098f6"
                ),
            },
        ),
        megabytes=5,
    ),
    _part(
        "prometheus-operator",
        "prometheus-operator/prometheus-operator",
        "0.85.0",
        "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
        _in(
            "example/prometheus-operator-crd",
            {
                f"monitoring.coreos.com_{kind}.yaml": sha256
                for kind, sha256 in {
                    "alertmanagerconfigs": "7e34fd1f9abf3a2756eb53895f1ca6b291ce3cac929152c9e3919d8d7fb85ccf",
                    "podmonitors": "8ce88c52c51209993511cae093089c9525f5552def88119e3f559123ee9d454b",
                    "probes": "97e6e59020feb71055628ac40b14f817662bb98ca720f19a45e85ac009081cc8",
                    "prometheusrules": "98fd16c9ab79fba8dcd6ef62c957c98cd6546ab74ce0a4ecf09ddf2fda03020e",
                    "servicemonitors": "1dae27b7189b5ce7b9ab764656c18b4c75a45cde1e6f3af6a5e84c4317628919",
                }.items()
            },
        ),
        # Not applied by default: only the test that runs the operator has instances.
        configuration=_in(
            "example/prometheus-operator-crd",
            {
                "monitoring.coreos.com_alertmanagers.yaml": (
                    "5a7bdf7900fd58053f3403abc9daaa301a90cd8dd1bbdf1362788704a87d04a4"
                ),
                "monitoring.coreos.com_prometheuses.yaml": (
                    "fac555882d18023e1fb5c318ecab8f6bbcc158c9fed6abef7800da84049cd221"
                ),
            },
        ),
        megabytes=7,
    ),
    _part(
        "kyverno",
        "kyverno/kyverno",
        "1.19.1",
        "h1:/MkgFii3/VlQfKR1JpC9tVwNNVNQTt2S4U6qCsafsTU=",
        _in(
            "config/crds/policies.kyverno.io",
            {
                "policies.kyverno.io_namespacedimagevalidatingpolicies.yaml": (
                    "1b55ad801410dd7a4f40d0f2cbb26a67453d55ebd87d74878e2eb7997c7d4e69"
                ),
            },
        ),
        megabytes=11,
    ),
    _part(
        "velero",
        "vmware-tanzu/velero",
        "1.18.3",
        "h1:9uwN5yxTWQl9PsF5ljX4xiG+7VIq3I9mxOQ0DyyZ31A=",
        _in(
            "config/crd/v1/bases",
            {
                "velero.io_backups.yaml": "38107fa5fad6bff25794489d12c8a898eed4d9d89ed49d00ea90369bc4e206b1",
                "velero.io_restores.yaml": "91eab7251df2936fcfa7bed32736c3949e1f70bbe4dcadde2e5dc2d299613042",
                "velero.io_schedules.yaml": "d2276c19d93b63ed848fb492a0f34a2ac1e162938bed499a824acf356b5860c9",
            },
        ),
        megabytes=41,
    ),
)

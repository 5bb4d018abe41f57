"""The files of a zone's repository: a manifest for each object of the state that belongs to a cluster that pulls.

The objects are those that the engine recorded, with all values known. No manifest contains a secret: an object with one
is an error.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from model.settings import FoundationMode, Settings
from pulumi_facts.checkpoint import resources_of
from pulumi_facts.urns import address_of, provider_name
from pulumi_facts.values import is_secret, is_special, plain

#: The folder of what no tenant owns. No slug begins with an underscore.
PLATFORM_FOLDER: Final = "_platform"
_PROVIDER: Final = "kubernetes-"
#: Argo CD neither prunes such an object nor deletes it with the Application.
_KEPT: Final = {"argocd.argoproj.io/sync-options": "Prune=false,Delete=false"}


class ZoneError(Exception):
    """An object that no manifest can contain, or a repository that cannot be read or written. One line for people."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """One file: its path in the repository of the zone, its text, and the object's owner and type."""

    zone: str
    path: str
    text: str = field(repr=False)
    tenant: str | None
    type: str

    @property
    def blob(self) -> str:
        """The id that Git gives a file with this text."""
        data = self.text.encode()
        return hashlib.sha1(b"blob %d\0%b" % (len(data), data), usedforsecurity=False).hexdigest()


Tree = Mapping[str, Manifest]


def trees(settings: Settings, checkpoint: Mapping[str, Any]) -> Mapping[str, Tree]:
    """Return the files of each zone by path, for the zones with clusters that pull. Raises ZoneError."""
    pulling = {f"{_PROVIDER}{name}": c for name, c in settings.clusters.items() if c.pull is not None}
    found: dict[str, dict[str, Manifest]] = {zone: {} for zone in settings.pulling_zones}
    for resource in resources_of(checkpoint):
        provider = provider_name(str(resource.get("provider") or ""))
        if provider not in pulling or resource.get("delete"):
            continue
        cluster = pulling[provider]
        manifest = _manifest(cluster.zone, cluster.name, resource)
        if manifest.path in found[cluster.zone]:
            raise ZoneError(f"two objects have the file {manifest.path} in zone {cluster.zone}")
        found[cluster.zone][manifest.path] = manifest
    return {zone: dict(sorted(files.items())) for zone, files in found.items()}


def _manifest(zone: str, cluster: str, resource: Mapping[str, Any]) -> Manifest:
    address = address_of(str(resource["urn"]))
    inputs = resource.get("inputs") or {}
    kind = str(inputs.get("kind"))
    if kind == "Secret" or address.type.endswith("Patch") or _hides(inputs):
        raise ZoneError(
            f"{address.name} ({address.type}) has a secret or changes a part of an object: not in a manifest"
        )
    content: Any = plain({key: value for key, value in inputs.items() if not key.startswith("__")})
    metadata = content["metadata"]
    if resource.get("protect"):
        metadata["annotations"] = {**(metadata.get("annotations") or {}), **_KEPT}
    name = f"{kind.lower()}_{metadata.get('namespace', '')}_{metadata['name']}".replace(":", "_").replace("/", "_")
    path = f"{cluster}/{address.tenant or PLATFORM_FOLDER}/{name}.yaml"
    # The text depends on the values only: sorted keys, no line breaks, and no aliases for equal values.
    text = yaml.dump(content, Dumper=_Dumper, sort_keys=True, width=1 << 30, allow_unicode=True)
    return Manifest(zone, path, text, address.tenant, address.type)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - signature of PyYAML
        return True


def _hides(value: object) -> bool:
    if isinstance(value, Mapping):
        return is_secret(value) or is_special(value) or any(map(_hides, value.values()))
    return isinstance(value, list) and any(map(_hides, value))


@dataclass(frozen=True, slots=True)
class Scope:
    """The files of a zone's repository that belong to a stack: all of them, or the folders of some owners.

    `owners` are tenants, and `PLATFORM_FOLDER` for the foundation; None: the stack has the foundation and all tenants.
    """

    owners: frozenset[str] | None

    @classmethod
    def of(cls, settings: Settings, tenants: Iterable[str], files: Iterable[Manifest]) -> Scope:
        """Return the scope of a stack; `tenants` are the slugs of all tenant files."""
        if settings.tenants is None and settings.foundation is FoundationMode.INCLUDE:
            return cls(None)
        owners = {slug for slug in tenants if settings.selected(slug)}
        owners |= {file.tenant for file in files if file.tenant is not None}
        if settings.foundation is not FoundationMode.SKIP:
            owners.add(PLATFORM_FOLDER)
        return cls(frozenset(owners))

    def holds(self, path: str) -> bool:
        """Return whether a file belongs to the stack. GitLab's own README never does."""
        if self.owners is None:
            return path != "README.md"
        parts = path.split("/")
        return len(parts) > 2 and parts[1] in self.owners  # noqa: PLR2004 - cluster, owner and name


def owner_of(path: str) -> str | None:
    """Return the tenant of a file, None for the foundation's and for files outside the clusters' folders."""
    parts = path.split("/")
    known = len(parts) > 2 and parts[1] != PLATFORM_FOLDER  # noqa: PLR2004 - cluster, owner and name
    return parts[1] if known else None


def kind_of(path: str) -> str:
    """Return the kind of the object of a file, as its name begins; ``file`` for any other file."""
    kind, separator, _ = path.rpartition("/")[2].partition("_")
    return kind if separator and path.endswith(".yaml") and kind.isalnum() else "file"

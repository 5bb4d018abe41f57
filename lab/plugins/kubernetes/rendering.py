"""Objects as manifests in a folder (`renderYamlToDirectory`): nothing is sent to a cluster.

The file names are those of the official plugin. It keeps definitions of custom resources in a folder of their own; the
program creates none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import yaml

from lab.plugins.kubernetes.client import Object
from lab.plugins.kubernetes.objects import meta, name_of

_FOLDER: Final = "1-manifest"
#: Settings that the official plugin refuses together with a folder.
INCOMPATIBLE: Final = ("cluster", "context", "kubeconfig")


def file_of(folder: str, obj: Object) -> Path:
    """Return the file of an object."""
    version = str(obj.get("apiVersion", "")).replace("/", "_").replace(":", "_")
    namespace = meta(obj).get("namespace") or "default"
    name = f"{version}-{str(obj.get('kind', '')).lower()}-{namespace}-{name_of(obj)}.yaml"
    return Path(folder) / _FOLDER / name


def write(folder: str, obj: Object) -> None:
    """Write the manifest of an object, for its owner only."""
    path = file_of(folder, obj)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(obj, sort_keys=True), encoding="utf-8")
    path.chmod(0o600)


def remove(folder: str, obj: Object) -> None:
    """Remove the manifest of an object. It is no error if it is not there: a fresh checkout has none."""
    file_of(folder, obj).unlink(missing_ok=True)

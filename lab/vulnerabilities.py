"""A small vulnerability database for trivy, published as the artifact that trivy fetches (`--db-repository`).

The real database is an OCI artifact that a platform mirrors into its registry. This one has the same format and a few
published advisories (lab/advisories.json), so a scanner finds what a sample application is affected by.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Final

from lab import parts
from lab.chain.registry import RegistryClient
from lab.errors import LabError

#: trivy's version of the format is the tag of the artifact.
TAG: Final = "2"
#: Media types that trivy accepts, as in its pkg/db.
_LAYER: Final = "application/vnd.aquasec.trivy.db.layer.v1.tar+gzip"
_CONFIG: Final = "application/vnd.aquasec.trivy.config.v1+json"
_ADVISORIES: Final = Path(__file__).resolve().parent / "advisories.json"


def publish(registry: RegistryClient, advisories: Path = _ADVISORIES) -> str:
    """Write the database and push it as `<repository>:2`; return its digest. Raises LabError and `SystemRefusal`."""
    return registry.push_artifact(TAG, archive(advisories), _LAYER, b"{}", _CONFIG, title="db.tar.gz")


def archive(advisories: Path = _ADVISORIES) -> bytes:
    """Return the database as the archive in the artifact. Raises LabError."""
    writer = parts.ensure(("trivy-db",))["trivy-db"] / "trivy-db"
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [str(writer), str(advisories), folder], capture_output=True, text=True, timeout=60, check=False
        )
        if done.returncode:
            raise LabError(f"the vulnerability database cannot be written: {done.stderr.strip()}")
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as tar:
            for name in ("trivy.db", "metadata.json"):
                tar.add(Path(folder) / name, name)
    return packed.getvalue()

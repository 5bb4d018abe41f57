"""Accessories: artifacts that belong to another one, its subject. Harbor does not list them as artifacts.

A manifest with `subject` is one (OCI 1.1), and so is a signature that cosign 2 pushed under the tag
`sha256-<digest>.sig`. They have no effect on retention, and are deleted with their subject (`RefHard` in Harbor's
pkg/accessory/model).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from lab.standins.harbor.site import HarborSite, now
from lab.standins.store import Document

if TYPE_CHECKING:
    from lab.standins.harbor.artifacts import Manifest

SIGNATURE: Final = "signature.cosign"
_SUBJECT: Final = "subject.accessory"
_SBOM: Final = "sbom.harbor"
#: What an accessory is, by the artifact type of its manifest, else by the media type of its configuration. Before
#: Harbor 2.15, a bundle of cosign 3 was a `subject.accessory`.
_TYPES: Final = {
    "application/vnd.dev.cosign.artifact.sig.v1+json": SIGNATURE,
    "application/vnd.dev.sigstore.bundle.v0.3+json": SIGNATURE,
    "application/vnd.cncf.notary.signature": "signature.notation",
    "application/vnd.goharbor.harbor.sbom.v1": _SBOM,
}
_SIGNATURE_TAG: Final = re.compile(r"sha256-([0-9a-f]{64})\.sig")
_SIGNATURE_LAYER: Final = "application/vnd.dev.cosign.simplesigning.v1+json"


def record(site: HarborSite, artifact: Document, manifest: Manifest, tag: str | None) -> None:
    """Record what a pushed artifact belongs to, if anything. The subject may be pushed later."""
    subject, kind = manifest.subject, ""
    if subject:
        kind = _TYPES.get(manifest.artifact_type or str(manifest.config.get("mediaType", "")), _SUBJECT)
    elif (found := _SIGNATURE_TAG.fullmatch(tag or "")) and any(
        layer.get("mediaType") == _SIGNATURE_LAYER for layer in manifest.layers
    ):
        subject, kind = f"sha256:{found[1]}", SIGNATURE
    if subject and not site.store.first("accessory", artifact_id=artifact["id"], subject=subject):
        site.store.add(
            "accessory",
            {"repository_id": artifact["repository_id"], "artifact_id": artifact["id"], "subject": subject,
             "type": kind, "digest": artifact["digest"], "size": artifact["size"], "created": now()},
        )  # fmt: skip


def of(site: HarborSite, repository_id: int, digest: str) -> list[Document]:
    """Return the accessories of an artifact."""
    return site.store.find("accessory", repository_id=repository_id, subject=digest)


def kind(site: HarborSite, artifact: Document) -> str | None:
    """Return what an artifact is to its subject; None if it is no accessory."""
    found = site.store.first("accessory", artifact_id=artifact["id"])
    return None if found is None else str(found["type"])


def shown(accessory: Document, subject: Document) -> dict[str, Any]:
    """Return an accessory as shown in the API, with its subject."""
    return {
        "id": accessory["id"], "artifact_id": accessory["artifact_id"], "type": accessory["type"],
        "digest": accessory["digest"], "size": accessory["size"], "creation_time": accessory["created"],
        "subject_artifact_id": subject["id"], "subject_artifact_digest": subject["digest"],
        "subject_artifact_repo": subject["repository_name"], "icon": "",
    }  # fmt: skip


def descriptors(site: HarborSite, repository_id: int, digest: str, artifact_type: str) -> list[dict[str, Any]]:
    """Return the referrers of a digest as OCI descriptors, those of one artifact type if it is not empty."""
    found = (site.store.get("artifact", accessory["artifact_id"]) for accessory in of(site, repository_id, digest))
    return [
        {
            "mediaType": artifact["manifest_media_type"], "size": artifact["manifest_size"],
            "digest": artifact["digest"], "artifactType": artifact["artifact_type"],
            **({"annotations": artifact["annotations"]} if artifact["annotations"] else {}),
        }
        for artifact in found
        if artifact is not None and artifact_type in ("", artifact["artifact_type"])
    ]  # fmt: skip

"""Pushed repositories, artifacts and tags, and their size. Tags are stored here, as in Harbor."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from lab.standins.harbor import accessories, errors, selectors
from lab.standins.harbor.site import HarborSite, now
from lab.standins.store import Document

_NEVER: Final = "0001-01-01T00:00:00.000Z"
_IMAGE_CONFIGS: Final = (
    "application/vnd.docker.container.image.v1+json",
    "application/vnd.oci.image.config.v1+json",
)
_HELM_CONFIG: Final = "application/vnd.cncf.helm.config.v1+json"
INDEXES: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_UNITS: Final = ("KiB", "MiB", "GiB", "TiB")
_KIBI: Final = 1024


def is_digest(reference: str) -> bool:
    """Whether a reference is a digest and not a tag."""
    return ":" in reference


def short_name(repository: str) -> str:
    """Return a repository's name without its project."""
    return repository.partition("/")[2]


def find(site: HarborSite, repository: str, reference: str) -> Document:
    """Return an artifact by digest or tag. Raises `HarborError` 404 with Harbor's message."""
    record = site.store.first("repository", name=repository)
    found = None
    if record and is_digest(reference):
        found = site.store.first("artifact", repository_id=record["id"], digest=reference)
    elif record and (tag := site.store.first("tag", repository_id=record["id"], name=reference)):
        found = site.store.get("artifact", tag["artifact_id"])
    if found is None:
        raise errors.not_found(f"artifact {repository}{'@' if is_digest(reference) else ':'}{reference}")
    return found


def repository(site: HarborSite, name: str) -> Document:
    """Return a repository by its full name. Raises `HarborError` 404."""
    found = site.store.first("repository", name=name)
    if found is None:
        raise errors.not_found(f"repository {name}")
    return found


def tags_of(site: HarborSite, artifact: Document) -> list[Document]:
    """Return the tags of an artifact."""
    return site.store.find("tag", artifact_id=artifact["id"])


def immutable(site: HarborSite, project_id: int, name: str, tag: str) -> bool:
    """Whether a tag of a repository (full name) is immutable by a rule of the project."""
    rules = site.store.find("immutable", project_id=project_id)
    return any(selectors.applies(rule, short_name(name), tag) for rule in rules)


# -- pushing -----------------------------------------------------------------------------------------------------------


class Manifest:
    """A pushed manifest: its parts, for the quota and the API."""

    def __init__(self, raw: bytes, media_type: str) -> None:
        """Parse it. Raises `HarborError` if it is not a manifest."""
        try:
            content = json.loads(raw)
            self.config: Mapping[str, Any] = content.get("config") or {}
            self.layers: list[Mapping[str, Any]] = [dict(item) for item in content.get("layers") or []]
            self.children: list[Mapping[str, Any]] = [dict(item) for item in content.get("manifests") or []]
            parts = [*([self.config] if self.config else []), *self.layers]
            self.blobs: dict[str, int] = {str(part["digest"]): int(part.get("size", 0)) for part in parts}
            self.media_type = str(content.get("mediaType") or media_type)
            self.artifact_type = str(content.get("artifactType") or "")
            self.annotations: dict[str, str] = dict(content.get("annotations") or {})
            self.subject = str((content.get("subject") or {}).get("digest") or "")
        except (ValueError, AttributeError, TypeError, KeyError):
            raise errors.HarborError("MANIFEST_INVALID", "unmarshal manifest failed") from None
        self.size = len(raw)

    @property
    def kind(self) -> str:
        """Harbor's name of the artifact's kind: IMAGE, CHART, or from the media type."""
        config = str(self.config.get("mediaType", ""))
        if self.children or config in _IMAGE_CONFIGS:
            return "IMAGE"
        return "CHART" if config == _HELM_CONFIG else "UNKNOWN"


def record(
    site: HarborSite, project: Document, name: str, digest: str, manifest: Manifest, tag: str | None
) -> Document:
    """Record a pushed artifact, and set the tag to it."""
    moment = now()
    repo = site.store.first("repository", name=name)
    if repo is None:
        content = {"project_id": project["id"], "name": name, "pull_count": 0, "created": moment}
        repo = site.store.add("repository", content)
    site.store.put("repository", {**repo, "updated": moment})
    artifact = site.store.first("artifact", repository_id=repo["id"], digest=digest)
    if artifact is None:
        children = [site.store.first("artifact", repository_id=repo["id"], digest=item.get("digest"))
                    for item in manifest.children]  # fmt: skip
        size = manifest.size + sum(manifest.blobs.values()) + sum(child["size"] for child in children if child)
        artifact = site.store.add(
            "artifact",
            {
                "project_id": project["id"], "repository_id": repo["id"], "repository_name": name, "digest": digest,
                "size": size, "type": manifest.kind, "manifest_media_type": manifest.media_type,
                "media_type": str(manifest.config.get("mediaType") or manifest.media_type),
                "artifact_type": manifest.artifact_type or str(manifest.config.get("mediaType") or ""),
                "annotations": manifest.annotations, "blobs": [digest, *manifest.blobs],
                "references": [
                    {"child_id": child["id"], "child_digest": child["digest"],
                     "platform": dict(item.get("platform") or {})}
                    for item, child in zip(manifest.children, children, strict=True) if child
                ],
                "manifest_size": manifest.size, "push_time": moment, "pull_time": _NEVER,
            },
        )  # fmt: skip
    else:
        site.store.put("artifact", {**artifact, "push_time": moment})
    count(site, project["id"], {digest: manifest.size, **manifest.blobs})
    if tag is not None:
        point(site, artifact, tag)
    accessories.record(site, artifact, manifest, tag)
    return artifact


def point(site: HarborSite, artifact: Document, name: str) -> None:
    """Create a tag, or move it from another artifact. Raises `HarborError` for an immutable tag."""
    tag = site.store.first("tag", repository_id=artifact["repository_id"], name=name)
    if tag is None:
        site.store.add("tag", {"project_id": artifact["project_id"], "repository_id": artifact["repository_id"],
                               "artifact_id": artifact["id"], "name": name, "push_time": now(),
                               "pull_time": _NEVER})  # fmt: skip
    elif tag["artifact_id"] != artifact["id"]:
        if immutable(site, artifact["project_id"], artifact["repository_name"], name):
            raise errors.precondition(f"the tag {name} configured as immutable, cannot be updated")
        site.store.put("tag", {**tag, "artifact_id": artifact["id"], "push_time": now()})


def pulled(site: HarborSite, artifact: Document, tag: str | None) -> None:
    """Record a pull."""
    moment = now()
    site.store.put("artifact", {**artifact, "pull_time": moment})
    if tag and (known := site.store.first("tag", repository_id=artifact["repository_id"], name=tag)):
        site.store.put("tag", {**known, "pull_time": moment})
    if repo := site.store.get("repository", artifact["repository_id"]):
        site.store.put("repository", {**repo, "pull_count": repo["pull_count"] + 1})


# -- deleting ----------------------------------------------------------------------------------------------------------


def remove_tag(site: HarborSite, tag: Document, name: str) -> None:
    """Delete a tag of the repository `name`. Raises `HarborError` for an immutable tag."""
    if immutable(site, tag["project_id"], name, tag["name"]):
        raise errors.precondition(f"the tag {tag['name']} configured as immutable, cannot be deleted")
    site.store.remove("tag", tag["id"])


def remove(site: HarborSite, artifact: Document) -> None:
    """Delete an artifact with its tags and accessories.

    Raises `HarborError` for immutable tags, and if an index refers to it.
    """
    for other in site.store.find("artifact", repository_id=artifact["repository_id"]):
        if any(child["child_id"] == artifact["id"] for child in other["references"]):
            raise errors.HarborError(
                "VIOLATE_FOREIGN_KEY_CONSTRAINT",
                f"the deleting artifact is referenced by others, try to delete {other['digest']} first",
            )
    for own in site.store.find("accessory", artifact_id=artifact["id"]):
        site.store.remove("accessory", own["id"])
    for accessory in accessories.of(site, artifact["repository_id"], artifact["digest"]):
        if (attached := site.store.get("artifact", accessory["artifact_id"])) is not None:
            remove(site, attached)
    for tag in tags_of(site, artifact):
        remove_tag(site, tag, artifact["repository_name"])
    site.store.remove("artifact", artifact["id"])
    left = site.store.find("artifact", project_id=artifact["project_id"])
    needed = {digest for other in left for digest in other["blobs"]}
    for digest in set(artifact["blobs"]) - needed:
        for blob in site.store.find("blob", project_id=artifact["project_id"], digest=digest):
            site.store.remove("blob", blob["id"])


def remove_repository(site: HarborSite, repo: Document) -> None:
    """Delete a repository with its artifacts. Raises `HarborError` for immutable tags."""
    held = site.store.find("artifact", repository_id=repo["id"])
    for artifact in sorted(held, key=lambda artifact: not artifact["references"]):
        if site.store.get("artifact", artifact["id"]) is not None:  # not gone with its subject
            remove(site, artifact)
    site.store.remove("repository", repo["id"])


# -- quota -------------------------------------------------------------------------------------------------------------


def count(site: HarborSite, project_id: int, blobs: Mapping[str, int]) -> None:
    """Add blobs to a project's quota, each once."""
    for digest, size in blobs.items():
        if site.store.first("blob", project_id=project_id, digest=digest) is None:
            site.store.add("blob", {"project_id": project_id, "digest": digest, "size": size})


def check_quota(site: HarborSite, project_id: int, blobs: Mapping[str, int]) -> None:
    """Raise `HarborError` DENIED, with Harbor's message, if new blobs exceed the project's quota."""
    quota = site.store.first("quota", project_id=project_id)
    if quota is None or quota["storage"] == -1 or not site.settings.get("quota_per_project_enable"):
        return
    held = {blob["digest"]: blob["size"] for blob in site.store.find("blob", project_id=project_id)}
    adding = sum(size for digest, size in blobs.items() if digest not in held)
    used = sum(held.values())
    if adding and used + adding > quota["storage"]:
        raise errors.denied(
            f"adding {_amount(adding)} of storage resource, which when updated to current usage of {_amount(used)} "
            f"will exceed the configured upper limit of {_amount(quota['storage'])}."
        )


def _amount(size: int) -> str:
    if size < _KIBI:
        return f"{size} B"
    value = float(size)
    for unit in _UNITS:
        value /= _KIBI
        if value < _KIBI or unit == _UNITS[-1]:
            break
    return f"{value:.1f} {unit}"

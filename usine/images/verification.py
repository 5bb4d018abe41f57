"""Verifies an image: signed by the tenant's key, with provenance and SBOM, under the tag that the provenance names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from usine.clients.oci import StoredContent
from usine.images.attestations import (
    BUNDLE,
    PROVENANCE,
    SBOM,
    SIGNATURE,
    KeyVersion,
    Statement,
    bundle_digest,
    mapping,
    verified,
)
from usine.images.reference import ImageReference
from usine.report.values import visible


class ImageContents(Protocol):
    """What is asked of a registry; see `OciClient`."""

    def manifest(self, repository: str, reference: str) -> StoredContent | None:
        """Return a manifest."""

    def blob(self, repository: str, digest: str) -> StoredContent | None:
        """Return a blob."""

    def referrers(self, repository: str, digest: str, artifact_type: str) -> tuple[str, ...]:
        """Return the digests of referring manifests."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What is known about an image. `problems` is empty exactly if it is verified; `facts` are (name, value)."""

    digest: str | None
    problems: tuple[str, ...]
    facts: tuple[tuple[str, str], ...] = ()


def verify_image(image: ImageReference, registry: ImageContents, keys: tuple[KeyVersion, ...]) -> Verification:
    """Verify an image with the tenant's keys. Raises ClientError if the registry does not answer."""
    found = registry.manifest(image.path, image.tag or image.digest or "")
    if found is None:
        return Verification(None, ("the registry has no such image, or you may not read it",))
    digest = found.digest
    if image.digest is not None and image.digest != digest:
        return Verification(digest, (f"the tag {image.tag} was moved: it is {digest} now, not {image.digest}",))
    referring = registry.referrers(image.path, digest, BUNDLE)
    if not referring:
        return Verification(digest, (f"{digest} is not signed",))
    statements = [s for one in referring if (s := _statement(image, registry, one, digest, keys)) is not None]
    if not statements:
        return Verification(digest, (f"no signature of {digest} is by a key of {image.project}",))
    by_kind = {kind: [s for s in statements if s.kind == kind] for kind in (SIGNATURE, PROVENANCE, SBOM)}
    names = {SIGNATURE: "signature", PROVENANCE: "provenance", SBOM: "SBOM"}
    problems = [f"{digest} has no {names[kind]}" for kind, some in by_kind.items() if not some]
    # An image that was built twice has several; each is true, and one of them has to fit.
    origins = [_origin_problems(image, statement) for statement in by_kind[PROVENANCE]]
    if origins and all(origins):
        problems += origins[-1]
    if problems:
        return Verification(digest, tuple(problems))
    fitting = next(s for s, wrong in zip(by_kind[PROVENANCE], origins, strict=True) if not wrong)
    return Verification(digest, (), _facts(image, by_kind[SIGNATURE][-1], fitting, by_kind[SBOM][-1]))


def _statement(
    image: ImageReference, registry: ImageContents, referring: str, digest: str, keys: tuple[KeyVersion, ...]
) -> Statement | None:
    manifest = registry.manifest(image.path, referring)
    bundle = manifest and bundle_digest(manifest.content, digest)
    content = registry.blob(image.path, bundle) if bundle else None
    return verified(content.content, digest, keys) if content else None


def _origin_problems(image: ImageReference, provenance: Statement) -> list[str]:
    """Return why the provenance is not that of this image: the same key signs all images of the tenant."""
    parameters = mapping(mapping(provenance.predicate.get("buildDefinition")).get("externalParameters"))
    source, tag = _text(mapping(parameters.get("source")).get("uri")), _text(parameters.get("tag"))
    found = []
    own = f"/{image.project}/{image.repository.split('/')[0]}.git"
    if not urlsplit(source.removeprefix("git+")).path.endswith(own):
        found.append(f"it was built from {visible(source) or 'an unknown source'}, not from {own.strip('/')}")
    if image.tag is not None and tag != image.tag:
        found.append(f"the tag {image.tag} was moved: its pipeline pushed this image as {visible(tag) or 'unknown'}")
    return found


def _facts(
    image: ImageReference, signature: Statement, provenance: Statement, sbom: Statement
) -> tuple[tuple[str, str], ...]:
    definition = mapping(provenance.predicate.get("buildDefinition"))
    details = mapping(provenance.predicate.get("runDetails"))
    source = mapping(mapping(definition.get("externalParameters")).get("source"))
    components = sbom.predicate.get("components")
    number = len(components) if isinstance(components, list) else 0
    values = {
        "signed by": f"the key {image.project}, version {signature.version}",
        "source": f"{_text(source.get('uri'))} {_text(source.get('ref'))}",
        "commit": _named(definition.get("resolvedDependencies"), "gitCommit"),
        "pipeline": _named(details.get("byproducts"), "uri"),
        "job": _text(mapping(details.get("metadata")).get("invocationId")),
        "builder": _text(mapping(details.get("builder")).get("id")),
        "SBOM": f"CycloneDX {_text(sbom.predicate.get('specVersion'))}, {number} components",
    }
    return tuple((name, visible(value.strip()) or "unknown") for name, value in values.items())


def _named(items: object, name: str) -> str:
    """Return a field of the first item, or of its `digest`."""
    first = mapping(items[0]) if isinstance(items, list) and items else {}
    return _text(first.get(name)) or _text(mapping(first.get("digest")).get(name))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""

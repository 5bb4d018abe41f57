"""Signed statements about an image: what a key has signed, in the form of cosign 3.

Each is a Sigstore bundle with a DSSE envelope, whose payload is an in-toto statement. Everything here comes from the
registry, so nothing in it counts before the signature is verified.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

#: The artifact type and media type of a bundle.
BUNDLE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
#: What a statement says: that the image is signed, where it comes from, what is in it.
SIGNATURE: Final = "https://sigstore.dev/cosign/sign/v1"
PROVENANCE: Final = "https://slsa.dev/provenance/v1"
SBOM: Final = "https://cyclonedx.org/bom"
_STATEMENT: Final = "application/vnd.in-toto+json"
_SHA256: Final = "sha256:"


@dataclass(frozen=True, slots=True)
class KeyVersion:
    """One version of a tenant's public key."""

    number: int
    key: ec.EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class Statement:
    """What a version of the tenant's key has signed about an image."""

    kind: str
    predicate: Mapping[str, object]
    version: int


def key_versions(data: Mapping[str, object]) -> tuple[KeyVersion, ...]:
    """Return the versions of a key that Vault still accepts, from its answer; the newest first."""
    listed, oldest = mapping(data.get("keys")), data.get("min_decryption_version")
    found = []
    for number, version in listed.items():
        pem = mapping(version).get("public_key")
        if not number.isdecimal() or not isinstance(pem, str) or (isinstance(oldest, int) and int(number) < oldest):
            continue
        try:
            key = serialization.load_pem_public_key(pem.encode())
        except (ValueError, UnsupportedAlgorithm):
            continue
        if isinstance(key, ec.EllipticCurvePublicKey):
            found.append(KeyVersion(int(number), key))
    return tuple(sorted(found, key=lambda one: -one.number))


def bundle_digest(manifest: bytes, subject: str) -> str | None:
    """Return the digest of the bundle in a manifest that refers to `subject`; None if it is something else."""
    content = mapping(_json(manifest))
    layers = content.get("layers")
    if mapping(content.get("subject")).get("digest") != subject or not isinstance(layers, list) or len(layers) != 1:
        return None
    layer = mapping(layers[0])
    digest = layer.get("digest")
    return digest if layer.get("mediaType") == BUNDLE and isinstance(digest, str) else None


def verified(bundle: bytes, digest: str, keys: Sequence[KeyVersion]) -> Statement | None:
    """Return the statement of a bundle, if one of the keys signed it and it is about this image."""
    envelope = mapping(mapping(_json(bundle)).get("dsseEnvelope"))
    payload = _bytes(envelope.get("payload"))
    signatures = envelope.get("signatures")
    if payload is None or envelope.get("payloadType") != _STATEMENT or not isinstance(signatures, list):
        return None
    signed = b"DSSEv1 %d %s %d %s" % (len(_STATEMENT), _STATEMENT.encode(), len(payload), payload)
    version = next(
        (
            key.number
            for one in signatures
            if (signature := _bytes(mapping(one).get("sig"))) is not None
            for key in keys
            if _signs(key, signature, signed)
        ),
        None,
    )
    if version is None:
        return None
    statement = mapping(_json(payload))
    subjects = statement.get("subject")
    about = subjects if isinstance(subjects, list) else []
    if not any(mapping(mapping(one).get("digest")).get("sha256") == digest.removeprefix(_SHA256) for one in about):
        return None
    kind = statement.get("predicateType")
    return Statement(kind, mapping(statement.get("predicate")), version) if isinstance(kind, str) else None


def mapping(value: object) -> Mapping[str, object]:
    """Return a JSON object, an empty one for everything else."""
    return value if isinstance(value, dict) else {}


def _signs(key: KeyVersion, signature: bytes, content: bytes) -> bool:
    try:
        key.key.verify(signature, content, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def _json(content: bytes) -> object:
    try:
        found: object = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return found


def _bytes(value: object) -> bytes | None:
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else None
    except (binascii.Error, ValueError):
        return None

"""Images are verified only with signature, provenance and SBOM by the tenant's key, under the tag of the provenance."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from usine.clients.oci import StoredContent
from usine.images.attestations import BUNDLE, PROVENANCE, SBOM, SIGNATURE, KeyVersion, key_versions, verified
from usine.images.reference import ImageNameError, parse_image
from usine.images.verification import verify_image

HOST = "registry.example.fr"
PATH = "atelier/api"
OURS, OLD, OTHERS = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
COMMIT = "c" * 40
PREDICATE = {
    "buildDefinition": {
        "externalParameters": {
            "source": {"uri": "git+https://gitlab.example.fr/tenants/atelier/api.git", "ref": "refs/heads/main"},
            "tag": "1a2b3c4d",
        },
        "resolvedDependencies": [{"digest": {"gitCommit": COMMIT}}],
    },
    "runDetails": {
        "builder": {"id": "https://gitlab.example.fr/-/runners/1"},
        "metadata": {"invocationId": "https://gitlab.example.fr/tenants/atelier/api/-/jobs/3"},
        "byproducts": [{"name": "pipeline", "uri": "https://gitlab.example.fr/tenants/atelier/api/-/pipelines/2"}],
    },
}
BILL = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"name": "flask"}, {"name": "click"}]}
#: By cosign 3.1.3: `cosign sign` with a key of OpenBao 2.7, and that key.
OF_COSIGN = (
    b'{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json", "verificationMaterial":{"publicKey":{"hint":'
    b'"9kI8/i0mXeCDslvabAJVc5cAxCWCOXxhYAIhkUjFmes="}}, "dsseEnvelope":{"payload":"eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5p'
    b"by9TdGF0ZW1lbnQvdjEiLCAic3ViamVjdCI6W3siZGlnZXN0Ijp7InNoYTI1NiI6ImY2NmZiZTllODdmNGUyNzAyY2YzZGZiMzkwM2MxYzJhYjk3O"
    b"TAwM2Q2NWU3NGU2MzA3NjU1ZDQzYjRhN2ExNzMifSwgImFubm90YXRpb25zIjp7fX1dLCAicHJlZGljYXRlVHlwZSI6Imh0dHBzOi8vc2lnc3Rvcm"
    b'UuZGV2L2Nvc2lnbi9zaWduL3YxIiwgInByZWRpY2F0ZSI6e319", "payloadType":"application/vnd.in-toto+json", "signatures":'
    b'[{"sig":"MEQCIFlqmL/hBSIO7BPm4TtHGEOU6pse6GdUTBtSK+GR0w2bAiA2Tff2P8N3ES8iYTMSNZ48koiPp5lhP2qrAYJ3D+XGow=="}]}}'
)
DIGEST_OF_COSIGN = "sha256:f66fbe9e87f4e2702cf3dfb3903c1c2ab979003d65e74e6307655d43b4a7a173"
KEY_OF_COSIGN = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEopPCsZ4eecCu1WzP1CdLVJ+IwxDc
skdvYBoNzycKmrHh/VSKwKR/uCzGP0d+mC3lm59B2b0p3bi9DACH7dXv5w==
-----END PUBLIC KEY-----
"""


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def bundle(key: ec.EllipticCurvePrivateKey, digest: str, kind: str, predicate: Any) -> bytes:
    """Sign a statement as cosign does."""
    subject = [{"digest": {"sha256": digest.removeprefix("sha256:")}}]
    payload = json.dumps({"subject": subject, "predicateType": kind, "predicate": predicate}).encode()
    type_ = "application/vnd.in-toto+json"
    signed = f"DSSEv1 {len(type_)} {type_} {len(payload)} ".encode() + payload
    signature = key.sign(signed, ec.ECDSA(hashes.SHA256()))
    envelope = {"payloadType": type_, "payload": base64.b64encode(payload).decode(),
                "signatures": [{"sig": base64.b64encode(signature).decode()}]}  # fmt: skip
    return json.dumps({"mediaType": BUNDLE, "dsseEnvelope": envelope}).encode()


@dataclass
class Registry:
    """A registry in memory."""

    contents: dict[str, bytes] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    attached: dict[str, list[str]] = field(default_factory=dict)

    def put(self, content: bytes) -> str:
        self.contents[digest_of(content)] = content
        return digest_of(content)

    def attach(self, digest: str, content: bytes, subject: str | None = None) -> None:
        """Attach a bundle to a digest; its manifest says that it is attached to `subject`."""
        layer = {"mediaType": BUNDLE, "digest": self.put(content)}
        manifest = json.dumps({"layers": [layer], "subject": {"digest": subject or digest}}).encode()
        self.attached.setdefault(digest, []).append(self.put(manifest))

    def sign(self, digest: str, key: ec.EllipticCurvePrivateKey = OURS, predicate: Any = PREDICATE) -> None:
        for kind, content in ((SIGNATURE, {}), (PROVENANCE, predicate), (SBOM, BILL)):
            self.attach(digest, bundle(key, digest, kind, content))

    def manifest(self, repository: str, reference: str) -> StoredContent | None:
        assert repository == PATH
        return self.blob(repository, self.tags.get(reference, reference))

    def blob(self, repository: str, digest: str) -> StoredContent | None:
        assert repository == PATH
        content = self.contents.get(digest)
        return None if content is None else StoredContent(digest, content)

    def referrers(self, repository: str, digest: str, artifact_type: str) -> tuple[str, ...]:
        assert (repository, artifact_type) == (PATH, BUNDLE)
        return tuple(self.attached.get(digest, ()))


@pytest.fixture
def registry() -> Registry:
    made = Registry()
    made.tags["1a2b3c4d"] = made.put(b'{"image": 1}')
    return made


KEYS = (KeyVersion(2, OURS.public_key()), KeyVersion(1, OLD.public_key()))


def problems(registry: Registry, name: str = f"{HOST}/{PATH}:1a2b3c4d") -> tuple[str, ...]:
    return verify_image(parse_image(name, HOST), registry, KEYS).problems


def test_a_signed_image_is_verified_with_what_its_provenance_says(registry: Registry) -> None:
    registry.sign(registry.tags["1a2b3c4d"])
    found = verify_image(parse_image(f"{HOST}/{PATH}:1a2b3c4d", HOST), registry, KEYS)
    assert found.problems == ()
    assert dict(found.facts) == {
        "signed by": "the key atelier, version 2",
        "source": "git+https://gitlab.example.fr/tenants/atelier/api.git refs/heads/main",
        "commit": COMMIT,
        "pipeline": "https://gitlab.example.fr/tenants/atelier/api/-/pipelines/2",
        "job": "https://gitlab.example.fr/tenants/atelier/api/-/jobs/3",
        "builder": "https://gitlab.example.fr/-/runners/1",
        "SBOM": "CycloneDX 1.6, 2 components",
    }


def test_a_signature_of_an_older_version_of_the_key_still_counts(registry: Registry) -> None:
    registry.sign(registry.tags["1a2b3c4d"], OLD)
    assert problems(registry) == ()
    assert verify_image(parse_image(f"{HOST}/{PATH}:1a2b3c4d", HOST), registry, KEYS[:1]).problems


def test_an_image_without_signature_or_with_one_of_another_tenant_is_refused(registry: Registry) -> None:
    digest = registry.tags["1a2b3c4d"]
    assert problems(registry) == (f"{digest} is not signed",)
    registry.sign(digest, OTHERS)
    assert problems(registry) == (f"no signature of {digest} is by a key of atelier",)


def test_an_attestation_alone_is_no_signature(registry: Registry) -> None:
    """`cosign verify` 3.1.3 accepts it."""
    digest = registry.tags["1a2b3c4d"]
    registry.attach(digest, bundle(OURS, digest, SBOM, BILL))
    assert problems(registry) == (f"{digest} has no signature", f"{digest} has no provenance")


def test_signatures_that_are_copied_to_a_tampered_image_are_refused(registry: Registry) -> None:
    good = registry.tags["1a2b3c4d"]
    registry.sign(good)
    registry.tags["1a2b3c4d"] = bad = registry.put(b'{"image": "tampered"}')
    assert problems(registry) == (f"{bad} is not signed",)
    for one in registry.attached[good]:
        layer = json.loads(registry.contents[one])["layers"][0]["digest"]
        registry.attach(bad, registry.contents[layer])  # their manifest names the tampered image
        registry.attached[bad].append(one)  # theirs names the good one
    assert problems(registry) == (f"no signature of {bad} is by a key of atelier",)


def test_a_tag_that_was_moved_is_refused(registry: Registry) -> None:
    old = registry.put(b'{"image": 0}')
    registry.sign(registry.tags["1a2b3c4d"])
    assert problems(registry, f"{HOST}/{PATH}:1a2b3c4d@{old}") == (
        f"the tag 1a2b3c4d was moved: it is {registry.tags['1a2b3c4d']} now, not {old}",
    )
    registry.tags["v2"] = registry.tags["1a2b3c4d"]
    assert problems(registry, f"{HOST}/{PATH}:v2") == (
        "the tag v2 was moved: its pipeline pushed this image as 1a2b3c4d",
    )
    assert problems(registry, f"{HOST}/{PATH}@{registry.tags['v2']}") == ()


def test_an_image_of_another_repository_of_the_tenant_is_refused(registry: Registry) -> None:
    source = {"uri": "git+https://gitlab.example.fr/tenants/atelier/web.git"}
    definition = {"buildDefinition": {"externalParameters": {"source": source, "tag": "1a2b3c4d"}}}
    registry.sign(registry.tags["1a2b3c4d"], predicate=definition)
    (problem,) = problems(registry)
    assert problem.endswith("web.git, not from atelier/api.git")


@pytest.mark.parametrize("predicate", [[], "text", {"buildDefinition": 3}, {"runDetails": {"byproducts": [None]}}])
def test_a_provenance_of_another_shape_is_refused_without_a_traceback(registry: Registry, predicate: Any) -> None:
    registry.sign(registry.tags["1a2b3c4d"], predicate=predicate)
    assert problems(registry)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"\xff", b'{"dsseEnvelope": {"payload": "%%"}}', b"[" * 100_000, b'{"dsseEnvelope": []}']
)
def test_a_broken_bundle_is_refused_without_a_traceback(registry: Registry, content: bytes) -> None:
    digest = registry.tags["1a2b3c4d"]
    registry.attach(digest, content)
    assert problems(registry) == (f"no signature of {digest} is by a key of atelier",)


def test_a_bundle_of_cosign_is_verified() -> None:
    key = serialization.load_pem_public_key(KEY_OF_COSIGN.encode())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    found = verified(OF_COSIGN, DIGEST_OF_COSIGN, [KeyVersion(1, key)])
    assert found is not None
    assert found.kind == SIGNATURE
    assert verified(OF_COSIGN, digest_of(b""), [KeyVersion(1, key)]) is None
    assert verified(OF_COSIGN, DIGEST_OF_COSIGN, KEYS) is None
    assert verified(OF_COSIGN.replace(b"eyJf", b"eyJg"), DIGEST_OF_COSIGN, [KeyVersion(1, key)]) is None


def test_retired_versions_of_a_key_do_not_count() -> None:
    version = {"public_key": KEY_OF_COSIGN, "name": "P-256"}
    answer = {"keys": {"1": version, "2": version, "10": version}, "min_decryption_version": 2}
    assert [one.number for one in key_versions(answer)] == [10, 2]
    assert key_versions({}) == ()
    assert key_versions({"keys": {"1": {"public_key": "x"}, "2": 5, "a": version}}) == ()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("api", "is no image: give HOST/PROJECT/REPOSITORY:TAG"),
        (f"{HOST}/atelier:1", "is no image"),
        (f"{HOST}/atelier/api", "has neither a tag nor a digest"),
        ("docker.io/atelier/api:1", "is in the registry docker.io; the settings have registry.example.fr"),
        (f"{HOST}/atelier/api@sha256:12", "is no image"),
        (f"{HOST}/../api:1", "is no image"),
        (f"{HOST}/atelier/api/../../voisin/api:1", "is no image"),
        (f"{HOST}/atelier/api:1\x1b[31m", r"\x1b"),
        (f"{HOST}/atelier/{'a' * 600}:1", "is no image"),
    ],
)
def test_a_wrong_name_is_refused_with_what_is_allowed(name: str, message: str) -> None:
    with pytest.raises(ImageNameError) as refused:
        parse_image(name, HOST)
    assert message in str(refused.value)
    assert "\x1b" not in str(refused.value)

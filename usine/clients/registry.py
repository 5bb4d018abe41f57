"""The registry API of Harbor (OCI distribution 1.1): manifests, blobs, and what refers to a manifest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from usine.clients.errors import ClientError, refusal
from usine.clients.rest import RestClient

#: What an image and an attestation may be; without this header a registry converts or refuses.
_MANIFESTS: Final = ", ".join(
    (
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    )
)


@dataclass(frozen=True, slots=True)
class StoredContent:
    """Bytes of the registry, which have this digest."""

    digest: str
    content: bytes


class RegistryClient(RestClient):
    """The registry at `url`, with Harbor's credential. Content is accepted only with the digest that was asked for."""

    def __init__(self, url: str, user: str, password: str, *, verify: str | bool = True) -> None:
        """Prepare the session; nothing is sent yet."""
        super().__init__("The registry", f"{url}/v2", verify=verify)
        self.session.auth = (user, password)

    def manifest(self, repository: str, reference: str) -> StoredContent | None:
        """Return a manifest by tag or digest, None if there is none."""
        return self._content(f"{repository}/manifests/{reference}", reference, {"Accept": _MANIFESTS})

    def blob(self, repository: str, digest: str) -> StoredContent | None:
        """Return a blob, None if there is none."""
        return self._content(f"{repository}/blobs/{digest}", digest, {})

    def referrers(self, repository: str, digest: str, artifact_type: str) -> tuple[str, ...]:
        """Return the digests of the manifests of this type that refer to a digest."""
        found = self.get(f"{repository}/referrers/{digest}", artifactType=artifact_type) or {}
        listed = found.get("manifests") if isinstance(found, dict) else None
        return tuple(
            str(item["digest"])
            for item in listed or ()
            # A registry may ignore the filter.
            if isinstance(item, dict) and item.get("artifactType") == artifact_type and "digest" in item
        )

    def _content(self, path: str, reference: str, headers: dict[str, str]) -> StoredContent | None:
        with self._translated("GET", path):
            answer = self._send("GET", path, headers=headers)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        if not answer.ok:
            raise refusal(self.system, "GET", path, answer.status_code)
        digest = f"sha256:{hashlib.sha256(answer.content).hexdigest()}"
        if ":" in reference and reference != digest:
            raise ClientError(f"{self.system}: {path} has another content than its digest says")
        return StoredContent(digest, answer.content)

"""A minimal registry client: it pushes and pulls images of one layer by the standard protocol."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Final
from urllib.parse import urljoin

import httpx

from lab.chain.transcript import SystemRefusal
from lab.errors import LabError

_SYSTEM: Final = "harbor"
_REFUSALS: Final = (401, 403, 404, 412)
_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
_LAYER: Final = "application/vnd.oci.image.layer.v1.tar"


class RegistryClient:
    """One repository (`<project>/<name>`) and one credential."""

    def __init__(self, url: str, repository: str, user: str, password: str) -> None:
        """Store URL and credential; the token is requested at the first challenge."""
        self._repository = repository
        self._credential = (user, password)
        self._http = httpx.Client(base_url=url, timeout=30, trust_env=False)
        self._token = ""

    def push(self, tag: str, content: bytes) -> str:
        """Push an image with the layer `content`; return its digest. Raises `SystemRefusal`."""
        diff = {"type": "layers", "diff_ids": [_digest(content)]}
        config = {"architecture": "amd64", "os": "linux", "rootfs": diff}
        return self.push_artifact(tag, content, _LAYER, json.dumps(config).encode(), _CONFIG)

    def push_artifact(self, tag: str, content: bytes, layer: str, config: bytes, kind: str, title: str = "") -> str:
        """Push an artifact of one layer of the media type `layer`, with a configuration of the media type `kind`.

        `title` is the file name of the layer. Return the digest. Raises `SystemRefusal`.
        """
        described: dict[str, object] = {"mediaType": layer, **self._blob(content)}
        if title:
            described["annotations"] = {"org.opencontainers.image.title": title}
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": {"mediaType": kind, **self._blob(config)},
            "layers": [described],
        }
        body = json.dumps(manifest).encode()
        self._send("PUT", f"/v2/{self._repository}/manifests/{tag}", body, {"Content-Type": _MANIFEST})
        return _digest(body)

    def pull(self, tag: str) -> bytes:
        """Pull an image and return its layer.

        Raises `SystemRefusal`, and LabError if the layer does not match its digest.
        """
        manifest = self._send("GET", f"/v2/{self._repository}/manifests/{tag}", headers={"Accept": _MANIFEST}).json()
        digest = manifest["layers"][0]["digest"]
        content = self._send("GET", f"/v2/{self._repository}/blobs/{digest}").content
        if _digest(content) != digest:
            raise LabError(f"harbor: the layer of {self._repository}:{tag} is not {digest}")
        return content

    def _blob(self, content: bytes) -> dict[str, str | int]:
        started = self._send("POST", f"/v2/{self._repository}/blobs/uploads/")
        location = urljoin(str(self._http.base_url), started.headers["Location"])
        separator = "&" if "?" in location else "?"
        self._send(
            "PUT",
            f"{location}{separator}digest={_digest(content)}",
            content,
            {"Content-Type": "application/octet-stream"},
        )
        return {"digest": _digest(content), "size": len(content)}

    def _send(
        self, method: str, path: str, content: bytes | None = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        answer = self._try(method, path, content, headers)
        if answer.status_code == httpx.codes.UNAUTHORIZED and "WWW-Authenticate" in answer.headers:
            self._token = self._authenticate(answer.headers["WWW-Authenticate"])
            answer = self._try(method, path, content, headers)
        if answer.status_code in _REFUSALS:
            raise SystemRefusal(_SYSTEM, f"HTTP {answer.status_code} {answer.text}")
        if answer.is_error:
            raise LabError(
                f"harbor: {method} {path.split('?', maxsplit=1)[0]}: HTTP {answer.status_code} {answer.text[:200]}"
            )
        return answer

    def _try(self, method: str, path: str, content: bytes | None, headers: dict[str, str] | None) -> httpx.Response:
        authorization = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        return self._http.request(
            method, path, content=content, headers={**(headers or {}), **authorization}, follow_redirects=True
        )

    def _authenticate(self, challenge: str) -> str:
        """Get a token for the challenge. Its rights are limited to those of the credential."""
        asked = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        realm = asked.pop("realm", "")
        answer = self._http.get(realm, params=asked, auth=self._credential)
        if answer.status_code in _REFUSALS:
            raise SystemRefusal(_SYSTEM, f"HTTP {answer.status_code} {answer.text}")
        if answer.is_error:
            raise LabError(f"harbor: no token: HTTP {answer.status_code}")
        return str(answer.json()["token"])


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"

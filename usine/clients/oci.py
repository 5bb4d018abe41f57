"""A container registry, by the distribution protocol: tags, manifests, blobs, and what refers to a manifest."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode, urljoin, urlsplit

import requests

from usine.clients.base import Json
from usine.clients.errors import ClientError, refusal
from usine.clients.rest import RestClient
from usine.clients.session import TIMEOUT

#: An index of several platforms first: its digest is right on every machine.
_MANIFESTS: Final = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_TAG: Final = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_PARAMETER: Final = re.compile(r'(\w+)="([^"]*)"')
_TAGS_AT_ONCE: Final = 1000
_MOST_PAGES: Final = 30


@dataclass(frozen=True, slots=True)
class StoredContent:
    """Bytes of the registry, which have this digest."""

    digest: str
    content: bytes


class OciClient(RestClient):
    """The registry at `url`. `credential` is a user and a password; it is sent to this server only.

    Content is accepted only with the digest that was asked for.
    """

    def __init__(
        self, host: str, url: str, credential: tuple[str, str] | None = None, *, verify: str | bool = True
    ) -> None:
        """Prepare the session; nothing is sent yet."""
        super().__init__(host, f"{url}/v2", verify=verify)
        self._origin = url
        self._credential = credential
        self._tokens: dict[str, str] = {}

    def digest(self, repository: str, tag: str) -> str:
        """Return the digest that a tag has now. Raises ClientError."""
        # A HEAD is no pull: Docker Hub does not count it.
        path = f"{repository}/manifests/{tag}"
        with self._translated("HEAD", path):
            answer = self._answer("HEAD", repository, path, headers={"Accept": _MANIFESTS})
        digest = answer.headers.get("Docker-Content-Digest", "")
        if not _DIGEST.fullmatch(digest):
            raise ClientError(f"{self.system}: {path}: the answer has no digest")
        return digest

    def tags(self, repository: str) -> Iterator[str]:
        """Yield the tags of a repository. Raises ClientError."""
        path = f"{repository}/tags/list?n={_TAGS_AT_ONCE}"
        for _ in range(_MOST_PAGES):
            with self._translated("GET", path):
                answer = self._answer("GET", repository, path)
                names = answer.json().get("tags") or ()
            yield from (name for name in names if isinstance(name, str) and _TAG.fullmatch(name))
            following = answer.links.get("next", {}).get("url")
            if not following:
                return
            address = urlsplit(urljoin(f"{self._base}/{path}", following))
            if f"{address.scheme}://{address.netloc}" != self._origin:
                raise ClientError(f"{self.system}: {repository}: the list of tags continues at another server")
            path = f"{address.path.removeprefix('/v2/')}?{address.query}"

    def manifest(self, repository: str, reference: str) -> StoredContent | None:
        """Return a manifest by tag or digest, None if there is none. Raises ClientError."""
        return self._content(repository, f"{repository}/manifests/{reference}", reference, {"Accept": _MANIFESTS})

    def blob(self, repository: str, digest: str) -> StoredContent | None:
        """Return a blob, None if there is none. Raises ClientError."""
        return self._content(repository, f"{repository}/blobs/{digest}", digest, {})

    def referrers(self, repository: str, digest: str, artifact_type: str) -> tuple[str, ...]:
        """Return the digests of the manifests of this type that refer to a digest. Raises ClientError.

        A registry without this list answers 404: then nothing refers to it.
        """
        path = f"{repository}/referrers/{digest}?{urlencode({'artifactType': artifact_type})}"
        with self._translated("GET", path):
            answer = self._challenged("GET", repository, path, {})
            if answer.status_code == requests.codes.not_found:
                return ()
            answer.raise_for_status()
            found = answer.json()
        listed = found.get("manifests") if isinstance(found, dict) else None
        return tuple(
            str(item["digest"])
            for item in listed or ()
            # A registry may ignore the filter.
            if isinstance(item, dict) and item.get("artifactType") == artifact_type and "digest" in item
        )

    def _content(self, repository: str, path: str, reference: str, headers: dict[str, str]) -> StoredContent | None:
        with self._translated("GET", path):
            answer = self._challenged("GET", repository, path, headers)
        if answer.status_code == requests.codes.not_found:
            return None
        if not answer.ok:
            raise refusal(self.system, "GET", path, answer.status_code)
        digest = f"sha256:{hashlib.sha256(answer.content).hexdigest()}"
        if ":" in reference and reference != digest:
            raise ClientError(f"{self.system}: {path} has another content than its digest says")
        return StoredContent(digest, answer.content)

    def _answer(self, method: str, repository: str, path: str, **options: Json) -> requests.Response:
        answer = self._challenged(method, repository, path, options.pop("headers", {}))
        answer.raise_for_status()
        return answer

    def _challenged(self, method: str, repository: str, path: str, headers: dict[str, str]) -> requests.Response:
        """Send a request, with a token if the registry asks for one."""
        answer = self._with_token(method, repository, path, headers)
        if answer.status_code == requests.codes.unauthorized:
            self._tokens[repository] = self._token(repository, answer.headers.get("WWW-Authenticate", ""))
            answer = self._with_token(method, repository, path, headers)
        return answer

    def _with_token(self, method: str, repository: str, path: str, headers: dict[str, str]) -> requests.Response:
        token = self._tokens.get(repository)
        known = {"Authorization": f"Bearer {token}"} if token else {}
        # `requests` follows no redirect of a HEAD unless told so.
        return self._send(method, path, headers={**headers, **known}, allow_redirects=True)

    def _token(self, repository: str, challenge: str) -> str:
        """Return a token that may pull, from the place that the registry names."""
        scheme, _, rest = challenge.partition(" ")
        given = dict(_PARAMETER.findall(rest))
        realm = urlsplit(given.get("realm", ""))
        if scheme.lower() != "bearer" or realm.scheme not in {"https", urlsplit(self._origin).scheme}:
            raise ClientError(f"{self.system} refused {repository}: HTTP 401", reason="HTTP 401", status=401)
        ours = f"{realm.scheme}://{realm.netloc}" == self._origin
        answer = self.session.get(
            realm.geturl(),
            params={"service": given.get("service", ""), "scope": f"repository:{repository}:pull"},
            auth=self._credential if ours else None,
            verify=self.session.verify,
            timeout=TIMEOUT,
        )
        answer.raise_for_status()
        content = answer.json()
        return str(content.get("token") or content.get("access_token") or "")

"""GitLab's package registry of the job's project, with the job's token."""

from __future__ import annotations

import hashlib
import json
import os
import urllib.error
import urllib.request
import uuid
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final, cast
from urllib.parse import quote, urlencode

from usine_ci.problems import RefusedError
from usine_ci.text import clean

_TIMEOUT: Final = 120
_PAGE: Final = 100


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect, because the token would go with it."""

    def redirect_request(self, *_: object) -> None:
        """Refuse."""


@dataclass(frozen=True, slots=True)
class Package:
    """A version of a package in the registry."""

    id: int
    format: str
    name: str
    version: str


def variable(name: str) -> str:
    """Return a CI variable. Raises RefusedError without it."""
    value = os.environ.get(name, "")
    if not value:
        raise RefusedError(f"the variable {name} is missing: this command runs in a job of GitLab")
    return value


class Registry:
    """Requests to the registry."""

    def __init__(self) -> None:
        """Read the address and the token from the job's variables."""
        self._of = f"{variable('CI_API_V4_URL')}/projects/{quote(variable('CI_PROJECT_ID'))}/packages"
        self._token = variable("CI_JOB_TOKEN")
        self._opener = urllib.request.build_opener(_NoRedirects)

    def packages(self, kind: str = "", name: str = "") -> tuple[Package, ...]:
        """Return the packages of a format and an exact name, oldest first; without them, all."""
        query = {"package_type": kind, "package_name": name}
        wanted = {key: value for key, value in query.items() if value}
        found = [_package(each) for each in self._pages("", {**wanted, "order_by": "created_at", "sort": "asc"})]
        return tuple(each for each in found if each.version and name in ("", each.name))

    def files(self, package: Package) -> frozenset[str]:
        """Return the names of a package's files."""
        return frozenset(str(each["file_name"]) for each in self._pages(f"/{package.id}/package_files", {}))

    def put(self, path: str, file: Path) -> None:
        """Upload a file to a path below the registry."""
        self._send("PUT", path, file.read_bytes(), {"Content-Type": "application/octet-stream"})

    def upload_wheel(self, name: str, version: str, file: Path) -> None:
        """Upload a wheel with the form that twine sends."""
        content = file.read_bytes()
        fields = {
            ":action": "file_upload",
            "protocol_version": "1",
            "filetype": "bdist_wheel",
            "metadata_version": "2.1",
            "name": name,
            "version": version,
            "sha256_digest": hashlib.sha256(content).hexdigest(),
        }
        mark = uuid.uuid4().hex
        lines = [
            f'--{mark}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
            for key, value in fields.items()
        ]
        head = f'--{mark}\r\nContent-Disposition: form-data; name="content"; filename="{file.name}"\r\n\r\n'
        body = "".join([*lines, head]).encode() + content + f"\r\n--{mark}--\r\n".encode()
        self._send("POST", "/pypi", body, {"Content-Type": f"multipart/form-data; boundary={mark}"})

    def delete(self, package: Package) -> None:
        """Delete a version of a package."""
        self._send("DELETE", f"/{package.id}")

    def _pages(self, path: str, query: Mapping[str, str]) -> Iterator[Mapping[str, object]]:
        page = 1
        while page:
            text, following = self._send("GET", f"{path}?{urlencode({**query, 'per_page': _PAGE, 'page': page})}")
            yield from cast("list[Mapping[str, object]]", json.loads(text))
            page = int(following or 0)

    def _send(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[bytes, str]:
        """Send a request; return the answer and the number of the next page."""
        all_headers = {"JOB-TOKEN": self._token, **(headers or {})}
        if path == "/pypi":  # accepts the token of a job in basic authentication only
            del all_headers["JOB-TOKEN"]
            all_headers["Authorization"] = _basic("gitlab-ci-token", self._token)
        url = f"{self._of}{path}"
        if not url.startswith(("https://", "http://")):
            raise RefusedError("CI_API_V4_URL is no URL of GitLab")
        request = urllib.request.Request(url, data=body, headers=all_headers, method=method)  # noqa: S310 - checked above
        try:
            with self._opener.open(request, timeout=_TIMEOUT) as answer:
                return answer.read(), answer.headers.get("X-Next-Page") or ""
        except urllib.error.HTTPError as error:
            raise RefusedError(f"GitLab refused {method} {url}: {_reason(error)}") from None
        except urllib.error.URLError as error:
            raise RefusedError(f"GitLab does not answer at {url}: {clean(str(error.reason))}") from None


def _package(each: Mapping[str, object]) -> Package:
    return Package(int(str(each["id"])), str(each["package_type"]), str(each["name"]), str(each["version"] or ""))


def _basic(user: str, password: str) -> str:
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


def _reason(error: urllib.error.HTTPError) -> str:
    """Return GitLab's message."""
    try:
        content = json.loads(error.read(10_000))
        text = str(content.get("message") or content.get("error") or "") if isinstance(content, dict) else ""
    except (ValueError, OSError):
        text = ""
    return clean(text) or f"{error.code} {HTTPStatus(error.code).phrase}"

# ruff: noqa: ANN401 - JSON of a server has any type
"""A client of the Kubernetes API with discovery, a rate limit, and the server's error messages."""

from __future__ import annotations

import json
import ssl
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lab.plugins.http import httpx
from lab.plugins.kubernetes.kubeconfig import ClusterAccess
from lab.plugins.server import PluginError, proxied

Object = dict[str, Any]
APPLY: Final = "application/apply-patch+yaml"
JSON_PATCH: Final = "application/json-patch+json"
_KIND_MISSING: Final = "no matches for kind"


class KubeError(PluginError):
    """The API server refused; `code` and `reason` are those of its Status."""

    def __init__(self, code: int, reason: str, message: str, causes: list[Mapping[str, Any]] | None = None) -> None:
        """Use the server's message."""
        self.code = code
        self.reason = reason
        self.causes = causes or []
        super().__init__(message)


class NoMatchError(KubeError):
    """The API server does not serve the kind: its custom resource definition does not exist, or not yet."""

    def __init__(self, api_version: str, kind: str) -> None:
        """Make the official client's message."""
        super().__init__(404, "NoMatch", f'{_KIND_MISSING} "{kind}" in version "{api_version}"')


@dataclass(frozen=True)
class Mapped:
    """A kind from discovery: its path segment, and whether it is namespaced."""

    plural: str
    namespaced: bool


class Bucket:
    """A client-side rate limit: `qps` requests per second on average, `burst` at once."""

    def __init__(self, qps: float, burst: int) -> None:
        """Start with a full bucket."""
        self._qps, self._burst = qps, burst
        self._tokens, self._last = float(burst), time.monotonic()
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Wait for a token, and take it."""
        with self._lock:
            now = time.monotonic()
            self._tokens = min(self._burst, self._tokens + (now - self._last) * self._qps) - 1
            self._last = now
            delay = max(0.0, -self._tokens / self._qps)
        if delay:
            time.sleep(delay)


class Kube:
    """A client that many threads can share."""

    def __init__(self, access: ClusterAccess, *, qps: float, burst: int, timeout: float | None) -> None:
        """Store the settings; nothing is sent before the first request."""
        self._access = access
        self._bucket = Bucket(qps, burst)
        self._kinds: dict[str, dict[str, Mapped]] = {}
        self._lock = threading.Lock()
        self._http = httpx.Client(
            base_url=access.server,
            verify=_context(access),
            timeout=timeout or 60.0,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=100),
            trust_env=proxied(access.server),
        )

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        kind: str | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Object:
        """Send a request; return the JSON answer.

        Raises `KubeError` when the server refuses, `PluginError` when it cannot be reached.
        """
        self._bucket.wait()
        headers = {"Authorization": f"Bearer {self._access.token}"} if self._access.token else {}
        if body is not None:
            headers["Content-Type"] = kind or "application/json"
        try:
            response = self._http.request(
                method,
                path,
                content=None if body is None else json.dumps(body),
                params=dict(params or {}),
                headers=headers,
            )
        except httpx.HTTPError as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise PluginError(f"{method} {self._access.server}{path}: {reason}") from None
        if response.status_code >= httpx.codes.BAD_REQUEST:
            raise _fault(response)
        found: Object = response.json()
        return found

    # -- kinds --------------------------------------------------------------------------------------------------------

    def served(self, api_version: str, kind: str) -> Mapped | None:
        """Return the discovered kind, or None if the server does not serve it."""
        with self._lock:
            known = self._kinds.get(api_version)
        if known is None or kind not in known:
            base = f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
            try:
                listed = self.request("GET", base)["resources"]
            except KubeError as error:
                if error.code != httpx.codes.NOT_FOUND:
                    raise
                listed = []
            known = {r["kind"]: Mapped(r["name"], bool(r["namespaced"])) for r in listed if "/" not in r["name"]}
            with self._lock:
                self._kinds[api_version] = known
        return known.get(kind)

    def namespaced(self, api_version: str, kind: str) -> bool:
        """Whether a kind is namespaced; like upstream, unknown kinds are."""
        mapped = self.served(api_version, kind)
        return mapped is None or mapped.namespaced

    def collection(self, obj: Object) -> str:
        """Return the path of an object's collection; raises `NoMatchError` if its kind is not served."""
        api_version, kind = str(obj.get("apiVersion", "")), str(obj.get("kind", ""))
        mapped = self.served(api_version, kind)
        if mapped is None:
            raise NoMatchError(api_version, kind)
        base = f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
        if not mapped.namespaced:
            return f"{base}/{mapped.plural}"
        namespace = (obj.get("metadata") or {}).get("namespace") or "default"
        return f"{base}/namespaces/{namespace}/{mapped.plural}"

    # -- objects ------------------------------------------------------------------------------------------------------

    def get(self, obj: Object, name: str) -> Object:
        """Return the live object."""
        return self.request("GET", f"{self.collection(obj)}/{name}")

    def create(self, obj: Object, *, dry_run: bool) -> Object:
        """Create an object with the static field manager, as the official provider does.

        The first update takes it over.
        """
        params = {"fieldManager": "pulumi-kubernetes", **_dry(dry_run)}
        return self.request("POST", self.collection(obj), obj, params=params)

    def apply(self, obj: Object, manager: str, *, force: bool, dry_run: bool, strict: bool = False) -> Object:
        """Apply an object (server-side apply)."""
        params = {"fieldManager": manager, "force": "true" if force else "false", **_dry(dry_run)}
        if strict:
            params["fieldValidation"] = "Warn"
        path = f"{self.collection(obj)}/{obj['metadata']['name']}"
        return self.request("PATCH", path, obj, kind=APPLY, params=params)

    def patch_json(self, obj: Object, patch: list[Object]) -> Object:
        """Apply a JSON patch to a live object."""
        return self.request("PATCH", f"{self.collection(obj)}/{obj['metadata']['name']}", patch, kind=JSON_PATCH)

    def delete(self, obj: Object, name: str, propagation: str) -> None:
        """Request an object's deletion."""
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation}
        self.request("DELETE", f"{self.collection(obj)}/{name}", body)

    def version(self) -> tuple[int, int]:
        """Return the server's major and minor version."""
        found = self.request("GET", "/version")
        return int(found["major"]), int("".join(c for c in found["minor"] if c.isdigit()))


def _dry(dry_run: bool) -> dict[str, str]:
    return {"dryRun": "All"} if dry_run else {}


def _fault(response: httpx.Response) -> KubeError:
    try:
        status = response.json()
        message = " ".join(str(status["message"]).split())
        details = status.get("details") or {}
        return KubeError(response.status_code, str(status.get("reason", "")), message, details.get("causes"))
    except (ValueError, KeyError, TypeError):
        text = " ".join(response.text.split())[:500]
        return KubeError(response.status_code, "", text or f"the server answered {response.status_code}")


def _context(access: ClusterAccess) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=access.ca)
    except ssl.SSLError as error:
        raise PluginError(f"unable to load root certificates: {error.reason}") from None
    if not access.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if access.certificate and access.key:
        # The standard library reads a key pair only from a file: use a private one, and remove it before the first
        # request.
        with tempfile.NamedTemporaryFile("w", suffix=".pem", delete=False) as file:
            file.write(f"{access.certificate}\n{access.key}\n")
        try:
            context.load_cert_chain(file.name)
        except ssl.SSLError as error:
            raise PluginError(f"unable to load the client certificate: {error.reason}") from None
        finally:
            Path(file.name).unlink()
    return context

"""Kubernetes' API of one cluster, as a context of the kubeconfig reaches it."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from usine.clients.base import Json
from usine.clients.errors import AbsentError
from usine.clients.kubeconfig import read_context
from usine.clients.rest import RestClient
from usine.clients.session import RetryingAdapter

_METADATA_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_PAGE: Final = "500"


@dataclass(frozen=True, slots=True)
class KubernetesKind:
    """A kind as the API serves it: `api` is its path, `plural` its list. `metadata`: only the metadata is needed."""

    type: str
    api: str
    plural: str
    metadata: bool = True


NAMESPACE: Final = KubernetesKind("kubernetes:core/v1:Namespace", "api/v1", "namespaces")
SECRET: Final = KubernetesKind("kubernetes:core/v1:Secret", "api/v1", "secrets")


class KubernetesClient(RestClient):
    """An API server; `server` is its address."""

    def __init__(self, system: str, context: str, environment: Mapping[str, str]) -> None:
        """Read the kubeconfig; nothing is sent yet. Raises ClientError if it does not have the context."""
        access = read_context(context, environment)
        super().__init__(system, access.server)
        self.server = access.server
        self.session.auth = access.auth
        if access.tls is not None:
            self.session.verify = access.tls.verify_mode != ssl.CERT_NONE
            self.session.mount("https://", _TlsAdapter(access.tls, access.server_name))
        if access.proxy:
            self.session.proxies = {"http": access.proxy, "https": access.proxy}

    def items(self, kind: KubernetesKind, namespace: str | None = None, **query: str) -> Iterator[Json]:
        """Yield the objects of a kind, of one namespace or of all.

        A kind that the server does not serve (its definition is not installed) has no objects. A 404 alone is no proof
        of that: the client also reads the server's list of kinds.
        """
        try:
            yield from self.items_of_served(kind, namespace, **query)
        except AbsentError:
            if self._serves(kind):
                raise

    def items_of_served(self, kind: KubernetesKind, namespace: str | None = None, **query: str) -> Iterator[Json]:
        """Yield the objects of a kind that every server serves: a 404 is an error."""
        path = f"{kind.api}/{f'namespaces/{namespace}/' if namespace else ''}{kind.plural}"
        headers = {"Accept": _METADATA_ONLY if kind.metadata else "application/json"}
        after = ""
        while True:
            page = {"limit": _PAGE, **({"continue": after} if after else {})}
            found = self.request("GET", path, params={**page, **query}, headers=headers) or {}
            yield from found.get("items") or ()
            after = (found.get("metadata") or {}).get("continue") or ""
            if not after:
                return

    def plural(self, api: str, kind: str) -> str:
        """Return the name of a kind's list, as the server's own list of kinds has it. Raises LookupError."""
        for served in self._served(api):
            if served["kind"] == kind and "/" not in served["name"]:
                return str(served["name"])
        raise LookupError(kind)

    def _serves(self, kind: KubernetesKind) -> bool:
        return any(served["name"] == kind.plural for served in self._served(kind.api))

    def _served(self, api: str) -> Json:
        return (self.get(api) or {}).get("resources") or ()


class _TlsAdapter(RetryingAdapter):
    """Connects with a TLS context of its own."""

    def __init__(self, tls: ssl.SSLContext, server_name: str | None) -> None:
        self._options: dict[str, Any] = {"ssl_context": tls}
        if server_name:
            self._options |= {"server_hostname": server_name, "assert_hostname": server_name}
        super().__init__()

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **kwargs: Any) -> None:  # noqa: ANN401 - as in `requests`
        super().init_poolmanager(connections, maxsize, block, **kwargs, **self._options)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:  # noqa: ANN401 - urllib3's own parameters
        return super().proxy_manager_for(proxy, **kwargs, **self._options)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:  # noqa: ANN401, ARG002 - `requests`' own signature
        """Leave all to the context: `requests` would add the public authorities."""
        conn.cert_reqs = "CERT_REQUIRED" if verify else "CERT_NONE"

"""Connections to the registry behind Harbor; each request has a token of Harbor."""

from __future__ import annotations

from collections.abc import Iterable

import httpx

from lab.standins.harbor.site import HarborSite


class RegistryConnections:
    """Connections to the registry behind Harbor."""

    def __init__(self, site: HarborSite) -> None:
        """Store the site; the first request connects."""
        self.site = site
        self._client: httpx.AsyncClient | None = None

    @property
    def client(self) -> httpx.AsyncClient:
        """The connection pool for all requests."""
        if self._client is None:
            limit = httpx.Timeout(60, connect=5)
            self._client = httpx.AsyncClient(base_url=self.site.registry_url, timeout=limit, trust_env=False)
        return self._client

    def headers(self, repositories: Iterable[tuple[str, list[str]]]) -> dict[str, str]:
        """Return the credentials for actions on repositories."""
        access = [{"type": "repository", "name": name, "actions": actions} for name, actions in repositories]
        return {"Authorization": f"Bearer {self.site.tokens.own(access)}"}

    async def close(self) -> None:
        """Close the pool."""
        if self._client is not None:
            await self._client.aclose()

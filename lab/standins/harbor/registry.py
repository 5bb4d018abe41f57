"""Connections to the registry behind, each request with a token of Harbor's own."""

from __future__ import annotations

from collections.abc import Iterable

import httpx

from lab.standins.harbor.site import Site


class Registry:
    """Connections to the registry behind."""

    def __init__(self, site: Site) -> None:
        """Nothing is dialled before the first request."""
        self.site = site
        self._client: httpx.AsyncClient | None = None

    @property
    def client(self) -> httpx.AsyncClient:
        """One pool for all requests."""
        if self._client is None:
            limit = httpx.Timeout(60, connect=5)
            self._client = httpx.AsyncClient(base_url=self.site.registry_url, timeout=limit, trust_env=False)
        return self._client

    def headers(self, repositories: Iterable[tuple[str, list[str]]]) -> dict[str, str]:
        """Return the credentials for actions on repositories."""
        access = [{"type": "repository", "name": name, "actions": actions} for name, actions in repositories]
        return {"Authorization": f"Bearer {self.site.tokens.own(access)}"}

    def answers(self) -> bool:
        """Tell whether the registry serves; a blocking request."""
        try:
            found = httpx.get(f"{self.site.registry_url}/v2/", timeout=2, trust_env=False)
        except (httpx.HTTPError, httpx.InvalidURL):
            return False
        return found.status_code == httpx.codes.UNAUTHORIZED

    def collect_garbage(self) -> None:
        """Delete manifests that no artifact stands for any more; blocking."""
        store = self.site.store
        kept = {(item["repository_name"], item["digest"]) for item in store.find("artifact")}
        with httpx.Client(base_url=self.site.registry_url, timeout=30, trust_env=False) as http:
            for known in store.find("pushed"):
                name, digest = known["repository"], known["digest"]
                if (name, digest) in kept:
                    continue
                try:
                    http.delete(f"/v2/{name}/manifests/{digest}", headers=self.headers([(name, ["delete"])]))
                except (httpx.HTTPError, httpx.InvalidURL):
                    return  # the next run finds it again
                store.remove("pushed", known["id"])

    async def close(self) -> None:
        """Close the pool."""
        if self._client is not None:
            await self._client.aclose()

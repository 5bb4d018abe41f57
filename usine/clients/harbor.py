"""Harbor's API. An object's id in the provider plugin is its path in the API."""

from __future__ import annotations

from usine.clients.base import Json
from usine.clients.rest import RestClient


class HarborClient(RestClient):
    """A Harbor at `url`."""

    _page_size = "page_size"

    def __init__(self, url: str, user: str, password: str, *, verify: str | bool = True) -> None:
        """Prepare the session; nothing is sent yet."""
        super().__init__("Harbor", f"{url}/api/v2.0", verify=verify)
        self.session.auth = (user, password)

    def project_named(self, name: str) -> Json:
        """Return a project by its name, which may look like an id; None if there is none."""
        return self._or_none("GET", f"projects/{name}", headers={"X-Is-Resource-Name": "true"})

"""The state of a stand-in Harbor: store, keys, configuration, and common functions."""

from __future__ import annotations

import datetime
import ssl
from typing import Final

import httpx

from lab.standins.harbor import errors, secrecy
from lab.standins.harbor.settings import HarborConfiguration
from lab.standins.harbor.tokens import RegistryTokens
from lab.standins.serve import Configuration
from lab.standins.store import Document, Store

VERSION: Final = "v2.16.0-standin"
ADMIN_ID: Final = 1
SCANNER: Final = "Trivy"
#: Kinds of documents that belong to a project and are deleted with it.
_OF_A_PROJECT: Final = (
    "member", "robot", "quota", "retention", "immutable", "webhook", "label", "repository", "artifact", "tag", "blob",
)  # fmt: skip


def now() -> str:
    """Return the current time in Harbor's format: `2026-01-31T12:00:00.000Z`."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def timestamp() -> int:
    """Return the current time in seconds since 1970."""
    return int(datetime.datetime.now(datetime.UTC).timestamp())


class HarborSite:
    """Shared state. Options of the configuration: `registry` (its URL) and `ca` (a PEM file to verify the provider)."""

    def __init__(self, configuration: Configuration) -> None:
        """Open the data folder; a new one gets the content of a new installation."""
        configuration.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.configuration = configuration
        self.url = configuration.url.rstrip("/")
        self.registry_url = str(configuration.options.get("registry", "")).rstrip("/")
        self.store = Store(configuration.data / "harbor.sqlite")
        self.vault = secrecy.SecretCipher(configuration.data / "sealing.key")
        self.tokens = RegistryTokens(configuration.data)
        self.settings = HarborConfiguration(self.store, self.vault)
        self._install()

    def _install(self) -> None:
        with self.store.transaction():
            if self.store.get("user", ADMIN_ID) is None:
                self.store.add("user", {"username": "admin", "realname": "system admin", "email": "admin@example.com",
                                        "comment": "admin user", "sysadmin_flag": True, "created": now()})  # fmt: skip
            admin = self.store.get("user", ADMIN_ID) or {}
            if not secrecy.matches(self.configuration.token, admin.get("password")):
                self.store.put("user", {**admin, "password": secrecy.hashed(self.configuration.token)})
            if self.store.first("scanner") is None:
                self.store.add("scanner", {
                    "uuid": "8d5c1e2a-0000-4000-8000-000000000001", "name": SCANNER, "url": "http://trivy-adapter:8080",
                    "description": "The Trivy scanner adapter", "is_default": True, "immutable": True, "auth": "",
                    "use_internal_addr": True, "created": now(),
                })  # fmt: skip
            if self.store.first("project") is None:
                self.new_project("library", {"public": "true"}, storage=-1)

    def oidc_client(self) -> httpx.Client:
        """Return a client for the OIDC provider. Raises OSError if the CA file cannot be read."""
        verify: ssl.SSLContext | bool = False
        if self.settings.get("oidc_verify_cert"):
            authority = self.configuration.options.get("ca")
            verify = ssl.create_default_context(cafile=authority) if authority else True
        return httpx.Client(verify=verify, timeout=10, trust_env=False)

    # -- projects -----------------------------------------------------------------------------------------------------

    def new_project(self, name: str, metadata: dict[str, str], *, storage: int | None, registry: int = 0) -> Document:
        """Store a project with its allowlist, and with its quota if `storage` (bytes, -1 for no limit) is given."""
        project = self.store.add(
            "project",
            {"name": name, "owner_id": ADMIN_ID, "registry_id": registry, "metadata": metadata, "created": now(),
             "updated": now(), "cve_allowlist": {"items": [], "expires_at": None, "created": now()}},
        )  # fmt: skip
        if storage is not None:
            self.store.add("quota", {"project_id": project["id"], "storage": storage, "created": now()})
        return project

    def project(self, name_or_id: str | int) -> Document:
        """Return a project. Raises `HarborError` 404."""
        if isinstance(name_or_id, int):
            found = self.store.get("project", name_or_id)
        else:
            found = self.store.first("project", name=name_or_id)
        if found is None:
            raise errors.not_found(f"project {name_or_id}")
        return found

    def remove_project(self, project: Document) -> None:
        """Delete a project and all its objects."""
        for kind in _OF_A_PROJECT:
            for document in self.store.find(kind, project_id=project["id"]):
                self.store.remove(kind, document["id"])
        self.store.remove("project", project["id"])

    def default_scanner(self) -> Document | None:
        """Return the default scanner of projects."""
        return self.store.first("scanner", is_default=True)

    # -- users --------------------------------------------------------------------------------------------------------

    def mode_editable(self) -> bool:
        """Whether the authentication mode can change: only while the administrator is the only user."""
        return all(user["id"] == ADMIN_ID for user in self.store.find("user"))

    def group(self, name: str, kind: int) -> Document:
        """Return a user group, which is created if it is unknown."""
        known = self.store.first("group", group_name=name, group_type=kind)
        return known or self.store.add("group", {"group_name": name, "group_type": kind, "ldap_group_dn": ""})

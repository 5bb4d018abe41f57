"""The state of a stand-in GitLab: documents, settings, a key for secrets, and extensions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cryptography.fernet import Fernet

from lab.files import write_private
from lab.standins.serve import Configuration
from lab.standins.store import Document, Store

if TYPE_CHECKING:
    from lab.standins.gitlab.actors import Actor


class Repositories(Protocol):
    """Git repositories of projects, by the project's id. `site.repositories` is None without git."""

    def create(self, project: Document, files: Mapping[str, str] | None = None, author: Document | None = None) -> None:
        """Create an empty repository; with `files`, commit them on `project["default_branch"]` as a user."""

    def remove(self, project: Document) -> None:
        """Delete the repository."""

    def branches(self, project: Document) -> list[str]:
        """Return the names of the branches."""

    def tags(self, project: Document) -> list[str]:
        """Return the names of the tags."""

    def set_default_branch(self, project: Document, name: str) -> None:
        """Point HEAD at a branch."""


@dataclass(slots=True)
class GitLabSite:
    """One server. `token_kinds` are functions that resolve other secrets than access tokens, such as job tokens.

    `removing` are called with each project before its deletion, so that extensions delete their data. `created` are
    called with each new project, after its repository was created. `bridging` start the pipeline of a job with
    `trigger:` and return the job with the outcome. `settled` are called with each pipeline whose state has changed.
    """

    url: str
    data: Path
    store: Store
    edition: str = "free"
    options: Mapping[str, object] = field(default_factory=dict)
    repositories: Repositories | None = None
    token_kinds: list[Callable[[GitLabSite, str], Actor | None]] = field(default_factory=list)
    removing: list[Callable[[GitLabSite, Document], None]] = field(default_factory=list)
    created: list[Callable[[GitLabSite, Document], None]] = field(default_factory=list)
    bridging: list[Callable[[GitLabSite, Document], Document]] = field(default_factory=list)
    settled: list[Callable[[GitLabSite, Document], None]] = field(default_factory=list)
    _cipher: Fernet = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Read or generate the key that seals secrets at rest."""
        file = self.data / "secret.key"
        if not file.exists():
            write_private(file, Fernet.generate_key().decode())
        self._cipher = Fernet(file.read_text(encoding="ascii").strip())

    @classmethod
    def open(cls, configuration: Configuration) -> GitLabSite:
        """Open the data folder, which is created if it is missing."""
        configuration.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(
            url=configuration.url.rstrip("/"),
            data=configuration.data,
            store=Store(configuration.data / "gitlab.sqlite"),
            edition=str(configuration.options.get("edition", "free")),
            options=configuration.options,
        )

    @property
    def enterprise(self) -> bool:
        """Whether it is an Enterprise Edition, with a licence or without one (edition "free")."""
        return self.edition != "community"

    @property
    def premium(self) -> bool:
        """Whether the paid features exist."""
        return self.edition == "premium"

    @property
    def enforces_job_token_scope(self) -> bool:
        """Whether the instance enforces the allow lists of job tokens, GitLab's default.

        It is off unless an option sets it, so that a project that a user opens manually is reported as drift.
        """
        return bool(self.options.get("enforce_job_token_scope", False))

    def seal(self, text: str) -> str:
        """Encrypt a value that is needed later (a variable's value), because the file contains no secret in clear."""
        return self._cipher.encrypt(text.encode("utf-8", "surrogatepass")).decode()

    def unseal(self, sealed: str) -> str:
        """Return a decrypted value."""
        return self._cipher.decrypt(sealed.encode()).decode("utf-8", "surrogatepass")


def digest(secret: str) -> str:
    """Return the stored digest of a token, which is random enough to need no salt."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def now() -> str:
    """Return the current time in the API's format."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def today() -> str:
    """Return the current date, UTC."""
    return datetime.now(UTC).date().isoformat()

"""What one stand-in GitLab is made of: its documents, its settings, a key for what is secret, and its extensions."""

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
    """Git repositories of projects, by the project's id. `site.repositories` is None where git is left out."""

    def create(self, project: Document, files: Mapping[str, str] | None = None, author: Document | None = None) -> None:
        """Make an empty repository; with `files`, one commit of them on `project["default_branch"]`, by a user."""

    def remove(self, project: Document) -> None:
        """Delete the repository with all that is in it."""

    def branches(self, project: Document) -> list[str]:
        """Names of the branches; empty for an empty repository."""

    def tags(self, project: Document) -> list[str]:
        """Names of the tags."""

    def set_default_branch(self, project: Document, name: str) -> None:
        """Point HEAD at a branch."""


@dataclass(slots=True)
class Site:
    """One server. `token_kinds` resolve secrets that are not access tokens (job tokens): None where not theirs.

    `removing` are called with each project just before it is deleted for good: an extension drops what it keeps.
    `created` are called with each new project, after its repository was made. `bridging` start the pipeline that a job
    with `trigger:` asks for, and return the job with what became of it.
    """

    url: str
    data: Path
    store: Store
    edition: str = "free"
    options: Mapping[str, object] = field(default_factory=dict)
    repositories: Repositories | None = None
    token_kinds: list[Callable[[Site, str], Actor | None]] = field(default_factory=list)
    removing: list[Callable[[Site, Document], None]] = field(default_factory=list)
    created: list[Callable[[Site, Document], None]] = field(default_factory=list)
    bridging: list[Callable[[Site, Document], Document]] = field(default_factory=list)
    _cipher: Fernet = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Read the key that seals secrets at rest, or make it."""
        file = self.data / "secret.key"
        if not file.exists():
            write_private(file, Fernet.generate_key().decode())
        self._cipher = Fernet(file.read_text(encoding="ascii").strip())

    @classmethod
    def open(cls, configuration: Configuration) -> Site:
        """Open the data folder, made where it is missing."""
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
        """Whether it is the paid edition's build (EE), with a licence or (edition "free") without; else "community"."""
        return self.edition != "community"

    @property
    def premium(self) -> bool:
        """Whether the paid features exist."""
        return self.edition == "premium"

    @property
    def enforces_job_token_scope(self) -> bool:
        """Whether the administrator lets no project open itself to the jobs of all others, GitLab's default.

        Off unless an option says otherwise: what somebody opens by hand is then seen as drift.
        """
        return bool(self.options.get("enforce_job_token_scope", False))

    def seal(self, text: str) -> str:
        """Encrypt what has to be given back later (a variable's value): nothing secret is in the file in clear."""
        return self._cipher.encrypt(text.encode("utf-8", "surrogatepass")).decode()

    def unseal(self, sealed: str) -> str:
        """What was sealed."""
        return self._cipher.decrypt(sealed.encode()).decode("utf-8", "surrogatepass")


def digest(secret: str) -> str:
    """What is kept of a token: it is random enough to need no salt."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def now() -> str:
    """This moment as the API writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def today() -> str:
    """This day, UTC."""
    return datetime.now(UTC).date().isoformat()

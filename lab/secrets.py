"""Passwords and tokens of one local platform, generated for it and stored in a file that only its owner can read."""

from __future__ import annotations

import json
import os
import secrets as random
from dataclasses import asdict, dataclass, fields, replace

from lab.errors import LabError
from lab.files import write_private
from lab.home import LabHome

#: Variables with the administrator's credential of a real GitLab or Harbor (`lab.servers.external`).
GITLAB_TOKEN = "USINE_LAB_GITLAB_TOKEN"  # noqa: S105 - names of variables
HARBOR_PASSWORD = "USINE_LAB_HARBOR_PASSWORD"  # noqa: S105 - a variable's name


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """Every secret; empty if it does not exist yet. `repr` shows no value."""

    pulumi_passphrase: str = ""
    keycloak_user: str = ""
    keycloak_password: str = ""
    vault_token: str = ""
    vault_unseal_key: str = ""
    gitlab_token: str = ""
    harbor_user: str = ""
    harbor_password: str = ""
    sonarqube_password: str = ""
    sonarqube_token: str = ""

    def __repr__(self) -> str:
        """Return the names of the secrets that exist, without their values."""
        return f"Secrets({', '.join(name for name, value in asdict(self).items() if value)})"

    @classmethod
    def load(cls, home: LabHome) -> Secrets:
        """Read the file; all secrets are empty if there is none. Raises LabError when it is unreadable."""
        try:
            content = json.loads(home.secrets.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError):
            raise LabError(f"{home.secrets} cannot be read as secrets: delete it with `usine lab reset`") from None
        names = {field.name for field in fields(cls)}
        if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
            raise LabError(f"{home.secrets} cannot be read as secrets: delete it with `usine lab reset`")
        return cls(**{name: value for name, value in content.items() if name in names})

    def update(self, home: LabHome, **values: str) -> Secrets:
        """Change these values in the file, and return all secrets."""
        changed = replace(self, **values)
        write_private(home.secrets, json.dumps(asdict(changed), indent=2) + "\n")
        return changed

    @classmethod
    def ensure(cls, home: LabHome) -> Secrets:
        """Load the secrets and generate those that no server issues: the passphrase and administrators' passwords."""
        known = cls.load(home)
        real = {"gitlab": os.environ.get(GITLAB_TOKEN, ""), "harbor": os.environ.get(HARBOR_PASSWORD, "")}
        fresh = {
            "pulumi_passphrase": known.pulumi_passphrase or random.token_urlsafe(24),
            "keycloak_user": known.keycloak_user or "admin",
            "keycloak_password": known.keycloak_password or random.token_urlsafe(24),
            "gitlab_token": real["gitlab"] or known.gitlab_token or f"glpat-{random.token_urlsafe(15)}",
            "harbor_user": known.harbor_user or "admin",
            "harbor_password": real["harbor"] or known.harbor_password or random.token_urlsafe(24),
            # SonarQube requires a lower-case and an upper-case letter, a digit and a special character.
            "sonarqube_password": known.sonarqube_password or f"aA1-{random.token_urlsafe(24)}",
        }
        if (
            all(getattr(known, name) == value for name, value in fresh.items())
            and os.stat(home.secrets).st_mode & 0o077 == 0
        ):
            return known
        return known.update(home, **fresh)

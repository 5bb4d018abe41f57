"""A job's client of OpenBao: it logs in with the ID token from GitLab and reads secrets by path."""

from __future__ import annotations

from typing import Any, Final

import httpx

from lab.chain.transcript import SystemRefusal
from lab.errors import LabError

_SYSTEM: Final = "openbao"
#: Status codes of a refusal. OpenBao answers 400 to a log-in with wrong claims.
_REFUSALS: Final = (400, 403)


class JobVault:
    """OpenBao with the token of one log-in."""

    def __init__(self, url: str) -> None:
        """Store the URL."""
        self._http = httpx.Client(base_url=f"{url}/v1", timeout=30, trust_env=False)

    def log_in(self, role: str, identity: str) -> JobVault:
        """Log in with a job's ID token. Raises `SystemRefusal`."""
        answer = self._call("POST", "/auth/gitlab/login", json={"role": role, "jwt": identity})
        self._http.headers["X-Vault-Token"] = answer["auth"]["client_token"]
        return self

    def read(self, mount: str, path: str) -> dict[str, str]:
        """Return the fields of a secret. Raises `SystemRefusal`."""
        return dict(self._call("GET", f"/{mount}/data/{path}")["data"]["data"])

    def _call(self, method: str, path: str, **options: Any) -> Any:  # noqa: ANN401 - JSON
        answer = self._http.request(method, path, **options)
        if answer.status_code in _REFUSALS:
            raise SystemRefusal(_SYSTEM, f"HTTP {answer.status_code} {'; '.join(answer.json().get('errors', []))}")
        if answer.is_error:
            raise LabError(f"openbao: {method} {path}: HTTP {answer.status_code}")
        return answer.json()

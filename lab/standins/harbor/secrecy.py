"""Secrets at rest: salted hashes of passwords, and encryption with this server's key for other secrets."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
from pathlib import Path
from typing import Any, Final

from cryptography.fernet import Fernet, InvalidToken

from lab.files import write_private

_ROUNDS: Final = 4096
_ALPHABET: Final = string.ascii_letters + string.digits
_RULE: Final = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9]).{8,128}", re.DOTALL)
RULE_TEXT: Final = (
    "the secret must be 8-128, inclusively, characters long with at least 1 uppercase letter, "
    "1 lowercase letter and 1 number"
)


def acceptable(secret: str) -> bool:
    """Whether a secret satisfies Harbor's rule."""
    return _RULE.fullmatch(secret) is not None


def fresh() -> str:
    """Return a robot's secret: 32 letters and digits that satisfy the rule."""
    while True:
        made = "".join(secrets.choice(_ALPHABET) for _ in range(32))
        if acceptable(made):
            return made


def hashed(secret: str) -> dict[str, str]:
    """Return the stored form of a password: `{"salt": ..., "hash": ...}`."""
    salt = secrets.token_hex(16)
    return {"salt": salt, "hash": _digest(secret, salt)}


def matches(secret: str, kept: dict[str, Any] | None) -> bool:
    """Whether a password matches a stored one; None matches nothing."""
    if not kept:
        return False
    return hmac.compare_digest(_digest(secret, kept["salt"]), kept["hash"])


def _digest(secret: str, salt: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", secret.encode(), salt.encode(), _ROUNDS).hex()


class SecretCipher:
    """Encrypts and decrypts with a key in a private file (0600)."""

    def __init__(self, path: Path) -> None:
        """Read or generate the key."""
        if not path.exists():
            write_private(path, Fernet.generate_key())
        self._fernet = Fernet(path.read_bytes())

    def seal(self, secret: str) -> str:
        """Encrypt a text; an empty one stays empty."""
        return self._fernet.encrypt(secret.encode()).decode() if secret else ""

    def unseal(self, sealed: str) -> str:
        """Decrypt a text; empty if another key encrypted it."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode() if sealed else ""
        except InvalidToken:
            return ""

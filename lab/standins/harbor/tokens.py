"""The registry's tokens: JWTs that are signed here and that the registry verifies with the key's certificate.

Tokens of clients and of Harbor have different issuers. The registry accepts only Harbor's, so clients cannot bypass
quota and immutable tags with direct requests.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import secrets
from pathlib import Path
from typing import Any, Final

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from lab.files import write_private

ISSUER: Final = "harbor-token-issuer"
#: The issuer that the registry trusts.
REGISTRY_ISSUER: Final = "harbor-core"
SERVICE: Final = "harbor-registry"
_LIFE: Final = datetime.timedelta(days=3650)
_LONGEST: Final = 366 * 24 * 60
Access = list[dict[str, Any]]


def ensure_key(folder: Path) -> tuple[Path, Path]:
    """Create the key and its self-signed certificate if they are missing; return (certificate, key), both PEM."""
    certificate, key = folder / "token.pem", folder / "token.key"
    if certificate.exists() and key.exists():
        return certificate, key
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ISSUER)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + _LIFE)
        .sign(private, hashes.SHA256())
    )
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_private(key, pem)
    write_private(certificate, made.public_bytes(serialization.Encoding.PEM))
    return certificate, key


class RegistryTokens:
    """Signs and verifies tokens."""

    def __init__(self, folder: Path) -> None:
        """Load the key of `ensure_key`."""
        _certificate, path = ensure_key(folder)
        loaded = serialization.load_pem_private_key(path.read_bytes(), None)
        if not isinstance(loaded, rsa.RSAPrivateKey):
            raise TypeError(f"{path} is not an RSA key")
        self._key = loaded
        self._kid = _thumbprint(loaded.public_key())

    def make(self, subject: str, access: Access, minutes: int) -> dict[str, Any]:
        """Return Harbor's answer to `/service/token`: `{"token", "expires_in", "issued_at"}`."""
        now = datetime.datetime.now(datetime.UTC)
        issued = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"token": self._sign(ISSUER, subject, access, minutes), "expires_in": minutes * 60, "issued_at": issued}

    def own(self, access: Access) -> str:
        """Return a token for one request of Harbor to the registry."""
        return self._sign(REGISTRY_ISSUER, "harbor", access, 5)

    def _sign(self, issuer: str, subject: str, access: Access, minutes: int) -> str:
        now = datetime.datetime.now(datetime.UTC)
        claims = {
            "iss": issuer,
            "sub": subject,
            "aud": [SERVICE],
            "exp": now + datetime.timedelta(minutes=min(minutes, _LONGEST)),
            "nbf": now,
            "iat": now,
            "jti": secrets.token_hex(8),
            "access": access,
        }
        return jwt.encode(claims, self._key, "RS256", {"kid": self._kid})

    def read(self, token: str) -> dict[str, Any] | None:
        """Return the claims of a valid token that was signed here, else None."""
        try:
            claims: dict[str, Any] = jwt.decode(
                token, self._key.public_key(), ["RS256"], audience=SERVICE, issuer=ISSUER, leeway=60
            )
        except jwt.InvalidTokenError:
            return None
        return claims


def _thumbprint(key: rsa.RSAPublicKey) -> str:
    """Return the key's RFC 7638 thumbprint, with which the registry names trusted keys."""
    numbers = key.public_numbers()
    members = {"e": _number(numbers.e), "kty": "RSA", "n": _number(numbers.n)}
    digest = hashlib.sha256(json.dumps(members, separators=(",", ":"), sort_keys=True).encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _number(value: int) -> str:
    raw = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

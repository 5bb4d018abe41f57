"""The public keys of a cluster's issuer, from the file that the settings name."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_CURVES: Final[Mapping[str, ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
}
#: Members of a JSON Web Key that only a private or a symmetric key has (RFC 7518).
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_SMALLEST_RSA: Final = 2048


def pem_of_keys(text: str) -> str:
    """Return the public keys of a JSON Web Key Set as PEM texts, one after the other, as Vault takes them.

    Raises ValueError for a file without keys, and for one with a private key, without quoting it.
    """
    try:
        listed = json.loads(text)["keys"]
        keys = [dict(key) for key in listed]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError("expected a JSON Web Key Set, as `kubectl get --raw /openid/v1/jwks` prints it") from None
    if not keys:
        raise ValueError("the JSON Web Key Set has no key")
    if any(_PRIVATE & key.keys() for key in keys):
        raise ValueError("a key is private or symmetric (not shown): expected public keys only")
    return "\n".join(_pem(key) for key in keys)


def _pem(key: dict[str, object]) -> str:
    made: rsa.RSAPublicKey | ec.EllipticCurvePublicKey | None = None
    try:
        if key.get("kty") == "RSA":
            made = rsa.RSAPublicNumbers(_number(key["e"]), _number(key["n"])).public_key()
        elif key.get("kty") == "EC":
            curve = _CURVES[str(key["crv"])]
            made = ec.EllipticCurvePublicNumbers(_number(key["x"]), _number(key["y"]), curve).public_key()
    except (ValueError, KeyError, TypeError, binascii.Error):
        made = None
    if made is None or (isinstance(made, rsa.RSAPublicKey) and made.key_size < _SMALLEST_RSA):
        raise ValueError("a key is neither RSA of 2048 bits or more nor on P-256, P-384 or P-521")
    return made.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode().strip()


def _number(value: object) -> int:
    text = str(value)
    return int.from_bytes(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))

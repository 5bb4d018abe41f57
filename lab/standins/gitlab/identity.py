"""The instance as an OpenID provider for CI jobs: keys, signed tokens, discovery document.

Keys are generated once and stored in `identity.json` in the data folder, which only its owner can read. After `rotate`,
a new key signs; the previous one is still published, so its tokens stay valid until they expire.
"""

from __future__ import annotations

import json
import threading
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from lab.files import write_private
from lab.standins.gitlab.routing import Router
from lab.standins.gitlab.site import GitLabSite
from lab.standins.needs import Need, needed_by

router = Router("identity")

_ALGORITHM: Final = "RS256"
_BITS: Final = 2048
_FILE: Final = "identity.json"
_lock = threading.Lock()


def install(site: GitLabSite) -> None:
    """Generate the first key."""
    _keys(site)


def sign(site: GitLabSite, claims: dict[str, Any]) -> str:
    """Return a signed token with these claims."""
    key = _load(_keys(site)[0])
    return jwt.encode(claims, key, algorithm=_ALGORITHM, headers={"kid": _thumbprint(key.public_key())})


def rotate(site: GitLabSite) -> None:
    """Sign with a new key from now on; the previous one stays published."""
    with _lock:
        _write(site, [_generate(), *_read(site)[:1]])


def published(site: GitLabSite) -> list[dict[str, Any]]:
    """Return the public keys as JWKs, the signing key first."""
    found = []
    for text in _keys(site):
        public = _load(text).public_key()
        content = RSAAlgorithm.to_jwk(public, as_dict=True)
        content.pop("key_ops", None)
        found.append({**content, "kid": _thumbprint(public), "use": "sig", "alg": _ALGORITHM})
    return found


def discovery(site: GitLabSite) -> dict[str, Any]:
    """Return the discovery document, with the fields that verifiers of CI tokens read."""
    url = site.url
    return {
        "issuer": url,
        "authorization_endpoint": f"{url}/oauth/authorize",
        "token_endpoint": f"{url}/oauth/token",
        "revocation_endpoint": f"{url}/oauth/revoke",
        "introspection_endpoint": f"{url}/oauth/introspect",
        "userinfo_endpoint": f"{url}/oauth/userinfo",
        "jwks_uri": f"{url}/oauth/discovery/keys",
        "scopes_supported": ["api", "read_api", "read_user", "read_repository", "write_repository", "openid"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [_ALGORITHM],
        "claim_types_supported": ["normal"],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "namespace_id", "project_id", "ref_protected"],
    }


@router.fastapi.get("/.well-known/openid-configuration", operation_id="identity_discovery")
@needed_by(Need.PROGRAM, trace="oidc_discovery_url")
def _discovery(request: Request) -> Response:
    """Return the discovery document."""
    return JSONResponse(discovery(request.app.state.site))


@router.fastapi.get("/oauth/discovery/keys", operation_id="identity_keys")
@needed_by(Need.PROGRAM, trace="oidc_discovery_url")
def _published(request: Request) -> Response:
    """Return the keys that verify CI tokens."""
    return JSONResponse({"keys": published(request.app.state.site)})


# Storage of keys ------------------------------------------------------------------------------------------------------


def _keys(site: GitLabSite) -> list[str]:
    with _lock:
        found = _read(site)
        if not found:
            found = [_generate()]
            _write(site, found)
        return found


def _read(site: GitLabSite) -> list[str]:
    try:
        return [str(text) for text in json.loads((site.data / _FILE).read_text(encoding="ascii"))]
    except FileNotFoundError:
        return []


def _write(site: GitLabSite, keys: list[str]) -> None:
    write_private(site.data / _FILE, json.dumps(keys))


def _generate() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def _load(text: str) -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key(text.encode(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)  # noqa: S101 - created here
    return key


def _thumbprint(key: rsa.RSAPublicKey) -> str:
    """RFC 7638: the digest of the key's required members."""
    content = RSAAlgorithm.to_jwk(key, as_dict=True)
    required = json.dumps({name: content[name] for name in ("e", "kty", "n")}, separators=(",", ":"), sort_keys=True)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(required.encode())
    return jwt.utils.base64url_encode(digest.finalize()).decode()

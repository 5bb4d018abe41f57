"""Verifies users' ID tokens with the provider's keys from discovery, as Harbor does for `Authorization: Bearer`.

Harbor creates a user at the first log-in with a browser, which does not exist here. Instead, the first valid token
creates the user if `oidc_auto_onboard` is set; otherwise a user with that name must exist.
"""

from __future__ import annotations

import re
import threading
import time
from typing import Any, Final

import httpx
import jwt

from lab.standins.harbor.principals import UserPrincipal
from lab.standins.harbor.site import HarborSite, now

_FRESH: Final = 300.0
_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "EdDSA")
_GROUP_TYPE: Final = 3


class Provider:
    """The configured provider's keys, with a cache."""

    def __init__(self, site: HarborSite) -> None:
        """Start with an empty cache; the first token needs the first request."""
        self._site = site
        self._lock = threading.Lock()
        self._known: tuple[str, str, dict[str, jwt.PyJWK], float] | None = None

    def person(self, token: str) -> UserPrincipal | None:
        """Return the user of a token, or None if it is not valid for this Harbor."""
        settings = self._site.settings
        if settings.get("auth_mode") != "oidc_auth" or not settings.get("oidc_endpoint"):
            return None
        try:
            claims = self._verify(token)
        except (jwt.PyJWTError, httpx.HTTPError, OSError, ValueError, KeyError, TypeError):
            return None
        return self._known_person(claims)

    def _verify(self, token: str) -> dict[str, Any]:
        kid = str(jwt.get_unverified_header(token).get("kid", ""))
        issuer, keys = self._keys(kid)
        key = keys.get(kid) or next(iter(keys.values()))
        client = str(self._site.settings.get("oidc_client_id"))
        claims: dict[str, Any] = jwt.decode(
            token, key, list(_ALGORITHMS), audience=client, issuer=issuer, options={"require": ["exp", "sub"]}
        )
        return claims

    def _keys(self, kid: str) -> tuple[str, dict[str, jwt.PyJWK]]:
        endpoint = str(self._site.settings.get("oidc_endpoint")).rstrip("/")
        with self._lock:
            if self._known is not None:
                known, issuer, keys, since = self._known
                if known == endpoint and kid in keys and time.monotonic() - since < _FRESH:
                    return issuer, keys
            with self._site.oidc_client() as http:
                found = http.get(f"{endpoint}/.well-known/openid-configuration").raise_for_status().json()
                published = http.get(found["jwks_uri"]).raise_for_status().json()
            usable = [key for key in published["keys"] if key.get("use", "sig") == "sig"]
            keys = {key.key_id or "": key for key in jwt.PyJWKSet(usable).keys}
            self._known = (endpoint, str(found["issuer"]), keys, time.monotonic())
            return str(found["issuer"]), keys

    def _known_person(self, claims: dict[str, Any]) -> UserPrincipal | None:
        site, settings = self._site, self._site.settings
        subject = f"{claims['sub']}{claims['iss']}"
        name = claims.get(settings.get("oidc_user_claim") or "name")
        with site.store.transaction():
            user = site.store.first("user", subiss=subject)
            if user is None:
                user = site.store.first("user", username=name) if isinstance(name, str) else None
                if user is not None and (user.get("subiss") or user.get("password")):
                    return None  # another user has that name
                if user is None and not (isinstance(name, str) and name and settings.get("oidc_auto_onboard")):
                    return None
                user = user or site.store.add("user", {"username": name, "sysadmin_flag": False, "created": now()})
            groups = self._groups(claims)
            ids = [site.group(group, _GROUP_TYPE)["id"] for group in groups if self._kept(group)]
            fresh = {
                **user,
                "subiss": subject,
                "email": claims.get("email") or user.get("email") or "",
                "group_ids": ids,
                "admin_role_in_auth": bool(groups) and settings.get("oidc_admin_group") in groups,
            }
            if fresh != user:
                site.store.put("user", fresh)
        return UserPrincipal(site, fresh, tuple(ids), elevated=fresh["admin_role_in_auth"])

    def _groups(self, claims: dict[str, Any]) -> list[str]:
        found = claims.get(self._site.settings.get("oidc_groups_claim") or "")
        if isinstance(found, str):
            return [found]
        return [group for group in found if isinstance(group, str)] if isinstance(found, list) else []

    def _kept(self, group: str) -> bool:
        pattern = self._site.settings.get("oidc_group_filter")
        try:
            return not pattern or re.search(pattern, group) is not None
        except re.error:
            return True

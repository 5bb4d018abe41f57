"""Passwords for users of the local platform's realm."""

from __future__ import annotations

import secrets

from keycloak import KeycloakConnectionError, KeycloakError
from requests.exceptions import RequestException

from lab.errors import LabError
from lab.home import LabHome
from lab.servers import keycloak
from lab.servers.kubernetes import REALM


def set_password(home: LabHome, user: str, realm: str = REALM) -> str:
    """Set a new password for a user, valid at once, and return it. Raises LabError if there is no such user."""
    password = f"{secrets.token_urlsafe(15)}-aA1"  # the suffix satisfies any password policy about kinds of characters
    try:
        admin = keycloak.admin(home)
        admin.change_current_realm(realm)
        identifier = admin.get_user_id(user)
        if identifier is None:
            raise LabError(f"realm {realm} has no user {user!r}: `usine up` creates the users of the tenant files")
        admin.set_user_password(identifier, password, temporary=False)
    except (RequestException, OSError, KeycloakConnectionError):
        raise LabError("keycloak does not answer: see `usine lab status`, start it with `usine lab up`") from None
    except KeycloakError as error:
        raise LabError(f"keycloak does not set the password: {_reason(error)}") from None
    return password


def _reason(error: Exception) -> str:
    code = getattr(error, "response_code", None)
    return f"{type(error).__name__} (HTTP {code})" if code else type(error).__name__

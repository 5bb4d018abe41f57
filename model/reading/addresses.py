"""Addresses a file may hold: https URLs, DNS names, e-mail addresses. None of the messages repeats the address."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from model.texts import has_userinfo, may_be_secret

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")
_ADDRESS_V4 = re.compile(r"(?:0x[0-9a-f]+|[0-9]+)(?:\.(?:0x[0-9a-f]+|[0-9]+))*")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*")
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@([A-Za-z0-9.-]+)")
_INSIDE: Final = ("localhost", "cluster.local", "svc", "localdomain")

_LONGEST_HOST = 253
_LONGEST_URL = 500

HOST_PATTERN = rf"^{_LABEL}(?:\.{_LABEL})+$"
URL_PATTERN = rf"^https://{_LABEL}(?:\.{_LABEL})+(?::[0-9]{{1,5}})?(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*$"
EMAIL_PATTERN = r"^[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]+\.[A-Za-z0-9-]+$"


def parse_host(text: str) -> str:
    """Return a lower-case DNS name of at least two labels. Raises ValueError."""
    if has_userinfo(text):
        raise ValueError("a URL with a user or a password in it (not shown): give the host name alone")
    if "://" in text or "/" in text:
        raise ValueError("expected a host name alone, such as api.example.fr: no https:// and no path")
    if "*" in text:
        raise ValueError("a wildcard is not possible: name each host")
    if _ADDRESS_V4.fullmatch(text.lower()) or ":" in text:
        raise ValueError("expected a host name such as api.example.fr, not an address or a port")
    if text != text.lower() and _HOST.fullmatch(text.lower()) and not may_be_secret(text):
        raise ValueError(f"write the host name in lower case: {text.lower()}")
    if len(text) > _LONGEST_HOST or not _HOST.fullmatch(text):
        raise ValueError("expected a full host name in lower case, such as api.example.fr")
    if any(text == name or text.endswith(f".{name}") for name in _INSIDE):
        raise ValueError("a name inside the platform: only hosts beyond it can be opened")
    return text


def parse_url(text: str) -> str:
    """Return an https URL with a host name and a path at most. Raises ValueError."""
    if has_userinfo(text):
        raise ValueError(
            "the URL holds a user or a password (not shown): revoke it if it is real, put it into Vault, "
            "and write the URL without it"
        )
    if len(text) > _LONGEST_URL:
        raise ValueError(f"longer than {_LONGEST_URL} characters")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("not a URL: the host or the port cannot be read") from None
    if parts.scheme != "https":
        raise ValueError("expected a URL that starts with https://")
    if parts.query or parts.fragment or "?" in text or "#" in text:
        raise ValueError("a URL here ends with its path: no ? and no #")
    if port is not None and not 0 < port < 65536:  # noqa: PLR2004 - TCP ports
        raise ValueError("a port goes from 1 to 65535")
    host = text.removeprefix("https://").split("/", 1)[0]
    host = host.rsplit(":", 1)[0] if port is not None else host
    try:
        parse_host(host)
    except ValueError as error:
        raise ValueError(f"the host: {error}") from None
    if not _PATH.fullmatch(parts.path) or ".." in parts.path.split("/") or any(c in text for c in " \t\n\\"):
        raise ValueError("the path of the URL holds a character or a part (..) that is not allowed")
    return text


def parse_email(text: str) -> str:
    """Return an e-mail address, without name or brackets. Raises ValueError."""
    match = _EMAIL.fullmatch(text)
    if match is None or ".." in text or text.startswith(".") or not _HOST.fullmatch(match[1].lower()):
        raise ValueError("expected an e-mail address such as team@example.fr")
    return text

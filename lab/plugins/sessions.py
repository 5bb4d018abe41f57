"""Sessions of `requests` for the plugins of vault, gitlab and harbor."""

from __future__ import annotations

from typing import Final

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from lab.plugins.server import proxied

_POOL: Final = 64


def session(url: str, retries: Retry | int = 0) -> requests.Session:
    """Return a session that many threads can share."""
    made = requests.Session()
    made.trust_env = proxied(url)
    adapter = HTTPAdapter(pool_connections=4, pool_maxsize=_POOL, max_retries=retries)
    made.mount("http://", adapter)
    made.mount("https://", adapter)
    return made


def cause(error: BaseException) -> str:
    """Return a short message for the root of a chain of connection errors."""
    reason = getattr(error.args[0], "reason", error) if error.args else error
    return " ".join(str(reason).split())

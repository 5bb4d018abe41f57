"""httpx without its command line, whose packages take 40 ms to load at every run."""

import sys
from typing import Any

_modules: dict[str, Any] = sys.modules
# None makes the import fail; httpx then treats its command line as not installed.
_modules.setdefault("httpx._main", None)

import httpx  # noqa: E402 - after the line above, on purpose

__all__ = ["httpx"]

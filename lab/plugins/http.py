"""httpx without its command line, whose packages take 40 ms that the engine would wait for at every run."""

import sys
from typing import Any

_modules: dict[str, Any] = sys.modules
# None makes the import fail, which httpx takes for a command line that is not installed.
_modules.setdefault("httpx._main", None)

import httpx  # noqa: E402 - after the line above, on purpose

__all__ = ["httpx"]

"""Values of a tool's JSON report, with a type. What is missing or of another type is empty."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from usine_ci.problems import RefusedError

Object = Mapping[str, object]


def read(path: Path) -> object:
    """Return the content of a JSON file. Raises RefusedError: a tool that failed leaves half a report, or none."""
    try:
        value: object = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise RefusedError(f"{path}: no such report; the scanner has failed, see its messages above") from None
    except (ValueError, RecursionError):
        raise RefusedError(f"{path}: not JSON; the scanner has failed, see its messages above") from None
    return value


def unlike(tool: str, path: Path) -> RefusedError:
    """Return the error for a report of another shape."""
    return RefusedError(f"{path}: not a JSON report of {tool}: is --tool right?")


def mapping(value: object) -> Object:
    """Return an object."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> Sequence[object]:
    """Return a list."""
    return value if isinstance(value, list) else ()


def text(value: object) -> str:
    """Return a text."""
    return value if isinstance(value, str) else ""


def number(value: object, least: int = 0) -> int:
    """Return a whole number of at least `least`."""
    return max(value, least) if isinstance(value, int) and not isinstance(value, bool) else least

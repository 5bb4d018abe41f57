"""The engine's event log, and the texts of its messages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_COLOUR = re.compile(r"<\{%[^%]*%\}>|\x1b\[[0-9;]*m")
#: A line that only counts errors: Terraform's providers begin with one, the engine may put words before it.
_COUNT = re.compile(r"(?:.*\s)?\d+ errors? occurred:")


def read_log(log: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the events of a log, one JSON object a line. A missing file is empty; half a last line is left out."""
    if not log.exists():
        return
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                return


def message_text(message: str) -> str:
    """Return a message without colours and surrounding blanks."""
    return _COLOUR.sub("", message).strip()


def only_counts(line: str) -> bool:
    """Return whether a line of a message says how many errors there are, and nothing about them."""
    return _COUNT.fullmatch(line) is not None

"""When a finding was first seen, whether it is still there, what is gone: one JSON file a look, kept as artifacts.

A look reads the newest file that can be read and writes its own. No history, or a broken one, only means that nothing
is known of before.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from usine.drift.findings import Finding, Unseen

VERSION = 1
#: Looks kept in one folder: two months of nights.
MOST_KEPT = 60
_NAME = re.compile(r"\d{8}T\d{6}Z\.json\Z")


@dataclass(frozen=True, slots=True)
class Past:
    """What the looks before knew. `since` is when each finding was first seen, by its key, as ISO 8601 in UTC.

    `looked_at` is empty when there was none.
    """

    looked_at: str = ""
    since: Mapping[str, str] = field(default_factory=dict)
    findings: Mapping[str, Finding] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class History:
    """A look beside those before. `gone` were there the last time and are not now; `since` is of what is there.

    `lasting` were there the last time, in a part that could not be looked at now: nobody knows of them.
    """

    looked_at: str
    since: Mapping[str, str]
    gone: tuple[Finding, ...] = ()
    lasting: tuple[Finding, ...] = ()


def stamp(moment: datetime.datetime) -> str:
    """Write a moment as ISO 8601 in UTC, to the second."""
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_past(folder: Path) -> Past:
    """Read the newest look of a folder that can be read."""
    for path in reversed(_looks(folder)):
        try:
            return _past(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
    return Past()


def _past(document: Any) -> Past:  # noqa: ANN401 - JSON
    if document["version"] != VERSION:
        raise ValueError("another version")
    entries = [(Finding.from_json(entry), str(entry["since"])) for entry in document["findings"]]
    return Past(
        str(document["lookedAt"]),
        {finding.key: since for finding, since in entries},
        {finding.key: finding for finding, _ in entries},
    )


def compare(past: Past, findings: Iterable[Finding], unseen: Iterable[Unseen], now: str) -> History:
    """Set a look beside those before; `now` is when it was made."""
    here = {finding.key: past.since.get(finding.key, now) for finding in findings}
    blind = {(part.tenant, part.system) for part in unseen}
    away = [finding for key, finding in past.findings.items() if key not in here]
    lasting = tuple(finding for finding in away if (finding.tenant, finding.system) in blind)
    return History(now, here, tuple(finding for finding in away if finding not in lasting), lasting)


def write(
    folder: Path, stack: str, history: History, past: Past, findings: Sequence[Finding], unseen: Sequence[Unseen]
) -> Path:
    """Write a look, delete the oldest beyond `MOST_KEPT`, and return the file. Raises OSError."""
    rows = [{**finding.to_json(), "since": history.since[finding.key]} for finding in findings]
    rows += [
        {**finding.to_json(), "since": past.since[finding.key], "notLookedAt": True} for finding in history.lasting
    ]
    document = {
        "version": VERSION,
        "stack": stack,
        "lookedAt": history.looked_at,
        "lookedAtBefore": past.looked_at or None,
        "couldNotLook": [{"tenant": part.tenant, "system": part.system, "why": part.why} for part in unseen],
        "findings": rows,
        "gone": [{**finding.to_json(), "since": past.since[finding.key]} for finding in history.gone],
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{re.sub('[-:]', '', history.looked_at)}.json"
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=folder, suffix=".tmp", delete=False) as file:
        json.dump(document, file, indent=1, ensure_ascii=False)
        file.write("\n")
    os.replace(file.name, path)
    for old in _looks(folder)[:-MOST_KEPT]:
        old.unlink(missing_ok=True)
    return path


def _looks(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if _NAME.match(path.name))
    except OSError:
        return []

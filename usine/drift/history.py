"""The history of drift scans: when each finding was first seen, and which are gone. One JSON file per scan.

A scan reads the newest file that can be read, and writes its own. Without a history, or with a broken one, every
finding is new.
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

from usine.drift.findings import DriftFinding, Unseen

VERSION = 1
#: Scans kept in one folder: two months of nightly scans.
MOST_KEPT = 60
_NAME = re.compile(r"\d{8}T\d{6}Z\.json\Z")


@dataclass(frozen=True, slots=True)
class Past:
    """The previous scan. `since` is when each finding was first seen, by its key, as ISO 8601 in UTC.

    `looked_at` is empty if there was none.
    """

    looked_at: str = ""
    since: Mapping[str, str] = field(default_factory=dict)
    findings: Mapping[str, DriftFinding] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class History:
    """A scan compared with the previous one. `gone` are findings that are no longer there.

    `lasting` are findings of the previous scan in parts that could not be scanned this time. `since` is as in `Past`.
    """

    looked_at: str
    since: Mapping[str, str]
    gone: tuple[DriftFinding, ...] = ()
    lasting: tuple[DriftFinding, ...] = ()


def stamp(moment: datetime.datetime) -> str:
    """Write a moment as ISO 8601 in UTC, to the second."""
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_past(folder: Path) -> Past:
    """Read the newest scan of a folder that can be read."""
    for path in reversed(_files(folder)):
        try:
            return _past(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
    return Past()


def _past(document: Any) -> Past:  # noqa: ANN401 - JSON
    if document["version"] != VERSION:
        raise ValueError("another version")
    entries = [(DriftFinding.from_json(entry), str(entry["since"])) for entry in document["findings"]]
    return Past(
        str(document["lookedAt"]),
        {finding.key: since for finding, since in entries},
        {finding.key: finding for finding, _ in entries},
    )


def compare(past: Past, findings: Iterable[DriftFinding], unseen: Iterable[Unseen], now: str) -> History:
    """Compare a scan with the previous one; `now` is the time of the scan."""
    here = {finding.key: past.since.get(finding.key, now) for finding in findings}
    blind = {(part.tenant, part.system) for part in unseen}
    away = [finding for key, finding in past.findings.items() if key not in here]
    lasting = tuple(finding for finding in away if (finding.tenant, finding.system) in blind)
    return History(now, here, tuple(finding for finding in away if finding not in lasting), lasting)


def write(
    folder: Path, stack: str, history: History, past: Past, findings: Sequence[DriftFinding], unseen: Sequence[Unseen]
) -> Path:
    """Write a scan, delete the oldest files beyond `MOST_KEPT`, and return the new file. Raises OSError."""
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
    for old in _files(folder)[:-MOST_KEPT]:
        old.unlink(missing_ok=True)
    return path


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if _NAME.match(path.name))
    except OSError:
        return []

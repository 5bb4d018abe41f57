"""The history of findings: first seen, still there, gone. A broken or missing history is no error."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest

from pulumi_facts.values import ABSENT
from tests.drift.values import finding
from usine.drift import history
from usine.drift.findings import DriftFinding, Unseen
from usine.report.model import Action

DAYS = [history.stamp(datetime.datetime(2026, 11, day, 2, tzinfo=datetime.UTC)) for day in range(1, 5)]


def look(folder: Path, now: str, findings: list[DriftFinding], unseen: list[Unseen] | None = None) -> history.History:
    past = history.read_past(folder)
    record = history.compare(past, findings, unseen or [], now)
    history.write(folder, "lab", record, past, findings, unseen or [])
    return record


def test_a_finding_keeps_the_date_when_it_was_first_seen_until_it_is_gone(tmp_path: Path) -> None:
    first, second = finding(), finding("alpha/x", Action.MISSING)
    assert look(tmp_path, DAYS[0], [first]).since == {first.key: DAYS[0]}
    still = look(tmp_path, DAYS[1], [first, second])
    assert still.since == {first.key: DAYS[0], second.key: DAYS[1]}
    gone = look(tmp_path, DAYS[2], [second])
    assert [f.key for f in gone.gone] == [first.key]
    assert look(tmp_path, DAYS[3], [first, second]).since == {first.key: DAYS[3], second.key: DAYS[1]}


def test_a_finding_in_a_part_that_was_not_scanned_is_kept(tmp_path: Path) -> None:
    one = finding()
    look(tmp_path, DAYS[0], [one])
    blind = look(tmp_path, DAYS[1], [], [Unseen("alpha", "vault", "does not answer")])
    assert (blind.gone, [f.key for f in blind.lasting]) == ((), [one.key])
    assert look(tmp_path, DAYS[2], [one]).since == {one.key: DAYS[0]}


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"version": 9}', '{"version": 1, "findings": [{}]}', "[" * 9999]
)
def test_a_broken_file_is_ignored(tmp_path: Path, text: str) -> None:
    one = finding()
    look(tmp_path, DAYS[0], [one])
    (tmp_path / "20261101T030000Z.json").write_text(text, encoding="utf-8")
    (tmp_path / "notes.txt").write_text("x", encoding="utf-8")
    assert history.read_past(tmp_path).since == {one.key: DAYS[0]}
    assert history.read_past(tmp_path / "nowhere") == history.Past()


def test_only_the_last_scans_are_kept(tmp_path: Path) -> None:
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    for day in range(history.MOST_KEPT + 3):
        look(tmp_path, history.stamp(start + datetime.timedelta(days=day)), [])
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert len(kept) == history.MOST_KEPT
    assert kept[0] == "20260104T000000Z.json"


def test_findings_are_read_back_unchanged(tmp_path: Path) -> None:
    values = [
        finding(expected=ABSENT, found=None), finding("a", Action.MISSING, holds_data=True),
        finding("b", Action.UNMANAGED, import_id="1:2", provider="gitlab", detail="a guest", call="DELETE /x"),
    ]  # fmt: skip
    look(tmp_path, DAYS[0], values)
    assert list(history.read_past(tmp_path).findings.values()) == values
    json.loads(next(tmp_path.iterdir()).read_text(encoding="utf-8"))


def test_keys_are_stable_and_unique() -> None:
    assert finding(expected=1).key == finding(expected=2).key
    assert finding(path="a").key != finding(path="b").key
    assert finding(path="a").object_key == finding(path="b").object_key
    assert finding(kind=Action.MISSING).object_key != finding().object_key
    assert finding("alpha/x").object_key == finding("alpha/x", found="y").object_key

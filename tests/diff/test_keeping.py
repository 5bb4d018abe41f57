"""The cache of plans and temporary folders of a diff."""

from __future__ import annotations

import multiprocessing
import os
import stat
import tempfile
from pathlib import Path

import pytest

from usine.diff.cache import PlanCache, cache_folder
from usine.diff.workspace import workspace
from usine.plan import Plan, PlannedResource

EMPTY = Plan(())


def big(number: int) -> Plan:
    noise = os.urandom(20_000).hex()
    made = PlannedResource("a:b:C", str(number), None, None, "vault", {"noise": noise}, False, qualified_type="a:b:C")
    return Plan((made,))


def test_the_cache_is_in_the_configured_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "usine" / "plans"
    for useless in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", useless)
        assert cache_folder() == Path.home() / ".cache" / "usine" / "plans"


def test_the_least_recently_used_plan_is_removed_first(tmp_path: Path) -> None:
    plans = [big(number) for number in range(4)]
    PlanCache(tmp_path / "one").put("0", plans[0].dumps().encode())
    size = (tmp_path / "one" / "0.json.gz").stat().st_size
    cache = PlanCache(tmp_path / "plans", most_bytes=3 * size + size // 2)
    for number in range(3):
        cache.put(str(number), plans[number].dumps().encode())
        os.utime(tmp_path / "plans" / f"{number}.json.gz", (number, number))
    assert cache.get("0") == plans[0]  # now it was used last
    cache.put("3", plans[3].dumps().encode())
    assert [cache.get(str(number)) is not None for number in range(4)] == [True, False, True, True]


@pytest.mark.parametrize("broken", [b"", b"\x1f\x8b", b"{}", b"\x00" * 99])
def test_a_broken_file_counts_as_missing(tmp_path: Path, broken: bytes) -> None:
    cache = PlanCache(tmp_path)
    cache.put("k", EMPTY.dumps().encode())
    assert cache.get("k") == EMPTY
    (tmp_path / "k.json.gz").write_bytes(broken)
    assert cache.get("k") is None


def test_a_folder_that_cannot_be_used_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    for cache in (PlanCache(None), PlanCache(tmp_path / "file" / "plans")):
        cache.put("k", EMPTY.dumps().encode())
        assert cache.get("k") is None


def _die_inside(home: str, ready: str) -> None:
    tempfile.tempdir = home
    with workspace() as folder:
        (folder / "read-only").mkdir()
        Path(ready).write_text(str(folder), encoding="utf-8")
        os.kill(os.getpid(), 9)


def test_the_folder_of_an_interrupted_run_is_removed_and_that_of_a_running_one_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ready = tmp_path / "ready"
    process = multiprocessing.get_context("fork").Process(target=_die_inside, args=(str(tmp_path), str(ready)))
    process.start()
    process.join(30)
    assert process.exitcode == -9
    left = Path(ready.read_text("utf-8"))
    assert left.is_dir()
    with workspace() as running:
        assert not left.exists()
        assert stat.S_IMODE(running.stat().st_mode) == stat.S_IMODE(running.parent.stat().st_mode) == 0o700
        with workspace() as other:
            assert running.is_dir()
            assert other != running
        assert not other.exists()
    assert list(running.parent.iterdir()) == []


def test_a_folder_of_another_user_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    (tmp_path / f"usine-diff-{os.getuid()}").symlink_to(shared)
    with workspace() as folder:
        assert shared not in folder.resolve().parents
    assert not folder.exists()
    assert list(shared.iterdir()) == []

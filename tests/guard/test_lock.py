"""The run lock of a stack: it has one owner, a dead owner is recognised, and one run takes over from it."""

from __future__ import annotations

import datetime
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import fsspec  # type: ignore[import-untyped]
import pytest

from usine.engine import owner
from usine.engine.cli import Engine
from usine.engine.lock import HeldLock, LockHeldError, Pace, acquire, hold
from usine.engine.lock_files import LockFiles, Record
from usine.engine.owner import Job, Life, Owner, Process, job_has_ended, this_run
from usine.engine.storage import NoStorageError, Storage, state_storage

NOW = datetime.timedelta()
QUICK = Pace(heartbeat=0.5, silence=3, poll=0.02)


@pytest.fixture(params=["file", "memory"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> LockFiles:
    root = str(tmp_path) if request.param == "file" else f"/{tmp_path.name}"
    return LockFiles(Storage(fsspec.filesystem(request.param), root, local=request.param == "file"), "lab")


def me(**changes: object) -> Owner:
    return replace(this_run({"GITLAB_USER_LOGIN": "ann"}, "0123456789abcdef"), **changes)  # type: ignore[arg-type]


def elsewhere(**changes: object) -> Owner:
    """The owner of a run on another machine."""
    return me(process=replace(Process.of(os.getpid()), host="runner-7", boot="another"), **changes)


def gone() -> Process:
    """A process of this machine that has ended."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        described = Process.of(process.pid)
        process.communicate(b"\n")
    return described


def take(files: LockFiles, wait: datetime.timedelta = NOW, environment: Mapping[str, str] | None = None) -> HeldLock:
    said: list[str] = []
    lock = acquire(files, me(), environment or {}, wait=wait, say=said.append, pace=QUICK)
    lock.said = said  # type: ignore[attr-defined]
    return lock


def held_by(files: LockFiles, owner: Owner, ago: float = 0, engine: Process | None = None) -> None:
    """Write a lock whose owner wrote its last heartbeat `ago` seconds ago."""
    beat = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=ago)
    assert files.claim(files.latest()[0] + 1, Record(owner, beat, engine))


def test_a_second_run_is_refused_with_the_name_of_the_owner(files: LockFiles) -> None:
    first = take(files)
    with pytest.raises(LockHeldError, match=r"locked by ann on .*process \d+\), since 20.* UTC, commit 0123456789ab"):
        take(files)
    first.release()
    take(files).release()
    assert files.latest()[0] == 2


def test_a_run_that_waits_gets_the_lock_when_it_is_released(files: LockFiles) -> None:
    first = take(files)
    threading.Timer(0.5, first.release).start()
    second = take(files, wait=datetime.timedelta(seconds=20))
    assert second.owner.since > first.owner.since + datetime.timedelta(seconds=0.4)
    assert second.said == [f"waiting for {first.owner}"]  # type: ignore[attr-defined]
    assert second.predecessor is None
    second.release()


def test_the_lock_of_a_dead_process_is_taken_over(files: LockFiles) -> None:
    dead = me(process=gone())
    held_by(files, dead)
    lock = take(files)
    assert lock.predecessor is not None
    assert lock.predecessor.owner == dead
    assert lock.said == [f"took over the lock of {dead}: its process is gone"]  # type: ignore[attr-defined]
    lock.release()


def test_another_process_with_the_same_id_is_not_the_owner(files: LockFiles) -> None:
    held_by(files, me(process=replace(Process.of(os.getpid()), started="1")))
    take(files).release()


@pytest.mark.parametrize("what", ["host", "boot", "namespace"])
def test_a_process_of_another_machine_boot_or_container_is_unknown(what: str) -> None:
    other: dict[str, Any] = {what: "another"}
    assert gone().life is Life.GONE
    assert replace(gone(), **other).life is Life.UNKNOWN
    assert replace(Process.of(os.getpid()), **other).life is Life.UNKNOWN


def test_every_process_is_unknown_where_the_system_hides_process_1(monkeypatch: pytest.MonkeyPatch) -> None:
    created = owner._created
    monkeypatch.setattr(owner, "_created", lambda pid: None if pid == 1 else created(pid))
    assert Process.of(os.getpid()).life is Life.UNKNOWN


def test_the_record_of_an_older_version_is_judged_by_its_heartbeat(files: LockFiles) -> None:
    old = {
        **{"pid": gone().pid, "started": "181402", "host": socket.gethostname()},
        **{"boot": "0b1c6a3e-5d0e-4f5c-9a55-4b0c9f5a2f11", "namespace": "pid:[4026531836]"},
    }

    def record(ago: float) -> bytes:
        beat = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=ago)
        since = "2026-11-25T20:12:00Z"
        who = {"token": "00", "user": "ann", "process": old, "commit": None, "since": since, "job": None}
        return json.dumps(
            {"owner": who, "heartbeat": beat.isoformat(), "engine": {**old, "pid": 1}, "released": False}
        ).encode()

    assert files.storage.create(record(ago=0), ".usine", "locks", "lab", "00000001.json")
    with pytest.raises(LockHeldError, match="ann on"):
        take(files)
    files.storage.write(record(ago=60), ".usine", "locks", "lab", "00000001.json")
    lock = take(files)
    assert "no heartbeat since" in lock.said[-1]  # type: ignore[attr-defined]
    lock.release()


def test_the_lock_stays_held_while_the_engine_of_a_dead_owner_runs(files: LockFiles) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as engine:
        held_by(files, me(process=gone()), engine=Process.of(engine.pid))
        with pytest.raises(LockHeldError, match=rf"whose engine \(process {engine.pid}\) still runs"):
            take(files)
        engine.communicate(b"\n")
    take(files).release()


def test_a_run_on_another_machine_is_alive_while_its_heartbeat_is_recent(files: LockFiles) -> None:
    held_by(files, elsewhere())
    with pytest.raises(LockHeldError, match="runner-7"):
        take(files)


def test_a_run_on_another_machine_without_heartbeat_is_dead_after_a_second_check(files: LockFiles) -> None:
    held_by(files, elsewhere(), ago=60)
    began = time.monotonic()
    lock = take(files)
    assert time.monotonic() - began > 2 * QUICK.heartbeat
    assert "no heartbeat since" in lock.said[-1]  # type: ignore[attr-defined]
    lock.release()


def test_a_wrong_clock_on_another_machine_does_not_decide_whether_its_run_is_alive(files: LockFiles) -> None:
    owner = elsewhere()
    held_by(files, owner, ago=3600)
    ended = threading.Event()

    def beat() -> None:
        late = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
        while not ended.wait(0.05):
            late += datetime.timedelta(seconds=1)
            files.write(1, Record(owner, late))

    thread = threading.Thread(target=beat)
    thread.start()
    with pytest.raises(LockHeldError):
        take(files, wait=datetime.timedelta(seconds=2))
    ended.set()
    thread.join()
    ahead = LockFiles(files.storage, "ahead")
    held_by(ahead, owner, ago=-3600)
    lock = take(ahead, wait=datetime.timedelta(seconds=20))
    assert "no heartbeat for" in lock.said[-1]  # type: ignore[attr-defined]
    lock.release()


def test_a_lock_file_that_is_incomplete_is_taken_over_after_a_while(files: LockFiles) -> None:
    assert files.storage.create(b"", ".usine", "locks", "lab", "00000004.json")
    lock = take(files)
    assert lock.said[-1] == "took over the lock of an unknown run: its file cannot be read"  # type: ignore[attr-defined]
    assert files.latest()[0] == 5
    lock.release()


def test_a_run_that_loses_the_lock_notices_and_does_not_release_the_new_owner_s(files: LockFiles) -> None:
    lock = take(files)
    assert lock.lost is None
    held_by(files, elsewhere(user="bob"))
    deadline = time.monotonic() + 10
    while lock.lost is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert lock.lost is not None
    assert lock.lost.startswith("the lock was taken by bob on runner-7")
    lock.release()
    number, record = files.latest()
    assert (number, record and record.released, record and record.owner.user) == (2, False, "bob")


def test_a_run_that_cannot_write_its_heartbeat_stops_before_another_takes_over(tmp_path: Path) -> None:
    files = LockFiles(Storage(fsspec.filesystem("file"), str(tmp_path / "state")), "lab")
    lock = take(files)
    object.__setattr__(lock._files, "storage", Storage(_Broken(), "/"))  # the storage fails during a run
    deadline = time.monotonic() + 10
    while lock.lost is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert lock.lost == "no heartbeat could be written beside the state (OSError)"
    lock.release()


class _Broken:
    def __getattr__(self, name: str) -> object:
        raise OSError(name)


def test_a_run_with_an_outdated_number_cannot_claim_it_again(files: LockFiles) -> None:
    for _ in range(3):
        take(files).release()
    assert not files.claim(2, Record(me(), datetime.datetime.now(datetime.UTC)))
    assert files.storage.names(".usine", "locks", "lab") == ["00000003.json"]


def _succeed(root: str, gate: str, results: str) -> None:
    files = LockFiles(Storage(fsspec.filesystem("file"), root), "lab")
    while not Path(gate).exists():
        time.sleep(0.001)
    try:
        lock = acquire(files, me(), {}, wait=NOW, say=lambda _text: None, pace=QUICK)
        outcome = "took over" if lock.predecessor else "took"
        time.sleep(4)  # longer than the others need to check
        outcome += "" if lock.lost is None else " and lost"
        lock.release()
    except LockHeldError:
        outcome = "refused"
    with Path(results).open("a", encoding="utf-8") as lines:
        lines.write(f"{outcome}\n")


def test_one_of_several_runs_takes_over_from_a_dead_owner(tmp_path: Path) -> None:
    root, gate, results = tmp_path / "state", tmp_path / "gate", tmp_path / "results"
    held_by(LockFiles(Storage(fsspec.filesystem("file"), str(root)), "lab"), me(process=gone()))
    context = multiprocessing.get_context("fork")
    runs = [context.Process(target=_succeed, args=(str(root), str(gate), str(results))) for _ in range(8)]
    for run in runs:
        run.start()
    gate.touch()
    for run in runs:
        run.join(60)
    assert sorted(results.read_text(encoding="utf-8").split("\n")) == ["", *["refused"] * 7, "took over"]


def test_the_lock_file_is_beside_the_state_and_is_released_after_an_exception(tmp_path: Path) -> None:
    engine = Engine(tmp_path, "organization/usine/prod", {"PULUMI_BACKEND_URL": f"file://{tmp_path}/state%20here"})
    with pytest.raises(ZeroDivisionError), hold(engine, say=lambda _text: None):
        raise ZeroDivisionError
    text = (tmp_path / "state here/.usine/locks/prod/00000001.json").read_text(encoding="utf-8")
    assert json.loads(text)["released"] is True


@pytest.mark.parametrize("url", ["", "https://api.example.org", "s3://bucket/prefix?region=eu-west-3"])
def test_without_storage_only_the_engine_s_own_lock_protects_the_stack(tmp_path: Path, url: str) -> None:
    said: list[str] = []
    with hold(Engine(tmp_path, "lab", {"PULUMI_BACKEND_URL": url}), say=said.append) as lock:
        lock.note_engine(os.getpid())
        assert lock.lost is None
    (line,) = said
    assert line.startswith("only the engine's own lock protects this stack: ")
    if url.startswith("s3"):
        with pytest.raises(NoStorageError, match="package s3fs"):
            state_storage({"PULUMI_BACKEND_URL": url})


def test_the_owner_in_gitlab_ci_has_its_job() -> None:
    owner = this_run(
        {
            "GITLAB_USER_LOGIN": "ann",
            "CI_API_V4_URL": "https://gitlab.example.org/api/v4",
            "CI_PROJECT_ID": "7",
            "CI_JOB_ID": "42",
            "CI_JOB_URL": "https://gitlab.example.org/platform/-/jobs/42",
            "CI_JOB_NAME": "up",
        },
        None,
    )
    assert f"ann on {socket.gethostname()} (job up, https://gitlab.example.org/platform/-/jobs/42)" in str(owner)
    assert owner.process.life is Life.ALIVE


@pytest.fixture
def gitlab() -> Iterator[tuple[str, list[str]]]:
    """A GitLab with two jobs, and the tokens it received."""
    tokens: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            tokens.append(self.headers.get("PRIVATE-TOKEN", ""))
            state = {"1": "canceled", "2": "running"}.get(self.path.rsplit("/", 1)[-1])
            self.send_response(200 if state else 404)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps({"id": 1, "status": state} if state else {"message": "404"}).encode())

        def log_message(self, *_arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/api/v4", tokens
    server.shutdown()
    server.server_close()


def test_an_owner_whose_job_has_ended_is_dead_and_only_our_gitlab_receives_the_token(
    files: LockFiles, gitlab: tuple[str, list[str]]
) -> None:
    api, tokens = gitlab
    known = {"CI_API_V4_URL": api, "USINE_GITLAB_TOKEN": "marker"}
    job = Job(api, "7", "1", "", "up")
    assert job_has_ended(job, known)
    assert not job_has_ended(replace(job, id="2"), known)
    assert not job_has_ended(replace(job, id="3"), known)
    assert not job_has_ended(job, {"CI_API_V4_URL": api})
    assert tokens == ["marker"] * 3
    assert not job_has_ended(job, {**known, "CI_API_V4_URL": "https://gitlab.example.org/api/v4"})
    assert len(tokens) == 3

    held_by(files, elsewhere(job=job), ago=2)
    lock = take(files, environment=known)
    assert lock.said[0].endswith("its job has ended")  # type: ignore[attr-defined]
    lock.release()


def test_the_lock_of_a_process_that_was_killed_is_taken_over(tmp_path: Path) -> None:
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom usine.engine.cli import Engine\n"
        "from usine.engine.lock import hold\n"
        f"with hold(Engine(Path('/'), 'lab', {{'PULUMI_BACKEND_URL': 'file://{tmp_path}'}})):\n"
        "    print('held', flush=True)\n    time.sleep(60)\n"
    )
    engine = Engine(tmp_path, "lab", {"PULUMI_BACKEND_URL": f"file://{tmp_path}"})
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(LockHeldError), hold(engine):
            pass
        process.send_signal(signal.SIGKILL)
    said: list[str] = []
    with hold(engine, say=said.append) as lock:
        assert lock.predecessor is not None
        assert lock.predecessor.owner.process.pid == process.pid
    assert said[0].endswith("its process is gone")

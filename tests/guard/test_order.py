"""An older pipeline does not set a stack back: what `usine up --run` does under the lock of the stack."""

from __future__ import annotations

import argparse
import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from usine.commands import up
from usine.engine.cli import Engine, EngineError
from usine.engine.lock_files import LockFiles
from usine.engine.order import LaterRunError, refuse_older_run
from usine.engine.storage import Storage, state_storage


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return state_storage({"PULUMI_BACKEND_URL": f"file://{tmp_path}"})


def test_only_later_pipelines_run_a_stack(storage: Storage) -> None:
    for run in ("9", "10", "10"):
        refuse_older_run(storage, "prod.beta", run)
    with pytest.raises(LaterRunError, match=r"the later pipeline 10 has run the stack prod\.beta: nothing"):
        refuse_older_run(storage, "prod.beta", "9")
    refuse_older_run(storage, "prod.alpha", "9")


@pytest.mark.parametrize("text", [b"", b"\xff", b"12x", b"-1"])
def test_what_is_no_id_stops_nobody(storage: Storage, text: bytes) -> None:
    storage.write(text, ".usine", "order", "prod.beta.txt")
    refuse_older_run(storage, "prod.beta", "1")


def test_a_storage_that_does_not_answer_stops_the_run() -> None:
    with pytest.raises(EngineError, match="the order of pipelines beside the state: AttributeError"):
        refuse_older_run(Storage(None, "/"), "prod.beta", "1")


def test_the_order_is_read_under_the_lock(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = Engine(tmp_path, "prod.beta", {"PULUMI_BACKEND_URL": f"file://{tmp_path}"}, None)
    monkeypatch.setattr(up, "open_stack", lambda _args: SimpleNamespace(engine=engine))
    held: list[bool] = []

    def refuse(storage: Storage, stack: str, run: str) -> None:
        _, record = LockFiles(storage, stack).latest()
        held.append(record is not None and not record.released)
        refuse_older_run(storage, stack, run)

    def apply(*_arguments: object) -> None:
        raise EngineError("begun")

    monkeypatch.setattr(up, "refuse_older_run", refuse)
    monkeypatch.setattr(up, "_apply", apply)

    def run(number: str | None) -> tuple[int, str]:
        args = argparse.Namespace(plan=None, run_id=number, wait=datetime.timedelta())
        return up.run(args), capsys.readouterr().err

    assert run("10") == (1, "usine up: begun\n")
    assert run("9") == (5, "usine up: the later pipeline 10 has run the stack prod.beta: nothing was changed\n")
    assert held == [True, True]
    assert run(None) == (1, "usine up: begun\n"), "a person may"
    _, record = LockFiles(storage, "prod.beta").latest()
    assert record is not None
    assert record.released

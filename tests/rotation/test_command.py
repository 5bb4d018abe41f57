"""`usine rotate` as a command: it writes one file as a whole, or nothing, and its exit code says what is next."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path
from typing import Any

import pytest

from model.reading.settings_load import load_settings
from tests import factories
from tests.rotation import states
from tests.rotation.states import tenant
from usine.cli import main
from usine.commands import rotate as command
from usine.commands.common import Platform
from usine.commands.engine_stack import OpenStack
from usine.engine.cli import Engine
from usine.engine.lookup import Finder
from usine.engine.storage import state_storage
from usine.fleet.records import Inputs, Records, Result, RunRecord

ROOT = Path(__file__).resolve().parents[2]
OLD = tenant("alpha", {"1": "2026-06-01T08:00:00Z"}, "1")


class FakeEngine(Engine):
    """An engine whose stack `lab` has the state; of a fleet, `lab.alpha` has it."""

    owner: str = "lab"

    def export_state(self) -> dict[str, object]:
        assert self.stack in {"lab", self.owner}
        return {"deployment": {"resources": [states.stack(), *(OLD if self.stack == self.owner else ())]}}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "Pulumi.lab.yaml"
    path.write_text((ROOT / "Pulumi.lab.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    path.chmod(0o640)

    def opened(_: Any, *, any_layout: bool) -> OpenStack:
        assert any_layout
        settings = load_settings(path)
        here = dataclasses.replace(settings, endpoints={})
        engine = FakeEngine(tmp_path, "lab", {"PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}"})
        return OpenStack(Platform(settings, (factories.tenant("alpha"),), {}), here, engine, Finder({}, {}))

    monkeypatch.setattr(command, "open_stack", opened)
    return path


def rotate(file: Path, *arguments: str) -> int:
    return main(["rotate", "--settings", str(file), *arguments])


def test_the_file_is_written_as_a_whole_and_a_second_call_waits_for_the_run(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = file.read_text(encoding="utf-8")
    assert rotate(file, "alpha", "--check", "--until", "2027-05-29") == 0
    assert "would be added" in capsys.readouterr().out
    assert file.read_text(encoding="utf-8") == before
    assert rotate(file, "alpha", "--until", "2027-05-29") == 0
    assert "apply it with `usine up`" in capsys.readouterr().out
    after = file.read_text(encoding="utf-8")
    assert next(line for line in after.split("\n") if line not in before.split("\n")) == "  usine:tenantCredentials:"
    assert all(line in after.split("\n") for line in before.split("\n"))
    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in file.parent.iterdir()] == [file.name], "no file is left beside it"
    assert rotate(file, "alpha") == 3
    assert "run `usine up`" in capsys.readouterr().out
    assert file.read_text(encoding="utf-8") == after


@pytest.mark.parametrize("whose", ["alpha", "--all"])
def test_in_a_fleet_the_credentials_are_in_the_stacks_of_the_tenants(
    file: Path, whose: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(FakeEngine, "owner", "lab.alpha")
    assert rotate(file, whose) == 0
    assert "no rotation" in capsys.readouterr().out, "without records it is one stack, which has no credential"
    (file.parent / "state").mkdir()
    storage = state_storage({"PULUMI_BACKEND_URL": f"file://{file.parent / 'state'}"})
    ended = datetime.datetime(2026, 11, 30, tzinfo=datetime.UTC)
    Records(storage, "lab").write_run("alpha", RunRecord(Inputs("a", "b", "c"), Result.APPLIED, ended, 1.0))
    assert rotate(file, whose) == 0
    assert "added\nnext: commit the file, apply it with `usine fleet up`" in capsys.readouterr().out
    assert rotate(file, whose) == 3
    assert "run `usine fleet up`, and then `usine rotate` again" in capsys.readouterr().out


def test_without_a_rotation_on_its_way_continue_does_nothing(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rotate(file, "--all", "--continue") == 0
    assert capsys.readouterr().out == "no rotation of the platform is under way\n"


def test_a_file_that_cannot_be_edited_is_refused_in_one_line(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = file.read_text(encoding="utf-8").replace('[{name: "1"}]', '\'[{"name": "1"}]\'')
    file.write_text(text, encoding="utf-8")
    assert rotate(file, "--all") == 1
    assert "usine:credentials and usine:tenantCredentials have a form that cannot be edited" in capsys.readouterr().err
    assert file.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["alpah"], 1, "did you mean alpha?"),
        (["alpha", "--until", "2020-01-01"], 2, "a day after today"),
        (["alpha", "--until", "soon"], 2, "a date such as"),
        (["alpha", "--grace", "1d"], 2, "a duration such as"),
        ([], 2, "required"),
        (["alpha", "--all"], 2, "not allowed with"),
    ],
)
def test_a_wrong_argument_is_explained(
    file: Path, arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        found = rotate(file, *arguments)
    except SystemExit as error:
        found = int(str(error.code))
    assert (found, message in capsys.readouterr().err) == (code, True)

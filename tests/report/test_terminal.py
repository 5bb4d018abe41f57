"""The terminal: colours are not needed, risks come first, and no control character is printed."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from rich.console import Console

from tests.report import samples
from tests.report.test_markdown import REPORTS
from tests.report.texts import UNTIMED
from usine.report import terminal
from usine.report.model import Action, Kind, Report

_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def rendered(report: Report, *, width: int = 100, colour: bool = False, most: int = terminal.MOST) -> str:
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
        legacy_windows=False,
    )
    terminal.render(report, console, most=most)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_data_loss_comes_first_and_the_table_last() -> None:
    text = rendered(samples.diff())
    order = [
        "usine diff: main..retire-annuaire",
        "Refused: Two rules refuse this change.",
        "Data that will be destroyed: 3 objects",
        "  -   annuaire-2019  vault  Mount annuaire-2019/vault/mount  holds data",
        "projects.d/annuaire-2019.yaml:1:1: error: annuaire-2019 is removed while it is active",
        "waived: environments.dev",
        "waived by alice.martin until 2027-01-31",
        "\nteleservice\n",
        "    -/+ AuthBackendRole kubernetes-role/dev  replaced because of roleName",
        '          spec.hard["limits.cpu"]: "4" -> "8"',
        "    +   Application dev/deploy",
        "- to destroy",
    ]
    positions = [text.find(each) for each in order]
    assert -1 not in positions, order[positions.index(-1)]
    assert positions == sorted(positions)
    assert re.search(r"^ *all +5 +1 +6 +12 *$", text, re.MULTILINE)


def test_destruction_is_red_and_colours_are_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, coloured = (rendered(samples.diff(), width=240, colour=colour) for colour in (False, True))
    assert "\x1b[1;31mData that will be destroyed: 3 objects\x1b[0m" in coloured
    assert "\x1b" not in plain
    without = [line.rstrip() for line in _ESCAPE.sub("", coloured).splitlines()]
    assert without == [line.rstrip() for line in plain.splitlines()]
    monkeypatch.setenv("NO_COLOR", "1")
    console = Console(file=io.StringIO(), width=240, force_terminal=True)
    terminal.render(samples.diff(), console)
    assert isinstance(console.file, io.StringIO)
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", console.file.getvalue())


@pytest.mark.parametrize("width", [40, 80])
def test_lines_are_wrapped_on_a_terminal_only(width: int) -> None:
    folded = _ESCAPE.sub("", rendered(samples.drift(), width=width, colour=True))
    assert max(map(len, folded.splitlines())) <= width
    line = "warning: sonarqube did not answer within 60 s: annuaire-2019, guichet, teleservice were not looked at there"
    assert line not in folded
    assert line in rendered(samples.drift(), width=width)


def test_long_lists_are_cut_but_never_those_of_lost_data() -> None:
    report = samples.large(3_000)
    text = rendered(report, most=3)
    lost = [entry for entry in report.entries if entry.loses_data]
    for entry in lost:
        assert f"{entry.name}  holds data" in text
    counted = sum(int(number) for number in re.findall(r"^    … and ([\d,]+) objects? more$", text, re.MULTILINE))
    listed = len(re.findall(r"^    (?:-/\+|[-~+!?])", text, re.MULTILINE))
    assert listed + counted == len(report.entries)
    assert counted > 0


def test_words_depend_on_the_kind_of_report() -> None:
    assert "1 missing, 2 unmanaged" not in rendered(samples.drift())
    assert "gitlab  1 unmanaged, 1 changed" in rendered(samples.drift())
    run = rendered(samples.run())
    assert "Failed: 2 of 14 objects failed" in run
    assert "Application dev/deploy  0.4 s  admission refused it" in run
    assert re.search(r"^ *all +1 +1 +2 +2 +8 +40 s *$", run, re.MULTILINE)
    assert "Nothing changes: " in rendered(samples.nothing())


def test_a_report_may_have_only_a_verdict() -> None:
    assert rendered(Report(Kind.DRIFT, "usine drift", "Everything is as the files say.")).splitlines() == [
        "usine drift",
        "No drift: Everything is as the files say.",
    ]


def test_hostile_texts_neither_move_the_cursor_nor_reorder_nor_mark_up() -> None:
    text = rendered(samples.hostile(), width=200)
    assert not any(character in text for character in "\x1b\x07\u202e\u2066\u200b")
    assert r"user\u202egnp.exe" in text
    assert r"\u001b[31mred\u0007" in text


@UNTIMED
@given(REPORTS)
def test_any_report_can_be_shown(report: Report) -> None:
    text = rendered(report, width=60, colour=True)
    shown = _ESCAPE.sub("", text)
    assert "\x1b" not in shown
    assert shown.encode()
    for action in Action:
        assert shown.count("all") > 0 or not report.entries, action

"""The waivers file: how it is read, and which waivers apply."""

from __future__ import annotations

import dataclasses
import datetime
import shutil
from pathlib import Path
from typing import Any

import pytest

from model.problems import SpecError
from model.reading.waivers import Waiver, read_waivers
from model.settings import ChangeSettings
from tests.rules.changes import OWNER, PLATFORM, SETTINGS, TODAY, change, entry, found, plain
from tests.spec.helpers import ROOT
from tests.template import SETTINGS_FILE
from usine.cli import main
from usine.report.model import Action, Severity
from usine.rules import RULES, Change, check
from usine.rules.reading import allowances, waiver_words, waivers_of_base, waivers_of_head

WORDS = waiver_words([PLATFORM, "yves.outil"])
GOOD = """\
waivers:
  - rule: data-destruction
    tenant: teleservice
    object: x/namespace
    by: agnes.platel
    reason: never used; ticket 4711
    expires: 2027-03-31
"""
A, B = plain("teleservice"), plain("petitions", owner="helene.faure", members={})
WAIVER = Waiver(
    "data-destruction", "teleservice", "x/namespace", PLATFORM, "never used; ticket 4711", datetime.date(2027, 3, 31)
)


def read(text: str) -> tuple[Waiver, ...]:
    return read_waivers(text.encode(), WORDS, TODAY)


# The file ---------------------------------------------------------------------------------------------------------


def test_a_valid_file() -> None:
    (waiver,) = read(GOOD)
    assert waiver == WAIVER
    assert (waiver.line, waiver.column) == (2, 5)
    assert not waiver.expired(datetime.date(2027, 3, 31))
    assert waiver.expired(datetime.date(2027, 4, 1))
    assert read("waivers: []\n") == ()


def test_the_committed_file_and_its_example() -> None:
    text = (ROOT / "waivers.yaml").read_text(encoding="utf-8")
    assert read_waivers(text.encode(), WORDS, TODAY) == ()
    example = "\n".join(
        line.removeprefix("# ") for line in text.splitlines() if line.startswith(("# waivers:", "#   "))
    )
    one, other = read_waivers(example.encode(), WORDS, datetime.date(2027, 1, 15))
    assert (one.object, other.removals) == ("teleservice-recette", 6)


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("data-destruction", "data-destrution", 2, "did you mean data-destruction?"),
        ("data-destruction", "waiver-unused", 2, "no rule of this name can be waived"),
        ("data-destruction", "mass-removal", 2, "mass-removal needs a number of objects: removals is missing"),
        (
            "data-destruction\n    tenant: teleservice\n    object: x/namespace",
            "mass-removal\n    object: '*'",
            3,
            "one kind",
        ),
        ("    by:", "    removals: 3\n    by:", 5, "only mass-removal counts removals"),
        ("agnes.platel", "agnes.plattel", 5, "did you mean agnes.platel?"),
        ("agnes.platel", "alice.martin", 5, "no such person in usine:changes.platformTeam"),
        ("never used; ticket 4711", "because", 6, "at least 10 characters"),
        ("2027-03-31", "2027-05-31", 7, "until 2027-05-30 if it starts today"),
        ("2027-03-31", "31/03/2027", 7, "such as 2027-06-30"),
        ("    tenant: teleservice", "    tenant: Teleservice", 3, "did you mean teleservice?"),
        ("    reason:", "    raison:", 6, "did you mean reason?"),
        ("    object: x/namespace", "    object: ''", 4, "* stands for any text"),
        ("    expires: 2027-03-31\n", "", 2, "the key expires is missing"),
        ("waivers:", "waiver:", 1, "did you mean waivers?"),
        ("never used; ticket 4711", "glpat-abcdefghijklmnop1234", 6, "(not shown)"),
    ],
)
def test_each_error_has_its_line(old: str, new: str, line: int, message: str) -> None:
    assert old in GOOD
    with pytest.raises(SpecError) as caught:
        read(GOOD.replace(old, new, 1))
    matching = [p for p in caught.value.problems if message in p.message]
    assert matching, str(caught.value)
    assert (matching[0].file, matching[0].line) == ("waivers.yaml", line)
    assert "glpat" not in str(caught.value)


def test_all_errors_come_at_once() -> None:
    two = GOOD.replace("data-destruction", "nothing").replace("agnes", "agnès") + GOOD.partition("\n")[2].replace(
        "2027-03-31", "2028-01-01"
    )
    with pytest.raises(SpecError) as caught:
        read(two)
    assert {p.line for p in caught.value.problems} >= {5}
    fields = GOOD.replace("data-destruction", "nothing") + GOOD.partition("\n")[2].replace("2027-03-31", "2028-01-01")
    with pytest.raises(SpecError) as caught:
        read(fields)
    assert [p.line for p in caught.value.problems] == [2, 13]


def test_one_waiver_per_case() -> None:
    with pytest.raises(SpecError, match=r"8:5: waivers\[1\]: the same is waived by waivers\[0\]"):
        read(GOOD + GOOD.partition("\n")[2])


@pytest.mark.parametrize("text", ["", "[]\n", "waivers\n", "waivers: {a: b}\n", "\0", "a: [\n"])
def test_files_without_waivers(text: str) -> None:
    with pytest.raises(SpecError):
        read(text)


# Which waivers apply ------------------------------------------------------------------------------------------------


def losing(author: str | None = OWNER, **more: Any) -> Change:
    """Return a change of one tenant that loses one namespace."""
    head = [dataclasses.replace(A, description="x"), B]
    return change([A, B], head, author=author, entries=(entry(Action.DESTROYED, "teleservice", "x/namespace"),), **more)


def refused(of: Change) -> bool:
    return any(notice.refuses for notice in found(of, "data-destruction"))


BOTH: dict[str, Any] = {"base_waivers": (WAIVER,), "head_waivers": (WAIVER,)}


def test_a_waiver_of_the_base_applies_and_stays_visible() -> None:
    (notice,) = found(losing(**BOTH), "data-destruction")
    assert not notice.refuses
    assert notice.severity is Severity.ERROR
    assert notice.waived_by == "agnes.platel until 2027-03-31: never used; ticket 4711"
    assert not any(notice.rule.startswith("waiver") for notice in check(losing(**BOTH)))


def test_a_change_cannot_waive_itself() -> None:
    brought = {"head_waivers": (WAIVER,), "files": ["waivers.yaml"]}
    for author in (OWNER, None, "yves.outil"):  # the last one is in the team, but the waiver names another person
        assert refused(losing(author, **brought)), author
        (notice,) = found(losing(author, **brought), "waiver-refused")
        assert notice.path == "waivers.yaml"
        assert "does not apply yet" in notice.text
    assert not refused(losing(PLATFORM, **brought))
    # Neither by adding its author to the team, nor by extending a waiver, nor by a false author name.
    grabbed = dataclasses.replace(SETTINGS, changes=ChangeSettings(frozenset({OWNER})))
    mine = dataclasses.replace(WAIVER, by=OWNER)
    assert refused(dataclasses.replace(losing(OWNER, head_waivers=(mine,)), settings=grabbed))
    longer = dataclasses.replace(WAIVER, expires=datetime.date(2027, 4, 30))
    narrow = dataclasses.replace(WAIVER, object="other")
    assert refused(losing(base_waivers=(narrow,), head_waivers=(WAIVER,)))
    expired = dataclasses.replace(WAIVER, expires=TODAY - datetime.timedelta(1))
    assert refused(losing(base_waivers=(expired,), head_waivers=(longer,)))


def test_moving_a_waiver_in_its_file_keeps_it() -> None:
    moved = dataclasses.replace(WAIVER, line=40)
    assert not refused(losing(base_waivers=(WAIVER,), head_waivers=(moved,)))


def test_a_removed_waiver_does_not_apply() -> None:
    assert refused(losing(base_waivers=(WAIVER,), head_waivers=()))


@pytest.mark.parametrize(
    ("differs", "covers"),
    [
        ({}, True),
        ({"object": "x/*"}, True),
        ({"object": "*"}, True),
        ({"object": "y/*"}, False),
        ({"tenant": "petitions"}, False),
        ({"tenant": None}, False),
        ({"rule": "mass-removal"}, False),
        ({"expires": TODAY}, True),
        ({"expires": TODAY - datetime.timedelta(1)}, False),
    ],
)
def test_a_waiver_covers_only_what_it_names(differs: dict[str, Any], covers: bool) -> None:
    waivers = (dataclasses.replace(WAIVER, **differs),)
    assert refused(losing(base_waivers=waivers, head_waivers=waivers)) is not covers


def test_a_removal_is_waived_by_kind_and_number() -> None:
    policy = "vault:index/policy:Policy"
    gone = tuple(entry(Action.DESTROYED, "teleservice", f"p{n}", policy, holds_data=False) for n in range(60))

    def refuses(**differs: Any) -> bool:
        waiver = Waiver("mass-removal", None, policy, PLATFORM, "long enough a reason", TODAY, 60)
        waivers = (dataclasses.replace(waiver, **differs),)
        of = change([A], [A], entries=gone, base_waivers=waivers, head_waivers=waivers)
        return any(notice.refuses for notice in found(of, "mass-removal"))

    assert not refuses()
    assert not refuses(removals=61)
    assert refuses(removals=59)
    assert refuses(object="tenant")


def test_an_expired_waiver_is_reported() -> None:
    old = dataclasses.replace(WAIVER, expires=TODAY - datetime.timedelta(1))
    (notice,) = found(losing(base_waivers=(old,), head_waivers=(old,)), "waiver-expired")
    assert notice.severity is Severity.WARNING
    assert "expired on 2027-02-28" in notice.text
    # The fleet as it is reports it too; a change of another tenant does not.
    assert found(Change.of_fleet(SETTINGS, [A], TODAY, (old,)), "waiver-expired")
    other = change([A, B], [A, dataclasses.replace(B, description="x")], base_waivers=(old,), head_waivers=(old,))
    assert found(other, "waiver-expired") == []


def test_an_unused_waiver_is_reported_where_it_is_for() -> None:
    edit = change([A, B], [dataclasses.replace(A, description="x"), B], **BOTH)
    (notice,) = found(edit, "waiver-unused")
    assert (notice.severity, notice.refuses) == (Severity.INFO, False)
    other = change([A, B], [A, dataclasses.replace(B, description="x")], **BOTH)
    assert found(other, "waiver-unused") == []
    slip = dataclasses.replace(WAIVER, tenant="teleservce")
    written = change([A], [A], author=PLATFORM, files=["waivers.yaml"], head_waivers=(slip,))
    (notice,) = found(written, "waiver-unused")
    assert "no such tenant" in notice.text
    assert "did you mean teleservice?" in notice.text
    assert found(Change.of_fleet(SETTINGS, [A], TODAY, (WAIVER,)), "waiver-unused") == []


def test_rules_on_waivers_cannot_be_waived() -> None:
    assert {rule.id for rule in RULES if not rule.waivable} == {"waiver-expired", "waiver-refused", "waiver-unused"}
    assert not set(WORDS.rules) & {"waiver-expired", "waiver-refused", "waiver-unused"}


def test_both_sides_are_read_from_bytes() -> None:
    data = GOOD.encode()
    assert waivers_of_head(data, SETTINGS, TODAY) == waivers_of_base(data, SETTINGS, TODAY) == (WAIVER,)
    assert waivers_of_head(None, SETTINGS, TODAY) == waivers_of_base(None, SETTINGS, TODAY) == ()
    assert waivers_of_base(data, None, TODAY) == ()
    nobody = dataclasses.replace(SETTINGS, changes=ChangeSettings())
    assert waivers_of_base(data, nobody, TODAY) == ()
    with pytest.raises(SpecError, match="no such person"):
        waivers_of_head(data, nobody, TODAY)


def test_usine_check_reports_tenants_and_waivers_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for source in (SETTINGS_FILE, ROOT / "projects.d", ROOT / "waivers.yaml"):
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / source.name)
    arguments = ["check", "--settings", str(tmp_path / "Pulumi.lab.yaml")]
    assert main(arguments) == 0
    (tmp_path / "waivers.yaml").write_text(GOOD.replace("agnes.platel", "agnes.plattel"), encoding="utf-8")
    tenant = tmp_path / "projects.d" / "petitions.yaml"
    tenant.write_text(tenant.read_text(encoding="utf-8").replace("owner:", "ownr:"), encoding="utf-8")
    capsys.readouterr()
    assert main(arguments) == 1
    said = capsys.readouterr().out
    assert "petitions.yaml:8:1: unknown key ownr" in said
    assert f"{tmp_path}/waivers.yaml:5:9: waivers[0].by: no such person" in said
    (tmp_path / "waivers.yaml").unlink()
    assert main(arguments) == 1
    assert "waivers" not in capsys.readouterr().out


def test_a_run_allows_what_merged_waivers_allow() -> None:
    waiver = Waiver("mass-removal", None, "tenant", PLATFORM, "long enough a reason", TODAY, 6)
    assert allowances([waiver, WAIVER], TODAY) == {"tenant": 6}
    assert allowances([waiver], TODAY + datetime.timedelta(1)) == {}

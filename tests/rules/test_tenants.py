"""Rules on whole tenants: who may change a file, slug and owner, the review date."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pytest

from model.settings import ChangeSettings, Settings
from model.tenant import Role, State
from model.waves import FleetSettings, Hold, Pin
from tests.factories import app, environment
from tests.rules.changes import OWNER, PLATFORM, SETTINGS, TODAY, change, edit, found, plain
from usine.report.model import Severity
from usine.rules import Change

A, B = plain("teleservice"), plain("petitions", owner="helene.faure", members={})


def two(author: str | None, **more: Any) -> Change:
    head = [dataclasses.replace(A, description="x"), dataclasses.replace(B, description="x")]
    return change([A, B], head, author=author, **more)


def test_one_tenant_per_merge_request() -> None:
    (notice,) = found(two(OWNER), "one-tenant")
    assert notice.refuses
    assert "alice.martin is not in the platform team" in notice.text
    assert "2 tenants: petitions, teleservice" in notice.text
    assert notice.path == "projects.d/teleservice.yaml"
    assert found(edit(A, description="x"), "one-tenant") == []
    assert found(two(PLATFORM), "one-tenant") == []
    assert found(two(PLATFORM.title()), "one-tenant") == []


def test_an_unknown_author_is_a_warning() -> None:
    (notice,) = found(two(None), "one-tenant")
    assert (notice.severity, notice.refuses) == (Severity.WARNING, False)
    nobody = dataclasses.replace(SETTINGS, changes=ChangeSettings())
    (notice,) = found(two(OWNER, settings=nobody), "one-tenant")
    assert notice.severity is Severity.INFO


def test_files_that_are_no_tenant_files_are_refused() -> None:
    (notice,) = found(edit(A, description="x", more={"files": ["components/vault.py", "Makefile"]}), "one-tenant")
    assert "no tenant files: Makefile, components/vault.py" in notice.text
    assert notice.path == "Makefile"
    assert found(edit(A, description="x", more={"files": ["CODEOWNERS"]}), "one-tenant") == []
    for path in ("CODEOWNERS", "projects.d/README.md", "projects.d/deeper/x.yaml", "other/projects.d/x.yaml"):
        assert found(change([A], [A], files=[path]), "one-tenant"), path


def test_a_change_cannot_add_its_author_to_the_platform_team() -> None:
    theirs = dataclasses.replace(SETTINGS, changes=ChangeSettings(frozenset({OWNER})))
    grabbed = two(OWNER, files=["Pulumi.lab.yaml"])
    assert found(dataclasses.replace(grabbed, settings=theirs), "one-tenant")


def test_own_tenant() -> None:
    (notice,) = found(edit(A, author="idris.diallo", description="x"), "own-tenant")
    assert notice.refuses
    assert notice.text == "idris.diallo has no role in teleservice"
    assert found(edit(A, author="gaelle.morin", description="x"), "own-tenant") == []  # readonly may ask
    assert found(edit(A, author=PLATFORM, description="x"), "own-tenant") == []
    assert found(edit(A, author=None, description="x"), "own-tenant") == []
    assert found(change([A], [A, B], author="somebody.new"), "own-tenant") == []
    # A person cannot join a tenant in the same change.
    joined = edit(A, author="idris.diallo", members={**A.members, Role.ADMIN: ("idris.diallo",)})
    assert found(joined, "own-tenant")


def test_a_slug_is_never_renamed() -> None:
    renamed = dataclasses.replace(A, slug="inscription", name="Inscription", description="moved")
    (notice,) = found(change([A, B], [renamed, B]), "slug-renamed")
    assert notice.refuses
    assert notice.tenant == "inscription"
    assert notice.text.startswith("teleservice becomes inscription")
    # One tenant is removed and a different one is added.
    other = plain("cantine", name="Cantine", owner="x.y", members={}, repositories=(app("menus"),), labels={})
    assert found(change([A, B], [other, B]), "slug-renamed") == []
    assert found(change([A], [A, renamed]), "slug-renamed") == []


@pytest.mark.parametrize(
    ("owner", "members", "author", "severity"),
    [
        ("bob.durand", {Role.ADMIN: (OWNER,)}, OWNER, Severity.INFO),
        ("bob.durand", {}, OWNER, Severity.WARNING),
        ("zoe.neuf", {Role.ADMIN: (OWNER,)}, OWNER, Severity.WARNING),
        ("zoe.neuf", {}, OWNER, Severity.ERROR),
        ("zoe.neuf", {}, PLATFORM, Severity.WARNING),
    ],
)
def test_a_new_owner_or_the_former_one_has_a_role(
    owner: str, members: dict[Role, tuple[str, ...]], author: str, severity: Severity
) -> None:
    (notice,) = found(edit(A, author=author, owner=owner, members=members), "owner-stays")
    assert notice.severity is severity
    assert f"from alice.martin to {owner}" in notice.text


@pytest.mark.parametrize(("days", "severity"), [(-1, Severity.INFO), (0, None), (30, None), (31, Severity.ERROR)])
@pytest.mark.parametrize("key", ["hold", "pin"])
def test_how_long_a_tenant_is_held_or_pinned(key: str, days: int, severity: Severity | None) -> None:
    def settings(longest: int) -> Settings:
        allowed = FleetSettings(longest_hold=longest) if key == "hold" else FleetSettings(longest_pin=longest)
        return dataclasses.replace(SETTINGS, fleet=allowed)

    allowing: dict[str, Any] = {"base_settings": settings(30)}
    until, why = TODAY + datetime.timedelta(days), "The election is in January."
    keys: dict[str, Any] = {key: Hold(until, why) if key == "hold" else Pin("2026.11", until, why)}
    notices = found(edit(A, more=allowing, **keys), "hold-length")
    assert [notice.severity for notice in notices] == ([severity] if severity else [])
    assert all(" held " in notice.text or f" {key}" in notice.text for notice in notices)
    # The head's settings allow more; another tenant.
    more = {**allowing, "settings": settings(365)}
    assert len(found(edit(A, more=more, **keys), "hold-length")) == len(notices)
    held = dataclasses.replace(A, **keys)
    assert found(change([held, B], [held, dataclasses.replace(B, description="x")], **allowing), "hold-length") == []


def test_a_tenant_s_team_cannot_list_a_version_for_its_pin() -> None:
    """An old commit may have weaker walls: the settings file is the platform team's."""
    pin = Pin("old", TODAY, "The audit is in January.")
    listing = dataclasses.replace(SETTINGS, fleet=FleetSettings(versions={"old": "0" * 40}, longest_pin=30))
    files = ["projects.d/teleservice.yaml", "Pulumi.lab.yaml"]
    pinned = edit(A, author=OWNER, pin=pin, more={"files": files, "settings": listing})
    (notice,) = found(pinned, "one-tenant")
    assert notice.refuses
    assert "Pulumi.lab.yaml" in notice.text


@pytest.mark.parametrize(
    ("days", "severity"), [(-1, None), (0, None), (1, Severity.WARNING), (90, Severity.WARNING), (91, Severity.ERROR)]
)
def test_a_review_date(days: int, severity: Severity | None) -> None:
    due = dataclasses.replace(A, review_after=TODAY - datetime.timedelta(days))
    notices = found(edit(due, description="x"), "review-date")
    assert [notice.severity for notice in notices] == ([severity] if severity else [])
    # A new date in the same change; an archived tenant; another tenant.
    assert found(edit(due, review_after=TODAY + datetime.timedelta(365)), "review-date") == []
    assert found(edit(due, state=State.ARCHIVED), "review-date") == []
    assert found(change([due, B], [due, dataclasses.replace(B, description="x")]), "review-date") == []


def test_a_past_review_date_never_refuses_the_fleet() -> None:
    due = dataclasses.replace(A, review_after=TODAY - datetime.timedelta(400))
    (notice,) = found(Change.of_fleet(SETTINGS, [due, B], TODAY), "review-date")
    assert notice.severity is Severity.WARNING


def test_positions_are_in_the_head_s_files() -> None:
    text = b"slug: teleservice\nname: X\nowner:   zoe.neuf\n"
    more = {"texts": {"projects.d/teleservice.yaml": text}}
    (notice,) = found(edit(A, owner="zoe.neuf", more=more), "owner-stays")
    assert (notice.path, notice.line, notice.column) == ("projects.d/teleservice.yaml", 3, 10)


def test_reordered_environments_are_no_rename() -> None:
    assert found(edit(A, environments=(environment("prod"), environment("dev"))), "slug-renamed") == []

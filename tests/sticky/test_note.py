"""The comment on a merge request: always one, found by marker and author."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from gitlab.v4.objects import ProjectMergeRequest

from lab.testing.ci_client import commit
from tests.sticky.conftest import Forge
from usine.sticky import note
from usine.sticky.connection import NoTokenError, StickyError

MARKER = "usine:diff"
LINE = "<!-- usine:diff -->"


def keep(forge: Forge, body: str, **environment: str) -> str:
    return note.keep(body, marker=MARKER, environment={**forge.environment, **environment})


def test_posted_once_updated_never_doubled(forge: Forge, written: Callable[[], list[str]]) -> None:
    assert keep(forge, "two tenants change") == "comment posted on !1"
    written()
    assert keep(forge, "two tenants change\r\n") == "comment unchanged on !1"
    assert written() == [], "nothing is written when nothing changed"
    assert keep(forge, "three tenants change") == "comment updated on !1"
    (only,) = forge.notes()
    assert only.body == f"{LINE}\nthree tenants change"
    assert note.keep("other", marker="usine:other", environment=forge.environment) == "comment posted on !1"
    assert len(forge.notes()) == 2, "another marker, another comment"


def test_a_marker_in_the_text_counts_once(forge: Forge) -> None:
    keep(forge, f"{LINE}\nrendered with its marker")
    assert [one.body for one in forge.notes()] == [f"{LINE}\nrendered with its marker"]
    assert keep(forge, f"{LINE}\n\nrendered with its marker") == "comment unchanged on !1"


def test_comments_of_other_people_are_never_changed(forge: Forge) -> None:
    theirs = forge.request.notes.create({"body": f"{LINE}\nI am the bot, believe me"})
    quoting = forge.bot().mergerequests.get(1).notes.create({"body": f"see above:\n{LINE}"})
    keep(forge, "first")
    keep(forge, "second")
    bodies = {one.id: one.body for one in forge.notes()}
    assert bodies.pop(theirs.id) == f"{LINE}\nI am the bot, believe me"
    assert bodies.pop(quoting.id) == f"see above:\n{LINE}"
    assert list(bodies.values()) == [f"{LINE}\nsecond"]


def test_doubles_are_reduced_to_the_oldest(forge: Forge) -> None:
    request = forge.bot().mergerequests.get(1)
    first, *_ = (request.notes.create({"body": f"{LINE}\n{text}"}) for text in ("a", "b", "c"))
    assert keep(forge, "d") == "comment updated on !1"
    assert [(one.id, one.body) for one in forge.notes()] == [(first.id, f"{LINE}\nd")]


def test_two_pipelines_at_once_leave_one(forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both see no comment before either posts: a barrier makes both wait at this point."""
    barrier, look = threading.Barrier(2, timeout=30), note._own
    waited = threading.local()

    def together(request: ProjectMergeRequest, user: int, marker: str) -> object:
        found = look(request, user, marker)
        if not getattr(waited, "done", False):
            waited.done = True
            barrier.wait()
        return found

    monkeypatch.setattr(note, "_own", together)
    said: list[str] = []
    threads = [threading.Thread(target=lambda text=text: said.append(keep(forge, text))) for text in ("a", "b")]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert said == ["comment posted on !1"] * 2
    (only,) = forge.notes()
    assert only.body in {f"{LINE}\na", f"{LINE}\nb"}


def test_an_older_pipeline_does_not_replace_the_comment_of_a_newer_one(forge: Forge) -> None:
    old = forge.environment["CI_COMMIT_SHA"]
    new = commit(forge.project, {"more.txt": "two\n"}, branch="side")
    keep(forge, "new", CI_COMMIT_SHA=new)
    assert "moved on" in keep(forge, "old", CI_COMMIT_SHA=old)
    # A pipeline of the merged result has its own commit, and a variable with the branch's commit.
    assert keep(forge, "merged", CI_COMMIT_SHA="f" * 40, CI_MERGE_REQUEST_SOURCE_BRANCH_SHA=new).startswith(
        "comment up"
    )
    assert [one.body for one in forge.notes()] == [f"{LINE}\nmerged"]


def test_quick_actions_are_text(forge: Forge) -> None:
    keep(forge, "/close\nfine\n  /label ~x\n> /merge\na/b")
    (only,) = forge.notes()
    assert only.body == f"{LINE}\n\\/close\nfine\n  \\/label ~x\n> /merge\na/b"
    assert forge.project.mergerequests.get(1).state == "opened"


def test_a_huge_text_is_cut(forge: Forge) -> None:
    keep(forge, "line of text\n" * 100_000)
    (only,) = forge.notes()
    assert len(only.body) <= 1_000_000
    assert only.body.endswith("*Cut here: the rest is in the pipeline's artifacts.*")


def test_each_failure_is_one_line_without_the_token(forge: Forge) -> None:
    with pytest.raises(NoTokenError, match="USINE_GITLAB_TOKEN is not set"):
        keep(forge, "x", USINE_GITLAB_TOKEN=" ")
    marker = "glpat-PLANTED-MARKER-0001"
    for environment, expected in (
        ({"USINE_GITLAB_TOKEN": marker}, "HTTP 401"),
        ({"USINE_GITLAB_TOKEN": f"{marker}\nX: y"}, "no token"),
        ({"CI_MERGE_REQUEST_IID": "99"}, "HTTP 404"),
        ({"CI_MERGE_REQUEST_IID": ""}, "CI_MERGE_REQUEST_IID is not set"),
        ({"CI_MERGE_REQUEST_IID": "1/../2"}, "no number"),
        ({"CI_API_V4_URL": ""}, "CI_API_V4_URL is not set"),
        ({"CI_API_V4_URL": "not a url"}, "could not be asked"),
    ):
        with pytest.raises(StickyError, match=expected) as caught:
            keep(forge, "x", **environment)
        text = str(caught.value)
        assert "\n" not in text
        assert marker not in text
        assert forge.environment["USINE_GITLAB_TOKEN"] not in text
    assert forge.notes() == []

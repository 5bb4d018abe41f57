"""Issues and their notes with python-gitlab, and refusals."""

from __future__ import annotations

from typing import Any

import gitlab
import pytest

from lab.testing.gitlab_server import LiveGitLab
from lab.testing.names import name


def status(call: Any, *arguments: Any, **named: Any) -> int:
    """Return the status of a refusal."""
    with pytest.raises(gitlab.GitlabError) as caught:
        call(*arguments, **named)
    return int(caught.value.response_code or 0)


def as_member(someone: Any, project: Any, level: int) -> Any:
    user, client = someone()
    project.members.create({"user_id": user.id, "access_level": level})
    return client.projects.get(project.id)


def test_life_of_an_issue(live: LiveGitLab, project: Any) -> None:
    issue = project.issues.create({"title": "Drift", "description": "- [ ] a\n- [x] b", "labels": "drift,usine"})
    assert (issue.iid, issue.state, issue.labels) == (1, "opened", ["drift", "usine"])
    assert issue.task_completion_status == {"count": 2, "completed_count": 1}
    assert issue.references["full"] == f"{project.path_with_namespace}#1"
    issue.title = "Drift again"
    issue.add_labels = ["late"]
    issue.remove_labels = ["usine"]
    issue.save()
    found = project.issues.get(1)
    assert (found.title, found.labels) == ("Drift again", ["drift", "late"])
    found.state_event = "close"
    found.save()
    closed = project.issues.get(1)
    assert (closed.state, closed.attributes["closed_by"]["username"]) == ("closed", "root")
    closed.state_event = "reopen"
    closed.save()
    assert project.issues.get(1).closed_at is None
    assert live.root.projects.get(project.id).issues.list(state="opened")[0].iid == 1


def test_lists(project: Any) -> None:
    for title, labels in (("alpha", ["a"]), ("beta", ["a", "b"]), ("gamma", [])):
        project.issues.create({"title": title, "labels": labels, "description": f"about {title}"})
    project.issues.update(3, {"state_event": "close"})

    def titles(**filters: Any) -> set[str]:
        return {one.title for one in project.issues.list(get_all=True, **filters)}

    assert titles() == {"alpha", "beta", "gamma"}
    assert titles(state="opened") == {"alpha", "beta"}
    assert titles(state="closed") == {"gamma"}
    assert titles(labels=["a", "b"]) == {"beta"}
    assert titles(labels="None") == {"gamma"}
    assert titles(search="ABOUT b") == {"beta"}
    assert titles(search="about", query_parameters={"search": "about", "in": "title"}) == set()
    assert titles(iids=[1, 3]) == {"alpha", "gamma"}
    assert [one.title for one in project.issues.list(order_by="title", sort="asc")] == ["alpha", "beta", "gamma"]
    page = project.issues.list(per_page=2, page=2, get_all=False)
    assert [one.title for one in page] == ["alpha"]


def test_invalid_issues_are_refused(project: Any) -> None:
    assert status(project.issues.create, {"title": " "}) == 400
    assert status(project.issues.create, {"title": "x" * 256}) == 400
    project.issues.create({"title": "ok"})
    assert status(project.issues.update, 1, {}) == 400
    assert status(project.issues.update, 1, {"state_event": "explode"}) == 400
    assert status(project.issues.get, 99) == 404


def test_permissions(project: Any, someone: Any) -> None:
    project.issues.create({"title": "theirs", "labels": ["x"]})
    guest = as_member(someone, project, 10)
    mine = guest.issues.create({"title": "mine", "labels": ["not by a guest"]})
    assert mine.labels == []
    guest.issues.update(mine.iid, {"state_event": "close"})
    assert status(guest.issues.update, 1, {"title": "no"}) == 403
    reporter = as_member(someone, project, 20)
    reporter.issues.update(1, {"labels": ["y"]})
    _, stranger = someone()
    assert status(stranger.projects.get(project.id, lazy=True).issues.list) == 404


def test_confidential_issues(project: Any, someone: Any) -> None:
    project.issues.create({"title": "secret", "confidential": True})
    guest, reporter = as_member(someone, project, 10), as_member(someone, project, 20)
    assert status(guest.issues.get, 1) == 404
    assert guest.issues.list() == []
    assert status(guest.issues.get(1, lazy=True).notes.list) == 404
    assert reporter.issues.get(1).confidential
    own = guest.issues.create({"title": "own", "confidential": True})
    assert guest.issues.get(own.iid).title == "own"


def test_notes(project: Any, someone: Any) -> None:
    issue = project.issues.create({"title": "talk"})
    note = issue.notes.create({"body": "plan: 3 to create"})
    assert (note.body, note.author["username"], note.noteable_iid, note.system) == (
        "plan: 3 to create",
        "root",
        issue.iid,
        False,
    )
    assert project.issues.get(issue.iid).user_notes_count == 1
    theirs = as_member(someone, project, 10).issues.get(issue.iid)
    theirs.notes.create({"body": "hello"})
    issue.notes.create({"body": "among us", "internal": True})
    assert {one.body for one in theirs.notes.list()} == {"plan: 3 to create", "hello"}
    assert status(theirs.notes.create, {"body": "x", "internal": True}) == 403
    assert status(issue.notes.create, {"body": " "}) == 400
    assert [one.body for one in issue.notes.list(sort="asc")] == ["plan: 3 to create", "hello", "among us"]


def test_disabled_issues_and_archived_projects(live: LiveGitLab, project: Any) -> None:
    project.issues.create({"title": "before"})
    project.archive()
    assert status(project.issues.create, {"title": "after"}) == 403
    assert status(project.issues.get(1).notes.create, {"body": "after"}) == 403
    other = live.root.projects.create({"name": name("p"), "issues_access_level": "disabled"})
    assert status(other.issues.create, {"title": "x"}) == 404

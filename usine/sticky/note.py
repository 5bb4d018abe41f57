"""Keeps one comment on a merge request: finds it by marker and author, updates it in place, deletes doubles."""

from __future__ import annotations

import os
from collections.abc import Mapping
from http import HTTPStatus

import gitlab
from gitlab.v4.objects import ProjectMergeRequest, ProjectMergeRequestNote

from usine.sticky.connection import StickyError, connect, need, translated_errors
from usine.sticky.text import attributes_of, compose, hidden, same

_ROUNDS = 4


def keep(body: str, *, marker: str, environment: Mapping[str, str] | None = None) -> str:
    """Update the comment on this pipeline's merge request, or post it. Return what was done, in one line.

    Nothing is written when the comment has this text already, or when the merge request has a newer commit: the newer
    pipeline comments on that. Comments of other users are never changed. Raises NoTokenError without a token,
    StickyError for all other failures.
    """
    environment = os.environ if environment is None else environment
    # The merge request is in the target's project; the pipeline of a fork runs in another project.
    project = environment.get("CI_MERGE_REQUEST_PROJECT_ID") or need(environment, "CI_PROJECT_ID")
    number = need(environment, "CI_MERGE_REQUEST_IID")
    head = environment.get("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA") or environment.get("CI_COMMIT_SHA", "")
    if not number.isdecimal():
        raise StickyError("CI_MERGE_REQUEST_IID is no number")
    connection = connect(environment, project)
    with translated_errors(f"keep the comment on !{number}"):
        request = connection.project.mergerequests.get(int(number))
        if head and request.sha and request.sha != head:
            return f"!{number} has moved on to another commit: its own pipeline comments on it"
        return _keep(request, connection.user, marker, compose(hidden(marker), body))


def _keep(request: ProjectMergeRequest, user: int, marker: str, text: str) -> str:
    """Write and read again, until there is one comment with this text: another pipeline may write at the same time."""
    done = ""
    for _ in range(_ROUNDS):
        own = _own(request, user, marker)
        if not own:
            request.notes.create({"body": text})
            done = "posted"
            continue
        first, *doubles = own
        for double in doubles:
            _delete(double)
        if same(first.body, text):
            return f"comment {done or 'unchanged'} on !{request.iid}"
        if _update(first, text):
            return f"comment {done or 'updated'} on !{request.iid}"
    raise StickyError(f"the comment on !{request.iid} is changed by other pipelines at the same time")


def _own(request: ProjectMergeRequest, user: int, marker: str) -> list[ProjectMergeRequestNote]:
    notes = request.notes.list(iterator=True, order_by="created_at", sort="asc", per_page=100)
    found = [note for note in notes if not note.system and note.author["id"] == user]
    return sorted((one for one in found if attributes_of(one.body, marker) is not None), key=lambda one: int(one.id))


def _update(note: ProjectMergeRequestNote, text: str) -> bool:
    """Update a comment. Return False if it does not exist any more."""
    note.body = text
    try:
        note.save()
    except gitlab.GitlabUpdateError as error:
        if error.response_code != HTTPStatus.NOT_FOUND:
            raise
        return False
    return True


def _delete(note: ProjectMergeRequestNote) -> None:
    try:
        note.delete()
    except gitlab.GitlabDeleteError as error:
        if error.response_code != HTTPStatus.NOT_FOUND:
            raise

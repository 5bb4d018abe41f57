# ruff: noqa: ANN401 - JSON answers have any type
"""Notes on issues and merge requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

from lab.standins.gitlab import access, api_issues, api_merge_requests
from lab.standins.gitlab.errors import forbidden, invalid, not_found
from lab.standins.gitlab.params import Bool, Paging, Params, Text
from lab.standins.gitlab.routing import Call, Router
from lab.standins.gitlab.site import GitLabSite, now
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router = Router("notes")

_LONGEST: Final = 1_000_000
Find = Callable[[Call, str, int], tuple[Document, Document]]


class NoteFilter(Paging):
    """Order of notes."""

    sort: Literal["asc", "desc"] = "desc"
    order_by: Literal["created_at", "updated_at"] = "created_at"
    activity_filter: Literal["all_notes", "only_comments", "only_activity"] | None = None


class NewNote(Params):
    """Parameters of a new note."""

    body: str
    internal: Bool = None
    confidential: Bool = None
    created_at: Text = None


class ChangedNote(Params):
    """Parameters of an update."""

    body: Text = None


def _shown(call: Call, note: Document) -> Document:
    author = api_issues.people(call.site, [note["author_id"]])
    return {
        "id": note["id"],
        "type": None,
        "body": note["body"],
        "author": author[0] if author else None,
        **{name: note[name] for name in ("created_at", "updated_at", "system", "noteable_id", "noteable_type")},
        "project_id": note["project_id"],
        "resolvable": False,
        "confidential": note["internal"],
        "internal": note["internal"],
        "imported": False,
        "imported_from": "none",
        "noteable_iid": note["noteable_iid"],
        "commands_changes": {},
    }


def add(
    site: GitLabSite, kind: str, project: Document, noteable: Document, author_id: int, body: str, **more: bool
) -> Document:
    """Store a note on an `Issue` or a `MergeRequest`."""
    moment = now()
    return site.store.add(
        "note",
        {
            "noteable_type": kind,
            "noteable_id": noteable["id"],
            "noteable_iid": noteable["iid"],
            "project_id": project["id"],
            "author_id": author_id,
            "body": body,
            "system": False,
            "internal": False,
            "created_at": moment,
            "updated_at": moment,
            **more,
        },
    )


def _check(body: str) -> str:
    if not body.strip():
        raise invalid(note=["can't be blank"])
    if len(body) > _LONGEST:
        raise invalid(note=[f"is too long (maximum is {_LONGEST} characters)"])
    return body


def _visible(call: Call, project: Document, kind: str, noteable: Document) -> list[Document]:
    """Return the notes that are visible to the caller: internal ones only to planners and above."""
    found = call.store.find("note", noteable_type=kind, noteable_id=noteable["id"])
    planner = call.project_level(project) >= access.PLANNER
    return [one for one in found if planner or not one["internal"]]


def _one(call: Call, project: Document, kind: str, noteable: Document, id_: int) -> Document:
    found = next((one for one in _visible(call, project, kind, noteable) if one["id"] == id_), None)
    if found is None:
        raise not_found("Note")
    return found


def _editable(call: Call, project: Document, note: Document, level: int) -> None:
    if note["author_id"] != call.user["id"] and call.project_level(project) < level:
        raise forbidden()
    if note["system"]:
        raise forbidden()


def _routes(path: str, kind: str, find: Find) -> None:
    base = f"/projects/{{id}}/{path}/{{iid}}"

    def written(call: Call, id_: str, iid: int, given: NewNote) -> Document:
        project, noteable = find(call, id_, iid)
        body = _check(given.body)
        level = call.project_level(project)
        open_to_all = project["visibility"] != "private" and kind == "Issue"
        if (level < access.GUEST and not open_to_all) or project.get("archived"):
            raise forbidden()
        if noteable.get("discussion_locked") and level < access.PLANNER:
            raise forbidden()
        internal = bool(given.internal or given.confidential)
        if internal and level < access.PLANNER:
            raise forbidden()
        noteable_kind = "issue" if kind == "Issue" else "merge_request"
        call.store.put(noteable_kind, {**noteable, "updated_at": now()})
        return add(call.site, kind, project, noteable, call.user["id"], body, internal=internal)

    @router.get(f"{base}/notes", anonymous=True)
    @needed_by(Need.COMMENT)
    def list_notes(call: Call, id: str, iid: int, given: NoteFilter) -> Any:
        """List the notes, newest first."""
        project, noteable = find(call, id, iid)
        found = _visible(call, project, kind, noteable)
        if given.activity_filter == "only_comments":
            found = [one for one in found if not one["system"]]
        elif given.activity_filter == "only_activity":
            found = [one for one in found if one["system"]]
        found.sort(key=lambda one: (one[given.order_by], one["id"]), reverse=given.sort == "desc")
        return call.page(found, given, lambda one: _shown(call, one))

    @router.post(f"{base}/notes")
    @needed_by(Need.COMMENT)
    def create_note(call: Call, id: str, iid: int, given: NewNote) -> Any:
        """Create a note."""
        return _shown(call, written(call, id, iid, given))


def _changes(path: str, kind: str, find: Find) -> None:
    base = f"/projects/{{id}}/{path}/{{iid}}"

    @router.put(f"{base}/notes/{{note_id}}")
    @needed_by(Need.COMMENT)
    def update_note(call: Call, id: str, iid: int, note_id: int, given: ChangedNote) -> Any:
        """Update a note: the author's own, or any as a maintainer."""
        project, noteable = find(call, id, iid)
        note = _one(call, project, kind, noteable, note_id)
        _editable(call, project, note, access.MAINTAINER)
        if given.body is not None:
            note |= {"body": _check(given.body), "updated_at": now()}
            call.store.put("note", note)
        return _shown(call, note)

    @router.delete(f"{base}/notes/{{note_id}}")
    @needed_by(Need.COMMENT)
    def delete_note(call: Call, id: str, iid: int, note_id: int) -> None:
        """Delete a note."""
        project, noteable = find(call, id, iid)
        note = _one(call, project, kind, noteable, note_id)
        _editable(call, project, note, access.MAINTAINER)
        call.store.remove("note", note["id"])


_routes("issues", "Issue", api_issues.find)
_routes("merge_requests", "MergeRequest", api_merge_requests.find)
_changes("merge_requests", "MergeRequest", api_merge_requests.find)

# ruff: noqa: ANN401 - answers are JSON
"""Topics of the instance, labels of projects and groups."""

from __future__ import annotations

import re
from typing import Any

from lab.standins.gitlab.errors import ApiError, conflict, not_found
from lab.standins.gitlab.params import Bool, Int, Paging, Params, Text
from lab.standins.gitlab.routing import Call, Router
from lab.standins.store import Document

router = Router("labels")

# Topics ---------------------------------------------------------------------------------------------------------------


class TopicFilter(Paging):
    """Which topics."""

    search: Text = None
    without_projects: Bool = None


class TopicParams(Params):
    """A topic."""

    name: Text = None
    title: Text = None
    description: Text = None


def _topic(call: Call, topic: Document) -> Document:
    used = [one for one in call.store.find("project") if topic["name"] in one["topics"]]
    shown = {name: topic[name] for name in ("id", "name", "title", "description")}
    return {**shown, "total_projects_count": len(used), "organization_id": 1, "avatar_url": None}


def _topic_of(call: Call, topic_id: int) -> Document:
    found = call.store.get("topic", topic_id)
    if found is None:
        raise not_found("Topic")
    return found


@router.get("/topics", anonymous=True)
def list_topics(call: Call, given: TopicFilter) -> Any:
    """Topics by name."""
    found = [one for one in call.store.find("topic") if (given.search or "").lower() in one["name"].lower()]
    return call.page(found, given, lambda one: _topic(call, one))


@router.get("/topics/{topic_id}", anonymous=True)
def get_topic(call: Call, topic_id: int) -> Any:
    """One topic."""
    return _topic(call, _topic_of(call, topic_id))


@router.post("/topics")
def create_topic(call: Call, given: TopicParams) -> Any:
    """Create a topic."""
    call.require_admin()
    missing = [f"{name} is missing" for name in ("name", "title") if not getattr(given, name)]
    if missing:
        raise ApiError(400, {"error": ", ".join(missing)})
    if call.store.first("topic", name=given.name):
        raise ApiError(400, {"message": {"name": ["has already been taken"]}})
    content = {"name": given.name, "title": given.title, "description": given.description}
    return _topic(call, call.store.add("topic", content))


@router.put("/topics/{topic_id}")
def update_topic(call: Call, topic_id: int, given: TopicParams) -> Any:
    """Change a topic."""
    call.require_admin()
    topic = {**_topic_of(call, topic_id), **{name: value for name, value in given.sent().items() if value is not None}}
    call.store.put("topic", topic)
    return _topic(call, topic)


@router.delete("/topics/{topic_id}")
def delete_topic(call: Call, topic_id: int) -> None:
    """Delete a topic."""
    call.require_admin()
    call.store.remove("topic", _topic_of(call, topic_id)["id"])


# Labels ---------------------------------------------------------------------------------------------------------------


class LabelParams(Params):
    """A label."""

    name: Text = None
    new_name: Text = None
    color: Text = None
    description: Text = None
    priority: Int = None


class LabelFilter(Paging):
    """Which labels."""

    search: Text = None
    with_counts: Bool = None


def _label(kind: str, label: Document) -> Document:
    shown = {name: label[name] for name in ("id", "name", "description", "color", "priority")}
    counts = {"open_issues_count": 0, "closed_issues_count": 0, "open_merge_requests_count": 0}
    more = {"description_html": label["description"] or "", "text_color": "#FFFFFF", "subscribed": False}
    return {**shown, **more, **counts, "is_project_label": kind == "project", "archived": False}


def _label_of(call: Call, kind: str, source: int, name: str) -> Document:
    found = call.store.first("label", source_type=kind, source_id=source, name=name)
    if found is None and name.isascii() and name.isdigit() and len(name) < 19:  # noqa: PLR2004 - fits 64 bits
        found = call.store.get("label", int(name))
    if found is None or (found["source_type"], found["source_id"]) != (kind, source):
        raise not_found("Label")
    return found


def _label_source(call: Call, kind: str, id_: str, level: int) -> int:
    return int((call.project(id_, level) if kind == "project" else call.group(id_, level))["id"])


def _labels(kind: str) -> None:
    path = f"/{kind}s/{{id}}/labels"

    @router.get(path, anonymous=True)
    def list_labels(call: Call, id: str, given: LabelFilter) -> Any:
        """All labels."""
        found = call.store.find("label", source_type=kind, source_id=_label_source(call, kind, id, 10))
        kept = [one for one in found if (given.search or "").lower() in one["name"].lower()]
        return call.page(kept, given, lambda one: _label(kind, one))

    @router.get(f"{path}/{{name}}", anonymous=True)
    def get_label(call: Call, id: str, name: str) -> Any:
        """One label by name or number."""
        return _label(kind, _label_of(call, kind, _label_source(call, kind, id, 10), name))

    @router.post(path)
    def create_label(call: Call, id: str, given: LabelParams) -> Any:
        """Create a label."""
        source = _label_source(call, kind, id, 15)
        missing = [f"{name} is missing" for name in ("name", "color") if not getattr(given, name)]
        if missing:
            raise ApiError(400, {"error": ", ".join(missing)})
        if call.store.first("label", source_type=kind, source_id=source, name=given.name):
            raise conflict("Label already exists")
        _colour(given)
        content = given.sent("new_name")
        blank = {"description": None, "priority": None, "source_type": kind, "source_id": source}
        return _label(kind, call.store.add("label", {**blank, **content}))

    @router.put(path)
    def update_named_label(call: Call, id: str, given: LabelParams) -> Any:
        """Change a label named in the body."""
        if not given.name:
            raise ApiError(400, {"error": "label_id, name are missing, exactly one parameter must be provided"})
        return update_label(call, id, given.name, given)

    @router.delete(path)
    def delete_named_label(call: Call, id: str, given: LabelParams) -> None:
        """Delete a label named in the body."""
        delete_label(call, id, given.name or "")

    @router.put(f"{path}/{{name}}")
    def update_label(call: Call, id: str, name: str, given: LabelParams) -> Any:
        """Change a label."""
        label = _label_of(call, kind, _label_source(call, kind, id, 15), name)
        _colour(given)
        label |= {key: value for key, value in given.sent("name", "new_name").items() if value is not None}
        label["name"] = given.new_name or label["name"]
        call.store.put("label", label)
        return _label(kind, label)

    @router.delete(f"{path}/{{name}}")
    def delete_label(call: Call, id: str, name: str) -> None:
        """Delete a label."""
        call.store.remove("label", _label_of(call, kind, _label_source(call, kind, id, 15), name)["id"])


def _colour(given: LabelParams) -> None:
    if given.color and not re.fullmatch(r"#[0-9A-Fa-f]{3}([0-9A-Fa-f]{3})?|[a-z]+", given.color):
        raise ApiError(400, {"message": {"color": ["must be a valid color code"]}})


_labels("project")
_labels("group")

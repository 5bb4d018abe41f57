# ruff: noqa: ANN401 - JSON parameters have any type
"""Access levels of protected branches, tags and environments: lists of entries, and checks of users."""

from __future__ import annotations

import re
from typing import Any, Final, Literal

from lab.standins.gitlab import access
from lab.standins.gitlab.errors import parameter, refused
from lab.standins.gitlab.params import LARGEST, truth
from lab.standins.gitlab.routing import Call
from lab.standins.gitlab.site import GitLabSite, now
from lab.standins.store import Document

Level = Literal[0, 30, 40, 60, "0", "30", "40", "60"]

_DESCRIBED: Final = {0: "No one", 30: "Developers + Maintainers", 40: "Maintainers", 60: "Administrators"}


def matches(pattern: str, name: str) -> bool:
    """Whether a protection applies to a name; `*` matches any text."""
    return re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), name, re.DOTALL) is not None


def entry(site: GitLabSite, *, level: int | None = None, user: int | None = None, group: int | None = None) -> Document:
    """Return an entry of a list of access levels, with a new id."""
    return _entry(site, {"access_level": level, "user_id": user, "group_id": group})


def _entry(site: GitLabSite, content: Document) -> Document:
    level = content.get("access_level")
    described = _DESCRIBED.get(level, "") if level is not None else ""
    if content.get("user_id"):
        described = (site.store.get("user", content["user_id"]) or {"name": ""})["name"]
    elif content.get("group_id"):
        described = (site.store.get("namespace", content["group_id"]) or {"name": ""})["name"]
    elif content.get("deploy_key_id"):
        described = "Deploy key"
    if level is None and not content.get("deploy_key_id"):
        level = access.MAINTAINER
    numbered = site.store.add("access_level", {})  # ids are never reused
    site.store.remove("access_level", numbered["id"])
    return {
        "id": numbered["id"],
        "access_level": level,
        "access_level_description": described,
        "deploy_key_id": content.get("deploy_key_id"),
        "user_id": content.get("user_id"),
        "group_id": content.get("group_id"),
    }


def entries(call: Call, name: str, given: list[Document] | None, level: int | str | None) -> list[Document] | None:
    """Return the entries of a level and a list of hashes; None if neither is given. Raises 400 or 422."""
    given = _known(call, given)
    if level is None and given is None:
        return None
    wanted = [] if level is None else [{"access_level": int(level)}]
    wanted += [checked(call, name, one) for one in given or []]
    return [_entry(call.site, one) for one in wanted]


def _known(call: Call, given: list[Document] | None) -> list[Document] | None:
    """Return the entries that the edition supports: the community edition ignores all except deploy keys."""
    if given is None or call.site.enterprise:
        return given
    return [one for one in given if one.get("deploy_key_id")] or None


def change(call: Call, name: str, current: list[Document], given: list[Document] | None) -> list[Document]:
    """Return the list after additions, changes by `id`, and removals by `_destroy`."""
    changed = list(current)
    for one in _known(call, given) or []:
        id_ = _number(name, "id", one.get("id"))
        index = next((at for at, line in enumerate(changed) if line["id"] == id_), None)
        if id_ is not None and index is None:
            raise refused("404 Not found", 404)
        if index is not None and truth(one.get("_destroy")):
            del changed[index]
        elif index is not None:
            changed[index] = {**_entry(call.site, checked(call, name, one)), "id": id_}
        else:
            changed.append(_entry(call.site, checked(call, name, one)))
    return changed


def checked(call: Call, name: str, given: Document) -> Document:
    """Return a checked entry with whole numbers; users and groups only if the edition has them."""
    numbers = {
        key: _number(name, key, given.get(key)) for key in ("access_level", "user_id", "group_id", "deploy_key_id")
    }
    if all(value is None for value in numbers.values()):
        raise parameter(f"{name}[0][access_level] is missing")
    if numbers["access_level"] is not None and numbers["access_level"] not in _DESCRIBED:
        raise parameter(f"{name}[access_level] does not have a valid value")
    for key, kind in (("user_id", "user"), ("group_id", "namespace")):
        number = numbers[key]
        if number is None:
            continue
        if not call.site.premium or call.store.get(kind, number) is None:
            raise refused({f"{name.removeprefix('allowed_to_')}_access_levels.{key[:-3]}": ["is invalid"]}, 422)
    return numbers


def _number(name: str, key: str, value: Any) -> int | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not str(value).lstrip("-").isdigit() or not str(value).isascii():
        raise parameter(f"{name}[{key}] is invalid")
    number = int(str(value)) if len(str(value)) < 12 else LARGEST + 1  # noqa: PLR2004 - ten digits and a sign
    if not -LARGEST <= number <= LARGEST:
        raise parameter(f"{name}[{key}] is invalid")
    return number


def protect_default_branch(site: GitLabSite, project: Document) -> None:
    """Protect a new default branch of a project by its group's setting. Idempotent."""
    name = project["default_branch"]
    if site.store.first("protected_branch", project_id=project["id"], name=name) is not None:
        return
    space = access.namespace(site, project)
    defaults = space.get("default_branch_protection_defaults") or {}
    push = [one["access_level"] for one in defaults.get("allowed_to_push", [{"access_level": access.MAINTAINER}])]
    merge = [one["access_level"] for one in defaults.get("allowed_to_merge", [{"access_level": access.MAINTAINER}])]
    if defaults.get("allow_force_push") and push == [access.DEVELOPER]:
        return  # protection 0: developers can push, there is no protection
    site.store.add(
        "protected_branch",
        {
            "project_id": project["id"],
            "name": name,
            "push_access_levels": [entry(site, level=level) for level in push],
            "merge_access_levels": [entry(site, level=level) for level in merge],
            "unprotect_access_levels": [],
            "allow_force_push": bool(defaults.get("allow_force_push")),
            "code_owner_approval_required": False,
            "created_at": now(),
        },
    )


def allowed(site: GitLabSite, user: Document, level: int, lines: list[Document]) -> bool:
    """Whether one of the entries allows a user with this level in the project."""
    for line in lines:
        if line["user_id"]:
            if line["user_id"] == user["id"]:
                return True
        elif line["group_id"]:
            group = site.store.get("namespace", line["group_id"])
            if group is not None and access.user_group_level(site, user["id"], group):
                return True
        elif line["access_level"] and level >= line["access_level"]:
            return True
    return False

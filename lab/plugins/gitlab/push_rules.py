"""What may be pushed: rules of groups and of projects, alone or as a block of either."""

from __future__ import annotations

from typing import Any, Final

from lab.plugins import framework
from lab.plugins.bridge import Resource
from lab.plugins.fields import snake
from lab.plugins.gitlab.client import ApiError, GitLab, segment
from lab.plugins.gitlab.common import known
from lab.plugins.planning import Data
from lab.plugins.server import PluginError, refused
from lab.plugins.wire import Properties, Value

_TEXTS: Final = (
    "authorEmailRegex",
    "branchNameRegex",
    "commitMessageRegex",
    "commitMessageNegativeRegex",
    "fileNameRegex",
)
_FLAGS: Final = (
    "commitCommitterCheck",
    "commitCommitterNameCheck",
    "denyDeleteTag",
    "memberCheck",
    "preventSecrets",
    "rejectNonDcoCommits",
    "rejectUnsignedCommits",
)
NAMES: Final = (*_TEXTS, *_FLAGS, "maxFileSize")


def outputs(rules: Properties | None) -> Properties:
    """Return what the server says, by property; no rules are rules that allow everything."""
    said = rules or {}
    found: Properties = {name: said.get(snake(name)) or "" for name in _TEXTS}
    found |= {name: bool(said.get(snake(name))) for name in _FLAGS}
    found["maxFileSize"] = int(said.get("max_file_size") or 0)
    return found


def path(root: str, owner: str) -> str:
    """Return where the rules of a group or project are; `root` is `groups` or `projects`."""
    return f"{root}/{segment(owner)}/push_rule"


def read_block(data: Data, gitlab: GitLab, root: str) -> None:
    """Read a group's or project's rules into its block, empty where the edition has none."""
    try:
        data.set("pushRules", outputs(gitlab.get(path(root, data.id))))
    except ApiError as error:
        if not error.missing:
            raise PluginError(f'Failed to get push rules for {root[:-1]} "{data.id}": {error}') from None
        data.set("pushRules", None)


def write_block(data: Data, gitlab: GitLab, root: str) -> None:
    """Write what a group's or project's block says; raises `PluginError` where the edition has no rules."""
    wanted = known(data.raw("pushRules"))
    try:
        _write(gitlab, path(root, data.id), {snake(name): value for name, value in wanted.items()})
    except ApiError as error:
        if error.missing:
            what = root[:-1].capitalize()
            raise PluginError(f"{what} push rules are not supported in your version of GitLab") from None
        raise PluginError(f'Failed to edit push rules for {root[:-1]} "{data.id}": {error}') from None


def _write(gitlab: GitLab, where: str, body: Properties) -> Any:  # noqa: ANN401 - JSON from a server
    """Add the rules, or change those there are."""
    present = gitlab.find(where)
    if not present or not present.get("id"):
        said: dict[str, Value] = {name: value for name, value in body.items() if value}
        return gitlab.post(where, said) if said else None
    changed = {name: value for name, value in body.items() if (present.get(name) or type(value)()) != value}
    return gitlab.put(where, changed) if changed else None


# -- a project's rules on their own -----------------------------------------------------------------------------------

PUSH_RULES: Final = framework.resource("gitlab:index/projectPushRules:ProjectPushRules", kept=NAMES)


def _body(data: Data) -> Properties:
    return {snake(name): data.raw(name) for name in NAMES if data.raw(name) is not None}


def _take(data: Data, project: str, rules: Properties | None) -> None:
    data.id = project
    data.set("project", project)
    for name, value in outputs(rules).items():
        data.set(name, value)


def _create(data: Data, gitlab: GitLab) -> None:
    project = data.get("project")
    where = path("projects", project)
    with refused("Unable to add project push rules details"):
        present = gitlab.find(where)
        rules = gitlab.put(where, _body(data)) if present and present.get("id") else gitlab.post(where, _body(data))
    _take(data, project, rules)


def _read(data: Data, gitlab: GitLab) -> None:
    try:
        rules = gitlab.get(path("projects", data.id))
    except ApiError as error:
        if not error.missing:
            raise PluginError(f"Unable to read project push rules details: {error}") from None
        data.id = ""
        return
    if not rules:
        data.id = ""
        return
    _take(data, data.id, rules)


def _update(data: Data, gitlab: GitLab) -> None:
    with refused("Failed to update project push rules"):
        rules = gitlab.put(path("projects", data.id), _body(data))
    _take(data, data.id, rules)


def _delete(data: Data, gitlab: GitLab) -> None:
    gitlab.delete(path("projects", data.id))


RESOURCES: Final = {
    PUSH_RULES.token: Resource(PUSH_RULES, _create, _read, _update, _delete, customise=framework.replacing("project"))
}

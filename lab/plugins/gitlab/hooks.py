"""Webhooks of projects and groups."""

from __future__ import annotations

from typing import Final

from lab.plugins import framework
from lab.plugins.bridge import Resource
from lab.plugins.gitlab.client import ApiError, GitLab, segment
from lab.plugins.gitlab.common import number, parts, snake
from lab.plugins.planning import Data
from lab.plugins.schema import Shape
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties

_PAIRS: Final = ("customHeaders", "urlVariables")
_TEXTS: Final = ("name", "description", "pushEventsBranchFilter", "branchFilterStrategy", "customWebhookTemplate")


def _shape(token: str, owner: str) -> Shape:
    bare = framework.resource(token)
    events = [name for name, field in bare.fields.items() if name.endswith("Events") and field.input]
    return framework.resource(
        token,
        sets=_PAIRS,
        autoname=("name",),
        default={**dict.fromkeys(events, False), "pushEvents": True, "enableSslVerification": True},
        kept=("hookId", f"{owner}Id"),
        write_only={"signingToken": True},
        validate={
            "url": framework.matching("url", r"^\S+$", "The URL may not contain whitespace"),
            "branchFilterStrategy": framework.one_of("branch_filter_strategy", "wildcard", "regex", "all_branches"),
        },
    )


PROJECT_HOOK: Final = _shape("gitlab:index/projectHook:ProjectHook", "project")
GROUP_HOOK: Final = _shape("gitlab:index/groupHook:GroupHook", "group")


class _Hooks:
    """Hooks of one kind of owner, whose property is `owner`, found below `root`."""

    def __init__(self, owner: str, root: str, shape: Shape) -> None:
        self._owner = owner
        self._root = root
        self._shape = shape
        self._flags = [
            name
            for name, field in shape.fields.items()
            if field.kind == "boolean" and field.input and (name.endswith("Events") or name == "enableSslVerification")
        ]

    def _path(self, owner: str, hook: int | str = "") -> str:
        path = f"{self._root}/{segment(owner)}/hooks"
        return f"{path}/{hook}" if hook else path

    def _body(self, data: Data) -> Properties:
        body: Properties = {"url": data.get("url")}
        for name in (*_TEXTS, *self._flags, "token"):
            if data.raw(name) is not None:
                body[snake(name)] = data.raw(name)
        for name in _PAIRS:
            if data.raw(name):
                body[snake(name)] = [{"key": item["key"], "value": item["value"]} for item in data.get(name)]
        if data.inputs.get("signingToken"):
            body["signing_token"] = data.inputs["signingToken"]
        return body

    def _take(self, data: Data, owner: str, hook: Properties) -> None:
        data.id = f"{owner}:{hook['id']}"
        data.set(self._owner, owner)
        data.set("hookId", hook["id"])
        data.set(f"{self._owner}Id", hook.get(f"{self._owner}_id"))
        data.set("url", hook["url"])
        for name in _TEXTS:
            data.set(name, hook.get(snake(name)) or "")
        for name in self._flags:
            data.set(name, bool(hook.get(snake(name))))
        data.set("alertStatus", hook.get("alert_status") or "")
        data.set("disabledUntil", hook.get("disabled_until"))
        data.set("signingTokenPresent", bool(hook.get("signing_token_present")))
        if "repositoryUpdateEvents" in self._shape.fields:
            data.set("repositoryUpdateEvents", bool(hook.get("repository_update_events")))
        data.set("token", data.raw("token"))  # never told
        for name in _PAIRS:
            values = {item["key"]: item["value"] for item in data.raw(name) or []}
            told = [{"key": item["key"], "value": values.get(item["key"], "")} for item in hook.get(snake(name)) or []]
            if told or data.raw(name):
                data.set(name, told)

    def create(self, data: Data, gitlab: GitLab) -> None:
        """Make the hook."""
        owner = data.get(self._owner)
        try:
            hook = gitlab.post(self._path(owner), self._body(data))
        except ApiError as error:
            raise PluginError(f"Error creating GitLab {self._owner} hook: {error}") from None
        self._take(data, owner, hook)

    def read(self, data: Data, gitlab: GitLab) -> None:
        """Read the hook; its token and the values of headers are never told."""
        owner, text = parts(data.id, self._owner, "hook_id")
        hook = gitlab.find(self._path(owner, number(text, "hook id")))
        if hook is None:
            data.id = ""
            return
        self._take(data, owner, hook)

    def update(self, data: Data, gitlab: GitLab) -> None:
        """Change the hook in place."""
        owner, text = parts(data.id, self._owner, "hook_id")
        try:
            hook = gitlab.put(self._path(owner, number(text, "hook id")), self._body(data))
        except ApiError as error:
            raise PluginError(f"Error updating GitLab {self._owner} hook: {error}") from None
        self._take(data, owner, hook)

    def delete(self, data: Data, gitlab: GitLab) -> None:
        """Delete the hook."""
        owner, text = parts(data.id, self._owner, "hook_id")
        gitlab.delete(self._path(owner, number(text, "hook id")))

    def resource(self) -> Resource[GitLab]:
        """Return the resource type."""
        replacing = framework.replacing(self._owner, f"{self._owner}Id", "url")
        return Resource(self._shape, self.create, self.read, self.update, self.delete, customise=replacing)


RESOURCES: Final = {
    PROJECT_HOOK.token: _Hooks("project", "projects", PROJECT_HOOK).resource(),
    GROUP_HOOK.token: _Hooks("group", "groups", GROUP_HOOK).resource(),
}

"""Labels of groups and projects."""

from __future__ import annotations

from typing import Final

from lab.plugins import framework
from lab.plugins.bridge import Resource
from lab.plugins.gitlab.client import ApiError, GitLab, segment
from lab.plugins.gitlab.common import parts
from lab.plugins.planning import Data
from lab.plugins.schema import Shape
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties

PROJECT_LABEL: Final = framework.resource(
    "gitlab:index/projectLabel:ProjectLabel", autoname=("name",), kept=("labelId",)
)
GROUP_LABEL: Final = framework.resource("gitlab:index/groupLabel:GroupLabel", autoname=("name",), kept=("labelId",))


class _Labels:
    """Labels of one kind of owner, whose property is `owner`, found below `root`."""

    def __init__(self, owner: str, root: str) -> None:
        self._owner = owner
        self._root = root

    def _path(self, owner: str, label: int | str = "") -> str:
        path = f"{self._root}/{segment(owner)}/labels"
        return f"{path}/{segment(label)}" if label else path

    def _body(self, data: Data) -> Properties:
        body: Properties = {"color": data.get("color")}
        if data.raw("description") is not None:
            body["description"] = data.get("description")
        if self._owner == "project":
            body["priority"] = data.raw("priority")
        return body

    def _take(self, data: Data, owner: str, label: Properties) -> None:
        data.id = f"{owner}:{label['id']}"
        data.set(self._owner, owner)
        data.set("labelId", label["id"])
        data.set("name", label["name"])
        data.set("description", label.get("description") or "")
        data.set("colorHex", label["color"])
        # A colour may be given by name: what the program says stays, as upstream has it.
        data.set("color", data.raw("color") or label["color"])
        if self._owner == "project":
            data.set("priority", label.get("priority"))

    def create(self, data: Data, gitlab: GitLab) -> None:
        """Make the label."""
        owner = data.get(self._owner)
        body = {name: value for name, value in self._body(data).items() if value is not None}
        try:
            label = gitlab.post(self._path(owner), {"name": data.get("name"), **body})
        except ApiError as error:
            raise PluginError(f"Unable to create {self._owner} label: {error}") from None
        self._take(data, owner, label)

    def read(self, data: Data, gitlab: GitLab) -> None:
        """Read the label."""
        owner, label_id = parts(data.id, self._owner, "label_id")
        label = gitlab.find(self._path(owner, label_id))
        if label is None:
            data.id = ""
            return
        self._take(data, owner, label)

    def update(self, data: Data, gitlab: GitLab) -> None:
        """Change the label in place, its name too."""
        owner, label_id = parts(data.id, self._owner, "label_id")
        body = self._body(data)
        if data.changed("name"):
            body["new_name"] = data.get("name")
        try:
            label = gitlab.put(self._path(owner, label_id), body)
        except ApiError as error:
            raise PluginError(f"Unable to update {self._owner} label: {error}") from None
        self._take(data, owner, label)

    def delete(self, data: Data, gitlab: GitLab) -> None:
        """Delete the label."""
        owner, label_id = parts(data.id, self._owner, "label_id")
        gitlab.delete(self._path(owner, label_id))

    def resource(self, shape: Shape) -> Resource[GitLab]:
        """Return the resource type."""
        return Resource(
            shape, self.create, self.read, self.update, self.delete, customise=framework.replacing(self._owner)
        )


RESOURCES: Final = {
    PROJECT_LABEL.token: _Labels("project", "projects").resource(PROJECT_LABEL),
    GROUP_LABEL.token: _Labels("group", "groups").resource(GROUP_LABEL),
}

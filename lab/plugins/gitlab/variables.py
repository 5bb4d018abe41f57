"""CI/CD variables of groups and projects."""

from __future__ import annotations

from typing import Final

from lab.plugins import framework
from lab.plugins.bridge import Resource
from lab.plugins.gitlab.client import ApiError, GitLab, segment
from lab.plugins.gitlab.common import parts
from lab.plugins.planning import Data
from lab.plugins.schema import Shape
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties, Value

VARIABLE_TYPES: Final = ("env_var", "file")
_READ_BACK: Final = {
    "key": "key",
    "variableType": "variable_type",
    "protected": "protected",
    "masked": "masked",
    "environmentScope": "environment_scope",
    "raw": "raw",
}


def _key(value: Value) -> str | None:
    text = str(value)
    if not 1 <= len(text) <= 255:  # noqa: PLR2004 - GitLab's own limit
        return (
            f"Invalid Attribute Value Length. Attribute key string length must be between 1 and 255, got: {len(text)}"
        )
    return framework.matching("key", r"^[a-zA-Z0-9_]+$", "is an invalid, only A-Z, a-z, 0-9, and _ are allowed")(value)


def _shape(token: str) -> Shape:
    return framework.resource(
        token,
        default={"environmentScope": "*"},
        kept=("hidden",),
        validate={"key": _key, "variableType": framework.one_of("variable_type", *VARIABLE_TYPES)},
        required_with={"hidden": ("masked",)},
    )


GROUP_VARIABLE: Final = _shape("gitlab:index/groupVariable:GroupVariable")
PROJECT_VARIABLE: Final = _shape("gitlab:index/projectVariable:ProjectVariable")


class _Variables:
    """Variables of one kind of owner, whose property is `owner`, found below `root`."""

    def __init__(self, owner: str, root: str) -> None:
        self._owner = owner
        self._root = root

    def _path(self, owner: str, key: str = "") -> str:
        path = f"{self._root}/{segment(owner)}/variables"
        return f"{path}/{segment(key)}" if key else path

    def _refused(self, doing: str, error: ApiError) -> PluginError:
        """Say what GitLab has against a variable; a masked value that cannot be masked is explained as upstream."""
        text = str(error)
        if "value" in text and "invalid" in text:
            return PluginError(
                "Invalid value for a masked variable. Check the masked variable requirements: "
                f"https://docs.gitlab.com/ci/variables/#masked-variable-requirements: {error}"
            )
        return PluginError(f"Unable to {doing} {self._owner} variable: {error}")

    def _body(self, data: Data) -> Properties:
        body: Properties = {
            "value": data.get("value"),
            "masked": data.get("masked"),
            "raw": data.get("raw"),
            "description": data.get("description"),
            "environment_scope": data.get("environmentScope"),
        }
        for name, theirs in (("protected", "protected"), ("variableType", "variable_type")):
            if data.raw(name) is not None:
                body[theirs] = data.raw(name)
        return body

    def _take(self, data: Data, owner: str, variable: Properties) -> None:
        data.id = f"{owner}:{variable['key']}:{variable['environment_scope']}"
        data.set(self._owner, owner)
        for name, theirs in _READ_BACK.items():
            data.set(name, variable.get(theirs))
        data.set("description", variable.get("description") or "")
        data.set("hidden", bool(variable.get("hidden")))
        if not variable.get("hidden"):
            # GitLab never tells a hidden value: the state keeps what the program gave.
            data.set("value", variable.get("value") or "")

    def create(self, data: Data, gitlab: GitLab) -> None:
        """Make the variable; hidden is another parameter, and only at creation."""
        owner, body = data.get(self._owner), {"key": data.get("key"), **self._body(data)}
        if data.get("hidden"):
            if not data.get("masked"):
                raise PluginError(
                    "Invalid value for a masked variable. A variable cannot be hidden without being masked. "
                    "Please set the masked attribute to true"
                )
            body |= {"masked": False, "masked_and_hidden": True}
        try:
            variable = gitlab.post(self._path(owner), body)
        except ApiError as error:
            raise self._refused("create", error) from None
        self._take(data, owner, variable)

    def read(self, data: Data, gitlab: GitLab) -> None:
        """Read the variable of the id's key and scope."""
        owner, key, scope = parts(data.id if data.id.count(":") > 1 else f"{data.id}:*", self._owner, "key", "scope")
        variable = gitlab.find(self._path(owner, key), **_scope(scope))
        if variable is None:
            data.id = ""
            return
        self._take(data, owner, variable)

    def update(self, data: Data, gitlab: GitLab) -> None:
        """Change the variable in place."""
        owner, scope = data.get(self._owner), data.get("environmentScope")
        try:
            variable = gitlab.put(self._path(owner, data.get("key")), self._body(data), **_scope(scope))
        except ApiError as error:
            raise self._refused("update", error) from None
        self._take(data, owner, variable)

    def delete(self, data: Data, gitlab: GitLab) -> None:
        """Delete the variable; upstream takes only a project's for deleted when it is not there."""
        try:
            gitlab.delete(self._path(data.get(self._owner), data.get("key")), **_scope(data.get("environmentScope")))
        except ApiError as error:
            if error.missing and self._owner == "project":
                return
            raise self._refused("delete", error) from None

    def resource(self, shape: Shape) -> Resource[GitLab]:
        """Return the resource type."""
        replacing = framework.replacing(self._owner, "key", "hidden", "environmentScope")
        return Resource(shape, self.create, self.read, self.update, self.delete, customise=replacing)


def _scope(scope: str) -> Properties:
    return {"filter[environment_scope]": scope}


RESOURCES: Final = {
    GROUP_VARIABLE.token: _Variables("group", "groups").resource(GROUP_VARIABLE),
    PROJECT_VARIABLE.token: _Variables("project", "projects").resource(PROJECT_VARIABLE),
}

"""CI/CD variables of groups and projects."""

from __future__ import annotations

from typing import Final

from lab.plugins import framework
from lab.plugins.fields import fields
from lab.plugins.gitlab.client import GitLabApiError, GitLabPluginClient
from lab.plugins.gitlab.common import parts
from lab.plugins.gitlab.items import GitLabItem, ItemLocation
from lab.plugins.items import table
from lab.plugins.planning import Data
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties, Value


def _key(value: Value) -> str | None:
    text = str(value)
    if not 1 <= len(text) <= 255:  # noqa: PLR2004 - GitLab's own limit
        return (
            f"Invalid Attribute Value Length. Attribute key string length must be between 1 and 255, got: {len(text)}"
        )
    return framework.matching("key", r"^[a-zA-Z0-9_]+$", "is an invalid, only A-Z, a-z, 0-9, and _ are allowed")(value)


class _CiVariable(GitLabItem):
    def place(self, id_: str) -> ItemLocation:
        owner, key, scope = parts(id_ if id_.count(":") > 1 else f"{id_}:*", self.owner, "key", "scope")
        return ItemLocation(owner, self.path(owner, key), {"filter[environment_scope]": scope})

    def creation(self, data: Data) -> Properties:
        body = {"key": data.get("key"), **self.body(data)}
        if not data.get("hidden"):
            return body
        if not data.get("masked"):
            raise PluginError(
                "Invalid value for a masked variable. A variable cannot be hidden without being masked. "
                "Please set the masked attribute to true"
            )
        return {**body, "masked": False, "masked_and_hidden": True}

    def take(self, data: Data, found: Properties, gitlab: GitLabPluginClient) -> None:
        value = data.raw("value")
        super().take(data, found, gitlab)
        if found.get("hidden"):
            data.set("value", value)  # GitLab does not answer hidden values

    def named(self, owner: str, found: Properties) -> str:
        return f"{owner}:{found['key']}:{found['environment_scope']}"

    def refusal(self, doing: str, error: GitLabApiError) -> PluginError:
        text = str(error)
        if doing != "delete" and "value" in text and "invalid" in text:
            return PluginError(
                "Invalid value for a masked variable. Check the masked variable requirements: "
                f"https://docs.gitlab.com/ci/variables/#masked-variable-requirements: {error}"
            )
        return super().refusal(doing, error)


def _variable(token: str, owner: str) -> GitLabItem:
    return _CiVariable(
        shape=framework.resource(
            token,
            default={"environmentScope": "*"},
            kept=("hidden",),
            validate={"key": _key, "variableType": framework.one_of("variable_type", "env_var", "file")},
            required_with={"hidden": ("masked",)},
        ),
        root=f"{owner}s",
        collection="variables",
        owner=owner,
        id=(owner, "key"),
        always=fields("value", "masked", "raw", "description", "environmentScope"),
        sent=fields("protected", "variableType"),
        read_back=fields("key", "hidden"),
        refused={doing: f"Unable to {doing} {owner} variable" for doing in ("create", "update", "delete")},
        replacing=(owner, "key", "hidden", "environmentScope"),
        may_be_gone=owner == "project",
    )


RESOURCES: Final = table(
    _variable("gitlab:index/groupVariable:GroupVariable", "group"),
    _variable("gitlab:index/projectVariable:ProjectVariable", "project"),
)

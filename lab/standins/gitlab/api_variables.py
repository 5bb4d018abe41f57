# ruff: noqa: ANN401 - JSON answers have any type
"""CI/CD variables of projects and groups."""

from __future__ import annotations

from typing import Any, Literal

from lab.standins.gitlab import access, variables
from lab.standins.gitlab.errors import conflict, invalid, not_found
from lab.standins.gitlab.params import Bool, Hash, Paging, Params, Text
from lab.standins.gitlab.routing import Call, Router
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router = Router("variables")

Kind = Literal["env_var", "file"] | None


class NewVariable(Params):
    """Parameters of a new variable."""

    key: str
    value: str
    variable_type: Kind = None
    protected: Bool = None
    masked: Bool = None
    masked_and_hidden: Bool = None
    raw: Bool = None
    environment_scope: Text = None
    description: Text = None


class ChangedVariable(Params):
    """Parameters of an update; `filter[environment_scope]` selects one of several variables."""

    value: Text = None
    variable_type: Kind = None
    protected: Bool = None
    masked: Bool = None
    raw: Bool = None
    environment_scope: Text = None
    description: Text = None
    filter: Hash = None


class VariableFilter(Params):
    """Filter for several variables with one key."""

    filter: Hash = None


def _source(call: Call, kind: str, id_: str) -> int:
    if kind == "group":
        return int(call.group(id_, access.OWNER)["id"])
    return int(call.ci_project(id_, access.MAINTAINER)["id"])


def _one(call: Call, kind: str, source: int, key: str, filter_: Document | None) -> Document:
    found = call.store.find("variable", source_type=kind, source_id=source, key=key)
    scope = (filter_ or {}).get("environment_scope")
    if scope:
        found = [one for one in found if one["environment_scope"] == scope]
    if not found:
        raise not_found("Variable")
    if len(found) > 1:
        raise conflict("There are multiple variables with provided parameters. Please use 'filter[environment_scope]'")
    return found[0]


def _scoped(call: Call, kind: str) -> bool:
    """Whether variables of this kind have environment scopes in this edition."""
    return kind == "project" or call.site.premium


def _unused(call: Call, kind: str, source: int, key: str, scope: str, but: int = 0) -> None:
    same = call.store.find("variable", source_type=kind, source_id=source, key=key, environment_scope=scope)
    if any(one["id"] != but for one in same):
        raise invalid(key=[f"({key}) has already been taken"])


def _add(call: Call, kind: str, id_: str, given: NewVariable) -> Any:
    source = _source(call, kind, id_)
    hidden = bool(given.masked_and_hidden)
    masked, raw = bool(given.masked) or hidden, bool(given.raw)
    if wrong := variables.errors(given.key, given.value, masked=masked, raw=raw):
        raise invalid(**wrong)
    scope = (given.environment_scope if _scoped(call, kind) else None) or "*"
    _unused(call, kind, source, given.key, scope)
    variable = call.store.add(
        "variable",
        {
            "source_type": kind,
            "source_id": source,
            "key": given.key,
            "sealed": call.site.seal(given.value),
            "variable_type": given.variable_type or "env_var",
            "protected": bool(given.protected),
            "masked": masked,
            "hidden": hidden,
            "raw": raw,
            "environment_scope": scope,
            "description": given.description,
        },
    )
    return variables.shown(call.site, variable)


def _change(call: Call, kind: str, id_: str, key: str, given: ChangedVariable) -> Any:
    source = _source(call, kind, id_)
    variable = _one(call, kind, source, key, given.filter)
    sent = given.sent("filter", "value")
    if variable["hidden"] and given.masked is False:
        raise invalid(base=["The visibility setting cannot be changed for masked and hidden variables."])
    if not _scoped(call, kind) or not sent.get("environment_scope"):
        sent.pop("environment_scope", None)
    kept = {name: value for name, value in sent.items() if value is not None or name == "description"}
    changed = {**variable, **kept}
    value = given.value if given.value is not None else variables.value_of(call.site, variable)
    if wrong := variables.errors(key, value, masked=changed["masked"], raw=changed["raw"]):
        raise invalid(**wrong)
    _unused(call, kind, source, key, changed["environment_scope"], but=variable["id"])
    changed["sealed"] = call.site.seal(value)
    call.store.put("variable", changed)
    return variables.shown(call.site, changed)


def _list(call: Call, kind: str, id_: str, given: Paging) -> Any:
    found = call.store.find("variable", source_type=kind, source_id=_source(call, kind, id_))
    return call.page(found, given, lambda one: variables.shown(call.site, one))


def _routes(kind: str) -> None:
    path = f"/{kind}s/{{id}}/variables"

    @router.get(path)
    @needed_by(Need.INVENTORY)
    def list_variables(call: Call, id: str, given: Paging) -> Any:
        """List all variables."""
        return _list(call, kind, id, given)

    @router.get(f"{path}/{{key}}")
    @needed_by(Need.PLUGINS, Need.LOOKUP)
    def get_variable(call: Call, id: str, key: str, given: VariableFilter) -> Any:
        """Return one variable."""
        return variables.shown(call.site, _one(call, kind, _source(call, kind, id), key, given.filter))

    @router.post(path)
    @needed_by(Need.PLUGINS)
    def create_variable(call: Call, id: str, given: NewVariable) -> Any:
        """Create a variable."""
        return _add(call, kind, id, given)

    @router.put(f"{path}/{{key}}")
    @needed_by(Need.PLUGINS)
    def update_variable(call: Call, id: str, key: str, given: ChangedVariable) -> Any:
        """Update a variable."""
        return _change(call, kind, id, key, given)

    @router.delete(f"{path}/{{key}}")
    @needed_by(Need.PLUGINS, Need.INVENTORY, Need.PEOPLE)
    def delete_variable(call: Call, id: str, key: str, given: VariableFilter) -> None:
        """Delete a variable."""
        call.store.remove("variable", _one(call, kind, _source(call, kind, id), key, given.filter)["id"])


_routes("project")
_routes("group")

"""Tag retention and immutable tags."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

import requests

from lab.plugins.bridge import Resource
from lab.plugins.harbor.client import ApiError, Harbor, full, in_project
from lab.plugins.planning import Data
from lab.plugins.schema import Shape, resource
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties

_SCHEDULES: Final = {"hourly": "0 0 * * * *", "daily": "0 0 0 * * *", "weekly": "0 0 0 * * 0"}
_PAGE: Final = 15


def schedule(text: str) -> tuple[str, str]:
    """Return type and cron of a schedule, given as either: `daily` and `0 0 0 * * *` are the same."""
    for name, cron in _SCHEDULES.items():
        if text.lower() in (name, cron):
            return name.title(), cron
    return ("Custom", text) if text else ("None", "")


# -- retention ---------------------------------------------------------------------------------------------------------


def _with_rule_defaults(shape: Shape) -> Shape:
    rules = shape.fields["rules"]
    if rules.elem is None or rules.elem.fields is None:
        raise TypeError("rules are no objects")
    inner = Shape("rule", rules.elem.fields).tuned(default={"disabled": False, "untaggedArtifacts": True})
    return shape.tuned(elem={"rules": replace(rules.elem, fields=inner.fields)})


RETENTION: Final = _with_rule_defaults(resource("harbor:index/retentionPolicy:RetentionPolicy"))
#: Property of a rule -> (its template, the name of its number); in upstream's order of precedence.
_TEMPLATES: Final = {
    "nDaysSinceLastPull": "nDaysSinceLastPull",
    "nDaysSinceLastPush": "nDaysSinceLastPush",
    "mostRecentlyPulled": "latestPulledN",
    "mostRecentlyPushed": "latestPushedK",
}
_PATTERNS: Final = ("tagMatching", "tagExcluding", "repoMatching", "repoExcluding")
_PROPERTIES: Final = {template: name for name, template in _TEMPLATES.items()}


def _rule_body(rule: Properties) -> Properties:
    template, params = "", {}
    for name, its in _TEMPLATES.items():
        if (rule.get(name) or 0) > 0:
            template, params = its, {its: rule[name]}
            break
    else:
        template = "always" if rule.get("alwaysRetain") else ""
    tag = _selector("matches", rule.get("tagMatching"), "excludes", rule.get("tagExcluding"))
    extras = '{"untagged":true}' if rule.get("untaggedArtifacts") else '{"untagged":false}'
    tag["extras"] = extras if tag["decoration"] else ""
    repository = _selector("repoMatches", rule.get("repoMatching"), "repoExcludes", rule.get("repoExcluding"))
    return {
        "disabled": bool(rule.get("disabled")),
        "action": "retain",
        "scope_selectors": {"repository": [repository]},
        "tag_selectors": [tag],
        "params": params,
        "template": template,
    }


def _selector(matches: str, matching: str | None, excludes: str, excluding: str | None) -> dict[str, str]:
    """Return a selector; what is excluded wins."""
    if excluding:
        return {"kind": "doublestar", "decoration": excludes, "pattern": excluding}
    return {"kind": "doublestar", "decoration": matches if matching else "", "pattern": matching or ""}


def _policy(scope: int, cron: str, rules: list[Properties]) -> Properties:
    return {
        "algorithm": "or",
        "rules": rules,
        "trigger": {"kind": "Schedule", "references": {}, "settings": {"cron": cron}},
        "scope": {"level": "project", "ref": scope},
    }


def _retention_body(data: Data) -> Properties:
    found = re.search(r"[0-9]+", data.get("scope"))
    cron = schedule(data.get("schedule"))[1]
    return _policy(int(found[0]) if found else 0, cron, [_rule_body(rule) for rule in data.get("rules")])


def _create_retention(data: Data, harbor: Harbor) -> None:
    body = _retention_body(data)
    try:
        data.id, _ = harbor.post("/retentions", body)
    except ApiError:
        # A project has one policy for ever: deleting it only empties it, and this takes it up again.
        project = harbor.get(f"/projects/{body['scope']['ref']}")
        path = f"/retentions/{(project.get('metadata') or {}).get('retention_id', '')}"
        harbor.put(path, body)
        data.id = path
    _read_retention(data, harbor)


def _read_retention(data: Data, harbor: Harbor) -> None:
    try:
        policy = harbor.get(data.id)
    except ApiError as error:
        if not error.missing:
            raise
        data.id = ""
        return
    cron = str(((policy.get("trigger") or {}).get("settings") or {}).get("cron") or "")
    name = schedule(cron)[0]
    data.set("scope", f"/projects/{policy['scope']['ref']}")
    data.set("schedule", cron if name in ("Custom", "None") else name)
    data.set("rules", [_rule(rule) for rule in policy.get("rules") or []])


def _rule(rule: Properties) -> Properties:
    # Inside a rule, what is not set is zero, not null, in the official plugin's state.
    found: Properties = {
        "alwaysRetain": False,
        **dict.fromkeys(_TEMPLATES, 0),
        **dict.fromkeys(_PATTERNS, ""),
        "disabled": bool(rule.get("disabled")),
    }
    template = rule.get("template")
    if template == "always":
        found["alwaysRetain"] = True
    elif template in _PROPERTIES:
        found[_PROPERTIES[template]] = (rule.get("params") or {}).get(template, 0)
    tag, repository = rule["tag_selectors"][0], rule["scope_selectors"]["repository"][0]
    for decoration, name in (("matches", "tagMatching"), ("excludes", "tagExcluding")):
        if tag.get("decoration") == decoration:
            found[name] = tag.get("pattern") or ""
    for decoration, name in (("repoMatches", "repoMatching"), ("repoExcludes", "repoExcluding")):
        if repository.get("decoration") == decoration:
            found[name] = repository.get("pattern") or ""
    found["untaggedArtifacts"] = "true" in (tag.get("extras") or "")
    return found


def _update_retention(data: Data, harbor: Harbor) -> None:
    harbor.put(data.id, _retention_body(data))
    _read_retention(data, harbor)


def _delete_retention(data: Data, harbor: Harbor) -> None:
    scope, number = data.get("scope").replace("/projects/", ""), data.id.replace("/retentions/", "")
    body = _policy(int(scope) if scope.isdecimal() else 0, "", [])
    harbor.put(data.id, {**body, **full({"id": int(number) if number.isdecimal() else 0})})


# -- immutable tags ----------------------------------------------------------------------------------------------------

IMMUTABLE: Final = resource("harbor:index/immutableTagRule:ImmutableTagRule").tuned(default={"disabled": False})


def _immutable_body(data: Data) -> Properties:
    number = data.id.rpartition("/")[2]
    tag = _selector("matches", data.get("tagMatching"), "excludes", data.get("tagExcluding"))
    repository = _selector("repoMatches", data.get("repoMatching"), "repoExcludes", data.get("repoExcluding"))
    return {
        **full({"id": int(number) if number.isdecimal() else 0}),
        "disabled": data.get("disabled"),
        "scope_selectors": {"repository": [repository]},
        "tag_selectors": [tag],
        "action": "immutable",
        "template": "immutable_template",
    }


def _create_immutable(data: Data, harbor: Harbor) -> None:
    path = f"{in_project(data.get('projectId'))}/immutabletagrules"
    data.id, _ = harbor.post(path, _immutable_body(data))
    if data.get("disabled"):  # Harbor makes none that is disabled
        harbor.put(data.id, _immutable_body(data))
    _read_immutable(data, harbor)


def _read_immutable(data: Data, harbor: Harbor) -> None:
    path, _, number = data.id.rpartition("/")
    if not number.isdecimal():
        raise PluginError(f'strconv.Atoi: parsing "{number}": invalid syntax')
    try:
        rules = _rules(harbor, path)
    except ApiError as error:
        if not error.missing:
            raise PluginError(f"resource not found {path} / {error} / {error.status}") from None
        rules = []
    found = next((rule for rule in rules if rule.get("id") == int(number)), None)
    if found is None:
        data.id = ""
        return
    data.set("disabled", bool(found.get("disabled")))
    data.set("projectId", path.replace("/immutabletagrules", ""))
    for name in _PATTERNS:
        data.set(name, data.get(name))  # not set is an empty text in the official plugin's state
    tag, repository = found["tag_selectors"][0], found["scope_selectors"]["repository"][0]
    for decoration, name in (("matches", "tagMatching"), ("excludes", "tagExcluding")):
        if tag.get("decoration") == decoration:
            data.set(name, tag.get("pattern"))
    if repository.get("decoration") == "repoMatches":  # upstream does not know how Harbor spells the other
        data.set("repoMatching", repository.get("pattern"))


def _rules(harbor: Harbor, path: str) -> list[Any]:
    found: list[Any] = []
    page = 1
    while True:
        items = harbor.get(f"{path}?page={page}&page_size={_PAGE}") or []
        found += items
        if len(items) < _PAGE:
            return found
        page += 1


def _update_immutable(data: Data, harbor: Harbor) -> None:
    harbor.put(data.id, _immutable_body(data))
    _read_immutable(data, harbor)


def _delete_immutable(data: Data, harbor: Harbor) -> None:
    harbor.send("DELETE", data.id, expect=requests.codes.ok)


RESOURCES: Final = {
    item.shape.token: item
    for item in (
        Resource(RETENTION, _create_retention, _read_retention, _update_retention, _delete_retention),
        Resource(IMMUTABLE, _create_immutable, _read_immutable, _update_immutable, _delete_immutable),
    )
}

"""Tag retention and immutable tags."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

from lab.plugins.fields import fields
from lab.plugins.harbor.client import ApiError, Harbor, full
from lab.plugins.harbor.items import Item
from lab.plugins.items import table
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


class _Retention(Item):
    def body(self, data: Data) -> Properties:
        found = re.search(r"[0-9]+", data.get("scope"))
        cron = schedule(data.get("schedule"))[1]
        return _policy(int(found[0]) if found else 0, cron, [_rule_body(rule) for rule in data.get("rules")])

    def create(self, data: Data, harbor: Harbor) -> None:
        """Make it; a project has one for ever: deleting it only empties it, and this takes it up again."""
        body = self.body(data)
        try:
            data.id, _ = harbor.post(self.collection, body)
        except ApiError:
            project = harbor.get(f"/projects/{body['scope']['ref']}")
            path = f"/retentions/{(project.get('metadata') or {}).get('retention_id', '')}"
            harbor.put(path, body)
            data.id = path
        self.read(data, harbor)

    def take(self, data: Data, found: Properties, harbor: Harbor) -> None:  # noqa: ARG002 - as in `Item`
        cron = str(((found.get("trigger") or {}).get("settings") or {}).get("cron") or "")
        name = schedule(cron)[0]
        data.set("scope", f"/projects/{found['scope']['ref']}")
        data.set("schedule", cron if name in ("Custom", "None") else name)
        data.set("rules", [_rule(rule) for rule in found.get("rules") or []])

    def delete(self, data: Data, harbor: Harbor) -> None:
        """Empty it."""
        scope, number = data.get("scope").replace("/projects/", ""), data.id.replace("/retentions/", "")
        body = _policy(int(scope) if scope.isdecimal() else 0, "", [])
        harbor.put(data.id, {**body, **full({"id": int(number) if number.isdecimal() else 0})})


# -- immutable tags ----------------------------------------------------------------------------------------------------


def _rules(harbor: Harbor, path: str) -> list[Any]:
    found: list[Any] = []
    page = 1
    while True:
        items = harbor.get(f"{path}?page={page}&page_size={_PAGE}") or []
        found += items
        if len(items) < _PAGE:
            return found
        page += 1


class _Immutable(Item):
    def body(self, data: Data) -> Properties:
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

    def create(self, data: Data, harbor: Harbor) -> None:
        """Make it; Harbor makes none that is disabled."""
        data.id, _ = harbor.post(self.where(data), self.body(data))
        if data.get("disabled"):
            harbor.put(data.id, self.body(data))
        self.read(data, harbor)

    def find(self, data: Data, harbor: Harbor) -> Properties | None:
        """Look it up among its project's."""
        path, _, number = data.id.rpartition("/")
        if not number.isdecimal():
            raise PluginError(f'strconv.Atoi: parsing "{number}": invalid syntax')
        try:
            rules = _rules(harbor, path)
        except ApiError as error:
            if not error.missing:
                raise PluginError(f"resource not found {path} / {error} / {error.status}") from None
            rules = []
        return next((rule for rule in rules if rule.get("id") == int(number)), None)

    def take(self, data: Data, found: Properties, harbor: Harbor) -> None:
        super().take(data, found, harbor)
        data.set("projectId", data.id.rpartition("/")[0].replace("/immutabletagrules", ""))
        for name in _PATTERNS:
            data.set(name, data.get(name))  # not set is an empty text in the official plugin's state
        tag, repository = found["tag_selectors"][0], found["scope_selectors"]["repository"][0]
        for decoration, name in (("matches", "tagMatching"), ("excludes", "tagExcluding")):
            if tag.get("decoration") == decoration:
                data.set(name, tag.get("pattern"))
        if repository.get("decoration") == "repoMatches":  # upstream does not know how Harbor spells the other
            data.set("repoMatching", repository.get("pattern"))


RESOURCES: Final = table(
    _Retention(
        shape=_with_rule_defaults(resource("harbor:index/retentionPolicy:RetentionPolicy")),
        collection="/retentions",
    ),
    _Immutable(
        shape=resource("harbor:index/immutableTagRule:ImmutableTagRule").tuned(default={"disabled": False}),
        collection="/immutabletagrules",
        project="projectId",
        read_back=fields("disabled"),
        may_be_gone=False,
    ),
)

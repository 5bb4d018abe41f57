"""Tag retention and immutable tags."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

from lab.plugins.fields import fields
from lab.plugins.harbor.client import HarborApiError, HarborPluginClient, full
from lab.plugins.harbor.items import HarborItem
from lab.plugins.items import table
from lab.plugins.planning import Data
from lab.plugins.schema import Shape, resource
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties

_SCHEDULES: Final = {"hourly": "0 0 * * * *", "daily": "0 0 0 * * *", "weekly": "0 0 0 * * 0"}
_PAGE: Final = 15


def schedule(text: str) -> tuple[str, str]:
    """Return type and cron of a schedule, which is given as one of them: `daily` and `0 0 0 * * *` are equal."""
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


#: Property of a rule -> its template, which is also the name of its parameter; in upstream's order of precedence.
_TEMPLATES: Final = {"nDaysSinceLastPush": "nDaysSinceLastPush", "mostRecentlyPushed": "latestPushedK"}


def _rule_body(rule: Properties) -> Properties:
    its = next(((template, rule[name]) for name, template in _TEMPLATES.items() if (rule.get(name) or 0) > 0), None)
    tag = _selector("matches", rule.get("tagMatching"))
    extras = '{"untagged":true}' if rule.get("untaggedArtifacts") else '{"untagged":false}'
    tag["extras"] = extras if tag["decoration"] else ""
    return {
        "disabled": bool(rule.get("disabled")),
        "action": "retain",
        "scope_selectors": {"repository": [_selector("repoMatches", rule.get("repoMatching"))]},
        "tag_selectors": [tag],
        "params": {its[0]: its[1]} if its else {},
        "template": its[0] if its else "",
    }


def _selector(matches: str, pattern: str | None) -> dict[str, str]:
    return {"kind": "doublestar", "decoration": matches if pattern else "", "pattern": pattern or ""}


def _patterns(rule: Properties) -> Properties:
    """Return the patterns of a selector. Decorations that exclude are not supported."""
    tag, repository = rule["tag_selectors"][0], rule["scope_selectors"]["repository"][0]
    return {
        "tagMatching": tag.get("pattern") or "" if tag.get("decoration") == "matches" else "",
        "repoMatching": repository.get("pattern") or "" if repository.get("decoration") == "repoMatches" else "",
    }


def _policy(scope: int, cron: str, rules: list[Properties]) -> Properties:
    return {
        "algorithm": "or",
        "rules": rules,
        "trigger": {"kind": "Schedule", "references": {}, "settings": {"cron": cron}},
        "scope": {"level": "project", "ref": scope},
    }


def _rule(rule: Properties) -> Properties:
    # In the official plugin's state, unset values in a rule are zero, not null.
    params = rule.get("params") or {}
    return {
        **{name: params.get(its, 0) if rule.get("template") == its else 0 for name, its in _TEMPLATES.items()},
        **_patterns(rule),
        "disabled": bool(rule.get("disabled")),
        "untaggedArtifacts": "true" in (rule["tag_selectors"][0].get("extras") or ""),
    }


class _Retention(HarborItem):
    def body(self, data: Data) -> Properties:
        found = re.search(r"[0-9]+", data.get("scope"))
        cron = schedule(data.get("schedule"))[1]
        return _policy(int(found[0]) if found else 0, cron, [_rule_body(rule) for rule in data.get("rules")])

    def create(self, data: Data, harbor: HarborPluginClient) -> None:
        """Create it, or reuse the project's policy: a deletion only empties it."""
        body = self.body(data)
        try:
            data.id, _ = harbor.post(self.collection, body)
        except HarborApiError:
            project = harbor.get(f"/projects/{body['scope']['ref']}")
            path = f"/retentions/{(project.get('metadata') or {}).get('retention_id', '')}"
            harbor.put(path, body)
            data.id = path
        self.read(data, harbor)

    def take(self, data: Data, found: Properties, harbor: HarborPluginClient) -> None:  # noqa: ARG002 - as in `Item`
        cron = str(((found.get("trigger") or {}).get("settings") or {}).get("cron") or "")
        name = schedule(cron)[0]
        data.set("scope", f"/projects/{found['scope']['ref']}")
        data.set("schedule", cron if name in ("Custom", "None") else name)
        data.set("rules", [_rule(rule) for rule in found.get("rules") or []])

    def delete(self, data: Data, harbor: HarborPluginClient) -> None:
        """Remove its rules, because Harbor keeps the policy."""
        scope, number = data.get("scope").replace("/projects/", ""), data.id.replace("/retentions/", "")
        body = _policy(int(scope) if scope.isdecimal() else 0, "", [])
        harbor.put(data.id, {**body, **full({"id": int(number) if number.isdecimal() else 0})})


# -- immutable tags ----------------------------------------------------------------------------------------------------


def _rules(harbor: HarborPluginClient, path: str) -> list[Any]:
    found: list[Any] = []
    page = 1
    while True:
        items = harbor.get(f"{path}?page={page}&page_size={_PAGE}") or []
        found += items
        if len(items) < _PAGE:
            return found
        page += 1


class _Immutable(HarborItem):
    def body(self, data: Data) -> Properties:
        number = data.id.rpartition("/")[2]
        return {
            **full({"id": int(number) if number.isdecimal() else 0}),
            "disabled": data.get("disabled"),
            "scope_selectors": {"repository": [_selector("repoMatches", data.get("repoMatching"))]},
            "tag_selectors": [_selector("matches", data.get("tagMatching"))],
            "action": "immutable",
            "template": "immutable_template",
        }

    def create(self, data: Data, harbor: HarborPluginClient) -> None:
        """Create it; Harbor creates it enabled, so disabling it needs a second request."""
        data.id, _ = harbor.post(self.where(data), self.body(data))
        if data.get("disabled"):
            harbor.put(data.id, self.body(data))
        self.read(data, harbor)

    def find(self, data: Data, harbor: HarborPluginClient) -> Properties | None:
        """Return the rule from its project's list."""
        path, _, number = data.id.rpartition("/")
        if not number.isdecimal():
            raise PluginError(f'strconv.Atoi: parsing "{number}": invalid syntax')
        try:
            rules = _rules(harbor, path)
        except HarborApiError as error:
            if not error.missing:
                raise PluginError(f"resource not found {path} / {error} / {error.status}") from None
            rules = []
        return next((rule for rule in rules if rule.get("id") == int(number)), None)

    def take(self, data: Data, found: Properties, harbor: HarborPluginClient) -> None:
        super().take(data, found, harbor)
        data.set("projectId", data.id.rpartition("/")[0].replace("/immutabletagrules", ""))
        for name, pattern in _patterns(found).items():
            data.set(name, pattern)


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

"""Tag retention and immutable tags of projects."""

from __future__ import annotations

import json
from typing import Any, Final

from starlette.responses import Response

from lab.standins.harbor import bodies, cron, errors
from lab.standins.harbor.call import Asking, HarborCall, HarborRouter, Id, NameOrId, Pages, done
from lab.standins.harbor.site import now
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router: Final = HarborRouter(tags=["retention", "immutable"])

_MOST_RULES: Final = 15
_TEMPLATES: Final = {
    "latestPushedK": ("the most recently pushed # artifacts", "COUNT"),
    "latestPulledN": ("the most recently pulled # artifacts", "COUNT"),
    "nDaysSinceLastPush": ("pushed within the last # days", "DAYS"),
    "nDaysSinceLastPull": ("pulled within the last # days", "DAYS"),
    "always": ("always", ""),
}


def _checked(body: bodies.RetentionBody) -> dict[str, Any]:
    """Return a policy as stored. Raises `HarborError` in Harbor's order of checks."""
    rules = [rule.sent() for rule in body.rules or []]
    if len(rules) > _MOST_RULES:
        raise errors.bad_request("only 15 rules are allowed at most")
    seen: dict[str, int] = {}
    for number, rule in enumerate(rules):
        rule.pop("id", None)
        rule.setdefault("priority", 0)
        rule.setdefault("disabled", False)
        text = json.dumps(rule, sort_keys=True)
        if text in seen:
            raise errors.conflict(f"rule {number} is conflict with rule {seen[text]}")
        seen[text] = number
        rule["id"] = number
    trigger = body.trigger.sent() if body.trigger else {}
    return {"algorithm": body.algorithm or "", "rules": rules, "trigger": trigger}


def _check_details(policy: dict[str, Any]) -> None:
    settings = policy["trigger"].get("settings") or {}
    if policy["trigger"].get("kind") == "Schedule" and "cron" in settings:
        text = settings["cron"]
        if not isinstance(text, str):
            raise errors.bad_request("invalid cron type for scheduled tag retention: must be a string")
        if text and (problem := cron.problem(text)):
            raise errors.bad_request(f"invalid cron string for scheduled tag retention: {text}, error: {problem}")
    for rule in policy["rules"]:
        template = rule.get("template")
        if template not in _TEMPLATES:
            raise errors.bad_request(f"rule {template} is not registered")
        value = (rule.get("params") or {}).get(template)
        if _TEMPLATES[template][1] and not (isinstance(value, int) and value >= 0):
            raise errors.bad_request(f"{template} should be a number that is not negative")


def _policy(call: HarborCall, id_: int, action: str, gone: errors.HarborError) -> Document:
    """Return a policy. Raises `gone` if there is none, because Harbor's answer depends on the operation."""
    call.require_login()
    found = call.store.get("retention", id_)
    if found is None:
        raise gone
    call.project(found["project_id"], action, "tag-retention")
    return found


def shown(policy: Document) -> dict[str, Any]:
    """Return a policy as shown in the API."""
    return {key: value for key, value in policy.items() if key not in ("project_id", "created")}


@router.post("/retentions", status_code=201)
@needed_by(Need.PLUGINS)
def create_retention(call: Asking, body: bodies.RetentionBody) -> Response:
    """Create a project's policy; it can have only one."""
    call.require_login()
    policy = _checked(body)
    level, ref = (body.scope.level or "", body.scope.ref or 0) if body.scope else ("", 0)
    if level != "project":
        if not call.principal.admin:
            raise errors.forbidden()
        raise errors.bad_request(f"scope {level} is not support")
    if call.principal.admin and call.store.get("project", ref) is None:
        raise errors.bad_request(f"invalid Project id {ref}")
    project = call.project(ref, "create", "tag-retention")
    if held := project["metadata"].get("retention_id"):
        raise errors.bad_request(f"project {ref} already has retention policy {held}")
    _check_details(policy)
    scope = {"level": level, "ref": ref}
    made = call.store.add("retention", {**policy, "scope": scope, "project_id": ref, "created": now()})
    project["metadata"]["retention_id"] = str(made["id"])
    call.store.put("project", project)
    return call.created(made["id"])


@router.get("/retentions/{id}")
@needed_by(Need.PLUGINS, Need.PEOPLE)
def get_retention(call: Asking, id: Id) -> dict[str, Any]:
    """Return a policy."""
    return shown(_policy(call, id, "read", errors.unknown()))


@router.put("/retentions/{id}")
@needed_by(Need.PLUGINS)
def update_retention(call: Asking, id: Id, body: bodies.RetentionBody) -> Response:
    """Update a policy; its project does not change."""
    call.require_login()
    policy = _checked(body)
    project = call.project((body.scope and body.scope.ref) or 0, "update", "tag-retention")
    if project["metadata"].get("retention_id") != str(id):
        raise errors.HarborError("NOT_FOUND", f"the retention policy id {id} does not match")
    _check_details(policy)
    known = _policy(call, id, "update", errors.unknown())
    call.store.put("retention", {**known, **policy})
    return done()


@router.delete("/retentions/{id}")
@needed_by(Need.INVENTORY)
def delete_retention(call: Asking, id: Id) -> Response:
    """Delete a policy. Its project keeps the `retention_id` and accepts no other policy until that is deleted."""
    _policy(call, id, "delete", errors.bad_request(f"no such Retention policy with id {id}"))
    call.store.remove("retention", id)
    return done()


# -- immutable tags ----------------------------------------------------------------------------------------------------


def shown_rule(rule: Document) -> dict[str, Any]:
    """Return a rule as shown in the API, without false and empty members."""
    return {key: value for key, value in rule.items() if key != "project_id" and value not in (False, "", 0, None)}


def _rule(body: bodies.RuleBody) -> dict[str, Any]:
    sent = body.sent()

    def selector(given: dict[str, Any]) -> dict[str, Any]:
        return {key: given.get(key) or "" for key in ("kind", "decoration", "pattern")}

    scopes = sent.get("scope_selectors") or {}
    return {
        "priority": sent.get("priority", 0),
        "action": sent.get("action", ""),
        "template": sent.get("template", ""),
        "tag_selectors": [selector(item) for item in sent.get("tag_selectors") or []],
        "scope_selectors": {name: [selector(item) for item in items] for name, items in scopes.items()},
    }


def _check_double(call: HarborCall, project_id: int, rule: dict[str, Any], ours: int = 0) -> None:
    for other in call.store.find("immutable", project_id=project_id):
        if other["id"] != ours and all(other[key] == value for key, value in rule.items()):
            raise errors.conflict("the immutable tag rule already exists")


@router.get("/projects/{project_name_or_id}/immutabletagrules")
@needed_by(Need.PLUGINS, Need.LOOKUP, Need.INVENTORY)
def list_rules(call: Asking, name: NameOrId, paging: Pages) -> Response:
    """List the rules of a project."""
    project = call.project(name, "list", "immutable-tag")
    return call.page(call.store.find("immutable", project_id=project["id"]), paging, shown_rule)


@router.post("/projects/{project_name_or_id}/immutabletagrules", status_code=201)
@needed_by(Need.PLUGINS, Need.PEOPLE)
def create_rule(call: Asking, name: NameOrId, body: bodies.RuleBody) -> Response:
    """Create a rule, always enabled: in Harbor, only an update can disable it."""
    project = call.project(name, "create", "immutable-tag")
    rule = _rule(body)
    _check_double(call, project["id"], rule)
    return call.created(call.store.add("immutable", {**rule, "disabled": False, "project_id": project["id"]})["id"])


def _known_rule(call: HarborCall, project: Document, id_: int) -> Document:
    found = call.store.get("immutable", id_)
    if found is None or found["project_id"] != project["id"]:
        raise errors.not_found(f"immutable tag rule {id_}")
    return found


@router.put("/projects/{project_name_or_id}/immutabletagrules/{immutable_rule_id}")
@needed_by(Need.PLUGINS)
def update_rule(call: Asking, name: NameOrId, immutable_rule_id: Id, body: bodies.RuleBody) -> Response:
    """Update a rule. Like Harbor, if `disabled` changes, the rest does not change."""
    if (body.id or 0) != immutable_rule_id:
        raise errors.bad_request("the immutable_rule_id doesn't match the id in the payload body of ImmutableRule")
    project = call.project(name, "update", "immutable-tag")
    known = _known_rule(call, project, immutable_rule_id)
    if bool(body.disabled) != known["disabled"]:
        call.store.put("immutable", {**known, "disabled": bool(body.disabled)})
        return done()
    rule = _rule(body)
    _check_double(call, project["id"], rule, known["id"])
    call.store.put("immutable", {**known, **rule})
    return done()


@router.delete("/projects/{project_name_or_id}/immutabletagrules/{immutable_rule_id}")
@needed_by(Need.PLUGINS, Need.INVENTORY, Need.PEOPLE)
def delete_rule(call: Asking, name: NameOrId, immutable_rule_id: Id) -> Response:
    """Delete a rule."""
    project = call.project(name, "delete", "immutable-tag")
    call.store.remove("immutable", _known_rule(call, project, immutable_rule_id)["id"])
    return done()

"""Replication policies, from or to another registry. They are stored, but never run."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from lab.standins.harbor import api_registries, bodies, cron, errors
from lab.standins.harbor.call import Asking, HarborCall, HarborRouter, Id, Pages, done
from lab.standins.harbor.query import Text
from lab.standins.harbor.site import now
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router: Final = HarborRouter(tags=["replication"])

_RESOURCE: Final = "replication-policy"
#: Harbor's entry for itself, as the second registry of a policy.
_LOCAL: Final = {"name": "Local", "type": "harbor", "status": "healthy"}


def _shown(call: HarborCall, policy: Document) -> dict[str, Any]:
    other = call.store.get("registry", policy["source"] or policy["destination"])
    registry = api_registries.shown(other) if other else {}
    local = {**_LOCAL, "url": call.site.url}
    ends = (registry, local) if policy["source"] else (local, registry)
    kept = {key: value for key, value in policy.items() if key not in ("source", "destination", "created", "updated")}
    return {
        **{key: value for key, value in kept.items() if value not in ("", None, [])},
        "src_registry": ends[0],
        "dest_registry": ends[1],
        "deletion": policy["replicate_deletion"],
        "creation_time": policy["created"],
        "update_time": policy["updated"],
    }


def _check(call: HarborCall, body: bodies.ReplicationBody, source: int, destination: int) -> None:
    """Raise `HarborError` in Harbor's order of checks."""
    if not body.name:
        raise errors.bad_request("empty name")
    if bool(source) == bool(destination):
        raise errors.bad_request(
            "either src_registry or dest_registry should be empty and the other one shouldn't be empty"
        )
    if trigger := body.trigger:
        text = (trigger.trigger_settings and trigger.trigger_settings.cron) or ""
        if trigger.type not in ("manual", "event_based", "scheduled"):
            raise errors.bad_request("invalid trigger type")
        if trigger.type == "scheduled" and not text:
            raise errors.bad_request("the cron string cannot be empty when the trigger type is scheduled")
        if trigger.type == "scheduled" and cron.problem(text):
            raise errors.bad_request(f"invalid cron string for scheduled trigger: {text}")
    if call.store.get("registry", source or destination) is None:
        raise errors.not_found(f"registry {source or destination}")
    if call.store.first("replication", name=body.name):
        raise errors.conflict(f"replication policy {body.name} already exists")


@router.get("/replication/policies")
@needed_by(Need.INVENTORY)
def list_policies(call: Asking, paging: Pages, name: Text = "") -> Response:
    """List the policies."""
    call.require_system("list", _RESOURCE)
    found = [item for item in call.store.find("replication") if name in item["name"]]
    return call.page(found, paging, lambda item: _shown(call, item))


@router.post("/replication/policies", status_code=201)
@needed_by(Need.PEOPLE)
def create_policy(call: Asking, body: bodies.ReplicationBody) -> Response:
    """Create a policy between Harbor and one other registry."""
    call.require_system("create", _RESOURCE)
    source, destination = ((end and end.id) or 0 for end in (body.src_registry, body.dest_registry))
    _check(call, body, source, destination)
    count = body.dest_namespace_replace_count
    policy = {
        "name": body.name, "description": body.description or "", "source": source, "destination": destination,
        "dest_namespace": body.dest_namespace or "", "dest_namespace_replace_count": -1 if count is None else count,
        "trigger": body.trigger and body.trigger.sent(), "filters": [item.sent() for item in body.filters or []],
        # Harbor reads the old name of this member, and answers both.
        "replicate_deletion": bool(body.deletion), "override": bool(body.override), "enabled": bool(body.enabled),
        "speed": max(body.speed or 0, 0), "copy_by_chunk": bool(body.copy_by_chunk), "created": now(), "updated": now(),
    }  # fmt: skip
    return call.created(call.store.add("replication", policy)["id"])


@router.delete("/replication/policies/{id}")
@needed_by(Need.INVENTORY)
def delete_policy(call: Asking, id: Id) -> Response:
    """Delete a policy."""
    call.require_system("delete", _RESOURCE)
    if call.store.get("replication", id) is None:
        raise errors.not_found(f"replication policy {id}")
    call.store.remove("replication", id)
    return done()

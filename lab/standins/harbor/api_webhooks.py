"""Webhook policies of projects, and what became of their deliveries."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from fastapi import Query
from starlette.responses import PlainTextResponse, Response

from lab.standins.harbor import bodies, errors, events
from lab.standins.harbor.call import Asking, Call, Id, NameOrId, Pages, Router, done
from lab.standins.harbor.site import now
from lab.standins.store import Document

router: Final = Router(tags=["webhook"])

_RESOURCE: Final = "notification-policy"
_POLICIES: Final = "/projects/{project_name_or_id}/webhook/policies"
_POLICY: Final = _POLICIES + "/{webhook_policy_id}"
_EXECUTION: Final = _POLICY + "/executions/{execution_id}/tasks"
_TARGETS: Final = ("http", "slack")
_FORMATS: Final = ("Default", "CloudEvents")
_LARGEST: Final = 2**63 - 1


def shown(call: Call, policy: Document) -> dict[str, Any]:
    """Return a policy as the API shows it, its authentication header in clear, as Harbor does."""
    targets = []
    for target in policy["targets"]:
        body = {**target, "auth_header": call.site.vault.unseal(target["auth_header"])}
        targets.append({key: value for key, value in body.items() if value not in ("", False)})
    keys = ("id", "name", "description", "project_id", "event_types", "creator", "enabled")
    body = {key: policy[key] for key in keys if policy[key] != ""}
    return {**body, "targets": targets, "creation_time": policy["created"], "update_time": policy["updated"]}


def _policy(call: Call, body: bodies.WebhookBody) -> dict[str, Any]:
    """Check a policy and return it as it is kept."""
    if not body.event_types:
        raise errors.bad_request("empty event type")
    for kind in body.event_types:
        if kind not in events.TYPES:
            raise errors.bad_request(f"unsupported event type {kind}")
    if not body.targets:
        raise errors.bad_request(f"empty notification target with policy {body.name or ''}")
    targets = []
    for target in body.targets:
        address = _address(target.address or "")
        if target.type not in _TARGETS:
            raise errors.bad_request(f"unsupported target type {target.type or ''} with policy {body.name or ''}")
        if target.payload_format and target.type == "slack":
            raise errors.bad_request("set payload format is not allowed for slack")
        if target.payload_format and target.payload_format not in _FORMATS:
            raise errors.bad_request(f"unsupported payload format type: {target.payload_format}")
        form = target.payload_format or ("Default" if target.type == "http" else "")
        targets.append(
            {
                "type": target.type, "address": address, "skip_cert_verify": bool(target.skip_cert_verify),
                "auth_header": call.site.vault.seal(target.auth_header or ""), "payload_format": form,
            }
        )  # fmt: skip
    return {"name": body.name or "", "description": body.description or "", "enabled": bool(body.enabled),
            "event_types": body.event_types, "targets": targets}  # fmt: skip


def _address(text: str) -> str:
    """Return scheme, host and path of an address; Harbor drops the rest."""
    try:
        parts = urlsplit(text.strip() if "://" in text else f"http://{text.strip()}")
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        good = False
    if not good:
        raise errors.bad_request(f"invalid address: {text}")
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


def _known(call: Call, project: Document, id_: int) -> Document:
    found = call.store.get("webhook", id_)
    if found is None or found["project_id"] != project["id"]:
        raise errors.not_found(f"project id:{project['id']}, webhook policy id: {id_}")
    return found


def _check_name(call: Call, project: Document, name: str, ours: int = 0) -> None:
    if not name:
        raise errors.bad_request("the name of the webhook policy is required")
    if any(other["id"] != ours for other in call.store.find("webhook", project_id=project["id"], name=name)):
        raise errors.conflict(f"notification policy named {name} already exists")


@router.get(_POLICIES)
def list_policies(call: Asking, name: NameOrId, paging: Pages) -> Response:
    """List the policies of a project."""
    project = call.project(name, "list", _RESOURCE)
    return call.page(call.store.find("webhook", project_id=project["id"]), paging, lambda item: shown(call, item))


@router.post(_POLICIES, status_code=201)
def create_policy(call: Asking, name: NameOrId, body: bodies.WebhookBody) -> Response:
    """Make a policy."""
    project = call.project(name, "create", _RESOURCE)
    policy = _policy(call, body)
    _check_name(call, project, policy["name"])
    made = call.store.add("webhook", {**policy, "project_id": project["id"], "creator": call.principal.name,
                                      "created": now(), "updated": now()})  # fmt: skip
    return call.created(made["id"])


@router.get(_POLICY)
def get_policy(call: Asking, name: NameOrId, webhook_policy_id: Id) -> dict[str, Any]:
    """Show a policy."""
    return shown(call, _known(call, call.project(name, "read", _RESOURCE), webhook_policy_id))


@router.put(_POLICY)
def update_policy(call: Asking, name: NameOrId, webhook_policy_id: Id, body: bodies.WebhookBody) -> Response:
    """Change a policy."""
    project = call.project(name, "update", _RESOURCE)
    known = _known(call, project, webhook_policy_id)
    policy = _policy(call, body)
    _check_name(call, project, policy["name"], known["id"])
    call.store.put("webhook", {**known, **policy, "updated": now()})
    return done()


@router.delete(_POLICY)
def delete_policy(call: Asking, name: NameOrId, webhook_policy_id: Id) -> Response:
    """Delete a policy."""
    known = _known(call, call.project(name, "delete", _RESOURCE), webhook_policy_id)
    call.store.remove("webhook", known["id"])
    return done()


def _execution(run: Document) -> dict[str, Any]:
    return {
        "id": run["id"], "vendor_type": "WEBHOOK", "vendor_id": run["policy_id"], "status": run["status"],
        "trigger": "EVENT", "start_time": run["start_time"], "end_time": run["end_time"],
        "extra_attrs": {"event_type": run["event_type"]},
    }  # fmt: skip


@router.get(_POLICY + "/executions")
def list_executions(call: Asking, name: NameOrId, webhook_policy_id: Id, paging: Pages) -> Response:
    """List the deliveries of a policy, the last first."""
    known = _known(call, call.project(name, "read", _RESOURCE), webhook_policy_id)
    return call.page(reversed(call.store.find("webhook_execution", policy_id=known["id"])), paging, _execution)


def _run(call: Call, name: str | int, policy_id: int, execution_id: int) -> Document:
    known = _known(call, call.project(name, "read", _RESOURCE), policy_id)
    found = call.store.get("webhook_execution", execution_id)
    if found is None or found["policy_id"] != known["id"]:
        raise errors.not_found(f"execution {execution_id} in policy {policy_id}")
    return found


@router.get(_EXECUTION)
def list_tasks(call: Asking, name: NameOrId, webhook_policy_id: Id, execution_id: Id, paging: Pages) -> Response:
    """List the one task of a delivery."""
    run = _run(call, name, webhook_policy_id, execution_id)
    task = {"id": run["id"], "execution_id": run["id"], "status": run["status"], "run_count": 1,
            "start_time": run["start_time"], "end_time": run["end_time"]}  # fmt: skip
    return call.listed([task], paging)


@router.get(_EXECUTION + "/{task_id}/log")
def get_task_log(call: Asking, name: NameOrId, webhook_policy_id: Id, execution_id: Id, task_id: Id) -> Response:
    """Show what was sent."""
    run = _run(call, name, webhook_policy_id, execution_id)
    if task_id != run["id"]:
        raise errors.not_found(f"task {task_id} in execution {execution_id}")
    return PlainTextResponse(f"{run['status']}: {json.dumps(run['payload'])}\n")


@router.get("/projects/{project_name_or_id}/webhook/jobs")
def list_jobs(
    call: Asking, name: NameOrId, paging: Pages,
    policy_id: Annotated[int, Query(ge=-_LARGEST, le=_LARGEST)], status: Annotated[list[str] | None, Query()] = None,
) -> Response:  # fmt: skip
    """List the deliveries of a policy, in the older form."""
    known = _known(call, call.project(name, "list", _RESOURCE), policy_id)
    runs = [run for run in call.store.find("webhook_execution", policy_id=known["id"])
            if not status or run["status"] in status]  # fmt: skip
    return call.page(
        reversed(runs),
        paging,
        lambda run: {
            "id": run["id"], "policy_id": policy_id, "event_type": run["event_type"], "status": run["status"],
            "notify_type": run["notify_type"], "job_detail": json.dumps(run["payload"]),
            "creation_time": run["start_time"], "update_time": run["end_time"],
        },
    )  # fmt: skip


@router.get("/projects/{project_name_or_id}/webhook/lasttrigger")
def list_last_triggers(call: Asking, name: NameOrId) -> list[dict[str, Any]]:
    """Tell when each policy last heard of each kind of event."""
    project = call.project(name, "read", _RESOURCE)
    answer = []
    for policy in call.store.find("webhook", project_id=project["id"]):
        for kind in policy["event_types"]:
            runs = call.store.find("webhook_execution", policy_id=policy["id"], event_type=kind)
            entry = {"policy_name": policy["name"], "event_type": kind, "enabled": policy["enabled"],
                     "creation_time": policy["created"]}  # fmt: skip
            answer.append({**entry, **({"last_trigger_time": runs[-1]["start_time"]} if runs else {})})
    return answer


@router.get("/projects/{project_name_or_id}/webhook/events")
def list_event_types(call: Asking, name: NameOrId) -> dict[str, Any]:
    """List the kinds of events and targets."""
    call.project(name, "read", _RESOURCE)
    formats = [{"notify_type": "http", "formats": list(_FORMATS)}]
    return {"event_type": list(events.TYPES), "notify_type": list(_TARGETS), "payload_formats": formats}

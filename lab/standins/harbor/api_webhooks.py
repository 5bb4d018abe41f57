"""Webhook policies of projects. They are stored, but never called."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from starlette.responses import Response

from lab.standins.harbor import bodies, errors
from lab.standins.harbor.call import Asking, HarborCall, HarborRouter, Id, NameOrId, Pages, done
from lab.standins.harbor.site import now
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router: Final = HarborRouter(tags=["webhook"])

_RESOURCE: Final = "notification-policy"
_POLICIES: Final = "/projects/{project_name_or_id}/webhook/policies"
_POLICY: Final = _POLICIES + "/{webhook_policy_id}"
_TARGETS: Final = ("http", "slack")
#: Event types of policies.
_EVENTS: Final = (
    "PUSH_ARTIFACT", "PULL_ARTIFACT", "DELETE_ARTIFACT", "QUOTA_EXCEED", "QUOTA_WARNING", "SCANNING_FAILED",
    "SCANNING_STOPPED", "SCANNING_COMPLETED", "REPLICATION", "TAG_RETENTION",
)  # fmt: skip
_FORMATS: Final = ("Default", "CloudEvents")


def shown(call: HarborCall, policy: Document) -> dict[str, Any]:
    """Return a policy as shown in the API, with its authentication header in clear, like Harbor."""
    targets = []
    for target in policy["targets"]:
        body = {**target, "auth_header": call.site.vault.unseal(target["auth_header"])}
        targets.append({key: value for key, value in body.items() if value not in ("", False)})
    keys = ("id", "name", "description", "project_id", "event_types", "creator", "enabled")
    body = {key: policy[key] for key in keys if policy[key] != ""}
    return {**body, "targets": targets, "creation_time": policy["created"], "update_time": policy["updated"]}


def _policy(call: HarborCall, body: bodies.WebhookBody) -> dict[str, Any]:
    """Check a policy and return it as stored."""
    if not body.event_types:
        raise errors.bad_request("empty event type")
    for kind in body.event_types:
        if kind not in _EVENTS:
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
    """Return scheme, host and path of an address; Harbor removes the rest."""
    try:
        parts = urlsplit(text.strip() if "://" in text else f"http://{text.strip()}")
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        good = False
    if not good:
        raise errors.bad_request(f"invalid address: {text}")
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


def _known(call: HarborCall, project: Document, id_: int) -> Document:
    found = call.store.get("webhook", id_)
    if found is None or found["project_id"] != project["id"]:
        raise errors.not_found(f"project id:{project['id']}, webhook policy id: {id_}")
    return found


def _check_name(call: HarborCall, project: Document, name: str, ours: int = 0) -> None:
    if not name:
        raise errors.bad_request("the name of the webhook policy is required")
    if any(other["id"] != ours for other in call.store.find("webhook", project_id=project["id"], name=name)):
        raise errors.conflict(f"notification policy named {name} already exists")


@router.get(_POLICIES)
@needed_by(Need.INVENTORY)
def list_policies(call: Asking, name: NameOrId, paging: Pages) -> Response:
    """List the policies of a project."""
    project = call.project(name, "list", _RESOURCE)
    return call.page(call.store.find("webhook", project_id=project["id"]), paging, lambda item: shown(call, item))


@router.post(_POLICIES, status_code=201)
@needed_by(Need.PLUGINS, Need.PEOPLE)
def create_policy(call: Asking, name: NameOrId, body: bodies.WebhookBody) -> Response:
    """Create a policy."""
    project = call.project(name, "create", _RESOURCE)
    policy = _policy(call, body)
    _check_name(call, project, policy["name"])
    made = call.store.add("webhook", {**policy, "project_id": project["id"], "creator": call.principal.name,
                                      "created": now(), "updated": now()})  # fmt: skip
    return call.created(made["id"])


@router.get(_POLICY)
@needed_by(Need.PLUGINS)
def get_policy(call: Asking, name: NameOrId, webhook_policy_id: Id) -> dict[str, Any]:
    """Return a policy."""
    return shown(call, _known(call, call.project(name, "read", _RESOURCE), webhook_policy_id))


@router.put(_POLICY)
@needed_by(Need.PLUGINS)
def update_policy(call: Asking, name: NameOrId, webhook_policy_id: Id, body: bodies.WebhookBody) -> Response:
    """Update a policy."""
    project = call.project(name, "update", _RESOURCE)
    known = _known(call, project, webhook_policy_id)
    policy = _policy(call, body)
    _check_name(call, project, policy["name"], known["id"])
    call.store.put("webhook", {**known, **policy, "updated": now()})
    return done()


@router.delete(_POLICY)
@needed_by(Need.PLUGINS, Need.INVENTORY)
def delete_policy(call: Asking, name: NameOrId, webhook_policy_id: Id) -> Response:
    """Delete a policy."""
    known = _known(call, call.project(name, "delete", _RESOURCE), webhook_policy_id)
    call.store.remove("webhook", known["id"])
    return done()

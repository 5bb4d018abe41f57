"""Registry endpoints (for proxy caches and replication), and labels."""

from __future__ import annotations

import ipaddress
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from cryptography import x509
from starlette.responses import Response

from lab.standins.harbor import bodies, errors
from lab.standins.harbor.call import Asking, HarborCall, HarborRouter, Id, Pages, done
from lab.standins.harbor.query import Text
from lab.standins.harbor.site import now
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router: Final = HarborRouter(tags=["registry", "label"])

_TYPES: Final = (
    "ali-acr", "artifact-hub", "aws-ecr", "azure-acr", "docker-hub", "docker-registry", "github-ghcr", "gitlab",
    "google-gcr", "harbor", "helm-hub", "huawei-SWR", "jfrog-artifactory", "quay", "tencent-tcr", "volcengine-cr",
)  # fmt: skip
_LONGEST_NAME: Final = 64
_LONGEST_LABEL: Final = 128


def shown(registry: Document) -> dict[str, Any]:
    """Return a registry as shown in the API, without its secret."""
    keys = ("id", "name", "url", "type", "status", "description", "insecure", "ca_certificate")
    body = {key: registry[key] for key in keys if registry[key] not in ("", False, None)}
    credential = registry["credential"]
    if credential:
        secret = {"access_secret": "*****"} if credential["access_secret"] else {}
        kept = {key: credential[key] for key in ("type", "access_key") if credential[key]}
        body["credential"] = {**kept, **secret}
    return {**body, "creation_time": registry["created"], "update_time": registry["updated"]}


def _url(text: str) -> str:
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        good = False
    if not good:
        raise errors.bad_request(f"invalid URL: {text}")
    return f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")


def _check(call: HarborCall, registry: dict[str, Any]) -> None:
    """Raise `HarborError` for invalid registries, as Harbor does. Only addresses on this machine are probed."""
    if not registry["name"]:
        raise errors.bad_request("name cannot be empty")
    if len(registry["name"]) > _LONGEST_NAME:
        raise errors.bad_request("the max length of name is 64")
    registry["url"] = _url(registry["url"])
    if registry["type"] not in _TYPES:
        raise errors.not_found(f"adapter factory for {registry['type']}")
    if certificate := registry["ca_certificate"]:
        try:
            x509.load_pem_x509_certificates(certificate.encode())
        except ValueError:
            raise errors.bad_request("the CA certificate is not valid PEM") from None
    for other in call.store.find("registry", name=registry["name"]):
        if other["id"] != registry.get("id"):
            raise errors.conflict(f"registry {registry['name']} already exists")
    if not _healthy(registry["url"]):
        raise errors.bad_request("the registry is unhealthy")


def _healthy(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    if not local:
        return True
    try:
        with httpx.Client(verify=False, timeout=2, trust_env=False) as http:  # noqa: S501 - only whether it answers
            return http.get(f"{url}/v2/").status_code in (200, 401)
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


def _known(call: HarborCall, id_: int) -> Document:
    found = call.store.get("registry", id_)
    if found is None:
        raise errors.not_found(f"registry {id_}")
    return found


@router.get("/registries")
@needed_by(Need.INVENTORY)
def list_registries(call: Asking, paging: Pages, name: Text = "") -> Response:
    """List the registries."""
    call.require_system("list", "registry")
    return call.page([item for item in call.store.find("registry") if name in item["name"]], paging, shown)


@router.post("/registries", status_code=201)
@needed_by(Need.PLUGINS, Need.PEOPLE)
def create_registry(call: Asking, body: bodies.RegistryBody) -> Response:
    """Add a registry."""
    call.require_system("create", "registry")
    credential = body.credential
    registry = {
        "name": body.name or "", "url": body.url or "", "type": body.type or "", "description": body.description or "",
        "insecure": bool(body.insecure), "ca_certificate": body.ca_certificate or "", "status": "healthy",
        "credential": credential and {
            "type": credential.type or "", "access_key": credential.access_key or "",
            "access_secret": call.site.vault.seal(credential.access_secret or ""),
        },
        "created": now(), "updated": now(),
    }  # fmt: skip
    _check(call, registry)
    return call.created(call.store.add("registry", registry)["id"])


@router.get("/registries/{id}")
@needed_by(Need.PLUGINS)
def get_registry(call: Asking, id: Id) -> dict[str, Any]:
    """Return a registry."""
    call.require_system("read", "registry")
    return shown(_known(call, id))


@router.put("/registries/{id}")
@needed_by(Need.PLUGINS)
def update_registry(call: Asking, id: Id, body: bodies.RegistryChange) -> Response:
    """Update a registry. A new address without a secret deletes the old secret."""
    call.require_system("update", "registry")
    known = _known(call, id)
    sent = body.sent()
    credential = known["credential"] or {"type": "", "access_key": "", "access_secret": ""}
    names = ("name", "url", "description", "insecure", "ca_certificate")
    fresh = {**known, **{name: sent[name] for name in names if name in sent}, "updated": now()}
    for theirs, ours in (("credential_type", "type"), ("access_key", "access_key")):
        credential[ours] = sent.get(theirs, credential[ours])
    if "access_secret" in sent:
        credential["access_secret"] = call.site.vault.seal(sent["access_secret"])
    _check(call, fresh)
    if fresh["url"] != known["url"] and "access_secret" not in sent:
        credential["access_secret"] = ""
    call.store.put("registry", {**fresh, "credential": credential})
    return done()


@router.delete("/registries/{id}")
@needed_by(Need.PLUGINS, Need.INVENTORY)
def delete_registry(call: Asking, id: Id) -> Response:
    """Delete a registry that is not used by a proxy cache or replication."""
    call.require_system("delete", "registry")
    known = _known(call, id)
    if call.store.first("project", registry_id=id):
        raise errors.precondition(f"the registry {id} is referenced by proxy cache project, cannot delete it")
    if call.store.first("replication", source=id) or call.store.first("replication", destination=id):
        raise errors.precondition(f"the registry {id} is referenced by replication policies, cannot delete it")
    call.store.remove("registry", known["id"])
    return done()


# -- labels ------------------------------------------------------------------------------------------------------------


def shown_label(label: Document) -> dict[str, Any]:
    """Return a label as shown in the API."""
    body = {key: value for key, value in label.items() if key not in ("created", "updated") and value not in ("", 0)}
    return {**body, "creation_time": label["created"], "update_time": label["updated"]}


def _may_label(call: HarborCall, scope: str, project_id: int, action: str) -> None:
    if scope == "g":
        call.require_system(action, "label")
    elif scope == "p":
        call.project(project_id, action, "label")
    else:
        raise errors.bad_request("unsupported label scope")


def _label(call: HarborCall, id_: int) -> Document:
    found = call.store.get("label", id_)
    if found is None:
        raise errors.not_found(f"label {id_}")
    return found


def _check_label(call: HarborCall, label: dict[str, Any]) -> None:
    if not label["name"]:
        raise errors.bad_request("cannot be empty")
    if len(label["name"]) > _LONGEST_LABEL:
        raise errors.bad_request("max length is 128")
    same = call.store.find("label", name=label["name"], scope=label["scope"], project_id=label["project_id"])
    if any(other["id"] != label.get("id") for other in same):
        raise errors.conflict(f"label {label['name']} already exists")


@router.get("/labels")
@needed_by(Need.INVENTORY)
def list_labels(call: Asking, paging: Pages, name: Text = "", scope: Text = "", project_id: int = 0) -> Response:
    """List the labels of a scope: g (global), or p with a project."""
    if scope not in ("g", "p"):
        raise errors.bad_request(f"invalid scope: {scope}")
    if scope == "p":
        if not 0 < project_id < 2**63:
            raise errors.bad_request("must with project ID when to query project labels")
        call.project(project_id, "list", "label")
    labels = call.store.find("label", scope=scope, project_id=project_id if scope == "p" else 0)
    return call.page([label for label in labels if name in label["name"]], paging, shown_label)


@router.post("/labels", status_code=201)
@needed_by(Need.PEOPLE)
def create_label(call: Asking, body: bodies.LabelBody) -> Response:
    """Create a label."""
    scope = body.scope or ""
    label = {"name": body.name or "", "description": body.description or "", "color": body.color or "", "scope": scope,
             "project_id": 0 if scope == "g" else body.project_id or 0, "created": now(), "updated": now()}  # fmt: skip
    _may_label(call, scope, int(str(label["project_id"])), "create")
    _check_label(call, label)
    return call.created(call.store.add("label", label)["id"])


@router.get("/labels/{label_id}")
@needed_by(Need.PLUGINS)
def get_label(call: Asking, label_id: Id) -> dict[str, Any]:
    """Return a label."""
    label = _label(call, label_id)
    _may_label(call, label["scope"], label["project_id"], "read")
    return shown_label(label)


@router.put("/labels/{label_id}")
@needed_by(Need.PLUGINS)
def update_label(call: Asking, label_id: Id, body: bodies.LabelBody) -> Response:
    """Update a label; its scope does not change."""
    label = _label(call, label_id)
    _may_label(call, label["scope"], label["project_id"], "update")
    fresh = {**label, "name": body.name or "", "description": body.description or "", "color": body.color or "",
             "updated": now()}  # fmt: skip
    _check_label(call, fresh)
    call.store.put("label", fresh)
    return done()


@router.delete("/labels/{label_id}")
@needed_by(Need.PLUGINS, Need.INVENTORY)
def delete_label(call: Asking, label_id: Id) -> Response:
    """Delete a label."""
    label = _label(call, label_id)
    _may_label(call, label["scope"], label["project_id"], "delete")
    call.store.remove("label", label_id)
    return done()

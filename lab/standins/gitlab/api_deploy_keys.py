# ruff: noqa: ANN401 - JSON answers have any type
"""Deploy keys: SSH keys to read or write a project's repository. They are only stored, because there is no SSH."""

from __future__ import annotations

import base64
import hashlib
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from lab.standins.gitlab import access
from lab.standins.gitlab.errors import invalid, not_found
from lab.standins.gitlab.params import Bool, Moment, Paging, Params
from lab.standins.gitlab.routing import Call, Router
from lab.standins.gitlab.site import GitLabSite, now
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router = Router("deploy keys")

_PATH: Final = "/projects/{id}/deploy_keys"
_ALGORITHMS: Final = ("ssh-rsa", "ssh-dss", "ecdsa-sha2-", "ssh-ed25519", "sk-ecdsa-sha2-", "sk-ssh-ed25519@")


class NewDeployKey(Params):
    """Parameters of a new key."""

    key: str
    title: str
    can_push: Bool = None
    expires_at: Moment = None


def _shown(site: GitLabSite, joined: Document) -> Document:
    key = site.store.get("deploy_key", joined["key_id"]) or {}
    blob = base64.b64decode(key["key"].split()[1])
    md5 = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    sha256 = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return {
        **{name: key[name] for name in ("id", "title", "created_at", "expires_at", "key")},
        "fingerprint": ":".join(md5[at : at + 2] for at in range(0, len(md5), 2)),
        "fingerprint_sha256": f"SHA256:{sha256}",
        "can_push": joined["can_push"],
    }


def _check(title: str, key: str) -> None:
    wrong: dict[str, list[str]] = {}
    if not title.strip():
        wrong["deploy_key.title"] = ["can't be blank"]
    if not key.startswith(_ALGORITHMS):
        wrong["deploy_key.key"] = ["is invalid"]
    try:
        load_ssh_public_key(key.encode())
    except (ValueError, UnsupportedAlgorithm):
        wrong["deploy_key.fingerprint_sha256"] = ["cannot be generated"]
    if wrong:
        raise invalid(**wrong)


def _reachable(call: Call, key: Document) -> bool:
    """Whether the key belongs to a project that the caller maintains, so that they can add it to another project."""
    joins = call.store.find("deploy_key_project", key_id=key["id"])
    projects = [one for join in joins if (one := call.store.get("project", join["project_id"]))]
    user = call.user["id"]
    return any(access.user_project_level(call.site, user, one) >= access.MAINTAINER for one in projects)


@router.get(_PATH)
@needed_by(Need.INVENTORY)
def list_keys(call: Call, id: str, given: Paging) -> Any:
    """List the deploy keys of a project."""
    project = call.project(id, access.MAINTAINER)
    found = call.store.find("deploy_key_project", project_id=project["id"])
    return call.page(found, given, lambda one: _shown(call.site, one))


@router.post(_PATH)
@needed_by(Need.PEOPLE)
def add_key(call: Call, id: str, given: NewDeployKey) -> Any:
    """Add a key to a project: its existing key, a key of another project of the caller, or a new key."""
    project = call.project(id, access.MAINTAINER)
    text = given.key.strip()
    known = call.store.first("deploy_key", key=text)
    if known and (joined := call.store.first("deploy_key_project", project_id=project["id"], key_id=known["id"])):
        return _shown(call.site, joined)
    if known is not None and call.store.first("deploy_key_project", key_id=known["id"]) is None:
        call.store.remove("deploy_key", known["id"])  # its last project was deleted
        known = None
    if known is not None and not _reachable(call, known):
        raise invalid(**{"deploy_key.fingerprint_sha256": ["has already been taken"]})
    if known is None:
        _check(given.title, text)
        known = call.store.add(
            "deploy_key", {"key": text, "title": given.title, "expires_at": given.expires_at, "created_at": now()}
        )
    join = {"project_id": project["id"], "key_id": known["id"], "can_push": bool(given.can_push)}
    return _shown(call.site, call.store.add("deploy_key_project", join))


@router.delete(f"{_PATH}/{{key_id}}")
@needed_by(Need.INVENTORY)
def remove_key(call: Call, id: str, key_id: int) -> None:
    """Remove a key from a project, and delete it if it has no other project."""
    project = call.project(id, access.MAINTAINER)
    joined = call.store.first("deploy_key_project", project_id=project["id"], key_id=key_id)
    if joined is None:
        raise not_found("Deploy key")
    call.store.remove("deploy_key_project", joined["id"])
    if call.store.first("deploy_key_project", key_id=key_id) is None:
        call.store.remove("deploy_key", key_id)

"""Storage quotas of projects, and statistics."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from lab.standins.harbor import bodies, errors
from lab.standins.harbor.api_projects import used
from lab.standins.harbor.call import Asking, HarborCall, HarborRouter, Id, Pages, done
from lab.standins.harbor.query import Text
from lab.standins.harbor.settings import valid_quota
from lab.standins.harbor.site import now
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router: Final = HarborRouter(tags=["quota"])


def shown(call: HarborCall, quota: Document) -> dict[str, Any]:
    """Return a quota as shown in the API."""
    project = call.site.project(quota["project_id"])
    owner = call.store.get("user", project["owner_id"]) or {}
    return {
        "id": quota["id"],
        "ref": {"id": project["id"], "name": project["name"], "owner_name": owner.get("username", "")},
        "hard": {"storage": quota["storage"]},
        "used": {"storage": used(call, project["id"])},
        "creation_time": quota["created"],
        "update_time": quota.get("updated", quota["created"]),
    }


# The provider requests `/quotas/`, which Harbor serves like `/quotas`.
@router.get("/quotas/", include_in_schema=False)
@router.get("/quotas")
@needed_by(Need.PLUGINS, Need.PEOPLE)
def list_quotas(call: Asking, paging: Pages, reference: Text = "", reference_id: Text = "") -> Response:
    """List the quotas, or the one of the project `reference_id`."""
    call.require_system("list", "quota")
    quotas = call.store.find("quota") if reference in ("", "project") else []
    if reference_id:
        quotas = [quota for quota in quotas if str(quota["project_id"]) == reference_id]
    items = [shown(call, quota) for quota in quotas]
    for key in ("hard.storage", "used.storage"):  # the supported sort keys
        plain = paging.sort.removeprefix("-")
        if plain == key:
            part = key.partition(".")[0]
            items.sort(key=lambda item, part=part: item[part]["storage"], reverse=paging.sort.startswith("-"))  # type: ignore[misc]  # part is bound
    return call.listed(items, paging)


def _quota(call: HarborCall, id_: int) -> Document:
    found = call.store.get("quota", id_)
    if found is None:
        raise errors.not_found(f"quota {id_}")
    return found


@router.put("/quotas/{id}")
@needed_by(Need.PLUGINS)
def update_quota(call: Asking, id: Id, body: bodies.HardBody) -> Response:
    """Update a limit in bytes, or -1 for none. It may be below the used size."""
    call.require_system("update", "quota")
    if not body.hard:
        raise errors.bad_request("hard required in body")
    quota = _quota(call, id)
    for name, value in body.hard.items():
        if name != "storage":
            raise errors.bad_request(f"resource {name} not support")
        if problem := valid_quota(value):
            raise errors.bad_request(problem)
    call.store.put("quota", {**quota, "storage": body.hard["storage"], "updated": now()})
    return done()

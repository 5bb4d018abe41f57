# ruff: noqa: ANN401 - JSON answers have any type
"""Pipelines of a merge request."""

from __future__ import annotations

from typing import Any

from lab.standins.gitlab import api_ci_pipelines, ci_pipelines
from lab.standins.gitlab.api_merge_requests import find
from lab.standins.gitlab.ci_merge_requests import pipelines_of, run_pipeline
from lab.standins.gitlab.ci_pipelines import NoPipelineError
from lab.standins.gitlab.errors import invalid
from lab.standins.gitlab.params import Paging
from lab.standins.gitlab.routing import Call, Router
from lab.standins.needs import Need, needed_by

router = Router("merge request content")


@router.get("/projects/{id}/merge_requests/{merge_request_iid}/pipelines", anonymous=True)
@needed_by(Need.PIPELINE)
def list_pipelines(call: Call, id: str, merge_request_iid: int, given: Paging) -> Any:
    """List its pipelines, newest first."""
    _, one = find(call, id, merge_request_iid)
    found = list(reversed(pipelines_of(call.site, one)))
    return call.page(found, given, lambda item: api_ci_pipelines.basic(call.site, item))


@router.post("/projects/{id}/merge_requests/{merge_request_iid}/pipelines")
@needed_by(Need.PIPELINE, Need.ISOLATION)
def create_pipeline(call: Call, id: str, merge_request_iid: int) -> Any:
    """Run a pipeline for it."""
    _, one = find(call, id, merge_request_iid)
    _ = call.user
    assert call.actor is not None  # noqa: S101 - there is a user
    try:
        made = run_pipeline(call.site, one, call.actor, keep_errors=False, strict=True)
    except NoPipelineError as error:
        raise invalid(base=[str(message) for message in error.args]) from None
    if made is None:
        raise invalid(base=[ci_pipelines.NO_JOBS])
    return api_ci_pipelines.whole(call.site, made)

"""Reads the pipelines that show whether a change of the platform works in the tenants of a wave (docs/fleet.md).

What GitLab answers is not trusted: a list by ref also has pipelines that a developer can start (of a merge request from
a branch of this name, of a tag from before it was the default branch, by the status of a commit), and a field may have
any value.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final
from urllib.parse import quote

from usine.clients.base import ApiClient
from usine.fleet.records import ProbeRecord, ProbeResult
from usine.fleet.waves import Probe

#: The sources that count: those whose jobs get the role that publishes (catalogue/jobs/base.yml). On a protected branch
#: only people who may push or merge there start them (GitLab's Pipeline::Chain::Validate::Abilities). Not `external`,
#: which is the status of a commit, and not `trigger` or `pipeline`, which the token of a job starts.
_SOURCES: Final = frozenset({"push", "web", "api", "schedule"})
#: How many pipelines are examined. If none of them counts, there is no result: the wave waits.
_MOST: Final = 50


def read_probe(client: ApiClient, project: str, branch: str, probe: Probe) -> ProbeRecord | None:
    """Return the last finished pipeline of a probe's default branch; None if there is none since `probe.after`.

    `project` is the path of the repository's project. Raises ClientError.
    """
    path = f"projects/{quote(project, safe='')}/pipelines"
    for number in islice(_candidates(client, path, branch, probe.after), _MOST):
        # A list does not say whether the ref is a tag. The one answer that does also has everything else.
        pipeline = client.get(f"{path}/{number}")
        if not isinstance(pipeline, Mapping) or pipeline.get("id") != number or pipeline.get("tag") is not False:
            continue
        created = _created(pipeline)
        if _counts(pipeline, branch) and created is not None and created > probe.after:
            return ProbeRecord(probe.repository, number, created, _result(pipeline.get("status")))
    return None


def _candidates(client: ApiClient, path: str, branch: str, after: datetime.datetime) -> Iterator[int]:
    """Yield the ids of finished pipelines, the newest first.

    The list has no child pipelines, and `finished` are `success`, `failed` and `canceled` (Ci::PipelinesFinder,
    Ci::HasStatus). It is asked for what was updated since, because older versions do not know `created_after`.
    """
    query = {"ref": branch, "scope": "finished", "updated_after": after.isoformat(), "order_by": "id", "sort": "desc"}
    for pipeline in client.pages(path, **query):
        number = pipeline.get("id") if isinstance(pipeline, Mapping) else None
        if isinstance(number, int) and not isinstance(number, bool) and number > 0 and _counts(pipeline, branch):
            yield number


def _counts(pipeline: Mapping[str, Any], branch: str) -> bool:
    # The filter by ref also finds the merge requests from a branch with this name.
    return pipeline.get("ref") == branch and str(pipeline.get("source")) in _SOURCES


def _created(pipeline: Mapping[str, Any]) -> datetime.datetime | None:
    try:
        moment = datetime.datetime.fromisoformat(str(pipeline.get("created_at")))
    except ValueError:
        return None
    return None if moment.tzinfo is None else moment.astimezone(datetime.UTC)


def _result(status: object) -> ProbeResult:
    try:
        return ProbeResult(str(status))
    except ValueError:
        return ProbeResult.UNKNOWN

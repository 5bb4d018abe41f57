"""What jobs wait for: `needs:`, or all jobs of earlier stages; and the files that they declare with `dependencies:`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lab.standins.store import Document

_MOST: Final = 50
_ENDED: Final = frozenset({"success", "failed", "canceled", "skipped"})


@dataclass(frozen=True, slots=True)
class Needed:
    """A job that another one needs. `artifacts`: that job gets its files; `optional`: it may be absent."""

    name: str
    artifacts: bool = True
    optional: bool = False


def of(config: Mapping[str, Any]) -> list[Needed] | None:
    """Return what a job needs; None if it has no `needs:` and so waits for earlier stages."""
    needs = config.get("needs")
    if needs is None:
        return None
    return [
        Needed(one)
        if isinstance(one, str)
        else Needed(str(one["job"]), one.get("artifacts", True) is not False, one.get("optional") is True)
        for one in needs
    ]


def errors(jobs: Mapping[str, Mapping[str, Any]], stages: Sequence[str]) -> list[str]:
    """Return the errors in `needs` and `dependencies` of all jobs of a configuration."""
    wrong = []
    for name, job in jobs.items():
        wrong += _shape_errors(name, job)
    if wrong:
        return wrong
    for name, job in jobs.items():
        needs = of(job)
        dependencies = job.get("dependencies") or []
        strict = [need.name for need in needs or [] if not need.optional]
        for kind, names in (("dependency", dependencies), ("need", strict)):
            for one in names:
                if one not in jobs:
                    wrong.append(f"{name} job: undefined {kind}: {one}")
                elif stages.index(jobs[one]["stage"]) > stages.index(job["stage"]):
                    wrong.append(f"{name} job: {kind} {one} is not defined in current or prior stages")
        others = [one for one in dependencies if one not in {need.name for need in needs or []}]
        if needs and others:
            wrong.append(f"jobs:{name} dependencies the {', '.join(others)} should be part of needs")
    return wrong or _cycles(jobs)


def _shape_errors(name: str, job: Mapping[str, Any]) -> list[str]:
    wrong = []
    where = f"jobs:{name}"
    dependencies = job.get("dependencies")
    if dependencies is not None and not _texts(dependencies):
        wrong.append(f"{where} dependencies should be an array of strings")
    needs = job.get("needs")
    if needs is None:
        return wrong
    if not isinstance(needs, list):
        return [*wrong, f"{where}:needs config can only be a hash or an array"]
    if len(needs) > _MOST:
        wrong.append(
            f"{name}: one job can only need {_MOST} others, but you have listed {len(needs)}. "
            "See needs keyword documentation for more details"
        )
    for one in needs:
        if isinstance(one, str):
            continue
        if not isinstance(one, dict) or not isinstance(one.get("job"), str):
            wrong.append(f"{where}:needs:need has an unsupported type")
            continue
        unknown = sorted(set(one) - {"job", "artifacts", "optional"})
        if {"pipeline", "project", "parallel"} & set(unknown):
            wrong.append(f"{where}:needs is not understood by this stand-in: {', '.join(unknown)}")
        elif unknown:
            wrong.append(f"{where}:needs:need config contains unknown keys: {', '.join(unknown)}")
        wrong += [
            f"{where}:needs:need {key} should be a boolean value"
            for key in ("artifacts", "optional")
            if not isinstance(one.get(key, True), bool)
        ]
    return wrong


def _texts(value: Any) -> bool:  # noqa: ANN401 - YAML has any type
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _cycles(jobs: Mapping[str, Mapping[str, Any]]) -> list[str]:
    above = {name: {need.name for need in of(job) or []} & set(jobs) for name, job in jobs.items()}
    while free := [name for name, needed in above.items() if not needed]:
        above = {name: needed - set(free) for name, needed in above.items() if name not in free}
    if above:
        return [f"The pipeline has circular dependencies: topological sort failed: {sorted(above)}"]
    return []


def missing(jobs: Iterable[Document]) -> list[str]:
    """Return the errors of a pipeline in which rules excluded jobs that others need."""
    names = {job["name"] for job in jobs}
    return [
        f"'{job['name']}' job needs '{need.name}' job, but '{need.name}' does not exist in the pipeline. This might be "
        "because of the only, except, or rules keywords. To need a job that sometimes does not exist in the pipeline, "
        "use needs:optional."
        for job in jobs
        for need in of(job["config"]) or []
        if not need.optional and need.name not in names
    ]


def before(job: Document, jobs: Iterable[Document]) -> list[Document]:
    """Return the jobs of a pipeline that a job waits for."""
    needs = of(job["config"])
    if needs is None:
        return [one for one in jobs if one["stage_index"] < job["stage_index"]]
    names = {need.name for need in needs}
    return [one for one in jobs if one["name"] in names]


def outcome(job: Document, jobs: Iterable[Document]) -> str | None:
    """Return `success`, `failed` or `skipped` of the jobs that a job waits for; None while it has to wait.

    As Gitlab::Ci::Status::Composite: a job with `needs` does not run if one of them was skipped, or is manual and
    optional; without `needs`, it does.
    """
    waits = before(job, jobs)
    states = {_state(one) for one in waits}
    if of(job["config"]) is not None:
        if states & {"skipped", "ignored"}:
            return "skipped"
        if not states <= _ENDED | {"warnings"}:
            return None
    elif not states <= _ENDED | {"warnings", "ignored"}:
        return None
    if states & {"failed", "canceled"}:
        return "failed"
    return "success"


def _state(job: Document) -> str:
    if job["allow_failure"] and job["status"] in {"failed", "canceled"}:
        return "warnings"
    return "ignored" if job["allow_failure"] and job["status"] == "manual" else str(job["status"])


def after(job: Document, jobs: Sequence[Document]) -> list[Document]:
    """Return the jobs that wait for a job, also through others."""
    found: dict[int, Document] = {}
    changed = [job]
    while changed:
        names = {one["id"] for one in changed}
        changed = [
            one for one in jobs if one["id"] not in found and any(above["id"] in names for above in before(one, jobs))
        ]
        found |= {one["id"]: one for one in changed}
    return list(found.values())

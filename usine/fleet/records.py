"""What the fleet knows of each stack: its last run and its last drift scan, in files beside the state.

A run of a fleet writes one file per stack when the run of that stack ends. So an interrupted run of the fleet continues
where it ended, on another machine too, and two pipelines never write the same file at the same time.
"""

from __future__ import annotations

import datetime
import enum
import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter

from pulumi_facts.checkpoint import resources_of
from pulumi_facts.urns import address_of
from usine.engine.cli import short_name
from usine.engine.order import is_later
from usine.engine.storage import Storage, storage_errors

#: Requests to the storage at the same time: a record is small, and a request to an object store takes some 20 ms.
_SIDE_BY_SIDE: Final = 32
#: The file of the foundation. No unit has an underscore.
_FOUNDATION: Final = "_foundation"
_SUFFIX: Final = ".json"
#: How long the removals of a run are kept.
_KEPT: Final = datetime.timedelta(days=90)

_Record = TypeVar("_Record")


class Result(enum.StrEnum):
    """How the run of a stack ended. `PARTIAL`: some objects failed. `REFUSED`: a guard refused it."""

    APPLIED = "applied"
    PARTIAL = "partial"
    FAILED = "failed"
    REFUSED = "refused"
    INTERRUPTED = "interrupted"

    @property
    def words(self) -> str:
        """What a sentence about a run says of it."""
        return _WORDS[self]


_WORDS: Final = {
    Result.APPLIED: "was applied",
    Result.PARTIAL: "failed in part",
    Result.FAILED: "failed",
    Result.REFUSED: "was refused",
    Result.INTERRUPTED: "was interrupted",
}


@dataclass(frozen=True, slots=True)
class Inputs:
    """Digests of what the result of a stack's run depends on.

    `tenant` is that of the files of its tenants; of the foundation, that of all people. `foundation` is the digest of
    the ids of the foundation's objects, empty for the foundation itself.
    """

    program: str
    settings: str
    tenant: str
    foundation: str = ""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """The last run of a stack. `ended` is in UTC, `seconds` its duration, `commit` what was checked out.

    `text` is the verdict of its report. `waits`: people have no account yet, so that a later run may add them.
    `tenants` are those of the stack that were not archived, None in a record of an older version. `objects` is the
    digest of the ids of the stack's objects (foundation only).
    `salt` is what the engine added to the settings file of the stack: another one would encrypt every secret again.
    `since` is when this program with these settings was applied for the first time; None if it was not yet.
    `run` is the id of the run of the fleet, if it has several jobs. `version` is the commit of the version that ran it,
    if the tenant was pinned.
    """

    inputs: Inputs
    result: Result
    ended: datetime.datetime
    seconds: float
    commit: str | None = None
    text: str = ""
    waits: bool = False
    tenants: tuple[str, ...] | None = None
    objects: str = ""
    salt: str = ""
    since: datetime.datetime | None = None
    run: str = ""
    version: str = ""

    def carries(self, wanted: Inputs) -> bool:
        """Return whether this run was one of the same program with the same settings."""
        return (self.inputs.program, self.inputs.settings) == (wanted.program, wanted.settings)

    def active(self, unit: str) -> tuple[str, ...]:
        """Return the tenants of the stack that were not archived; `unit` is its unit."""
        return (unit,) if self.tenants is None else self.tenants

    def is_later(self, run: str) -> bool:
        """Return whether this is of a later pipeline than `run`."""
        return is_later(self.run, run)


@dataclass(frozen=True, slots=True)
class ScanRecord:
    """The last drift scan of a stack, in UTC. `complete`: every part could be read."""

    ended: datetime.datetime
    findings: int
    complete: bool


class ProbeResult(enum.StrEnum):
    """How the pipeline of a probe ended, in GitLab's words. `UNKNOWN`: any other word."""

    SUCCESS = "success"
    FAILED = "failed"
    CANCELED = "canceled"
    UNKNOWN = "unknown"

    @property
    def words(self) -> str:
        """What a sentence about a pipeline says of it."""
        return _PROBE_WORDS[self]


_PROBE_WORDS: Final = {
    ProbeResult.SUCCESS: "succeeded",
    ProbeResult.FAILED: "failed",
    ProbeResult.CANCELED: "was canceled",
    ProbeResult.UNKNOWN: "has no known result",
}


@dataclass(frozen=True, slots=True)
class ProbeRecord:
    """The last finished pipeline of a probe when GitLab was asked: its id, and when it was created, in UTC.

    `repository` is the tenant's repository that it is of.
    """

    repository: str
    pipeline: int
    created: datetime.datetime
    result: ProbeResult


_errors: Final = partial(storage_errors, "the records beside the state")
_RUN: Final = TypeAdapter(RunRecord)
_SCAN: Final = TypeAdapter(ScanRecord)
_PROBE: Final = TypeAdapter(ProbeRecord)
_COUNTS: Final = TypeAdapter(dict[str, int])


@dataclass(frozen=True, slots=True)
class Records:
    """The records of a fleet, by unit (None: the foundation). A record that is no record does not exist.

    All methods raise EngineError if the storage does not answer.
    """

    storage: Storage
    base: str

    def runs(self) -> dict[str | None, RunRecord]:
        """Return the last run of each stack."""
        return self._all("runs", _RUN.validate_json)

    def run(self, unit: str | None) -> RunRecord | None:
        """Return the last run of a stack; None if there is none."""
        with _errors():
            text = self.storage.read(*self._path("runs", unit))
        try:
            return _RUN.validate_json(text or b"")
        except ValueError:
            return None

    def scans(self) -> dict[str | None, ScanRecord]:
        """Return the last drift scan of each stack."""
        return self._all("scans", _SCAN.validate_json)

    def units(self) -> tuple[str, ...]:
        """Return the units with a record, sorted: if there is one, the platform runs as a fleet.

        The foundation has one as well after somebody has tried `usine fleet up` on a platform that is one stack.
        """
        with _errors():
            names = [name.removesuffix(_SUFFIX) for name in self.storage.names(*self._folder("runs"))]
        return tuple(sorted(name for name in names if name != _FOUNDATION))

    def probes(self) -> dict[str | None, ProbeRecord]:
        """Return the last pipeline of each probe, by tenant."""
        return self._all("probes", _PROBE.validate_json)

    def write_run(self, unit: str | None, record: RunRecord) -> None:
        """Record a run, unless a later pipeline has recorded one meanwhile."""
        known = self.run(unit) if record.run else None
        if known is not None and known.is_later(record.run):
            return
        with _errors():
            self.storage.write(_RUN.dump_json(record), *self._path("runs", unit))

    def write_scan(self, unit: str | None, record: ScanRecord, report: str) -> None:
        """Record a drift scan, and keep its report (JSON) until the next one if it has findings."""
        with _errors():
            if record.findings:
                self.storage.write(report.encode(), *self._path("reports", unit))
            else:
                self.storage.remove(*self._path("reports", unit))
            self.storage.write(_SCAN.dump_json(record), *self._path("scans", unit))

    def write_probe(self, slug: str, record: ProbeRecord) -> None:
        """Record the last pipeline of a probe of a tenant."""
        with _errors():
            self.storage.write(_PROBE.dump_json(record), *self._path("probes", slug))

    def report(self, unit: str | None) -> str | None:
        """Return the report of the last drift scan; None if it had no findings."""
        with _errors():
            text = self.storage.read(*self._path("reports", unit))
        return None if text is None else text.decode()

    def remove(self, unit: str | None) -> None:
        """Remove the records of a stack that does not exist any more."""
        with _errors():
            for kind in ("runs", "scans", "reports", "probes"):
                self.storage.remove(*self._path(kind, unit))

    def write_removals(self, run: str, unit: str | None, counts: Mapping[str, int]) -> None:
        """Record how many objects of each type a run of a stack removed. Each such run has its own file."""
        name = f"{_FOUNDATION if unit is None else unit}.{time.time_ns()}{_SUFFIX}"
        with _errors():
            self.storage.write(_COUNTS.dump_json(dict(counts)), *self._folder("removals"), run, name)

    def removal_names(self, run: str) -> list[str]:
        """Return the names of the files with the removals of a run."""
        with _errors():
            return [name for name in self.storage.names(*self._folder("removals"), run) if name.endswith(_SUFFIX)]

    def removal_runs(self) -> list[str]:
        """Return the ids of the runs with removals."""
        with _errors():
            return self.storage.names(*self._folder("removals"))

    def removals(self, run: str, name: str) -> dict[str, int]:
        """Return the content of a file with removals."""
        with _errors():
            return _COUNTS.validate_json(self.storage.read(*self._folder("removals"), run, name) or b"")

    def remove_old_removals(self, now: datetime.datetime) -> None:
        """Remove the removals of runs that ended long ago: nobody starts their jobs again."""
        with _errors():
            for run in self.storage.names(*self._folder("removals")):
                for name in self.removal_names(run):
                    if removed_at(name) < now - _KEPT:
                        self.storage.remove(*self._folder("removals"), run, name)

    def _all(self, kind: str, parse: Callable[[bytes], _Record]) -> dict[str | None, _Record]:
        with _errors(), ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
            listed = [name for name in self.storage.names(*self._folder(kind)) if name.endswith(_SUFFIX)]
            names = [name.removesuffix(_SUFFIX) for name in listed]
            units = [None if name == _FOUNDATION else name for name in names]
            texts = list(pool.map(lambda unit: self.storage.read(*self._path(kind, unit)), units))
        found: dict[str | None, _Record] = {}
        for unit, text in zip(units, texts, strict=True):
            try:
                found[unit] = parse(text or b"")
            except ValueError:
                continue  # without its record, the stack is run again
        return found

    def _folder(self, kind: str) -> tuple[str, ...]:
        # A full name is <organisation>/<project>/<stack>.
        return (".usine", "fleet", short_name(self.base), kind)

    def _path(self, kind: str, unit: str | None) -> tuple[str, ...]:
        return (*self._folder(kind), f"{_FOUNDATION if unit is None else unit}{_SUFFIX}")


def removed_at(name: str) -> datetime.datetime:
    """Return when the removals in a file were recorded; a file without a time is from now."""
    moment = name.removesuffix(_SUFFIX).rpartition(".")[2]
    seconds = int(moment) / 1e9 if moment.isdecimal() else time.time()
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def digest_of(parts: Iterable[str]) -> str:
    """Return one digest of several texts, in their order."""
    return hashlib.sha256("".join(f"{len(part)}:{part}" for part in parts).encode()).hexdigest()


def digest_of_ids(ids: Mapping[str, str]) -> str:
    """Return the digest of ids by URN: another id means that an object was created again."""
    return digest_of(text for urn in sorted(ids) for text in (urn, ids[urn]))


def digest_of_state(checkpoint: Mapping[str, Any]) -> str:
    """Return the digest of the ids of a state's objects."""
    objects = (resource for resource in resources_of(checkpoint) if address_of(resource["urn"]).is_object)
    return digest_of_ids({resource["urn"]: str(resource.get("id", "")) for resource in objects})

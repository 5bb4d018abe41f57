"""The one shape of what `usine diff`, `up`, `preview` and `drift` report. Values only: no secret ever gets this far.

Whoever makes a report masks secrets first (`usine.plan.model.SECRET` stands for a value nobody may see); whoever
renders one may show everything in it.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

#: The tenant of what all tenants share, in everything people read.
FOUNDATION = "(foundation)"


class Kind(enum.StrEnum):
    """What a report is about: a change not yet made, a run of the engine, or a look for drift."""

    DIFF = "diff"
    RUN = "run"
    DRIFT = "drift"


class Action(enum.StrEnum):
    """What happens, happened, or was found to have happened to an object; in the order of risk."""

    DESTROYED = "destroyed"
    REPLACED = "replaced"
    FAILED = "failed"
    MISSING = "missing"
    UNMANAGED = "unmanaged"
    CHANGED = "changed"
    CREATED = "created"


class Severity(enum.StrEnum):
    """How bad a notice is: an ``error`` refuses the change, a ``warning`` wants a person's look, ``info`` remarks."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class EntrySeverity(enum.StrEnum):
    """How severe what was found is, in the order of reading; of a change or a run, everything is ``normal``.

    ``critical`` opens a way in. ``high``: a wall that held something back is down or lower.
    """

    CRITICAL = "critical"
    HIGH = "high"
    NORMAL = "normal"


@dataclass(frozen=True, slots=True)
class PropertyChange:
    """One property that differs. `path` is as Pulumi writes it: ``spec.hard["limits.cpu"]``, ``members[0]``.

    `before` and `after` (in drift: expected and found) are JSON values, or ABSENT.
    """

    path: str
    before: object
    after: object


@dataclass(frozen=True, slots=True)
class Entry:
    """One object of a report.

    `tenant` is None for the foundation. `system` is a value of `model.settings.System`. `type` is the Pulumi type
    token and `name` the logical name; for an unmanaged object the type it would have, and what its system calls it.
    `holds_data`: its loss cannot be made good. `seconds` is how long it took, where that was measured. `note` is one
    line for people: why it failed, why it is replaced, since when it is so. `severity` is of drift
    (`usine.drift.severity`).
    """

    action: Action
    tenant: str | None
    system: str
    type: str
    name: str
    properties: tuple[PropertyChange, ...] = ()
    holds_data: bool = False
    seconds: float | None = None
    note: str = ""
    severity: EntrySeverity = EntrySeverity.NORMAL

    @property
    def opens(self) -> bool:
        """Say whether it opens a way in."""
        return self.severity is EntrySeverity.CRITICAL

    @property
    def loses_data(self) -> bool:
        """Say whether data is lost by this."""
        return self.holds_data and self.action in {Action.DESTROYED, Action.REPLACED, Action.MISSING}


@dataclass(frozen=True, slots=True)
class Notice:
    """What a rule, a check or the run itself has to say.

    `rule` is a stable id (``slug-renamed``). `text` says what is wrong, `mend` how to put it right. `path`, `line` and
    `column` (from 1) point into a file of the repository; an empty path is about no file. `waived_by` names who waived
    it, with reason and expiry, in one line: a waived error refuses nothing.
    """

    rule: str
    severity: Severity
    text: str
    mend: str = ""
    path: str = ""
    line: int = 1
    column: int = 1
    tenant: str | None = None
    waived_by: str = ""

    @property
    def refuses(self) -> bool:
        """Say whether the change may not go on because of this."""
        return self.severity is Severity.ERROR and not self.waived_by


@dataclass(frozen=True, slots=True)
class Report:
    """Everything one command found.

    `title` names it (``usine diff: main..quota``), `verdict` is the one sentence a manager reads, `facts` are pairs of
    label and value (revision, stack, duration). `entries` are in the order of `by_risk`.
    """

    kind: Kind
    title: str
    verdict: str
    facts: tuple[tuple[str, str], ...] = ()
    entries: tuple[Entry, ...] = ()
    notices: tuple[Notice, ...] = ()

    def counts(self) -> Counter[Action]:
        """Count the entries by action."""
        return Counter(entry.action for entry in self.entries)

    @property
    def tenants(self) -> tuple[str | None, ...]:
        """The tenants that appear in entries, foundation first."""
        return tuple(sorted({entry.tenant for entry in self.entries}, key=lambda tenant: tenant or ""))

    @property
    def refused(self) -> bool:
        """Say whether a notice refuses the change."""
        return any(notice.refuses for notice in self.notices)


def by_risk(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Sort entries for reading, whatever tenant they belong to.

    What opens a way in comes first, then loss of data, then what is severe, then by action, foundation before tenants,
    then by name.
    """
    order = {action: position for position, action in enumerate(Action)}
    grave = {severity: position for position, severity in enumerate(EntrySeverity)}
    return tuple(
        sorted(
            entries,
            key=lambda e: (
                not e.opens,
                not e.loses_data,
                grave[e.severity],
                order[e.action],
                e.tenant or "",
                e.system,
                e.name,
                e.type,
            ),
        )
    )

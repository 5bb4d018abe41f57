"""The model of all reports: of `usine diff`, `up`, `preview` and `drift`. Plain values without secrets.

The code that makes a report masks secrets first (`pulumi_facts.values.SECRET`); a renderer may show everything.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

#: The name of the foundation in place of a tenant, in reports for people.
FOUNDATION = "(foundation)"


class Kind(enum.StrEnum):
    """The subject of a report: a change that is not applied, a run of the engine, or a drift scan."""

    DIFF = "diff"
    RUN = "run"
    DRIFT = "drift"


class Action(enum.StrEnum):
    """What happens to an object, happened to it, or was found; in the order of risk."""

    DESTROYED = "destroyed"
    REPLACED = "replaced"
    FAILED = "failed"
    MISSING = "missing"
    UNMANAGED = "unmanaged"
    CHANGED = "changed"
    CREATED = "created"


class Severity(enum.StrEnum):
    """The severity of a notice: an ``error`` refuses the change, a ``warning`` needs a check by a person."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class EntrySeverity(enum.StrEnum):
    """The severity of drift, in the order of reading; entries of a change or a run are ``normal``.

    ``critical``: it gives unauthorised access. ``high``: a protection is missing or weaker.
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
    token and `name` the logical name; for an unmanaged object, the type that it would have and its name in its system.
    `holds_data`: its loss cannot be undone. `seconds` is the duration, if it was measured. `note` is one line for
    people, such as why it failed or is replaced, or since when it differs. `severity` is that of drift
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
        """Return whether it gives unauthorised access."""
        return self.severity is EntrySeverity.CRITICAL

    @property
    def loses_data(self) -> bool:
        """Return whether data is lost."""
        return self.holds_data and self.action in {Action.DESTROYED, Action.REPLACED, Action.MISSING}


@dataclass(frozen=True, slots=True)
class Notice:
    """One message of a rule, of a check or of the run itself.

    `rule` is a stable id: a rule's, a policy's, or one of `usine.report.ids`. `text` is what is wrong, `remedy` how to
    fix it. `path`, `line` and `column` (from 1) are the place in a file of the repository; the path is empty if there
    is none. `waived_by` is the person who waived it, with reason and expiry, in one line: a waived error does not
    refuse the change.
    """

    rule: str
    severity: Severity
    text: str
    remedy: str = ""
    path: str = ""
    line: int = 1
    column: int = 1
    tenant: str | None = None
    waived_by: str = ""

    @property
    def refuses(self) -> bool:
        """Return whether this notice refuses the change."""
        return self.severity is Severity.ERROR and not self.waived_by


@dataclass(frozen=True, slots=True)
class StoredCredential:
    """A credential that the platform created and stores, without its value.

    `type` and `name` are as in Entry. `generation` is its credential generation, empty if it has none. `ends` is the
    moment from which its system refuses it, in UTC (``2027-03-31T23:59:59Z``); empty if it does not end by itself.
    """

    tenant: str | None
    system: str
    type: str
    name: str
    generation: str = ""
    ends: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """The report of one command.

    `title` is such as ``usine diff: main..quota``, `verdict` is a summary in a sentence, `facts` are pairs of label and
    value (revision, stack, duration). `entries` are in the order of `by_risk`. `credentials` are those that the state
    stores, the first to end first; none for a change that is only planned offline. `effects` are the tenants for which
    the same happens, apart from their own names: a reader sees the first of each as an example.
    """

    kind: Kind
    title: str
    verdict: str
    facts: tuple[tuple[str, str], ...] = ()
    entries: tuple[Entry, ...] = ()
    notices: tuple[Notice, ...] = ()
    credentials: tuple[StoredCredential, ...] = ()
    effects: tuple[tuple[str, ...], ...] = ()

    def counts(self) -> Counter[Action]:
        """Count the entries by action."""
        return Counter(entry.action for entry in self.entries)

    @property
    def tenants(self) -> tuple[str | None, ...]:
        """The tenants of the entries, the foundation first."""
        return tuple(sorted({entry.tenant for entry in self.entries}, key=lambda tenant: tenant or ""))

    @property
    def refused(self) -> bool:
        """Return whether a notice refuses the change."""
        return any(notice.refuses for notice in self.notices)


def by_risk(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Sort entries for reading.

    Unauthorised access comes first, then data loss; then by severity, by action, by tenant (the foundation first), and
    by name.
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

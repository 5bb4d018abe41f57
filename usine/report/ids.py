"""Ids of notices that come from no rule and no policy, with their meanings: the table in docs/report.md.

The ids of rules are in `usine.rules.registry`, those of policies in `policy.registry`. All ids are one set: a test
fails if an id has two meanings. `data-destruction` and `mass-removal` are both a rule and a guard: the same check, once
of the change and once of the engine's plan.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final


class NoticeId(enum.StrEnum):
    """The id of a notice of the input, a guard, a run or a drift scan."""

    FILE = "file"
    NO_REPORT = "no-report"

    DATA_DESTRUCTION = "data-destruction"
    MASS_REMOVAL = "mass-removal"
    NAMESPACE_TAKEOVER = "namespace-takeover"
    REGISTRY_LOGIN = "registry-login"
    FORGE_VERSION = "forge-version"
    CATALOGUE_VERSION = "catalogue-version"
    MOVED_STACK = "moved-stack"
    MOVED_STEPS = "moved-steps"
    MOVED_COMMIT = "moved-commit"
    MOVED_PROGRAM = "moved-program"
    MOVED_TENANTS = "moved-tenants"
    MOVED_SETTINGS = "moved-settings"
    MOVED_STATE = "moved-state"

    CREDENTIAL_ENDS = "credential-ends"
    RECOVERY = "recovery"
    PENDING = "pending"
    PENDING_PEOPLE = "pending-people"
    LOG_INS = "log-ins"
    ZONE = "zone"
    FLEET = "fleet"
    FLEET_WAITS = "fleet-waits"
    LOCK_LOST = "lock-lost"
    INTERRUPTED = "interrupted"

    COULD_NOT_LOOK = "could-not-look"
    RUN_UNFINISHED = "run-unfinished"
    GONE = "gone"
    IGNORED = "ignored"
    IGNORE_EXPIRED = "ignore-expired"
    IGNORE_UNUSED = "ignore-unused"


#: Where each notice comes from and what it reports, in the order of the table.
MEANINGS: Final[Mapping[NoticeId, tuple[str, str]]] = {
    NoticeId.FILE: ("input", "an invalid file, with its position"),
    NoticeId.NO_REPORT: ("input", "a job of the pipeline wrote no report"),
    NoticeId.DATA_DESTRUCTION: ("guard and rule", "a data-bearing object would be deleted without the two steps"),
    NoticeId.MASS_REMOVAL: ("guard and rule", "too many objects of one kind would be removed"),
    NoticeId.NAMESPACE_TAKEOVER: ("guard", "a namespace exists and is not the tenant's, or a cluster does not answer"),
    NoticeId.REGISTRY_LOGIN: ("guard", "Harbor has local users and keeps its log-in mode"),
    NoticeId.FORGE_VERSION: ("guard", "GitLab is older than the oldest version that Usine supports"),
    NoticeId.CATALOGUE_VERSION: ("guard", "the settings name a version of the CI catalogue that does not exist"),
    NoticeId.MOVED_STACK: ("guard", "the bound plan is for another stack"),
    NoticeId.MOVED_STEPS: ("guard", "the engine now plans other steps than the bound plan"),
    NoticeId.MOVED_COMMIT: ("guard", "the commit changed since the plan"),
    NoticeId.MOVED_PROGRAM: ("guard", "a file of the program changed, moved or was removed since the plan"),
    NoticeId.MOVED_TENANTS: ("guard", "a tenant file changed since the plan"),
    NoticeId.MOVED_SETTINGS: ("guard", "the settings changed since the plan"),
    NoticeId.MOVED_STATE: ("guard", "the state changed since the plan"),
    NoticeId.CREDENTIAL_ENDS: ("run and drift scan", "a stored credential ends soon, or has ended"),
    NoticeId.RECOVERY: ("run", "what the recovery of an interrupted run did"),
    NoticeId.PENDING: ("run", "an interrupted run left unfinished operations"),
    NoticeId.PENDING_PEOPLE: ("run", "people without an account, who are added by a later run"),
    NoticeId.LOG_INS: ("run", "log-ins to Vault of a person who lost a role were ended, or could not be"),
    NoticeId.ZONE: (
        "run and drift scan",
        "what was published to the repository of a zone, and what its clusters report",
    ),
    NoticeId.FLEET: ("run and drift scan", "a stack of the fleet failed, was refused, or was not run"),
    NoticeId.FLEET_WAITS: ("run", "a tenant is held, its wave has not begun, or a later pipeline has run it"),
    NoticeId.LOCK_LOST: ("run", "the run lost its lock and stopped"),
    NoticeId.INTERRUPTED: ("run", "the run was interrupted"),
    NoticeId.COULD_NOT_LOOK: ("drift scan", "a part of a system could not be read"),
    NoticeId.RUN_UNFINISHED: ("drift scan", "an interrupted run left unfinished operations"),
    NoticeId.GONE: ("drift scan", "a finding of the previous scan no longer exists"),
    NoticeId.IGNORED: ("drift scan", "findings that a drift ignore entry covers"),
    NoticeId.IGNORE_EXPIRED: ("drift scan", "a drift ignore entry is past its last day"),
    NoticeId.IGNORE_UNUSED: ("drift scan", "a drift ignore entry covers no finding"),
}

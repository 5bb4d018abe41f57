"""Guards: checks of the engine's plan, whatever it results from: the files, the program, or a state edited manually.

They are pure functions of the plan's steps and of the state before the run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from model.settings import Credential, MassRemoval
from pulumi_facts import tokens
from pulumi_facts.checkpoint import resources_of
from pulumi_facts.data_bearing import holds_data, superseded
from pulumi_facts.generations import generation_of
from pulumi_facts.urns import address_of
from usine.engine.events import Step, Violation
from usine.report.ids import NoticeId
from usine.report.model import Notice, Severity
from usine.rules.mass_removal import TENANT, mass_removals

#: Returns the credential generations that the settings list for a tenant, or for the foundation (None).
Generations = Callable[[str | None], Sequence[Credential]]


def _none_listed(_slug: str | None) -> Sequence[Credential]:
    return ()


@dataclass(frozen=True, slots=True)
class Known:
    """What a run needs to know of the state before it.

    `existing` counts objects by type token, and tenants as `TENANT`. `archived` are the tenants that were archived when
    they were last applied. `protected` are the URNs of protected resources. `generations` has the credential generation
    of a resource, by URN.
    """

    existing: Mapping[str, int]
    archived: frozenset[str]
    protected: frozenset[str]
    generations: Mapping[str, str]


def read_known(checkpoint: Mapping[str, Any]) -> Known:
    """Read a checkpoint, as `pulumi stack export` writes it."""
    resources = [r for r in resources_of(checkpoint) if not r.get("delete")]
    stack: Mapping[str, Any] = next((r for r in resources if r["type"] == tokens.STACK), {})
    tenants = (stack.get("outputs") or {}).get("tenants") or {}
    existing = Counter(
        TENANT if r["type"] == tokens.TENANT else r["type"]
        for r in resources
        if r["type"] == tokens.TENANT or address_of(r["urn"]).is_object
    )
    generations = {
        r["urn"]: generation
        for r in resources
        if (generation := generation_of(r["type"], address_of(r["urn"]).name, (r.get("inputs") or {}).get("name", "")))
    }
    return Known(
        existing=existing,
        archived=frozenset(slug for slug, summary in tenants.items() if summary.get("state") == "archived"),
        protected=frozenset(r["urn"] for r in resources if r.get("protect")),
        generations=generations,
    )


def check_plan(
    steps: Iterable[Step],
    known: Known,
    limits: MassRemoval,
    *,
    archived: frozenset[str] = frozenset(),
    allowed: Mapping[str, int] | None = None,
    generations: Generations = _none_listed,
) -> tuple[Notice, ...]:
    """Return a notice for each reason to refuse the plan.

    Args:
        steps: the engine's plan.
        known: the state before it.
        limits: how many objects of a kind one run may remove.
        archived: the tenants whose files have `state: archived`.
        allowed: how many of a kind this run may remove (see `usine.rules.mass_removal.parse_allowance`).
        generations: the generations that the settings list. Removing the objects of another one is asked for there.
    """
    removing = [step for step in steps if step.removes]
    withdrawn = _withdrawn(removing, known, generations)
    counted = [step for step in removing if step.address.urn not in withdrawn]
    existing = Counter(known.existing) - Counter(address_of(urn).type for urn in withdrawn)
    return (
        *_data_destruction(removing, known),
        *_mass_removal(counted, replace(known, existing=existing), limits, known.archived | archived, allowed or {}),
    )


def _withdrawn(removing: Iterable[Step], known: Known, generations: Generations) -> frozenset[str]:
    """Return the URNs deleted because the settings no longer list their credential generation, or it is superseded."""

    def is_withdrawn(step: Step) -> bool:
        listed = {credential.name for credential in generations(step.address.tenant)}
        generation = known.generations.get(step.address.urn)
        return bool(listed) and generation is not None and generation not in listed

    return frozenset(
        step.address.urn
        for step in removing
        if step.op == "delete" and (superseded(step.address.type, step.address.name) or is_withdrawn(step))
    )


def _data_destruction(removing: Iterable[Step], known: Known) -> Iterable[Notice]:
    for step in removing:
        address = step.address
        # Archived in the state, not only in the files: an earlier run, which somebody reviewed, lifted its protection.
        if address.tenant in known.archived and address.urn not in known.protected:
            continue
        if not (holds_data(address.type, address.name) or address.urn in known.protected):
            continue
        how = "replaced" if step.op == "replace" else "destroyed"
        yield Notice(
            rule=NoticeId.DATA_DESTRUCTION,
            severity=Severity.ERROR,
            text=f"{address.name} ({address.type}) holds data and would be {how}",
            remedy=f"archive the tenant first (state: archived in {address.tenant}.yaml), apply that, then remove it"
            if address.tenant
            else "no file can ask for this; if it is intended, do it with pulumi itself",
            tenant=address.tenant,
        )


def _mass_removal(
    removing: Iterable[Step],
    known: Known,
    limits: MassRemoval,
    archived: frozenset[str],
    allowed: Mapping[str, int],
) -> Iterable[Notice]:
    """Count removals by kind. All objects of a tenant that is archived or removed count as one tenant."""
    removing = list(removing)
    gone = {step.address.name for step in removing if step.address.type == tokens.TENANT}
    objects = [step.address for step in removing if step.address.is_object]
    asked = {address.tenant for address in objects if address.tenant in archived | gone}
    removed = Counter(address.type for address in objects if address.tenant not in asked)
    if asked | gone:
        removed[TENANT] = len(asked | gone)
    for removal in mass_removals(removed, known.existing, limits, allowed):
        yield Notice(
            rule=NoticeId.MASS_REMOVAL,
            severity=Severity.ERROR,
            text=removal.text,
            remedy=f"if it is intended: --allow-removals {removal.kind}={removal.removed}",
        )


def of_violations(violations: Iterable[Violation]) -> tuple[Notice, ...]:
    """Return a notice for each violation of a policy; mandatory policies refuse the run."""
    return tuple(
        Notice(
            rule=violation.policy,
            severity=Severity.ERROR if violation.mandatory else Severity.WARNING,
            text=f"{violation.address.name}: {violation.message}" if violation.address else violation.message,
            tenant=violation.address.tenant if violation.address else None,
        )
        for violation in violations
    )

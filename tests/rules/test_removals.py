"""Rules on lost data and mass removal."""

from __future__ import annotations

import dataclasses

import pytest

from model.settings import Credential, Settings
from model.tenant import State
from tests.rules.changes import OWNER, PLATFORM, SETTINGS, change, entry, found, plain
from usine.report.model import Action, Entry, Severity

A, B = plain("teleservice"), plain("petitions", owner="helene.faure", members={})
POLICY = "vault:index/policy:Policy"


@pytest.mark.parametrize("state", [State.ACTIVE, State.SUSPENDED])
def test_the_file_of_a_tenant_that_is_not_archived_cannot_be_removed(state: State) -> None:
    gone = dataclasses.replace(A, state=state)
    lost = [entry(Action.DESTROYED, "teleservice", f"teleservice/vault/{n}") for n in range(5)]
    (notice,) = found(change([gone, B], [B], entries=tuple(lost), author=PLATFORM), "data-destruction")
    assert notice.refuses
    assert notice.path == "projects.d/teleservice.yaml"
    assert notice.text == (
        f"the file of teleservice is removed while it is {state.value}: 5 objects that hold data "
        "(teleservice/vault/0, teleservice/vault/1, teleservice/vault/2 and 2 more) would be destroyed"
    )
    assert "state: archived" in notice.remedy
    # It is also refused when the base could not be planned.
    assert found(change([gone], []), "data-destruction")[0].refuses


def test_removing_the_file_of_an_archived_tenant_is_reported_and_allowed() -> None:
    gone = dataclasses.replace(A, state=State.ARCHIVED)
    (notice,) = found(change([gone, B], [B], entries=(entry(Action.DESTROYED, "teleservice"),)), "data-destruction")
    assert notice.severity is Severity.INFO
    assert "deleted permanently" in notice.text


def test_both_steps_at_once_are_refused() -> None:
    """Archiving a tenant and losing its data in one change is refused, and so is restoring and replacing."""
    for before, after in ((State.ACTIVE, State.ARCHIVED), (State.ARCHIVED, State.ACTIVE)):
        both = change(
            [dataclasses.replace(A, state=before)],
            [dataclasses.replace(A, state=after)],
            entries=(entry(Action.REPLACED, "teleservice"),),
        )
        assert found(both, "data-destruction")[0].refuses


@pytest.mark.parametrize("tenant", ["teleservice", None])
@pytest.mark.parametrize("action", [Action.DESTROYED, Action.REPLACED])
def test_losing_one_data_bearing_object_is_refused(tenant: str | None, action: Action) -> None:
    lost = entry(action, tenant, "x/namespace", note="metadata.name forces it")
    (notice,) = found(change([A], [dataclasses.replace(A, description="x")], entries=(lost,)), "data-destruction")
    assert notice.refuses
    assert f"would be {action.value} (metadata.name forces it)" in notice.text
    assert "waive this rule" in notice.remedy


def test_objects_without_data_may_be_removed() -> None:
    lost = entry(Action.DESTROYED, "teleservice", type_=POLICY, holds_data=False)
    assert found(change([A], [dataclasses.replace(A, description="x")], entries=(lost,)), "data-destruction") == []
    made = entry(Action.CREATED, "petitions")
    assert found(change([A], [A, B], entries=(made,)), "data-destruction") == []


def policies(count: int, action: Action = Action.DESTROYED) -> tuple[object, ...]:
    return tuple(entry(action, "teleservice", f"p{n}", type_=POLICY, holds_data=False) for n in range(count))


def test_mass_removal() -> None:
    (notice,) = found(change([A], [A], entries=policies(51), existing={POLICY: 1000}), "mass-removal")
    assert notice.refuses
    assert notice.text == f"51 of 1000 objects of type {POLICY} would be removed"
    assert found(change([A], [A], entries=policies(50), existing={POLICY: 1000}), "mass-removal") == []
    assert found(change([A], [A], entries=policies(6), existing={POLICY: 20}), "mass-removal")
    assert found(change([A], [A], entries=policies(51, Action.CREATED)), "mass-removal") == []
    assert found(change([A], [A], entries=policies(51, Action.REPLACED)), "mass-removal")


ROBOT = "harbor:index/robotAccount:RobotAccount"
NEXT = dataclasses.replace(SETTINGS, credentials=(Credential("2"),))
BOTH = dataclasses.replace(SETTINGS, credentials=(Credential("1"), Credential("2")))


def robots(count: int, generation: str, action: Action = Action.DESTROYED) -> tuple[Entry, ...]:
    name = f"harbor/robot/pull-{generation}"
    return tuple(entry(action, f"t{n}", f"t{n}/{name}", type_=ROBOT, holds_data=False) for n in range(count))


def test_removing_a_credential_generation_is_no_mass_removal() -> None:
    def refused(*entries: Entry, author: str | None = PLATFORM, head: Settings = NEXT) -> list[str]:
        one = change([A], [A], entries=entries, existing={ROBOT: 120}, author=author, settings=head, base_settings=BOTH)
        return [notice.text for notice in found(one, "mass-removal")]

    old = robots(60, "1")
    assert refused(*old) == []
    assert refused(*old, author=None) == []
    assert refused(*old, author=OWNER), "only the platform's team withdraws a generation"
    assert refused(*old, head=BOTH), "it is still listed"
    assert refused(*robots(60, "2")), "the one that is handed out"
    assert refused(*robots(60, "3")), "one that never was listed"
    assert refused(*robots(60, "1", Action.REPLACED))
    assert refused(*old, *robots(13, "2")) == [f"13 of 60 objects of type {ROBOT} would be removed"]


def test_removing_the_generation_of_some_tenants_is_no_mass_removal_of_theirs_only() -> None:
    own = {f"t{n}": (Credential("2"),) for n in range(30)}
    head = dataclasses.replace(BOTH, tenant_credentials=own)

    def refused(count: int) -> list[str]:
        one = change([A], [A], entries=robots(count, "1"), existing={ROBOT: 120}, author=PLATFORM, settings=head,
                     base_settings=BOTH)  # fmt: skip
        return [notice.text for notice in found(one, "mass-removal")]

    assert refused(30) == []
    assert refused(60) == [f"30 of 90 objects of type {ROBOT} would be removed"], "the others still list it"


def test_mass_removal_of_tenants() -> None:
    fleet = [dataclasses.replace(plain(f"t{n}"), state=State.ARCHIVED) for n in range(20)]
    (notice,) = found(change(fleet, fleet[:15], author=PLATFORM), "mass-removal")
    assert notice.text == "5 of 20 tenants would be archived or removed"
    assert found(change(fleet, fleet[:16], author=PLATFORM), "mass-removal") == []


def test_the_objects_of_an_archived_or_removed_tenant_count_as_one_tenant() -> None:
    gone = dataclasses.replace(A, state=State.ARCHIVED)
    for base, head in (([gone, B], [B]), ([A, B], [gone, B]), ([A, B], [B])):
        assert found(change(base, head, entries=policies(60), existing={POLICY: 100}), "mass-removal") == []
    # For a tenant that stays, every object counts.
    assert found(change([A, B], [A, B], entries=policies(60), existing={POLICY: 100}), "mass-removal")
    # Tenants archived in one change are counted.
    fleet = [plain(f"t{n}") for n in range(20)]
    head = [dataclasses.replace(p, state=State.ARCHIVED) if n < 5 else p for n, p in enumerate(fleet)]
    (notice,) = found(change(fleet, head, author=PLATFORM), "mass-removal")
    assert notice.text == "5 of 20 tenants would be archived or removed"

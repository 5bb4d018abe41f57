"""Guards on the engine's plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.settings import Credential, MassRemoval
from pulumi_facts.urns import address_of
from tests.guard.samples import REALM, checkpoint, step, tenant, vault
from usine.engine.events import Step, Violation
from usine.engine.guard import Known, check_plan, of_violations, read_known
from usine.rules.mass_removal import TENANT

LIMITS = MassRemoval(count=50, fraction=0.2, least=5)
MOUNT = vault("alpha", "Mount", "mount")


def policies(slug: str, number: int) -> list[str]:
    return [vault(slug, "Policy", f"policy/{i}") for i in range(number)]


def test_the_state_has_the_number_of_objects_and_the_archived_tenants() -> None:
    known = read_known(
        checkpoint(tenant("alpha"), MOUNT, REALM, *policies("beta", 3), archived=("beta",), protected=(MOUNT,))
    )
    assert known.existing == {
        TENANT: 1,
        "vault:index/mount:Mount": 1,
        "keycloak:index/realm:Realm": 1,
        "vault:index/policy:Policy": 3,
    }
    assert known.archived == {"beta"}
    assert known.protected == {MOUNT}


def test_an_empty_or_new_state_has_neither() -> None:
    assert read_known({"version": 3}).existing == {}
    assert read_known({"version": 3, "deployment": {}}).existing == {}


def test_a_mass_removal_is_refused_unless_the_number_is_allowed() -> None:
    urns = policies("alpha", 30)
    known = read_known(checkpoint(*urns))
    steps = [step("delete", urn) for urn in urns[:7]]
    (notice,) = check_plan(steps, known, LIMITS)
    assert (notice.rule, notice.refuses) == ("mass-removal", True)
    assert notice.text == "7 of 30 objects of type vault:index/policy:Policy would be removed"
    assert "--allow-removals vault:index/policy:Policy=7" in notice.remedy
    assert check_plan(steps, known, LIMITS, allowed={"vault:index/policy:Policy": 7}) == ()
    assert check_plan(steps, known, LIMITS, allowed={"vault:index/policy:Policy": 6}) != ()
    assert check_plan(steps[:4], known, LIMITS) == (), "fewer than the least"


def test_only_deletions_and_replacements_count_as_removals() -> None:
    urns = policies("alpha", 30)
    known = read_known(checkpoint(*urns))
    assert check_plan([step("replace", urn) for urn in urns[:7]], known, LIMITS) != ()
    for op in ("create", "update", "import"):
        assert check_plan([step(op, urn) for urn in urns], known, LIMITS) == ()


@pytest.mark.parametrize("op", ["delete", "replace"])
@pytest.mark.parametrize("urn", [MOUNT, REALM])
def test_an_object_with_data_is_not_destroyed(op: str, urn: str) -> None:
    (notice,) = check_plan([step(op, urn)], read_known(checkpoint(MOUNT, REALM)), LIMITS)
    assert (notice.rule, notice.refuses, notice.tenant) == ("data-destruction", True, address_of(urn).tenant)
    assert ("destroyed" if op == "delete" else "replaced") in notice.text


def test_the_superseded_project_of_scheduled_work_may_be_removed_from_an_active_tenant() -> None:
    tenant_ = "urn:pulumi:lab::usine::usine:usine:TenantProject$usine:gitlab:GitLabTenant$gitlab:index/project:Project"
    old, repository = f"{tenant_}::alpha/gitlab/operations", f"{tenant_}::alpha/gitlab/operations/project"
    known = read_known(checkpoint(tenant("alpha"), old, repository))
    assert check_plan([step("delete", old)], known, LIMITS) == ()
    assert [n.rule for n in check_plan([step("delete", repository)], known, LIMITS)] == ["data-destruction"]


def test_the_superseded_schedules_of_all_tenants_may_be_removed_in_one_run() -> None:
    chain = "urn:pulumi:lab::usine::usine:usine:TenantProject$usine:gitlab:GitLabTenant$gitlab:index/"
    kinds = (
        "project:Project",
        "pipelineSchedule:PipelineSchedule",
        "pipelineScheduleVariable:PipelineScheduleVariable",
    )
    ends = ("", "/mirror-x", "/mirror-x/USINE_JOB")
    old = [
        f"{chain}{kind}::t{number}/gitlab/operations{end}"
        for number in range(30)
        for kind, end in zip(kinds, ends, strict=True)
    ]
    new = [urn.replace("/operations", "/usine_jobs") for urn in old]
    known = read_known(checkpoint(*old, *new))
    assert check_plan([step("delete", urn) for urn in old], known, LIMITS) == ()
    said = {notice.rule for notice in check_plan([step("delete", urn) for urn in new], known, LIMITS)}
    assert "mass-removal" in said


def test_an_archived_tenant_s_data_may_be_destroyed_but_not_in_the_run_that_archives_it() -> None:
    archived = read_known(checkpoint(tenant("alpha"), MOUNT, archived=("alpha",)))
    active = read_known(checkpoint(tenant("alpha"), MOUNT))
    protected = read_known(checkpoint(tenant("alpha"), MOUNT, archived=("alpha",), protected=(MOUNT,)))
    steps = [step("delete", MOUNT)]
    assert check_plan(steps, archived, LIMITS) == ()
    assert check_plan(steps, active, LIMITS, archived=frozenset({"alpha"})) != ()
    assert check_plan(steps, protected, LIMITS) != (), "a state edited by hand in one place only"


def test_a_protected_object_is_not_destroyed_even_without_data() -> None:
    policy = policies("alpha", 1)[0]
    known = read_known(checkpoint(policy, protected=(policy,)))
    assert [n.rule for n in check_plan([step("delete", policy)], known, LIMITS)] == ["data-destruction"]


def test_all_objects_of_an_archived_tenant_count_as_one_tenant() -> None:
    urns = [tenant("alpha"), *policies("alpha", 40), tenant("beta"), *policies("beta", 2)]
    known = read_known(checkpoint(*urns, archived=("alpha",)))
    going = [step("delete", urn) for urn in urns[:41]]
    assert check_plan(going, known, LIMITS) == ()
    assert check_plan(going[1:], read_known(checkpoint(*urns)), LIMITS) != (), "the tenant stays, and is active"
    archiving = [step("delete", urn) for urn in urns[1:41]]
    assert check_plan(archiving, read_known(checkpoint(*urns)), LIMITS, archived=frozenset({"alpha"})) == ()


def test_a_mass_removal_of_archived_tenants_is_refused() -> None:
    slugs = [f"tenant-{i}" for i in range(10)]
    known = read_known(checkpoint(*map(tenant, slugs), *(policies(s, 1)[0] for s in slugs), archived=tuple(slugs)))
    going = [step("delete", urn) for slug in slugs[:6] for urn in (tenant(slug), policies(slug, 1)[0])]
    (notice,) = check_plan(going, known, LIMITS)
    assert notice.text.startswith("6 of 10 tenants")


ROBOT = "harbor:index/robotAccount:RobotAccount"
OLD, NEW = Credential("2026-1"), Credential("2026-2")


def robots(generation: str, *, named: str = "") -> dict[str, str]:
    """Return the names of thirty tenants' Harbor robots of a credential generation, by URN."""
    chain = f"usine:usine:TenantProject$usine:harbor:HarborTenant${ROBOT}"
    urns = [f"urn:pulumi:lab::usine::{chain}::t{i}/harbor/robot/pull-{generation}" for i in range(30)]
    return dict.fromkeys(urns, f"pull-{named or generation}")


def known_of(names: Mapping[str, str]) -> Known:
    state = checkpoint(*names)
    for resource in state["deployment"]["resources"][1:]:
        resource["inputs"] = {"name": names[resource["urn"]]}
    return read_known(state)


def test_a_credential_generation_that_is_no_longer_listed_may_be_removed_in_one_run() -> None:
    old, new = robots(OLD.name), robots(NEW.name)
    known = known_of(old | new)
    going = [step("delete", urn) for urn in old]
    assert check_plan(going, known, LIMITS, generations=lambda _: (NEW,)) == ()
    assert check_plan(going, known, LIMITS, generations=lambda _: (OLD, NEW)) != (), "it is listed"
    assert check_plan(going, known, LIMITS) != (), "nobody says which are listed"


def test_a_generation_is_withdrawn_from_the_tenants_whose_list_lacks_it_and_from_no_other() -> None:
    old, new = robots(OLD.name), robots(NEW.name)
    known = known_of(old | new)
    ending = {f"t{i}" for i in range(10)}
    listed = lambda slug: (NEW,) if slug in ending else (OLD, NEW)  # noqa: E731 - a name for two uses
    mine = [step("delete", urn) for urn in old if address_of(urn).tenant in ending]
    assert check_plan(mine, known, LIMITS, generations=listed) == ()
    (notice,) = check_plan([step("delete", urn) for urn in old], known, LIMITS, generations=listed)
    assert notice.text == f"20 of 50 objects of type {ROBOT} would be removed"


def test_only_objects_of_that_generation_may_be_removed_with_it() -> None:
    old, new = robots(OLD.name), robots(NEW.name)
    going = [step("delete", urn) for urn in old]

    def refused(steps: Sequence[Step], names: Mapping[str, str]) -> list[str]:
        return [notice.text for notice in check_plan(steps, known_of(names), LIMITS, generations=lambda _: (NEW,))]

    beside = [step("delete", urn) for urn in list(new)[:7]]
    assert refused(going + beside, old | new) == [f"7 of 30 objects of type {ROBOT} would be removed"]
    others = policies("alpha", 30)
    removed = "7 of 30 objects of type vault:index/policy:Policy would be removed"
    assert refused(
        [*going, *(step("delete", urn) for urn in others[:7])], {**old, **new, **dict.fromkeys(others, "")}
    ) == [removed]
    assert refused([step("replace", urn) for urn in old], old | new), "replaced, so not withdrawn"
    renamed = robots("0", named=NEW.name)
    assert refused([step("delete", urn) for urn in renamed], renamed | new), "the current robots under an old name"
    disguised = [vault("alpha", "Policy", f"robot/pull-0{i}") for i in range(30)]
    assert refused([step("delete", urn) for urn in disguised], dict.fromkeys(disguised, "pull-0")), "no credential"
    kept = read_known(checkpoint(*old, protected=tuple(old)))
    assert {n.rule for n in check_plan(going, kept, LIMITS, generations=lambda _: (NEW,))} >= {"data-destruction"}


@given(st.lists(st.sampled_from(["create", "update", "delete", "replace"]), max_size=20))
def test_the_order_of_steps_does_not_matter_and_steps_without_removal_are_never_refused(ops: list[str]) -> None:
    urns = policies("alpha", 20)
    known = read_known(checkpoint(*urns))
    steps = [step(op, urn) for op, urn in zip(ops, urns, strict=False)]
    assert check_plan(steps, known, LIMITS) == check_plan(list(reversed(steps)), known, LIMITS)
    assert check_plan([s for s in steps if not s.removes], known, LIMITS) == ()


def test_a_mandatory_policy_refuses_and_an_advisory_one_warns() -> None:
    address = address_of(MOUNT)
    must, may = of_violations([Violation("p", address, "bad", True), Violation("q", None, "odd", False)])
    assert (must.refuses, must.text, must.tenant) == (True, "alpha/vault/mount: bad", "alpha")
    assert (may.refuses, may.text, may.tenant) == (False, "odd", None)

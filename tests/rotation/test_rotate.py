"""The steps of a rotation: each is found again after an interruption, and no credential goes while it may be in use."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any

import pytest

from model.settings import Credential
from tests import factories
from tests.rotation import states
from tests.rotation.states import ACCOUNT, READER, ROBOT, RUNNER, Json, resource, runners, tenant, urn
from usine.rotation.progress import RotationStage
from usine.rotation.rotate import Decision, Facts, decide
from usine.rotation.usage import Usage

ONE, TWO = Credential("1"), Credential("2026-11-30", datetime.date(2027, 5, 29))
MADE, SWITCHED = "2026-06-01T08:00:00Z", "2026-11-30T08:00:00Z"
NOON = datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.UTC)
LATER = datetime.datetime(2026, 12, 1, 9, tzinfo=datetime.UTC)
ALPHA = tenant("alpha", {"1": MADE}, "1")
BOTH = tenant("alpha", {"1": MADE, TWO.name: SWITCHED}, TWO.name)


def at(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


def decided(
    resources: list[Json],
    *listed: Credential,
    slug: str | None = "alpha",
    now: datetime.datetime = NOON,
    own: Mapping[str, tuple[Credential, ...]] | None = None,
    usages: Mapping[str, Usage] | None = None,
    **options: Any,
) -> Decision:
    """Decide with the platform's list and tenants' `own`; `usages` are by the name of the object."""
    settings = dataclasses.replace(factories.settings(), credentials=listed, tenant_credentials=own or {})
    grace = options.pop("grace", None)

    def usage(resource: Mapping[str, Any]) -> Usage:
        return (usages or {}).get(resource["urn"].rpartition("::")[2], Usage())

    return decide(Facts(settings, [states.stack(), *resources], usage, now, grace), slug, **options)


def stages(decision: Decision) -> dict[str, RotationStage]:
    return {one.name: one.stage for one in decision.progress}


def test_a_rotation_of_one_tenant_from_its_first_to_its_last_step() -> None:
    begun = decided(ALPHA, ONE)
    new = Credential("2026-11-30", NOON.date() + datetime.timedelta(days=factories.settings().harbor.robot_days))
    assert begun.added == new, "its end is that of its robots"
    assert begun.lists == {None: (ONE,), "alpha": (ONE, new)}
    own = {"alpha": (ONE, new)}
    unapplied = decided(ALPHA, ONE, own=own)
    assert (unapplied.added, unapplied.removed, stages(unapplied)) == (None, (), {"alpha": RotationStage.APPLY})
    waiting = decided(BOTH, ONE, own=own)
    assert (waiting.removed, stages(waiting)) == ((), {"alpha": RotationStage.WAIT})
    ended = decided(BOTH, ONE, own=own, now=LATER)
    assert (ended.removed, ended.lists) == (("1",), {None: (ONE,), "alpha": (new,)})
    left = decided(BOTH, ONE, own={"alpha": (new,)}, now=LATER)
    assert (left.added, stages(left)) == (None, {"alpha": RotationStage.APPLY}), "the old one is still in the state"
    done = tenant("alpha", {TWO.name: SWITCHED}, TWO.name)
    assert decided(done, ONE, own={"alpha": (new,)}, now=LATER, start=False).idle


def test_a_second_call_begins_no_second_rotation() -> None:
    for resources in (ALPHA, BOTH):
        again = decided(resources, ONE, own={"alpha": (ONE, TWO)})
        assert again.lists == {None: (ONE,), "alpha": (ONE, TWO)}
        assert again.added is None


@pytest.mark.parametrize("lost", ["harbor/robot/push", "sonarqube/account/", "sonarqube/api/token"])
def test_nothing_is_taken_away_before_every_new_credential_exists(lost: str) -> None:
    partly = [one for one in BOTH if not (lost in one["urn"] and one["urn"].endswith(TWO.name))]
    found = decided(partly, ONE, own={"alpha": (ONE, TWO)}, now=LATER)
    assert (found.removed, stages(found)) == ((), {"alpha": RotationStage.APPLY})
    assert any(TWO.name in reason for reason in found.progress[0].reasons)


@pytest.mark.parametrize(
    ("secret", "credential"), [("push", urn(ROBOT, "alpha/harbor/robot/push-1")),
                               ("quality", urn(states.TOKEN, "alpha/sonarqube/api/token/1"))],
)  # fmt: skip
def test_nothing_is_taken_away_while_a_place_still_hands_out_the_old_credential(secret: str, credential: str) -> None:
    partly = [
        {**one, "propertyDependencies": {"dataJson": [credential]}} if one["urn"].endswith(f"secret/{secret}") else one
        for one in BOTH
    ]
    found = decided(partly, ONE, own={"alpha": (ONE, TWO)}, now=LATER)
    assert (found.removed, stages(found)) == ((), {"alpha": RotationStage.APPLY})
    assert found.progress[0].reasons == (f"alpha/secret/{secret} still has the old credential",)


def test_an_old_credential_stays_a_day_after_its_successor_was_handed_out() -> None:
    own = {"alpha": (ONE, TWO)}
    almost = at(SWITCHED) + datetime.timedelta(hours=23, minutes=59)
    assert decided(BOTH, ONE, own=own, now=almost).removed == ()
    assert decided(BOTH, ONE, own=own, now=almost, grace=datetime.timedelta(hours=1)).removed == ("1",)
    assert decided(BOTH, ONE, own=own, now=at(SWITCHED) + datetime.timedelta(days=1)).removed == ("1",)
    late = [{**one, "modified": "2026-12-01T08:59:00Z"} if "secret/push" in one["urn"] else one for one in BOTH]
    assert decided(late, ONE, own=own, now=LATER).removed == (), "one place got it later"
    undated = [{key: value for key, value in one.items() if key not in {"created", "modified"}} for one in BOTH]
    assert stages(decided(undated, ONE, own=own, now=LATER)) == {"alpha": RotationStage.WAIT}


def test_an_old_credential_that_is_used_stays() -> None:
    account = "alpha/sonarqube/account/1"
    own = {"alpha": (ONE, TWO)}
    used = Usage(at("2026-12-01T08:00:00Z"), recorded=True)
    found = decided(BOTH, ONE, own=own, now=LATER, usages={account: used})
    assert found.removed == ()
    assert found.progress[0].reasons == (
        f"{account} was used on 2026-12-01 08:00 UTC: it stays until 2026-12-02 08:00 UTC",
    )
    before = Usage(at("2026-11-29T08:00:00Z"), recorded=True)
    assert decided(BOTH, ONE, own=own, now=LATER, usages={account: before}).removed == ("1",)
    unknown = decided(BOTH, ONE, own=own, now=LATER, usages={account: Usage(recorded=True, unknown="HTTP 503")})
    assert unknown.removed == (), "a system that does not answer proves nothing"
    assert "HTTP 503" in unknown.progress[0].reasons[0]


def test_readers_outside_the_platform_have_two_weeks() -> None:
    readers = [
        resource(READER, f"alpha/gitlab/package-reader/portal/{name}", when, name=f"packages-portal-{name}")
        for name, when in (("1", MADE), (TWO.name, SWITCHED))
    ]
    own = {"alpha": (ONE, TWO)}
    assert decided(BOTH + readers, ONE, own=own, now=LATER).removed == ()
    assert decided(BOTH + readers, ONE, own=own, now=at(SWITCHED) + datetime.timedelta(days=14)).removed == ("1",)


def test_a_runner_goes_only_after_its_successor_has_called() -> None:
    resources = BOTH + runners("1", TWO.name, at=SWITCHED)
    new = f"foundation/gitlab/runner/protected-{TWO.name}"
    silent = decided(resources, ONE, TWO, slug=None, now=LATER)
    assert stages(silent) == {"(foundation)": RotationStage.WAIT, "alpha": RotationStage.READY}
    assert silent.progress[0].reasons == (f"{new}: no runner has this token yet: install it (docs/runners.md)",)
    called = decided(resources, ONE, TWO, slug=None, now=LATER, usages={new: Usage(at(SWITCHED), recorded=True)})
    assert called.removed == ("1",)
    assert called.lists == {None: (TWO,)}


def test_all_begins_for_everybody_and_ends_only_when_all_are_ready() -> None:
    beta = tenant("beta", {"b": MADE}, "b")
    own = {"beta": (Credential("b"),)}
    begun = decided(ALPHA + beta, ONE, slug=None, own=own)
    assert begun.added is not None
    assert begun.lists == {None: (ONE, begun.added), "beta": (Credential("b"), begun.added)}
    gamma = tenant("gamma", {"1": MADE}, "1")
    found = decided(BOTH + gamma, ONE, TWO, slug=None, now=LATER)
    assert (found.removed, stages(found)) == ((), {"alpha": RotationStage.READY, "gamma": RotationStage.APPLY})
    beta = tenant("beta", {"b": MADE, TWO.name: SWITCHED}, TWO.name)
    ended = decided(BOTH + beta, ONE, TWO, slug=None, now=LATER, own={"beta": (Credential("b"), TWO)})
    assert ended.removed == ("1", "b")
    assert ended.lists == {None: (TWO,)}, "all have the same list again"


def test_all_first_ends_the_rotation_of_one_tenant() -> None:
    beta = tenant("beta", {"1": MADE}, "1")
    found = decided(BOTH + beta, ONE, slug=None, own={"alpha": (ONE, TWO)}, now=LATER)
    assert (found.added, found.removed) == (None, ("1",))
    assert found.lists == {None: (ONE,), "alpha": (TWO,)}


def test_a_new_generation_has_a_name_that_nothing_has_and_the_end_that_is_asked_for() -> None:
    today = tenant("alpha", {"2026-11-30": MADE}, "2026-11-30")
    other = tenant("beta", {"2026-11-30-2": MADE}, "2026-11-30-2")
    found = decided(today + other, Credential("2026-11-30"), until=datetime.date(2027, 1, 1),
                    own={"beta": (Credential("2026-11-30-2"),)})  # fmt: skip
    assert found.added == Credential("2026-11-30-3", datetime.date(2027, 1, 1))


def test_without_credentials_and_with_continue_nothing_begins() -> None:
    assert decided(ALPHA, ONE, start=False).added is None
    nothing = decided([], ONE)
    assert (nothing.added, nothing.idle, nothing.progress) == (None, True, ())
    foreign = [resource(ACCOUNT, "beta/sonarqube/account/1", MADE, name="usine beta 1"),
               resource(RUNNER, "foundation/gitlab/runner/protected-1", MADE)]  # fmt: skip
    assert decided(foreign, ONE).added is None

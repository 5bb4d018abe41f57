"""The order of the steps of a move, interrupted before each of them: it continues, and nothing is lost or twice."""

from __future__ import annotations

import copy
import datetime
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from model.units import unit_of, units_of
from pulumi_facts.checkpoint import resources_of
from pulumi_facts.urns import in_stack
from tests.move import samples
from tests.move.samples import BASE
from usine.engine.cli import Engine, EngineError
from usine.engine.lock import hold
from usine.engine.moving import MoveTarget, move_folder, read_journal, refuse_unfinished_move
from usine.engine.storage import Storage, state_storage
from usine.fleet.records import Inputs, Records, Result, RunRecord
from usine.fleet.running import Done, FleetJob
from usine.move.states import Checkpoint, MoveError, emptied, objects_of, print_of, salt_of, secrets_of, split
from usine.move.steps import Move

SLUGS = ("alpha", "beta", "gamma")
UNITS = samples.alone(SLUGS)
OTHER_SALT = {"type": "passphrase", "state": {"salt": "another"}}


class Interrupted(BaseException):
    """The process is killed."""


class Platform:
    """Stacks in memory. `calls_left`: the process is killed before the next write when it is 0."""

    def __init__(self, folder: Path) -> None:
        self.storage: Storage = state_storage({"PULUMI_BACKEND_URL": f"file://{folder}"})
        self.states: dict[str | None, dict[str, Any]] = {None: samples.whole(SLUGS, ["beta"])}
        self.before = copy.deepcopy(self.states)
        self.shards: int | None = None
        self.calls_left = -1
        #: The stacks whose preview shows a change.
        self.changed: set[tuple[MoveTarget, str | None]] = set()
        self.said: list[str] = []
        self.compared: list[tuple[MoveTarget, str | None]] = []

    # The states, as `usine.move.steps.States` wants them.

    def read(self, slug: str | None) -> dict[str, Any]:
        return copy.deepcopy(self.states.get(slug, {"version": 3}))

    def write(self, slug: str | None, checkpoint: Checkpoint) -> None:
        self._count()
        text = json.dumps(checkpoint)
        stack = BASE if slug is None else f"{BASE}.{slug}"
        assert all(r["urn"].startswith(f"urn:pulumi:{stack}::") for r in resources_of(checkpoint)), "as the engine"
        self.states[slug] = json.loads(text)
        self.never_lost()

    def encrypt(self, slug: str, like: Checkpoint) -> None:
        self._count()
        self.states[slug]["deployment"]["secrets_providers"] = secrets_of(like)

    def remove(self, slug: str) -> None:
        self._count()
        self.states.pop(slug, None)
        self.never_lost()

    def _count(self) -> None:
        if self.calls_left == 0:
            raise Interrupted
        self.calls_left -= 1
        # Every write is behind a journal, so that no run can act on what is in two states.
        assert read_journal(self.storage, BASE) is not None

    # What must hold at any time.

    def never_lost(self) -> None:
        there = {in_stack(r["urn"], BASE) for state in self.states.values() for r in resources_of(state) if r.get("id")}
        assert there >= {r["urn"] for r in resources_of(self.before[None]) if r.get("id")}

    def preview(self, target: MoveTarget, states: Mapping[str | None, Checkpoint]) -> Sequence[Done]:
        for slug in states:
            self.compared.append((target, slug))
        return [
            Done(
                FleetJob(slug, (), Path("settings"), Path("report"), Path("log")),
                int((target, slug) in self.changed),
                1.0,
                None,
                "it would change",
            )
            for slug in states
        ]

    def record(self, slug: str | None, foundation: Checkpoint, done: Done) -> RunRecord:
        assert done.exit_code == 0
        now = datetime.datetime.now(datetime.UTC)
        return RunRecord(Inputs("p", "s", str(slug)), Result.APPLIED, now, 1.0, salt=salt_of(foundation))

    @property
    def records(self) -> Records:
        return Records(self.storage, BASE)

    @property
    def move(self) -> Move:
        def providers(units: Any) -> Mapping[str | None, Any]:
            return samples.providers(units, ["beta"])

        said = self.said.append
        return Move(BASE, self.storage, self.records, self, providers, self.preview, self.record, said, self.shards)

    def as_a_fleet(self) -> None:
        """Let the platform be a fleet. The stack of beta is encrypted in another way."""
        units = units_of(SLUGS, self.shards)
        self.states = dict(split(self.states[None], BASE, units, samples.providers(units, ["beta"])))
        self.states[unit_of("beta", self.shards)]["deployment"]["secrets_providers"] = OTHER_SALT
        done = self.preview(MoveTarget.FLEET, {None: {}})[0]
        for slug in self.states:
            self.records.write_run(slug, self.record(slug, {}, done))
        self.compared.clear()

    def prints(self) -> dict[str | None, object]:
        return {slug: print_of(state) for slug, state in self.states.items()}

    def files(self) -> set[str]:
        folder = Path(self.storage.path(*move_folder(BASE)))
        return {path.name for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path)


def test_each_tenant_gets_a_stack_and_a_record(platform: Platform) -> None:
    counts = platform.move.to_fleet(SLUGS)
    assert {slug: sum(count.values()) for slug, count in counts.items()} == {None: 1, "alpha": 2, "beta": 3, "gamma": 2}
    assert platform.states.keys() == {None, *SLUGS}
    runs = platform.records.runs()
    assert (set(runs), {run.salt for run in runs.values()}) == ({None, *SLUGS}, {samples.SALT})
    assert platform.compared == [
        (MoveTarget.ONE, None),
        *((MoveTarget.FLEET, slug) for slug in SLUGS),
        (MoveTarget.FLEET, None),
    ]
    assert platform.files() == {"prod.json"}, "the backup stays, the journal does not"


def test_the_backup_is_the_state_as_it_was_and_nobody_else_reads_it(platform: Platform) -> None:
    platform.move.to_fleet(SLUGS)
    (backup,) = Path(platform.storage.path(*move_folder(BASE))).rglob("*.json")
    assert json.loads(backup.read_text(encoding="utf-8")) == platform.before[None]
    assert backup.stat().st_mode & 0o777 == 0o600


def test_the_tenants_come_back_and_their_stacks_and_records_go(platform: Platform) -> None:
    platform.as_a_fleet()
    counts = platform.move.to_one(SLUGS)
    assert counts == {None: objects_of(platform.before[None])}
    assert platform.prints() == {None: print_of(platform.before[None])}
    assert (platform.records.runs(), platform.records.units()) == ({}, ())
    assert platform.files() == {"prod.json", *(f"prod.{slug}.json" for slug in SLUGS)}


def interrupted_anywhere(folder: Path, prepare: Callable[[Platform], None], run: Callable[[Move], Any]) -> int:
    """Kill a move before each of its writes, run it again, and compare the result. Return the number of writes."""
    straight = Platform(folder / "straight")
    prepare(straight)
    run(straight.move)
    for before in range(100):
        platform = Platform(folder / str(before))
        prepare(platform)
        platform.calls_left = before
        try:
            run(platform.move)
        except Interrupted:
            with pytest.raises(EngineError, match="objects of the stack prod are being moved"):
                refuse_unfinished_move(platform.storage, "prod")
            with pytest.raises(EngineError, match=r"Finish it: usine move --stack prod --to"):
                refuse_unfinished_move(platform.storage, f"prod.{unit_of('beta', platform.shards)}")
            refuse_unfinished_move(platform.storage, "prod.other")
            platform.calls_left = -1
            run(platform.move)
            assert platform.prints() == straight.prints()
            assert platform.records.runs().keys() == straight.records.runs().keys()
            assert platform.files() == straight.files()
        else:
            return before
    raise AssertionError("it never ends")


def test_a_move_to_a_fleet_that_is_killed_anywhere_continues(tmp_path: Path) -> None:
    assert interrupted_anywhere(tmp_path, lambda _: None, lambda move: move.to_fleet(SLUGS)) == 4


def test_a_move_to_one_stack_that_is_killed_anywhere_continues(tmp_path: Path) -> None:
    # One stack is encrypted again, one state is written, three stacks are removed.
    assert interrupted_anywhere(tmp_path, Platform.as_a_fleet, lambda move: move.to_one(SLUGS)) == 5


def test_a_move_to_shards_and_back_that_is_killed_anywhere_continues(tmp_path: Path) -> None:
    def of_two_shards(platform: Platform) -> None:
        platform.shards = 2

    def as_two_shards(platform: Platform) -> None:
        of_two_shards(platform)
        platform.as_a_fleet()

    assert interrupted_anywhere(tmp_path / "there", of_two_shards, lambda move: move.to_fleet(SLUGS)) == 3
    assert interrupted_anywhere(tmp_path / "back", as_two_shards, lambda move: move.to_one(SLUGS)) == 4


def test_a_move_continues_with_the_number_of_shards_with_which_it_began(platform: Platform) -> None:
    platform.shards, platform.calls_left = 2, 1
    with pytest.raises(Interrupted):
        platform.move.to_fleet(SLUGS)
    for other, was in ((None, 2), (3, 2)):
        platform.shards = other
        with pytest.raises(MoveError, match=f"the move began with usine:fleet.shards: {was}: set it to its earlier"):
            platform.move.to_fleet(SLUGS)
    platform.shards, platform.calls_left = 2, -1
    assert set(platform.move.to_fleet(SLUGS)) == {None, *units_of(SLUGS, 2)}


@pytest.mark.parametrize("where", [(MoveTarget.FLEET, "beta"), (MoveTarget.FLEET, None)], ids=str)
def test_a_move_to_a_fleet_with_changes_is_undone(platform: Platform, where: tuple[MoveTarget, str | None]) -> None:
    platform.changed.add(where)
    with pytest.raises(MoveError, match=r"the move was undone, all states are as before: .*: it would change"):
        platform.move.to_fleet(SLUGS)
    assert platform.states == platform.before
    assert (platform.records.runs(), read_journal(platform.storage, BASE)) == ({}, None)
    platform.changed.clear()
    platform.move.to_fleet(SLUGS)


def test_a_move_to_one_stack_with_changes_is_undone(platform: Platform) -> None:
    platform.as_a_fleet()
    before = platform.prints()
    platform.changed.add((MoveTarget.ONE, None))
    with pytest.raises(MoveError, match="the move was undone"):
        platform.move.to_one(SLUGS)
    assert (platform.prints(), bool(platform.records.units())) == (before, True)
    platform.changed.clear()
    platform.move.to_one(SLUGS)


def test_an_undoing_that_is_killed_anywhere_ends_when_it_is_run_again(tmp_path: Path) -> None:
    for before in range(20):
        platform = Platform(tmp_path / str(before))
        platform.changed.add((MoveTarget.FLEET, None))
        platform.calls_left = before
        try:
            with pytest.raises(MoveError, match="undone"):
                platform.move.to_fleet(SLUGS)
        except Interrupted:
            platform.calls_left = -1
            with pytest.raises(MoveError, match="undone"):
                platform.move.to_fleet(SLUGS)
            assert platform.states == platform.before
        else:
            assert before == 8
            return


def test_changes_must_be_applied_first(platform: Platform) -> None:
    platform.changed.add((MoveTarget.ONE, None))
    with pytest.raises(MoveError, match=r"apply all changes first. \(foundation\): it would change See log"):
        platform.move.to_fleet(SLUGS)
    assert (platform.states, platform.files()) == (platform.before, set())
    platform.as_a_fleet()
    platform.changed = {(MoveTarget.FLEET, "gamma")}
    with pytest.raises(MoveError, match=r"apply all changes first\. gamma"):
        platform.move.to_one(SLUGS)
    assert platform.files() == set()


def test_a_stack_that_has_resources_already_is_not_overwritten(platform: Platform) -> None:
    parts = split(platform.before[None], BASE, UNITS, samples.providers(UNITS))
    platform.states["beta"] = dict(parts["beta"])
    with pytest.raises(MoveError, match=r"the stack prod.beta has resources already"):
        platform.move.to_fleet(SLUGS)
    assert platform.files() == set()


def test_a_fleet_is_not_moved_to_a_fleet_and_one_stack_not_to_one(platform: Platform) -> None:
    with pytest.raises(MoveError, match="prod is no fleet"):
        platform.move.to_one(SLUGS)
    platform.move.to_fleet(SLUGS)
    with pytest.raises(MoveError, match="prod is a fleet already"):
        platform.move.to_fleet(SLUGS)
    platform.states[None] = platform.before[None]
    with pytest.raises(MoveError, match="the stack prod has objects of tenants already"):
        platform.move.to_one(SLUGS)


def test_what_changed_before_the_locks_were_taken_is_not_moved(platform: Platform) -> None:
    with pytest.raises(MoveError, match="somebody has run the stack prod meanwhile"):
        platform.move.to_fleet(SLUGS[:2])
    platform.as_a_fleet()
    with pytest.raises(MoveError, match="somebody has run the fleet meanwhile"):
        platform.move.to_one(SLUGS[:2])


def test_an_interrupted_move_is_finished_before_the_way_back(platform: Platform) -> None:
    platform.calls_left = 2
    with pytest.raises(Interrupted):
        platform.move.to_fleet(SLUGS)
    with pytest.raises(MoveError, match="a move to fleet is not finished: finish it first, with --to fleet"):
        platform.move.to_one(SLUGS)


@pytest.mark.parametrize("slug", [None, "alpha"])
def test_a_state_that_somebody_changed_meanwhile_is_not_overwritten(platform: Platform, slug: str | None) -> None:
    platform.calls_left = 2
    with pytest.raises(Interrupted):
        platform.move.to_fleet(SLUGS)
    platform.calls_left = -1
    resources_of(platform.states[slug])[-1]["modified"] = "2026-11-30T10:00:00Z"
    with pytest.raises(MoveError, match="somebody has changed the state of prod"):
        platform.move.to_fleet(SLUGS)


def test_a_stack_is_only_removed_if_all_its_objects_are_in_the_one_stack(platform: Platform) -> None:
    platform.as_a_fleet()
    platform.calls_left = 2
    with pytest.raises(Interrupted):
        platform.move.to_one(SLUGS)
    platform.calls_left = -1
    type_ = "vault:index/policy:Policy"
    urn = samples.urn(f"usine:usine:TenantProject${type_}", "alpha/vault/extra", "prod.alpha")
    resources_of(platform.states["alpha"]).append(samples.resource(urn, type_, id="extra"))
    with pytest.raises(MoveError, match=r"alpha/vault/extra is only in the stack prod.alpha"):
        platform.move.to_one(SLUGS)
    assert "alpha" in platform.states


def test_a_lost_object_ends_the_move_before_the_journal_is_removed(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(slug: str | None, checkpoint: Checkpoint) -> None:
        platform.states[slug] = json.loads(json.dumps(emptied(checkpoint) if slug == "beta" else checkpoint))

    monkeypatch.setattr(platform, "write", lose)
    with pytest.raises(MoveError, match="the stacks do not have the same objects as before"):
        platform.move.to_fleet(SLUGS)
    assert read_journal(platform.storage, BASE) is not None


def test_no_run_takes_the_lock_of_a_stack_that_is_being_moved(platform: Platform, tmp_path: Path) -> None:
    platform.calls_left = 1
    with pytest.raises(Interrupted):
        platform.move.to_fleet(SLUGS)
    environment = {"PULUMI_BACKEND_URL": f"file://{tmp_path}"}
    for stack in ("prod", "prod.alpha"):
        engine = Engine(tmp_path, stack, environment)
        with pytest.raises(EngineError, match="are being moved"), hold(engine):
            pass
        with hold(engine, moving=True):
            pass


def test_a_journal_that_cannot_be_read_refuses_runs(platform: Platform) -> None:
    platform.storage.write(b"{", *move_folder(BASE), "journal.json")
    with pytest.raises(EngineError, match=r"the journal of the move cannot be read: .*journal\.json"):
        refuse_unfinished_move(platform.storage, BASE)


def test_a_missing_backup_ends_the_move(platform: Platform) -> None:
    platform.calls_left = 1
    with pytest.raises(Interrupted):
        platform.move.to_fleet(SLUGS)
    next(Path(platform.storage.path(*move_folder(BASE))).rglob("prod.json")).unlink()
    with pytest.raises(EngineError, match=r"the backup .*prod.json is missing"):
        platform.move.to_fleet(SLUGS)


def test_the_counts_are_by_tenant(platform: Platform) -> None:
    assert objects_of(platform.before[None]) == Counter({"": 1, "alpha": 2, "beta": 3, "gamma": 2})

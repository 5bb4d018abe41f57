"""A drift scan: the engine's observations, the systems' inventories, and the parts that could not be scanned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.drift.values import observed
from tests.factories import settings
from usine.drift import scan as module
from usine.drift.findings import Means, Unseen
from usine.drift.inventory import Found, Inventory
from usine.drift.inventory.base import ScanGap
from usine.drift.observe import Observation, Observed
from usine.drift.scan import Scan, scan_stack
from usine.engine.cli import Engine

ROBOT = "harbor:index/robotAccount:RobotAccount"
GONE = [observed(f"{tenant}/harbor/robot", ROBOT, {}, None, system="harbor") for tenant in ("alpha", "beta")]


class FakeEngine(Engine):
    def export_state(self) -> dict[str, object]:
        return {"deployment": {"resources": [], "pending_operations": [{}, {}]}}


def looked(
    monkeypatch: pytest.MonkeyPatch,
    observations: list[Observation],
    unseen: tuple[Unseen, ...] = (),
    found: tuple[Found, ...] = (),
    blind: tuple[ScanGap, ...] = (),
) -> Scan:
    def observe(*_: Any) -> Observed:
        return Observed(tuple(observations), unseen)

    def take_inventory(*_: Any, **__: Any) -> Inventory:
        return Inventory(found, blind)

    monkeypatch.setattr(module, "observe", observe)
    monkeypatch.setattr(module, "take_inventory", take_inventory)
    return scan_stack(FakeEngine(Path(), "lab", {}), settings(), ())


def test_no_object_is_missing_in_a_part_that_could_not_be_scanned(monkeypatch: pytest.MonkeyPatch) -> None:
    blind = ScanGap("harbor", "alpha", "Harbor does not answer")
    both = looked(monkeypatch, GONE, blind=(blind,))
    assert [f.tenant for f in both.findings] == ["beta"], "Harbor's plugin takes any error for: gone"
    assert both.unseen == (Unseen("alpha", "harbor", "Harbor does not answer"),)
    assert [f.tenant for f in looked(monkeypatch, GONE).findings] == ["alpha", "beta"]


def test_the_reason_from_the_system_replaces_the_plugins_error(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = looked(
        monkeypatch, [], (Unseen("alpha", "harbor", "EOF"), Unseen(None, "vault", "EOF")),
        blind=(ScanGap("harbor", "alpha", "Harbor does not answer"),),
    )  # fmt: skip
    assert seen.unseen == (Unseen(None, "vault", "EOF"), Unseen("alpha", "harbor", "Harbor does not answer"))
    assert (seen.objects, seen.pending) == (0, 2)


def test_an_unmanaged_object_is_adopted_or_left_to_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = Found("vault", "alpha", "vault:index/policy:Policy", "policy: x", "vault", "x", "d", "DELETE /x")
    share = Found("gitlab", "alpha", "gitlab:index/groupShareGroup:GroupShareGroup", "share", "gitlab", removal="y")
    mount = Found("vault", None, "vault:index/mount:Mount", "mount: old", "vault", "old", "", "DELETE /old")
    means = {f.name: (f.means, f.call) for f in looked(monkeypatch, [], found=(policy, share, mount)).findings}
    assert means == {
        "policy: x": (Means.ADOPT, "DELETE /x"),
        "share": (Means.HAND, "y"),
        "mount: old": (Means.HAND, "DELETE /old"),
    }

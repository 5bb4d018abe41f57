"""One fleet for the whole run: a foundation and two tenants on all systems, created by the first test that uses it.

A test that only looks shares it. A test that changes it puts it back; when one of its module fails, the platform starts
from nothing for the next module, so that one failure makes no others.
"""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

from lab import platform
from lab.testing.platforms import TestLab
from tests.engine import live
from tests.engine.harness import Run, Stack
from tests.engine.tenants import ALPHA, BETA

#: Runs that create, archive and remove use the policy pack: its policies must also accept what the servers answer.
POLICIES = ("--policy-pack", "policy")
TENANTS = {"alpha": ALPHA, "beta": BETA}


@dataclasses.dataclass(frozen=True)
class Fleet:
    """The fleet; `before` and `after` are the systems' objects before and after its creation (`tests.engine.live`)."""

    stack: Stack
    before: dict[str, Any]
    created: Run
    after: dict[str, Any]

    @property
    def lab(self) -> TestLab:
        return self.stack.lab

    def restore(self) -> None:
        """Restore the files and the settings; the next `up` restores the platform."""
        for path in self.stack.projects.iterdir():
            path.unlink()
        for slug, text in TENANTS.items():
            self.stack.tenant(slug, text)
        for key in tuple(self.stack.overrides):
            self.stack.configure(**{key.removeprefix("usine:"): None})


class Fleets:
    """Creates the fleet for the first test that uses it, and again after a test has left it changed."""

    def __init__(self, lab: TestLab, folder: Path) -> None:
        self._lab = lab
        self._folder = folder
        self._fleet: Fleet | None = None

    def get(self) -> Fleet:
        if self._fleet is None:
            self._fleet = self._make()
        return self._fleet

    def spoil(self) -> None:
        """Delete the fleet and all data of the platform: a test failed in the middle of a change.

        Credentials are others then. Only tests of the fleet come after this, and read them again.
        """
        self._fleet = None
        self._lab.close()
        platform.reset(self._lab.home)
        self._lab.start()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _make(self) -> Fleet:
        stack = Stack(self._lab, "lab", self._folder)
        for slug, text in TENANTS.items():
            stack.tenant(slug, text)
        before = live.snapshot(self._lab)
        # A right that is missing in the pipeline's policy of docs/ci.md makes this run fail.
        with stack.with_policy("usine-pipeline"):
            created = stack.guarded_up(*POLICIES).must()
        return Fleet(stack, before, created, live.snapshot(self._lab))

    def end(self) -> None:
        """Remove the fleet, if there is one. Its tenants are archived first: the registry keeps images otherwise."""
        if self._fleet is None:
            return
        stack = self._fleet.stack
        for slug, text in TENANTS.items():
            stack.tenant(slug, text + "state: archived\n")
        stack.up().must()
        stack.destroy().must()
        left = live.snapshot(self._lab)
        assert left["kubernetes"] == {}
        assert left["keycloak"] == {}
        assert set(left["vault"]["auth"]) == {"token/"}
        assert (left["vault"]["policies"], left["vault"]["groups"], left["vault"]["roles"]) == ({}, {}, {})
        assert (left["gitlab"]["groups"], left["gitlab"]["projects"], left["harbor"]["projects"]) == ({}, {}, {})
        assert [user for user, *_ in left["gitlab"]["users"]] == ["root"]
        assert (left["sonarqube"]["projects"], left["sonarqube"]["groups"], left["sonarqube"]["gates"]) == ({}, [], {})
        assert [m for m in left["vault"]["mounts"] if m not in {"cubbyhole/", "identity/", "sys/"}] == []

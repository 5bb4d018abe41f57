"""The time of a fleet's runs with the real engine, on a separate local platform, in both state layouts.

Prints the objects per system, then a row per step: create, again (no change), preview, preview with refresh. In the
second layout, two tenant stacks run at a time. The figures are wall time and depend on the machine's load, so compare
only rows of one run. Run: python -m benchmarks.bench_fleet [TENANTS]
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from lab import platform
from lab.environment import environment
from lab.home import LabHome
from lab.reporter import Lines
from lab.settings import render
from model.reading.load import load
from model.reading.settings_load import load_settings
from usine.engine.cli import Engine
from usine.plan import make_plan

ROOT = Path(__file__).resolve().parents[1]
_FOLDER, _PORT_BASE = ROOT / ".lab-bench", 38000
_SIDE_BY_SIDE = 2
TENANT = """\
apiVersion: usine/v1
kind: Project
slug: {slug}
name: Projet {slug}
owner: alice.martin
contact: {slug}@example.gouv.fr
members: {{devops: [chloe.petit], developer: [emma.leroy], readonly: [gaelle.morin]}}
environments:
  dev: {{stage: dev, cluster: nonprod-1, quota: {{cpu: 1, memory: 1Gi, storage: 1Gi, pods: 10}}}}
  prod: {{stage: prod, cluster: prod-1, quota: {{cpu: 1, memory: 1Gi, storage: 1Gi, pods: 10}}}}
repositories:
  api: {{preset: python}}
  front: {{preset: node}}
  deploy: {{kind: infra}}
"""


class BenchFleet:
    """A number of similar tenants, and their stacks on a platform."""

    def __init__(self, home: LabHome, tenants: int) -> None:
        """Write the tenant files and the settings."""
        self._home = home
        self.slugs = [f"bench-{number}" for number in range(tenants)]
        self._projects = home.root / "bench" / "projects.d"
        self._projects.mkdir(parents=True, exist_ok=True)
        for old in self._projects.iterdir():
            old.unlink()
        for slug in self.slugs:
            (self._projects / f"{slug}.yaml").write_text(TENANT.format(slug=slug), encoding="utf-8")

    def stack(self, name: str, **keys: object) -> Engine:
        """Return a stack with its own settings."""
        settings = yaml.safe_load(render((ROOT / "Pulumi.lab.yaml").read_text(encoding="utf-8"), self._home))
        settings["config"] |= {"usine:projects": str(self._projects), **{f"usine:{k}": v for k, v in keys.items()}}
        file = self._projects.parent / f"Pulumi.{name}.yaml"
        file.write_text(yaml.safe_dump(settings), encoding="utf-8")
        engine = Engine(ROOT, name, environment(self._home), file)
        engine.ensure_stack()
        return engine

    def counts(self) -> dict[str, int]:
        """Count the objects by system."""
        settings = load_settings(self._projects.parent / "Pulumi.whole.yaml")
        totals: dict[str, int] = {}
        for row in make_plan(settings, load(self._projects, settings)).counts().values():
            for system, number in row.items():
                totals[system] = totals.get(system, 0) + number
        return totals


def _run(engine: Engine, *arguments: str) -> None:
    done = subprocess.run(
        engine.command(*arguments), cwd=engine.root, env=engine.variables, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"{engine.stack}: {' '.join(arguments)}: {done.stdout[-3000:]}{done.stderr[-2000:]}")


def _all(engines: Sequence[Engine], *arguments: str) -> None:
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        list(pool.map(lambda engine: _run(engine, *arguments), engines))


_STEPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("create", ("up", "--yes", "--skip-preview")),
    ("again, no change", ("up", "--yes", "--skip-preview", "--expect-no-changes")),
    ("preview", ("preview",)),
    ("preview --refresh", ("preview", "--refresh", "--expect-no-changes")),
)


def _timed(what: str, action: Callable[[], None]) -> None:
    started = time.perf_counter()
    action()
    print(f"  {what:<20} {time.perf_counter() - started:>7.1f} s", flush=True)


def _destroy(engines: Sequence[Engine]) -> None:
    for engine in engines:
        engine.capture("state", "unprotect", "--all", "--yes")
    _all(engines, "destroy", "--yes", "--skip-preview")


def main(tenants: int = 20) -> None:
    """Measure and print."""
    home = LabHome.open(_FOLDER, _PORT_BASE)
    platform.reset(home)
    platform.up(home, reporter=Lines())
    try:
        fleet = BenchFleet(home, tenants)
        whole = fleet.stack("whole")
        counts = fleet.counts()
        print(f"{tenants} tenants, {sum(counts.values())} objects: {counts}", flush=True)
        print("one stack", flush=True)
        for what, arguments in _STEPS:
            _timed(what, lambda: _run(whole, *arguments))  # noqa: B023 - called at once
        _timed("destroy", lambda: _destroy([whole]))
        foundation = fleet.stack("foundation", foundation="only")
        own = [fleet.stack(slug, foundation="skip", tenants=[slug]) for slug in fleet.slugs]
        print(f"a stack per tenant, {_SIDE_BY_SIDE} at a time, after the foundation's", flush=True)
        for what, arguments in _STEPS:
            _timed(f"{what}, foundation", lambda: _run(foundation, *arguments))  # noqa: B023 - called at once
            _timed(f"{what}, tenants", lambda: _all(own, *arguments))  # noqa: B023 - called at once
            if what != "create":
                _timed(f"{what}, one tenant", lambda: _run(own[0], *arguments))  # noqa: B023 - called at once
    finally:
        platform.down(home)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))

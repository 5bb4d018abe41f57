"""The processor time of `usine fleet` with the real engine, by the size of the fleet, on a separate local platform.

The fleet grows. At each size a row: processor time and wall time per new tenant, of a run in which nothing changed, of
a run in which one tenant changed, and per drift scan; and the memory of the largest process so far. Before the largest
size but one, the run is killed three times with all its processes, and continued. Then the result is checked: no stack
needs a run, and no object is in two stacks. At the end, a model (a tenant costs as much as at the size before) predicts
the largest size, which gives the model's error, and 10,000 tenants.
Run: python -m benchmarks.bench_fleet_up [--systems vault,gitlab,harbor] [SIZE ...]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import yaml

from benchmarks.bench_fleet import ROOT, TENANT
from lab import platform, process
from lab.environment import environment
from lab.home import LabHome
from lab.reporter import Lines
from lab.servers import SERVERS
from lab.settings import render
from usine.fleet.layout import Layout

SIZES: Final = (10, 50, 70, 100)
FOLDER, PORT_BASE = ROOT / ".lab-bench", 38000
SERVED: Final = [server for server in SERVERS if server.name in {"gitlab", "registry", "harbor", "openbao"}]
_SYSTEMS: Final = "vault,gitlab,harbor"
_STACK: Final = "fleet"
_KILLS: Final = 3
_SCANS: Final = 5


class Bench:
    """The fleet on its platform."""

    def __init__(self, home: LabHome, systems: Sequence[str]) -> None:
        """Write the settings."""
        self._home = home
        self._folder = home.root / "bench"
        self._projects = self._folder / "projects.d"
        shutil.rmtree(self._projects, ignore_errors=True)  # of an earlier benchmark
        self._projects.mkdir(parents=True)
        settings = yaml.safe_load(render((ROOT / "Pulumi.lab.yaml").read_text(encoding="utf-8"), home))
        settings["config"] |= {"usine:projects": str(self._projects), "usine:systems": list(systems)}
        self._settings = self._folder / "Pulumi.fleet.yaml"
        self._settings.write_text(yaml.safe_dump(settings), encoding="utf-8")

    def grow(self, size: int) -> None:
        """Write tenant files up to a size."""
        for number in range(size):
            slug = f"bench-{number}"
            (self._projects / f"{slug}.yaml").write_text(TENANT.format(slug=slug), encoding="utf-8")

    def change(self, size: int) -> None:
        """Change the last tenant."""
        path = self._projects / f"bench-{size - 1}.yaml"
        path.write_text(path.read_text(encoding="utf-8") + "description: Changed.\n", encoding="utf-8")

    def settings_of(self, slug: str) -> Path:
        """Return the settings file of a tenant's stack."""
        return Layout.read(_STACK, self._settings, self._projects, self._folder / "stacks").write(slug)

    def start(self, action: str, *arguments: str) -> subprocess.Popen[str]:
        """Start an action of `usine fleet`."""
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "usine", "fleet", action),
                *("--stack", _STACK, "--settings", str(self._settings), *arguments),
            ],
            cwd=ROOT,
            env={**environment(self._home), "USINE_LAB_HOME": str(self._home.root)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, action: str, *arguments: str) -> tuple[float, float]:
        """Run an action; return its processor time and its wall time in seconds."""
        before, began = _spent(), time.monotonic()
        with self.start(action, *arguments) as running:
            output = running.communicate()[0]
        if running.returncode != 0:
            raise SystemExit(f"usine fleet {action}: exit code {running.returncode}\n{output[-3000:]}")
        return _spent() - before, time.monotonic() - began

    def kill(self, after: int) -> None:
        """Start a run, and kill it with all its processes when this number of stacks was applied."""
        running = self.start("up")
        assert running.stdout is not None  # noqa: S101 - for the type checker
        applied = 0
        while applied < after:
            line = running.stdout.readline()
            if not line:
                raise SystemExit("the run ended before it was killed")
            applied += ": applied in" in line
        running.kill()
        for pid, value in process.processes_with("PULUMI_HOME"):
            if value == str(self._home.pulumi_home) and pid != os.getpid():
                os.kill(pid, signal.SIGKILL)
        running.communicate()
        print(f"  killed after {applied} stacks", flush=True)

    def check(self, size: int) -> None:
        """Check that each object is in one stack, and that each tenant has the same number of objects."""
        counts: Counter[str] = Counter()
        objects: Counter[int] = Counter()
        for path in (self._home.state / ".pulumi" / "stacks" / "usine").glob("fleet.*.json"):
            resources = json.loads(path.read_text(encoding="utf-8"))["checkpoint"]["latest"]["resources"]
            ids = [
                f"{one['type']} {one['id']}"
                for one in resources
                if one.get("custom") and ":providers:" not in one["type"]
            ]
            counts.update(ids)
            objects[len(ids)] += 1
        twice = [name for name, number in counts.items() if number > 1]
        print(f"  {size} tenants, objects per stack: {dict(objects)}, in two stacks: {len(twice)}", flush=True)
        if objects.total() != size or len(objects) != 1 or twice:
            raise SystemExit(f"twice: {twice[:5]}")


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(sizes: Sequence[int], systems: Sequence[str]) -> None:
    """Measure and print."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # each process would compile the program again
    home = LabHome.open(FOLDER, PORT_BASE)
    platform.reset(home)
    platform.up(home, reporter=Lines(), servers=SERVED)
    try:
        bench = Bench(home, systems)
        print(f"foundation: {bench.run('up')[0]:.1f} s of processor time", flush=True)
        print(
            "tenants   new: cpu  wall   none: cpu   one: cpu   scan: cpu   memory   (seconds, per tenant)", flush=True
        )
        last, costs = 0, list[float]()
        for size in sizes:
            bench.grow(size)
            if size == sizes[-2]:
                for _ in range(_KILLS):
                    bench.kill(after=(size - last) // (_KILLS + 1))
            new, wall = bench.run("up")
            number = size - last
            none, _ = bench.run("up")
            bench.change(size)
            one, _ = bench.run("up")
            scan, _ = bench.run("drift", "--share", str(min(1.0, _SCANS / size)))
            memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
            print(
                f"{size:>7} {new / number:>10.1f} {wall / number:>5.1f} {none:>11.1f} {one:>10.1f} "
                f"{scan / _SCANS:>11.1f} {memory:>5} MB",
                flush=True,
            )
            last = size
            if size != sizes[-2]:  # what was done before a kill is not in the figure
                costs.append(new / number)
        bench.check(sizes[-1])
        cost = costs[-2]
        print(f"model: {cost:.1f} s per tenant, error at {last}: {(cost - costs[-1]) / costs[-1]:+.0%}")
        print(f"10,000 tenants: {10_000 * cost / 3600:.0f} hours of processor time", flush=True)
    finally:
        platform.down(home)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--systems", default=_SYSTEMS)
    parser.add_argument("sizes", nargs="*", type=int)
    args = parser.parse_args()
    main(args.sizes or SIZES, args.systems.split(","))

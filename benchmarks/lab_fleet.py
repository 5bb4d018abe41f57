"""Similar tenants on a separate local platform, for the benchmarks with the real engine."""

from __future__ import annotations

import compileall
import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from lab import platform, process
from lab.environment import environment
from lab.home import LabHome
from lab.reporter import Lines
from lab.servers import SERVERS
from lab.settings import render
from pulumi_facts.urns import address_of
from usine.commands.common import ROOT
from usine.fleet.layout import Layout
from usine.program import PACKAGES

STACK: Final = "prod"
#: The systems for which a platform needs these servers only.
_LIGHT: Final = frozenset({"vault", "gitlab", "harbor"})
_SERVERS: Final = [server for server in SERVERS if server.name in {"gitlab", "registry", "harbor", "openbao"}]
_FOLDER, _PORT_BASE = ROOT / ".lab-bench", 38000
_TENANT: Final = """\
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


@contextlib.contextmanager
def bench_platform(systems: Collection[str] = ()) -> Iterator[LabHome]:
    """Start an empty local platform for these systems, by default all, and stop it at the end.

    What an earlier benchmark left is deleted with its servers' data: `pulumi destroy` cannot empty a platform, because
    Vault refuses to delete keys of its transit engine.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # each process would compile the program again
    for package in (*PACKAGES, "lab"):
        compileall.compile_dir(ROOT / package, quiet=2)  # or the first run that is measured does it
    home = LabHome.open(_FOLDER, _PORT_BASE)
    platform.reset(home)
    platform.up(home, reporter=Lines(), servers=_SERVERS if systems and _LIGHT.issuperset(systems) else SERVERS)
    try:
        yield home
    finally:
        platform.down(home)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command costs, in seconds: processor time of all its processes, and time on the clock."""

    processor: float
    wall: float


class Bench:
    """Tenants `bench-0`, `bench-1`, … on a platform, and the commands of `usine` on them, in any layout."""

    def __init__(self, home: LabHome, systems: Collection[str] = (), shards: int | None = None) -> None:
        """Write the settings. `systems` are those that are on, by default all of `Pulumi.lab.yaml`."""
        self._home = home
        self._folder = home.root / "bench"
        self.projects = self._folder / "projects.d"
        shutil.rmtree(self.projects, ignore_errors=True)  # of an earlier benchmark
        self.projects.mkdir(parents=True)
        settings = yaml.safe_load(render((ROOT / "Pulumi.lab.yaml").read_text(encoding="utf-8"), home))
        settings["config"] |= {"usine:projects": str(self.projects)}
        if systems:
            settings["config"] |= {"usine:systems": list(systems)}
        if shards is not None:
            settings["config"] |= {"usine:fleet": {"shards": shards}}
        self.settings = self._folder / "Pulumi.bench.yaml"
        self.settings.write_text(yaml.safe_dump(settings), encoding="utf-8")

    def grow(self, size: int) -> None:
        """Write the tenant files that a fleet of this size does not have yet; those that were changed stay."""
        for number in range(size):
            slug = f"bench-{number}"
            path = self.projects / f"{slug}.yaml"
            if not path.exists():
                path.write_text(_TENANT.format(slug=slug), encoding="utf-8")

    def change(self, size: int) -> None:
        """Change the last tenant of a fleet of this size."""
        path = self.projects / f"bench-{size - 1}.yaml"
        path.write_text(path.read_text(encoding="utf-8") + "description: Changed.\n", encoding="utf-8")

    def stack_of(self, slug: str) -> tuple[str, Path]:
        """Return the name and the settings file of a tenant's stack."""
        layout = Layout.read(STACK, self.settings, self.projects, self._folder / "stacks", [slug])
        return layout.stack(slug), layout.write(slug)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command of `usine`, such as ``fleet up``."""
        return subprocess.Popen(
            [sys.executable, "-m", "usine", *words, "--stack", STACK, "--settings", str(self.settings)],
            cwd=ROOT,
            env=environment(self._home),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *words: str, accepted: Collection[int] = (0,)) -> Cost:
        """Run a command, and return what it cost. Ends the benchmark at an exit code that is not accepted."""
        before, began = _spent(), time.monotonic()
        with self.start(*words) as running:
            output = running.communicate()[0]
        if running.returncode not in accepted:
            raise SystemExit(f"usine {' '.join(words)}: exit code {running.returncode}\n{output[-3000:]}")
        return Cost(_spent() - before, time.monotonic() - began)

    def kill(self, after: int) -> None:
        """Start a run of the fleet, and kill it with all its processes when this number of stacks was applied."""
        running = self.start("fleet", "up")
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

    def objects(self) -> dict[str, list[str]]:
        """Return the objects in the state of each stack, each as its type and its id."""
        found = {}
        for path in (self._home.state / ".pulumi" / "stacks" / "usine").glob("*.json"):
            resources = json.loads(path.read_text(encoding="utf-8"))["checkpoint"]["latest"]["resources"]
            found[path.stem] = [f"{one['type']} {one['id']}" for one in resources if address_of(one["urn"]).is_object]
        return found


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime

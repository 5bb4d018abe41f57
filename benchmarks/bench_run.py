"""What one run of a tenant's stack costs, by the way it is started: processor seconds, on a separate local platform.

Each row creates the stack of a new tenant (on Vault only, so that the fixed cost of a run is most of it), runs it again
without a change, and once more with a changed file. The figures include all processes: command, engine, program,
plugins, policy pack. Run: python -m benchmarks.bench_run [--repetitions N] [--row TEXT]
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pulumi import automation

from benchmarks.lab_fleet import Bench, bench_platform
from lab.environment import environment
from lab.home import LabHome
from model.reading.catalogue import FOLDER as CATALOGUE
from model.reading.catalogue import read_catalogue
from model.reading.load import load
from model.reading.settings_load import settings_from_config
from stacks.platform.entry import read_authorities, stack_config
from stacks.platform.program import Files, build
from stacks.platform.registration import go_on_after_failures
from usine.commands.common import ROOT
from usine.engine.guarded import POLICY_PACK

_SYSTEMS: Final = ("vault",)


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack of a tenant, its settings file, and the environment of its runs."""

    name: str
    settings: Path
    variables: Mapping[str, str]

    @property
    def arguments(self) -> list[str]:
        """Return the arguments of `usine up`."""
        return ["up", "--stack", self.name, "--settings", str(self.settings)]

    def changed(self, **variables: str) -> Stack:
        """Return the stack with other variables."""
        return Stack(self.name, self.settings, {**self.variables, **variables})


Way = Callable[[Stack], None]


def guarded(stack: Stack) -> None:
    """Run `usine up` in a process of its own, as `usine fleet up` does."""
    _call([sys.executable, "-m", "usine", *stack.arguments], stack)


def forked(stack: Stack) -> None:
    """Run `usine up` in a fork of a process that has imported it."""
    context = multiprocessing.get_context("fork")
    process = context.Process(target=_fork, args=(stack,))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{stack.name}: exit code {process.exitcode}")


def plain(stack: Stack, *arguments: str) -> None:
    """Run `pulumi up` without preview, guards and policies."""
    exists = _pulumi(stack, "stack", "export").returncode == 0
    if not exists:
        _check(_pulumi(stack, "stack", "init", "--no-select"), stack)
    command = ("up", "--yes", "--skip-preview", "--config-file", str(stack.settings), *arguments)
    _check(_pulumi(stack, *command), stack)


def with_policies(stack: Stack) -> None:
    """The same with the policy pack."""
    plain(stack, "--policy-pack", str(ROOT / POLICY_PACK))


def parallel_diff(stack: Stack) -> None:
    """The same as `plain`, with the engine's parallel comparison."""
    plain(stack.changed(PULUMI_PARALLEL_DIFF="true"))


def inline(stack: Stack) -> None:
    """Run the program in this process, by the Automation API."""
    options = automation.LocalWorkspaceOptions(work_dir=str(ROOT), env_vars=dict(stack.variables))
    opened = automation.create_or_select_stack(stack.name, "usine", _program, opts=options)
    with contextlib.redirect_stdout(io.StringIO()):
        opened.up(config_file=str(stack.settings), show_secrets=False, suppress_outputs=True)


def _program() -> None:
    settings = settings_from_config(stack_config(), stack="bench")
    tenants = load(ROOT / settings.projects, settings)
    files = Files(read_authorities(settings, ROOT), read_catalogue(ROOT / CATALOGUE, settings))
    go_on_after_failures()
    build(settings, tenants, files)


WAYS: Final[tuple[tuple[str, Way], ...]] = (
    ("usine up, a process per stack", guarded),
    ("usine up, forked from a warm process", forked),
    ("pulumi up --skip-preview", plain),
    ("the same with the policy pack", with_policies),
    ("the same with PULUMI_PARALLEL_DIFF", parallel_diff),
    ("Automation API, program in a warm process", inline),
)


def _call(command: list[str], stack: Stack) -> None:
    _check(subprocess.run(command, cwd=ROOT, env=stack.variables, capture_output=True, text=True, check=False), stack)


def _pulumi(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["pulumi", *arguments, "--non-interactive", "--stack", stack.name]
    return subprocess.run(command, cwd=ROOT, env=stack.variables, capture_output=True, text=True, check=False)


def _check(done: subprocess.CompletedProcess[str], stack: Stack) -> None:
    if done.returncode != 0:
        raise SystemExit(f"{stack.name}: exit code {done.returncode}\n{(done.stdout + done.stderr)[-3000:]}")


def _fork(stack: Stack) -> None:
    from usine.cli import main as run  # noqa: PLC0415 - imported before, in the parent

    os.chdir(ROOT)
    os.environ.update(stack.variables)
    with open(os.devnull, "w", encoding="utf-8") as nothing, contextlib.redirect_stdout(nothing):
        code = run(stack.arguments)
    if code:
        raise SystemExit(code)


def _spent() -> float:
    """Return the processor seconds of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _measure(way: Way, stack: Stack) -> float:
    gc.collect()
    before = _spent()
    way(stack)
    return _spent() - before


def _stacks(bench: Bench, home: LabHome, first: int, number: int) -> Iterator[Stack]:
    """Yield stacks of new tenants, with the settings files that `usine fleet` would write."""
    for index in range(first, first + number):
        yield Stack(*bench.stack_of(f"bench-{index}"), environment(home))


def main(repetitions: int, chosen: str) -> None:
    """Measure the rows whose names have a text, and print them."""
    import usine.commands.up  # noqa: F401, PLC0415 - the forks have it then

    with bench_platform(_SYSTEMS) as home:
        os.environ["PATH"] = environment(home)["PATH"]  # where the Automation API looks for `pulumi`
        bench = Bench(home, _SYSTEMS)
        bench.run("fleet", "up")
        bench.grow(1)
        bench.run("fleet", "up")  # what only the first tenant costs is in no row
        print(f"{'':<46} create  again  one change", flush=True)
        number = 1
        for name, way in ((name, way) for name, way in WAYS if chosen in name):
            rows: list[tuple[float, float, float]] = []
            bench.grow(number + repetitions)
            for stack in _stacks(bench, home, number, repetitions):
                create, again = _measure(way, stack), _measure(way, stack)
                bench.change(number + 1)
                number += 1
                rows.append((create, again, _measure(way, stack)))
            print(f"{name:<46}" + "".join(f"{statistics.median(c):>7.2f}" for c in zip(*rows, strict=True)), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--row", default="")
    arguments = parser.parse_args()
    main(arguments.repetitions, arguments.row)

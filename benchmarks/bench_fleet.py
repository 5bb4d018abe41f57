"""What the runs of a platform cost in each state layout: one stack, a stack per tenant, and shards if asked for.

Each layout gets an empty local platform and the same tenants, by the product's own commands: `usine up`, and
`usine fleet up` with two workers. Prints the time on the clock and the processor time of each step, the ratio of each
layout to one stack, and the processor time by kind of process. In the last step every stack is run once more: the
benchmark ends with an error if anything has changed then, or if the layouts do not have the same number of objects.
Compare figures of one run only, on a machine without other work.
Run: python -m benchmarks.bench_fleet [--systems vault,gitlab,harbor] [--shards N] [TENANTS]; by default all systems.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final

from benchmarks.lab_fleet import Bench, Cost, bench_platform
from benchmarks.processes import OTHERS, Processes
from usine.commands.drift import CLEAN
from usine.commands.drift import DRIFT as FOUND
from usine.report import as_json

CREATE: Final = "create"
CHANGE: Final = "one tenant changed"
DRIFT: Final = "drift scan of everything"
LAST: Final = "every stack again"
STEPS: Final = (CREATE, "again, nothing changed", CHANGE, DRIFT, LAST)


@dataclass(frozen=True, slots=True)
class StateLayout:
    """A layout: the first words of its commands, and what makes `up` run each stack, also if nothing needs a run."""

    name: str
    command: tuple[str, ...]
    every: tuple[str, ...]
    shards: int | None = None

    def words(self, step: str) -> tuple[str, ...]:
        """Return the command of a step."""
        return (*self.command, "drift" if step == DRIFT else "up", *(self.every if step == LAST else ()))


_ONE: Final = StateLayout("one stack", (), ())
_FLEET: Final = StateLayout("a stack per tenant", ("fleet",), ("--all",))


def main(tenants: int, systems: Collection[str] = (), shards: int | None = None) -> None:
    """Measure and print."""
    layouts = [_ONE, _FLEET] if shards is None else [_ONE, replace(_FLEET, name="shards", shards=shards), _FLEET]
    costs: list[Mapping[str, Cost]] = []
    objects = list[int]()
    for layout in layouts:
        with bench_platform(systems) as home:
            bench = Bench(home, systems, layout.shards)
            bench.grow(tenants)
            costs.append(_measure(bench, layout, tenants))
            objects.append(sum(map(len, bench.objects().values())))
            print(f"{layout.name}: {len(bench.objects())} stacks, {objects[-1]} objects in their states", flush=True)
    print(f"{'':<26}" + "".join(f"{layout.name:>22}{'ratio':>18}" for layout in layouts))
    print(f"{'seconds':<26}" + f"{'clock':>12}{'processor':>10}{'clock':>8}{'processor':>10}" * len(layouts))
    for step in STEPS:
        one, row = costs[0][step], ""
        for cost in (cost[step] for cost in costs):
            row += f"{cost.wall:>12.1f}{cost.processor:>10.1f}"
            row += f"{cost.wall / one.wall:>8.2f}{cost.processor / one.processor:>10.2f}"
        print(f"{step:<26}{row}", flush=True)
    if len(set(objects)) != 1:
        raise SystemExit(f"the layouts do not have the same objects: {objects}")


def _measure(bench: Bench, layout: StateLayout, tenants: int) -> Mapping[str, Cost]:
    """Run the steps, and return what each costs. Ends the benchmark if the last one has changed something."""
    report = bench.settings.with_name("report.json")
    costs = {}
    print(layout.name, flush=True)
    for step in STEPS:
        if step == CHANGE:
            bench.change(tenants)
        with Processes() as seen:
            accepted = {CLEAN, FOUND} if step == DRIFT else {0}
            cost = costs[step] = bench.run(*layout.words(step), "--json", str(report), accepted=accepted)
        entries = as_json.load(report.read_text(encoding="utf-8")).entries
        print(
            f"  {step:<26}{cost.wall:>7.1f} s{cost.processor:>8.1f} s of the processor, {len(entries)} objects reported"
        )
        print(f"    {_by_kind(seen, cost)}", flush=True)
        if step == CREATE:
            systems = Counter(entry.system or "others" for entry in entries)
            print(f"    objects: {dict(systems)}", flush=True)
    if entries:
        names = ", ".join(f"{entry.name} ({entry.action.value})" for entry in entries[:5])
        raise SystemExit(f"{layout.name}: {LAST}: {len(entries)} changes: {names}")
    return costs


def _by_kind(seen: Processes, cost: Cost) -> str:
    """Return the processor time of each kind of process; that of servers and of other work is not in the cost."""
    kinds = seen.seconds
    servers = kinds.pop(OTHERS, 0.0)
    kinds["not seen"] = max(0.0, cost.processor - sum(kinds.values()))
    shown = ", ".join(f"{kind} {seconds:.1f}" for kind, seconds in sorted(kinds.items(), key=lambda pair: -pair[1]))
    others = seen.machine - cost.processor - servers
    return f"{shown}; servers {servers:.1f}; other work on the machine {others:.1f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--systems", default="")
    parser.add_argument("--shards", type=int)
    parser.add_argument("tenants", nargs="?", type=int, default=6)
    args = parser.parse_args()
    main(args.tenants, [name for name in args.systems.split(",") if name], args.shards)

"""The processor time of `usine fleet` with the real engine, by the size of the fleet, on a separate local platform.

The fleet grows. At each size a row, in seconds: processor time and time on the clock per new tenant; processor time of
a run in which nothing changed, per tenant of a run that asks the systems although nothing changed, of a run in which
one tenant changed, and per drift scan; and the memory of the largest process so far.

Before the largest size but one, the run is killed three times with all its processes, and continued. So that size has
no figure for new tenants, and the other sizes are compared. At the end the result is checked: no object is in two
stacks, and all stacks have the same number of objects. A model (a tenant costs as much as at the first size) predicts
the largest size, which gives the model's error, and 10,000 tenants.
Run: python -m benchmarks.bench_fleet_up [--systems vault,gitlab,harbor] [SIZE SIZE SIZE ...]
"""

from __future__ import annotations

import argparse
import resource
from collections import Counter
from collections.abc import Sequence
from typing import Final

from benchmarks.lab_fleet import Bench, bench_platform

SIZES: Final = (10, 50, 100)
_SYSTEMS: Final = "vault,gitlab,harbor"
_KILLS: Final = 3
#: The number of tenants that are asked and scanned at each size.
_SOME: Final = 5
#: The sizes that are needed: a first one, the one before which runs are killed, and the largest.
_LEAST: Final = 3


def main(sizes: Sequence[int], systems: Sequence[str]) -> None:
    """Measure and print."""
    with bench_platform(systems) as home:
        bench = Bench(home, systems)
        print(f"foundation: {bench.run('fleet', 'up').processor:.1f} s of processor time", flush=True)
        bench.run("fleet", "drift")
        bench.grow(1)  # what only the first tenant costs is in no row
        bench.run("fleet", "up")
        print("tenants  new: cpu  clock  none: cpu  asked: cpu  one: cpu  scan: cpu    memory")
        last, costs = 1, dict[int, float]()
        for size in sizes:
            killed = size == sizes[-2]
            bench.grow(size)
            for _ in range(_KILLS if killed else 0):
                bench.kill(after=(size - last) // (_KILLS + 1))
            new = bench.run("fleet", "up")
            none = bench.run("fleet", "up").processor
            asked = bench.run("fleet", "up", "--all", "--only", "tenants", "--limit", str(_SOME)).processor / _SOME
            bench.change(size)
            one = bench.run("fleet", "up").processor
            # The foundation has a stack, too; the share is rounded up.
            scan = bench.run("fleet", "drift", "--share", str((_SOME - 0.5) / (size + 1))).processor / _SOME
            costs |= {} if killed else {size: new.processor / (size - last)}
            each = f"{'killed':>10}{'':>7}" if killed else f"{costs[size]:>10.1f}{new.wall / (size - last):>7.1f}"
            memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
            print(f"{size:>7}{each}{none:>11.1f}{asked:>12.1f}{one:>10.1f}{scan:>11.1f}{memory:>7} MB", flush=True)
            last = size
        _check(bench, last)
        first, largest = costs[sizes[0]], costs[last]
        print(f"a tenant at {last} costs {largest / first:.2f} times as much as at {sizes[0]}")
        print(f"an unchanged fleet costs {none / (asked * last):.1%} of a run that asks about each tenant")
        print(f"model: {first:.1f} s per tenant, error at {last}: {(first - largest) / largest:+.0%}")
        print(f"10,000 tenants: {10_000 * first / 3600:.0f} hours of processor time", flush=True)


def _check(bench: Bench, size: int) -> None:
    """Check that each object is in one stack, and that each tenant has the same number of objects."""
    stacks = [ids for stack, ids in bench.objects().items() if "." in stack]
    numbers = Counter(map(len, stacks))
    twice = [name for name, number in Counter(name for ids in stacks for name in ids).items() if number > 1]
    print(f"  {size} tenants, objects per stack: {dict(numbers)}, in two stacks: {len(twice)}", flush=True)
    if len(stacks) != size or len(numbers) != 1 or twice:
        raise SystemExit(f"twice: {twice[:5]}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--systems", default=_SYSTEMS)
    parser.add_argument("sizes", nargs="*", type=int)
    args = parser.parse_args()
    chosen = args.sizes or SIZES
    if len(chosen) < _LEAST:
        parser.error(f"at least {_LEAST} sizes")
    main(chosen, args.systems.split(","))

"""The processor time of `usine fleet plan` for a fleet in which nothing changed, by size, and the memory.

Prints one row per size: reading the tenant files, the digests of all stacks, the records of the last runs, and the
comparison. The records are on the local disk; an object store adds a request per stack.
Run: python -m benchmarks.bench_fleet_plan [SIZE ...]
"""

from __future__ import annotations

import datetime
import resource
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.bench_spec import ROOT, generate, spent_by, unbounded
from model.reading.load import load
from model.reading.settings_load import load_settings
from usine.engine.storage import state_storage
from usine.fleet.inputs import read_inputs
from usine.fleet.layout import Layout
from usine.fleet.planning import make_fleet_plan
from usine.fleet.records import Records, Result, RunRecord
from usine.program import PROGRAM

SIZES: Final = (100, 1000, 10_000)
_SAMPLE: Final = "petitions"


def main(sizes: Sequence[int] = SIZES) -> None:
    """Measure and print a row per size."""
    print(f"usine fleet plan, copies of {_SAMPLE}, nothing changed")
    print(f"{'tenants':>8} {'read':>8} {'digests':>8} {'records':>8} {'compare':>8} {'in all':>8} {'memory':>8}")
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            _measure(Path(folder), size)


def _measure(root: Path, size: int) -> None:
    settings = unbounded(load_settings(ROOT / "Pulumi.lab.yaml"))
    for name in PROGRAM:
        (root / name).symlink_to(ROOT / name)
    for path in settings.authorities:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    projects = root / "tenants"
    projects.mkdir()
    generate(projects, (ROOT / "projects.d" / f"{_SAMPLE}.yaml").read_text(encoding="utf-8"), _SAMPLE, size)
    records = Records(state_storage({"PULUMI_BACKEND_URL": f"file://{root}"}), "prod")
    read, tenants = spent_by(lambda: load(projects, settings))
    slugs = [tenant.slug for tenant in tenants]
    layout = Layout.read("prod", ROOT / "Pulumi.lab.yaml", projects, root / "out", slugs)
    digests, inputs = spent_by(lambda: read_inputs(root, layout, settings, tenants, None))
    for slug, wanted in inputs.items():
        records.write_run(slug, RunRecord(wanted, Result.APPLIED, datetime.datetime.now(datetime.UTC), 1.0))
    reading, runs = spent_by(records.runs)
    compare, plan = spent_by(lambda: make_fleet_plan(inputs, runs))
    if plan.tasks or plan.unchanged != size + 1:
        raise SystemExit(f"{len(plan.tasks)} stacks of an unchanged fleet need a run")
    times = (read, digests, reading, compare)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{size:>8} " + " ".join(f"{spent:>7.2f}s" for spent in (*times, sum(times))) + f" {memory:>5} MB")


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or SIZES)

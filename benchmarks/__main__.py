"""Run every benchmark of this package."""

from __future__ import annotations

from benchmarks import bench_fleet_plan, bench_spec

bench_spec.main()
bench_fleet_plan.main()

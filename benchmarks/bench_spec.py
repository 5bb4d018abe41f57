"""The time to load the tenant files of a platform, compared with only parsing them.

For each sample, prints one row per size of fleet: wall and processor time of `load()`, processor time of PyYAML's C
loader on the same bytes, and the ratio of the two (all that is checked, over the bare parse). Processor time, because
other load on the machine hardly changes it. Run: python -m benchmarks.bench_spec [SIZE ...]
"""

from __future__ import annotations

import dataclasses
import gc
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import yaml

from model.reading.load import load
from model.reading.settings_load import load_settings
from model.settings import Settings

_Value = TypeVar("_Value")
ROOT = Path(__file__).resolve().parents[1]
#: A tenant that states nearly every key, and one that leaves nearly every key to its archetype.
SAMPLES = ("teleservice", "petitions")
SIZES = (100, 300, 1000, 3000, 10_000)


def main(sizes: Sequence[int] = SIZES) -> None:
    """Measure and print a row per size."""
    settings = unbounded(load_settings(ROOT / "Pulumi.lab.yaml"))
    print(f"libyaml: {yaml.__with_libyaml__}")
    for sample in SAMPLES:
        _measure(sample, sizes, settings)


def _measure(sample: str, sizes: Sequence[int], settings: Settings) -> None:
    example = (ROOT / "projects.d" / f"{sample}.yaml").read_text(encoding="utf-8")
    print(f"copies of {sample}: {len(example.encode())} bytes")
    print(f"{'files':>7} {'wall':>8} {'processor':>10} {'per file':>9} {'bare parse':>11} {'ratio':>6}")
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            generate(Path(folder), example, sample, size)
            texts = [path.read_bytes() for path in sorted(Path(folder).iterdir())]
            wall, spent = _time(lambda: load(Path(folder), settings))
            _, bare = _time(lambda: [yaml.load(text, yaml.CSafeLoader) for text in texts])  # noqa: B023 - called at once
            each, ratio = spent / size * 1000, spent / bare
            print(f"{size:>7} {wall:>7.2f}s {spent:>9.2f}s {each:>7.2f}ms {bare:>10.2f}s {ratio:>6.2f}")


def unbounded(settings: Settings) -> Settings:
    """Remove the clusters' capacity, because ten thousand copies of a tenant exceed it."""
    clusters = {name: dataclasses.replace(cluster, capacity=None) for name, cluster in settings.clusters.items()}
    return dataclasses.replace(settings, clusters=clusters)


def generate(folder: Path, example: str, sample: str, size: int) -> None:
    """Write copies of a sample, each with a slug and host names of its own."""
    for number in range(size):
        slug = f"tenant-{number}"
        # Slugs and host names are unique on a platform.
        text = example.replace(sample, slug).replace("d'inscription", f"n° {number}")
        text = text.replace("inscription.", f"{slug}-2.")
        (folder / f"{slug}.yaml").write_text(text, encoding="utf-8")


def _time(action: Callable[[], object]) -> tuple[float, float]:
    """Return wall and processor time of the better of two runs, in seconds."""
    times = []
    for _ in range(2):
        gc.collect()
        wall, processor = time.perf_counter(), time.process_time()
        action()
        times.append((time.perf_counter() - wall, time.process_time() - processor))
    return min(times, key=lambda pair: pair[1])


def spent_by(action: Callable[[], _Value]) -> tuple[float, _Value]:
    """Return the processor time of a call in seconds, and its value."""
    started = time.process_time()
    value = action()
    return time.process_time() - started, value


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or SIZES)

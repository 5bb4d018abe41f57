"""The time of `usine diff` for one changed file, by the size of the fleet, and the time of a plan of all tenants.

Prints a row per size: `cold`, with an empty cache; `warm`, the same again; `next`, another change of the same file, so
that the base is in the cache and the head is not; `everything`, a plan of the whole fleet by `usine plan`. Each cell is
the wall time, and in parentheses the processor time of all processes, which a busy machine does not change. It measures
the current commit. Run: python -m benchmarks.bench_diff [SIZE ...]; a plan of everything is omitted above 100 tenants
unless USINE_BENCH_EVERYTHING is set.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SIZES = (10, 100, 1000)
_MOST_EVERYTHING = 100
_CHANGED = "tenant-7"
_WHO = ("-c", "user.name=bench", "-c", "user.email=bench@example.org")


def main(sizes: Sequence[int] = SIZES) -> None:
    """Measure and print a row per size."""
    print(f"{'tenants':>8}{'cold':>20}{'warm':>20}{'next':>20}{'everything':>20}")
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            fleet = _BenchClone(Path(folder), size)
            fleet.ask_for("3")
            cells = [fleet.timed("diff"), fleet.timed("diff")]
            fleet.ask_for("5")
            cells.append(fleet.timed("diff"))
            whole = size <= _MOST_EVERYTHING or "USINE_BENCH_EVERYTHING" in os.environ
            cells.append(fleet.timed("plan", "--json", str(fleet.plan)) if whole else "")
        print(f"{size:>8}" + "".join(f"{cell:>20}" for cell in cells), flush=True)


class _BenchClone:
    """A clone with a number of similar tenants and its own cache."""

    def __init__(self, folder: Path, size: int) -> None:
        self._root, self._cache, self.plan = folder / "clone", folder / "cache", folder / "plan.json"
        self._git("clone", "--quiet", str(ROOT), str(self._root), cwd=folder)
        projects = self._root / "projects.d"
        example = (projects / "teleservice.yaml").read_text(encoding="utf-8")
        for old in projects.iterdir():
            old.unlink()
        for number in range(size):
            slug = f"tenant-{number}"
            (projects / f"{slug}.yaml").write_text(example.replace("teleservice", slug), encoding="utf-8")
        settings = self._root / "Pulumi.lab.yaml"
        unbounded = re.sub(r"(?m)^ *capacity: .*\n", "", settings.read_text(encoding="utf-8"))
        settings.write_text(unbounded, encoding="utf-8")
        self._git("add", "--all", cwd=self._root)
        self._git("commit", "--quiet", "--message", "A fleet", cwd=self._root)

    def ask_for(self, cpu: str) -> None:
        """Change one tenant's quota."""
        file = self._root / "projects.d" / f"{_CHANGED}.yaml"
        file.write_text(re.sub(r"cpu: \d+, memory: 8Gi", f"cpu: {cpu}, memory: 8Gi", file.read_text("utf-8")), "utf-8")

    def timed(self, *arguments: str) -> str:
        """Run a command of the clone and return its wall and processor time."""
        base = ["--base", "HEAD"] if arguments[0] == "diff" else []
        before, started = _processor(), time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "usine", *arguments, *base],
            cwd=self._root,
            env={**os.environ, "XDG_CACHE_HOME": str(self._cache)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise SystemExit(f"usine {arguments[0]}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return f"{time.perf_counter() - started:.1f} s ({_processor() - before:.1f} s)"

    @staticmethod
    def _git(*arguments: str, cwd: Path) -> None:
        subprocess.run(["git", *_WHO, *arguments], cwd=cwd, check=True)


def _processor() -> float:
    """Return the processor time of all processes that ended so far, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or SIZES)

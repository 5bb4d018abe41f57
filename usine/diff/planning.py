"""Plans both sides, each with its own program in its own processes. Cached plans are not made again."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath

from usine.diff.cache import PlanCache
from usine.diff.side import Side
from usine.plan.model import Plan
from usine.plan.reading import load_plan
from usine.plan.scope import PlanScope

#: Increased with every change of the form of a cached plan.
_FORMAT = 1
#: Packages that a plan depends on, beside the program.
_PACKAGES = (
    *("pulumi", "pulumi-gitlab", "pulumi-keycloak", "pulumi-kubernetes", "pulumi-vault", "pulumiverse-harbor"),
    *("pydantic", "PyYAML"),
)
#: The variables that a planning process gets. None is a credential.
_VARIABLES = ("HOME", "LANG", "LC_ALL", "LC_CTYPE", "PATH", "SYSTEMROOT", "TMPDIR", "TZ")
_SCOPES = "usine/plan/scope.py"
_PROCESSES = 2
#: A process costs two seconds, and its time grows faster than the number of its tenants. This number is the quickest.
TENANTS_AT_ONCE = 12


class PlanError(Exception):
    """The program of a side fails to plan it. The message has some lines: which side, and the program's errors."""

    def __init__(self, side: Side, lines: Sequence[str]) -> None:
        """Build the message."""
        super().__init__("\n".join([f"the {side.role}, {side.full_name}, cannot be planned:", *lines]))


@dataclass(frozen=True, slots=True)
class Task:
    """Tenants of a side to plan; without a `scope`, the whole side. `projects` is the folder of tenant files."""

    side: Side
    projects: PurePosixPath
    scope: PlanScope | None


def whole(side: Side, projects: PurePosixPath) -> tuple[Task, ...]:
    """Return the tasks that together plan a whole side.

    No tenant depends on another one, and the foundation has objects for each person, so that the plans add up.
    """
    if _SCOPES not in side.objects:  # a program older than `usine plan --scope`
        return (Task(side, projects, None),)
    slugs = sorted(side.tenants(projects))
    parts = [frozenset(slugs[at : at + TENANTS_AT_ONCE]) for at in range(0, len(slugs), TENANTS_AT_ONCE)]
    return tuple(Task(side, projects, PlanScope(part)) for part in parts or [frozenset[str]()])


def plan(tasks: Sequence[Task], cache: PlanCache, workspace: Path) -> tuple[Plan, ...]:
    """Plan every task, some of them at the same time. Raises PlanError for the first one that fails."""
    with ThreadPoolExecutor(_PROCESSES) as pool:
        return tuple(pool.map(lambda task: _plan(task, cache, workspace), tasks))


def merge(plans: Iterable[Plan]) -> Plan:
    """Join the plans of one side."""
    return Plan.of({resource.key: resource for part in plans for resource in part.resources}.values())


def _plan(task: Task, cache: PlanCache, workspace: Path) -> Plan:
    key = _key(task)
    known = cache.get(key)
    if known is not None:
        return known
    text = _run(task, workspace / f"{key}.scope.json")
    try:
        made = load_plan(text)
    except ValueError as error:
        raise PlanError(task.side, [str(error)]) from None
    cache.put(key, text)
    return made


def _run(task: Task, scope_file: Path) -> bytes:
    command = [sys.executable, "-m", "usine", "plan", "--settings", str(task.side.settings_path), "--json", "-"]
    if task.scope is not None:
        scope_file.write_text(task.scope.dumps(), encoding="utf-8")
        command += ["--scope", str(scope_file)]
    # `-m` searches the current folder first: the process runs the side's own program.
    environment = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
    done = subprocess.run(
        command, cwd=task.side.folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if done.returncode != 0:
        errors = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise PlanError(task.side, _last_lines(errors) or [f"its program ends with exit code {done.returncode}"])
    return done.stdout


def _last_lines(lines: Sequence[str]) -> Sequence[str]:
    """Return the last line only if there is a traceback: the rest is internal to the program."""
    return lines[-1:] if any(line.startswith("Traceback") for line in lines) else lines


def _key(task: Task) -> str:
    side, scope = task.side, task.scope
    tenants = side.tenants(task.projects)
    if scope is not None:
        tenants = {slug: hash_ for slug, hash_ in tenants.items() if slug in scope.tenants}
    parts = [
        _FORMAT,
        sys.version,
        [_version(name) for name in _PACKAGES],
        sorted(side.program.items()),
        [str(side.settings_path), side.settings],
        sorted(tenants.items()),
        None if scope is None else scope.dumps(),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None

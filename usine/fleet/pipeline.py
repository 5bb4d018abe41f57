"""A child pipeline of GitLab that runs the stacks of a fleet that need it (docs/fleet-gitlab.md).

The file has no variable and no credential: its jobs log in as `.stack` of the shared CI file does.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import yaml

from model.units import is_shard
from usine.fleet.layout import Layout
from usine.fleet.planning import FleetTask

#: The file with `.stack` and `.fleet`, which the child pipeline includes.
SHARED: Final = ".gitlab/ci/stack.gitlab-ci.yml"
#: GitLab allows 500 jobs with an environment in a pipeline (plan limit `ci_pipeline_deployments`).
MOST_JOBS: Final = 400
#: The lowest default of GitLab for the size of a configuration (`max_yaml_size_bytes`); newer versions have 2 MiB.
LONGEST: Final = 2**20
#: How many tenants that probably need no run share a job at most, before the number of jobs is the limit.
_OTHERS_IN_A_JOB: Final = 20
_CONDITION: Final = '$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH && $CI_COMMIT_REF_PROTECTED == "true"'


@dataclass(frozen=True, slots=True)
class ChildPipeline:
    """A child pipeline with at most `jobs` jobs for tenants.

    `settings` is the path of the settings file in the checkout. `run` identifies the run, so that its jobs add up what
    they remove. `environment` is the one that the jobs deploy to. A job for several tenants runs `workers` at a time.
    `now`: they run tenants that are held, and all waves at once.
    """

    layout: Layout
    settings: str
    run: str
    environment: str
    jobs: int
    workers: int
    now: bool = False

    def render(self, tasks: Sequence[FleetTask], first: Sequence[str] = (), others: Sequence[str] = ()) -> str:
        """Return the text of the file; the arguments are those of `document`."""
        return yaml.safe_dump(self.document(tasks, first, others), sort_keys=False, width=LONGEST)

    def document(
        self, tasks: Sequence[FleetTask], first: Sequence[str] = (), others: Sequence[str] = ()
    ) -> dict[str, object]:
        """Return the content of the file.

        Args:
            tasks: the stacks that need a run, in their order.
            first: units that run before the others.
            others: units that may need a run after that of the foundation.
        """
        found: dict[str, object] = {}
        if any(task.unit is None for task in tasks):
            found["foundation"] = self._job("foundation", self.layout.base, "--only", "foundation") | {
                # A part of the foundation failed: the tenants run, as in `usine fleet up`.
                "allow_failure": {"exit_codes": [4]}
            }
        units = [task.unit for task in tasks if task.unit]
        found |= self._tenants("first", [unit for unit in units if unit in first])
        # Those that changed themselves have jobs of their own: they wait for no other tenant and no other pipeline.
        own = [task.unit for task in tasks if task.unit and task.unit not in first and not task.by_platform]
        platform = [unit for unit in units if unit not in first and unit not in own]
        # If there are many, they share the jobs with all others.
        alone = len(own) if len(own) <= self.jobs // 2 else 0
        for unit in own[:alone]:
            found |= self._job_of("tenants", unit)
        later = [*own[alone:], *platform]
        found |= self._tenants("tenants", [*later, *others], len(later), self.jobs - alone)
        return {
            "include": [{"local": SHARED}],
            "stages": ["foundation", "first", "tenants", "report"],
            **(found | {"report": self._report()} if found else {"nothing": _NOTHING}),
        }

    def _tenants(
        self, stage: str, units: Sequence[str], certain: int | None = None, most: int | None = None
    ) -> Mapping[str, object]:
        """Return up to `most` jobs of a stage. The first `certain` units need a run (all: None)."""
        certain = len(units) if certain is None else certain
        most = self.jobs if most is None else most
        count = min(most, certain + math.ceil((len(units) - certain) / _OTHERS_IN_A_JOB))
        found: dict[str, object] = {}
        for number in range(1, count + 1):
            group = units[number - 1 :: count]
            if len(group) == 1:
                found |= self._job_of(stage, group[0])
            else:
                shared = f"{self.layout.base}/{stage}-{number}"
                words = (*self._among(group), "--workers", str(self.workers))
                found[f"{stage} {number}/{count}"] = self._job(stage, shared, *words)
        return found

    def _job_of(self, stage: str, unit: str) -> Mapping[str, object]:
        """Return the job of one unit: no other job runs its stack at the same time."""
        name = f"{'shard' if is_shard(unit) else 'tenant'} {unit}"
        return {name: self._job(stage, self.layout.stack(unit), *self._among([unit]))}

    def _among(self, units: Sequence[str]) -> Sequence[str]:
        chosen = (word for unit in units for word in ("--among", unit))
        return ["--only", "tenants", *(["--now"] if self.now else []), *chosen]

    def _job(self, stage: str, group: str, *words: str) -> dict[str, object]:
        return {
            "extends": ".fleet",
            "stage": stage,
            "resource_group": group,
            "environment": {"name": self.environment, "deployment_tier": "production"},
            "script": [self._command("up", *words)],
        }

    def _report(self) -> dict[str, object]:
        """Return the last job, which merges the reports of all."""
        files = {form: f"out/fleet.{end}" for form, end in (("json", "json"), ("html", "html"), ("markdown", "md"))}
        return {
            "extends": ".look",
            "stage": "report",
            "environment": {"name": self.layout.base, "action": "access"},
            "script": [self._command("report", *(word for form in files for word in (f"--{form}", files[form])))],
            "rules": [{"if": _CONDITION, "when": "always"}],
            "artifacts": {"paths": list(files.values())},
        }

    def _command(self, action: str, *words: str) -> str:
        start = ("bin/usine", "fleet", action, "--settings", self.settings, "--stack", self.layout.base)
        return shlex.join([*start, "--run", self.run, *words])


#: GitLab refuses a pipeline without a job.
_NOTHING: Final = {
    "stage": "report",
    "inherit": {"default": ["image"]},
    "variables": {"GIT_STRATEGY": "none"},
    "script": ["echo 'No stack needs a run.'"],
    "rules": [{"if": _CONDITION}],
}

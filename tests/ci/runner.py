"""A small GitLab runner: fetches jobs with the runner's own protocol and runs their scripts as written, with bash.

The stand-in GitLab resolves a job (`default`, `extends`, `!reference`, rules, variables, identity tokens). This module
does the work of a runner: it clones with the job's own token and depth, restores artifacts of earlier jobs and caches,
runs the script under `set -eo pipefail`, and collects artifacts. The environment has the job's variables and nothing of
this process. One difference from a real runner: `.venv` is a link to this checkout's, so that `make venv` is up to date
and no test waits for packages.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.standins.gitlab import ci_variables
from lab.testing.ci_client import Runner
from lab.testing.gitlab_server import LiveGitLab

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Done:
    """A finished job. `artifacts` has the files that it made, `missing` those that it declares and did not make."""

    name: str
    exit_code: int
    log: str
    artifacts: Path
    missing: tuple[str, ...]
    secrets: tuple[str, ...] = field(repr=False)

    def read(self, path: str) -> str:
        """Return the text of an artifact."""
        return (self.artifacts / path).read_text(encoding="utf-8")

    def must(self) -> Done:
        """Return the job itself, after asserting that it succeeded and made all declared files."""
        assert self.exit_code == 0, f"{self.name}: exit {self.exit_code}\n{self.log}"
        assert self.missing == (), f"{self.name} did not make the declared files: {self.missing}"
        return self

    def holds(self, secret: str) -> str:
        """Return where a secret is in clear (the log, artifacts), or an empty string."""
        found = ["the log"] if secret in self.log else []
        files = (one for one in self.artifacts.rglob("*") if one.is_file())
        found += [str(one.relative_to(self.artifacts)) for one in files if secret.encode() in one.read_bytes()]
        return ", ".join(found)


class JobRunner:
    """Runs the pending jobs of one project. `image` has the variables that the job's image would define.

    `home` is the home folder of the user who runs the jobs, as on a runner without containers.
    """

    def __init__(
        self, live: LiveGitLab, runner: Runner, folder: Path, home: Path, image: Mapping[str, str] | None = None
    ) -> None:
        self._live = live
        self._runner = runner
        self._folder = folder
        self._home = home
        self._image = image or {}
        self._artifacts: dict[tuple[int, str], tuple[str, Path]] = {}

    def run(self, *, only: tuple[str, ...] | None = None) -> dict[str, Done]:
        """Run the pending jobs and those that follow. Jobs that are not in `only` count as successful without a run."""
        done = {}
        while job := self._runner.take():
            name = job["job_info"]["name"]
            if only is not None and name not in only:
                self._runner.finish(job)
                continue
            done[name] = self._one(job)
            state = "success" if done[name].exit_code == 0 else "failed"
            failure = {} if state == "success" else {"failure_reason": "script_failure"}
            self._runner.finish(job, state, exit_code=done[name].exit_code, **failure)
        return done

    def _one(self, job: dict[str, Any]) -> Done:
        stored = self._live.site.store.get("job", job["id"])
        assert stored is not None
        config, name = stored["config"], job["job_info"]["name"]
        clone = self._folder / "builds" / f"{job['id']}-{name}"
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self._home),
            "LANG": "C.UTF-8",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            **self._image,
            **self._variables(job, clone),
        }
        _clone(job, clone, int(environment.get("GIT_DEPTH", "20")), environment)
        for folder in self._restored(stored, config):
            shutil.copytree(folder, clone, dirs_exist_ok=True)
        caches = list(self._caches(config, environment))
        for key, paths in caches:
            _copy(self._folder / "cache" / key, paths, clone)
        code, log = _bash(job["steps"][0]["script"], clone, environment)
        for key, paths in caches:
            _copy(clone, paths, self._folder / "cache" / key)
        kept, missing = self._collect(stored, config, clone)
        self._artifacts[(stored["pipeline_id"], name)] = (stored["stage"], kept)
        secrets = tuple(one["value"] for one in job["variables"] if one.get("masked") and len(one["value"]) >= 8)
        return Done(name, code, log, kept, missing, secrets)

    def _variables(self, job: dict[str, Any], clone: Path) -> dict[str, str]:
        found = {}
        for one in job["variables"]:
            value = one["value"]
            if one.get("file"):
                file = self._folder / "files" / str(job["id"]) / one["key"]
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(value, encoding="utf-8")
                value = str(file)
            found[one["key"]] = value.replace("$CI_PROJECT_DIR", str(clone))
        return {**found, "CI_PROJECT_DIR": str(clone)}

    def _restored(self, stored: dict[str, Any], config: dict[str, Any]) -> Iterator[Path]:
        """Artifacts of the jobs in `needs`, or of all earlier jobs of the pipeline if there is no `needs`."""
        needs = config.get("needs")
        names = None if needs is None else {one if isinstance(one, str) else one["job"] for one in needs}
        for (pipeline, name), (stage, folder) in self._artifacts.items():
            earlier = stage != stored["stage"] if names is None else name in names
            if pipeline == stored["pipeline_id"] and earlier:
                yield folder / "paths"

    def _caches(self, config: dict[str, Any], environment: Mapping[str, str]) -> Iterator[tuple[str, list[str]]]:
        caches = config.get("cache") or []
        for one in caches if isinstance(caches, list) else [caches]:
            key = one["key"]
            text = "-".join(key["files"]) if isinstance(key, dict) else ci_variables.expand(key, environment)
            yield text.replace("/", "-"), one["paths"]

    def _collect(self, stored: dict[str, Any], config: dict[str, Any], clone: Path) -> tuple[Path, tuple[str, ...]]:
        """Copy the declared files: `paths`, which later jobs get, and `reports`, which GitLab reads."""
        kept = self._folder / "artifacts" / f"{stored['id']}-{stored['name']}"
        artifacts = config.get("artifacts") or {}
        missing = []
        declared = {"paths": artifacts.get("paths") or [], "reports": list((artifacts.get("reports") or {}).values())}
        for kind, paths in declared.items():
            (kept / kind).mkdir(parents=True)
            for path in paths:
                if not (clone / path).exists():
                    missing.append(path)
                _copy(clone, [path], kept / kind)
        return kept, tuple(missing)


def _clone(job: dict[str, Any], clone: Path, depth: int, environment: Mapping[str, str]) -> None:
    git = job["git_info"]
    quiet = {**environment, "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}

    def run(*arguments: str) -> None:
        done = subprocess.run(
            ["git", "-C", str(clone), *arguments], env=quiet, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    clone.mkdir(parents=True)
    run("init", "--quiet")
    run("remote", "add", "origin", git["repo_url"])
    shallow = [f"--depth={depth}"] if depth else []
    run("fetch", "--quiet", *shallow, "origin", *git["refspecs"])
    run("checkout", "--quiet", "--detach", git["sha"])
    (clone / ".venv").symlink_to(ROOT / ".venv")
    (clone / ".git" / "info" / "exclude").write_text("/.venv\n", encoding="utf-8")
    for lock in clone.glob("requirements*"):
        os.utime(lock, (0, 0))  # older than the environment: nothing to install


def _bash(lines: list[str], clone: Path, environment: Mapping[str, str]) -> tuple[int, str]:
    script = "\n".join(["set -eo pipefail", *lines, ""])
    done = subprocess.run(
        ["bash", "--noprofile", "--norc"],
        input=script,
        cwd=clone,
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=500,
    )
    return done.returncode, done.stdout


def _copy(source: Path, paths: list[str], target: Path) -> None:
    for path in paths:
        found = source / path
        if found.is_dir():
            shutil.copytree(found, target / path, dirs_exist_ok=True, symlinks=True)
        elif found.exists():
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(found, target / path, follow_symlinks=False)

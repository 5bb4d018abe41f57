"""A small GitLab runner: takes jobs with the runners' protocol and runs their scripts as written, with bash.

GitLab resolves a job: `default`, `extends`, `!reference`, rules, variables, identity tokens, what it needs. This module
does the work of a runner with the shell executor, and knows only what GitLab sends. It clones with the job's token and
depth, downloads the artifacts of the jobs that GitLab names, restores caches, runs the script under
`set -eo pipefail`, and uploads the log, the artifacts and the reports. The environment has the job's variables and
nothing of this process.
"""

from __future__ import annotations

import glob
import gzip
import io
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lab.testing.ci_client import Runner

#: Seconds after which a script is stopped.
_LIMIT: Final = 500
#: The shortest value that GitLab masks.
_SHORTEST_SECRET: Final = 8


@dataclass(frozen=True)
class Done:
    """A finished job. `artifacts` has its files in `paths` and `reports`, `missing` the declared paths without any."""

    name: str
    exit_code: int
    log: str
    artifacts: Path
    missing: tuple[str, ...]
    secrets: tuple[str, ...] = field(repr=False)
    pipeline_id: int = 0

    def read(self, path: str) -> str:
        """Return the text of an artifact."""
        return (self.artifacts / path).read_text(encoding="utf-8")

    def must(self) -> Done:
        """Return the job itself, after asserting that it succeeded and made all declared files."""
        assert self.exit_code == 0, f"{self.name}: exit {self.exit_code}\n{self.log}"
        assert self.missing == (), f"{self.name} did not make the declared files: {self.missing}\n{self.log}"
        return self

    def fails(self, *messages: str) -> Done:
        """Return the job itself, after asserting that it failed and that its log has these messages."""
        assert self.exit_code != 0, f"{self.name} succeeded\n{self.log}"
        absent = [message for message in messages if message not in self.log]
        assert absent == [], f"{self.name} failed without {absent}\n{self.log}"
        return self

    def holds(self, secret: str) -> str:
        """Return where a secret is in clear (the log, artifacts), or an empty string."""
        found = ["the log"] if secret in self.log else []
        files = (one for one in self.artifacts.rglob("*") if one.is_file())
        found += [str(one.relative_to(self.artifacts)) for one in files if secret.encode() in one.read_bytes()]
        return ", ".join(found)


#: Returns the variables that a job's image defines, such as its PATH. Arguments: the image's name, a folder of the job.
ImageOf = Callable[[str, Path], Mapping[str, str]]


class JobRunner:
    """Runs the pending jobs that its runner may take.

    `home` is the home folder of the user who runs the jobs, as on a runner without containers. `image` has the
    variables that a job's image would define, `prepare` changes a fresh clone before its job runs.
    """

    def __init__(
        self,
        runner: Runner,
        folder: Path,
        home: Path,
        image: Mapping[str, str] | ImageOf | None = None,
        prepare: Callable[[Path], None] | None = None,
    ) -> None:
        """Take the runner, and folders for its builds and for the user's files."""
        self._runner = runner
        self._folder = folder
        self._home = home
        given = image or {}
        self._image: ImageOf = given if callable(given) else lambda _name, _folder: given
        self._prepare = prepare

    def run(self, *, only: Iterable[str] | None = None, goes_on: Callable[[], bool] = lambda: True) -> dict[str, Done]:
        """Run the pending jobs and those that follow, while `goes_on`.

        Jobs that are not in `only` count as successful without a run.
        """
        done = {}
        names = None if only is None else set(only)
        while goes_on() and (job := self._runner.take()):
            name = job["job_info"]["name"]
            if names is not None and name not in names:
                self._finish(job)
                continue
            done[name] = self._one(job)
            state = "success" if done[name].exit_code == 0 else "failed"
            failure = {} if state == "success" else {"failure_reason": "script_failure"}
            self._finish(job, state, exit_code=done[name].exit_code, **failure)
        return done

    def _finish(self, job: dict[str, Any], state: str = "success", **more: Any) -> None:
        answer = self._runner.finish(job, state, **more)
        assert answer.is_success, f"{job['job_info']['name']}: {answer.status_code} {answer.text}"

    def _one(self, job: dict[str, Any]) -> Done:
        name = job["job_info"]["name"]
        clone = self._folder / "builds" / f"{job['id']}-{_file_name(name)}"
        secrets = tuple(
            one["value"] for one in job["variables"] if one.get("masked") and len(one["value"]) >= _SHORTEST_SECRET
        )
        variables = self._variables(job, clone)
        image = self._image((job["image"] or {}).get("name", ""), self._folder / "images" / str(job["id"]))
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self._home),
            "LANG": "C.UTF-8",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            **image,
            **variables,
        }
        _fetch(job, clone, environment)
        if self._prepare is not None and (clone / ".git").exists():
            self._prepare(clone)
        self._restore(job, clone)
        caches = self._folder / "cache" / str(job["job_info"]["project_id"])
        for cache in job["cache"]:
            if cache["policy"] != "push":
                keys = [cache["key"], *cache["fallback_keys"]]
                stored = next((caches / key for key in keys if (caches / key).is_dir()), None)
                _copy(stored, _matching(stored, cache["paths"]) if stored else [], clone)
        script, *after = job["steps"]
        code, log = _bash(script["script"], clone, environment, script["timeout"])
        for step in after:
            status = {"CI_JOB_STATUS": "success" if code == 0 else "failed"}
            _, more = _bash(step["script"], clone, {**environment, **status}, step["timeout"])
            log += more
        for cache in job["cache"]:
            if cache["policy"] != "pull" and cache["when"] in {"always", "on_success" if code == 0 else "on_failure"}:
                _copy(clone, _matching(clone, cache["paths"]), caches / cache["key"])
        kept = self._folder / "artifacts" / f"{job['id']}-{_file_name(name)}"
        missing, refused = self._upload(job, clone, kept, succeeded=code == 0)
        log += "".join(f"ERROR: Uploading artifacts: {line}\n" for line in refused)
        code = code or len(refused)
        self._runner.append(job, _masked(log, secrets).encode())
        pipeline = int(next(one["value"] for one in job["variables"] if one["key"] == "CI_PIPELINE_ID"))
        return Done(name, code, log, kept, missing, secrets, pipeline)

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

    def _restore(self, job: dict[str, Any], clone: Path) -> None:
        """Unpack the archives of the jobs that GitLab names."""
        for one in job["dependencies"]:
            with zipfile.ZipFile(io.BytesIO(self._runner.download(one))) as archive:
                archive.extractall(clone)

    def _upload(
        self, job: dict[str, Any], clone: Path, kept: Path, *, succeeded: bool
    ) -> tuple[tuple[str, ...], list[str]]:
        """Upload the declared files, and keep a copy. Return declared paths without a file, and refusals of GitLab."""
        missing, refused = [], []
        for kind in ("paths", "reports"):
            (kept / kind).mkdir(parents=True)
        for one in job["artifacts"] or []:
            if one["when"] not in {"always", "on_success" if succeeded else "on_failure"}:
                continue
            missing += [path for path in one["paths"] if not _matching(clone, [path])]
            excluded = set(_files(clone, _matching(clone, one.get("exclude") or [])))
            files = [path for path in _files(clone, _matching(clone, one["paths"])) if path not in excluded]
            _copy(clone, files, kept / ("paths" if one["artifact_type"] == "archive" else "reports"))
            if not files:
                continue
            if one["artifact_format"] == "raw" and len(files) > 1:
                refused.append(f"{one['artifact_type']}: only one file can be sent as raw")
                continue
            answer = self._runner.upload(job, one, _packed(clone, files, one["artifact_format"]))
            if not answer.is_success:
                refused.append(f"{one['artifact_type']}: {answer.text}")
        return tuple(missing), refused


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]", "_", name)


def _masked(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "[MASKED]")
    return text


def _packed(folder: Path, files: Iterable[str], form: str) -> bytes:
    if form == "zip":
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in files:
                archive.write(folder / path, path)
        return packed.getvalue()
    if form == "gzip":
        return b"".join(gzip.compress((folder / path).read_bytes()) for path in files)
    return b"".join((folder / path).read_bytes() for path in files)


def _fetch(job: dict[str, Any], clone: Path, environment: Mapping[str, str]) -> None:
    """Clone the job's commit, with its depth. With `GIT_STRATEGY: none` the folder is empty."""
    clone.mkdir(parents=True)
    if environment.get("GIT_STRATEGY") in {"none", "empty"}:
        return
    git, depth = job["git_info"], int(job["git_info"]["depth"])
    quiet = {**environment, "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}

    def run(*arguments: str) -> None:
        done = subprocess.run(
            ["git", "-C", str(clone), *arguments], env=quiet, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    run("init", "--quiet")
    run("remote", "add", "origin", git["repo_url"])
    shallow = [f"--depth={depth}"] if depth else []
    run("fetch", "--quiet", *shallow, "origin", *git["refspecs"])
    run("checkout", "--quiet", "--detach", git["sha"])


def _bash(lines: list[str], clone: Path, environment: Mapping[str, str], limit: int) -> tuple[int, str]:
    script = "\n".join(["set -eo pipefail", *lines, ""])
    done = subprocess.run(
        ["bash", "--noprofile", "--norc"],
        input=script,
        cwd=clone,
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        timeout=min(limit, _LIMIT),
    )
    return done.returncode, done.stdout


def _matching(folder: Path, patterns: Iterable[str]) -> list[str]:
    """Return the paths below a folder that match, relative to it; `**` matches any depth."""
    found: dict[str, None] = {}
    for pattern in patterns:
        for one in glob.iglob(pattern.rstrip("/"), root_dir=folder, recursive=True, include_hidden=True):
            assert (folder / one).resolve().is_relative_to(folder.resolve()), f"{one} is outside of the clone"
            found[one] = None
    return list(found)


def _files(folder: Path, paths: Iterable[str]) -> list[str]:
    """Return the files at and below these paths, relative to the folder."""

    def below(path: str) -> Iterator[str]:
        if (folder / path).is_dir():
            inside = (one for one in (folder / path).rglob("*") if one.is_file())
            yield from (str(one.relative_to(folder)) for one in inside)
        else:
            yield path

    return sorted({one for path in paths for one in below(path)})


def _copy(source: Path | None, paths: Iterable[str], target: Path) -> None:
    for path in paths if source is not None else ():
        assert source is not None  # for mypy
        found = source / path
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        if found.is_dir():
            shutil.copytree(found, target / path, dirs_exist_ok=True, symlinks=True)
        else:
            shutil.copy2(found, target / path, follow_symlinks=False)

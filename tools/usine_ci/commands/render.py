"""Render the manifests of each environment, as Argo CD does.

The job's variables (USINE_DEPLOY_PATH, USINE_VALUE_FILES, USINE_PARAMETERS, USINE_CHART, USINE_EACH_FOLDER,
USINE_ENVIRONMENTS, USINE_PROMOTIONS) come from the tenant file. A repository without a chart or manifests has nothing
to deploy yet: that is no error.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

from usine_ci.charts import applications, lint, render, source_of
from usine_ci.problems import Problem, RefusedError
from usine_ci.text import clean


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--output", required=True, type=Path, help="folder for <environment>.yaml")
    parser.add_argument("--branch", help="render this branch of the remote instead of the work tree")
    parser.add_argument("--lint", action="store_true", help="check the chart with `helm lint` too")


def run(options: argparse.Namespace) -> int:
    """Render all environments, and report the problems of all."""
    source = source_of(os.environ)
    options.output.mkdir(parents=True, exist_ok=True)
    problems: list[Problem] = []
    summary: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path.cwd()
        if options.branch:
            root = Path(folder)
            if not _export(options.branch, root):
                print(f"there is no branch {clean(options.branch)}")
        for environment in source.environments:
            try:
                text = render(source, root, environment, _deployed)
                if text is not None and options.lint:
                    for one in applications(source, root):
                        if (root / one.folder / "Chart.yaml").is_file():
                            lint(one, root, environment, _deployed)
            except RefusedError as refused:
                problems += [Problem(environment, 0, 0, line) for line in refused.lines]
                continue
            if source.chart:
                summary.append(
                    f"{environment}: the chart {clean(source.chart)} is not in this repository: its value files exist"
                )
                continue
            if text is None:
                summary.append(
                    f"{environment}: {source.folder} has neither a chart nor manifests: nothing to deploy yet"
                )
                continue
            (options.output / f"{environment}.yaml").write_text(text, encoding="utf-8")
            summary.append(f"{environment}: {options.output / environment}.yaml")
    # Also where there is nothing to deploy: GitLab keeps no empty folder for the jobs that follow.
    (options.output / "summary.txt").write_text("".join(f"{line}\n" for line in summary), encoding="utf-8")
    print(*summary, sep="\n")
    if problems and not options.branch:
        raise RefusedError(problems)
    for problem in problems:  # what is on another branch is not this change's defect
        print(f"{options.branch}: {problem}")
    return 0


def _git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", *arguments], capture_output=True, check=False)


def _export(branch: str, into: Path) -> bool:
    """Write the files of a branch of the remote; return whether there is one."""
    if _git("fetch", "--quiet", "--depth=1", "origin", f"refs/heads/{branch}").returncode != 0:
        return False
    archive = _git("archive", "FETCH_HEAD")
    subprocess.run(["tar", "-x", "-C", str(into)], input=archive.stdout, check=True)
    return True


def _deployed(environment: str, path: str) -> str | None:
    """Return a file of the branch that an environment follows."""
    if _git("fetch", "--quiet", "--depth=1", "origin", f"refs/heads/deploy/{environment}").returncode != 0:
        return None
    found = _git("show", f"FETCH_HEAD:{path}")
    return found.stdout.decode("utf-8", "replace") if found.returncode == 0 else None

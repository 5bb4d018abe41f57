"""Write the provenance of an image: the SLSA v1 predicate, from the job's variables.

It states the commit, the entry point and the builder. The job itself writes it, and a team controls its jobs: this is
SLSA build level 1. The signature proves that a protected pipeline of the tenant wrote it, not that it is true.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from usine_ci.problems import RefusedError
from usine_ci.text import clean

#: What the fields mean: docs/images.md.
BUILD_TYPE: Final = "https://usine.dev/image-job/v1"
#: The variables that GitLab sets in every job.
_NEEDED: Final = (
    "CI_PROJECT_URL",
    "CI_COMMIT_SHA",
    "CI_COMMIT_REF_NAME",
    "CI_SERVER_URL",
    "CI_RUNNER_ID",
    "CI_PIPELINE_ID",
    "CI_PIPELINE_SOURCE",
    "CI_JOB_ID",
    "CI_JOB_NAME",
    "CI_JOB_STARTED_AT",
)
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--tag", required=True, help="the tag that the image gets")
    parser.add_argument("--containerfile", required=True, help="path of the Containerfile in the repository")
    parser.add_argument("--output", required=True, type=Path, metavar="FILE", help="the predicate to write")


def run(options: argparse.Namespace) -> int:
    """Write the predicate."""
    finished = datetime.datetime.now(datetime.UTC)
    content = predicate(os.environ, options.tag, options.containerfile, finished)
    options.output.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return 0


def predicate(
    variables: Mapping[str, str], tag: str, containerfile: str, finished: datetime.datetime
) -> dict[str, object]:
    """Return the predicate of https://slsa.dev/provenance/v1."""
    missing = [name for name in _NEEDED if not variables.get(name)]
    if missing:
        raise RefusedError(f"not a job of GitLab CI: {', '.join(missing)} not set")
    v = {name: clean(variables[name]) for name in _NEEDED}
    commit = v["CI_COMMIT_SHA"]
    if not _COMMIT.fullmatch(commit):
        raise RefusedError(f"CI_COMMIT_SHA is not a commit: {commit!r}")
    project = v["CI_PROJECT_URL"]
    kind = "tags" if variables.get("CI_COMMIT_TAG") else "heads"
    source = f"git+{project}.git"
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "source": {"uri": source, "ref": f"refs/{kind}/{v['CI_COMMIT_REF_NAME']}"},
                "entryPoint": clean(variables.get("CI_CONFIG_PATH") or ".gitlab-ci.yml"),
                "containerfile": clean(containerfile),
                "tag": clean(tag),
            },
            "internalParameters": {"trigger": v["CI_PIPELINE_SOURCE"], "job": v["CI_JOB_NAME"]},
            "resolvedDependencies": [{"uri": source, "digest": {"gitCommit": commit}}],
        },
        "runDetails": {
            "builder": {"id": f"{v['CI_SERVER_URL']}/-/runners/{v['CI_RUNNER_ID']}"},
            "metadata": {
                "invocationId": f"{project}/-/jobs/{v['CI_JOB_ID']}",
                "startedOn": v["CI_JOB_STARTED_AT"],
                "finishedOn": finished.strftime("%Y-%m-%dT%H:%M:%SZ"),
            },
            "byproducts": [{"name": "pipeline", "uri": f"{project}/-/pipelines/{v['CI_PIPELINE_ID']}"}],
        },
    }

"""Check rendered manifests against the conditions of the platform.

The cluster checks them again when Argo CD deploys. Images come from the tenant's own registry project and state a
digest; pods meet the Pod Security level `restricted`; every object is in the environment's namespace.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from usine_ci.charts import source_of
from usine_ci.manifests import Place, check
from usine_ci.problems import Problem, RefusedError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--rendered", required=True, type=Path, help="folder with <environment>.yaml")


def run(options: argparse.Namespace) -> int:
    """Check all environments; exit code 1 with the problems of all."""
    source = source_of(os.environ)
    if "REGISTRY_HOST" not in os.environ:
        raise RefusedError("the job has no REGISTRY_HOST")
    shared = tuple(os.environ.get("USINE_SHARED_IMAGES", "").split())
    problems: list[Problem] = []
    checked = 0
    for environment in source.environments:
        file = options.rendered / f"{environment}.yaml"
        if file.is_file():
            checked += 1
            place = Place(f"{source.tenant}-{environment}", f"{source.registry}/{source.tenant}/", shared)
            problems += check(str(file), file.read_text(encoding="utf-8"), place)
    for problem in sorted(problems):
        print(problem)
    print(f"{checked} environments checked, {len(problems)} problems")
    return 1 if problems else 0

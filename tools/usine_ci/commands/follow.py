"""Bring the branches that environments follow up to date with the default branch of the infra repository.

Also removes the branches and merge requests of promotions that are merged or no longer declared.
"""

from __future__ import annotations

import argparse
import os

from usine_ci.infra import opened
from usine_ci.promotions import DIRECT, deploy, target_of, tidy


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options: there are none, the job's variables say everything."""


def run(options: argparse.Namespace) -> int:  # noqa: ARG001 - the signature of all commands
    """Update the branches, and say what changed."""
    target = target_of(os.environ)
    environments = dict.fromkeys(p.environment for p in target.promotions if p.way == DIRECT)
    with opened(target.server, target.repository, target.token) as repository:
        for environment in environments:
            commit = deploy(repository, target, environment, {}, f"Follow the default branch in {environment}\n")
            print(f"{environment}: {f'deploy/{environment} is at {commit[:12]}' if commit else 'up to date'}")
            repository.fetch()
        for branch in tidy(repository, target):
            print(f"{branch}: removed, its promotion is merged or no longer declared")
    return 0

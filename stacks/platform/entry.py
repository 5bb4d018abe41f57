"""The program's edge: the only place of it that reads files."""

from __future__ import annotations

from pathlib import Path

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env

from stacks.platform.program import build
from usine.spec.load import load
from usine.spec.problems import Problem, SpecError
from usine.spec.settings import Settings
from usine.spec.settings_load import settings_from_config


def main() -> None:
    """Read, check, build. Bad input ends the run with every problem, before any resource is registered."""
    root = Path(pulumi.get_root_directory())
    try:
        settings = settings_from_config(stack_config(), stack=pulumi.get_stack())
        projects = load(root / settings.projects, settings)
        authorities = read_authorities(settings, root)
    except SpecError as error:
        raise pulumi.RunError("\n" + "\n".join(str(problem) for problem in error.problems)) from None
    build(settings, projects, authorities)


def stack_config() -> dict[str, str]:
    """Return the stack's configuration of our name space: key without ``usine:`` to text (structures as JSON)."""
    config: dict[str, str] = {**get_config_env(), **CONFIG.get()}
    return {key.removeprefix("usine:"): value for key, value in config.items() if key.startswith("usine:")}


def read_authorities(settings: Settings, root: Path) -> dict[str, str]:
    """Read the CA files the settings name, by their path as written there. Raises SpecError for what can't be read."""
    texts, problems = {}, []
    for path in settings.authorities:
        try:
            texts[str(path)] = (root / path).read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a PEM file"
            problems.append(Problem(settings.source, 1, 1, f"certificate authority {path}: {reason}"))
    if problems:
        raise SpecError(tuple(problems))
    return texts

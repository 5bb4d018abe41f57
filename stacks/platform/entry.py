"""The program's edge: the only place of it that reads files."""

from __future__ import annotations

import os
from pathlib import Path

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env

from model.problems import Problem, SpecError
from model.reading.catalogue import FOLDER, read_catalogue
from model.reading.load import load
from model.reading.settings_load import settings_from_config
from model.settings import Settings
from stacks.platform.program import Files, build
from stacks.platform.registration import go_on_after_failures

#: Variables the Harbor SDK reads when a provider is constructed.
_COPIED_BY_SDKS = ("HARBOR_URL", "HARBOR_USERNAME", "HARBOR_PASSWORD", "HARBOR_IGNORE_CERT")


def main() -> None:
    """Read, check, build. Bad input ends the run with every problem, before any resource is registered."""
    root = Path(pulumi.get_root_directory())
    try:
        settings = settings_from_config(stack_config(), stack=pulumi.get_stack())
        tenants = load(root / settings.projects, settings)
        files = Files(read_authorities(settings, root), read_catalogue(root / FOLDER, settings))
    except SpecError as error:
        raise pulumi.RunError("\n" + "\n".join(str(problem) for problem in error.problems)) from None
    forget_credentials()
    go_on_after_failures()
    build(settings, tenants, files)


def forget_credentials() -> None:
    """Take out of this process's environment what an SDK would copy into its provider's inputs, hence into the state.

    The plugins are processes of their own, which the engine started with the whole environment.
    """
    for name in _COPIED_BY_SDKS:
        os.environ.pop(name, None)


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

"""The entry of the program, and its only module that reads files."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env

from model.problems import Problem, SpecError
from model.reading.catalogue import FOLDER, read_catalogue
from model.reading.load import load
from model.reading.settings_load import settings_from_config
from model.settings import Settings
from stacks.platform.issuer_keys import pem_of_keys
from stacks.platform.messages import drop_the_sdk_s_messages
from stacks.platform.program import Files, build
from stacks.platform.registration import go_on_after_failures

#: Environment variables that the Harbor SDK reads when it constructs a provider.
_COPIED_BY_SDKS = ("HARBOR_URL", "HARBOR_USERNAME", "HARBOR_PASSWORD", "HARBOR_IGNORE_CERT")


def main() -> None:
    """Read and check the files, then build the platform. A problem in a file ends the run before the first resource."""
    collect_rarely()
    drop_the_sdk_s_messages()
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


def collect_rarely() -> None:
    """Let Python look for unused objects rarely: nearly all objects of this program live until its end.

    Saves a fifth of the program's processor time (509 resources, Python 3.11). The entry point switches the collector
    off for the imports.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    gc.enable()


def forget_credentials() -> None:
    """Remove variables from this process's environment that an SDK would copy into the inputs of its provider.

    Inputs are kept in the state. The plugins still have the variables: they are processes of the engine.
    """
    for name in _COPIED_BY_SDKS:
        os.environ.pop(name, None)


def stack_config() -> dict[str, str]:
    """Return the values of the stack's ``usine:`` keys, by key without this prefix; structures are JSON texts."""
    config: dict[str, str] = {**get_config_env(), **CONFIG.get()}
    return {key.removeprefix("usine:"): value for key, value in config.items() if key.startswith("usine:")}


def read_authorities(settings: Settings, root: Path) -> dict[str, str]:
    """Return the PEM texts of the files in `Settings.authorities`, by path. Raises SpecError for unreadable files."""
    texts, problems = {}, []
    for path in settings.authorities:
        try:
            text = (root / path).read_text(encoding="ascii")
            texts[str(path)] = pem_of_keys(text) if path in settings.issuer_keys else text
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a PEM file"
            problems.append(Problem(settings.source, 1, 1, f"certificate authority {path}: {reason}"))
        except ValueError as error:
            problems.append(Problem(settings.source, 1, 1, f"public keys of an issuer {path}: {error}"))
    if problems:
        raise SpecError(tuple(problems))
    return texts

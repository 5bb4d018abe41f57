"""The environment a stack's engine runs in: the caller's own, or the local platform's for the stack `lab`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from usine.engine.cli import EngineError

#: The stack that lives on the local platform.
LAB_STACK = "lab"


@dataclass(frozen=True, slots=True)
class StackEnvironment:
    """`variables` is the whole environment; `config_file` the settings file the engine takes."""

    variables: Mapping[str, str] = field(repr=False)
    config_file: Path


def stack_environment(stack: str, settings: Path) -> StackEnvironment:
    """Return where a stack runs. Raises EngineError when the local platform is needed and cannot be used.

    The local platform gets a copy of the settings, with its own ports: the engine writes the salt of the stack's
    encryption there, and the committed file stays as it is.
    """
    if stack != LAB_STACK:
        return StackEnvironment(dict(os.environ), settings)
    # Only here: another stack needs nothing of the lab, nor the packages it is made of.
    from lab.environment import environment
    from lab.errors import LabError
    from lab.home import LabHome
    from lab.settings import write_settings

    try:
        home = LabHome.open()
        write_settings(home, settings)
        return StackEnvironment(environment(home), home.settings)
    except LabError as error:
        raise EngineError(str(error)) from None

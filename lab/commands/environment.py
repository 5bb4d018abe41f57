"""The environment of the stack `lab`. The entry point of the group `usine.stacks` (lab/pyproject.toml)."""

from __future__ import annotations

from pathlib import Path

from lab.environment import environment
from lab.errors import LabError
from lab.home import LabHome
from lab.settings import write_settings
from usine.commands.stack_environment import StackEnvironment
from usine.engine.cli import EngineError


def stack_environment(settings: Path) -> StackEnvironment:
    """Return where the local platform's stack runs. Raises EngineError when the platform cannot be used.

    It gets a copy of the settings, with its own ports: the engine writes the salt of the stack's encryption there, and
    the committed file stays as it is.
    """
    try:
        home = LabHome.open()
        write_settings(home, settings)
        return StackEnvironment(environment(home), home.settings)
    except LabError as error:
        raise EngineError(str(error)) from None

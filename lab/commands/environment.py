"""The environment of the stack `lab`. lab/pyproject.toml registers it in the group `usine.stacks`."""

from __future__ import annotations

from pathlib import Path

from lab.environment import environment
from lab.errors import LabError
from lab.home import LabHome
from lab.settings import write_settings
from usine.commands.stack_environment import StackEnvironment
from usine.engine.cli import EngineError


def stack_environment(settings: Path) -> StackEnvironment:
    """Return the environment of the local platform's stack. Raises EngineError when the platform cannot be used.

    The stack uses a copy of the settings, with this platform's ports. The engine writes the stack's encryption salt to
    that copy, so the committed file does not change.
    """
    try:
        home = LabHome.open()
        write_settings(home, settings)
        return StackEnvironment(environment(home), home.settings)
    except LabError as error:
        raise EngineError(str(error)) from None

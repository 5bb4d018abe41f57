"""The environment of a stack's engine: that of the caller, or that of a platform installed beside Usine."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path

from usine.engine.cli import EngineError

#: The stack of the local platform, which is a separate Python project (lab/pyproject.toml).
LAB_STACK = "lab"
#: An entry point of this group has a stack's name, takes the settings file and returns a StackEnvironment.
_GROUP = "usine.stacks"


@dataclass(frozen=True, slots=True)
class StackEnvironment:
    """`variables` is the whole environment, `config_file` the settings file that the engine reads."""

    variables: Mapping[str, str] = field(repr=False)
    config_file: Path


def stack_environment(stack: str, settings: Path) -> StackEnvironment:
    """Return the environment of a stack. Raises EngineError when its platform is not installed or cannot be used."""
    for entry in entry_points(group=_GROUP, name=stack):
        of_platform: Callable[[Path], StackEnvironment] = entry.load()
        return of_platform(settings)
    if stack == LAB_STACK:
        raise EngineError("the stack lab needs the local platform, which is not installed: run `make venv-dev`")
    return StackEnvironment(dict(os.environ), settings)

"""The environment a stack's engine runs in: the caller's own, or that of a platform that is installed beside Usine."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path

from usine.engine.cli import EngineError

#: The stack that lives on the local platform, a project of its own (lab/pyproject.toml).
LAB_STACK = "lab"
#: Entry points of this group are named as a stack; each takes the settings file and returns a StackEnvironment.
_GROUP = "usine.stacks"


@dataclass(frozen=True, slots=True)
class StackEnvironment:
    """`variables` is the whole environment; `config_file` the settings file the engine takes."""

    variables: Mapping[str, str] = field(repr=False)
    config_file: Path


def stack_environment(stack: str, settings: Path) -> StackEnvironment:
    """Return where a stack runs. Raises EngineError when it needs a platform that is not there or cannot be used."""
    for entry in entry_points(group=_GROUP, name=stack):
        of_platform: Callable[[Path], StackEnvironment] = entry.load()
        return of_platform(settings)
    if stack == LAB_STACK:
        raise EngineError("the stack lab needs the local platform, which is not installed: run `make venv-dev`")
    return StackEnvironment(dict(os.environ), settings)

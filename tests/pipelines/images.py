"""What the images of jobs contain, on this machine: programs on a PATH, and package managers that need no network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from lab import parts
from lab.parts import tools
from lab.parts.examples import offline
from tests.sonarqube.scanner import QUICK

ROOT = Path(__file__).resolve().parents[2]
#: Names of the languages' images. The others are the platform's image of tools.
_LANGUAGES: Final = ("python", "node", "golang", "maven")


class Images:
    """Makes the environment of a job from the name of its image.

    Every job gets a new home folder. The tools are in no language's image, so they are not on the PATH of its jobs. A
    job in an image of Python gets a new Python environment: its `pip install` changes nothing for others. Jobs of Go
    share a build cache, which has the standard library at first.
    """

    def __init__(self, folder: Path) -> None:
        """Make the folder of further programs."""
        self._bin = folder / "tools"
        self._bin.mkdir(parents=True, exist_ok=True)
        self._names = {"sonar-scanner"}
        self._go_cache = folder / "go-build-cache"
        _link(self._bin / "python3", Path(sys._base_executable))  # type: ignore[attr-defined]

    def use(self, *names: str) -> None:
        """Put these parts (`lab.parts.tools.NAMES`) into the image of tools of all later jobs, and make them."""
        parts.ensure(names)
        self._names |= set(names)

    def __call__(self, name: str, folder: Path) -> Mapping[str, str]:
        """Return the variables of an image; `folder` is the job's own."""
        home = _made(folder / "home")
        language = name.rpartition("/")[2].partition(":")[0]
        if language in _LANGUAGES:
            own = [_python(folder / "python")] if language == "python" else []
            path = [*map(str, own), *machine_path()]
            variables = {"HOME": str(home), "LANG": "C.UTF-8"}
        else:
            variables = QUICK | tools.environment(home, sorted(self._names))
            programs = variables["PATH"].removesuffix(os.environ.get("PATH", os.defpath))
            path = [str(self._bin), *filter(None, programs.split(os.pathsep)), *machine_path()]
        made = parts.ensure(("examples", "go-build-cache"))
        if language == "golang" and not self._go_cache.exists():
            shutil.copytree(made["go-build-cache"] / "cache", self._go_cache)
        managers = offline(made["examples"], folder / "offline", self._go_cache, maven=language == "maven")
        return {**managers, **variables, "PATH": os.pathsep.join(path), "TMPDIR": str(_made(folder / "tmp"))}


def machine_path() -> list[str]:
    """Return the machine's PATH without this virtual environment and without shims, which need their user's home."""
    own = Path(sys.executable).parent
    return [
        one
        for one in os.environ["PATH"].split(os.pathsep)
        if one and Path(one) != own and Path(one).name != "shims" and not (Path(one).parent / "pyvenv.cfg").exists()
    ]


def _python(folder: Path) -> Path:
    """Make a Python environment with pip, and return its folder of programs."""
    command = [sys.executable, "-m", "virtualenv", "--quiet", "--no-periodic-update", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "bin"


def _link(place: Path, program: Path) -> None:
    place.unlink(missing_ok=True)
    place.symlink_to(program.resolve())


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder

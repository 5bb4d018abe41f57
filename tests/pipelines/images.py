"""What the images of jobs contain, on this machine: programs on a PATH, and package managers that need no network."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from lab.environment import openbao

ROOT = Path(__file__).resolve().parents[2]


class Images:
    """Makes the environment of a job from the name of its image.

    Every job gets a new home folder and the tools. A job in an image of Python also gets a new Python environment, so
    that its `pip install` changes nothing for others.
    """

    def __init__(self, folder: Path) -> None:
        """Make the folder of the tools."""
        self._bin = folder / "tools"
        self._bin.mkdir(parents=True, exist_ok=True)

    def __call__(self, name: str, folder: Path) -> Mapping[str, str]:
        """Return the variables of an image; `folder` is the job's own."""
        home = folder / "home"
        home.mkdir(parents=True)
        path = [str(self._tools()), *machine_path()]
        if name.rpartition("/")[2].startswith("python:"):
            path.insert(0, str(_python(folder / "python")))
        return {"PATH": os.pathsep.join(path), "HOME": str(home), "TMPDIR": str(_made(folder / "tmp")), **offline(home)}

    @functools.cache  # noqa: B019 - one object for the whole run
    def _tools(self) -> Path:
        """Return the folder with the programs of the platform's image of tools."""
        _link(self._bin / "bao", openbao())
        _link(self._bin / "python3", Path(sys._base_executable))  # type: ignore[attr-defined]
        package = ROOT / "tools" / "usine_ci"
        if package.is_dir():
            program = self._bin / "usine-ci"
            lines = ["#!/bin/sh", f'PYTHONPATH="{package.parent}" exec "{sys.executable}" -m usine_ci "$@"', ""]
            program.write_text("\n".join(lines), encoding="utf-8")
            program.chmod(0o755)
        return self._bin


def offline(home: Path) -> dict[str, str]:
    """Return the settings with which package managers use no network."""
    return {"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "npm_config_offline": "true",
            "GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOTOOLCHAIN": "local", "GOPATH": str(home / "go")}  # fmt: skip


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


def has(*programs: str) -> bool:
    """Whether the machine has these programs."""
    return all(shutil.which(program, path=os.pathsep.join(machine_path())) for program in programs)

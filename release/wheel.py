"""The components' wheel: built without a network, and imported from a separate folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from usine.program import PACKAGES

#: Paths in the checkout from which the wheel is built.
_SOURCES = (*PACKAGES, "pyproject.toml", "README.md", "LICENSE")
_BYTECODE = shutil.ignore_patterns("__pycache__", "*.egg-info")
_BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"
#: Imports all modules of the wheel, and checks that a component comes from it, not from a checkout.
_TRY = """\
import importlib, pathlib, sys
folder = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(folder))
for file in sorted(folder.rglob("*.py")):
    name = ".".join(file.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")
    if not name.endswith("__main__"):
        importlib.import_module(name)
from components.tenant import TenantProject
from usine import __version__
assert pathlib.Path(sys.modules["components"].__file__).is_relative_to(folder)
print(TenantProject.__name__, __version__)
"""


class WheelError(Exception):
    """The wheel cannot be built or does not work. The message has the reason."""


def build_wheel(root: Path, into: Path) -> Path:
    """Build the wheel of a checkout and return its path. The checkout does not change."""
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="usine-wheel-") as folder:
        for name in _SOURCES:
            source, target = root / name, Path(folder) / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=_BYTECODE)
            else:
                shutil.copy(source, target)
        output = _python(Path(folder), "-c", _BUILD, str(into.resolve()))
    return into / output.splitlines()[-1]


def try_wheel(wheel: Path) -> str:
    """Unpack the wheel into an empty folder, import all of it from there, and return the script's output."""
    with tempfile.TemporaryDirectory(prefix="usine-wheel-") as folder:
        with zipfile.ZipFile(wheel) as content:
            content.extractall(folder)
        return _python(Path(folder), "-I", "-c", _TRY, folder).strip()


def _python(folder: Path, *arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise WheelError(f"{done.stdout}{done.stderr}".strip())
    return done.stdout

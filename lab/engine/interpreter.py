"""The Python that a program selects in its `runtime.options`, and the packages installed in it."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path


class InterpreterError(Exception):
    """The program's Python cannot be used; the message is for the user."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python: `virtualenv` is the folder of its virtual environment, None for the Python on the PATH."""

    executable: Path
    virtualenv: Path | None

    @classmethod
    def of(cls, root: Path, options: Mapping[str, object], environment: Mapping[str, str]) -> Interpreter:
        """Choose by the runtime options of a project in `root`. Raises InterpreterError with the way to correct it."""
        check_options(options)
        folder = virtualenv_of(root, options)
        if folder is not None:
            executable = folder / "bin" / "python"
            if not (folder / "pyvenv.cfg").is_file() or not executable.exists():
                state = "is not a virtual environment" if folder.is_dir() else "does not exist"
                raise InterpreterError(
                    f"the 'virtualenv' option is {options.get('virtualenv', folder.name)!r}, but {folder} {state}; "
                    "`pulumi install` creates it"
                )
            return cls(executable, folder)
        names = [environment["PULUMI_PYTHON_CMD"]] if environment.get("PULUMI_PYTHON_CMD") else ["python3", "python"]
        for name in names:
            if found := shutil.which(name, path=environment.get("PATH")):
                return cls(Path(found), None)
        raise InterpreterError(f"no {' or '.join(names)} on the PATH")

    def activate(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return an environment in which this Python's commands are first on the PATH."""
        if self.virtualenv is None:
            return dict(environment)
        activated = {name: value for name, value in environment.items() if name != "PYTHONHOME"}
        activated["VIRTUAL_ENV"] = str(self.virtualenv)
        activated["PATH"] = os.pathsep.join(filter(None, (str(self.virtualenv / "bin"), environment.get("PATH"))))
        return activated

    def package_folders(self) -> tuple[Path, ...]:
        """Return the folders of installed packages."""
        if self.virtualenv is not None:
            inherits = "include-system-site-packages = true" in (self.virtualenv / "pyvenv.cfg").read_text("utf-8")
            if not inherits:  # then the folders are known without a start of Python
                return tuple(sorted(self.virtualenv.glob("lib/python3*/site-packages")))
        code = "import json, sys; print(json.dumps([p for p in sys.path if p.endswith('-packages')]))"
        return tuple(Path(path) for path in json.loads(self._ask(code)))

    def version(self) -> str:
        """Return its version, as `3.11.7`."""
        return self._ask("import platform; print(platform.python_version())").strip()

    def _ask(self, code: str) -> str:
        done = subprocess.run(
            [self.executable, "-c", code],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode != 0:
            raise InterpreterError(f"{self.executable} does not run: {done.stderr.strip()}")
        return done.stdout


def check_options(options: Mapping[str, object]) -> None:
    """Raise InterpreterError for an option that this host does not support."""
    toolchain = str(options.get("toolchain") or "pip").lower()
    if toolchain not in {"pip", "uv", "auto"}:
        raise InterpreterError(
            f"toolchain {toolchain!r} needs the official `pulumi`; the local platform's language host has pip and uv"
        )
    if str(options.get("typechecker") or "none").lower() != "none":
        raise InterpreterError("the 'typechecker' option needs the official `pulumi`: remove it from the project file")


def virtualenv_of(root: Path, options: Mapping[str, object]) -> Path | None:
    """Return the virtual environment's folder, relative to the project file's; None if the options have none."""
    name = options.get("virtualenv") or (".venv" if str(options.get("toolchain")).lower() == "uv" else None)
    return None if name is None else root / str(name)


@dataclass(frozen=True, slots=True)
class Parameterization:
    """Parameters with which a plugin provides another package."""

    name: str
    version: str
    value: bytes


@dataclass(frozen=True, slots=True)
class PluginNeed:
    """A provider plugin that an installed package needs. `version` has no `v` and is empty when unknown."""

    name: str
    version: str
    server: str = ""
    parameterization: Parameterization | None = None


def plugin_needs(folders: tuple[Path, ...]) -> tuple[PluginNeed, ...]:
    """Read every installed `pulumi-plugin.json`, sorted by name. Packages without a plugin are omitted."""
    needs: dict[str, PluginNeed] = {}
    for file in (file for folder in folders for file in folder.glob("*/pulumi-plugin.json")):
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise InterpreterError(f"{file} is not readable: install the package again") from None
        if not isinstance(content, dict) or not content.get("resource"):
            continue
        package = file.parent.name
        name = str(content.get("name") or re.sub(r"^pulumi_", "", package).replace("_", "-"))
        version = str(content.get("version") or _package_version(file.parent)).removeprefix("v")
        parameters = _parameterization(content.get("parameterization"))
        need = PluginNeed(name, version, str(content.get("server") or ""), parameters)
        needs.setdefault(parameters.name if parameters else name, need)  # one plugin can provide several packages
    return tuple(needs[name] for name in sorted(needs))


def _parameterization(content: object) -> Parameterization | None:
    if not isinstance(content, dict):
        return None
    return Parameterization(
        str(content.get("name", "")), str(content.get("version", "")), base64.b64decode(str(content.get("value") or ""))
    )


def _package_version(package: Path) -> str:
    for metadata in package.parent.glob(f"{package.name}-*.dist-info/METADATA"):
        for line in metadata.read_text(encoding="utf-8").splitlines():
            if line.startswith("Version: "):
                return line.removeprefix("Version: ").strip()
    return ""


def installed(folders: tuple[Path, ...], *, transitive: bool) -> Iterator[tuple[str, str]]:
    """Yield name and version of installed packages; without `transitive`, only those that no other one requires."""
    from importlib.metadata import distributions  # noqa: PLC0415 - 30 ms, asked for by `pulumi about` only

    found = {}
    required = set()
    for distribution in distributions(path=[str(folder) for folder in folders]):
        found[_normal(distribution.metadata["Name"])] = distribution.version
        for requirement in distribution.requires or ():
            if "extra ==" not in requirement and (match := re.match(r"[\w.-]+", requirement)):
                required.add(_normal(match.group()))
    for name in sorted(found):
        if transitive or name not in required:
            yield name, found[name]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()

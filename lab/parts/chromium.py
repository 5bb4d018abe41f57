"""A headless browser for the tests of the HTML page: the machine's own, or one from the npm registry."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.parts.archives import untar, verify
from lab.parts.defaults import DownloadDefaults
from lab.parts.processes import CommandRunner
from lab.parts.recipes import BUILD_MODULES

#: Names to search on the PATH, in this order.
_COMMANDS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_PROGRAM = "bin/chromium"
_FONTS = "fonts.conf"
#: The script that decompresses the archive, and the configuration of the browser's fonts.
_SOURCES = BUILD_MODULES / "chromium"


@dataclass(frozen=True, slots=True)
class NpmChromium(DownloadDefaults):
    """Chromium from the npm package `@sparticuz/chromium`, with libraries and fonts that a minimal machine lacks."""

    version: str
    #: SHA-256 of the package's archive.
    sha256: str

    @property
    def tools(self) -> tuple[str, ...]:
        """See `Recipe`. Node.js runs npm and decompresses Brotli."""
        return ("node", "npm")

    @property
    def sources(self) -> Path | None:
        """See `Recipe`."""
        return _SOURCES

    def prepare(self, into: Path, runner: CommandRunner) -> None:
        """Download and check the package."""
        if platform.machine() not in ("x86_64", "AMD64"):
            raise LabError(f"npm has Chromium for x86-64 only, not {platform.machine()} (Debian package chromium)")
        download = into / ".download"
        download.mkdir()
        package = f"@sparticuz/chromium@{self.version}"
        runner.progress(f"downloading {package}")
        runner.run(["npm", "pack", package, "--ignore-scripts", "--pack-destination", str(download)], cwd=download)
        archives = sorted(download.glob("*.tgz"))
        if len(archives) != 1:
            raise runner.failure(f"`npm pack` left no archive of {package}")
        verify(archives[0], self.sha256, package)
        untar(archives[0], download)

    def finish(self, into: Path, runner: CommandRunner) -> None:
        """Decompress the program, its libraries and its fonts."""
        download = into / ".download"
        compressed = download / "package" / "bin"
        program = into / _PROGRAM
        program.parent.mkdir()
        runner.progress("decompressing")
        _decompress(compressed / "chromium.br", program, runner)
        program.chmod(0o755)
        for name in ("al2023", "fonts"):
            archive = download / f"{name}.tar"
            _decompress(compressed / f"{name}.tar.br", archive, runner)
            untar(archive, into)
        shutil.copyfile(_SOURCES / _FONTS, into / _FONTS)
        shutil.rmtree(download)


def installed_chromium() -> Path | None:
    """Return the machine's own Chromium, or None. USINE_LAB_CHROMIUM=npm selects the one from the registry."""
    if os.environ.get("USINE_LAB_CHROMIUM") == "npm":
        return None
    found = (shutil.which(command) for command in _COMMANDS)
    return next((Path(path) for path in found if path), None)


def why_chromium_is_not_made() -> str | None:
    """Return the reason why the part is not needed, or None when it has to be made."""
    program = installed_chromium()
    return f"not needed, the machine's own is at {program}" if program else None


def program_of(folder: Path | None) -> tuple[Path, Mapping[str, str]]:
    """Return the program and its environment variables: of the part's folder, or of the machine's own Chromium."""
    if folder is None:
        installed = installed_chromium()
        if installed is None:
            raise LabError("there is no Chromium: make the part, `python -m lab.parts chromium`")
        return installed, {}
    libraries = os.pathsep.join(filter(None, (str(folder / "lib"), os.environ.get("LD_LIBRARY_PATH"))))
    return folder / _PROGRAM, {"LD_LIBRARY_PATH": libraries, "FONTCONFIG_FILE": str(folder / _FONTS)}


def _decompress(source: Path, target: Path, runner: CommandRunner) -> None:
    runner.run(["node", str(_SOURCES / "decompress.js"), str(source), str(target)], cwd=target.parent)

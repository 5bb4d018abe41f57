"""Recipes that use the ordinary clients of package registries: Go and Maven.

Each download is checked against a pinned hash before it is used: `go.sum` of the build module, the `h1:` sum of the
module, or the SHA-256 of the archive.
"""

from __future__ import annotations

import json
import re
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.parts.archives import unzip, verify
from lab.parts.defaults import DownloadDefaults
from lab.parts.processes import CommandRunner

#: Sources of the lab from which parts are built, one folder each.
BUILD_MODULES = Path(__file__).resolve().parents[1] / "build"
#: A go.work above the checkout must not change the build. Without cgo, no C compiler is needed and nothing is linked to
#: the machine's libraries.
_GO_ENVIRONMENT = {"GOWORK": "off", "GO111MODULE": "on", "CGO_ENABLED": "0"}


@dataclass(frozen=True, slots=True)
class GoBuild:
    """Programs built from the Go module `lab/build/<module>`, which locks every dependency."""

    module: str
    packages: tuple[str, ...]
    #: Values of the program's variables, set by the linker: (`import/path.Name`, value).
    variables: tuple[tuple[str, str], ...] = ()

    @property
    def compiles(self) -> bool:
        """See `Recipe`."""
        return True

    @property
    def tools(self) -> tuple[str, ...]:
        """See `Recipe`."""
        return ("go",)

    @property
    def sources(self) -> Path | None:
        """See `Recipe`."""
        return BUILD_MODULES / self.module

    def prepare(self, into: Path, runner: CommandRunner) -> None:  # noqa: ARG002 - part of the protocol
        """Download only the modules that these packages need."""
        runner.progress("downloading Go modules")
        runner.run(
            [
                "go", "list", "-mod=readonly", *self._flags(), "-deps",
                "-f", "{{with .Error}}{{.}}{{end}}", *self.packages,
            ],
            cwd=BUILD_MODULES / self.module,
            env=self._environment(),
            describe=_downloading,
        )  # fmt: skip

    def finish(self, into: Path, runner: CommandRunner) -> None:
        """Compile and link."""
        settings = ["-s", "-w", *self._link(), *(f"-X {name}={value}" for name, value in self.variables)]
        compiled = 0

        def describe(line: str) -> str | None:
            nonlocal compiled
            if line.startswith("go: downloading"):
                return _downloading(line)
            compiled += 1
            return f"compiling: {compiled} packages, {line[:60]}"

        runner.progress("compiling")
        runner.run(
            [
                "go", "build", "-v", "-mod=readonly", *self._flags(), "-trimpath", "-buildvcs=false",
                "-ldflags", " ".join(settings), "-o", f"{into}/", *self.packages,
            ],
            cwd=BUILD_MODULES / self.module,
            env=self._environment(),
            describe=describe,
        )  # fmt: skip

    def _flags(self) -> tuple[str, ...]:
        return ()

    def _environment(self) -> dict[str, str]:
        return _GO_ENVIRONMENT

    def _link(self) -> tuple[str, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class TaggedGoBuild(GoBuild):
    """The same with build options. Its own type: a new field of GoBuild would change the key of every other part."""

    tags: tuple[str, ...] = ()
    #: Experiments of the Go toolchain that the program's own build switches on (GOEXPERIMENT).
    experiments: tuple[str, ...] = ()
    #: Whether the program has C code; it is then linked statically.
    cgo: bool = False

    @property
    def tools(self) -> tuple[str, ...]:
        """See `Recipe`."""
        return ("go", "gcc") if self.cgo else ("go",)

    def _flags(self) -> tuple[str, ...]:
        return (f"-tags={','.join(self.tags)}",) if self.tags else ()

    def _environment(self) -> dict[str, str]:
        cgo = "1" if self.cgo else "0"
        return {**_GO_ENVIRONMENT, "CGO_ENABLED": cgo, "GOEXPERIMENT": ",".join(self.experiments)}

    def _link(self) -> tuple[str, ...]:
        return ("-linkmode external", "-extldflags -static") if self.cgo else ()


def _downloading(line: str) -> str | None:
    found = re.match(r"go: downloading (\S+ \S+)", line)
    return f"downloading {found[1]}" if found else None


@dataclass(frozen=True, slots=True)
class GoModuleFiles(DownloadDefaults):
    """Files of a published Go module, without a build."""

    module: str
    version: str
    #: The module's `h1:` sum, as in go.sum.
    sum: str
    #: (pattern in the module, folder in the part): `("python/dist/*", ".")`.
    files: tuple[tuple[str, str], ...]
    executable: bool = False

    @property
    def tools(self) -> tuple[str, ...]:
        """See `Recipe`."""
        return ("go",)

    def prepare(self, into: Path, runner: CommandRunner) -> None:
        """Download the module and copy the files."""
        wanted = f"{self.module}@{self.version}"
        runner.progress(f"downloading {wanted}")
        answer = runner.output(["go", "mod", "download", "-json", wanted], cwd=into, env=_GO_ENVIRONMENT)
        try:
            module = json.loads(answer)
            folder, found = Path(module["Dir"]), module["Sum"]
        except (ValueError, KeyError, TypeError):
            raise runner.failure(f"`go mod download` gave no folder for {wanted}") from None
        if found != self.sum:
            raise LabError(f"{wanted} has changed: its sum is {found}, not {self.sum}")
        for pattern, target in self.files:
            sources = sorted(folder.glob(pattern))
            if not sources:
                raise LabError(f"{wanted} has no {pattern}")
            (into / target).mkdir(parents=True, exist_ok=True)
            for source in sources:
                copy = into / target / source.name
                shutil.copyfile(source, copy)
                copy.chmod(0o755 if self.executable else 0o644)  # module files are read-only and never executable


@dataclass(frozen=True, slots=True)
class MavenZip(DownloadDefaults):
    """A distribution published as a zip artefact, unpacked without its only top folder."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def tools(self) -> tuple[str, ...]:
        """See `Recipe`."""
        return ("mvn", "java")

    def prepare(self, into: Path, runner: CommandRunner) -> None:
        """Download, check and unpack the archive."""
        download = into / ".download"
        archive = from_maven(f"{self.group}:{self.artifact}:{self.version}:zip", self.sha256, download, runner)
        runner.progress("unpacking")
        unzip(archive, into)
        shutil.rmtree(download)


#: Pinned, because old releases of Maven choose a broken version by default.
_MAVEN_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.11.0:copy"
#: Maven 3.8 does not lock its local repository: two processes on a new machine would use each other's partial files.
_ONE_MAVEN_AT_A_TIME = threading.Lock()


def from_maven(coordinates: str, sha256: str, into: Path, runner: CommandRunner) -> Path:
    """Download `group:artifact:version:type` into a folder and check it; return the file. Raises LabError."""
    _group, artifact, version, kind = coordinates.split(":")
    runner.progress(f"downloading {coordinates}")
    into.mkdir(parents=True, exist_ok=True)
    with _ONE_MAVEN_AT_A_TIME:
        runner.run(
            [
                "mvn", "--batch-mode", "-Dstyle.color=never", "--quiet", "--no-transfer-progress", _MAVEN_COPY,
                f"-Dartifact={coordinates}", f"-DoutputDirectory={into}", "-Dmdep.overWriteReleases=true",
            ],
            cwd=into,
        )  # fmt: skip
    file = into / f"{artifact}-{version}.{kind}"
    if not file.is_file():
        raise runner.failure(f"`mvn` left no {file.name}")
    verify(file, sha256, coordinates)
    return file

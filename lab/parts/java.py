"""A jar of our own, compiled by Eclipse's compiler, which a Java runtime can run: no development kit is needed."""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

from lab.parts.processes import Runner
from lab.parts.recipes import BUILD_MODULES, from_maven

#: For the oldest Java that the platform runs on.
_RELEASE = "17"


@dataclass(frozen=True, slots=True)
class JavaJar:
    """`<module>.jar` of the Java files and the MANIFEST.MF in `lab/build/<module>`.

    `compiler` and `libraries` (what it is compiled against, and not in the jar) are Maven coordinates with SHA-256:
    (`group:artifact:version:jar`, hash).
    """

    module: str
    compiler: tuple[str, str]
    libraries: tuple[tuple[str, str], ...]

    @property
    def compiles(self) -> bool:
        """See `Recipe`. A second of one processor: no reason to wait for the long ones."""
        return False

    @property
    def tools(self) -> tuple[str, ...]:
        """See `Recipe`."""
        return ("mvn", "java")

    @property
    def sources(self) -> Path | None:
        """See `Recipe`."""
        return BUILD_MODULES / self.module

    def prepare(self, into: Path, runner: Runner) -> None:
        """Download the compiler and the libraries."""
        for coordinates, sha256 in (self.compiler, *self.libraries):
            from_maven(coordinates, sha256, into / ".download", runner)

    def finish(self, into: Path, runner: Runner) -> None:
        """Compile and pack."""
        sources, downloads, classes = BUILD_MODULES / self.module, into / ".download", into / ".classes"
        compiler, *libraries = (downloads / _file(c) for c, _sha256 in (self.compiler, *self.libraries))
        runner.progress("compiling")
        runner.run(
            [
                "java", "-jar", str(compiler), f"-{_RELEASE}", "-encoding", "UTF-8", "-warn:none",
                "-classpath", ":".join(map(str, libraries)), "-d", str(classes),
                *(str(path) for path in sorted(sources.glob("*.java"))),
            ],
            cwd=into,
        )  # fmt: skip
        with zipfile.ZipFile(into / f"{self.module}.jar", "w", zipfile.ZIP_DEFLATED) as jar:
            jar.write(sources / "MANIFEST.MF", "META-INF/MANIFEST.MF")
            for path in sorted(classes.rglob("*.class")):
                jar.write(path, str(path.relative_to(classes)))
        for folder in (downloads, classes):
            shutil.rmtree(folder)


def _file(coordinates: str) -> str:
    _group, artifact, version, kind = coordinates.split(":")
    return f"{artifact}-{version}.{kind}"

"""A jar compiled from sources of the lab with the compiler of another part: it needs no JDK and no download."""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

from lab.parts.processes import CommandRunner
from lab.parts.recipes import BUILD_MODULES

#: The oldest Java version on which the platform runs.
_RELEASE = "17"
_COMPILER = "org.eclipse.jdt.internal.compiler.batch.Main"


@dataclass(frozen=True, slots=True)
class JavaJar:
    """`<module>.jar`, made from the Java files and the MANIFEST.MF in `lab/build/<module>`."""

    module: str
    #: The part whose jars contain the compiler and the libraries; the jar's part `needs` it.
    part: str
    #: Its jar with Eclipse's compiler, which runs on a Java runtime.
    compiler: str
    #: Its jars on the class path.
    libraries: tuple[str, ...]

    @property
    def compiles(self) -> bool:
        """See `Recipe`. It takes one second on one processor, so it need not wait for other compilations."""
        return False

    @property
    def tools(self) -> tuple[str, ...]:
        """See `Recipe`."""
        return ("java",)

    @property
    def sources(self) -> Path | None:
        """See `Recipe`."""
        return BUILD_MODULES / self.module

    def prepare(self, into: Path, runner: CommandRunner) -> None:
        """Do nothing: there is no download."""

    def finish(self, into: Path, runner: CommandRunner) -> None:
        """Compile and pack."""
        sources, classes, other = BUILD_MODULES / self.module, into / ".classes", runner.parts[self.part]
        runner.progress("compiling")
        runner.run(
            [
                "java", "-classpath", str(other / self.compiler), _COMPILER,
                f"-{_RELEASE}", "-encoding", "UTF-8", "-proc:none", "-warn:none",
                "-classpath", ":".join(str(other / path) for path in self.libraries), "-d", str(classes),
                *(str(path) for path in sorted(sources.glob("*.java"))),
            ],
            cwd=into,
        )  # fmt: skip
        with zipfile.ZipFile(into / f"{self.module}.jar", "w", zipfile.ZIP_DEFLATED) as jar:
            jar.write(sources / "MANIFEST.MF", "META-INF/MANIFEST.MF")
            for path in sorted(classes.rglob("*.class")):
                jar.write(path, str(path.relative_to(classes)))
        shutil.rmtree(classes)

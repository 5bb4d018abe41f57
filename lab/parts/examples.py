"""What the clients of the package registries need to build and test `examples/` offline, and how they use it."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.parts.cache import remove
from lab.parts.defaults import DownloadDefaults
from lab.parts.processes import CommandRunner

EXAMPLES: Final = Path(__file__).resolve().parents[2] / "examples"
#: The files of an example, and of its flaws, that name its dependencies.
_LOCKS: Final = ("requirements-dev.txt", "package.json", "package-lock.json", "pom.xml", "go.mod", "go.sum")
#: The programs that the preset `go` runs. tests/pipelines/test_presets.py compares them with the preset.
GO_TOOLS: Final = ("gotest.tools/gotestsum@v1.13.0", "github.com/boumenot/gocover-cobertura@v1.5.0")
#: The plugin that the preset `java` runs.
JACOCO: Final = "org.jacoco:jacoco-maven-plugin:0.8.14"
#: The compilations of the preset `go`, with the variables that its jobs set.
GO_COMMANDS: Final[tuple[tuple[tuple[str, ...], Mapping[str, str]], ...]] = (
    (("vet", "./..."), {}),
    (("test", "-race", "-coverprofile=coverage.out", "./..."), {}),
    (("build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", "dist/", "./..."), {"CGO_ENABLED": "0"}),
)
_GO: Final = {"GOWORK": "off", "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"}


def states(preset: str) -> Iterator[Path]:
    """Return the folders of an example whose dependencies differ: itself, and with a vulnerable version."""
    yield EXAMPLES / preset
    yield EXAMPLES / preset / "flaws" / "dependency"


def locks_digest() -> str:
    """Return a digest of all files that name dependencies."""
    digest = hashlib.sha256()
    for preset in ("python", "node", "java", "go"):
        for folder in states(preset):
            for name in _LOCKS:
                if (folder / name).is_file():
                    digest.update(f"{preset}/{name}\0".encode() + (folder / name).read_bytes())
    return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class ExampleDependencies(DownloadDefaults):
    """Wheels, npm's and Go's caches, and a Maven repository. They hold what the examples' locks name, and tools."""

    locks: str
    jacoco: str
    go_tools: tuple[str, ...]

    @property
    def tools(self) -> tuple[str, ...]:
        """See `Recipe`."""
        return ("go", "java", "mvn", "node", "npm")

    def prepare(self, into: Path, runner: CommandRunner) -> None:
        """Run each client once with an empty cache, on copies of the examples."""
        work = into / ".work"
        for name, fill in (("wheels", _wheels), ("npm", _npm), ("maven", self._maven), ("go", self._go)):
            runner.progress(f"downloading what the examples need: {name}")
            (into / name).mkdir()
            fill(into / name, work / name, runner)
        remove(work)

    def _maven(self, into: Path, work: Path, runner: CommandRunner) -> None:
        for folder in _copies("java", work):
            runner.run(
                [
                    "mvn", "--batch-mode", "--no-transfer-progress", "-Dstyle.color=never",
                    f"-Dmaven.repo.local={into}", f"{self.jacoco}:prepare-agent", "deploy", f"{self.jacoco}:report",
                    # Also what the job `package` needs; the address is that of a folder.
                    f"-DaltDeploymentRepository=work::default::{(work / 'deployed').as_uri()}",
                ],
                cwd=folder,
            )  # fmt: skip
        # Maven would not use a file for a repository of another name than the one that it records here.
        for record in [*into.rglob("_remote.repositories"), *into.rglob("*.lastUpdated")]:
            record.unlink()

    def _go(self, into: Path, work: Path, runner: CommandRunner) -> None:
        modules = work / "modules"
        environment = {**_GO, "GOMODCACHE": str(modules)}
        for folder in _copies("go", work):
            runner.run(["go", "mod", "download", "all"], cwd=folder, env=environment)
            for tool in self.go_tools:  # downloads its dependencies, and only those
                runner.run(["go", "install", tool], cwd=folder, env={**environment, "GOBIN": str(work / "bin")})
        shutil.copytree(modules / "cache" / "download", into, dirs_exist_ok=True, ignore=_not_archives)


@dataclass(frozen=True, slots=True)
class GoBuildCache(DownloadDefaults):
    """Go's build cache after the compilations of the preset `go`: the standard library, in three variants.

    Without it, the first jobs on a machine compile for minutes. Nothing is downloaded: the part `examples` has the
    modules. What depends on the folder of a job, such as the code of the example, is compiled again there.
    """

    locks: str
    commands: str

    @property
    def compiles(self) -> bool:
        """See `Recipe`."""
        return True

    @property
    def tools(self) -> tuple[str, ...]:
        """See `Recipe`."""
        return ("go",)

    def prepare(self, into: Path, runner: CommandRunner) -> None:
        """Do nothing: nothing is downloaded."""

    def finish(self, into: Path, runner: CommandRunner) -> None:
        """Compile a copy of the example as the jobs `test` and `build` do."""
        work = into / ".work"
        environment = {**_go(runner.parts["examples"], work), "GOWORK": "off", "GOCACHE": str(into / "cache")}
        for folder in _copies("go", work):
            runner.progress("compiling Go's standard library for the preset go")
            for command, more in GO_COMMANDS:
                runner.run(["go", *command], cwd=folder, env={**environment, **more})
        remove(work)


def _wheels(into: Path, work: Path, runner: CommandRunner) -> None:
    for folder in _copies("python", work):
        runner.run(
            [
                sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--require-hashes",
                "--only-binary", ":all:", "--dest", str(into), "--requirement", "requirements-dev.txt",
            ],
            cwd=folder,
        )  # fmt: skip


def _npm(into: Path, work: Path, runner: CommandRunner) -> None:
    for folder in _copies("node", work):
        runner.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--cache", str(into)], cwd=folder)


def _copies(preset: str, work: Path) -> Iterator[Path]:
    """Return copies of an example, with the flaw `dependency` in the second one."""
    own, flaw = states(preset)
    for name, sources in (("own", (own,)), ("flaw", (own, flaw))):
        copy = work / name
        for source in sources:
            shutil.copytree(source, copy, dirs_exist_ok=True, ignore=shutil.ignore_patterns("flaws", "target"))
        yield copy


def _not_archives(_folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name.endswith(".lock") or name == "vcs"]


def offline(part: Path, scratch: Path, go_cache: Path, *, maven: bool = True) -> Mapping[str, str]:
    """Return the variables by which pip, npm, Maven and Go use the folder of the part `examples`, and no network.

    What the clients write is in `scratch`, which has copies where a client writes into its cache; without `maven` there
    is none of its repository. Jobs share Go's build cache: an entry is found by the content of what was compiled.
    """
    for name in ("npm", "maven") if maven else ("npm",):
        if not (scratch / name).exists():
            shutil.copytree(part / name, scratch / name)
    return {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(part / "wheels"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "npm_config_cache": str(scratch / "npm"),
        "npm_config_offline": "true",
        "npm_config_audit": "false",
        "npm_config_fund": "false",
        "npm_config_update_notifier": "false",
        # Maven 3.8 reads no other variable.
        "MAVEN_OPTS": f"-Dmaven.repo.local={scratch / 'maven'} -Dmaven.legacyLocalRepo=true -XX:TieredStopAtLevel=1",
        **_go(part, scratch),
        "GOCACHE": str(go_cache),
    }


def _go(part: Path, scratch: Path) -> dict[str, str]:
    return {
        "GOPROXY": (part / "go").as_uri(),
        "GOSUMDB": "off",  # what `go run` gets has no go.sum; the files were checked when the part was made
        "GOPATH": str(scratch / "gopath"),
        "GOMODCACHE": str(scratch / "go"),
        "GOFLAGS": "-modcacherw",
        "GOTOOLCHAIN": "local",
    }

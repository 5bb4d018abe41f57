"""The components' wheel: built offline, whole, and usable where there is no checkout."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from release.wheel import build_wheel, try_wheel
from usine import __version__

ROOT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PINS = dict(re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


def test_a_component_is_imported_from_it_and_it_is_of_this_version(wheel: Path) -> None:
    assert wheel.name == f"usine_components-{__version__}-py3-none-any.whl"
    assert try_wheel(wheel) == f"TenantProject {__version__}"


def test_it_has_the_components_and_what_they_need_and_nothing_of_the_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as content:
        names = {name for name in content.namelist() if name.endswith(".py")}
    components = {path.relative_to(ROOT).as_posix() for path in (ROOT / "components").rglob("*.py")}
    model = {path.relative_to(ROOT).as_posix() for path in (ROOT / "model").rglob("*.py")}
    assert names == components | model | {"usine/__init__.py"}


def test_it_depends_on_what_it_imports_in_the_versions_that_are_tested(wheel: Path) -> None:
    imported = set()
    with zipfile.ZipFile(wheel) as content:
        for name in content.namelist():
            for node in ast.walk(ast.parse(content.read(name))) if name.endswith(".py") else ():
                if isinstance(node, ast.Import):
                    imported |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    imported.add(node.module.split(".")[0])
    others = imported - sys.stdlib_module_names - {"components", "model", "usine"}
    distributions = metadata.packages_distributions()
    wanted = {Requirement(text) for text in PROJECT["project"]["dependencies"]}
    needed = {name.lower().replace("_", "-") for module in others for name in distributions[module]}
    assert needed - {"pydantic-core"} == {requirement.name.lower() for requirement in wanted}, (
        "pydantic brings its core"
    )
    pins = {name.lower(): version for name, version in PINS.items()}
    for requirement in wanted:
        assert requirement.specifier.contains(pins[requirement.name.lower()]), requirement


def test_it_is_built_by_what_the_lock_has() -> None:
    assert PROJECT["build-system"]["requires"] == [f"setuptools=={PINS['setuptools']}"]

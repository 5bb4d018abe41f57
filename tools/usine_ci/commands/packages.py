"""Publish packages of the job's project to GitLab's registry, and delete old versions.

The version is that of the Git tag, without a leading v. A version or file that is published already is refused, also
where GitLab would accept it twice.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from usine_ci.problems import RefusedError
from usine_ci.registry import Package, Registry, variable

_VERSION: Final = re.compile(r"[0-9][A-Za-z0-9.+_-]*")
_FILE: Final = re.compile(r"(?!~)[A-Za-z0-9._+~-]+(?<!~)")
_WHEEL: Final = re.compile(
    r"(?P<name>[A-Za-z0-9_.]+)-(?P<version>[A-Za-z0-9_.!+]+)(-\d\w*)?-\w+-\w+-\w+\.whl", re.ASCII
)
_POM: Final = "{http://maven.apache.org/POM/4.0.0}"
_MOST: Final = 1_000_000


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions."""
    parser.add_argument("action", choices=sorted(_ACTIONS), help="what to publish, or clean: delete old versions")
    parser.add_argument("files", nargs="*", type=Path, help="wheels, files of a generic package, or pom.xml")


def run(options: argparse.Namespace) -> int:
    """Do the work of one action."""
    action: str = options.action
    files: list[Path] = options.files
    if action != "clean":
        _allowed(action)
        if not files:
            raise RefusedError(f"usine-ci packages {action}: name at least one file")
        if missing := [str(file) for file in files if not file.is_file()]:
            raise RefusedError(f"no such file: {', '.join(missing)}")
    _ACTIONS[action](files)
    return 0


def _allowed(kind: str) -> None:
    listed = os.environ.get("USINE_PACKAGES", "").split()
    if kind not in listed:
        raise RefusedError(
            f"the tenant file does not list {kind} under packages; it has: {', '.join(listed) or 'nothing'}"
        )


def _version() -> str:
    tag = variable("CI_COMMIT_TAG")
    version = tag.removeprefix("v")
    if not _VERSION.fullmatch(version):
        raise RefusedError(f"the tag {tag!r} names no version; expected a tag such as v1.2.3")
    return version


def _pypi(files: list[Path]) -> None:
    registry, version = Registry(), _version()
    wheels = [(file, _WHEEL.fullmatch(file.name)) for file in files]
    wrong = [file.name for file, match in wheels if match is None or match["version"] != version]
    if wrong:
        raise RefusedError(f"the tag is of version {version}, and these files are no wheel of it: {', '.join(wrong)}")
    for file, match in wheels:
        if match is not None:
            registry.upload_wheel(match["name"].replace("_", "-"), version, file)
            print(f"Published {file.name}")


def _generic(files: list[Path]) -> None:
    registry, name, version = Registry(), variable("CI_PROJECT_NAME"), _version()
    names = [file.name for file in files]
    if wrong := sorted({each for each in names if not _FILE.fullmatch(each) or names.count(each) > 1}):
        raise RefusedError(f"not the names of files in one package: {', '.join(wrong)}")
    known = [each for each in registry.packages("generic", name) if each.version == version]
    there = {file for each in known for file in registry.files(each)} & set(names)
    if there:
        raise RefusedError(f"{name} {version} is published already, with {', '.join(sorted(there))}")
    for file in files:
        registry.put(f"/generic/{name}/{version}/{file.name}", file)
        print(f"Published {file.name} of {name} {version}")


def _maven(files: list[Path]) -> None:
    """Check a pom.xml; Maven itself publishes."""
    registry, version = Registry(), _version()
    for file in files:
        group, artifact, stated = _coordinates(file)
        if stated not in {version, "${revision}"}:
            raise RefusedError(
                f"{file}: the version is {stated}, and the tag is of {version}; allowed: {version}, or ${{revision}}"
            )
        name = f"{group.replace('.', '/')}/{artifact}"
        if any(each.version == version for each in registry.packages("maven", name)):
            raise RefusedError(f"{name} {version} is published already")
        print(f"{name} {version} can be published")


def _coordinates(file: Path) -> tuple[str, str, str]:
    """Return group, artifact and version of a pom.xml; those that it lacks are its parent's."""
    text = file.read_text(encoding="utf-8")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise RefusedError(f"{file}: a pom.xml has no document type")
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - without a document type there are no entities
    except ElementTree.ParseError as error:
        line, column = error.position
        raise RefusedError(f"{file}:{line}:{column + 1}: not XML") from None

    def value(name: str) -> str:
        for path in (f"{_POM}{name}", name, f"{_POM}parent/{_POM}{name}", f"parent/{name}"):
            found = root.findtext(path)
            if found and found.strip():
                return found.strip()
        raise RefusedError(f"{file}: no {name}")

    return value("groupId"), value("artifactId"), value("version")


def _clean(_: list[Path]) -> None:
    text = os.environ.get("USINE_PACKAGES_KEEP", "")
    if not text:
        print("All versions stay: the tenant file has no packageRegistry.keepVersions.")
        return
    if not text.isdecimal() or not 0 < int(text) < _MOST:
        raise RefusedError(f"USINE_PACKAGES_KEEP is {text!r}; expected a number of versions from 1")
    registry = Registry()
    for package in outdated(registry.packages(), int(text)):
        registry.delete(package)
        print(f"Deleted {package.format} {package.name} {package.version}")


def outdated(packages: tuple[Package, ...], keep: int) -> tuple[Package, ...]:
    """Return the versions of each package except the `keep` newest; `packages` are sorted by their date."""
    by_name: dict[tuple[str, str], list[Package]] = {}
    for each in packages:
        by_name.setdefault((each.format, each.name), []).append(each)
    return tuple(each for versions in by_name.values() for each in versions[:-keep])


_ACTIONS: Final[Mapping[str, Callable[[list[Path]], None]]] = {
    "pypi": _pypi,
    "generic": _generic,
    "maven": _maven,
    "clean": _clean,
}

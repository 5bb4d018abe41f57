"""Helpers: tenant files as text, and the problems that the loader finds in them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from model.problems import Problem, SpecError
from model.reading.load import load
from model.reading.settings_load import load_settings
from model.settings import Settings
from model.tenant import Tenant
from tests.template import SETTINGS_FILE

ROOT = Path(__file__).resolve().parents[2]
LAB = SETTINGS_FILE
EXAMPLE = ROOT / "projects.d" / "teleservice.yaml"
SETTINGS = load_settings(LAB)

HEAD = """\
apiVersion: usine/v1
kind: Project
slug: tenant
name: Tenant
owner: alice.martin
contact: team@example.fr
"""
#: Line of the first line behind HEAD.
NEXT = HEAD.count("\n") + 1
BODY = """\
environments:
  dev: {}
  prod: {}
repositories:
  api: {}
  deploy: {kind: infra}
"""


def load_texts(files: Mapping[str, str | bytes], settings: Settings = SETTINGS) -> tuple[Tenant, ...]:
    """Load files by name. Raises SpecError; its problems have the bare file names."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in files.items():
            (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())
        try:
            return load(folder, settings)
        except SpecError as error:
            raise SpecError(
                Problem(p.file.removeprefix(f"{folder}/"), p.line, p.column, p.message.replace(f"{folder}/", ""))
                for p in error.problems
            ) from None


def problems(content: str | bytes, file: str = "tenant.yaml", settings: Settings = SETTINGS) -> list[Problem]:
    """Return the problems of one file."""
    return problems_of({file: content}, settings)


def problems_of(files: Mapping[str, str | bytes], settings: Settings = SETTINGS) -> list[Problem]:
    """Return the problems of several files."""
    try:
        load_texts(files, settings)
    except SpecError as error:
        return list(error.problems)
    return []


def one(content: str, settings: Settings = SETTINGS) -> Tenant:
    """Load one valid file `tenant.yaml`."""
    (tenant,) = load_texts({"tenant.yaml": content}, settings)
    return tenant


def file(slug: str, body: str = BODY) -> str:
    """Return a valid file with another slug."""
    return HEAD.replace("slug: tenant", f"slug: {slug}") + body

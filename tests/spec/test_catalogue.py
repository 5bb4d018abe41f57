"""The CI catalogue: all files are read, and problems have their place."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

from model.problems import SpecError
from model.reading.catalogue import FOLDER, read_catalogue
from tests.spec.helpers import ROOT, SETTINGS


def test_ours_has_a_file_for_each_preset_of_every_settings_file() -> None:
    texts = read_catalogue(ROOT / FOLDER, dataclasses.replace(SETTINGS, presets=(*SETTINGS.presets, "go")))
    assert set(texts) >= {"jobs/base.yml", "operations.yml", "templates/python.yml"}


def job_definitions(text: str) -> dict[str, Any]:
    """Return the content of a CI file, without the header that declares its inputs."""
    content: dict[str, Any] = list(yaml.safe_load_all(text))[-1]
    return content


def test_no_job_has_a_secret_in_a_variable() -> None:
    """What is secret comes from Vault, by the job's identity."""
    for path, text in read_catalogue(ROOT / FOLDER, SETTINGS).items():
        for name, job in job_definitions(text).items():
            variables = job.get("variables", {}) if isinstance(job, dict) else {}
            assert not [key for key in variables if "TOKEN" in key or "PASSWORD" in key], (path, name)


def test_one_run_reports_everything_wrong(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "python.yml").write_text("test:\n  script: [\n", encoding="utf-8")
    (tmp_path / "templates" / "generic.yml").write_bytes(b"\xff\xfe")
    settings = dataclasses.replace(SETTINGS, presets=("generic", "python", "rust"))
    with pytest.raises(SpecError) as caught:
        read_catalogue(tmp_path, settings)
    said = [str(problem).removeprefix(f"{tmp_path}/") for problem in caught.value.problems]
    assert len(said) == 3
    assert any(line.startswith("templates/python.yml:3:1: not a CI file") for line in said), said
    assert any(line.startswith("templates/generic.yml:1:1: CI catalogue: not a text") for line in said), said
    assert any("usine:presets: rust has no file" in line for line in said), said

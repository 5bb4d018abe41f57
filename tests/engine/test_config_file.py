"""Plain `pulumi` reads and writes the settings file that the environment names, and no other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.tiny import tiny_project

pytestmark = pytest.mark.servers


def test_the_engine_reads_and_writes_the_file_of_the_variable(tmp_path: Path) -> None:
    with tiny_project(tmp_path, "") as tiny:
        own = tiny.folder / "Pulumi.test.yaml"
        own.write_text("config: {tiny:word: tracked}  # as it stands\n", encoding="utf-8")
        other = tmp_path / "elsewhere.yaml"
        other.write_text("config: {tiny:word: platform}\n", encoding="utf-8")
        shell = replace(tiny, environment={**tiny.environment, "PULUMI_OPTION_CONFIG_FILE": str(other)})
        assert shell.must("config", "get", "word", "--stack", "test").strip() == "platform"
        # In the preview of an empty program the engine writes its salt.
        shell.must("preview", "--stack", "test")
        assert "encryptionsalt" in other.read_text("utf-8")
        assert own.read_text("utf-8") == "config: {tiny:word: tracked}  # as it stands\n"

"""The command `usine zones`."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.spec.helpers import ROOT
from tests.zones.test_settings import PULL, written
from usine.cli import main


def test_the_manifest_of_a_cluster_is_yaml_that_kubectl_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = written(tmp_path, pull=PULL)
    assert main(["zones", "manifest", "prod-1", "--settings", str(settings)]) == 0
    objects = list(yaml.safe_load_all(capsys.readouterr().out))
    assert all({"apiVersion", "kind", "metadata"} <= one.keys() for one in objects)
    assert {one["kind"] for one in objects} >= {"Application", "AppProject", "SecretStore", "ExternalSecret"}


def test_another_cluster_has_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = written(tmp_path, pull=PULL)
    assert main(["zones", "manifest", "prod-2", "--settings", str(settings)]) == 1
    assert "did you mean prod-1?" in capsys.readouterr().err
    assert main(["zones", "manifest", "nonprod-1", "--settings", str(settings)]) == 1
    plain = written(tmp_path, drop=())
    assert main(["zones", "manifest", "prod-1", "--settings", str(plain)]) == 1
    assert "no cluster of the settings pulls" in capsys.readouterr().err


def test_a_wrong_file_has_its_position(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = written(tmp_path, drop=())
    settings.write_text(settings.read_text(encoding="utf-8").replace("zone: lab", "zone: [lab"), encoding="utf-8")
    assert main(["zones", "manifest", "prod-1", "--settings", str(settings)]) == 1
    assert f"{settings}:" in capsys.readouterr().err


def test_a_restore_on_a_cluster_that_pulls_is_for_the_administrators_of_its_zone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = written(tmp_path, pull=PULL)
    words = ["restore", "teleservice", "prod", "--requested-by", "alice.martin", "--projects", str(ROOT / "projects.d")]
    assert main([*words, "--settings", str(settings)]) == 0
    captured = capsys.readouterr()
    assert yaml.safe_load(captured.out)["kind"] == "Restore"
    assert "the administrators of zone lab create it on prod-1: kubectl create -f -" in captured.err

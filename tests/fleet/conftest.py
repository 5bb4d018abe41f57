"""A fleet in a folder of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.fleet.fake import PULUMI, Fake
from tests.fleet.repository import Repository
from usine.commands import (
    fleet_agent,
    fleet_drift,
    fleet_open,
    fleet_operator,
    fleet_pipeline,
    fleet_report,
    fleet_up,
)

#: The modules that know where the checkout is.
MODULES = (fleet_agent, fleet_open, fleet_operator, fleet_up, fleet_drift, fleet_pipeline, fleet_report)


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    made = Fake(tmp_path)
    (tmp_path / "bin").mkdir()
    pulumi = tmp_path / "bin" / "pulumi"
    pulumi.write_text(PULUMI.format(root=tmp_path), encoding="utf-8")
    pulumi.chmod(0o755)
    (tmp_path / "Pulumi.yaml").write_text("name: usine\nruntime: python\n", encoding="utf-8")
    monkeypatch.setenv("PATH", f"{pulumi.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    for module in MODULES:
        monkeypatch.setattr(module, "ROOT", tmp_path)
    return made


@pytest.fixture
def repository(fleet: Fake) -> Repository:
    return Repository(fleet)

"""`usine revoke` in a fleet acts on the stack of the tenant, with its settings file."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

import pytest
import yaml

from tests.fleet.fake import Fake
from tests.rotation.states import ROBOT, resource
from usine import cli
from usine.commands import common, engine_stack, revoke
from usine.commands.fleet_open import open_stack_of
from usine.engine.cli import EngineError
from usine.engine.storage import state_storage
from usine.fleet.records import Records


@pytest.fixture
def platform(fleet: Fake, monkeypatch: pytest.MonkeyPatch) -> Fake:
    for module in (common, engine_stack, revoke):
        monkeypatch.setattr(module, "ROOT", fleet.root)
    robot = resource(ROBOT, "alpha/harbor/robot/push-1", "2026-06-01T08:00:00Z")
    robot["urn"] = robot["urn"].replace("urn:pulumi:lab::", "urn:pulumi:prod.alpha::")
    (fleet.root / "tenant.json").write_text(
        json.dumps({"version": 3, "deployment": {"resources": [robot]}}), encoding="utf-8"
    )
    return fleet


def arguments(fleet: Fake) -> argparse.Namespace:
    return argparse.Namespace(stack="prod", settings=fleet.settings, projects=None)


def config(path: Path | None) -> dict[str, object]:
    assert path is not None
    found: dict[str, object] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def revoked(fleet: Fake, *words: str) -> int:
    return cli.main(["revoke", "--stack", "prod", "--settings", str(fleet.settings), *words])


def test_the_credential_is_looked_up_in_the_stack_of_its_tenant(
    platform: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    assert revoked(platform, "alpha", "--credential", "harbor/robot/push-2") == 1
    assert "alpha has no stored credential in the stack" in capsys.readouterr().err, "one stack, without this tenant"
    assert platform.run("up") == 0
    capsys.readouterr()
    assert revoked(platform, "alpha", "--credential", "harbor/robot/push-2") == 1
    assert "did you mean harbor/robot/push-1?" in capsys.readouterr().err
    assert revoked(platform, "--foundation", "--credential", "harbor/robot/push-1") == 1
    assert "the foundation has no stored credential in the stack" in capsys.readouterr().err


def test_the_run_has_the_settings_of_the_stack(platform: Fake) -> None:
    assert open_stack_of(arguments(platform), "alpha").engine.stack == "prod"
    assert platform.run("up") == 0
    records = Records(state_storage({"PULUMI_BACKEND_URL": f"file://{platform.root}"}), "prod")
    record = records.run("alpha")
    assert record is not None
    records.write_run("alpha", dataclasses.replace(record, salt="v1:salt"))
    alpha = open_stack_of(arguments(platform), "alpha")
    assert (alpha.engine.stack, alpha.settings.foundation, alpha.settings.tenants) == ("prod.alpha", "skip", ("alpha",))
    assert config(alpha.engine.config_file)["encryptionsalt"] == "v1:salt", (
        "another one would encrypt all secrets again"
    )
    assert platform.root / "out" / "fleet" not in (alpha.engine.config_file or Path()).parents, "a run may read those"
    foundation = open_stack_of(arguments(platform), None)
    assert (foundation.engine.stack, foundation.settings.foundation) == ("prod", "only")
    # A tenant that has left still has a stack, in which no tenant is declared.
    (platform.root / "projects.d" / "beta.yaml").unlink()
    assert open_stack_of(arguments(platform), "beta").settings.tenants == ()
    with pytest.raises(EngineError, match=r"nobody has no stack in the fleet prod: see `usine fleet status`"):
        open_stack_of(arguments(platform), "nobody")

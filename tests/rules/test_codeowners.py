"""CODEOWNERS: who may approve what, and the committed file."""

from __future__ import annotations

import fnmatch
import shutil
from pathlib import Path

import pytest

from model.tenant import Role, Tenant
from tests.factories import tenant
from tests.rules.changes import SETTINGS
from tests.spec.helpers import ROOT
from tests.template import SETTINGS_FILE
from usine.cli import main
from usine.codeowners import render


def owners(text: str, path: str) -> str:
    """Return the approvers that GitLab requires for a path: the last matching line, or the section's default owners."""
    found, section = "", ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line.partition(" ")[2]
        elif line and not line.startswith("#"):
            pattern, _, names = line.partition(" ")
            if fnmatch.fnmatchcase(f"/{path}", pattern if pattern.startswith("/") else f"*/{pattern}"):
                found = names or section
    return found


def fleet() -> list[Tenant]:
    return [
        tenant("teleservice", members={Role.ADMIN: ("bob.durand", "alice.martin"), Role.DEVOPS: ("chloe.petit",)}),
        tenant("petitions", owner="helene.faure", members={}),
    ]


def test_owners_and_admins_approve_their_tenant_file_and_the_platform_everything() -> None:
    text = render(fleet(), SETTINGS)
    assert owners(text, "projects.d/teleservice.yaml") == "@alice.martin @bob.durand @platform"
    assert owners(text, "projects.d/petitions.yaml") == "@helene.faure @platform"
    for path in (
        "projects.d/new.yaml",
        "waivers.yaml",
        "CODEOWNERS",
        "Pulumi.prod.yaml",
        "components/vault.py",
        ".gitlab-ci.yml",
    ):
        assert owners(text, path) == "@platform", path


def test_the_order_of_tenants_does_not_change_the_file() -> None:
    assert render(fleet(), SETTINGS) == render(fleet()[::-1], SETTINGS)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for file in (SETTINGS_FILE, ROOT / "CODEOWNERS"):
        shutil.copy(file, tmp_path)
    shutil.copytree(ROOT / "projects.d", tmp_path / "projects.d")
    return tmp_path


def run(checkout: Path, *arguments: str) -> int:
    return main(["codeowners", "--settings", str(checkout / "Pulumi.lab.yaml"), *arguments])


def test_the_committed_file_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(ROOT, "--check") == 0, capsys.readouterr().err


def test_check_reports_the_line_and_the_command(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tenant = checkout / "projects.d" / "petitions.yaml"
    tenant.write_text(tenant.read_text(encoding="utf-8").replace("helene.faure", "zoe.neuf"), encoding="utf-8")
    before = (checkout / "CODEOWNERS").read_bytes()
    assert run(checkout, "--check") == 1
    error = capsys.readouterr().err
    line = before.decode().splitlines().index("/projects.d/petitions.yaml @helene.faure @platform") + 1
    assert error == f"{checkout}/CODEOWNERS:{line}:1: does not match the tenant files: run usine codeowners\n"
    assert (checkout / "CODEOWNERS").read_bytes() == before
    assert run(checkout) == 0
    assert run(checkout, "--check") == 0
    assert b"@zoe.neuf @platform" in (checkout / "CODEOWNERS").read_bytes()
    assert sorted(p.name for p in checkout.iterdir()) == ["CODEOWNERS", "Pulumi.lab.yaml", "projects.d"]


def test_without_a_file_check_fails_and_writing_makes_it(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / "CODEOWNERS").unlink()
    assert run(checkout, "--check") == 1
    assert "CODEOWNERS:1:1:" in capsys.readouterr().err
    assert run(checkout) == 0
    assert run(checkout, "--check") == 0


def test_invalid_tenant_files_are_reported_as_by_check(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tenant = checkout / "projects.d" / "petitions.yaml"
    tenant.write_text(tenant.read_text(encoding="utf-8").replace("owner:", "ownr:"), encoding="utf-8")
    assert run(checkout) == 1
    assert "did you mean owner?" in capsys.readouterr().err

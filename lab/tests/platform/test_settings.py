from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from lab import settings
from lab.errors import LabError
from lab.home import CHECKOUT, LabHome
from lab.settings import render

SOURCE = re.sub(r"(?m)^encryptionsalt: .*\n", "", (CHECKOUT / "Pulumi.lab.yaml").read_text(encoding="utf-8"))


def test_the_default_platform_uses_the_unchanged_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "CHECKOUT", tmp_path)
    assert render(SOURCE, LabHome(tmp_path / ".lab")) == SOURCE


def test_endpoints_and_paths_follow_the_platform(tmp_path: Path) -> None:
    config = yaml.safe_load(render(SOURCE, LabHome(tmp_path / "other", 28000)))["config"]
    assert config["usine:endpoints"]["keycloak"] == {
        "url": "https://127.0.0.1:28443",
        "ca": f"{tmp_path}/other/pki/ca.pem",
    }
    assert config["usine:endpoints"]["vault"]["url"] == "http://127.0.0.1:28200"
    for cluster in config["usine:clusters"].values():
        assert cluster["server"] == "https://127.0.0.1:28644"
        assert cluster["ca"] == f"{tmp_path}/other/pki/ca.pem"


def test_nothing_else_changes(tmp_path: Path) -> None:
    before, after = SOURCE.splitlines(), render(SOURCE, LabHome(tmp_path, 28000)).splitlines()
    changed = [old for old, new in zip(before, after, strict=True) if old != new]
    assert changed
    assert all("127.0.0.1:18" in line or ".lab/" in line for line in changed)


def test_a_folder_of_the_checkout_stays_relative() -> None:
    text = render("ca: .lab/pki/ca.pem\n", LabHome(CHECKOUT / ".lab-tests"))
    assert text == "ca: .lab-tests/pki/ca.pem\n"


@pytest.mark.parametrize(
    "text",
    [
        "url: https://127.0.0.1:5432\n",  # not a port of the platform
        "url: https://127.0.0.1:180443\n",
        "url: https://example.org:18443\n",
        "port: 18443\n",
        "path: my.lab/pki\n",
        "path: /home/someone/.lab/pki\n",
    ],
)
def test_other_addresses_and_paths_do_not_change(text: str, tmp_path: Path) -> None:
    assert render(text, LabHome(tmp_path, 28000)) == text


def test_the_engines_salt_is_kept(tmp_path: Path) -> None:
    home = LabHome(tmp_path)
    salt = "encryptionsalt: v1:abc=:v1:x/y+z=="
    home.settings.write_text(f"{salt}\nconfig:\n  usine:projects: old\n", encoding="utf-8")
    text = render(SOURCE, home)
    assert text.count("encryptionsalt") == 1
    assert salt in text.splitlines()
    assert yaml.safe_load(text)["config"]["usine:projects"] == "projects.d"
    # again, from the written file
    home.settings.write_text(text, encoding="utf-8")
    assert render(SOURCE, home) == text


def test_a_salt_of_another_platform_is_removed(tmp_path: Path) -> None:
    home = LabHome(tmp_path)
    source = "encryptionsalt: v1:theirs\nconfig: {}\n"
    assert render(source, home) == "config: {}\n"
    home.settings.write_text("encryptionsalt: v1:mine\n", encoding="utf-8")
    assert render(source, home) == "config: {}\nencryptionsalt: v1:mine\n"


def test_a_folder_that_needs_quotes_in_yaml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="without spaces"):
        render(SOURCE, LabHome(tmp_path / "my lab: #1"))


def test_unreadable_settings_are_reported(tmp_path: Path) -> None:
    home = LabHome(tmp_path)
    home.settings.write_bytes(b"\xff\xfe")
    with pytest.raises(LabError, match="cannot be read"):
        render(SOURCE, home)

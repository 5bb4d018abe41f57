from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

from lab.engine import install
from lab.engine.installation import official
from lab.engine.wrappers import write_wrapper
from lab.environment import environment, openbao, shell_environment
from lab.errors import LabError
from lab.home import CHECKOUT, LabHome
from lab.secrets import Secrets


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LabHome:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    home = LabHome.open(tmp_path / "lab", 28000)
    Secrets().update(home, pulumi_passphrase="p-1", keycloak_user="admin", keycloak_password="k-1", vault_token="v-1")
    return home


def parts(folder: Path) -> dict[str, Path]:
    """Return parts as downloaded: scripts from Go's module cache are not executable."""
    executable(folder / "cli" / "pulumi", "#!/bin/sh\n")
    (folder / "python").mkdir()
    for name in ("pulumi-language-python-exec", "pulumi-resource-pulumi-python"):
        (folder / "python" / name).write_text('#!/bin/sh\necho "$PULUMI_RUNTIME_VIRTUALENV"\n', encoding="utf-8")
        (folder / "python" / name).chmod(0o444)
    return {"pulumi": folder / "cli", "pulumi-python": folder / "python"}


def executable(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


def test_engine_and_clients_use_the_platform(home: LabHome) -> None:
    found = environment(home)
    assert found["PATH"] == os.pathsep.join([str(home.bin), str(openbao().parent), "/usr/bin:/bin"])
    expected = {
        "PULUMI_HOME": f"{home.root}/pulumi",
        "PULUMI_BACKEND_URL": f"file://{home.root}/state",
        "PULUMI_CONFIG_PASSPHRASE": "p-1",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "VAULT_ADDR": "http://127.0.0.1:28200",
        "VAULT_TOKEN": "v-1",
        "KEYCLOAK_CLIENT_ID": "admin-cli",
        "KEYCLOAK_USER": "admin",
        "KEYCLOAK_PASSWORD": "k-1",
        "KUBECONFIG": f"{home.root}/kubeconfig",
    }
    assert {name: found[name] for name in expected} == expected
    assert subprocess.run([openbao(), "version"], capture_output=True, check=True).stdout.startswith(b"OpenBao")


def test_variables_of_another_platform_are_removed(home: LabHome, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VAULT_NAMESPACE", "VAULT_CACERT", "BAO_ADDR", "KEYCLOAK_CLIENT_SECRET", "KEYCLOAK_REALM"):
        monkeypatch.setenv(name, "production")
    for name in ("PULUMI_CONFIG_PASSPHRASE_FILE", "PULUMI_ACCESS_TOKEN", "PULUMI_STACK", "VAULT_TOKEN"):
        monkeypatch.setenv(name, "production")
    monkeypatch.setenv("NO_PROXY", "intranet")
    monkeypatch.setenv("LANG", "fr_FR.UTF-8")
    found = environment(home)
    assert "production" not in found.values()
    assert found["NO_PROXY"] == "intranet,127.0.0.1,localhost"
    assert found["LANG"] == "fr_FR.UTF-8"


def test_an_official_pulumi_is_not_shadowed(home: LabHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(home, parts(tmp_path))
    assert official() is None
    theirs = executable(tmp_path / "theirs" / "pulumi").parent
    executable(theirs / "pulumi-language-python")
    monkeypatch.setenv("PATH", f"{theirs}:/usr/bin:/bin")
    assert official() == theirs / "pulumi"
    found = environment(home)
    assert str(home.bin) not in found["PATH"]
    assert "PULUMI_IGNORE_AMBIENT_PLUGINS" not in found
    install(home, {})  # needs no part of the lab
    assert not list(home.bin.iterdir())


def test_a_pulumi_without_its_language_host_is_not_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(executable(tmp_path / "bare" / "pulumi").parent))
    assert official() is None


def test_a_pulumi_built_by_the_lab_is_not_official(
    home: LabHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(home, parts(tmp_path))
    monkeypatch.setenv("PATH", f"{home.bin}:/usr/bin:/bin")
    assert official() is None


def test_the_engine_finds_everything_beside_itself(home: LabHome, tmp_path: Path) -> None:
    install(home, parts(tmp_path))
    names = ["pulumi", "pulumi-language-python", "pulumi-language-python-exec", "pulumi-resource-pulumi-python"]
    for name in names:
        assert os.access(home.bin / name, os.X_OK), name
    # With a link, `pulumi` would look for its host beside the link's target, and warn about ours.
    assert (home.bin / "pulumi").resolve() == home.bin / "pulumi"
    install(home, parts(tmp_path / "newer"))  # again, from another folder
    assert os.access(home.bin / "pulumi", os.X_OK)


def test_a_part_that_lacks_a_file_is_reported(home: LabHome, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="'pulumi-python' has no `pulumi-language-python-exec`"):
        install(home, {"pulumi": parts(tmp_path)["pulumi"], "pulumi-python": tmp_path})


@pytest.mark.parametrize(("option", "expected"), [(".venv", "{root}/.venv"), ("/else/where", "/else/where"), ("", "")])
def test_dynamic_providers_find_the_virtual_environment_from_any_folder(
    home: LabHome, tmp_path: Path, option: str, expected: str
) -> None:
    install(home, parts(tmp_path))
    root = tmp_path / "project"
    (root / "stacks" / "platform").mkdir(parents=True)
    (root / "Pulumi.yaml").touch()
    done = subprocess.run(
        [home.bin / "pulumi-resource-pulumi-python"],
        cwd=root / "stacks" / "platform",
        env={"PATH": "/usr/bin:/bin", **({"PULUMI_RUNTIME_VIRTUALENV": option} if option else {})},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == expected.format(root=root)


def test_a_wrapper_ignores_the_folder_where_it_starts(tmp_path: Path) -> None:
    (tmp_path / "json").mkdir()  # would shadow a module if the folder were on the path
    (tmp_path / "json" / "__init__.py").write_text("raise SystemExit('shadowed')", encoding="utf-8")
    wrapper = tmp_path / "folder with 'quotes'" / "tool"
    write_wrapper(wrapper, "json.tool", "--compact")
    done = subprocess.run([wrapper], cwd=tmp_path, input='{"a": 1}', capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"a": 1}
    assert stat.S_IMODE(wrapper.stat().st_mode) == 0o700


def test_pulumi_in_a_shell_uses_the_platforms_settings_file(home: LabHome, monkeypatch: pytest.MonkeyPatch) -> None:
    tracked = (CHECKOUT / "Pulumi.lab.yaml").read_bytes()
    monkeypatch.setenv("PULUMI_OPTION_CONFIG_FILE", "/another/platform's")
    assert "PULUMI_OPTION_CONFIG_FILE" not in environment(home), "usine passes the file itself"
    found = shell_environment(home)
    assert found == {**environment(home), "PULUMI_OPTION_CONFIG_FILE": str(home.settings)}
    assert "127.0.0.1:28443" in home.settings.read_text("utf-8")
    with home.settings.open("a", encoding="utf-8") as file:
        file.write("encryptionsalt: v1:salt\n")
    shell_environment(home)
    assert home.settings.read_text("utf-8").endswith("encryptionsalt: v1:salt\n"), "the engine needs it again"
    assert (CHECKOUT / "Pulumi.lab.yaml").read_bytes() == tracked

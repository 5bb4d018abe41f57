from __future__ import annotations

import io
import os
import stat
import sys
import tarfile
from pathlib import Path

import pytest

from lab.engine import plugin_sources, plugins
from lab.engine.plugins import PluginChoice, PluginInUse, executable, in_use, install, wanted_versions
from lab.errors import LabError
from lab.home import LabHome
from pulumi_facts.plugins import probe

WANTED = wanted_versions()
# A plugin: it prints its port, and answers its version on request.
PLUGIN = """\
#!{python}
import threading
from concurrent.futures import ThreadPoolExecutor
import grpc
from pulumi.runtime.proto import plugin_pb2, provider_pb2_grpc

class Provider(provider_pb2_grpc.ResourceProviderServicer):
    def GetPluginInfo(self, request, context):
        return plugin_pb2.PluginInfo(version="{version}")

server = grpc.server(ThreadPoolExecutor(1))
provider_pb2_grpc.add_ResourceProviderServicer_to_server(Provider(), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(port, flush=True)
threading.Event().wait()
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LabHome:
    """Return a platform on a machine whose `pulumi` cannot download and whose user has no plugins."""
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "users"))
    home = LabHome.open(tmp_path / "lab")
    pulumi(home, "echo error: no network >&2; exit 1")
    return home


def pulumi(home: LabHome, script: str) -> Path:
    """Install a fake `pulumi` that records its arguments; return the file with them."""
    calls = home.root / "calls"
    home.bin.mkdir(exist_ok=True)
    (home.bin / "pulumi").write_text(f'#!/bin/sh\necho "$@" >> {calls}\n{script}\n', encoding="utf-8")
    (home.bin / "pulumi").chmod(0o755)
    return calls


def plugin(path: Path, version: str | None = None) -> Path:
    """Write an official plugin; with `version`, one that answers its version."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        PLUGIN.format(python=sys.executable, version=version) if version else f"#!/bin/sh\necho {path}\n",
        encoding="utf-8",
    )
    path.chmod(0o755)
    return path


def kinds(used: tuple[PluginInUse, ...]) -> dict[str, str]:
    return {plugin.name: plugin.kind for plugin in used}


def installed(home: LabHome) -> list[str]:
    return sorted(path.name for path in (home.pulumi_home / "plugins").iterdir())


STAND_INS = dict.fromkeys(("gitlab", "harbor", "keycloak", "kubernetes", "vault"), "stand-in")


def test_versions_are_those_that_the_programs_packages_require() -> None:
    assert WANTED.keys() == STAND_INS.keys()
    assert all(version[0].isdigit() for version in WANTED.values())


def test_stand_ins_are_used_and_failed_downloads_are_not_repeated(home: LabHome) -> None:
    calls = home.root / "calls"
    used = install(home, PluginChoice.AUTO)
    assert kinds(used) == STAND_INS == kinds(in_use(home))
    assert installed(home) == sorted(f"resource-{name}-v{version}" for name, version in WANTED.items())
    assert sorted(calls.read_text(encoding="utf-8").splitlines()) == sorted(
        f"plugin install resource {name} {version}" for name, version in WANTED.items()
    )
    install(home, PluginChoice.AUTO)
    assert len(calls.read_text(encoding="utf-8").splitlines()) == len(WANTED)
    assert not list(home.root.glob("download-*"))


def test_a_stand_in_starts(home: LabHome) -> None:
    (vault,) = (plugin for plugin in install(home, PluginChoice.STAND_IN) if plugin.name == "vault")
    assert vault == PluginInUse("vault", WANTED["vault"], "stand-in", "lab.plugins.vault")
    path = executable(home, "vault", vault.version)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert probe(path) == vault.version


def test_stand_ins_by_choice_download_nothing(home: LabHome) -> None:
    plugin(plugin_sources.users_plugins() / f"resource-vault-v{WANTED['vault']}" / "pulumi-resource-vault")
    assert kinds(install(home, PluginChoice.STAND_IN)) == STAND_INS
    assert not (home.root / "calls").exists()


def test_a_downloaded_plugin_is_used_and_kept(home: LabHome) -> None:
    calls = pulumi(
        home,
        '[ "$4" = vault ] || exit 1\n'
        'mkdir -p "$PULUMI_HOME/plugins/resource-vault-v$5"\n'
        'cp /bin/true "$PULUMI_HOME/plugins/resource-vault-v$5/pulumi-resource-vault"',
    )
    used = install(home, PluginChoice.AUTO)
    assert kinds(used) == {**STAND_INS, "vault": "official"}
    assert PluginInUse("vault", WANTED["vault"], "official", "downloaded") in used
    assert executable(home, "vault", WANTED["vault"]).read_bytes() == Path("/bin/true").read_bytes()
    assert install(home, PluginChoice.AUTO) == used
    assert len(calls.read_text(encoding="utf-8").splitlines()) == len(WANTED)


def test_a_download_that_hangs_is_stopped(home: LabHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin_sources, "DOWNLOAD_SECONDS", 0.2)
    pulumi(home, "exec sleep 60")
    assert kinds(install(home, PluginChoice.AUTO)) == STAND_INS


def archive(folder: Path, name: str, member: str) -> Path:
    machine = plugin_sources._machine()
    path = folder / f"{name}-v{WANTED['kubernetes']}-{machine[0]}-{machine[1]}.tar.gz"
    with tarfile.open(path, "w:gz") as content:
        for entry in ("../outside", member):
            info = tarfile.TarInfo(entry)
            data = b"#!/bin/sh\n"
            info.size = len(data)
            content.addfile(info, io.BytesIO(data))
    return path


def test_every_shape_of_a_plugin_folder_is_read(home: LabHome, tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    plain = plugin(folder / "pulumi-resource-vault", WANTED["vault"])
    nested = plugin(folder / f"resource-keycloak-v{WANTED['keycloak']}" / "pulumi-resource-keycloak")
    packed = archive(folder, "pulumi-resource-kubernetes", "pulumi-resource-kubernetes")
    others = {name: plugin(folder / f"pulumi-resource-{name}", WANTED[name]) for name in ("gitlab", "harbor")}
    used = install(home, PluginChoice.OFFICIAL, folder)
    assert {plugin.name: (plugin.kind, plugin.origin) for plugin in used} == {
        "vault": ("official", str(plain)),
        "keycloak": ("official", str(nested)),
        "kubernetes": ("official", str(packed)),
        **{name: ("official", str(path)) for name, path in others.items()},
    }
    for found in used:
        assert os.access(executable(home, found.name, found.version), os.X_OK)
    assert not (home.root / "calls").exists()
    assert not list(tmp_path.rglob("outside"))


def test_a_damaged_archive_is_reported(home: LabHome, tmp_path: Path) -> None:
    packed = archive(tmp_path, "pulumi-resource-kubernetes", "something-else")
    with pytest.raises(LabError, match="not an archive with pulumi-resource-kubernetes"):
        install(home, PluginChoice.AUTO, tmp_path)
    packed.write_bytes(packed.read_bytes()[:40])
    with pytest.raises(LabError, match="kubernetes plugin cannot be installed"):
        install(home, PluginChoice.AUTO, tmp_path)


def test_the_users_own_plugins_are_used(home: LabHome) -> None:
    mine = plugin(plugin_sources.users_plugins() / f"resource-vault-v{WANTED['vault']}" / "pulumi-resource-vault")
    used = install(home, PluginChoice.AUTO)
    assert PluginInUse("vault", WANTED["vault"], "official", str(mine)) in used


@pytest.mark.parametrize("version", ["0.0.1", "99.0.0", ""])
def test_a_plugin_of_any_version_is_installed_where_the_engine_looks(
    home: LabHome, tmp_path: Path, version: str
) -> None:
    mine = plugin(tmp_path / "plugins" / "pulumi-resource-vault", version or None)
    used = install(home, PluginChoice.AUTO, mine.parent)
    assert PluginInUse("vault", version or "unknown", "official", str(mine)) in used
    assert executable(home, "vault", WANTED["vault"]).read_bytes() == mine.read_bytes()
    assert installed(home) == sorted(f"resource-{name}-v{wanted}" for name, wanted in WANTED.items())
    # Without the folder, the plugin stays.
    assert install(home, PluginChoice.AUTO) == used


def test_a_plugin_for_an_older_required_version_is_not_used(
    home: LabHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = plugin(tmp_path / "plugins" / "pulumi-resource-vault", "0.0.1").parent
    install(home, PluginChoice.AUTO, folder)
    monkeypatch.setattr(plugins, "wanted_versions", lambda: {**WANTED, "vault": "98.0.0"})
    assert kinds(install(home, PluginChoice.AUTO)) == STAND_INS
    assert PluginInUse("vault", "0.0.1", "official", str(folder / "pulumi-resource-vault")) in install(
        home, PluginChoice.AUTO, folder
    )
    assert executable(home, "vault", "98.0.0").is_file()


def test_a_plugins_answer_takes_precedence_over_its_folders_name(home: LabHome, tmp_path: Path) -> None:
    plugin(tmp_path / "resource-vault-v3.2.1" / "pulumi-resource-vault", "1.2.3")
    plugin(tmp_path / "resource-keycloak-v3.2.1" / "pulumi-resource-keycloak")
    versions = {plugin.name: plugin.version for plugin in install(home, PluginChoice.AUTO, tmp_path)}
    assert versions == {**WANTED, "vault": "1.2.3", "keycloak": "3.2.1"}


def test_the_exact_version_is_preferred_then_the_newest(home: LabHome, tmp_path: Path) -> None:
    def origin() -> str:
        return next(used.origin for used in install(home, PluginChoice.AUTO, tmp_path) if used.name == "vault")

    plugin(tmp_path / "resource-vault-vlocal" / "pulumi-resource-vault")
    plugin(tmp_path / "resource-vault-v6.9" / "pulumi-resource-vault")
    newest = plugin(tmp_path / "resource-vault-v6.10.0" / "pulumi-resource-vault")
    assert origin() == str(newest)
    newest = plugin(tmp_path / "pulumi-resource-vault", "99.0.0")
    assert origin() == str(newest)
    exact = plugin(tmp_path / f"resource-vault-v{WANTED['vault']}" / "pulumi-resource-vault")
    assert origin() == str(exact)


def test_another_version_of_the_user_is_used_if_the_download_fails(home: LabHome) -> None:
    mine = plugin(plugin_sources.users_plugins() / "resource-vault-v7.11.0" / "pulumi-resource-vault")
    plugin(plugin_sources.users_plugins() / "resource-vault-v7.9.0" / "pulumi-resource-vault")
    used = install(home, PluginChoice.AUTO)
    assert PluginInUse("vault", "7.11.0", "official", str(mine)) in used
    assert f"resource vault {WANTED['vault']}" in (home.root / "calls").read_text(encoding="utf-8")


def test_plugins_of_a_platform_are_not_the_users(home: LabHome, monkeypatch: pytest.MonkeyPatch) -> None:
    install(home, PluginChoice.STAND_IN)
    monkeypatch.setenv("HOME", str(home.root / "nobody"))
    monkeypatch.setenv("PULUMI_HOME", str(home.pulumi_home))
    assert kinds(install(home, PluginChoice.AUTO)) == STAND_INS


def test_a_plugin_without_executable_mode_runs(home: LabHome, tmp_path: Path) -> None:
    mine = plugin(tmp_path / "pulumi-resource-vault", "1.2.3")
    mine.chmod(0o600)
    used = install(home, PluginChoice.AUTO, tmp_path)
    assert PluginInUse("vault", "1.2.3", "official", str(mine)) in used
    assert stat.S_IMODE(mine.stat().st_mode) == 0o600


def test_official_only_reports_all_missing_plugins_and_changes_nothing(home: LabHome, tmp_path: Path) -> None:
    before = install(home, PluginChoice.STAND_IN)
    folder = tmp_path / "plugins"
    plugin(folder / f"resource-vault-v{WANTED['vault']}" / "pulumi-resource-vault")
    with pytest.raises(LabError) as caught:
        install(home, PluginChoice.OFFICIAL, folder)
    message = str(caught.value)
    assert f"pulumi-resource-keycloak v{WANTED['keycloak']}" in message
    assert f"pulumi-resource-kubernetes v{WANTED['kubernetes']}: download: error: no network" in message
    assert "pulumi-resource-vault" not in message
    assert in_use(home) == before
    assert probe(executable(home, "vault", WANTED["vault"])) == WANTED["vault"]
    # If only official plugins are accepted, the next run tries the download again.
    with pytest.raises(LabError):
        install(home, PluginChoice.OFFICIAL, folder)
    assert len((home.root / "calls").read_text(encoding="utf-8").splitlines()) == 2 * (len(WANTED) - 1)


def test_switching_replaces_what_was_installed(home: LabHome) -> None:
    mine = plugin(plugin_sources.users_plugins() / f"resource-vault-v{WANTED['vault']}" / "pulumi-resource-vault")
    path = executable(home, "vault", WANTED["vault"])
    stale = home.pulumi_home / "plugins" / "resource-vault-v0.0.1"
    install(home, PluginChoice.STAND_IN)
    assert b"lab.plugins.vault" in path.read_bytes()
    stale.mkdir()
    install(home, PluginChoice.AUTO)
    assert path.read_bytes() == mine.read_bytes()
    assert not stale.exists()
    install(home, PluginChoice.STAND_IN)
    assert b"lab.plugins.vault" in path.read_bytes()
    assert b"lab.plugins.vault" not in mine.read_bytes()  # the user's own plugin was not overwritten through the link


def test_a_damaged_record_is_replaced(home: LabHome) -> None:
    install(home, PluginChoice.STAND_IN)
    for text in ("{", "[]", '{"in_use": [{"name": 1}], "failed": {}}', '{"in_use": [], "failed": []}'):
        (home.root / "plugins.json").write_text(text, encoding="utf-8")
        assert in_use(home) == ()
    assert kinds(install(home, PluginChoice.STAND_IN)) == STAND_INS


def test_a_kubernetes_plugin_that_ignores_the_programs_options_is_refused(home: LabHome, tmp_path: Path) -> None:
    folder, untouched = tmp_path / "plugins", install(home, PluginChoice.STAND_IN)
    bare = folder / "pulumi-resource-kubernetes"
    for path, version in ((bare, "4.28.1"), (folder / "resource-kubernetes-v4.9.0" / bare.name, None)):
        plugin(path, version)
        with pytest.raises(
            LabError, match=r"the kubernetes plugin 4\.(28\.1|9\.0) ignores .* 4\.29\.0 or newer is needed"
        ):
            plugins.check(folder)
        path.unlink()
    assert in_use(home) == untouched
    # The plugin's answer counts, not its folder's name.
    plugin(folder / f"resource-kubernetes-v{WANTED['kubernetes']}" / bare.name, "4.28.1")
    plugins.check(folder)
    with pytest.raises(LabError, match=r"the kubernetes plugin 4\.28\.1 ignores"):
        install(home, PluginChoice.AUTO, folder)
    assert not executable(home, "kubernetes", WANTED["kubernetes"]).exists()


def test_an_old_kubernetes_plugin_of_the_user_is_skipped(home: LabHome) -> None:
    plugin(plugin_sources.users_plugins() / "resource-kubernetes-v4.28.1" / "pulumi-resource-kubernetes")
    assert kinds(install(home, PluginChoice.AUTO))["kubernetes"] == "stand-in"
    newer = plugin(plugin_sources.users_plugins() / "resource-kubernetes-v4.29.0" / "pulumi-resource-kubernetes")
    assert PluginInUse("kubernetes", "4.29.0", "official", str(newer)) in install(home, PluginChoice.AUTO)


def test_a_missing_plugin_folder_is_reported(home: LabHome, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no such folder"):
        install(home, PluginChoice.AUTO, tmp_path / "nothing")


def test_a_package_that_is_not_installed_needs_no_plugin(home: LabHome, monkeypatch: pytest.MonkeyPatch) -> None:
    table = {**plugins.PROVIDERS, "nexus": ("pulumi_no_such_package", "lab.plugins.nexus")}
    monkeypatch.setattr(plugins, "PROVIDERS", table)
    assert kinds(install(home, PluginChoice.STAND_IN)) == STAND_INS


def test_an_executable_that_is_not_a_plugin_has_no_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pulumi_facts.plugins.PROBE_SECONDS", 0.3)
    assert probe(Path("/bin/true")) == ""
    assert probe(tmp_path / "nothing") == ""
    silent = plugin(tmp_path / "silent")
    silent.write_text("#!/bin/sh\nexec sleep 60\n", encoding="utf-8")
    assert probe(silent) == ""

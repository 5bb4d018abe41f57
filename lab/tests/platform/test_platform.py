"""The platform as a whole, without servers: errors before anything is built or started."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from lab import parts, platform
from lab.engine.plugin_sources import users_plugins
from lab.engine.plugins import PluginChoice, wanted_versions
from lab.errors import LabError
from lab.home import LabHome
from lab.parts import PartsPlan
from lab.parts.cache import Cache
from lab.process import Command
from lab.reporter import Reporter, Silent
from lab.servers import Context, LabServer


class Full(LabServer):
    """A server whose folder cannot be created."""

    name = "full"

    def where(self, home: LabHome) -> str:
        return str(home.data / "full")

    def command(self, context: Context) -> Command | None:
        (context.home.data / "full").mkdir(parents=True)
        return None

    def healthy(self, home: LabHome) -> bool:
        return (home.data / "full").is_dir()


class After(Full):
    name = "after"
    after = ("full",)


@pytest.fixture
def home(tmp_path: Path) -> LabHome:
    return LabHome.open(tmp_path / "lab")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Collection[str] | None]:
    """Return the arguments of calls of `Plan.make`, which is replaced, on a machine with all tools and no plugins."""
    calls: list[Collection[str] | None] = []

    class NothingMade(PartsPlan):
        def make(self, reporter: Reporter, names: Collection[str] | None = None) -> dict[str, Path]:
            assert reporter is not None
            calls.append(names)
            raise LabError("would be built")

    monkeypatch.setattr(parts, "plan", lambda: NothingMade((), Cache(tmp_path / "cache")))
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "users"))
    return calls


@pytest.mark.parametrize("choice", list(PluginChoice))
def test_a_missing_plugin_folder_is_reported_before_anything_is_built(
    home: LabHome, asked: list[Collection[str] | None], choice: PluginChoice
) -> None:
    with pytest.raises(LabError, match="no such folder"):
        platform.up(home, plugins=choice, plugin_dir=home.root / "nothing")
    assert asked == []


def test_official_plugins_are_downloaded_after_only_the_engine_is_built(
    home: LabHome, asked: list[Collection[str] | None]
) -> None:
    with pytest.raises(LabError, match="would be built"):
        platform.up(home, plugins=PluginChoice.OFFICIAL)
    assert asked == [("pulumi", "pulumi-python")]


def test_available_official_plugins_need_no_download_first(home: LabHome, asked: list[Collection[str] | None]) -> None:
    for name, version in wanted_versions().items():
        path = users_plugins() / f"resource-{name}-v{version}" / f"pulumi-resource-{name}"
        path.parent.mkdir(parents=True)
        path.touch()
    with pytest.raises(LabError, match="would be built"):
        platform.up(home, plugins=PluginChoice.OFFICIAL)
    assert asked == [None]


def test_a_file_in_place_of_a_servers_folder_is_reported_in_one_line(home: LabHome) -> None:
    home.data.mkdir()
    (home.data / "full").touch()
    with pytest.raises(LabError) as caught:
        platform.start(home, {}, Silent(), (Full(), After()))
    assert str(caught.value) == f"full: [Errno 17] File exists: '{home.data / 'full'}'"

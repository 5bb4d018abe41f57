"""A plugin that is too old for the program is refused before the engine starts."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

import usine.engine.plugins
from pulumi_facts.plugins import too_old
from usine.engine.cli import Engine, EngineError
from usine.engine.plugins import check_plugins


@pytest.mark.parametrize(
    ("name", "version", "refused"),
    [
        ("kubernetes", "4.28.1", True),
        ("kubernetes", "3.30.0", True),
        ("kubernetes", "4.29.0-alpha.1", True),
        ("kubernetes", "4.29.0", False),
        ("kubernetes", "5.0.0", False),
        ("kubernetes", "unknown", False),
        ("kubernetes", "", False),
        ("vault", "1.0.0", False),
    ],
)
def test_by_version(name: str, version: str, refused: bool) -> None:
    assert bool(too_old(name, version)) is refused


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """An engine whose plugins answer with the version in their file."""
    monkeypatch.setattr(usine.engine.plugins, "probe", lambda path: path.read_text("utf-8"))
    (tmp_path / "Pulumi.yaml").write_text("name: usine\n", encoding="utf-8")
    (tmp_path / "bin").mkdir()
    return Engine(tmp_path, "prod", {"PATH": str(tmp_path / "bin")})


def plugin(folder: Path, version: str) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / "pulumi-resource-kubernetes"
    path.write_text(version, encoding="utf-8")
    path.chmod(0o755)


def test_the_version_of_the_sdk_is_allowed_and_an_older_one_is_refused(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_plugins(engine)
    monkeypatch.setattr(metadata, "version", lambda _name: "4.21.0")
    with pytest.raises(EngineError, match=r"pulumi-kubernetes 4\.21\.0: .*4\.29\.0 or newer is needed"):
        check_plugins(engine)


def test_a_plugin_on_the_path_is_checked_unless_the_engine_ignores_it(engine: Engine) -> None:
    plugin(engine.root / "bin", "4.28.0")
    with pytest.raises(EngineError, match=r"bin/pulumi-resource-kubernetes: the kubernetes plugin 4\.28\.0"):
        check_plugins(engine)
    check_plugins(Engine(engine.root, "prod", {**engine.environment, "PULUMI_IGNORE_AMBIENT_PLUGINS": "true"}))
    plugin(engine.root / "bin", "4.30.0")
    check_plugins(engine)


def test_the_plugin_of_the_project_file_is_checked_first(engine: Engine) -> None:
    plugin(engine.root / "bin", "4.30.0")
    plugin(engine.root / "own", "4.28.0")
    (engine.root / "Pulumi.yaml").write_text(
        "name: usine\nplugins:\n  providers: [{name: kubernetes, path: own}]\n", encoding="utf-8"
    )
    with pytest.raises(EngineError, match=r"own/pulumi-resource-kubernetes"):
        check_plugins(engine)

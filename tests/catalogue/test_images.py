"""`usine catalogue update`: digests are written, comments stay."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from model.images import Image
from model.settings import HarborSettings, ProxyCache
from tests import factories
from usine.catalogue.images import newest
from usine.cli import main
from usine.clients import ClientError
from usine.clients.oci import OciClient
from usine.commands import catalogue_update

OLD, NEW = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
TEXT = f"""\
# Kept.
python: docker.io/library/python:3.13@{OLD}   # kept too
node: "docker.io/library/node:24@{OLD}"
helm: quay.io/helm/helm:4.0.1@{NEW}
"""


class FakeRegistry:
    """Answers for every repository; `down` does not answer."""

    def __init__(self, down: str = "") -> None:
        self.down = down

    def digest(self, repository: str, tag: str) -> str:
        if repository == self.down:
            raise ClientError(f"registry refused HEAD {repository}/manifests/{tag}: HTTP 500")
        return NEW

    def tags(self, repository: str) -> Iterable[str]:
        if repository.endswith("node"):
            raise ClientError("registry refused GET: HTTP 403")
        return ("3.12", "3.13", "3.14", "3.14-slim", "3.15.0a1", "latest", "4.0.1", "4.0.10", "4.0.9")


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, *words: str, down: str = "") -> tuple[int, str]:
    file = folder / "images.yml"
    if not file.exists():
        file.write_text(TEXT, encoding="utf-8")

    def registries(*_: object) -> object:
        return lambda image: (FakeRegistry(down), image.repository)

    monkeypatch.setattr(catalogue_update, "registries", registries)
    code = main(["catalogue", "update", "--images", str(file), *words])
    return code, file.read_text(encoding="utf-8")


def test_present_digests_are_written_and_everything_else_stays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, tmp_path) == (0, TEXT.replace(OLD, NEW))
    said = capsys.readouterr().out
    assert "2 of 3 images written" in said
    rows = [line.split() for line in said.splitlines()]
    assert ["python", "3.13", OLD[:19], NEW[:19], "3.14"] in rows
    assert ["node", "24", OLD[:19], NEW[:19]] in rows
    assert ["helm", "4.0.1", NEW[:19], "the", "same", "4.0.10"] in rows
    assert run(monkeypatch, tmp_path)[0] == 0
    assert "up to date" in capsys.readouterr().out


def test_check_writes_nothing_and_fails_when_a_digest_changed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert run(monkeypatch, tmp_path, "--check") == (1, TEXT)
    (tmp_path / "images.yml").write_text(TEXT.replace(OLD, NEW), encoding="utf-8")
    assert run(monkeypatch, tmp_path, "--check")[0] == 0


def test_a_registry_that_fails_is_named_and_the_others_are_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = run(monkeypatch, tmp_path, down="library/python")
    assert (code, text.count(NEW), text.count(OLD)) == (1, 2, 1)
    assert "usine catalogue update: python: registry refused HEAD" in capsys.readouterr().err


def test_a_newer_tag_differs_in_its_numbers_only() -> None:
    tags = ("3-eclipse-temurin-25", "3-eclipse-temurin-26", "4-eclipse-temurin-25-alpine", "3")
    assert newest("3-eclipse-temurin-25", tags) == "3-eclipse-temurin-26"
    assert newest("3-eclipse-temurin-26", tags) is None
    assert newest("2.0", ("10.0", "9.1")) == "10.0"


def test_harbor_is_asked_where_it_has_a_proxy_of_the_registry(tmp_path: Path) -> None:
    proxy = ProxyCache("docker", "docker.io", "https://hub.docker.com", public=False, quota=1)
    settings = factories.settings(harbor=HarborSettings(proxies=(proxy,)))
    client_of = catalogue_update.registries(settings, tmp_path, {"HARBOR_USERNAME": "u", "HARBOR_PASSWORD": "p"})
    proxied, repository = client_of(Image("docker.io", "library/python", "3.13", OLD))
    assert isinstance(proxied, OciClient)
    assert (proxied.system, repository) == ("Harbor", "proxy.docker/library/python")
    direct, repository = client_of(Image("quay.io", "helm/helm", "4", OLD))
    assert isinstance(direct, OciClient)
    assert (direct.system, repository) == ("quay.io", "helm/helm")
    assert direct._credential is None

"""Official releases instead of builds, from a fake release site on loopback."""

from __future__ import annotations

import dataclasses
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import parts, platform
from lab.errors import LabError
from lab.home import LabHome
from lab.parts import planning, releases
from lab.parts.cache import Cache
from lab.parts.catalogue import PARTS
from lab.parts.installing import install, missing_tools, select
from lab.parts.official import build_only
from lab.parts.part import Part
from lab.parts.planning import choose
from lab.parts.processes import CommandRunner
from lab.parts.releases import ANY, Download, Release, reachable
from lab.reporter import Lines, Silent
from lab.tests.platform.fake_parts import part
from lab.tests.platform.fake_releases import ReleaseSite, release_site, sha256, tar_gz, zipped
from usine.cli import main

PROGRAM = b"#!/bin/sh\necho official\n"
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def x86_64_with_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, *map(str.upper, PROXIES), "USINE_LAB_PARTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr(releases, "PROBE_LIMIT", 30.0)  # a busy machine must not make the site unreachable


@pytest.fixture
def site() -> Iterator[ReleaseSite]:
    with release_site() as served:
        yield served


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def download(url: str, content: bytes, *, word: str = ANY, megabytes: int = 5, **settings: object) -> Download:
    return dataclasses.replace(Download(url, ((word, sha256(content)),), megabytes), **settings)  # type: ignore[arg-type]


def with_release(made: Part, *downloads: Download) -> Part:
    return dataclasses.replace(made, official=Release("2.0", downloads))


def plain(site: ReleaseSite, made: Part, path: str = "/program") -> Part:
    """Return `made` with an official release of one plain program."""
    url = site.serve(path, PROGRAM)
    return with_release(made, download(url, PROGRAM, path="program", executable=True))


def take(made: Part, cache: Cache) -> Path:
    return choose([made], cache).make(Silent())[made.name]


def test_a_release_needs_no_tool(site: ReleaseSite, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    tar = tar_gz({"tool-2.0-amd64/tool": PROGRAM, "tool-2.0-amd64/other": b"not wanted"})
    archive = zipped({"top-2.0/bin/start": PROGRAM, "top-2.0/lib/a.jar": b"jar"})
    site.serve("/v2/tool-amd64.tar.gz", tar)
    released = with_release(
        part("exit 1", tools=("go",)),
        download(f"{site.url}/v2/tool-{{arch}}.tar.gz", tar, word="amd64", members=(("tool-2.0-{arch}/tool", "tool"),)),
        download(site.serve("/v2/distribution.zip", archive), archive),
        download(site.serve("/v2/program", PROGRAM), PROGRAM, executable=True),
        download(site.serve("/v2/types.yaml", b"types"), b"types", path="crds/types.yaml"),
    )
    monkeypatch.setenv("PATH", "")
    assert missing_tools([released], cache) != []
    planned = choose([released], cache)
    assert planned.lacking() == []
    folder = planned.make(Silent())["fake"]
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files == {"tool", "bin/start", "lib/a.jar", "program", "crds/types.yaml"}
    assert all(os.access(folder / name, os.X_OK) for name in ("tool", "bin/start", "program"))
    assert not os.access(folder / "crds/types.yaml", os.X_OK)
    assert (folder / "tool").read_bytes() == PROGRAM
    assert len([asked for asked in site.requests if asked.startswith("HEAD")]) == 4  # one probe for all of them


def test_the_file_for_the_machines_processor_is_used(
    site: ReleaseSite, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    arm = b"arm"
    site.serve("/program-x64", PROGRAM)
    site.serve("/program-arm64", arm)
    both = (("x64", sha256(PROGRAM)), ("arm64", sha256(arm)))
    released = with_release(part("exit 1"), Download(f"{site.url}/program-{{arch}}", both, 1, path="program"))
    assert (take(released, cache) / "program").read_bytes() == PROGRAM
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert (take(released, cache) / "program").read_bytes() == arm
    site.requests.clear()
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    made = dataclasses.replace(released, recipe=part("echo riscv > program").recipe)
    assert (take(made, cache) / "program").read_text() == "riscv\n"
    assert site.requests == []


def test_a_wrong_checksum_is_an_error_without_a_fallback(site: ReleaseSite, cache: Cache) -> None:
    released = plain(site, part("touch program"))
    site.files["/program"] = b"something else"
    with pytest.raises(LabError) as caught:
        take(released, cache)
    message = str(caught.value)
    assert f"{site.url}/program has changed: SHA-256 is {sha256(b'something else')}" in message
    assert "it is not used" in message
    assert "--build" in message
    assert [path.name for path in cache.root.iterdir() if path.is_dir()] == ["logs"]


@pytest.mark.parametrize("what", ["no server", "no such file", "no such place", "a page of the proxy"])
def test_a_part_with_an_unreachable_release_is_built(site: ReleaseSite, cache: Cache, what: str) -> None:
    released = plain(site, part("echo made > program"))
    if what == "no such file":
        site.files.clear()
    elif what == "no such place":
        site.redirects["/program"] = f"{site.url}/gone"
    elif what == "a page of the proxy":
        site.kind = "text/html; charset=utf-8"
    else:
        assert released.official
        there = dataclasses.replace(released.official.downloads[0], url="http://127.0.0.1:1/program")
        released = with_release(released, there)
    planned = choose([released], cache)
    assert "from package registries" in planned.summary()
    assert (planned.make(Silent())["fake"] / "program").read_text() == "made\n"
    assert not any(asked.startswith("GET") for asked in site.requests)


def test_a_redirection_is_followed(site: ReleaseSite, cache: Cache) -> None:
    released = plain(site, part("exit 1"))
    site.files["/elsewhere"] = site.files.pop("/program")
    site.redirects["/program"] = f"{site.url}/elsewhere"
    assert (take(released, cache) / "program").read_bytes() == PROGRAM


def test_a_slow_site_is_not_waited_for(site: ReleaseSite) -> None:
    site.serve("/slow", PROGRAM)
    site.slow.add("/slow")
    assert reachable([f"{site.url}/slow"], 0.05) == frozenset()
    site.go_on.set()
    assert reachable([f"{site.url}/slow"]) == {f"{site.url}/slow"}


def test_the_probe_goes_through_the_proxy_of_the_environment(
    site: ReleaseSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "http://releases.invalid/program"
    site.files[url] = PROGRAM  # the request to a proxy contains the whole address
    assert reachable([url]) == frozenset()
    monkeypatch.setenv("http_proxy", site.url)
    assert reachable([url]) == {url}


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "gopher://127.0.0.1:1"])
def test_nothing_is_reachable_through_an_unsupported_proxy(
    site: ReleaseSite, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    url = site.serve("/program", PROGRAM)
    monkeypatch.setenv("all_proxy", proxy)
    assert reachable([url]) == frozenset()


def test_a_part_is_built_and_reported_if_its_download_fails(site: ReleaseSite, cache: Cache) -> None:
    released = plain(site, part("echo made > program"))
    site.broken.add("/program")
    output = io.StringIO()
    folders = choose([released], cache).make(Lines(output))
    assert (folders["fake"] / "program").read_text() == "made\n"
    assert f"fake: the download of {site.url}/program failed" in output.getvalue()
    assert "it is built instead" in output.getvalue()
    assert not [path for path in cache.root.iterdir() if path.name.endswith(".partial")]


def test_a_failed_download_reports_the_missing_build_tools(
    site: ReleaseSite, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = plain(site, part("touch program", tools=("go",)))
    planned = choose([released], cache)
    del site.files["/program"]
    monkeypatch.setenv("PATH", "")
    with pytest.raises(LabError) as caught:
        planned.make(Silent())
    assert f"{site.url}/program answers 404; to build it instead, this machine lacks" in str(caught.value)
    assert "golang-go" in str(caught.value)


def test_a_part_in_the_cache_is_used_without_a_probe(site: ReleaseSite, cache: Cache) -> None:
    released = plain(site, part("echo made > program"))
    official = take(released, cache)
    site.requests.clear()
    assert take(released, cache) == official
    other = plain(site, part("echo made > program", "other"))
    made = install([other], cache, Silent())["other"]
    assert take(other, cache) == made
    assert (made / "program").read_text() == "made\n"
    assert site.requests == []
    assert "nothing to make; from the cache" in choose([released, other], cache).summary()


def test_a_requested_build_uses_nothing_official(
    site: ReleaseSite, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = plain(site, dataclasses.replace(part("echo made > program"), minutes=1.0))
    official = take(released, cache)
    site.requests.clear()
    monkeypatch.setenv("USINE_LAB_PARTS", "build")
    planned = choose([released], cache)
    assert "built from source (as requested): fake" in planned.summary()
    made = planned.make(Silent())["fake"]
    assert made != official
    assert (made / "program").read_text() == "made\n"
    assert site.requests == []


@pytest.mark.parametrize("options", [[], ["--build"]])
def test_the_option_requests_a_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]) -> None:
    monkeypatch.setenv("USINE_LAB_PARTS", "")
    asked: list[bool] = []

    def up(*_arguments: object, **_settings: object) -> None:
        asked.append(build_only())
        raise LabError("not here")

    monkeypatch.setattr(platform, "up", up)
    assert main(["lab", "up", "--home", str(tmp_path / "lab"), *options]) == 1
    assert asked == [bool(options)]


def test_with_official_releases_neither_go_nor_maven_is_needed(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probed: list[frozenset[str]] = []

    def all_of_them(urls: set[str]) -> frozenset[str]:
        probed.append(frozenset(urls))
        return frozenset(urls)

    monkeypatch.setattr(planning, "reachable", all_of_them)
    monkeypatch.setenv("USINE_CACHE", str(cache.root))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [line.split()[0] for line in parts.plan().lacking()] == ["java"]
    assert len(probed) == 1
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert [line.split()[0] for line in parts.plan().lacking()] == ["java"]
    assert {url for url in probed[1] if "arm64" in url}
    assert not {url for url in probed[1] if "amd64" in url or "x64" in url}


def test_the_first_line_has_the_time_and_the_source_of_each_part(
    site: ReleaseSite, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    official = plain(site, part("exit 1", "official"))
    away = dataclasses.replace(plain(site, part("touch program", "away"), "/away"), minutes=7.6)
    del site.files["/away"]
    fetched = dataclasses.replace(part("touch program", "fetched"), megabytes=1200)
    there = part("touch program", "there")
    own = dataclasses.replace(part("exit 1", "own"), unneeded=lambda: "not needed")
    install([there], cache, Silent())
    planned = choose([own, there, fetched, away, official], cache)
    assert planned.summary() == (
        "parts: about 8 min at 10 MB/s on 2 processors, once for this machine; official releases (5 MB): official; "
        "built from source (official releases out of reach): away; from package registries (1,200 MB): fetched; "
        f"from the cache ({cache.root}): there; the machine's own: own"
    )
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    assert "about 2 min" in planned.summary()  # the download takes longest
    assert "less than a minute" in choose([official], cache).summary()


def test_the_start_of_the_platform_prints_that_line_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "reachable", lambda _urls: frozenset())
    monkeypatch.setenv("USINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", "")
    output = io.StringIO()
    with pytest.raises(LabError, match=r"this machine lacks:\n(.*\n)*  go "):
        platform.up(LabHome.open(tmp_path / "lab"), reporter=Lines(output))
    first, *rest = output.getvalue().splitlines()
    assert rest == []
    assert re.search(
        r" parts: about \d+ min at .*; built from source \(official releases out of reach\): kubernetes, pulumi", first
    )


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (tar_gz({"tool": PROGRAM}), "has no other"),
        (tar_gz({"../other": PROGRAM, "other": PROGRAM}), None),
        (b"not an archive", "cannot be unpacked"),
    ],
)
def test_selected_files_of_an_archive_are_unpacked(
    site: ReleaseSite, cache: Cache, content: bytes, why: str | None
) -> None:
    url = site.serve("/tool.tar.gz", content)
    released = with_release(part("exit 1"), download(url, content, members=(("other", "program"),)))
    if why is None:
        folder = take(released, cache)
        assert [path.name for path in folder.iterdir()] == ["program"]
        return
    with pytest.raises(LabError, match=why):
        take(released, cache)


@dataclasses.dataclass(frozen=True, slots=True)
class Copy:
    """Copies `program` of another part."""

    other: str
    compiles: bool = False
    tools: tuple[str, ...] = ()
    sources: Path | None = None

    def prepare(self, into: Path, runner: CommandRunner) -> None:
        pass

    def finish(self, into: Path, runner: CommandRunner) -> None:
        (into / "program").write_bytes((runner.parts[self.other] / "program").read_bytes())


def test_a_part_is_made_after_the_part_that_it_needs(cache: Cache) -> None:
    first = part("sleep 0.3; echo first > program", "first")
    second = Part("second", "1.0", Copy("first"), ("program",), about="fake", needs=("first",))
    assert [each.name for each in select([second, first], ["second"])] == ["second", "first"]
    folders = install([second, first], cache, Silent())
    assert (folders["second"] / "program").read_text() == "first\n"
    assert install([second, first], cache, Silent()) == folders
    broken = dataclasses.replace(second, needs=("bad",))
    with pytest.raises(LabError, match="bad could not be made"):
        install([broken, part("exit 1", "bad")], Cache(cache.root / "again"), Silent())


def test_every_pinned_release_has_a_hash_for_both_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    released = [each for each in PARTS if each.official]
    # The tools of jobs are made on request, from locked modules and packages.
    unreleased = {each.name for each in PARTS if not each.on_request} - {each.name for each in released}
    assert unreleased == {"sonarqube-oidc"}
    for machine in ("x86_64", "aarch64"):
        monkeypatch.setattr("platform.machine", lambda machine=machine: machine)
        for each in released:
            assert each.official
            for file in each.official.downloads:
                build = file.here()
                assert build, (each.name, machine)
                assert re.fullmatch(r"[0-9a-f]{64}", build.sha256)
                assert re.fullmatch(r"https://[a-z0-9./_-]+", build.url, re.I)
            assert each.released
            assert each.released.key != each.key

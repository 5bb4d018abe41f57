"""`usine-ci packages`: publication to the stand-in GitLab with a job's token, refusals, the deletion of versions."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from usine_ci import cli
from usine_ci.commands.packages import outdated
from usine_ci.registry import Package

from lab.testing.ci_client import commit, project_runner
from lab.testing.gitlab_server import LiveGitLab, live_gitlab

POM = (
    '<project xmlns="http://maven.apache.org/POM/4.0.0">'
    "<parent><groupId>fr.team</groupId><version>1.0</version></parent><artifactId>lib</artifactId></project>"
)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGitLab]:
    with live_gitlab(tmp_path_factory.mktemp("gitlab")) as server:
        yield server


@pytest.fixture
def job(live: LiveGitLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a project, with the variables of a running job of it in the environment."""
    project = live.root.projects.create({"name": f"p{tmp_path.name.replace('_', '-')}", "initialize_with_readme": True})
    runner = project_runner(live, project)
    commit(project, {".gitlab-ci.yml": "job: {script: [x]}\n"})
    variables = {
        "CI_API_V4_URL": f"{live.url}/api/v4",
        "CI_PROJECT_ID": str(project.id),
        "CI_PROJECT_NAME": "tool",
        "CI_JOB_TOKEN": str(runner.must_take()["token"]),
        "CI_COMMIT_TAG": "v1.0",
        "USINE_PACKAGES": "generic maven pypi",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("USINE_PACKAGES_KEEP", raising=False)
    return project


def run(capsys: pytest.CaptureFixture[str], *arguments: object, refused: str = "") -> str:
    """Run the command, which must succeed or refuse with a message; return its output."""
    code = cli.main(["packages", *map(str, arguments)])
    output = capsys.readouterr()
    assert code == (cli.REFUSED if refused else 0), output.err
    assert refused in output.err
    assert "Traceback" not in output.err
    return output.out


def versions(project: Any) -> list[tuple[str, str]]:
    return [(one.name, one.version) for one in project.packages.list(get_all=True)]


def test_a_generic_package_is_published_once(
    job: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "tool.tar", tmp_path / "tool.txt"
    first.write_bytes(b"tar")
    second.write_bytes(b"txt")
    assert "Published tool.tar of tool 1.0" in run(capsys, "generic", first)
    run(capsys, "generic", first, second, refused="tool 1.0 is published already, with tool.tar")
    run(capsys, "generic", second)
    (package,) = job.packages.list(get_all=True)
    assert sorted(one.file_name for one in package.package_files.list(get_all=True)) == ["tool.tar", "tool.txt"]
    run(capsys, "generic", tmp_path / "none", refused="no such file")
    run(capsys, "generic", refused="name at least one file")
    monkeypatch.setenv("CI_COMMIT_TAG", "release")
    run(capsys, "generic", first, refused="expected a tag such as v1.2.3")
    monkeypatch.setenv("USINE_PACKAGES", "npm")
    run(capsys, "generic", first, refused="does not list generic under packages; it has: npm")


def test_a_wheel_has_the_version_of_the_tag(job: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wheel, other = tmp_path / "my_lib-1.0-py3-none-any.whl", tmp_path / "my_lib-2.0-py3-none-any.whl"
    wheel.write_bytes(b"wheel")
    other.write_bytes(b"wheel")
    run(capsys, "pypi", wheel, other, refused="no wheel of it: my_lib-2.0-py3-none-any.whl")
    assert versions(job) == []
    run(capsys, "pypi", wheel)
    assert versions(job) == [("my-lib", "1.0")]
    run(capsys, "pypi", wheel, refused="File name has already been taken")


def test_a_maven_version_is_refused_that_is_published_or_not_that_of_the_tag(
    job: Any, live: LiveGitLab, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pom = tmp_path / "pom.xml"
    pom.write_text(POM)
    assert "fr/team/lib 1.0 can be published" in run(capsys, "maven", pom)
    pom.write_text(POM.replace("1.0", "1.1"))
    run(capsys, "maven", pom, refused="the version is 1.1, and the tag is of 1.0; allowed: 1.0, or ${revision}")
    pom.write_text(POM.replace("1.0", "${revision}"))
    with live.http() as client:
        client.put(f"/projects/{job.id}/packages/maven/fr/team/lib/1.0/lib-1.0.jar", content=b"x").raise_for_status()
    run(capsys, "maven", pom, refused="fr/team/lib 1.0 is published already")
    pom.write_text("<project")
    run(capsys, "maven", pom, refused="pom.xml:1:1: not XML")
    pom.write_text('<!DOCTYPE p [<!ENTITY x SYSTEM "file:///etc/passwd">]><project/>')
    run(capsys, "maven", pom, refused="no document type")


def test_old_versions_are_deleted(
    job: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "tool.tar"
    file.write_bytes(b"x")
    for number in (3, 1, 2):
        monkeypatch.setenv("CI_COMMIT_TAG", f"v{number}")
        run(capsys, "generic", file)
    assert "All versions stay" in run(capsys, "clean")
    monkeypatch.setenv("USINE_PACKAGES_KEEP", "2")
    assert run(capsys, "clean") == "Deleted generic tool 3\n"
    assert versions(job) == [("tool", "1"), ("tool", "2")]
    monkeypatch.setenv("USINE_PACKAGES_KEEP", "no")
    run(capsys, "clean", refused="expected a number of versions from 1")


@pytest.mark.usefixtures("job")
def test_the_token_is_in_no_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "tool.tar"
    file.write_bytes(b"x")
    token = "glcbt-planted-marker-of-this-test"
    monkeypatch.setenv("CI_JOB_TOKEN", token)
    assert cli.main(["packages", "generic", str(file)]) == cli.REFUSED
    output = capsys.readouterr()
    assert "401 Unauthorized" in output.err
    assert token not in output.out + output.err
    monkeypatch.setenv("CI_API_V4_URL", "file:///etc")
    run(capsys, "generic", file, refused="no URL of GitLab")
    monkeypatch.delenv("CI_JOB_TOKEN")
    run(capsys, "clean")
    monkeypatch.setenv("USINE_PACKAGES_KEEP", "1")
    run(capsys, "clean", refused="the variable CI_JOB_TOKEN is missing")


class Elsewhere(BaseHTTPRequestHandler):
    """Sends every request to another path, and keeps the tokens that come there."""

    tokens: ClassVar[list[str | None]] = []

    def do_PUT(self) -> None:
        """Redirect, except at the target."""
        self.send_response(200 if self.path == "/elsewhere" else 302)
        self.send_header("Location", "/elsewhere")
        self.end_headers()
        if self.path == "/elsewhere":
            self.tokens.append(self.headers["JOB-TOKEN"])

    do_GET = do_PUT  # noqa: N815 - see above

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@pytest.mark.usefixtures("job")
def test_the_token_follows_no_redirect(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USINE_PACKAGES_KEEP", "1")
    with HTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("CI_API_V4_URL", f"http://127.0.0.1:{server.server_port}/api/v4")
        run(capsys, "clean", refused="302 Found")
        server.shutdown()
    assert Elsewhere.tokens == []


def test_the_newest_versions_of_each_package_stay() -> None:
    made = tuple(Package(number, kind, "a", str(number)) for number, kind in enumerate(("npm", "npm", "pypi", "npm")))
    assert [each.id for each in outdated(made, 2)] == [0]
    assert outdated(made, 3) == ()

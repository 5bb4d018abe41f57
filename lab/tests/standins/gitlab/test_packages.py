"""The package registry with the clients of its formats: who may publish, read and delete; protection rules."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from lab.testing.ci_client import commit, project_runner
from lab.testing.gitlab_server import ROOT_TOKEN, LiveGitLab
from lab.testing.names import name
from lab.tests.standins.gitlab.test_git_http import member

RULES = "packages/protection/rules"


@pytest.fixture
def seeded(live: LiveGitLab, group: Any) -> Any:
    return project_in(live, group)


@pytest.fixture
def api(live: LiveGitLab) -> Iterator[httpx.Client]:
    with live.http(None) as client:
        yield client


def project_in(live: LiveGitLab, group: Any) -> Any:
    return live.root.projects.create({"name": name("p"), "namespace_id": group.id, "initialize_with_readme": True})


def job_token(live: LiveGitLab, project: Any, client: Any = None) -> str:
    """Return the token of a running job that was started by a push of this client's user."""
    runner = project_runner(live, project)
    theirs = (client or live.root).projects.get(project.id)
    commit(theirs, {".gitlab-ci.yml": "job: {script: [x]}\n"}, branch=name("b"), start_branch="main")
    return str(runner.must_take()["token"])


def generic(
    api: httpx.Client, project: Any, headers: dict[str, str], content: bytes = b"1", version: str = "1.0"
) -> int:
    """Publish a generic file; return the status."""
    where = f"/projects/{project.id}/packages/generic/tool/{version}/tool.bin"
    return api.put(where, content=content, headers=headers).status_code


def rule(project: Any, kind: str, **levels: str) -> Any:
    """Create a protection rule for all packages of a type."""
    content = {"package_name_pattern": "*", "package_type": kind, **levels}
    return project.manager.gitlab.http_post(f"/projects/{project.id}/{RULES}", post_data=content)


# Formats --------------------------------------------------------------------------------------------------------------


def test_generic_by_every_kind_of_token(live: LiveGitLab, seeded: Any, someone: Any, api: httpx.Client) -> None:
    where = f"/projects/{seeded.id}/packages/generic/tool/1.0/tool.bin"
    assert generic(api, seeded, {"JOB-TOKEN": job_token(live, seeded)}, b"by a job") == 201
    found = api.get(where, auth=("gitlab-ci-token", job_token(live, seeded)))
    assert (found.content, found.headers["X-Checksum-SHA256"]) == (b"by a job", hashlib.sha256(b"by a job").hexdigest())
    # A duplicate is allowed by default; the newest file is served.
    assert generic(api, seeded, {"PRIVATE-TOKEN": member(live, someone, seeded, 30)}, b"again") == 201
    assert api.get(where, headers={"PRIVATE-TOKEN": member(live, someone, seeded, 20)}).content == b"again"
    assert generic(api, seeded, {"PRIVATE-TOKEN": member(live, someone, seeded, 20)}) == 403
    assert api.get(where, headers={"PRIVATE-TOKEN": member(live, someone, seeded, 10)}).status_code == 403
    assert api.get(where, headers={"PRIVATE-TOKEN": member(live, someone, seeded, 0)}).status_code == 404
    assert generic(api, seeded, {"PRIVATE-TOKEN": member(live, someone, seeded, 0)}) == 404
    assert generic(api, seeded, {"PRIVATE-TOKEN": member(live, someone, seeded, 40, "read_api")}) == 403
    assert (api.get(where).status_code, generic(api, seeded, {})) == (401, 401)
    assert api.get(where, auth=("anybody", job_token(live, seeded))).status_code == 401
    assert generic(api, seeded, {"PRIVATE-TOKEN": ROOT_TOKEN}, version="1..0") == 400


def test_deploy_tokens_have_the_scopes_of_the_registry(
    live: LiveGitLab, seeded: Any, group: Any, api: httpx.Client
) -> None:
    assert generic(api, seeded, {"PRIVATE-TOKEN": ROOT_TOKEN}, b"x") == 201
    where = f"/projects/{seeded.id}/packages/generic/tool/1.0/tool.bin"
    of_group = group.deploytokens.create({"name": "reader", "scopes": ["read_package_registry"], "username": "reader"})
    assert api.get(where, auth=("reader", of_group.token)).content == b"x"
    assert api.get(where, headers={"Deploy-Token": of_group.token}).content == b"x"
    assert api.get(where, auth=("other", of_group.token)).status_code == 401
    assert generic(api, seeded, {"Deploy-Token": of_group.token}) == 403
    elsewhere = project_in(live, live.root.groups.create({"name": name("g"), "path": name("g")}))
    assert api.get(
        f"/projects/{elsewhere.id}/packages/generic/tool/1.0/tool.bin", auth=("reader", of_group.token)
    ).status_code == 404  # fmt: skip
    writes = seeded.deploytokens.create({"name": "w", "scopes": ["write_package_registry"]})
    assert generic(api, seeded, {"Deploy-Token": writes.token}) == 201
    code = seeded.deploytokens.create({"name": "c", "scopes": ["read_repository"]})
    assert api.get(where, headers={"Deploy-Token": code.token}).status_code == 404
    of_group.delete()
    assert api.get(where, auth=("reader", of_group.token)).status_code == 401


def wheel(package: str, version: str) -> bytes:
    """Return a minimal wheel."""
    module, info = package.replace("-", "_"), f"{package.replace('-', '_')}-{version}.dist-info"
    files = {
        f"{module}.py": "VALUE = 42\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path, text in (*files.items(), (f"{info}/RECORD", record)):
            archive.writestr(zipfile.ZipInfo(path), text)  # the same bytes at any time
    return content.getvalue()


def upload_wheel(api: httpx.Client, project: Any, package: str, version: str, token: str) -> httpx.Response:
    """Upload a wheel with the form fields of twine."""
    content = wheel(package, version)
    file_name = f"{package.replace('-', '_')}-{version}-py3-none-any.whl"
    form = {":action": "file_upload", "protocol_version": "1", "name": package, "version": version,
            "filetype": "bdist_wheel", "metadata_version": "2.1", "requires_python": ">=3.8",
            "sha256_digest": hashlib.sha256(content).hexdigest()}  # fmt: skip
    return api.post(
        f"/projects/{project.id}/packages/pypi",
        data=form,
        files={"content": (file_name, content, "application/octet-stream")},
        auth=("gitlab-ci-token", token),
    )


def download(url: str, package: str, to: Path) -> subprocess.CompletedProcess[str]:
    """Run `pip download` with one index."""
    return subprocess.run(
        [sys.executable, "-m", "pip", "--isolated", "--no-input", "download", "--no-deps", "--no-cache-dir", "--dest",
         str(to), "--index-url", url, package],
        capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip


def test_pypi_with_pip(live: LiveGitLab, seeded: Any, group: Any, api: httpx.Client, tmp_path: Path) -> None:
    package = name("Wheel.of")
    token = job_token(live, seeded)
    assert upload_wheel(api, seeded, package, "1.0", token).status_code == 201
    again = upload_wheel(api, seeded, package, "1.0", token)
    assert (again.status_code, again.json()["message"]) == (
        400,
        "400 Bad request - Validation failed: File name has already been taken",
    )
    assert upload_wheel(api, seeded, package, "one", token).status_code == 400
    for place in (f"projects/{seeded.id}", f"groups/{group.id}/-"):
        of = f"{live.url}/api/v4/{place}/packages/pypi"
        login = of.replace("://", f"://gitlab-ci-token:{token}@")
        target = tmp_path / place.split("/", maxsplit=1)[0]
        done = download(f"{login}/simple", package.lower().replace(".", "-"), target)
        assert done.returncode == 0, done.stdout + done.stderr
        (file,) = target.iterdir()
        assert file.read_bytes() == wheel(package, "1.0")
        assert "data-requires-python" in api.get(f"{of}/simple/{package}", headers={"JOB-TOKEN": token}).text
    assert download(f"{of}/simple", package, tmp_path / "no").returncode != 0
    challenge = api.get(f"{of}/simple/{package}", auth=("gitlab-ci-token", "wrong"))
    assert (challenge.status_code, challenge.headers["WWW-Authenticate"]) == (
        401,
        'Basic realm="GitLab Packages Registry"',
    )


def npm(folder: Path, live: LiveGitLab, project: Any, token: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run npm with a user's settings that name the token by a variable of the environment."""
    of = f"{live.url}/api/v4/projects/{project.id}/packages/npm/"
    settings = folder.parent / "npmrc"
    settings.write_text(
        f"@team:registry={of}\n{of.removeprefix('http:')}:_authToken=${{CI_JOB_TOKEN}}\naudit=false\nfund=false\n"
        "update-notifier=false\n"
    )
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder.parent), "CI_JOB_TOKEN": token}
    return subprocess.run(
        ["npm", "--userconfig", str(settings), *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_npm_with_npm(live: LiveGitLab, seeded: Any, group: Any, api: httpx.Client, tmp_path: Path) -> None:
    token, other = job_token(live, seeded), job_token(live, project_in(live, group))
    source, user = tmp_path / "source", tmp_path / "user"
    source.mkdir()
    user.mkdir()
    (source / "package.json").write_text(json.dumps({"name": "@team/lib", "version": "1.0.0", "main": "index.js"}))
    (source / "index.js").write_text("module.exports = 42\n")
    (user / "package.json").write_text('{"name": "user", "version": "1.0.0"}')
    done = npm(source, live, seeded, token, "publish")
    assert done.returncode == 0, done.stderr
    again = npm(source, live, seeded, token, "publish")
    assert again.returncode != 0
    assert "already exists" in again.stderr or "previously published" in again.stderr
    refused = npm(user, live, seeded, other, "install", "@team/lib")
    assert refused.returncode != 0
    assert "404" in refused.stderr
    live.root.http_post(
        f"/projects/{seeded.id}/job_token_scope/groups_allowlist", post_data={"target_group_id": group.id}
    )
    done = npm(user, live, seeded, other, "install", "@team/lib")
    assert done.returncode == 0, done.stderr
    assert (user / "node_modules/@team/lib/index.js").read_text() == "module.exports = 42\n"
    of_group = f"/groups/{group.id}/-/packages/npm/@team%2flib"
    assert api.get(of_group, headers={"Authorization": f"Bearer {other}"}).json()["dist-tags"] == {"latest": "1.0.0"}
    assert npm(source, live, seeded, token, "dist-tag", "add", "@team/lib@1.0.0", "stable").returncode == 0
    assert "stable: 1.0.0" in npm(source, live, seeded, token, "dist-tag", "ls", "@team/lib").stdout
    assert npm(source, live, seeded, token, "dist-tag", "rm", "@team/lib", "stable").returncode == 0
    assert "stable" not in npm(source, live, seeded, token, "dist-tag", "ls", "@team/lib").stdout


def test_maven_as_deploy_does_it(live: LiveGitLab, seeded: Any, group: Any, api: httpx.Client) -> None:
    """The requests of `mvn deploy` 3.8 in their order, and those of a build that resolves the artifact."""
    headers = {"Job-Token": job_token(live, seeded)}
    of, above = f"/projects/{seeded.id}/packages/maven", f"/groups/{group.id}/-/packages/maven"
    path = "fr/team/lib/1.0"
    assert api.get(f"{of}/fr/team/lib/maven-metadata.xml", headers=headers).status_code == 404
    for file, content in ((f"{path}/lib-1.0.jar", b"jar"), (f"{path}/lib-1.0.pom", b"<project/>"),
                          ("fr/team/lib/maven-metadata.xml", b"<metadata/>")):  # fmt: skip
        assert api.put(f"{of}/{file}", content=content, headers=headers).status_code == 200
        sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        assert api.put(f"{of}/{file}.sha1", content=sha1, headers=headers).status_code == 204
        assert api.put(f"{of}/{file}.sha1", content="0" * 40, headers=headers).status_code == 409
        assert api.put(f"{of}/{file}.md5", content="any", headers=headers).status_code == 200
        for place in (of, above):
            assert api.get(f"{place}/{file}", headers=headers).content == content
            assert api.get(f"{place}/{file}.sha1", headers=headers).text == sha1
    assert api.get(f"{above}/{path}/lib-2.0.jar", headers=headers).status_code == 404
    listed = api.get(f"/projects/{seeded.id}/packages", headers=headers).json()
    assert [(one["name"], one["version"]) for one in listed] == [("fr/team/lib", "1.0"), ("fr/team/lib", None)]
    assert api.put(f"{of}/fr/li%25b/1/a.jar", content=b"", headers=headers).status_code == 400


# Walls ----------------------------------------------------------------------------------------------------------------


def test_jobs_of_projects_that_are_not_listed(live: LiveGitLab, seeded: Any, someone: Any, api: httpx.Client) -> None:
    """Job tokens of another project are refused, though their user may do everything in both."""
    assert generic(api, seeded, {"PRIVATE-TOKEN": ROOT_TOKEN}, b"x") == 201
    other = project_in(live, live.root.groups.create({"name": name("g"), "path": name("g")}))
    user, client = someone()
    for project in (seeded, other):
        project.members.create({"user_id": user.id, "access_level": 40})
    foreign = {"JOB-TOKEN": job_token(live, other, client)}
    where = f"/projects/{seeded.id}/packages/generic/tool/1.0/tool.bin"
    assert api.get(where, headers=foreign).status_code == 404
    refused = api.put(where, content=b"x", headers=foreign)
    assert (refused.status_code, refused.json()["message"]) == (
        403,
        f"403 Forbidden - Authentication by CI/CD job token not allowed from {other.path_with_namespace} to "
        f"{seeded.path_with_namespace}.",
    )
    assert api.get(f"/projects/{seeded.id}/packages", headers=foreign).status_code == 404
    path = f"/projects/{seeded.id}/job_token_scope/allowlist"
    live.root.http_post(path, post_data={"target_project_id": other.id})
    assert api.get(where, headers=foreign).content == b"x"
    assert api.put(where, content=b"x", headers=foreign).status_code == 201


def test_the_list_of_job_tokens_at_a_groups_endpoints(
    live: LiveGitLab, seeded: Any, group: Any, someone: Any, api: httpx.Client
) -> None:
    """Maven and npm check the list of the package's project; PyPI checks the levels of the job's user only."""
    own = job_token(live, seeded)
    assert upload_wheel(api, seeded, "lib", "1.0", own).status_code == 201
    of = f"/projects/{seeded.id}/packages/maven/fr/lib/1/lib-1.jar"
    assert api.put(of, content=b"x", headers={"JOB-TOKEN": own}).status_code == 200
    other = project_in(live, live.root.groups.create({"name": name("g"), "path": name("g")}))
    user, client = someone()
    other.members.create({"user_id": user.id, "access_level": 30})
    foreign = {"JOB-TOKEN": job_token(live, other, client)}
    above = f"/groups/{group.id}/-/packages"
    assert api.get(f"{above}/pypi/simple/lib", headers=foreign).status_code == 404
    assert api.get(f"{above}/maven/fr/lib/1/lib-1.jar", headers=foreign).status_code == 404
    group.members.create({"user_id": user.id, "access_level": 20})
    assert api.get(f"{above}/pypi/simple/lib", headers=foreign).status_code == 200
    assert api.get(f"{above}/maven/fr/lib/1/lib-1.jar", headers=foreign).status_code == 403


def test_protection_rules(live: LiveGitLab, seeded: Any, someone: Any, api: httpx.Client) -> None:
    user, client = someone()
    seeded.members.create({"user_id": user.id, "access_level": 30})
    developer, maintainer = {"JOB-TOKEN": job_token(live, seeded, client)}, {"JOB-TOKEN": job_token(live, seeded)}
    writes = seeded.deploytokens.create({"name": "w", "scopes": ["write_package_registry"]})
    kept = rule(seeded, "generic", minimum_access_level_for_push="maintainer")
    where = f"/projects/{seeded.id}/packages/generic/tool/1.0/tool.bin"
    refused = api.put(where, content=b"x", headers=developer)
    assert (refused.status_code, refused.json()["message"]) == (403, "403 Forbidden - Package protected.")
    assert generic(api, seeded, {"Deploy-Token": writes.token}) == 403
    assert generic(api, seeded, maintainer) == 201
    for kind in ("pypi", "npm", "maven"):
        rule(seeded, kind, minimum_access_level_for_push="admin")
    token = maintainer["JOB-TOKEN"]
    assert upload_wheel(api, seeded, "lib", "1.0", token).json()["message"] == "403 Forbidden - Package protected."
    body = {"versions": {"1.0.0": {"dist": {}}}, "dist-tags": {"latest": "1.0.0"},
            "_attachments": {"@team/lib-1.0.0.tgz": {"data": base64.b64encode(b"x").decode()}}}  # fmt: skip
    npm_at = f"/projects/{seeded.id}/packages/npm/@team%2flib"
    refused = api.put(npm_at, json=body, headers=maintainer)
    assert (refused.status_code, refused.json()["message"]) == (403, "Package protected.")
    of = f"/projects/{seeded.id}/packages/maven/fr/lib/1/lib-1.jar"
    assert api.put(of, content=b"x", headers=maintainer).status_code == 403
    root = {"PRIVATE-TOKEN": ROOT_TOKEN}
    assert api.put(of, content=b"x", headers=root).status_code == 200, "administrators pass, their jobs do not"
    api.patch(f"/projects/{seeded.id}/{RULES}/{kept['id']}", json={"package_name_pattern": "TO*L"}, headers=root)
    assert generic(api, seeded, developer) == 403, "patterns ignore case"
    assert api.get(f"/projects/{seeded.id}/{RULES}", headers=developer).status_code == 401
    assert api.delete(f"/projects/{seeded.id}/{RULES}/{kept['id']}", headers=root).status_code == 204
    assert generic(api, seeded, developer) == 201


def test_wrong_rules(seeded: Any, api: httpx.Client) -> None:
    root, where = {"PRIVATE-TOKEN": ROOT_TOKEN}, f"/projects/{seeded.id}/{RULES}"
    good = {"package_name_pattern": "*", "package_type": "npm", "minimum_access_level_for_push": "owner"}
    assert api.post(where, json=good, headers=root).status_code == 201
    for status, change in ((422, {}), (422, {"package_name_pattern": " "}), (400, {"package_type": "composer"}),
                           (400, {"package_type": None}), (400, {"minimum_access_level_for_push": "developer"}),
                           (400, {"minimum_access_level_for_delete": "maintainer"})):  # fmt: skip
        answer = api.post(where, json={**good, **change}, headers=root)
        assert answer.status_code == status, f"{change}: {answer.text}"


def test_deletion_needs_a_maintainer(live: LiveGitLab, seeded: Any, someone: Any, api: httpx.Client) -> None:
    for version in ("1.0", "2.0"):
        assert generic(api, seeded, {"PRIVATE-TOKEN": ROOT_TOKEN}, version=version) == 201
    first, second = seeded.packages.list(order_by="version", get_all=True)
    (file,) = second.package_files.list(get_all=True)
    assert (file.file_name, file.size) == ("tool.bin", 1)
    developer = {"PRIVATE-TOKEN": member(live, someone, seeded, 30)}
    maintainer = {"JOB-TOKEN": job_token(live, seeded)}
    at = f"/projects/{seeded.id}/packages"
    assert api.delete(f"{at}/{first.id}", headers=developer).status_code == 403
    rule(seeded, "generic", minimum_access_level_for_delete="admin")
    refused = api.delete(f"{at}/{first.id}", headers=maintainer)
    assert refused.json()["message"] == "403 Forbidden - Package is deletion protected."
    for one in live.root.http_list(f"{at}/protection/rules", iterator=False):
        live.root.http_delete(f"{at}/protection/rules/{one['id']}")
    assert api.delete(f"{at}/{first.id}", headers=maintainer).status_code == 204
    assert api.delete(f"{at}/{second.id}/package_files/{file.id}", headers=maintainer).status_code == 204
    assert [one.version for one in seeded.packages.list(get_all=True)] == ["2.0"]
    assert api.get(f"{at}/generic/tool/2.0/tool.bin", headers=maintainer).status_code == 404
    of_group = live.root.groups.get(seeded.namespace["id"]).packages.list(get_all=True)
    assert [(one.name, one.version) for one in of_group] == [("tool", "2.0")]


def test_a_registry_that_is_switched_off(live: LiveGitLab, seeded: Any, api: httpx.Client) -> None:
    token = job_token(live, seeded)
    assert generic(api, seeded, {"JOB-TOKEN": token}) == 201
    seeded.packages_enabled = False
    seeded.save()
    assert generic(api, seeded, {"JOB-TOKEN": token}) == 403
    assert generic(api, seeded, {"PRIVATE-TOKEN": ROOT_TOKEN}) == 403
    assert api.get(f"/projects/{seeded.id}/packages", headers={"JOB-TOKEN": token}).status_code == 403
    assert upload_wheel(api, seeded, "lib", "1.0", token).status_code == 403


def test_invalid_bodies_do_not_make_the_server_fail(seeded: Any, api: httpx.Client) -> None:
    headers, at = {"PRIVATE-TOKEN": ROOT_TOKEN}, f"/projects/{seeded.id}/packages"
    broken = b'{"versions": {"1.0.0": {}}, "_attachments": {"a-1.0.0.tgz": {"data": 5}}}'
    tag = "npm/-/package/a/dist-tags"
    for body in (b"", b"{", b"[]", b"null", b'{"versions": []}', b'{"versions": {"1": null}}', broken, b"\xff\xfe"):
        for method, path in (
            ("PUT", "npm/a"), ("PUT", f"{tag}/x"), ("DELETE", f"{tag}/x"), ("GET", tag), ("POST", "pypi"),
            ("PUT", "maven/a"), ("PUT", "maven/a/1/b.sha1"), ("PUT", "generic/a/1/%00"), ("GET", "pypi/simple"),
        ):  # fmt: skip
            for kind in ("application/json", "multipart/form-data; boundary=x", "text/plain"):
                answer = api.request(method, f"{at}/{path}", content=body, headers={**headers, "Content-Type": kind})
                assert answer.status_code < 500, f"{method} {path} {kind} {body!r}"


def test_packages_go_with_their_project(live: LiveGitLab, group: Any, api: httpx.Client) -> None:
    project = project_in(live, group)
    assert generic(api, project, {"PRIVATE-TOKEN": ROOT_TOKEN}) == 201
    kept = {file.name for file in (live.data / "packages").iterdir()}
    live.call("DELETE", f"/projects/{project.id}")
    marked = live.root.projects.get(project.id)
    live.call("DELETE", f"/projects/{project.id}", permanently_remove=True, full_path=marked.path_with_namespace)
    assert len(kept) - len({file.name for file in (live.data / "packages").iterdir()}) == 1

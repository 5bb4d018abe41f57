"""Packages that a tenant's jobs publish: its other jobs install them, everybody else is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pytest

from lab.parts import ensure
from lab.parts.examples import EXAMPLES
from lab.testing.job_runner import Done
from tests.pipelines.factory import Factory, Sample

#: The first CI file with an input of the preset.
INCLUDE: Final = (
    "include:\n  - project: platform/catalogue\n    ref: $USINE_CATALOGUE_TAG\n"
    "    file: /templates/{preset}.yml\n    inputs: {inputs}\n"
)
#: The images of the tests use no network, and these jobs ask GitLab.
ONLINE: Final = {"PIP_NO_INDEX": "", "npm_config_offline": "false"}
#: A build backend in the repository itself, so that a build downloads nothing.
BACKEND: Final = """\
import pathlib, zipfile

def build_wheel(directory, config_settings=None, metadata_directory=None):
    version = pathlib.Path("VERSION").read_text().strip()
    info, name = f"parcel_lib-{version}.dist-info", f"parcel_lib-{version}-py3-none-any.whl"
    files = {
        "parcel_lib.py": "PRICE = 42\\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\\nName: parcel-lib\\nVersion: {version}\\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    record = "".join(f"{path},,\\n" for path in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(pathlib.Path(directory) / name, "w") as wheel:
        for path, text in (*files.items(), (f"{info}/RECORD", record)):
            wheel.writestr(path, text)
    return name
"""
#: A project that depends on the published artifact.
USER_POM: Final = (
    '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>fr.user</groupId>'
    "<artifactId>user</artifactId><version>1</version><dependencies><dependency><groupId>fr.example</groupId>"
    "<artifactId>parcel</artifactId><version>1.0.0</version></dependency></dependencies><build><plugins>"
    "<plugin><artifactId>maven-resources-plugin</artifactId><version>3.3.1</version></plugin>"
    "<plugin><artifactId>maven-compiler-plugin</artifactId><version>3.14.1</version></plugin></plugins></build></project>"
)
PYPROJECT: Final = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


def write(folder: Path, files: dict[str, str]) -> None:
    """Write files of a repository, in place of its present ones."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


def consumer(script: str, image: str = "tools:1", **variables: str) -> str:
    """Return the CI file of a project with a job that runs a script with the settings of the package managers."""
    job = {
        "extends": ".package-settings",
        "stage": "test",
        "image": image,
        "variables": {**ONLINE, **variables},
        "script": [script],
    }
    return INCLUDE.format(preset="generic", inputs="{}") + f"\nconsumer: {json.dumps(job)}\n"


def published(
    sample: Sample, files: dict[str, str], version: str, jobs: Iterable[str], who: str = ""
) -> dict[str, Done]:
    """Push files to main and a tag of a version; run these jobs of the tag's pipeline."""
    sample.push(f"Version {version}", lambda folder: write(folder, files))
    return sample.tag(f"v{version}", who).run(only=set(jobs))


def consumed(factory: Factory, tenant: str, script: str, image: str = "tools:1", **variables: str) -> Done:
    """Run a script in a job of another project, with the settings of the package managers."""
    sample = factory.sample("generic", tenant=tenant)
    text = consumer(script, image, **variables)
    pipeline = sample.push("Install", lambda folder: write(folder, {".gitlab-ci.yml": text}))
    return pipeline.run(only={"consumer"})["consumer"]


def packages(project: Any, kind: str) -> list[tuple[str, str]]:
    return [(one.name, one.version) for one in project.packages.list(package_type=kind, get_all=True)]


def nothing_kept(factory: Factory, *jobs: Done) -> None:
    """Assert that no secret of a job is in its log, its artifacts, its home and its temporary folder."""
    for job in jobs:
        assert job.secrets, "the job's token is a secret"
        for secret in job.secrets:
            assert job.holds(secret) == "", job.name
    images = factory.folder / "runner" / "images"
    for file in (*images.glob("*/tmp/**/*"), *images.glob("*/home/**/*")):
        if file.is_file():
            content = file.read_bytes()
            assert not [one for job in jobs for one in job.secrets if one.encode() in content], file


def test_a_wheel(factory: Factory) -> None:
    """Published by a tag of a maintainer, installed by another project of the tenant, by no other tenant, not twice."""
    sample = factory.sample("python")
    files = {
        "pyproject.toml": PYPROJECT,
        "backend.py": BACKEND,
        "VERSION": "1.0.0\n",
        ".gitlab-ci.yml": INCLUDE.format(preset="python", inputs="{publish: true}"),
    }
    done = published(sample, files, "1.0.0", {"package-build", "package"})
    done["package-build"].must()
    assert "Published parcel_lib-1.0.0-py3-none-any.whl" in done["package"].must().log
    assert packages(sample.project, "pypi") == [("parcel-lib", "1.0.0")]
    install = (
        "! keyring get https://pypi.org/simple gitlab-ci-token && pip install --quiet parcel-lib && "
        "python3 -c 'import parcel_lib; print(parcel_lib.PRICE)'"
    )
    own = consumed(factory, "atelier", install, "python:3.13").must()
    assert "42" in own.log
    of_group = f"{factory.server.url}/api/v4/groups/{sample.project.namespace['id']}/-/packages/pypi/simple"
    login = of_group.replace("://", "://gitlab-ci-token@")
    foreign = consumed(factory, "voisin", f"pip download --index-url {login} parcel-lib", "python:3.13")
    foreign.fails("No matching distribution found for parcel-lib")
    other = published(sample, {"VERSION": "1.0.1\n"}, "1.0.2", {"package-build"})["package-build"]
    other.fails("The wheel has another version than the tag v1.0.2.")
    nothing_kept(factory, *done.values(), own, foreign, other)


def test_an_npm_package(factory: Factory) -> None:
    sample = factory.sample("node")
    manifest = {"name": "@atelier/parcel-lib", "version": "0.0.0", "main": "index.js"}
    files = {
        "package.json": json.dumps(manifest),
        "package-lock.json": "{}",
        "index.js": "module.exports = 42\n",
        ".gitlab-ci.yml": INCLUDE.format(preset="node", inputs="{publish: true}") + "\nvariables:\n" + "".join(
            f'  {name}: "{value}"\n' for name, value in ONLINE.items()
        ),
    }  # fmt: skip
    done = published(sample, files, "2.0.0", {"package", "package-clean"})
    done["package"].must()
    assert packages(sample.project, "npm") == [("@atelier/parcel-lib", "2.0.0")]
    again = sample.pipeline(sample.git.run("rev-parse", "HEAD").strip(), ref="v2.0.0")
    again.job("package").retry()
    twice = again.run(only={"package"})["package"].fails(
        "You cannot publish over the previously published versions: 2.0.0."
    )
    own = consumed(factory, "atelier", "npm install @atelier/parcel-lib && node -p 'require(\"@atelier/parcel-lib\")'")
    assert "42" in own.must().log
    of = f"{factory.server.url}/api/v4/projects/{sample.project.id}/packages/npm/"
    foreign = consumed(factory, "voisin", f"npm install --@atelier:registry={of} @atelier/parcel-lib").fails("404")
    nothing_kept(factory, *done.values(), twice, own, foreign)


def test_files(factory: Factory) -> None:
    sample = factory.sample("generic")
    files = {
        "tool.txt": "the tool\n",
        ".gitlab-ci.yml": INCLUDE.format(preset="generic", inputs='{package: "tool.txt"}'),
    }
    done = published(sample, files, "3.0.0", {"package"})
    assert "Published tool.txt of generic 3.0.0" in done["package"].must().log
    again = sample.pipeline(sample.git.run("rev-parse", "HEAD").strip(), ref="v3.0.0")
    again.job("package").retry()
    twice = again.run(only={"package"})["package"].fails("generic 3.0.0 is published already, with tool.txt")
    of = f"$CI_API_V4_URL/projects/{sample.project.id}/packages/generic/generic/3.0.0/tool.txt"
    # The header comes from standard input: a command line is seen by everything on the runner.
    get = f'printf "JOB-TOKEN: %s" "$CI_JOB_TOKEN" | curl --silent --show-error --fail --header @- "{of}"'
    own = consumed(factory, "atelier", get)
    assert "the tool" in own.must().log
    foreign = consumed(factory, "voisin", get).fails("404")
    put = get.replace("--fail", "--upload-file .gitlab-ci.yml")
    refused = consumed(factory, "voisin", put).must()
    assert "Authentication by CI/CD job token not allowed from tenants/voisin/generic to tenants/atelier" in refused.log
    nothing_kept(factory, *done.values(), twice, own, foreign, refused)


def test_a_maven_artifact(factory: Factory) -> None:
    sample = factory.sample("java", EXAMPLES / "java")
    local = factory.folder / "maven"
    shutil.copytree(ensure(["examples"])["examples"] / "maven", local)
    options = f"-Dmaven.repo.local={local} -Dmaven.legacyLocalRepo=true"
    text = INCLUDE.format(preset="java", inputs="{publish: true}") + f'\nvariables: {{MAVEN_OPTS: "{options}"}}\n'
    jobs = ("package-check", "package", "package-clean")
    done = published(sample, {".gitlab-ci.yml": text}, "1.0.0", jobs)
    assert "fr/example/parcel 1.0.0 can be published" in done["package-check"].must().log
    assert "BUILD SUCCESS" in done["package"].must().log
    assert ("fr/example/parcel", "1.0.0") in packages(sample.project, "maven")
    again = sample.pipeline(sample.git.run("rev-parse", "HEAD").strip(), ref="v1.0.0")
    again.job("package-check").retry()
    twice = again.run(only={"package-check"})["package-check"].fails("fr/example/parcel 1.0.0 is published already")
    shutil.rmtree(local / "fr", ignore_errors=True)
    install = (
        f'printf %s "$USER_POM" > pom.xml && MAVEN_OPTS="{options}" mvn --batch-mode --settings '
        f'"$USINE_SETTINGS/settings.xml" compile && sha1sum {local}/fr/example/parcel/1.0.0/parcel-1.0.0.jar'
    )
    own = consumed(factory, "atelier", install, USER_POM=USER_POM)
    (jar,) = [
        file.file_sha1
        for one in sample.project.packages.list(package_type="maven", get_all=True)
        if one.version
        for file in one.package_files.list(get_all=True)
        if file.file_name == "parcel-1.0.0.jar"
    ]
    assert jar in own.must().log
    of = f"$CI_API_V4_URL/projects/{sample.project.id}/packages/maven/fr/example/parcel/1.0.0/parcel-1.0.0.jar"
    get = f'printf "JOB-TOKEN: %s" "$CI_JOB_TOKEN" | curl --silent --show-error --fail --header @- "{of}"'
    foreign = consumed(factory, "voisin", get).fails("404")
    nothing_kept(factory, *done.values(), twice, own, foreign)
    for file in local.rglob("*"):
        if file.is_file() and file.stat().st_size < 100_000:
            content = file.read_bytes()
            assert not [one for job in (*done.values(), own) for one in job.secrets if one.encode() in content], file


@pytest.mark.parametrize("kind", ["npm", "generic"])
def test_a_developer_publishes_nothing_from_a_merge_request(factory: Factory, kind: str) -> None:
    """The author changes the CI file as they like: GitLab's own rule refuses, because the job has their level."""
    sample = factory.sample("generic")
    sample.main()
    of = "$CI_API_V4_URL/projects/$CI_PROJECT_ID/packages"
    body = json.dumps({"versions": {"9.9.9": {"dist": {}}}, "dist-tags": {"latest": "9.9.9"},
                       "_attachments": {"@atelier/x-9.9.9.tgz": {"data": "eA=="}}})  # fmt: skip
    target = {"npm": f"{of}/npm/@atelier%2fx", "generic": f"{of}/generic/x/9.9.9/body.json"}[kind]
    put = f'printf "JOB-TOKEN: %s" "$CI_JOB_TOKEN" | curl --silent --header @- --upload-file body.json "{target}"'
    text = consumer(put)
    request = sample.merge_request(
        f"publish-{kind}", lambda folder: write(folder, {".gitlab-ci.yml": text, "body.json": body})
    )
    job = request.pipeline.run(only={"consumer"})["consumer"].must()
    assert "Package protected." in job.log
    assert all(version != "9.9.9" for _, version in packages(sample.project, kind))
    nothing_kept(factory, job)

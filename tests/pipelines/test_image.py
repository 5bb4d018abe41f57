"""The image job: what a protected pipeline pushes is scanned, described and signed, and nothing else is verified."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from lab import vulnerabilities
from lab.parts.tools import environment
from lab.secrets import Secrets
from lab.testing.job_runner import Done
from tests.pipelines.factory import Factory, Sample

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("buildah", "cosign", "trivy")
CONTAINERFILE = """FROM scratch
COPY packages /usr/lib/python3/site-packages
COPY app.py /app/app.py
"""
GOOD, FLAWED = "3.1.2", "2.0.1"  # of Flask: CVE-2023-30861 is in the lab's vulnerability database
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
#: Jobs that try to sign without a right to do so, added to the first CI file.
FORGER = """
forger:
  extends: .vault
  stage: test
  script:
    - bao read usine-signing/keys/$USINE_TENANT
    - printf %s aW1hZ2U= | bao write usine-signing/sign/{key}/sha2-256 input=- prehashed=true
"""


@dataclass(frozen=True)
class Pushed:
    """What the image job of main has pushed."""

    job: Done
    commit: str
    name: str
    reference: str
    digest: str


def add_image(folder: Path) -> None:
    """Make the repository one with an image."""
    (folder / "Containerfile").write_text(CONTAINERFILE, encoding="utf-8")
    (folder / "app.py").write_text("print('hello')\n", encoding="utf-8")
    install(folder, GOOD)


def install(folder: Path, version: str) -> None:
    """Put a version of Flask into the image, as far as a scanner looks."""
    packages = folder / "packages"
    shutil.rmtree(packages, ignore_errors=True)
    about = packages / f"flask-{version}.dist-info"
    about.mkdir(parents=True)
    text = f"Metadata-Version: 2.1\nName: flask\nVersion: {version}\n"
    (about / "METADATA").write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def tools(factory: Factory) -> Iterator[None]:
    """Give the jobs the tools of the image job; the registry here has no TLS."""
    plain = factory.images
    host = f"127.0.0.1:{factory.lab.home.ports.harbor}"
    configuration = factory.folder / "registries.conf"
    configuration.write_text(f'[[registry]]\nlocation = "{host}"\ninsecure = true\n', encoding="utf-8")

    cache = factory.folder / "trivy"
    with tarfile.open(fileobj=io.BytesIO(vulnerabilities.archive())) as archive:
        archive.extractall(cache / "db", filter="data")

    def image(name: str, folder: Path) -> Mapping[str, str]:
        found = dict(plain(name, folder))
        mine = environment(folder / "home", TOOLS)
        path = os.pathsep.join((mine.pop("PATH"), found["PATH"]))
        known = {"TRIVY_CACHE_DIR": str(cache), "TRIVY_SKIP_DB_UPDATE": "true"}
        return {**found, **mine, **known, "PATH": path, "CONTAINERS_REGISTRIES_CONF": str(configuration)}

    factory.images = image  # type: ignore[assignment]  # the same protocol
    yield
    factory.images = plain


@pytest.fixture(scope="module")
def sample(factory: Factory, tools: None) -> Sample:  # noqa: ARG001 - jobs of this sample need them
    return factory.sample("generic")


class Watch(threading.Thread):
    """Looks for a text in the command lines of all processes."""

    def __init__(self, text: str) -> None:
        super().__init__(daemon=True)
        self._text = text.encode()
        self._end = threading.Event()
        self.looks = 0
        self.seen: list[str] = []

    def run(self) -> None:
        while not self._end.wait(0.005):
            self.looks += 1
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    line = file.read_bytes()
                except OSError:
                    continue
                if self._text in line:
                    self.seen.append(line.replace(b"\0", b" ").decode(errors="replace"))

    def __enter__(self) -> Watch:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self.join()


def robot(factory: Factory, tenant: str = "atelier") -> dict[str, str]:
    """Return the credential that the program has stored for pipelines that push."""
    found = factory.lab.vault.secrets.kv.v2.read_secret_version(
        path="ci/registry/push", mount_point=tenant, raise_on_deleted_version=True
    )
    return dict(found["data"]["data"])


@dataclass(frozen=True)
class Answer:
    """What `usine verify` said."""

    exit_code: int
    output: str


def usine_verify(factory: Factory, image: str) -> Answer:
    """Run `usine verify` with the credentials of the platform's environment."""
    command = [sys.executable, "-m", "usine", "verify", "--settings", str(factory.stack.settings_file), image]
    done = subprocess.run(
        command, cwd=ROOT, env=factory.lab.environment(), capture_output=True, text=True, check=False, timeout=60
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Answer(done.returncode, done.stdout + done.stderr)


def image_of(job: Done) -> dict[str, str]:
    return dict(line.split("=", 1) for line in job.read("reports/image.env").splitlines())


@pytest.fixture(scope="module")
def pushed(factory: Factory, sample: Sample) -> Pushed:
    password = robot(factory)["password"]
    pipeline = sample.push("An image", add_image)
    with Watch(password) as watch:
        job = pipeline.run(only={"container"})["container"].must()
    assert watch.looks > 50
    assert watch.seen == []
    assert job.holds(password) == ""
    commit = sample.git.run("rev-parse", "HEAD").strip()
    image = image_of(job)
    name = image["IMAGE_REF"].partition("@")[0]
    return Pushed(job, commit, name, f"{name}:{commit[:8]}", image["IMAGE_DIGEST"])


@pytest.fixture(scope="module")
def cosign(factory: Factory, pushed: Pushed) -> Any:
    """Return a function that runs the real cosign with the public key that Vault shows."""
    home = factory.folder / "cosign"
    env = environment(home, ["cosign"])
    who = robot(factory)
    host = pushed.name.partition("/")[0]
    auth = base64.b64encode(f"{who['username']}:{who['password']}".encode()).decode()
    (home / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}), encoding="utf-8")
    key = home / "key.pub"
    answer = factory.lab.vault.adapter.get("/v1/usine-signing/keys/atelier")
    key.write_text(answer["data"]["keys"]["1"]["public_key"], encoding="utf-8")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["cosign", arguments[0], "--key", str(key), "--insecure-ignore-tlog=true", *arguments[1:]]
        return subprocess.run(
            command, env={**env, "DOCKER_CONFIG": str(home)}, capture_output=True, text=True, check=False, timeout=60
        )

    return run


def statement(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(base64.b64decode(json.loads(done.stdout.splitlines()[0])["payload"]))


def test_the_pushed_image_is_verified_by_cosign_and_by_usine(factory: Factory, pushed: Pushed, cosign: Any) -> None:
    found = json.loads(cosign("verify", pushed.reference).stdout)
    assert {one["critical"]["image"]["docker-manifest-digest"] for one in found} == {pushed.digest}
    provenance = statement(cosign("verify-attestation", "--type", "slsaprovenance1", pushed.reference))["predicate"]
    (source,) = provenance["buildDefinition"]["resolvedDependencies"]
    assert source["digest"] == {"gitCommit": pushed.commit}
    assert source["uri"].endswith("/tenants/atelier/generic.git")
    bill = statement(cosign("verify-attestation", "--type", "cyclonedx", pushed.reference))["predicate"]
    assert "flask" in {component["name"] for component in bill["components"]}
    own = usine_verify(factory, pushed.reference)
    assert own.exit_code == 0, own.output
    for text in (pushed.digest, pushed.commit, "the key atelier, version 1", f"{len(bill['components'])} components"):
        assert text in own.output


def test_the_same_commit_gives_the_same_image(pushed: Pushed, sample: Sample) -> None:
    pipeline = sample.pipeline(pushed.commit)
    pipeline.job("container").retry()
    again = pipeline.run(only={"container"})["container"].must()
    assert image_of(again)["IMAGE_DIGEST"] == pushed.digest


def test_a_merge_request_builds_its_image_and_pushes_nothing(factory: Factory, pushed: Pushed, sample: Sample) -> None:
    request = sample.merge_request("image", lambda folder: (folder / "app.py").write_text("print('other')\n"))
    job = request.pipeline.run(only={"container"})["container"]
    assert job.exit_code == 0, job.log
    assert "It is not pushed" in job.log
    commit = sample.git.run("rev-parse", "HEAD").strip()
    who = robot(factory)
    tags = httpx.get(_v2(pushed, "tags/list"), auth=(who["username"], who["password"])).json()["tags"]
    assert pushed.commit[:8] in tags
    assert commit[:8] not in tags
    broken = request.push(lambda folder: (folder / "Containerfile").write_text("FROM scratch\nCOPY absent /\n"))
    broken.run(only={"container"})["container"].fails("absent")
    sample.main()


def test_an_image_with_a_known_vulnerability_is_not_pushed(factory: Factory, pushed: Pushed, sample: Sample) -> None:
    try:
        pipeline = sample.push("A flawed image", lambda folder: install(folder, FLAWED))
        pipeline.run(only={"container"})["container"].fails("CVE-2023-30861")
        commit = sample.git.run("rev-parse", "HEAD").strip()
        who = robot(factory)
        tags = httpx.get(_v2(pushed, "tags/list"), auth=(who["username"], who["password"])).json()["tags"]
        assert commit[:8] not in tags
    finally:
        sample.push("A good image again", add_image)


def test_a_tampered_image_is_refused(factory: Factory, pushed: Pushed, cosign: Any) -> None:
    who = robot(factory)
    auth, place = (who["username"], who["password"]), _v2(pushed, f"manifests/{pushed.commit[:8]}")
    original = httpx.get(place, auth=auth, headers={"Accept": MANIFEST}).content
    manifest = json.loads(original)
    manifest["layers"] = manifest["layers"][:1]
    manifest["annotations"] = {"org.opencontainers.image.description": "tampered"}
    tampered = json.dumps(manifest).encode()
    try:
        headers = {"Content-Type": MANIFEST}
        bad = httpx.put(place, auth=auth, content=tampered, headers=headers).raise_for_status()
        digest = bad.headers["Docker-Content-Digest"]
        assert "no signatures found" in cosign("verify", pushed.reference).stderr
        own = usine_verify(factory, pushed.reference)
        assert (own.exit_code, f"{digest} is not signed" in own.output) == (1, True), own.output
        # The signatures of the good image, attached to the other one.
        good = httpx.get(_v2(pushed, f"referrers/{pushed.digest}"), auth=auth).json()["manifests"]
        for one in good:
            copy = httpx.get(_v2(pushed, f"manifests/{one['digest']}"), auth=auth, headers={"Accept": MANIFEST}).json()
            copy["subject"] = {**copy["subject"], "digest": digest, "size": len(tampered)}
            url = _v2(pushed, f"manifests/{'copy-' + one['digest'][-8:]}")
            httpx.put(url, auth=auth, content=json.dumps(copy), headers=headers).raise_for_status()
        assert cosign("verify", pushed.reference).returncode != 0
        own = usine_verify(factory, pushed.reference)
        assert (own.exit_code, "is by a key of atelier" in own.output) == (1, True), own.output
    finally:
        httpx.put(place, auth=auth, content=original, headers={"Content-Type": MANIFEST}).raise_for_status()
    assert usine_verify(factory, f"{pushed.reference}@{digest}").exit_code == 1, "the tag was moved"


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize(("tenant", "key"), [("voisin", "atelier"), ("atelier", "atelier")])
def test_neither_another_tenant_nor_a_merge_request_can_sign(factory: Factory, tenant: str, key: str) -> None:
    """Each job reads the public key of its own tenant, and signs nothing with that of `key`."""
    fresh = factory.sample("generic", tenant=tenant)

    def add(folder: Path) -> None:
        file = folder / ".gitlab-ci.yml"
        file.write_text(file.read_text(encoding="utf-8") + FORGER.format(key=key), encoding="utf-8")

    pipeline = fresh.push("Sign", add) if tenant != key else fresh.merge_request("forger", add).pipeline
    job = pipeline.run(only={"forger"})["forger"].fails("permission denied", "public_key")
    assert job.holds(Secrets.load(factory.lab.home).vault_token) == ""


def _v2(pushed: Pushed, path: str) -> str:
    host, _, repository = pushed.name.partition("/")
    return f"http://{host}/v2/{repository}/{path}"

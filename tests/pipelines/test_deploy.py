"""Promotion in real pipelines: by the tenant's own Vault role and the bot's token; what others do not reach."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import gitlab
import pytest

from lab.chain.registry import RegistryClient
from lab.parts.tools import environment
from lab.secrets import Secrets
from lab.testing.git_client import Git
from tests.pipelines.factory import Factory, Pipeline, Sample
from tests.pipelines.tenants import DEVELOPER, MAINTAINER

#: What GitLab's tokens begin with.
TOKEN = "glpat-"

#: In place of the build: a job that hands on a digest, as the job `container` does.
BUILT = """
container:
  script:
    - echo "IMAGE_DIGEST={digest}" > image.env
  artifacts:
    reports:
      dotenv: image.env
"""
#: A job of the author of a change, with the identity of the catalogue's jobs.
THIEF = """
thief:
  extends: .vault
  stage: test
  script:
    - bao kv get -mount={mount} -field=token ci/deploy/deploy
"""


@dataclass(frozen=True)
class Signed:
    """Digests of images that the tenant's key signed, and of one that another tenant's key signed."""

    old: str
    new: str
    foreign: str


@pytest.fixture(scope="module")
def signed(factory: Factory) -> Signed:
    """Push images of both applications and sign them, as the job `container` does; two at a time."""
    factory.images.use("cosign")
    url = f"http://127.0.0.1:{factory.lab.home.ports.harbor}"
    read = factory.lab.vault.secrets.kv.v2.read_secret_version
    robot = read(path="ci/registry/push", mount_point="atelier", raise_on_deleted_version=True)["data"]["data"]
    home = factory.folder / "signer"
    host = url.partition("//")[2]
    auth = base64.b64encode(f"{robot['username']}:{robot['password']}".encode()).decode()
    variables = {
        **environment(home, ["cosign"]),
        "DOCKER_CONFIG": str(home),
        "VAULT_ADDR": f"http://127.0.0.1:{factory.lab.home.ports.openbao}",
        "VAULT_TOKEN": Secrets.load(factory.lab.home).vault_token,
        "TRANSIT_SECRET_ENGINE_PATH": "usine-signing",
    }
    (home / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}), encoding="utf-8")
    (home / "predicate.json").write_text("{}", encoding="utf-8")

    def cosign(*arguments: str) -> None:
        done = subprocess.run(["cosign", *arguments], env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    services, root = str(home / "services.json"), str(home / "root.json")
    cosign("signing-config", "create", "--out", services)
    cosign("trusted-root", "create", "--out", root)

    def sign(app: str, content: str, key: str = "atelier") -> str:
        client = RegistryClient(url, f"atelier/{app}", robot["username"], robot["password"])
        digest = client.push(content, content.encode())
        by = ("--key", f"openbao://{key}", "--signing-config", services, "--trusted-root", root, "--yes")
        predicate = ("--type", "slsaprovenance1", "--predicate", str(home / "predicate.json"))
        cosign("attest", *by, *predicate, f"{host}/atelier/{app}@{digest}")
        cosign("sign", *by, f"{host}/atelier/{app}@{digest}")
        return digest

    with ThreadPoolExecutor(2) as pool:
        made = pool.map(
            lambda one: sign(*one),
            [("python", "old"), ("python", "new"), ("python", "foreign", "voisin"), ("generic", "new")],
        )
    old, new, foreign, same = made
    assert same == new, "the same content"
    return Signed(old, new, foreign)


@pytest.fixture(scope="module", autouse=True)
def restored(factory: Factory) -> Iterator[None]:
    """Give the repositories their first CI files back at the end: other modules use them too."""
    yield
    for tenant, repository in (("atelier", "python"), ("atelier", "generic"), ("voisin", "generic")):
        sample = factory.sample(repository, tenant=tenant)
        with_job("")(sample.folder)
        (sample.folder / "Containerfile").unlink()
        sample.commit("Restore")
        url = sample.address(MAINTAINER[tenant])
        sample.git.run("push", "--quiet", "--push-option=ci.skip", url, "HEAD:refs/heads/main")


def with_job(text: str) -> Callable[[Path], None]:
    """Return an edit that adds a job to the first CI file, in place of what an earlier test added."""

    def edit(folder: Path) -> None:
        file = folder / ".gitlab-ci.yml"
        head = file.read_text(encoding="utf-8").partition("\n# added\n")[0]
        file.write_text(f"{head}\n# added\n{text}" if text else head, encoding="utf-8")
        (folder / "Containerfile").write_text("FROM scratch\n", encoding="utf-8")

    return edit


def built(sample: Sample, digest: str, fails: str = "") -> Pipeline:
    """Push to main, as a maintainer, what gives this digest, and run the promotion; it fails with the text `fails`."""
    pipeline = sample.push(f"Build {digest[:14]}", with_job(BUILT.format(digest=digest)))
    job = pipeline.run(only={"container", "deploy"})["deploy"]
    job = job.fails(fails) if fails else job.must()
    assert TOKEN not in job.log
    assert job.holds(TOKEN) == ""
    return pipeline


def digest(factory: Factory, app: str, environment: str, ref: str) -> str:
    """Return the digest in the value file of an application; empty if there is none."""
    try:
        file = factory.project("deploy").files.get(f"charts/atelier/images/{environment}/{app}.yaml", ref=ref)
    except gitlab.GitlabGetError:
        return ""
    return next(iter(re.findall(r"sha256:[0-9a-f]{64}", file.decode().decode())), "")


def commits(factory: Factory, folder: Path, branch: str) -> str:
    """Return the commit of a branch of the infra repository; empty if there is none."""
    folder.mkdir(exist_ok=True)
    url = factory.server.url.replace("://", f"://x:{factory.token(DEVELOPER['atelier'])}@")
    listed = Git(folder).run("ls-remote", f"{url}/tenants/atelier/deploy.git", f"refs/heads/{branch}")
    return listed.partition("\t")[0]


def test_a_digest_goes_to_dev_at_once_and_to_production_by_a_merge_request(
    factory: Factory, tmp_path: Path, signed: Signed
) -> None:
    infra = factory.project("deploy")
    before = commits(factory, tmp_path, "main")
    sample = factory.sample("python")
    first = built(sample, signed.old)
    assert digest(factory, "python", "dev", "deploy/dev") == signed.old
    assert digest(factory, "python", "prod", "promote/python/prod") == signed.old
    built(sample, signed.new)
    requests = infra.mergerequests.list(source_branch="promote/python/prod", state="opened", get_all=True)
    assert [(one.title, one.target_branch) for one in requests] == [
        (f"Promote python to prod: {signed.new[:19]}", "main")
    ]
    assert commits(factory, tmp_path, "main") == before, "no pipeline writes to the branch of production"
    # Back: the job of the older pipeline, again.
    first.job("deploy").retry()
    first.run()["deploy"].must()
    assert digest(factory, "python", "dev", "deploy/dev") == signed.old
    (request,) = infra.mergerequests.list(source_branch="promote/python/prod", state="opened", get_all=True)
    assert signed.old[:19] in request.title
    # A developer's merge is refused, a maintainer's is not; the pipeline of the merge request has to succeed.
    client = factory.server.client(factory.token(DEVELOPER["atelier"])).projects.get(infra.id)
    with pytest.raises(gitlab.GitlabError):
        client.mergerequests.get(request.iid).merge()
    found = max(one.id for one in infra.mergerequests.get(request.iid).pipelines.list(get_all=True))
    Pipeline(factory, infra, found).run(only=())
    infra.mergerequests.get(request.iid).merge()
    assert digest(factory, "python", "prod", "main") == signed.old


def test_an_image_that_the_tenants_key_did_not_sign_is_not_promoted(
    factory: Factory, tmp_path: Path, signed: Signed
) -> None:
    """It is complete, but signed with the key of another tenant: the branches stay where they are."""
    branches = ("main", "deploy/dev", "promote/python/prod")
    before = [commits(factory, tmp_path, branch) for branch in branches]
    sample = factory.sample("python")
    built(sample, signed.foreign, fails="has no signature by a key of this project, and is not promoted")
    assert [commits(factory, tmp_path, branch) for branch in branches] == before


def test_the_pipeline_of_the_infra_repository_brings_the_branches_up_to_date(factory: Factory, signed: Signed) -> None:
    built(factory.sample("generic"), signed.new)
    infra = factory.sample("deploy")
    pipeline = infra.push("A note", lambda folder: (folder / "NOTES.md").write_text("x\n", encoding="utf-8"))
    done = pipeline.run(only={"follow"})["follow"].must()
    assert "dev: deploy/dev is at" in done.log
    assert TOKEN not in done.log
    assert factory.project("deploy").files.get("NOTES.md", ref="deploy/dev").decode() == b"x\n"
    assert digest(factory, "generic", "dev", "deploy/dev") == signed.new, "digests stay"


def test_only_protected_pipelines_of_the_tenant_read_the_token(factory: Factory) -> None:
    """A merge request, an unprotected branch of the infra repository itself, and another tenant's main."""
    sample = factory.sample("generic")
    request = sample.merge_request("thief", with_job(THIEF.format(mount="atelier")))
    assert "deploy" not in request.pipeline.jobs(), "nothing is promoted from a merge request"
    request.pipeline.run(only={"thief"})["thief"].fails("Code: 403")
    infra = factory.sample("deploy")
    # A developer may push to the branch of an environment. It is not protected, so its pipelines read nothing.
    pushed = infra.push("Take", with_job(THIEF.format(mount="atelier")), branch="deploy/dev", who=DEVELOPER["atelier"])
    pushed.run(only={"thief"})["thief"].fails("Code: 403")
    other = factory.sample("generic", tenant="voisin")
    stolen = other.push("Take", with_job(THIEF.format(mount="atelier")))
    stolen.run(only={"thief"})["thief"].fails("Code: 403")

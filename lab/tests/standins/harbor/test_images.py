"""Images through `/v2/`: a registry client with robots of different permissions, on the real registry."""

from __future__ import annotations

import hashlib
import json
import re
import stat
import time
from collections.abc import Iterable
from typing import Any, cast

import httpx
import jwt
import pytest
from dxf import DXF, DXFBase
from dxf.exceptions import DXFUnauthorizedError
from requests.exceptions import HTTPError

from lab.testing.names import name
from lab.tests.standins.harbor.conftest import LiveHarbor, make_project, refused, robot_body, run

pytestmark = pytest.mark.servers

PUSH = (("repository", "push"), ("repository", "pull"))
PULL = (("repository", "pull"),)
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


@pytest.fixture
def api(imaging: LiveHarbor) -> Any:
    with imaging.http() as client:
        yield client


def robot(api: httpx.Client, project: str, *accesses: tuple[str, str]) -> tuple[str, str]:
    answer = api.post("/robots", json=robot_body(project, *accesses))
    assert answer.status_code == 201, answer.text
    return answer.json()["name"], answer.json()["secret"]


def registry(live: LiveHarbor, repository: str, who: tuple[str, str] | None) -> DXF:
    """Return a client that gets tokens according to the challenge, because `dxf` sends no password without TLS."""

    def log_in(client: DXFBase, response: Any) -> None:
        challenge = dict(re.findall(r'(\w+)="([^"]*)"', response.headers["WWW-Authenticate"]))
        if not response.headers["WWW-Authenticate"].startswith("Bearer "):
            raise DXFUnauthorizedError
        parameters = {"service": challenge["service"], "scope": challenge.get("scope", "")}
        client.token = httpx.get(challenge["realm"], params=parameters, auth=who).json()["token"]

    return DXF(live.url.removeprefix("http://"), repository, log_in, insecure=True)


def push(client: DXF, tag: str, content: bytes = b"layer", extra: str = "") -> str:
    """Push an image of one layer; return the digest of its manifest."""
    config = json.dumps({"architecture": "amd64", "os": "linux", "extra": extra}).encode()
    layer_digest, config_digest = (
        client.push_blob(data=iter([part]), digest=_digest(part)) for part in (content, config)
    )
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": {"mediaType": _CONFIG, "size": len(config), "digest": config_digest},
        "layers": [{"mediaType": _LAYER, "size": len(content), "digest": layer_digest}],
    }
    text = json.dumps(manifest)
    client.set_manifest(tag, text)
    return _digest(text.encode())


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def test_a_robot_pushes_and_pulls_according_to_its_permissions(imaging: LiveHarbor, api: httpx.Client) -> None:
    _, project = make_project(api)
    _, other = make_project(api)
    pusher, puller, stranger = robot(api, project, *PUSH), robot(api, project, *PULL), robot(api, other, *PUSH)
    repository = f"{project}/team/app"
    ours = registry(imaging, repository, pusher)
    digest = push(ours, "1.0", b"some bytes")
    theirs = registry(imaging, repository, puller)
    assert theirs.list_aliases() == ["1.0"]
    layer = json.loads(str(theirs.get_manifest("1.0")))["layers"][0]["digest"]
    assert b"".join(cast("Iterable[bytes]", theirs.pull_blob(layer))) == b"some bytes"
    with pytest.raises((DXFUnauthorizedError, HTTPError)):
        push(theirs, "2.0")
    for who in (stranger, None, (pusher[0], "Wrong-secret-1")):
        with pytest.raises((DXFUnauthorizedError, HTTPError)):
            registry(imaging, repository, who).get_manifest("1.0")
    found = api.get(f"/projects/{project}/repositories/team%252Fapp/artifacts/1.0").json()
    assert found["digest"] == digest
    assert found["tags"][0]["name"] == "1.0"
    assert found["type"] == "IMAGE"
    assert found["pull_time"] > found["push_time"]
    artifact = run(imaging.client().get_artifact(project, "team/app", "1.0"))
    assert artifact.digest == digest


def test_no_secret_is_in_a_log_or_readable_by_others(imaging: LiveHarbor, api: httpx.Client) -> None:
    _, project = make_project(api)
    full, secret = robot(api, project, *PUSH)
    push(registry(imaging, f"{project}/app", (full, secret)), "1")
    httpx.post(f"{imaging.url}/c/login", data={"principal": "admin", "password": imaging.password})
    logs = b"".join(path.read_bytes() for path in (imaging.data / "log").glob("*.log"))
    assert b"/service/token" in logs
    for hidden in (secret, imaging.password):
        assert hidden.encode() not in logs
    for folder in ("harbor", "registry"):
        for path in (imaging.data / "data" / folder).glob("*.*"):
            if path.suffix in (".json", ".key", ".yml"):
                assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    stored = b"".join(path.read_bytes() for path in (imaging.data / "data/harbor").glob("harbor.sqlite*"))
    assert secret.encode() not in stored
    assert imaging.password.encode() not in stored


def test_a_push_alone_lets_a_project_robot_pull(imaging: LiveHarbor, api: httpx.Client) -> None:
    _, project = make_project(api)
    who = robot(api, project, ("repository", "push"))
    client = registry(imaging, f"{project}/app", who)
    push(client, "1")
    assert json.loads(str(client.get_manifest("1")))


def test_a_disabled_renewed_or_deleted_robot_loses_access(imaging: LiveHarbor, api: httpx.Client) -> None:
    _, project = make_project(api)
    body = robot_body(project, *PUSH)
    made = api.post("/robots", json=body).json()
    at, full = f"/robots/{made['id']}", {**body, "name": made["name"]}

    def pulls(secret: str) -> bool:
        answer = httpx.get(f"{imaging.url}/v2/", auth=(made["name"], secret))
        return answer.status_code == 200

    assert pulls(made["secret"])
    assert api.put(at, json={**full, "disable": True}).status_code == 200
    assert not pulls(made["secret"])
    assert api.put(at, json={**full, "disable": False}).status_code == 200
    assert pulls(made["secret"])
    renewed = api.patch(at, json={}).json()["secret"]
    assert not pulls(made["secret"])
    assert pulls(renewed)
    assert api.delete(at).status_code == 200
    assert not pulls(renewed)


def test_anybody_can_pull_from_a_public_project_but_not_push(imaging: LiveHarbor, api: httpx.Client) -> None:
    _, project = make_project(api, metadata={"public": "true"})
    push(registry(imaging, f"{project}/app", ("admin", imaging.password)), "1")
    anybody = registry(imaging, f"{project}/app", None)
    assert anybody.list_aliases() == ["1"]
    with pytest.raises((DXFUnauthorizedError, HTTPError)):
        push(anybody, "2")


def test_an_immutable_tag_cannot_be_moved_or_deleted(imaging: LiveHarbor, api: httpx.Client) -> None:
    number, project = make_project(api)
    selector = {"kind": "doublestar", "decoration": "matches", "pattern": "v*"}
    scope = {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]}
    rule = {"tag_selectors": [selector], "scope_selectors": scope, "action": "immutable",
            "template": "immutable_template"}  # fmt: skip
    made = api.post(f"/projects/{number}/immutabletagrules", json=rule)
    assert made.status_code == 201
    client = registry(imaging, f"{project}/app", robot(api, project, *PUSH))
    push(client, "v1")
    push(client, "latest")
    push(client, "latest", b"other")
    with pytest.raises(HTTPError) as caught:
        push(client, "v1", b"other")
    assert caught.value.response.status_code == 412
    assert "'app:v1' configured as immutable" in caught.value.response.text
    at = f"/projects/{project}/repositories/app/artifacts/v1"
    refused(api.delete(f"{at}/tags/v1"), 412, "PRECONDITION", "the tag v1 configured as immutable, cannot be deleted")
    refused(api.delete(at), 412, "PRECONDITION")
    rule_id = int(made.headers["Location"].rpartition("/")[2])
    changed = api.put(f"/projects/{number}/immutabletagrules/{rule_id}", json={**rule, "id": rule_id, "disabled": True})
    assert changed.status_code == 200
    push(client, "v1", b"other")
    assert api.delete(at).status_code == 200


def test_a_quota_refuses_images_that_exceed_it_and_counts_deletions(imaging: LiveHarbor, api: httpx.Client) -> None:
    number, project = make_project(api, storage_limit=3000)
    client = registry(imaging, f"{project}/app", robot(api, project, *PUSH))
    push(client, "small", b"x" * 1000)
    push(client, "again", b"x" * 1000)
    for data in (b"y" * 2000, iter([b"y" * 2000])):  # with a length, and in chunks without a length
        started = httpx.post(f"{imaging.url}/v2/{project}/app/blobs/uploads/", auth=("admin", imaging.password))
        place = httpx.URL(started.headers["Location"]).copy_add_param("digest", _digest(b"y" * 2000))
        sent = httpx.put(place, auth=("admin", imaging.password), content=data)
        assert sent.status_code == (403 if isinstance(data, bytes) else 201)
        if isinstance(data, bytes):
            refused(sent, 403, "DENIED", "adding 2.0 KiB of storage resource, which when updated to current usage of")
    with pytest.raises(HTTPError) as caught:
        push(client, "big", b"y" * 2000)
    assert caught.value.response.status_code == 403
    assert "will exceed the configured upper limit of 2.9 KiB." in caught.value.response.text
    (quota,) = api.get("/quotas", params={"reference": "project", "reference_id": number}).json()
    assert api.delete(f"/projects/{project}/repositories/app/artifacts/small").status_code == 200
    (freed,) = api.get("/quotas", params={"reference": "project", "reference_id": number}).json()
    assert freed["used"]["storage"] < quota["used"]["storage"]
    assert api.put(f"/quotas/{quota['id']}", json={"hard": {"storage": 10000}}).status_code == 200
    push(client, "big", b"y" * 2000)


def test_the_severity_gate_refuses_vulnerable_images(imaging: LiveHarbor, api: httpx.Client) -> None:
    number, project = make_project(api, metadata={"prevent_vul": "true", "severity": "high"})
    client = registry(imaging, f"{project}/app", robot(api, project, *PUSH))
    digest = push(client, "1", extra=name())
    at = f"/projects/{project}/repositories/app/artifacts/1"

    def pull() -> httpx.Response:
        at = f"{imaging.url}/v2/{project}/app/manifests/1"
        return httpx.get(at, auth=("admin", imaging.password), headers={"Accept": _MANIFEST})

    refused(pull(), 412, "PROJECTPOLICYVIOLATION", "current image without vulnerability scanning cannot be pulled")
    assert api.post(f"{at}/scan").status_code == 202
    assert pull().status_code == 200

    def report(*found: tuple[str, str]) -> None:
        body = {"digest": digest, "vulnerabilities": [{"id": cve, "severity": severity} for cve, severity in found]}
        sent = httpx.post(f"{imaging.url}/-/lab/reports", json=body, headers={"X-Lab-Token": imaging.password})
        assert sent.status_code == 201

    report(("CVE-2026-1", "Medium"))
    assert pull().status_code == 200
    report(("CVE-2026-1", "Medium"), ("CVE-2026-2", "Critical"))
    refused(pull(), 412, "PROJECTPOLICYVIOLATION", "current image with 2 vulnerabilities cannot be pulled")
    overview = api.get(at, params={"with_scan_overview": True}).json()["scan_overview"]
    assert next(iter(overview.values()))["severity"] == "Critical"
    (found,) = api.get(f"{at}/additions/vulnerabilities").json().values()
    assert [item["id"] for item in found["vulnerabilities"]] == ["CVE-2026-1", "CVE-2026-2"]
    assert api.put(f"/projects/{number}", json={"cve_allowlist": {"items": [{"cve_id": "CVE-2026-2"}]}}).is_success
    assert pull().status_code == 200


def test_a_scan_on_push_satisfies_the_gate(imaging: LiveHarbor, api: httpx.Client) -> None:
    _, project = make_project(api, metadata={"prevent_vul": "true", "severity": "low", "auto_scan": "true"})
    client = registry(imaging, f"{project}/app", robot(api, project, *PUSH))
    push(client, "1")
    assert client.get_manifest("1")


def test_a_project_with_repositories_cannot_be_deleted(imaging: LiveHarbor, api: httpx.Client) -> None:
    number, project = make_project(api)
    push(registry(imaging, f"{project}/a/b", ("admin", imaging.password)), "1")
    refused(api.delete(f"/projects/{number}"), 412, "PRECONDITION", "contains repositories")
    assert api.delete(f"/projects/{project}/repositories/a%252Fb").status_code == 200
    assert api.delete(f"/projects/{number}").status_code == 200
    refused(api.get(f"/projects/{number}"), 404, "NOT_FOUND")


def test_the_registry_accepts_only_harbors_tokens(imaging: LiveHarbor, api: httpx.Client) -> None:
    _, project = make_project(api)
    token = httpx.get(
        f"{imaging.url}/service/token",
        params={"service": "harbor-registry", "scope": f"repository:{project}/app:pull,push"},
        auth=("admin", imaging.password),
    ).json()["token"]
    through = httpx.get(f"{imaging.url}/v2/", headers={"Authorization": f"Bearer {token}"})
    assert through.status_code == 200
    port = int(imaging.url.rpartition(":")[2]) + 1
    around = httpx.post(
        f"http://127.0.0.1:{port}/v2/{project}/app/blobs/uploads/", headers={"Authorization": f"Bearer {token}"}
    )
    assert around.status_code == 401


def test_errors_of_the_registry_protocol(imaging: LiveHarbor, api: httpx.Client) -> None:
    _, project = make_project(api)
    admin = ("admin", imaging.password)
    at = f"{imaging.url}/v2"
    asked = httpx.head(f"{at}/{project}/app/manifests/1")
    assert asked.status_code == 401
    assert f'scope="repository:{project}/app:pull"' in asked.headers["WWW-Authenticate"]
    refused(httpx.get(f"{at}/{project}/app/manifests/1", auth=admin), 404, "NOT_FOUND", f"artifact {project}/app:1")
    refused(httpx.get(f"{at}/{name('none')}/app/manifests/1", auth=admin), 404, "NOT_FOUND", "project")
    refused(httpx.get(f"{at}/alone/manifests/1", auth=admin), 400, "BAD_REQUEST")
    refused(httpx.delete(f"{at}/{project}/app/manifests/1", auth=admin), 400, "UNSUPPORTED")
    refused(httpx.put(f"{at}/{project}/app/manifests/1", auth=admin, content=b"{"), 400, "MANIFEST_INVALID")
    started = httpx.post(f"{at}/{project}/app/blobs/uploads/", auth=admin)
    assert started.status_code == 202
    assert started.headers["Location"].startswith(f"{imaging.url}/v2/{project}/app/blobs/uploads/")


def test_a_blob_in_parts_and_a_blob_of_another_repository(imaging: LiveHarbor, api: httpx.Client) -> None:
    number, project = make_project(api)
    admin, at = ("admin", imaging.password), f"{imaging.url}/v2/{project}"
    parts = [b"a" * 1000, b"b" * 500]
    place = httpx.post(f"{at}/one/blobs/uploads/", auth=admin).headers["Location"]
    start = 0
    for part in parts:
        headers = {"Content-Range": f"{start}-{start + len(part) - 1}", "Content-Type": "application/octet-stream"}
        sent = httpx.patch(place, auth=admin, content=part, headers=headers)
        assert sent.status_code == 202
        place, start = sent.headers["Location"], start + len(part)
    digest = _digest(b"".join(parts))
    done = httpx.put(httpx.URL(place).copy_add_param("digest", digest), auth=admin)
    assert done.status_code == 201
    assert done.headers["Location"] == f"{at}/one/blobs/{digest}"
    (quota,) = api.get("/quotas", params={"reference_id": str(number)}).json()
    assert quota["used"]["storage"] == 1500
    mounted = httpx.post(f"{at}/two/blobs/uploads/", params={"mount": digest, "from": f"{project}/one"}, auth=admin)
    assert mounted.status_code == 201
    assert httpx.get(f"{at}/two/blobs/{digest}", auth=admin).content == b"".join(parts)
    (again,) = api.get("/quotas", params={"reference_id": str(number)}).json()
    assert again["used"]["storage"] == 1500  # counted once
    # A blob of a project without access cannot be mounted.
    _, other = make_project(api)
    who = robot(api, other, *PUSH)
    stolen = httpx.post(
        f"{imaging.url}/v2/{other}/app/blobs/uploads/", params={"mount": digest, "from": f"{project}/one"}, auth=who
    )
    assert stolen.status_code == 401


def test_an_index_of_images(imaging: LiveHarbor, api: httpx.Client) -> None:
    _, project = make_project(api)
    client = registry(imaging, f"{project}/app", ("admin", imaging.password))
    digest = push(client, "amd64")
    size = len(str(client.get_manifest("amd64")))
    child = {"mediaType": _MANIFEST, "digest": digest, "size": size,
             "platform": {"architecture": "amd64", "os": "linux"}}  # fmt: skip
    media_type = "application/vnd.oci.image.index.v1+json"
    index = {"schemaVersion": 2, "mediaType": media_type, "manifests": [child]}
    at = f"{imaging.url}/v2/{project}/app/manifests/multi"
    admin = ("admin", imaging.password)
    sent = httpx.put(at, content=json.dumps(index), headers={"Content-Type": media_type}, auth=admin)
    assert sent.status_code == 201
    assert httpx.get(at, headers={"Accept": media_type}, auth=admin).json() == index
    where = f"/projects/{project}/repositories/app/artifacts"
    assert api.get(f"{where}/multi").json()["references"][0]["child_digest"] == digest
    refused(api.delete(f"{where}/amd64"), 412, "VIOLATE_FOREIGN_KEY_CONSTRAINT")
    assert api.delete(f"/projects/{project}/repositories/app").status_code == 200


def test_images_and_robots_survive_a_kill(imaging: LiveHarbor, api: httpx.Client) -> None:
    _, project = make_project(api)
    client = registry(imaging, f"{project}/app", robot(api, project, *PUSH))
    push(client, "1")
    imaging.kill_and_start()
    assert json.loads(str(client.get_manifest("1")))
    push(client, "2", b"more")
    assert client.list_aliases() == ["1", "2"]


def test_a_token_is_invalid_after_the_deletion_of_its_project(imaging: LiveHarbor, api: httpx.Client) -> None:
    number, project = make_project(api)
    client = registry(imaging, f"{project}/app", ("admin", imaging.password))
    push(client, "1")
    token = str(client.token)
    assert api.delete(f"/projects/{project}/repositories/app").status_code == 200
    assert api.delete(f"/projects/{number}").status_code == 200
    issued = int(jwt.decode(token, options={"verify_signature": False})["iat"])
    while int(time.time()) <= issued:  # tokens have a resolution of one second
        time.sleep(0.05)
    assert api.post("/projects", json={"project_name": project}).status_code == 201
    asked = httpx.get(f"{imaging.url}/v2/{project}/app/tags/list", headers={"Authorization": f"Bearer {token}"})
    assert asked.status_code == 401


def attach(live: LiveHarbor, repository: str, who: tuple[str, str], subject: str, type_: str) -> httpx.Response:
    """Push a manifest that refers to another one."""
    empty = b"{}"
    registry(live, repository, who).push_blob(data=iter([empty]), digest=_digest(empty))
    part = {"mediaType": "application/vnd.oci.empty.v1+json", "size": len(empty), "digest": _digest(empty)}
    manifest = {"schemaVersion": 2, "mediaType": _MANIFEST, "artifactType": type_, "config": part, "layers": [part],
                "subject": {"mediaType": _MANIFEST, "size": 1, "digest": subject}}  # fmt: skip
    text = json.dumps(manifest)
    return httpx.put(f"{live.url}/v2/{repository}/manifests/{_digest(text.encode())}", auth=who, content=text,
                     headers={"Content-Type": _MANIFEST})  # fmt: skip


def test_what_refers_to_an_image_is_its_accessory(imaging: LiveHarbor, api: httpx.Client) -> None:
    _, project = make_project(api)
    who = robot(api, project, *PUSH)
    repository = f"{project}/app"
    digest = push(registry(imaging, repository, who), "1.0")
    bundle = "application/vnd.dev.sigstore.bundle.v0.3+json"
    answer = attach(imaging, repository, who, digest, bundle)
    assert (answer.status_code, answer.headers["OCI-Subject"]) == (201, digest)
    assert attach(imaging, repository, who, digest, "application/x-other").status_code == 201
    referrers = f"{imaging.url}/v2/{repository}/referrers/{digest}"
    found = httpx.get(referrers, auth=who).json()["manifests"]
    assert [one["artifactType"] for one in found] == [bundle, "application/x-other"]
    filtered = httpx.get(referrers, params={"artifactType": bundle}, auth=who)
    assert [one["artifactType"] for one in filtered.json()["manifests"]] == [bundle]
    assert filtered.headers["OCI-Filters-Applied"] == "artifactType"
    # It is no artifact of its own, and is deleted with the image.
    place = f"/projects/{project}/repositories/app"
    artifact = api.get(f"{place}/artifacts/1.0").json()
    assert [one["type"] for one in artifact["accessories"]] == ["signature.cosign", "subject.accessory"]
    listed = api.get(f"/projects/{project}/repositories").json()
    assert [(one["name"], one["artifact_count"]) for one in listed] == [(repository, 1)]
    assert registry(imaging, repository, who).list_aliases() == ["1.0"]
    assert api.delete(f"{place}/artifacts/1.0").status_code == 200
    assert httpx.get(referrers, auth=who).json()["manifests"] == []
    for one in found:
        place = f"{imaging.url}/v2/{repository}/manifests/{one['digest']}"
        assert httpx.get(place, auth=who, headers={"Accept": _MANIFEST}).status_code == 404


def test_the_severity_gate_lets_signatures_through_and_cosign_sign(imaging: LiveHarbor, api: httpx.Client) -> None:
    _, project = make_project(api, metadata={"public": "false", "prevent_vul": "true", "severity": "low"})
    pusher, puller = robot(api, project, *PUSH), robot(api, project, *PULL)
    repository = f"{project}/app"
    digest = push(registry(imaging, repository, pusher), "1.0")
    attached = attach(imaging, repository, pusher, digest, "application/vnd.dev.sigstore.bundle.v0.3+json")

    def pull(reference: str, who: tuple[str, str], agent: str = "docker/28") -> int:
        headers = {"Accept": _MANIFEST, "User-Agent": agent}
        url = f"{imaging.url}/v2/{repository}/manifests/{reference}"
        return httpx.get(url, auth=who, headers=headers).status_code

    assert pull(digest, puller) == 412, "not scanned"
    assert pull(attached.headers["Docker-Content-Digest"], puller) == 200
    assert pull(digest, pusher, "cosign/v3.1.3") == 200
    assert pull(digest, puller, "cosign/v3.1.3") == 412, "only who can push signs"

"""`usine verify`: exit codes and messages, with credentials from the environment only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from model.settings import Endpoint, System
from tests import factories
from tests.drift.inventory.api_server import NOTHING, Answers, Refused, serving
from tests.images.test_verification import BILL, OURS, PREDICATE, Registry, bundle
from usine import cli
from usine.images.attestations import BUNDLE, PROVENANCE, SBOM, SIGNATURE

TOKEN, PASSWORD = "MARKER-token", "MARKER-password"
PATH = "/v2/atelier/api"


def canonical(content: bytes) -> bytes:
    """Return the bytes that the server of the tests makes of a JSON document."""
    return json.dumps(json.loads(content)).encode()


def answers() -> dict[str, Any]:
    """A signed image in a registry, and its key in Vault."""
    registry = Registry()
    image = registry.put(canonical(b'{"image": 1}'))
    for kind, predicate in ((SIGNATURE, {}), (PROVENANCE, PREDICATE), (SBOM, BILL)):
        registry.attach(image, canonical(bundle(OURS, image, kind, predicate)))
    contents = {digest: json.loads(content) for digest, content in registry.contents.items()}
    pem = OURS.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    listed = [{"digest": digest, "artifactType": BUNDLE} for digest in registry.attached[image]]
    key = {"keys": {"1": {"public_key": pem.decode()}}, "min_decryption_version": 1}
    return {
        "/v1/usine-signing/keys/atelier": {"data": key},
        f"{PATH}/manifests/1a2b3c4d": contents[image],
        f"{PATH}/referrers/{image}": {"manifests": [*listed, {"digest": image, "artifactType": "other"}, 5]},
        **{
            f"{PATH}/{kind}/{digest}": content
            for digest, content in contents.items()
            for kind in ("manifests", "blobs")
        },
    }


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("VAULT_TOKEN", TOKEN)
    monkeypatch.setenv("HARBOR_USERNAME", "reader")
    monkeypatch.setenv("HARBOR_PASSWORD", PASSWORD)

    def settings(api: Answers, **more: Any) -> str:
        endpoints = {System.VAULT: Endpoint(api.url), System.HARBOR: Endpoint(api.url)}
        made = factories.settings(endpoints={**factories.settings().endpoints, **endpoints}, **more)
        monkeypatch.setattr("usine.commands.verify.load_settings", lambda _: made)
        return made.registry_host

    return settings


def test_a_verified_image_is_described(serve: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(answers()) as api:
        host = serve(api)
        assert cli.main(["verify", f"{host}/atelier/api:1a2b3c4d"]) == 0
    output = capsys.readouterr().out
    assert output.startswith(f"{host}/atelier/api:1a2b3c4d is verified\n  digest    sha256:")
    assert f"  commit    {'c' * 40}\n" in output
    assert api.methods() == {"GET"}
    sent = {path: headers for _, path, _, headers in api.asked}
    assert TOKEN not in str(sent[f"{PATH}/manifests/1a2b3c4d"])
    assert TOKEN not in output


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({f"{PATH}/manifests/1a2b3c4d": Refused(404)}, "the registry has no such image"),
        ({f"{PATH}/manifests/1a2b3c4d": {"image": 2}}, "is not signed"),
        ({f"{PATH}/manifests/1a2b3c4d": Refused(401, body={"errors": [{"message": PASSWORD}]})}, "HTTP 401"),
        ({"/v1/usine-signing/keys/atelier": NOTHING}, "Vault has no key that signs images of 'atelier'"),
        ({"/v1/usine-signing/keys/atelier": Refused(403, body={"errors": [TOKEN]})}, "HTTP 403"),
    ],
)
def test_an_image_that_is_not_verified_has_exit_code_1(
    serve: Any, capsys: pytest.CaptureFixture[str], change: dict[str, Any], message: str
) -> None:
    with serving({**answers(), **change}) as api:
        assert cli.main(["verify", f"{serve(api)}/atelier/api:1a2b3c4d"]) == 1
    found = capsys.readouterr()
    assert message in found.err
    assert "MARKER" not in found.out + found.err


def test_content_with_another_digest_than_asked_for_is_refused(serve: Any, capsys: pytest.CaptureFixture[str]) -> None:
    changed = {path: {"other": 1} if "/blobs/" in path else answer for path, answer in answers().items()}
    with serving(changed) as api:
        assert cli.main(["verify", f"{serve(api)}/atelier/api:1a2b3c4d"]) == 1
    assert "has another content than its digest says" in capsys.readouterr().err


def test_wrong_names_and_platforms_without_signatures_are_refused_before_a_request(
    serve: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving({}) as api:
        host = serve(api)
        assert cli.main(["verify", f"{host}/atelier/api"]) == 1
        assert "has neither a tag nor a digest" in capsys.readouterr().err
        serve(api, systems=factories.settings().systems - {System.HARBOR})
        assert cli.main(["verify", f"{host}/atelier/api:1"]) == 1
        assert "harbor off in the settings" in capsys.readouterr().err
    assert api.asked == []


def test_a_wrong_settings_file_is_reported_with_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "Pulumi.x.yaml"
    file.write_text("config: [\n", encoding="utf-8")
    assert cli.main(["verify", "--settings", str(file), "h/a/b:1"]) == 1
    assert "Pulumi.x.yaml:" in capsys.readouterr().err

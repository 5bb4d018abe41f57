"""The key `pull` of a cluster in the settings, and the public keys of its issuer."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from model.clusters import ClusterPull
from model.problems import Problem, SpecError
from model.reading.settings_load import load_settings
from model.reserved import platform_names
from model.settings import Settings
from stacks.platform.entry import read_authorities
from stacks.platform.issuer_keys import pem_of_keys
from tests.spec.helpers import LAB

PULL = {"issuer": "https://far.example.fr", "keys": "zones/far.json"}


def written(folder: Path, *, drop: tuple[str, ...] = ("context", "ca", "imageVerifier"), **changes: Any) -> Path:
    """The settings of the local platform, with other keys of its second cluster."""
    values = yaml.safe_load(LAB.read_text(encoding="utf-8"))
    cluster = values["config"]["usine:clusters"]["prod-1"]
    for key in drop:
        cluster.pop(key, None)
    for key, value in changes.items():
        if key == "systems":
            values["config"]["usine:systems"] = value
        elif key == "grafana":
            values["config"]["usine:observability"]["grafana"]["cluster"] = value
        elif value is None:
            cluster.pop(key)
        else:
            cluster[key] = value
    path = folder / "Pulumi.test.yaml"
    path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    return path


def load(folder: Path, **more: Any) -> Settings:
    return load_settings(written(folder, **more))


def problems(folder: Path, **more: Any) -> list[Problem]:
    try:
        load(folder, **more)
    except SpecError as error:
        return list(error.problems)
    return []


def test_a_cluster_that_pulls(tmp_path: Path) -> None:
    settings = load(tmp_path, pull={**PULL, "argocdNamespace": "argo"})
    cluster = settings.clusters["prod-1"]
    assert cluster.pull == ClusterPull("https://far.example.fr", Path("zones/far.json"), "argo")
    assert (cluster.context, settings.pulling_zones) == ("", ("lab",))
    assert Path("zones/far.json") in settings.authorities
    assert "argo" in platform_names(settings)["Kubernetes namespace"], "no tenant gets Argo CD's namespace"


@pytest.mark.parametrize(
    ("change", "key", "message"),
    [
        ({"pull": PULL, "context": "prod-1"}, "context", "remove `context`, or `pull`"),
        ({}, "zone", "`context` is missing, or `pull`"),
        ({"pull": PULL, "ca": "pki/ca.pem"}, "ca", "nothing of the platform connects to a cluster that pulls"),
        (
            {"pull": PULL, "argocdToken": "/var/run/secrets/prod-1/token"},
            "argocdToken",
            "deploys to a cluster that pulls",
        ),
        ({"pull": PULL, "grafana": "prod-1"}, "cluster", "take a cluster that the platform reaches"),
        ({"pull": PULL, "secretDelivery": None}, "issuer", "needs `secretDelivery`: no manifest contains a Secret"),
        (
            {"pull": PULL, "imageVerifier": {"kind": "kyverno"}},
            "kind",
            "credential is a Secret",
        ),
        ({"pull": {"issuer": "x"}}, "pull", "keys"),
        ({"pull": {**PULL, "key": "x"}}, "key", "did you mean keys?"),
        ({"pull": PULL, "systems": ["keycloak", "kubernetes", "harbor"]}, "issuer", "needs gitlab and vault"),
    ],
)
def test_what_a_cluster_that_pulls_cannot_have(tmp_path: Path, change: dict[str, Any], key: str, message: str) -> None:
    found = [problem for problem in problems(tmp_path, **change) if message in problem.message]
    assert len(found) == 1, problems(tmp_path, **change)
    line = (tmp_path / "Pulumi.test.yaml").read_text(encoding="utf-8").splitlines()[found[0].line - 1]
    assert key in line
    assert found[0].column > 1


def test_the_platform_s_own_argo_cd_is_on_a_cluster_that_it_reaches(tmp_path: Path) -> None:
    path = written(tmp_path, pull=PULL)
    path.write_text(path.read_text(encoding="utf-8").replace("cluster: nonprod-1\n", "cluster: prod-1\n"))
    with pytest.raises(SpecError, match=r"usine:argocd\.cluster: prod-1 pulls its objects"):
        load_settings(path)


def encoded(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes((number.bit_length() + 7) // 8)).decode().rstrip("=")


def rsa_key(bits: int = 2048) -> dict[str, str]:
    numbers = rsa.generate_private_key(65537, bits).public_key().public_numbers()
    return {"kty": "RSA", "use": "sig", "kid": "a", "alg": "RS256", "n": encoded(numbers.n), "e": encoded(numbers.e)}


def curve_key() -> dict[str, str]:
    numbers = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
    return {"kty": "EC", "crv": "P-256", "x": encoded(numbers.x), "y": encoded(numbers.y)}


def test_keys_become_pem_texts_in_their_order() -> None:
    keys = [rsa_key(), curve_key()]
    text = pem_of_keys(json.dumps({"keys": keys}))
    parts = [f"-----BEGIN{part}" for part in text.split("-----BEGIN")[1:]]
    first, second = (load_pem_public_key(part.encode()) for part in parts)
    assert isinstance(first, rsa.RSAPublicKey)
    assert isinstance(second, ec.EllipticCurvePublicKey)
    assert encoded(first.public_numbers().n) == keys[0]["n"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no JSON", "expected a JSON Web Key Set"),
        ('{"keys": 1}', "expected a JSON Web Key Set"),
        ('{"keys": []}', "has no key"),
        (json.dumps({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}), "private or symmetric"),
        (json.dumps({"keys": [{**rsa_key(), "d": "MARKER"}]}), "private or symmetric"),
        (json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "abc"}]}), "neither RSA"),
        (json.dumps({"keys": [{**curve_key(), "x": "AQAB"}]}), "neither RSA"),
        (json.dumps({"keys": [rsa_key(1024)]}), "2048 bits"),
    ],
)
def test_other_files_are_refused_without_their_content(tmp_path: Path, content: str, message: str) -> None:
    settings = load(tmp_path, pull=PULL)
    (tmp_path / "zones").mkdir()
    (tmp_path / "zones" / "far.json").write_text(content, encoding="utf-8")
    with pytest.raises(SpecError, match=message) as caught:
        read_authorities(settings, tmp_path)
    assert "MARKER" not in str(caught.value)
    assert "c2VjcmV0" not in str(caught.value)

"""`usine-ci signed`: which statements it asks cosign for, with which keys, and what it refuses."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from usine_ci.cli import REFUSED, main

IMAGE = f"harbor.example.test/atelier/api@sha256:{'a' * 64}"
SIGNATURE, PROVENANCE = "https://sigstore.dev/cosign/sign/v1", "https://slsa.dev/provenance/v1"
#: In place of cosign: it verifies the statements of SIGNED, which has the text of the key by the type.
COSIGN = f"""#!{sys.executable}
import json, os, sys
options = dict(one.split("=", 1) for one in sys.argv[2:-1])
assert sys.argv[1] == "verify-attestation" and options["--insecure-ignore-tlog"] == "true"
with open(options["--key"]) as key:
    good = json.loads(os.environ["SIGNED"]).get(options["--type"]) == key.read()
print("the statement") if good else print("Error: no matching\\x1b[31m attestations", file=sys.stderr)
sys.exit(0 if good else 10)
"""


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Return a function that runs the command on an image whose statements are signed with these keys."""
    (tmp_path / "cosign").write_text(COSIGN, encoding="utf-8")
    (tmp_path / "cosign").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    file = tmp_path / "keys.json"
    keys = {str(number): {"public_key": f"key {number}"} for number in (1, 2, 10)}
    file.write_text(json.dumps({"data": {"keys": keys}}), encoding="utf-8")

    def run(signed: dict[str, str], image: str = IMAGE, keys: str | None = None) -> int:
        if keys is not None:
            file.write_text(keys, encoding="utf-8")
        monkeypatch.setenv("SIGNED", json.dumps(signed))
        return main(["signed", "--keys", str(file), image])

    return run


@pytest.mark.parametrize("version", [1, 2, 10])
def test_every_version_of_the_key_counts(
    check: Callable[..., int], version: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check({SIGNATURE: f"key {version}", PROVENANCE: f"key {version}"}) == 0
    said = capsys.readouterr().out
    assert said == f"signature: by version {version} of the key\nprovenance: by version {version} of the key\n"


@pytest.mark.parametrize(
    ("signed", "missing"),
    [
        ({}, "signature"),
        ({SIGNATURE: "key 3", PROVENANCE: "key 1"}, "signature"),
        ({SIGNATURE: "key 1"}, "provenance"),
        ({SIGNATURE: "key 1", PROVENANCE: "another key"}, "provenance"),
    ],
)
def test_a_statement_that_no_key_signed_is_refused(
    check: Callable[..., int], signed: dict[str, str], missing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(signed) == REFUSED
    said = capsys.readouterr().err
    assert f"{IMAGE} has no {missing} by a key of this project, and is not promoted. cosign: Error: no matching" in said
    assert "\x1b" not in said


@pytest.mark.parametrize("image", ["harbor.example.test/atelier/api:1", f"--key=x@sha256:{'a' * 64}", "x@sha256:1"])
def test_an_image_needs_a_digest(check: Callable[..., int], image: str, capsys: pytest.CaptureFixture[str]) -> None:
    if image.startswith("-"):
        with pytest.raises(SystemExit) as end:
            check({}, image)
        assert end.value.code == REFUSED
        return
    assert check({}, image) == REFUSED
    assert "expected an image with its digest" in capsys.readouterr().err


@pytest.mark.parametrize(
    "keys", ["", "[]", '{"data": {"keys": {"1": 1790000000}}}', '{"errors": ["permission denied"]}']
)
def test_without_public_keys_nothing_is_signed(
    check: Callable[..., int], keys: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check({SIGNATURE: "key 1", PROVENANCE: "key 1"}, keys=keys) == REFUSED
    assert "expected Vault's answer for a signing key" in capsys.readouterr().err


def test_a_key_without_versions_signs_nothing(check: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert check({}, keys='{"data": {"keys": {}}}') == REFUSED
    assert "the key has no version" in capsys.readouterr().err

"""Check that an image is signed with the tenant's key, and that its provenance is.

Reads the public keys as `bao read -format=json` prints them, and calls cosign, which finds the registry's credential
in DOCKER_CONFIG. Any version of the key counts: an older image was signed with an older one. cosign takes every signed
statement as a signature, so both statements are asked for by their types.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from usine_ci.problems import RefusedError
from usine_ci.text import clean

#: The types of the statements that an image must have.
STATEMENTS: Final[Mapping[str, str]] = {
    "signature": "https://sigstore.dev/cosign/sign/v1",
    "provenance": "https://slsa.dev/provenance/v1",
}
_IMAGE: Final = re.compile(r"[a-z0-9][\w.:/-]*@sha256:[0-9a-f]{64}")
_LIMIT: Final = 120


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--keys", required=True, type=Path, metavar="FILE", help="the key, as Vault's answer in JSON")
    parser.add_argument("image", help="the image with its digest: registry/project/name@sha256:...")


def run(options: argparse.Namespace) -> int:
    """Check the image, and say which versions of the key signed it."""
    image = str(options.image)
    if not _IMAGE.fullmatch(image):
        raise RefusedError(f"{image}: expected an image with its digest, such as registry/project/name@sha256:...")
    keys = public_keys(options.keys.read_text(encoding="utf-8"), str(options.keys))
    with tempfile.TemporaryDirectory() as folder:
        for statement, type_ in STATEMENTS.items():
            print(f"{statement}: by version {_signer(image, type_, keys, Path(folder), statement)} of the key")
    return 0


def public_keys(text: str, file: str) -> dict[int, str]:
    """Return the PEM texts by version, the newest first."""
    try:
        versions = json.loads(text)["data"]["keys"]
        found = {int(number): str(version["public_key"]) for number, version in versions.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise RefusedError(f"{file}: expected Vault's answer for a signing key with public keys") from None
    return dict(sorted(found.items(), reverse=True))


def _signer(image: str, type_: str, keys: Mapping[int, str], folder: Path, statement: str) -> int:
    """Return the version of the key that signed a statement about the image."""
    said = "the key has no version"
    for number, key in keys.items():
        file = folder / f"{number}.pub"
        file.write_text(key, encoding="utf-8")
        # No entry in a transparency log: the job `container` makes none (docs/images.md).
        command = ["cosign", "verify-attestation", "--insecure-ignore-tlog=true", f"--key={file}", f"--type={type_}"]
        try:
            done = subprocess.run([*command, image], capture_output=True, text=True, check=False, timeout=_LIMIT)
        except subprocess.TimeoutExpired:
            raise RefusedError(f"cosign did not answer within {_LIMIT} seconds") from None
        if done.returncode == 0:
            return number
        said = _last_line(done.stderr)
    raise RefusedError(f"{image} has no {statement} by a key of this project, and is not promoted. cosign: {said}")


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return clean(lines[-1]) if lines else "no message"

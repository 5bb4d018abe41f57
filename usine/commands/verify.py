"""`usine verify`: verifies the signature of an image with the tenant's key, and shows where the image comes from."""

from __future__ import annotations

import argparse
import os
import sys

from model.naming import SIGNING_MOUNT, TenantNames
from model.problems import SpecError
from model.reading.settings_load import load_settings
from model.settings import Settings, System
from usine.clients import ClientError, Connections
from usine.commands.common import add_settings_argument, report_problems
from usine.images.attestations import key_versions
from usine.images.reference import ImageNameError, parse_image
from usine.images.verification import Verification, verify_image


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "verify",
        help="verify the signature of an image, and show where it comes from",
        description="Verify that a protected pipeline of the tenant signed an image, and show commit, pipeline and "
        "builder of its provenance, and its SBOM. The tenant is Harbor's project of the image. The public key comes "
        "from Vault (VAULT_TOKEN), the image from Harbor (HARBOR_USERNAME, HARBOR_PASSWORD). Exit code: 0 verified, "
        "1 not verified, or a system did not answer.",
    )
    parser.add_argument("image", metavar="IMAGE", help="HOST/PROJECT/REPOSITORY:TAG, @sha256:DIGEST, or both")
    add_settings_argument(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print what is known about the image."""
    try:
        settings = load_settings(args.settings)
    except SpecError as error:
        return report_problems(error)
    try:
        found = _verify(args.image, settings)
    except (ImageNameError, ClientError) as error:
        print(f"usine verify: {error}", file=sys.stderr)
        return 1
    if found.problems:
        print(
            f"{args.image} is not verified:", *(f"  {problem}" for problem in found.problems), sep="\n", file=sys.stderr
        )
        return 1
    print(f"{args.image} is verified")
    for name, value in (("digest", found.digest), *found.facts):
        print(f"  {name:<10}{value}")
    return 0


def _verify(name: str, settings: Settings) -> Verification:
    """Verify an image. Raises ImageNameError or ClientError."""
    missing = [system.value for system in (System.VAULT, System.HARBOR) if not settings.on(system)]
    if missing:
        raise ImageNameError(f"no image is signed on this platform: {' and '.join(missing)} off in the settings")
    image = parse_image(name, settings.registry_host)
    connections = Connections(settings.endpoints, os.environ)
    key = connections.vault().read(f"{SIGNING_MOUNT}/keys/{TenantNames(image.project).signing_key}")
    versions = key_versions(key)
    if not versions:
        raise ImageNameError(f"Vault has no key that signs images of {image.project!r}, or you may not read it")
    return verify_image(image, connections.images(), versions)

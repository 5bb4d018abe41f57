"""`usine catalogue update`: the present digests of the catalogue's third-party images."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from model.images import DOCKER_HUB, Image
from model.problems import SpecError
from model.reading.catalogue import FOLDER, IMAGES_FILE, pulled_from, read_images
from model.reading.settings_load import load_settings
from model.settings import Settings
from usine.catalogue.images import FoundImage, ImageRegistries, ImageRegistry, look, rewritten
from usine.clients import Connections
from usine.clients.connections import below
from usine.clients.oci import OciClient
from usine.commands.common import ROOT, add_settings_argument, report_problems

#: Where the API of a registry is, if not at the host that images' names start with.
_HOSTS: Mapping[str, str] = {DOCKER_HUB: "registry-1.docker.io"}
_SHORT = 19


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action."""
    parser = subparsers.add_parser(
        "update",
        help="write the present digests of third-party images",
        description="Ask the registries, through Harbor's proxy caches where the settings declare them, for the "
        f"present digest of each tag in {FOLDER}/{IMAGES_FILE}, show what changed, and write it there. Newer tags of "
        "the same series are shown, not written. Exit code: 0 done; 1 if a registry did not answer or refused (the "
        "other images are written), or, with --check, if a digest changed.",
    )
    add_settings_argument(parser)
    parser.add_argument("--check", action="store_true", help="write nothing; report whether a digest changed")
    parser.add_argument(
        "--images",
        metavar="FILE",
        type=Path,
        default=ROOT / FOLDER / IMAGES_FILE,
        help="file of images (default: %(default)s)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Ask the registries; show and write what changed."""
    try:
        settings = load_settings(args.settings)
        images = read_images(args.images)
    except SpecError as error:
        return report_problems(error)
    found = look(images, registries(settings, args.settings.parent, os.environ))
    changed, failed = [one for one in found if one.changed], [one for one in found if one.problem]
    Console().print(table(found))
    for one in failed:
        print(f"usine catalogue update: {one.name}: {one.problem}", file=sys.stderr)
    if changed and not args.check:
        path: Path = args.images
        try:
            text = rewritten(path.read_text(encoding="utf-8"), changed)
            beside = path.with_name(f".{path.name}.{os.getpid()}")
            beside.write_text(text, encoding="utf-8")
            beside.replace(path)
        except OSError as error:
            print(f"usine catalogue update: {path}: {error.strerror}", file=sys.stderr)
            return 1
        print(f"{path}: {len(changed)} of {len(found)} images written")
    elif not failed:
        print(f"{args.images}: {f'{len(changed)} images are behind their tags' if changed else 'up to date'}")
    return 1 if failed or (changed and args.check) else 0


def registries(settings: Settings, root: Path, environment: Mapping[str, str]) -> ImageRegistries:
    """Return a function that gives the client of an image's registry: Harbor if it has a proxy cache of it.

    Paths of the settings' authorities are relative to `root`.
    """
    made: dict[str, ImageRegistry] = {}
    connections = Connections(below(root, settings.endpoints), environment)

    def client_of(image: Image) -> tuple[ImageRegistry, str]:
        there = pulled_from(image, settings)
        if there.host not in made:
            proxied = there.host != image.host
            made[there.host] = (
                connections.images()
                if proxied
                else OciClient(image.host, f"https://{_HOSTS.get(image.host, image.host)}")
            )
        return made[there.host], there.repository

    return client_of


def table(found: Sequence[FoundImage]) -> Table:
    """Return a table with the old and the new digest of each image, and newer tags."""
    rows = Table(box=SIMPLE_HEAD, padding=0)
    for heading in ("image", "tag", "digest", "present digest", "newer tag"):
        rows.add_column(heading, overflow="fold")
    for one in found:
        present = "not known" if one.digest is None else (one.digest[:_SHORT] if one.changed else "the same")
        style = "yellow" if one.changed else "red" if one.problem else ""
        rows.add_row(one.name, one.image.tag, one.image.digest[:_SHORT], present, one.newer or "", style=style)
    return rows

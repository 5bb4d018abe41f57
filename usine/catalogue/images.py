"""The present digests of the catalogue's third-party images, and the file with them written again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from model.images import Image
from model.problems import Place
from usine.clients import ClientError

_NUMBER: Final = re.compile(r"\d+")


class ImageRegistry(Protocol):
    """What is asked of a registry."""

    def digest(self, repository: str, tag: str) -> str:
        """Return the digest that a tag has now. Raises ClientError."""

    def tags(self, repository: str) -> Iterable[str]:
        """Yield the tags of a repository. Raises ClientError."""


class ImageRegistries(Protocol):
    """Makes a client of the registry that an image is asked of."""

    def __call__(self, image: Image) -> tuple[ImageRegistry, str]:
        """Return the client, and the repository's name there."""


@dataclass(frozen=True, slots=True)
class FoundImage:
    """An image of the file: `digest` is the present one of its tag, None where `problem` says why it is not known.

    `newer` is the highest tag of the same series, None if there is none or it is not known.
    """

    name: str
    image: Image
    place: Place
    digest: str | None
    newer: str | None = None
    problem: str = ""

    @property
    def changed(self) -> bool:
        """Return whether the tag has another digest than the file."""
        return self.digest is not None and self.digest != self.image.digest


def look(images: Mapping[str, tuple[Image, Place]], registries: ImageRegistries) -> tuple[FoundImage, ...]:
    """Ask the registries for the present digest of each tag, and for newer tags of the same series."""
    return tuple(_look(name, image, place, registries) for name, (image, place) in images.items())


def _look(name: str, image: Image, place: Place, registries: ImageRegistries) -> FoundImage:
    registry, repository = registries(image)
    try:
        digest = registry.digest(repository, image.tag)
    except ClientError as error:
        return FoundImage(name, image, place, None, problem=str(error))
    try:
        newer = newest(image.tag, registry.tags(repository)) if _NUMBER.search(image.tag) else None
    except ClientError:
        newer = None  # a remark that is missing; the digest is known
    return FoundImage(name, image, place, digest, newer)


def newest(tag: str, others: Iterable[str]) -> str | None:
    """Return the highest tag that differs from this one in its numbers only, if it is higher: 3.13, 3.14."""
    shape = _NUMBER.sub("0", tag)
    best = max((other for other in others if _NUMBER.sub("0", other) == shape), key=_numbers, default=tag)
    return best if _numbers(best) > _numbers(tag) else None


def _numbers(tag: str) -> tuple[int, ...]:
    return tuple(map(int, _NUMBER.findall(tag)))


def rewritten(text: str, found: Iterable[FoundImage]) -> str:
    """Return the text of the file with the present digests. Everything else stays, comments too."""
    lines = text.split("\n")
    for one in found:
        if one.changed and one.digest is not None:
            row = one.place.value[0] - 1
            lines[row] = lines[row].replace(one.image.digest, one.digest)
    return "\n".join(lines)

"""References to container images: the registry's host, the repository, a tag for people, the digest that counts."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

_HOST = r"(?=[^/]*[.:])[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::[0-9]{1,5})?"
_PART = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?P<host>{_HOST})/(?P<repository>{_PART}(?:/{_PART})*):(?P<tag>\w[\w.-]{{0,127}})@(?P<digest>sha256:[0-9a-f]{{64}})",
    re.ASCII,
)
#: The host by which people name Docker Hub.
DOCKER_HUB = "docker.io"


@dataclass(frozen=True, slots=True)
class Image:
    """An image by tag and digest. Tools pull the digest; the tag is what people and `usine catalogue update` read."""

    host: str
    repository: str
    tag: str
    digest: str

    def __str__(self) -> str:
        """Render as ``host/repository:tag@digest``."""
        return f"{self.host}/{self.repository}:{self.tag}@{self.digest}"

    def through(self, host: str, project: str) -> Image:
        """Return the same image at a proxy cache: the project `project` of the registry `host`."""
        return replace(self, host=host, repository=f"{project}/{self.repository}")


def parse_image(text: str) -> Image:
    """Return the image of a reference with all four parts. Raises ValueError."""
    match = _REFERENCE.fullmatch(text)
    if match is None:
        raise ValueError(
            "expected an image with its registry's host, tag and digest, "
            "such as docker.io/library/python:3.13@sha256:3f1c..."
        )
    return Image(match["host"], match["repository"], match["tag"], match["digest"])

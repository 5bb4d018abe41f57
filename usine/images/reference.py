"""Names of images."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_PART: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME: Final = re.compile(
    rf"(?P<host>[A-Za-z0-9.-]+(?::[0-9]{{1,5}})?)/(?P<project>{_PART})/(?P<repository>{_PART}(?:/{_PART})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
#: The longest name of a repository in the distribution specification, and then a tag and a digest.
_LONGEST: Final = 512


class ImageNameError(ValueError):
    """A text is no name of an image. The message says what is wrong and what is allowed."""


@dataclass(frozen=True, slots=True)
class ImageReference:
    """An image: the registry's host, Harbor's project, the repository below it, and tag, digest or both."""

    host: str
    project: str
    repository: str
    tag: str | None
    digest: str | None

    @property
    def path(self) -> str:
        """The full name of the repository in the registry."""
        return f"{self.project}/{self.repository}"


def parse_image(text: str, host: str) -> ImageReference:
    """Return the image with this name in the registry at `host`. Raises ImageNameError."""
    match = _NAME.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        raise ImageNameError(
            f"{text!r} is no image: give HOST/PROJECT/REPOSITORY:TAG, with @sha256:DIGEST after or instead of the tag"
        )
    if match["host"] != host:
        raise ImageNameError(f"{text!r} is in the registry {match['host']}; the settings have {host}")
    if match["tag"] is None and match["digest"] is None:
        raise ImageNameError(f"{text!r} has neither a tag nor a digest: add one of them")
    return ImageReference(host, match["project"], match["repository"], match["tag"], match["digest"])

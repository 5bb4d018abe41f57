"""The pictures of the documentation exist, are small, and are used."""

from __future__ import annotations

from tests.report.screenshots import IMAGES, PICTURES

_PNG = b"\x89PNG\r\n\x1a\n"


def test_the_pictures_are_there_small_and_used() -> None:
    text = (IMAGES.parent / "report.md").read_text(encoding="utf-8")
    for name, *_ in PICTURES:
        content = (IMAGES / name).read_bytes()
        assert content.startswith(_PNG)
        assert len(content) < 200_000
        assert f"images/{name}" in text

"""`python -m tests.report.screenshots` takes docs/images: the samples in the tests' browser."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.report import samples
from tests.report.conftest import NARROW, WIDE, Pages, Scheme, launched
from usine.report.model import Report

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
#: File, report, theme, size of the window, and the element at its top.
PICTURES: tuple[tuple[str, Report, Scheme, tuple[int, int], str], ...] = (
    ("report-diff.png", samples.diff(), "light", WIDE, ""),
    ("report-run.png", samples.run(), "dark", WIDE, "#objects"),
    ("report-drift.png", samples.drift(), "light", NARROW, ""),
)


def main() -> int:
    """Take every picture and return exit code 0."""
    IMAGES.mkdir(exist_ok=True)
    with launched() as browser, tempfile.TemporaryDirectory() as folder:
        pages = Pages(browser, Path(folder))
        for name, report, scheme, size, fragment in PICTURES:
            page = pages.show(report, scheme=scheme, size=size, fragment=fragment)
            page.evaluate("document.activeElement.blur()")
            page.screenshot(path=IMAGES / name)
        pages.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

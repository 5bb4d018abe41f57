"""A real browser; a page in it fails the test if it makes a request or logs an error."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from usine.report import html
from usine.report.model import Report

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Scheme = Literal["light", "dark"]
Motion = Literal["reduce", "no-preference"]
WIDE = (1200, 900)
NARROW = (360, 740)


@dataclass
class Pages:
    """Opens reports as pages. `noise` has their requests and errors: there must be none."""

    browser: Browser
    folder: Path
    noise: list[str] = field(default_factory=list)
    _open: ExitStack = field(default_factory=ExitStack)

    def show(
        self,
        report: Report,
        *,
        fragment: str = "",
        scheme: Scheme = "light",
        size: tuple[int, int] = WIDE,
        script: bool = True,
        motion: Motion = "no-preference",
    ) -> Page:
        """Open the page of a report from a file, as people do."""
        file = self.folder / f"{len(list(self.folder.iterdir()))}.html"
        file.write_text(html.render(report), encoding="utf-8")
        context = self.browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=scheme,
            reduced_motion=motion,
            java_script_enabled=script,
        )
        self._open.callback(context.close)
        context.set_default_timeout(120_000)
        page = context.new_page()
        page.on("console", lambda message: self.noise.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: self.noise.append(f"error: {error}"))
        page.on("request", lambda request: self._requested(request.url, file))
        page.on("dialog", lambda dialog: self.noise.append(f"dialog: {dialog.message}"))
        page.goto(file.as_uri() + fragment)
        return page

    def _requested(self, url: str, file: Path) -> None:
        if url.partition("#")[0] != file.as_uri() and url != "data:,":
            self.noise.append(f"request: {url}")

    def close(self) -> None:
        """Close all pages."""
        self._open.close()


@contextmanager
def launched() -> Iterator[Browser]:
    """Start the browser; build it if the cache does not have it."""
    from playwright.sync_api import expect, sync_playwright  # noqa: PLC0415 - other tests start without it

    from lab import parts  # noqa: PLC0415 - only tests with a browser need it
    from lab.parts import chromium  # noqa: PLC0415 - only tests with a browser need it
    from lab.reporter import Lines  # noqa: PLC0415 - only tests with a browser need it

    program, environment = chromium.program_of(parts.ensure(["chromium"], reporter=Lines()).get("chromium"))
    expect.set_options(timeout=60_000)  # enough on a busy machine
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, env={**os.environ, **environment}, args=["--font-render-hinting=none"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser of a module, closed at its end: Playwright keeps an event loop running, and a plan needs its own."""
    with launched() as browser:
        yield browser


@pytest.fixture
def pages(browser: Browser, tmp_path: Path) -> Iterator[Pages]:
    """The pages of one test, which must make no request."""
    opened = Pages(browser, tmp_path)
    yield opened
    opened.close()
    assert opened.noise == []

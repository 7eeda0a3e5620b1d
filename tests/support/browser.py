"""A real Chromium for the tests: pages opened from disk, the network cut, whatever goes wrong written down."""

import base64
import importlib.util
import io
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

__all__ = ["WHY_NOT", "View", "chromium", "find_browser", "open_page", "page_of"]

TIMEOUT = 30_000  # milliseconds that anything may take; the machine may be busy

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_HARMLESS = "An iframe which has both allow-scripts and allow-same-origin"  # Chromium's warning: Colab has these
_LOCAL = ("file:", "data:", "blob:", "about:")
_FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(null))))"
_DRAWN = """() => {
  const hosts = [...document.querySelectorAll("[data-labkit]")];
  return hosts.length > 0 && hosts.every((host) => host.shadowRoot?.querySelector("canvas, style + p"));
}"""


def find_browser() -> str | None:
    """The path of a Chromium or Chrome, None where there is none."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


def _why_not() -> str:
    if importlib.util.find_spec("playwright") is None:
        return "playwright is not installed"
    return "" if find_browser() else f"no browser: none of {', '.join(_NAMES)} is on the path"


WHY_NOT = _why_not()  # why no test can use a browser here; empty where one can


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """The browser. By module, since playwright keeps an event loop running that other modules' tests must not meet."""
    if WHY_NOT:
        pytest.skip(WHY_NOT)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Opens HTML as a file without a network: `open_page(html, **options of the context)` answers playwright's page.

    A test fails at its end where a page has asked for something, raised, written an error or opened a dialog.
    """
    contexts: list[Any] = []
    wrong: list[str] = []

    def refuse(route: Any) -> None:
        if route.request.url.startswith(_LOCAL):
            route.continue_()
        else:
            route.abort()

    def asked(request: Any) -> None:
        if not request.url.startswith(_LOCAL):
            wrong.append(f"asked for {request.url[:200]}")

    def said(message: Any) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(_HARMLESS):
            wrong.append(f"{message.type}: {message.text}")

    def open_(html: str, **options: Any) -> Any:
        options = {"viewport": {"width": 1280, "height": 1200}, "locale": "ru-RU", **options}
        context = chromium.new_context(**options)
        contexts.append(context)
        context.set_default_timeout(TIMEOUT)
        context.set_offline(True)
        context.route("**/*", refuse)
        context.on("request", asked)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(f"raised {error}"))
        page.on("console", said)
        page.on("dialog", lambda dialog: (wrong.append(f"opened a dialog: {dialog.message}"), dialog.dismiss()))
        path = tmp_path / f"страница {len(contexts)}.html"
        path.write_text(html, encoding="utf-8")
        page.goto(path.as_uri())
        return page

    yield open_
    for context in contexts:
        context.close()
    if wrong:
        raise AssertionError("\n".join(wrong))


def page_of(*parts: str) -> str:
    body = "\n".join(parts)
    return f'<!doctype html>\n<html lang="ru"><head><meta charset="utf-8"><title>page</title></head><body>{body}</body>'


class View:
    """One viewer on a page (or in a frame of it, `root`): what a person does with it, and what is seen then."""

    def __init__(self, page: Any, number: int = 0, root: Any = None):
        self.page, self.root = page, root or page
        self.root.wait_for_function(_DRAWN)
        self.host = self.root.locator("[data-labkit]").nth(number)
        self.settle()

    def find(self, selector: str) -> Any:
        """Playwright's locator of what the viewer has inside."""
        return self.host.locator(selector)

    def settle(self) -> None:
        """Waits until what was asked for is drawn."""
        self.root.evaluate(_FRAMES)

    def canvas(self, panel: str) -> Any:
        """A panel's canvas: photo, mask, overlay or curtain."""
        return self.find(f"canvas[data-panel={panel}]")

    def pixels(self, panel: str) -> np.ndarray:
        """What a panel shows: `HxWx3` int."""
        self.settle()
        address = self.canvas(panel).evaluate("(canvas) => canvas.toDataURL()")
        image = Image.open(io.BytesIO(base64.b64decode(address.split(",")[1])))
        return np.asarray(image.convert("RGB")).astype(int)

    def set(self, slider: str, value: float) -> None:
        self.find(f"input[name={slider}]").fill(str(value))
        self.settle()

    def value(self, slider: str) -> float:
        return float(self.find(f"input[name={slider}]").input_value())

    def press(self, name: str) -> None:
        self.find(f"button[name={name}]").click()
        self.settle()

    def key(self, *keys: str) -> None:
        """Presses one key after another; several at once have `+` between them."""
        for key in keys:
            self.page.keyboard.press(key)
            self.settle()

    def point(self, panel: str, x: float, y: float) -> tuple[float, float]:
        """Where a place of a panel (x and y in [0, 1]) is on the page."""
        box = self.canvas(panel).bounding_box()
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drags the mouse from one place of the page to another."""
        self.page.mouse.move(*start)
        self.page.mouse.down()
        self.page.mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        self.page.mouse.move(*end)
        self.page.mouse.up()
        self.settle()

    @property
    def title(self) -> str:
        return self.find(".title").inner_text()

    @property
    def readout(self) -> str:
        """What is under the mouse."""
        self.settle()
        return self.find(".readout").inner_text()

    @property
    def shares(self) -> dict[str, float]:
        """The legend: names and per cent of the photo."""
        self.settle()
        rows = self.find(".legend li label").all()
        texts = [[row.locator(kind).inner_text() for kind in (".name", ".share")] for row in rows]
        return {name: float(re.sub(r"[^\d.]", "", share.replace(",", "."))) for name, share in texts}

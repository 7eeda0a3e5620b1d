"""What a person sees of a viewer, and does to see it."""

import re
from collections.abc import Sequence

import numpy as np
from browser import View

from labkit.figures import rgb
from labkit.segmentation import Segmentation

SHADOW = "document.querySelector('[data-labkit]').shadowRoot"

# What has the focus, as deep as it goes: its kind, its name, what a screen reader calls it and how it is outlined
FOCUSED = """() => {
  let at = document.activeElement;
  while (at.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  const named = at.getAttribute("aria-label") ?? ([...(at.labels ?? [])].map((l) => l.textContent).join(" "));
  const what = at.name || at.dataset.panel || at.className || "";
  const { outlineStyle, outlineWidth } = getComputedStyle(at);
  return [at.tagName.toLowerCase(), what, (named || at.textContent).trim(), outlineStyle, parseFloat(outlineWidth)];
}"""


def near(pixels: np.ndarray, color: str, most: int = 12) -> np.ndarray:
    """Which pixels have a colour."""
    return np.abs(pixels - rgb(color)).max(-1) <= most


def on_photo(view: View, panel: str, result: Segmentation, place: Sequence[float]) -> tuple[float, float]:
    """Where the middle of a photo's pixel is on the page, the whole photo being shown."""
    height, width = result.ids.shape
    return view.point(panel, (place[0] + 0.5) / width, (place[1] + 0.5) / height)


def at(view: View, panel: str, result: Segmentation, place: Sequence[float]) -> np.ndarray:
    """The colour that a panel has at a photo's pixel, the whole photo being shown."""
    pixels = view.pixels(panel)
    (height, width), (h, w) = result.ids.shape, pixels.shape[:2]
    return pixels[int((place[1] + 0.5) / height * h), int((place[0] + 0.5) / width * w)]


def shows(view: View, result: Segmentation, place: Sequence[float], color: str | np.ndarray) -> bool:
    """Whether the mask has a colour at a photo's pixel, but for rounding."""
    wanted = rgb(color) if isinstance(color, str) else color
    return np.abs(at(view, "mask", result, place) - wanted).max() <= 3


def place_read(view: View) -> tuple[int, int]:
    """The coordinates below the panels."""
    return tuple(map(int, re.match(r"x (\d+), y (\d+): ", view.readout).groups()))


def blended(view: View) -> float:
    """How far the overlay is from the mask drawn over the photo; opacity must be 1, the outline 0."""
    photo, mask, overlay = (view.pixels(panel) for panel in ("photo", "mask", "overlay"))
    inside = mask.max(-1) > 0
    return float(np.abs(overlay - np.where(inside[..., None], mask, photo)).mean())


def go_to(view: View, number: int, of: int, button: str = "") -> None:
    """Presses the button, if one is named, and waits until the title says so."""
    if button:
        view.press(button)
    view.root.wait_for_function(f"() => {SHADOW}.querySelector('.title').textContent.startsWith('{number}/{of}. ')")
    view.settle()


def ready_to_compare(view: View) -> View:
    """Opacity 1 and no outlines, so that `blended` tells whether the panels show the same place."""
    view.set("opacity", 1)
    view.set("outline", 0)
    return view


def zoom_of(view: View) -> float:
    """The zoom in per cent."""
    view.settle()
    return float(re.sub(r"\D", "", view.find(".bar > output").inner_text()))

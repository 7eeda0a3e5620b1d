"""`show`: photo, mask and overlay of one result with sliders, in the API that ipywidgets 7.7 and 8 share."""

from __future__ import annotations

import html
import io
from collections.abc import Sequence
from dataclasses import replace

import ipywidgets
import numpy as np
from PIL import Image

from labkit.drawing import mask_image, overlay_image
from labkit.figures import legend_rows
from labkit.segmentation import Segmentation
from labkit.texts import text

__all__ = ["picture", "show", "view"]

_SIDE = 420


def show(results: Segmentation | Sequence[Segmentation], language: str | None = None) -> None:
    """Displays the viewer in a notebook; where no kernel runs (an exported page) a sentence stands in its place."""
    from IPython.display import display

    widget = view(results, language)
    note = f"<p><em>{html.escape(text('viewer.static', language))}</em></p>"
    data = widget._repr_mimebundle_() if hasattr(widget, "_repr_mimebundle_") else None
    if data is None:  # ipywidgets 7 displays itself
        display(widget)
        return
    display({**data, "text/html": note, "text/plain": text("viewer.static", language)}, raw=True)


def view(results: Segmentation | Sequence[Segmentation], language: str | None = None) -> ipywidgets.VBox:
    """The viewer as a widget: a photo chooser, opacity, confidence threshold, the picture and its legend."""
    results = [results] if isinstance(results, Segmentation) else list(results)
    if not results:
        return ipywidgets.VBox([ipywidgets.HTML(html.escape(text("figures.no_results", language)))])
    names = [(f"{n}. {result.photo.name}", n - 1) for n, result in enumerate(results, start=1)]
    slider = {"min": 0.0, "max": 1.0, "step": 0.05, "style": {"description_width": "initial"}}
    chooser = ipywidgets.Dropdown(options=names, value=0, description=text("viewer.photo", language))
    opacity = ipywidgets.FloatSlider(value=0.5, description=text("viewer.opacity", language), **slider)
    threshold = ipywidgets.FloatSlider(value=0.0, description=text("viewer.threshold", language), **slider)
    image = ipywidgets.Image(format="jpeg")
    legend = ipywidgets.HTML()

    def draw(_change=None) -> None:
        result = results[chooser.value]
        image.value = picture(result, opacity.value, threshold.value)
        legend.value = _legend(result, threshold.value, language)

    for control in (chooser, opacity, threshold):
        control.observe(draw, names="value")
    draw()
    return ipywidgets.VBox([ipywidgets.HBox([chooser, opacity, threshold]), image, legend])


def picture(result: Segmentation, opacity: float, threshold: float) -> bytes:
    """Photo, mask and overlay beside each other as JPEG bytes."""
    small = _shrunk(result)
    gap = np.full((small.ids.shape[0], 8, 3), 255, np.uint8)
    parts = (small.photo.pixels, gap, mask_image(small, threshold), gap, overlay_image(small, opacity, threshold))
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(parts, axis=1)).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def _shrunk(result: Segmentation) -> Segmentation:
    """The result at the size of a panel: a slider step must not cost a full-size redraw."""
    height, width = result.ids.shape
    factor = max(1, -(-max(height, width) // (2 * _SIDE)))
    if factor == 1:
        return result
    step = (slice(None, None, factor), slice(None, None, factor))
    photo = replace(result.photo, pixels=np.ascontiguousarray(result.photo.pixels[step]), reference=None)
    return replace(result, photo=photo, ids=result.ids[step], confidence=result.confidence[step])


def _legend(result: Segmentation, threshold: float, language: str | None) -> str:
    """The legend as HTML: colour, name, and the share of the area that the threshold leaves."""
    rows = []
    for color, name, share, score in legend_rows(result, language, threshold):
        swatch = f'<span style="background:{color};padding:0 .7em;margin-right:.4em"></span>'
        rows.append(f"<div>{swatch}{html.escape(name)}: {share:.1%}, {score:.2f}</div>")
    return "".join(rows) or html.escape(text("figures.nothing", language))

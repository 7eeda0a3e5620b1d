"""Figures of `scores`: the confusion matrix, and the worst regions with both masks' outlines."""

import numpy as np

from labkit.evaluation.metrics import eroded
from labkit.evaluation.scores import Region, Scores
from labkit.figures import AGREED, EXTRA, LOST, PANEL, Drawing, cut, note, painted, panels
from labkit.io.drawing import squares
from labkit.locale import number, text
from labkit.segmentation import box_of

__all__ = ["confusion_figure", "worst_figure"]

_WIDTH, _SHOWN = 0.73 * PANEL, 4
_MIN_SHOWN = 0.005
"""A smaller share of a class's pixels stays an empty square."""

_SHAPE, _MARGIN = 4 / 3, 0.2
_LINE = 0.008
"""The width of an outline, as a share of what is shown of the photo."""


def confusion_figure(measured: Scores) -> Drawing:
    """A row a class that is there, a column a class that the model gave: the share of the row's pixels.

    Only classes that are on the photos, and columns of at least half a per cent of such a class; a sentence where there
    are no masks or no classes.
    """
    if not measured.rows or measured.confusion is None:
        return note(text("scores.no_classes" if measured.rows else "scores.no_masks"))
    total = measured.confusion.sum(1)
    shares = measured.confusion / np.maximum(total, 1)[:, None]
    rows = np.flatnonzero(total)
    columns = np.flatnonzero((total > 0) | (shares.max(0) >= _MIN_SHOWN))
    shares = np.ma.masked_less(shares[np.ix_(rows, columns)], _MIN_SHOWN)
    names = [[measured.classes.label(n) for n in numbers] for numbers in (rows, columns)]
    drawn = squares(text("scores.confusion"), shares, *names, lambda share: f"{100 * share:.0f}")
    drawn.axes[0].set(ylabel=text("scores.by_truth"), xlabel=text("scores.by_model"))
    return drawn


def worst_figure(measured: Scores) -> Drawing:
    """The largest wrong regions of all photos, at most one a photo, and the outlines of both masks, or a sentence."""
    worst = measured.worst[:_SHOWN]
    if not worst:
        return note(text("scores.no_mistakes" if measured.rows else "scores.no_masks"))
    colors = {"truth_outline": EXTRA, "model_outline": AGREED, "wrong": LOST}
    legend = [(color, text(f"scores.{key}")) for key, color in colors.items()]
    titles = [_title(region, measured) for region in worst]
    images = [_picture(region) for region in worst]
    return panels(images, titles, _SHOWN, _WIDTH, legend, text("scores.worst"), tallest=1 / _SHAPE)


def _title(region: Region, measured: Scores) -> str:
    true, given = (n if n is None else measured.classes.label(n) for n in (region.true_id, region.predicted_id))
    key = "beyond" if true is None else "missed" if given is None else "mistaken"
    mistake = text(f"scores.{key}", label=true or given, said=true, given=given)
    share = text("scores.share", share=number(100 * region.share, 1))
    return f"{cut(region.result.photo.name, 0.55 * _WIDTH)}, {share}\n{mistake}"


def _picture(region: Region):
    """The photo around a region, its wrong pixels and both outlines: as vectors these would be most of a report."""
    part = _window(region.wrong)
    width = max(1, round(_LINE * max(side.stop - side.start for side in part)))
    masks = [np.pad(mask[part], width, mode="edge") for mask in (region.truth, region.answer)]
    truth, answer = ((mask & ~eroded(mask, width))[width:-width, width:-width] for mask in masks)
    layers = [(region.wrong[part], LOST), (truth, EXTRA), (answer, AGREED)]
    return painted(region.result.photo.pixels[part], layers, _WIDTH)


def _window(wrong: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns around a region, of one shape for all panels as far as the photo goes."""
    x0, y0, x1, y1 = box_of(wrong)
    sides = [(end - start) * (1 + 2 * _MARGIN) for start, end in ((y0, y1), (x0, x1))]
    width = max(sides[1], sides[0] * _SHAPE, 64)
    parts = []
    for twice_middle, side, limit in zip((y0 + y1, x0 + x1), (width / _SHAPE, width), wrong.shape, strict=True):
        side = min(round(side), limit)
        start = min(max(round((twice_middle - side) / 2), 0), limit - side)
        parts.append(slice(start, start + side))
    return parts[0], parts[1]

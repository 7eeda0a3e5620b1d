"""What skip connections add: FCN-32s, FCN-16s and FCN-8s on one photo, compared along the contour.

Long et al., 2015, arXiv:1411.4038, section 4.2: each skip sums in the scores of finer features. The IoU of whole masks
hardly sees it; boundary IoU (Cheng et al., 2021, arXiv:2103.16562) does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image

from labkit.evaluation.metrics import iou
from labkit.explain.boundary import boundary, boundary_iou
from labkit.figures import AGREED, EXTRA, LOST, STYLE, display_svg, plain_table, rgb, small
from labkit.io.errors import LabkitError
from labkit.locale import number, text
from labkit.photos import Photo
from labkit.segmentation import Segmentation

__all__ = ["Skips", "compare_skips", "display_skips", "skip_figure", "skip_table"]

_PANEL = 2.8
_COLORS = (AGREED, LOST, EXTRA)


@dataclass(frozen=True, eq=False)
class Skips:
    """The masks (`HxW` bool) of one class by the stride of the finest score that took part: 32, 16 and 8.

    `label` is the class's name, that of the largest segment of FCN-8s; None, and empty masks, where nothing was found.
    """

    result: Segmentation
    label: str | None
    masks: dict[int, np.ndarray]

    def agreement(self, coarse: int, fine: int) -> tuple[float, float]:
        """IoU and boundary IoU of two of the masks."""
        pair = self.masks[coarse], self.masks[fine]
        return iou(*pair), boundary_iou(*pair)


def compare_skips(model: Any, photo: Photo) -> Skips:
    """FCN-32s, FCN-16s and FCN-8s with the same weights; LabkitError for a model that has no skips to leave out."""
    if "finest" not in model.settings:
        raise LabkitError(text("explain.fcn_no_skips", name=model.weights.name))
    results = {stride: model.segment(photo, finest=stride) for stride in (32, 16, 8)}
    largest = results[8].largest
    label = largest.label if largest else None
    masks = {
        stride: result.mask_of(label) if label else np.zeros(result.ids.shape, bool)
        for stride, result in results.items()
    }
    return Skips(results[8], label, masks)


def display_skips(skips: Skips) -> None:
    """Shows where the boundaries differ in the notebook."""
    display_svg(skip_figure(skips))


def skip_table(skips: Skips) -> str:
    """IoU and boundary IoU of each pair of the three nets, in plain text."""
    if skips.label is None:
        return text("figures.nothing")
    classes = skips.result.classes
    name = classes.label(classes.id(skips.label))
    rows = [[name, "IoU", text("explain.fcn_boundary")]]
    for pair in ((32, 16), (16, 8), (32, 8)):
        numbers = (number(value, 2) for value in skips.agreement(*pair))
        rows.append([" – ".join(f"FCN-{stride}s" for stride in pair), *numbers])
    return plain_table(rows)


def skip_figure(skips: Skips) -> Figure:
    """The boundaries of FCN-32s and FCN-16s against that of FCN-8s: what they share, and what either has alone."""
    window, fine = _around(skips.masks), boundary(skips.masks[8])
    image = small(skips.result.photo.pixels[window], 0.75 * _PANEL)
    titles = []
    with matplotlib.rc_context(STYLE):
        height = _PANEL * min(max(image.height / image.width, 0.2), 1.6)
        drawn = Figure(figsize=(2 * _PANEL + 0.2, height + 0.75), layout="constrained")
        for ax, stride in zip(drawn.subplots(1, 2), (32, 16), strict=True):
            coarse = boundary(skips.masks[stride])
            parts = [part[window] for part in (coarse & fine, coarse & ~fine, fine & ~coarse)]
            ax.imshow(_painted(image, parts), interpolation="none")
            score = number(skips.agreement(stride, 8)[1], 2)
            titles.append(f"FCN-{stride}s – FCN-8s: {score if skips.label else text('figures.nothing')}")
            ax.set_title(titles[-1], fontsize=9, parse_math=False)
            ax.set_axis_off()
        names = zip(_COLORS, ("both", "coarse", "fine"), strict=True)
        handles = [Patch(facecolor=color, label=text(f"explain.fcn_{name}")) for color, name in names]
        drawn.legend(handles=handles, loc="outside lower left", ncols=3, frameon=False, fontsize=8)
        drawn.set_label(f"{skips.result.photo.name}: {'; '.join(titles)}")
        return drawn


def _around(masks: dict[int, np.ndarray]) -> tuple[slice, slice]:
    """The window that holds all masks and some of what is around them; all of the photo where they are empty."""
    either = np.logical_or.reduce(list(masks.values()))
    margin = round(0.05 * max(either.shape))
    sides = []
    for axis in (1, 0):
        places = np.flatnonzero(either.any(axis))
        first, last = (places[0], places[-1]) if len(places) else (0, either.size)
        sides.append(slice(max(first - margin, 0), last + 1 + margin))
    return sides[0], sides[1]


def _painted(image: Image.Image, parts: Sequence[np.ndarray]) -> np.ndarray:
    """The photo in pale grey, and on it each mask, brought to its size, in its colour: `HxWx3` uint8."""
    painted = np.array(image.convert("L").convert("RGB")) * 0.5 + 110
    for part, color in zip(parts, _COLORS, strict=True):
        inside = np.array(Image.fromarray(part).resize(image.size, Image.Resampling.NEAREST))
        painted[inside] = 0.3 * painted[inside] + 0.7 * np.array(rgb(color))
    return np.uint8(painted)

"""What SAM's prompt encoder makes of a point, a box and a contour: vectors, and a map that is added to the embedding.

Kirillov et al., 2023, arXiv:2304.02643, section 3 ("Prompt encoder") and appendix A: points and boxes are sparse
prompts, a vector a point or a corner; masks are dense ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import contourpy
import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle
from matplotlib.patheffects import withStroke
from PIL import Image
from segment_anything.utils.transforms import ResizeLongestSide

from labkit.evaluation.metrics import innermost
from labkit.explain.embedding import inside, need_sam
from labkit.explain.hooks import recorded
from labkit.figures import STYLE, cut, display_svg, panels, plain_table, small
from labkit.locale import plural, text
from labkit.models.prompted import PromptedModel
from labkit.models.sam import OUTLINE_LOGIT
from labkit.segmentation import Segmentation

__all__ = ["Encoded", "display_encoded", "draw_prompt", "encoded", "encoded_figure", "encoded_table"]
__all__ += ["object_of", "prompts_for"]

_PANEL = 1.25
_CORNERS = 40
_INK, _LIGHT = "#222222", "#f0e442"


@dataclass(frozen=True, eq=False)
class Encoded:
    """One prompt, encoded: `tokens`, `NxC` float32, and `dense`, the `CxRxK` map that is added to the embedding.

    `asked` is what was asked, in pixels of the photo. `drawn` is the mask prompt of which the map was made, logits
    `MxM`, and None where none went in: then `dense` is one learned vector, the same at every place. `side` is the
    encoder's input in pixels.
    """

    kind: str
    asked: dict[str, Any]
    tokens: np.ndarray
    dense: np.ndarray
    drawn: np.ndarray | None
    side: int


def object_of(result: Segmentation) -> np.ndarray:
    """The mask (`HxW` bool) of a result's largest segment; where nothing was found, the middle of the photo."""
    if result.largest:
        return result.largest.mask
    height, width = result.ids.shape
    mask = np.zeros((height, width), bool)
    mask[height // 4 : max(height * 3 // 4, 1), width // 4 : max(width * 3 // 4, 1)] = True
    return mask


def prompts_for(mask: np.ndarray) -> dict[str, dict[str, Any]]:
    """Prompts of all kinds for an object (`HxW` bool, not empty), as `model.prompt` takes them.

    Its innermost point, the box around it, both, and the contour of its largest part in at most 40 corners.
    """
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]
    lines = contourpy.contour_generator(z=np.pad(mask, 1).astype(float)).lines(0.5)
    longest = max(lines, key=len)[:-1] - 1
    corners = longest[np.linspace(0, len(longest), min(_CORNERS, len(longest)), endpoint=False).astype(int)]
    point = [innermost(mask)]
    return {
        "point": {"points": point},
        "box": {"box": box},
        "point_box": {"points": point, "box": box},
        "contour": {"polygon": corners.tolist()},
    }


def encoded(model: PromptedModel, result: Segmentation) -> list[Encoded]:
    """`prompts_for` the largest segment of a result, each as the prompt encoder made it: real tensors, from hooks."""
    need_sam(model)
    encoder = model.network.prompt_encoder
    model.set_photo(result.photo)
    rows = []
    for kind, asked in prompts_for(object_of(result)).items():
        masks: list[torch.Tensor] = []
        keep = encoder.mask_downscaling.register_forward_pre_hook(
            lambda module, given, masks=masks: masks.append(given[0])
        )
        with keep, recorded({"encoder": encoder}) as seen:
            answer = model.prompt(**asked)
        sparse, dense = seen["encoder"][0]
        drawn = masks[0][0, 0].float().cpu().numpy() if masks else None
        prompts = answer.made_by["prompts"]
        side = model.network.image_encoder.img_size
        rows.append(Encoded(kind, prompts, sparse[0].numpy(), dense[0].numpy(), drawn, side))
    return rows


def encoded_table(rows: Sequence[Encoded]) -> str:
    """A row a prompt, in plain text: its vectors and what they stand for, the dense map and what it was made of."""
    head = [text(f"explain.sam_{key}") for key in ("prompt", "tokens", "token_names", "dense")]
    table = []
    for row in rows:
        point = [text("explain.sam_token_point")] if "points" in row.asked else []
        box = text("explain.sam_tokens_box" if "box" in row.asked else "explain.sam_token_no_box")
        shape = "×".join(map(str, row.dense.shape))
        made_of = text("explain.sam_dense_none" if row.drawn is None else "explain.sam_dense_mask")
        name = text(f"explain.sam_{row.kind}")
        table.append([name, str(len(row.tokens)), ", ".join([*point, box]), f"{shape}, {made_of}"])
    return plain_table([head, *table])


def encoded_figure(result: Segmentation, rows: Sequence[Encoded]) -> Figure:
    """The photo with the prompts, and for each the mask prompt, in logits, that its dense map is made of."""
    photo = small(result.photo.pixels, _PANEL)
    size = ResizeLongestSide.get_preprocess_shape(*result.ids.shape, rows[0].side)
    scale = ScalarMappable(Normalize(-OUTLINE_LOGIT, OUTLINE_LOGIT), "cividis")
    images, titles = [photo], [f"{cut(result.photo.name, 0.9 * _PANEL)}\n"]
    for row in rows:
        if row.drawn is None:
            images.append(Image.new("RGB", photo.size, "#bbbbbb"))
        else:
            height, width = inside(size, row.side, row.drawn.shape)
            colors = Image.fromarray(scale.to_rgba(row.drawn[:height, :width], bytes=True)[..., :3])
            colors.thumbnail(photo.size, Image.Resampling.NEAREST)  # its own squares, where they are fewer
            images.append(colors)
        told = plural("explain.sam_count", len(row.tokens))
        titles.append(f"{text(f'explain.sam_{row.kind}')}\n{told}")
    drawn = panels(images, titles, len(images), _PANEL)
    drawn.set_label(f"{result.photo.name}: {'; '.join(titles[1:])}".replace("\n", ": "))
    axes, width = drawn.axes, result.ids.shape[1]
    for ax, image, row in zip(axes[1:], images[1:], rows, strict=True):
        draw_prompt(axes[0], row.asked, photo, width)
        draw_prompt(ax, row.asked, image, width)
    if any(row.drawn is not None for row in rows):
        with matplotlib.rc_context(STYLE):
            bar = drawn.colorbar(scale, ax=axes, extend="max", shrink=0.9, aspect=12, pad=0.01)
            ticks = (-OUTLINE_LOGIT, 0, OUTLINE_LOGIT)
            bar.set_ticks(ticks, labels=[f"{tick:g}".replace("-", "−") for tick in ticks])
            bar.ax.tick_params(labelsize=8)
            bar.set_label(text("explain.sam_logits"), fontsize=8)
    return drawn


def display_encoded(result: Segmentation, rows: Sequence[Encoded]) -> None:
    """Shows `encoded_figure` in the notebook."""
    display_svg(encoded_figure(result, rows))


def draw_prompt(ax: Axes, asked: Mapping[str, Any], image: Image.Image, width: int) -> None:
    """Draws points, a box or a contour on one of `panels`, which shows `image`, a photo that is `width` pixels wide.

    The image of a narrow photo stands in the middle of a white sheet.
    """
    scale, left = image.width / width, (ax.images[0].get_size()[1] - image.width) // 2
    shift = np.array([left - 0.5, -0.5])
    edged = [withStroke(linewidth=3, foreground=_INK)]
    style = {"facecolor": "none", "edgecolor": _LIGHT, "linewidth": 1.5, "path_effects": edged, "clip_on": False}
    ax.autoscale(False)
    if "polygon" in asked:
        ax.add_patch(Polygon((np.array(asked["polygon"]) + 0.5) * scale + shift, **style))
    elif "box" in asked:
        x0, y0, x1, y1 = (n * scale for n in asked["box"])
        ax.add_patch(Rectangle((x0, y0) + shift, x1 - x0, y1 - y0, **style))
    for point, sign in zip(asked.get("points", ()), asked.get("point_labels", ()), strict=True):
        x, y = (np.array(point) + 0.5) * scale + shift
        marker = "*" if sign else "X"
        ax.plot(x, y, marker=marker, color=_LIGHT, markeredgecolor=_INK, markersize=10, clip_on=False)

"""SAM's lecture: prompts and answers, the embedding in colours, predicted against true IoU, objects without a name.

Kirillov et al., 2023, arXiv:2304.02643, section 3 and appendix A: the image encoder runs once a photo, the prompt
encoder and the mask decoder at each prompt. Points and boxes are sparse prompts, a vector a point or a corner; masks
are dense ones, a map that is added to the embedding.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import contourpy
import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from PIL import Image
from segment_anything.utils.transforms import ResizeLongestSide

from labkit.evaluation.metrics import innermost
from labkit.explain.drawing import array, cells, scale_of
from labkit.explain.measures import on_photo
from labkit.figures import PANEL, STYLE, Drawing, cut, note, painted, panels, small
from labkit.io.errors import LabkitError
from labkit.io.rle import decode_mask
from labkit.locale import number, text
from labkit.models.sam import OUTLINE_LOGIT
from labkit.photos import Photo
from labkit.segmentation import MIN_SHARE, Segment, Segmentation, box_of

__all__ = ["embedding_figure", "encoded_figure", "object_of", "prompt_figure"]
__all__ += ["prompts_for", "ranking_figure", "sam_part", "stranger"]

_EMBEDDING_PANEL, _PROMPT_PANEL, _PROMPT_SCALE = 1.8, 1.25, 0.55
_OPPONENT = np.array([[0.55, 0.3, 0.45], [0.55, 0.3, -0.45], [0.55, -0.6, 0.0]])
"""Red, green and blue of the three components."""
_CORNERS = 40
_MARKS = (("o", "#0072b2"), ("s", "#e69f00"), ("^", "#cc79a7"))
_BACKGROUND, _LARGE = 0.8, 0.05
_WIDEST = 2.6
_BOX, _CONTOUR, _ANSWER = "#f0e442", "#56b4e9", "#0072b2"
_POINTS = ((1, "figures.object_point", "*", "#009e73", 15), (0, "figures.background_point", "X", "#d55e00", 11))


def sam_part(model: Any, photo: Photo) -> tuple[float, float]:
    """The share of the encoder's square input, in height and in width, that a photo fills."""
    side = model.network.image_encoder.img_size
    height, width = ResizeLongestSide.get_preprocess_shape(*photo.pixels.shape[:2], side)
    return height / side, width / side


def component_colors(maps: np.ndarray) -> np.ndarray:
    """The first three of some maps (`Nxrxk`) as `rxkx3` uint8: brightness, then yellow to blue, then red to green.

    So the first can be seen in grey print, and the first two by people who do not tell red from green. Each runs
    from its 2nd to its 98th percentile.
    """
    low, high = (np.percentile(maps, p, axis=(1, 2), keepdims=True) for p in (2, 98))
    spread = np.where(high - low > 1e-6, high - low, 1)
    scaled = np.full((3, *maps.shape[1:]), 0.5)
    scaled[: len(maps)] = np.clip((maps - low) / spread, 0, 1)[:3]
    return np.round(255 * np.clip(np.einsum("ck,krn->rnc", _OPPONENT, scaled - 0.5) + 0.5, 0, 1)).astype(np.uint8)


def embedding_figure(photo: Photo, maps: Any, title: str) -> Drawing:
    """The photo, and beside it three maps (`3xrxk`), the first components, as colours, a square a place.

    A component's sign means nothing: the place that is farthest from the mean counts upwards.
    """
    maps = array(maps)
    maps = maps * np.sign([one.flat[np.abs(one).argmax()] for one in maps])[:, None, None]
    full, colors = small(photo.pixels, _EMBEDDING_PANEL), Image.fromarray(component_colors(maps))
    times = max(1, round(full.width / colors.width / 2))  # a square is a few pixels, which JPEG does not blur
    colors = colors.resize((times * colors.width, times * colors.height), Image.Resampling.NEAREST)
    titles = [f"{cut(photo.name, 0.9 * _EMBEDDING_PANEL)}\n", title]
    return panels([full, colors], titles, 2, _EMBEDDING_PANEL, name=photo.name)


def object_of(result: Segmentation) -> np.ndarray:
    """The mask (`HxW` bool) that the model is surest of, of those of a twentieth of the photo or more.

    Where all are smaller, the largest; where nothing was found, the middle of the photo.
    """
    height, width = result.ids.shape
    large = [segment for segment in result.segments if segment.area >= _LARGE * result.ids.size]
    if result.largest:
        return max(large or [result.largest], key=lambda segment: segment.score).mask
    mask = np.zeros((height, width), bool)
    mask[height // 4 : max(height * 3 // 4, 1), width // 4 : max(width * 3 // 4, 1)] = True
    return mask


def prompts_for(mask: np.ndarray) -> dict[str, dict[str, Any]]:
    """Prompts of all kinds for an object (`HxW` bool, not empty), as `model.prompt` takes them.

    Its innermost point, the box around it, both, and the contour of its largest part in at most 40 corners.
    """
    point, box = {"points": [innermost(mask)]}, {"box": list(box_of(mask))}
    lines = contourpy.contour_generator(z=np.pad(mask, 1).astype(float)).lines(0.5)
    longest = max(lines, key=len)[:-1] - 1
    corners = longest[np.linspace(0, len(longest), min(_CORNERS, len(longest)), endpoint=False).astype(int)]
    return {"point": point, "box": box, "point_box": point | box, "contour": {"polygon": corners.tolist()}}


def encoded_figure(
    photo: Photo, prompts: Mapping[str, tuple[dict[str, Any], Any | None]], part: tuple[float, float]
) -> Drawing:
    """The photo with prompts (by title: what was asked, and the mask prompt, `MxM` logits, if one was made of it)."""
    full, scale = small(photo.pixels, _PROMPT_PANEL), scale_of(np.zeros(1), (-OUTLINE_LOGIT, OUTLINE_LOGIT))
    images, titles = [full], [f"{cut(photo.name, 0.9 * _PROMPT_PANEL)}\n", *prompts]
    for _, logits in prompts.values():
        images.append(Image.new("RGB", full.size, "#bbbbbb"))
        if logits is not None:
            images[-1] = cells(on_photo(array(logits), part), scale)
            images[-1].thumbnail(full.size, Image.Resampling.NEAREST)  # its own squares, where they are fewer
    drawn = panels(images, titles, len(images), _PROMPT_PANEL, name=photo.name, size=photo.pixels.shape[:2])
    whole, *axes = drawn.axes
    for ax, (asked, _) in zip(axes, prompts.values(), strict=True):
        for panel in (whole, ax):
            draw_prompts(panel, asked, _PROMPT_SCALE)
    with matplotlib.rc_context(STYLE):
        bar = drawn.colorbar(scale, ax=[whole, *axes], extend="max", shrink=0.9, aspect=12, pad=0.01)
        ticks = (-OUTLINE_LOGIT, 0, OUTLINE_LOGIT)
        bar.set_ticks(ticks, labels=[f"{tick:g}".replace("-", "−") for tick in ticks])
        bar.ax.tick_params(labelsize=8)
        bar.set_label(text("explain.sam_logits"), fontsize=8)
    return drawn


@matplotlib.rc_context(STYLE)
def ranking_figure(predicted: Sequence[Sequence[float]], true: Sequence[Sequence[float]]) -> Drawing:
    """Every answer of every photo (a row a photo, best first): the IoU that SAM predicts against the true one.

    A sentence where there is no photo.
    """
    if not any(map(len, true)):
        return note(text("explain.sam_no_truth"))
    drawn = Drawing(figsize=(3.0, 3.1), layout="compressed")
    words = [text("explain.sam_axis_predicted"), text("explain.sam_axis_true")]
    drawn.set_label(f"{words[0]} / {words[1]}")
    ax = drawn.subplots()
    ax.plot([0, 1], [0, 1], color="#999999", linestyle="--", linewidth=1)
    for rank, (marker, color) in enumerate(_MARKS):
        points = [(x[rank], y[rank]) for x, y in zip(predicted, true, strict=True) if len(y) > rank]
        if points:
            style = {"linestyle": "", "marker": marker, "color": color, "markeredgecolor": "white"}
            ax.plot(*zip(*points, strict=True), label=text("explain.sam_rank", number=rank + 1), **style)
    ticks = (0, 0.5, 1)
    labels = [number(tick, 1) for tick in ticks]
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), box_aspect=1, xlabel=words[0], ylabel=words[1])
    ax.set(xticks=ticks, yticks=ticks, xticklabels=labels, yticklabels=labels)
    drawn.legend(loc="outside upper center", ncols=3, frameon=False, columnspacing=1, handletextpad=0.2)
    return drawn


def stranger(result: Segmentation, semantic: Segmentation) -> Segment | None:
    """The segment of the best score that lies, for four fifths, in the background of another network's result.

    It covers at least 0.5 % of the photo and touches at most one of its sides: what touches more is rarely an object.
    """
    height, width = result.ids.shape

    def strange(segment: Segment) -> bool:
        x0, y0, x1, y1 = segment.box
        sides = (x0 == 0) + (y0 == 0) + (x1 == width) + (y1 == height)
        background = np.mean(semantic.ids[segment.mask] == 0)
        return segment.area >= MIN_SHARE * result.ids.size and sides <= 1 and background >= _BACKGROUND

    return max(filter(strange, result.segments), key=lambda segment: segment.score, default=None)


@matplotlib.rc_context(STYLE)
def prompt_figure(result: Segmentation) -> Drawing:
    """A result of `model.prompt`: the photo with the prompts, its axes in pixels, and a panel an answer with its IoU.

    LabkitError for a result that no prompt asked for.
    """
    asked, size = result.made_by.get("prompts"), result.ids.shape
    if not asked:
        raise LabkitError(text("figures.no_prompts"))
    panel = min(_WIDEST, 3 * PANEL / (1 + max(len(result.segments), 1)))
    photo = result.photo.pixels
    given = [(decode_mask(asked["mask"], size), _CONTOUR)] if "mask" in asked else []
    images, titles = [painted(photo, given, panel) if given else small(photo, panel)], [cut(result.photo.name, panel)]
    for place, segment in enumerate(result.segments, start=1):
        images.append(painted(photo, [(segment.mask, _ANSWER)], panel))
        titles.append(text("figures.answer", number=place, score=number(segment.score, 2)))
    if not result.segments:
        images.append(images[0])
        titles.append(text("figures.nothing"))
    drawn = panels(images, titles, len(images), panel, name=result.photo.name, size=size)
    first = drawn.axes[0]
    first.set_axis_on()
    first.tick_params(labelsize=7)
    for axis in (first.xaxis, first.yaxis):
        axis.set_visible(True)
        axis.set_major_locator(MaxNLocator(4, integer=True))
    width, height = drawn.get_size_inches()
    drawn.set_size_inches(width + 0.3, height + 0.5)
    drawn.legend(handles=draw_prompts(first, asked), loc="outside lower left", ncols=2 * len(images), frameon=False)
    return drawn


def draw_prompts(ax: Axes, asked: Mapping[str, Any], scale: float = 1.0) -> list[Artist]:
    """Draws prompts on one of `panels` that counts the photo's pixels; returns what a legend shows, one a kind.

    Each kind has a shape and a colour of its own.
    """
    handles: list[Artist] = []
    edged: dict[str, Any] = {"path_effects": [withStroke(linewidth=4 * scale, foreground="#222222")], "clip_on": False}
    if "mask" in asked:
        handles.append(Patch(facecolor=_CONTOUR, alpha=0.5, label=text("figures.mask")))
    if "polygon" in asked:
        x, y = np.array([*asked["polygon"], asked["polygon"][0]]).T + 0.5
        handles += ax.plot(x, y, "o-", color=_CONTOUR, markersize=3.5 * scale, label=text("figures.contour"), **edged)
    if "box" in asked:
        x0, y0, x1, y1 = asked["box"]
        style = {"facecolor": "none", "edgecolor": _BOX, "linewidth": 2 * scale, **edged}
        handles.append(ax.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, label=text("figures.box"), **style)))
    signs = np.array(asked.get("point_labels", []))
    for sign, label, marker, color, side in _POINTS:
        if (signs == sign).any():
            x, y = np.array(asked["points"])[signs == sign].T + 0.5
            style = {"color": color, "markeredgecolor": "white", "markersize": side * scale, "clip_on": False}
            handles += ax.plot(x, y, marker, label=text(label), **style)
    return handles

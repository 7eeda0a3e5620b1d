"""SAM's lecture: the embedding of a photo and its cost, encoded prompts, three answers to one point, zero-shot.

Kirillov et al., 2023, arXiv:2304.02643, section 3 and appendix A: the image encoder runs once a photo, the prompt
encoder and the mask decoder at each prompt. Points and boxes are sparse prompts, a vector a point or a corner; masks
are dense ones, a map that is added to the embedding. One point may mean a part, the whole or several things; only the
best of three answers is trained, and the predicted IoU puts them in order. Section 7: the task, a valid mask for any
prompt, names no classes, so that new kinds of photo and of object need no training; what they are, SAM does not say.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import contourpy
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.patches import Polygon, Rectangle
from matplotlib.patheffects import withStroke
from PIL import Image
from segment_anything.utils.transforms import ResizeLongestSide
from torch.utils.flop_counter import FlopCounterMode

from labkit.evaluation.annotations import find_ground_truth
from labkit.evaluation.metrics import innermost, iou
from labkit.explain.drawing import cells, painted
from labkit.explain.hooks import boundary, on_photo, recorded, telling
from labkit.figures import AGREED, EXTRA, STYLE, Drawing, cut, note, overlay_image, panels, plain_table, small
from labkit.io.errors import LabkitError
from labkit.locale import number, plural, text
from labkit.models.base import Model
from labkit.models.prompted import PromptedModel
from labkit.models.sam import OUTLINE_LOGIT
from labkit.photos import Photo
from labkit.segmentation import MIN_SHARE, Segment, Segmentation
from labkit.variants import find_variant
from labkit.viewer.viewer import MARK

__all__ = ["Cost", "Embedding", "Encoded", "Judged", "Unnamed", "answers_figure", "cost", "embedded"]
__all__ += ["embedding_figure", "embedding_table", "encoded", "encoded_figure", "encoded_table", "judged"]
__all__ += ["ranking_figure", "ranking_text", "unnamed", "unnamed_figures"]

_EMBEDDING_PANEL, _PROMPT_PANEL, _ANSWER_PANEL, _ZERO_SHOT_PANEL = 1.8, 1.25, 1.35, 1.6
_OPPONENT = np.array([[0.55, 0.3, 0.45], [0.55, 0.3, -0.45], [0.55, -0.6, 0.0]])
"""Red, green and blue of the three components."""
_CORNERS = 40
_INK, _LIGHT = "#222222", "#f0e442"
_WORSE = 0.05
_MARKS = (("o", "#0072b2"), ("s", "#e69f00"), ("^", "#cc79a7"))
_BACKGROUND, _TOLD, _NAMES = 0.8, 0.05, 2


@dataclass(frozen=True, eq=False)
class Embedding:
    """What the image encoder made of a photo: `features`, `CxRxK` float32, of which the photo fills `part`.

    The rest, below or to the right, stands for the padding. `side` is the encoder's input, a square, in pixels.
    """

    photo: Photo
    features: np.ndarray
    side: int
    part: tuple[float, float]

    @property
    def stride(self) -> int:
        """How many pixels of the input a place of the embedding stands for, in a row and in a column."""
        return self.side // self.features.shape[-1]

    @property
    def places(self) -> np.ndarray:
        """`features` where the photo is, `Cxrxk`; a place that the photo fills in part counts."""
        return on_photo(self.features, self.part)


class Cost(NamedTuple):
    """Of one embedding and of one point as a prompt: operations (a multiplication and an addition are two), seconds.

    A notebook's cell shows the operations, and the open notebook and the report the measured milliseconds besides.
    """

    embedding: int
    prompt: int
    embedding_seconds: float
    prompt_seconds: float

    def __str__(self) -> str:
        """The operations in words, and how many prompts one embedding is worth: the same at every run."""
        embedding, prompt = (number(n / 1e9, 1) for n in self[:2])
        return text(
            "explain.sam_cost", embedding=embedding, prompt=prompt, ratio=number(self.embedding / self.prompt, 1)
        )

    def _ipython_display_(self) -> None:
        from IPython.display import display

        embedding, prompt = (f"{1000 * seconds:.0f}" for seconds in self[2:])
        lines = [*str(self).splitlines(), text("explain.sam_seconds", embedding=embedding, prompt=prompt)]
        page = f"<p>{'<br>'.join(lines)}</p><!-- {MARK} as of a viewer: git keeps the plain text alone -->"
        display({"text/plain": str(self), "text/html": page}, raw=True)


def _need_sam(model: Model) -> None:
    """LabkitError for a model that takes no prompts."""
    if not isinstance(model, PromptedModel):
        raise LabkitError(text("explain.sam_needed", given=model.variant.title))


def _part(side: int, size: tuple[int, int]) -> tuple[float, float]:
    """The share of the encoder's square input, `side` pixels, that a photo of `size` fills."""
    height, width = ResizeLongestSide.get_preprocess_shape(*size, side)
    return height / side, width / side


def embedded(model: PromptedModel, photo: Photo) -> Embedding:
    """The embedding of a photo, from a forward hook; the photo is then the one that prompts ask about."""
    _need_sam(model)
    side, channels = model.network.image_encoder.img_size, model.network.mask_decoder.transformer_dim
    with recorded({"embedding": model.network.image_encoder}) as seen:
        model.set_photo(photo)
    features = seen["embedding"][-1][0][:channels]  # an encoder may hand on details behind them
    return Embedding(photo, features.numpy(), side, _part(side, photo.pixels.shape[:2]))


def components(embedding: Embedding, count: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """The principal components of the embedding's places where the photo is; `count` at most.

    Their shares of the variance, largest first, in [0, 1], and their maps, `Nxrxk` float. A component's sign means
    nothing: the channel that has the largest part in it counts upwards.
    """
    channels, rows, columns = embedding.places.shape
    x = embedding.places.reshape(channels, -1).T.astype(np.float64)
    x = x - x.mean(0)
    _, spread, axes = np.linalg.svd(x, full_matrices=False)
    axes = axes[:count] * np.sign([axis[np.abs(axis).argmax()] for axis in axes[:count]])[:, None]
    shares = spread**2 / max((spread**2).sum(), 1e-12)
    return shares[:count], (axes @ x.T).reshape(-1, rows, columns)


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


def embedding_table(embedding: Embedding) -> str:
    """A row each, in plain text: the photo, the encoder's input, the embedding and one place of it, in numbers."""
    height, width = embedding.photo.pixels.shape[:2]
    side, channels = embedding.side, len(embedding.features)
    rows = [[text(f"explain.sam_{key}") for key in ("what", "size", "numbers")]]
    shapes = {"photo": (height, width, 3), "input": (3, side, side), "embedding": embedding.features.shape}
    for key, shape in shapes.items():
        count = f"{np.prod(shape):,}".replace(",", " ")
        rows.append([text(f"explain.sam_{key}"), "×".join(map(str, shape)), count])
    pixels = round(embedding.stride * max(height, width) / side)
    place = text("explain.sam_place", stride=embedding.stride, pixels=pixels)
    return plain_table([*rows, [place, f"{channels}×1×1", str(channels)]])


def embedding_figure(embedding: Embedding) -> Drawing:
    """The photo, and beside it the first three components as red, green and blue, a square a place."""
    shares, maps = components(embedding)
    photo, colors = small(embedding.photo.pixels, _EMBEDDING_PANEL), Image.fromarray(component_colors(maps))
    times = max(1, round(photo.width / colors.width / 2))  # a square is a few pixels, which JPEG does not blur
    colors = colors.resize((times * colors.width, times * colors.height), Image.Resampling.NEAREST)
    share = f"{shares.sum():.0%}".replace("%", " %")
    told = text("explain.sam_components", rows=maps.shape[1], columns=maps.shape[2], share=share)
    name = embedding.photo.name
    return panels([photo, colors], [f"{cut(name, 0.9 * _EMBEDDING_PANEL)}\n", told], 2, _EMBEDDING_PANEL, name=name)


def cost(model: PromptedModel, photo: Photo) -> Cost:
    """What embedding a photo costs, and what a point in its middle does.

    Operations of convolutions, matrix products and attention, counted while they run: the same on every computer.
    Seconds are this computer's, of one embedding and the median of three prompts.
    """
    _need_sam(model)
    height, width = photo.pixels.shape[:2]
    middle = [(width // 2, height // 2)]
    with FlopCounterMode(display=False) as embedding:
        model.set_photo(photo)
    with FlopCounterMode(display=False) as prompt:
        model.prompt(points=middle)
    started = time.perf_counter()
    model.set_photo(photo)
    seconds = time.perf_counter() - started
    prompts = sorted(model.prompt(points=middle).made_by["seconds"] for _ in range(3))
    return Cost(embedding.get_total_flops(), prompt.get_total_flops(), seconds, prompts[1])


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
    point = {"points": [innermost(mask)]}
    return {
        "point": point,
        "box": {"box": box},
        "point_box": point | {"box": box},
        "contour": {"polygon": corners.tolist()},
    }


def encoded(model: PromptedModel, result: Segmentation) -> list[Encoded]:
    """`prompts_for` the largest segment of a result, each as the prompt encoder made it: real tensors, from hooks."""
    _need_sam(model)
    encoder, side = model.network.prompt_encoder, model.network.image_encoder.img_size
    model.set_photo(result.photo)
    rows = []
    for kind, asked in prompts_for(object_of(result)).items():
        masks: list[np.ndarray] = []
        keep = encoder.mask_downscaling.register_forward_pre_hook(
            lambda module, given, masks=masks: masks.append(given[0][0, 0].float().cpu().numpy())
        )
        with keep, recorded({"encoder": encoder}) as seen:
            prompts = model.prompt(**asked).made_by["prompts"]
        (tokens,), (dense,) = seen["encoder"][0]
        rows.append(Encoded(kind, prompts, tokens.numpy(), dense.numpy(), masks[0] if masks else None, side))
    return rows


def encoded_table(rows: Sequence[Encoded]) -> str:
    """A row a prompt, in plain text: its vectors and what they stand for, the dense map and what it was made of."""
    table = [[text(f"explain.sam_{key}") for key in ("prompt", "tokens", "token_names", "dense")]]
    for row in rows:
        names = [text("explain.sam_tokens_box" if "box" in row.asked else "explain.sam_token_no_box")]
        if "points" in row.asked:
            names.insert(0, text("explain.sam_token_point"))
        made_of = text("explain.sam_dense_none" if row.drawn is None else "explain.sam_dense_mask")
        dense = f"{'×'.join(map(str, row.dense.shape))}, {made_of}"
        table.append([text(f"explain.sam_{row.kind}"), str(len(row.tokens)), ", ".join(names), dense])
    return plain_table(table)


def encoded_figure(result: Segmentation, rows: Sequence[Encoded]) -> Drawing:
    """The photo with the prompts, and for each the mask prompt, in logits, that its dense map is made of."""
    photo, part = small(result.photo.pixels, _PROMPT_PANEL), _part(rows[0].side, result.ids.shape)
    scale = ScalarMappable(Normalize(-OUTLINE_LOGIT, OUTLINE_LOGIT), "cividis")
    images, titles = [photo], [f"{cut(result.photo.name, 0.9 * _PROMPT_PANEL)}\n"]
    for row in rows:
        images.append(Image.new("RGB", photo.size, "#bbbbbb"))
        if row.drawn is not None:
            images[-1] = cells(on_photo(row.drawn, part), scale)
            images[-1].thumbnail(photo.size, Image.Resampling.NEAREST)  # its own squares, where they are fewer
        titles.append(f"{text(f'explain.sam_{row.kind}')}\n{plural('explain.sam_count', len(row.tokens))}")
    drawn = panels(images, titles, len(images), _PROMPT_PANEL, name=result.photo.name, size=result.ids.shape)
    whole, *axes = drawn.axes
    for ax, row in zip(axes, rows, strict=True):
        draw_prompt(whole, row.asked)
        draw_prompt(ax, row.asked)
    if any(row.drawn is not None for row in rows):
        with matplotlib.rc_context(STYLE):
            bar = drawn.colorbar(scale, ax=[whole, *axes], extend="max", shrink=0.9, aspect=12, pad=0.01)
            ticks = (-OUTLINE_LOGIT, 0, OUTLINE_LOGIT)
            bar.set_ticks(ticks, labels=[f"{tick:g}".replace("-", "−") for tick in ticks])
            bar.ax.tick_params(labelsize=8)
            bar.set_label(text("explain.sam_logits"), fontsize=8)
    return drawn


def draw_prompt(ax: Axes, asked: Mapping[str, Any]) -> None:
    """Draws points, a box or a contour on one of `panels` that counts the photo's pixels."""
    edged = [withStroke(linewidth=3, foreground=_INK)]
    style = {"facecolor": "none", "edgecolor": _LIGHT, "linewidth": 1.5, "path_effects": edged, "clip_on": False}
    if "polygon" in asked:
        ax.add_patch(Polygon(np.array(asked["polygon"]) + 0.5, **style))
    elif "box" in asked:
        x0, y0, x1, y1 = asked["box"]
        ax.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, **style))
    for (x, y), sign in zip(asked.get("points", ()), asked.get("point_labels", ()), strict=True):
        marker = {"marker": "*" if sign else "X", "color": _LIGHT, "markeredgecolor": _INK, "markersize": 10}
        ax.plot(x + 0.5, y + 0.5, **marker, clip_on=False)


@dataclass(frozen=True, eq=False)
class Judged:
    """The answers to one point, best first by predicted IoU, and the object's mask as outlined by hand, or None."""

    answer: Segmentation
    outline: np.ndarray | None

    @property
    def predicted(self) -> list[float]:
        """The IoU that SAM predicts for each answer, in [0, 1]."""
        return [segment.score for segment in self.answer.segments]

    @property
    def true(self) -> list[float]:
        """The IoU of each answer with the outline; empty where there is none."""
        return [] if self.outline is None else [iou(s.mask, self.outline) for s in self.answer.segments]

    @property
    def spread(self) -> float:
        """How far the answers differ: in their true IoU, without an outline in their share of the photo."""
        values = self.true or [segment.area / self.answer.ids.size for segment in self.answer.segments]
        return max(values, default=0) - min(values, default=0)


def judged(model: PromptedModel, results: Sequence[Segmentation], outlines: str | Path | None = None) -> list[Judged]:
    """Asks about each photo that has an outline: the innermost point of the largest outlined object, three answers.

    The outlines lie next to the photo or in the folder `outlines`. Without any the one photo that tells most is asked
    about, with the innermost point of the largest object found. Those whose answers differ most come first.
    """
    _need_sam(model)
    found = [find_ground_truth(one.photo) or find_ground_truth(one.photo, outlines) for one in results]
    found = [reference for reference in found if reference is not None and reference.segments]
    rows = []
    for result in found or [telling(results)]:
        model.set_photo(result.photo)
        mask = object_of(result)
        rows.append(Judged(model.prompt(points=[innermost(mask)], answers=3), mask if found else None))
    return sorted(rows, key=lambda row: -row.spread)


def answers_figure(row: Judged) -> Drawing:
    """The point, on the outlined object where there is one, and each answer with its predicted and its true IoU."""
    photo = row.answer.photo
    images = [painted(photo.pixels, [] if row.outline is None else [(row.outline, EXTRA)], _ANSWER_PANEL)]
    key = "point" if row.outline is None else "outlined"
    titles = [f"{cut(photo.name, 0.9 * _ANSWER_PANEL)}\n{text(f'explain.sam_{key}')}"]
    for place, segment in enumerate(row.answer.segments, start=1):
        images.append(painted(photo.pixels, [(segment.mask, AGREED)], _ANSWER_PANEL))
        told = text("explain.sam_predicted", number=place, score=number(segment.score, 2))
        true = [text("explain.sam_true", iou=number(n, 2)) for n in row.true[place - 1 : place]]
        titles.append("\n".join([told, *true]))
    if len(images) == 1:
        images.append(painted(photo.pixels, [], _ANSWER_PANEL))
        titles.append(text("figures.nothing"))
    drawn = panels(images, titles, len(images), _ANSWER_PANEL, name=photo.name, size=row.answer.ids.shape)
    for ax in drawn.axes:
        draw_prompt(ax, row.answer.made_by["prompts"])
    return drawn


@matplotlib.rc_context(STYLE)
def ranking_figure(rows: Sequence[Judged]) -> Drawing:
    """Every answer of every outlined photo: the IoU that SAM predicts against the true one; a mark a rank."""
    if not any(row.true for row in rows):
        return note(ranking_text(rows))
    drawn = Drawing(figsize=(3.0, 3.1), layout="compressed")
    drawn.set_label(ranking_text(rows).replace("\n", " "))
    ax = drawn.subplots()
    ax.plot([0, 1], [0, 1], color="#999999", linestyle="--", linewidth=1)
    for rank, (marker, color) in enumerate(_MARKS):
        points = [(row.predicted[rank], row.true[rank]) for row in rows if len(row.true) > rank]
        if points:
            style = {"linestyle": "", "marker": marker, "color": color, "markeredgecolor": "white"}
            ax.plot(*zip(*points, strict=True), label=text("explain.sam_rank", number=rank + 1), **style)
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), box_aspect=1)
    ticks = (0, 0.5, 1)
    labels = [number(tick, 1) for tick in ticks]
    ax.set(xticks=ticks, yticks=ticks, xticklabels=labels, yticklabels=labels)
    ax.set(xlabel=text("explain.sam_axis_predicted"), ylabel=text("explain.sam_axis_true"))
    drawn.legend(loc="outside upper center", ncols=3, frameon=False, columnspacing=1, handletextpad=0.2)
    return drawn


def ranking_text(rows: Sequence[Judged]) -> str:
    """On how many photos the answer ranked first is clearly not the best, and the mean IoU of the one and the other."""
    known = [row for row in rows if row.true]
    if not known:
        return text("explain.sam_no_outline")
    numbers = np.mean([(row.true[0], max(row.true), row.predicted[0]) for row in known], axis=0)
    means = {key: number(value, 2) for key, value in zip(("first", "best", "predicted"), numbers, strict=True)}
    worse = sum(max(row.true) - row.true[0] > _WORSE for row in known)
    return text("explain.sam_ranking", worse=worse, photos=len(known), by=number(_WORSE, 2), **means)


class Unnamed(NamedTuple):
    """A segment of `answer`, which SAM made, and what a network with classes made of the same photo."""

    answer: Segmentation
    segment: Segment
    semantic: Segmentation


def unnamed(
    model: PromptedModel, semantic: Model, results: Sequence[Segmentation], boxes: Mapping[str, Sequence[float]]
) -> list[Unnamed]:
    """What SAM answers to the boxes, by the name of a photo, around objects that `semantic` has no class for.

    Where none of the photos is among the `results`: the best `stranger` of all results, if there is one.
    """
    _need_sam(model)
    found = []
    for result in results:
        if result.photo.name in boxes:
            model.set_photo(result.photo)
            answer = model.prompt(box=boxes[result.photo.name])
            found += [Unnamed(answer, one, semantic.segment(result.photo)) for one in answer.segments[:1]]
    if not found:
        seen = [(result, semantic.segment(result.photo)) for result in results if result.segments]
        strangers = [Unnamed(own, one, other) for own, other in seen if (one := stranger(own, other)) is not None]
        found = sorted(strangers, key=lambda row: -row.segment.score)[:1]
    return found


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


def named(mask: np.ndarray, semantic: Segmentation) -> dict[int, float]:
    """What shares of a mask (`HxW` bool) a network gives to its classes, by label id, the largest first."""
    return {n: count / mask.sum() for n, count in Counter(semantic.labels[mask].tolist()).most_common()}


def unnamed_figures(rows: Sequence[Unnamed]) -> list[Drawing]:
    """SAM's mask, with the prompt if there was one, and the same outline over what the other network made of it.

    A figure a row; where there is none, that is said.
    """
    figures = []
    for answer, segment, semantic in rows:
        photo, mask = answer.photo, segment.mask
        overlay = overlay_image(semantic, 0.6)
        overlay[boundary(mask, 0.012)] = 0
        overlay[boundary(mask, 0.006)] = 255
        shares = [(semantic.classes.label(n), share) for n, share in named(mask, semantic).items() if share >= _TOLD]
        told = [cut(f"{label} {share:.0%}".replace("%", " %"), _ZERO_SHOT_PANEL) for label, share in shares[:_NAMES]]
        score = text("explain.sam_mask", score=number(segment.score, 2))
        titles = [f"{cut(photo.name, 0.9 * _ZERO_SHOT_PANEL)}\n{score}"]
        title = find_variant(semantic.made_by["variant"]).title
        titles.append("\n".join([text("explain.sam_semantic", title=title), *told]))
        images = [painted(photo.pixels, [(mask, AGREED)], _ZERO_SHOT_PANEL), small(overlay, _ZERO_SHOT_PANEL)]
        figures.append(panels(images, titles, 2, _ZERO_SHOT_PANEL, name=photo.name, size=mask.shape))
        draw_prompt(figures[-1].axes[0], answer.made_by.get("prompts", {}))
    return figures or [note(text("explain.sam_no_stranger"))]

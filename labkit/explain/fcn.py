"""FCN's lecture on one photo: a map of each class, the transposed convolution that enlarges it, and what skips add.

Long et al., 2015, arXiv:1411.4038, section 3.1 and figure 2: a fully connected layer over the features is a 1x1
convolution that scores every place of them; section 3.3: the scores are enlarged by transposed convolutions, whose
kernels are learned and start as bilinear interpolation; section 4.2: each skip sums in the scores of finer features.
Dumoulin and Visin, 2016, arXiv:1603.07285, chapter 4: the transpose of a convolution with kernel k, stride s and
padding p is an ordinary one with stride 1, over an input that zeros were put into.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle
from torch import nn
from torchvision.models import segmentation

from labkit.explain.drawing import OPACITY, Sliders, cells_over, compared, three_colors
from labkit.explain.hooks import Trial, boundary, find_part, largest_label, photo_part, recorded, window
from labkit.figures import STYLE, Drawing, panels, plain_table, small
from labkit.io.errors import LabkitError
from labkit.locale import number, text
from labkit.models.fcn import FCNDecoder, bilinear_upsampling
from labkit.photos import Photo
from labkit.segmentation import Segmentation

__all__ = ["Heatmaps", "Steps", "heat_figure", "heatmaps", "learned_figures", "size_figure", "skip_figure"]
__all__ += ["skip_table", "transposed_sliders"]

_STRONGEST, _HEAT_PANEL, _SKIP_PANEL, _CELLS = 3, 2.1, 2.8, 3
_WIDTH, _GAP, _SLOT, _CELL, _TITLE = 9.2, 0.22, 1.0, 0.4, 0.62  # inches
_SMALLEST_FONT = 4.0
_DATA, _BETWEEN, _AROUND, _KERNEL, _OUTPUT = "#b9def5", "#d0d0d0", "#ffffff", "#fbe3a5", "#a6dfcd"
_WINDOW = "#d55e00"


@dataclass(frozen=True, eq=False)
class Heatmaps:
    """The scores of every class at every place of a photo: `CxRxK` float32, as the network's 1x1 convolution gave them.

    `padded` is the size of the network's input (height, width), of which the photo is `part`, the rest grey below and
    to the right: a cell of the map stands for `padded` / (R, K) pixels.
    """

    result: Segmentation
    scores: np.ndarray
    padded: tuple[int, int]
    part: tuple[float, float]

    @property
    def size(self) -> tuple[int, int]:
        """The photo's height and width at the input."""
        return round(self.padded[0] * self.part[0]), round(self.padded[1] * self.part[1])

    @property
    def probabilities(self) -> np.ndarray:
        """Softmax over the classes in each cell: `CxRxK` float32 in [0, 1]."""
        return torch.from_numpy(self.scores).softmax(0).numpy()

    def strongest(self, count: int = 1) -> list[int]:
        """The label ids, without the background, whose probability is highest somewhere; the highest first."""
        peaks = self.probabilities.max((1, 2))
        peaks[0] = -1
        return np.argsort(-peaks, kind="stable")[:count].tolist()


def score_layer(network: nn.Module) -> nn.Module:
    """The convolution that scores the coarsest features, in our FCN or in torchvision's; LabkitError for any other."""
    found = find_part(network, (FCNDecoder, segmentation.FCN), "explain.fcn_none")
    return found.score32 if isinstance(found, FCNDecoder) else found.classifier[-1]


def heatmaps(model: Any, photo: Photo, side: int | None = None) -> Heatmaps:
    """The map of every class over a photo, from a forward hook; `side` is the model's setting `working_side`."""
    with recorded({"scores": score_layer(model.network), "logits": model.network}) as seen:
        result = model.segment(photo, **({} if side is None else {"working_side": side}))
    padded = tuple(seen["logits"][-1].shape[2:])  # as large as the input
    return Heatmaps(result, seen["scores"][-1][0].numpy(), padded, photo_part(model, result, padded))


def heat_figure(maps: Heatmaps, labels: Sequence[str] | None = None) -> Drawing:
    """The photo and the map of some classes on it (by name, in either language; else the strongest three).

    The colour is the probability in each cell; above the map stands its highest.
    """
    classes = maps.result.classes
    ids = maps.strongest(_STRONGEST) if labels is None else [classes.id(label) for label in labels]
    peaks = [number(float(maps.probabilities[label_id].max()), 2) for label_id in ids]
    titles = [text("explain.fcn_heat", label=classes.label(n), peak=peak) for n, peak in zip(ids, peaks, strict=True)]
    return _heat_figure([maps] * len(ids), ids, titles, maps.result.photo.name)


def size_figure(sizes: Sequence[Heatmaps]) -> Drawing:
    """The strongest class at several sizes of the input, above each that size and the map's."""
    result, titles, label_id = sizes[-1].result, [], sizes[-1].strongest()[0]
    for maps in sizes:
        (height, width), (rows, columns) = maps.size, maps.scores.shape[1:]
        titles.append(text("explain.fcn_size", height=height, width=width, rows=rows, columns=columns))
    name = f"{result.photo.name}, {result.classes.label(label_id)}"
    return _heat_figure(sizes, [label_id] * len(sizes), titles, name)


@matplotlib.rc_context(STYLE)
def _heat_figure(maps: Sequence[Heatmaps], ids: Sequence[int], titles: Sequence[str], name: str) -> Drawing:
    photo, scale = small(maps[0].result.photo.pixels, 0.75 * _HEAT_PANEL), ScalarMappable(Normalize(0, 1), "viridis")
    images = [
        cells_over(photo, one.probabilities[label_id], one.part, scale) for one, label_id in zip(maps, ids, strict=True)
    ]
    drawn = panels(images, titles, len(images), _HEAT_PANEL, name=name)
    bar = drawn.colorbar(scale, ax=drawn.axes, alpha=OPACITY, shrink=0.9, aspect=18, pad=0.01, ticks=[0, 0.5, 1])
    bar.ax.set_yticklabels([number(tick, 1) for tick in (0, 0.5, 1)])
    bar.set_label(text("explain.fcn_scale"))
    return drawn


@dataclass(frozen=True, eq=False)
class Steps:
    """Every grid on the way from the input of a transposed convolution to its output: 2-D float64."""

    given: np.ndarray
    inserted: np.ndarray
    padded: np.ndarray
    kernel: np.ndarray
    output: np.ndarray
    stride: int
    padding: int


def transposed_steps(given: np.ndarray, kernel: np.ndarray, stride: int, padding: int) -> Steps:
    """The transposed convolution of `given` (`RxC`) with `kernel` (`kxk`) by an ordinary convolution with stride 1.

    z = s - 1 and p' = k - p - 1; z zeros between rows and between columns; p' zeros around; a convolution, its kernel
    rotated by 180 degrees (what libraries call convolution does not turn the kernel, so its transpose has to).
    A side of the output is o = (i - 1) s + k - 2p. LabkitError, with what is valid, for p above k - 1 or o below 1.
    """
    k, s, p = len(kernel), stride, padding
    if not (k >= 1 and s >= 1 and 0 <= p <= k - 1):
        raise LabkitError(text("explain.transposed_refused", k=k, s=s, p=p, most=k - 1))
    i = min(given.shape)
    if (side := (i - 1) * s + k - 2 * p) < 1:
        raise LabkitError(text("explain.transposed_empty", i=i, k=k, s=s, p=p, o=side, most=((i - 1) * s + k - 1) // 2))
    inserted = np.zeros([(n - 1) * s + 1 for n in given.shape])
    inserted[::s, ::s] = given
    padded = np.pad(inserted, k - p - 1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (k, k))
    output = (windows * np.rot90(kernel, 2)).sum((2, 3))
    return Steps(np.asarray(given, float), inserted, padded, np.asarray(kernel, float), output, s, p)


def learned_kernel(model: Any, maps: Heatmaps, label_id: int) -> tuple[np.ndarray, np.ndarray, Steps]:
    """The kernel that doubles the scores of one class, from stride 32 to stride 16, its start, and the steps with it.

    Kernels are `kxk` float64. The steps are on the photo's own scores of the class around the highest of them: 3x3
    cells of the stride-32 map, fewer where it is smaller. LabkitError where no kernel was learned.
    """
    layer = find_part(model.network, FCNDecoder, "explain.transposed_none", name=model.weights.name).up32to16
    start = bilinear_upsampling(1, layer.stride[0]).weight[0, 0]
    learned, bilinear = (w.detach().cpu().double().numpy() for w in (layer.weight[label_id, 0], start))
    scores = maps.scores[label_id]
    peak = np.unravel_index(scores.argmax(), scores.shape)
    first = [min(max(at - _CELLS // 2, 0), max(side - _CELLS, 0)) for at, side in zip(peak, scores.shape, strict=True)]
    around = scores[first[0] : first[0] + _CELLS, first[1] : first[1] + _CELLS]
    return learned, bilinear, transposed_steps(around, learned, layer.stride[0], layer.padding[0])


def transposed_sliders(i: int = 3, k: int = 3, s: int = 2, p: int = 1) -> Sliders:
    """The steps on 1, 2, 3, … row by row, for sums by hand, under sliders for input, kernel, stride and padding.

    LabkitError where the first values are not valid; what is wrong with later ones stands in the figure's place.
    """

    def draw(i: int, k: int, s: int, p: int) -> Drawing:
        given, kernel = (np.arange(1.0, side * side + 1).reshape(side, side) for side in (i, k))
        return steps_figure(transposed_steps(given, kernel, s, p))

    draw(i, k, s, p)
    return Sliders(
        draw,
        {
            name: (text(f"explain.transposed_{name}"), value, low, max(high, value))
            for name, value, low, high in (("i", i, 1, 6), ("k", k, 1, 5), ("s", s, 1, 4), ("p", p, 0, 4))
        },
        f"i = {i}, k = {k}, s = {s}, p = {p}",
        words_width=9,
    )


def steps_figure(steps: Steps) -> Drawing:
    """Input, zeros between, zeros around, kernel, kernel rotated, output: cells of one size, numbers in them.

    Outlined are the first place of the kernel and the output's cell that it gives.
    """
    k, zeros = len(steps.kernel), steps.stride - 1
    border = k - steps.padding - 1
    grids = [steps.given, steps.inserted, steps.padded, steps.kernel, np.rot90(steps.kernel, 2), steps.output]
    names = ("input", "inserted", "padded", "kernel", "rotated", "output")
    titles = [
        text(f"explain.transposed_{name}", rows=len(grid), columns=len(grid[0]), z=zeros, border=border)
        for name, grid in zip(names, grids, strict=True)
    ]
    drawn = _grids(grids, titles, (_DATA, _BETWEEN, _AROUND, _KERNEL, _KERNEL, _OUTPUT))
    _, inserted, padded, _, rotated, output = drawn.axes
    padded.add_patch(Rectangle((border, border), *steps.inserted.shape[::-1], facecolor=_BETWEEN))
    for ax, start in ((inserted, 0), (padded, border)):
        for row, column in np.ndindex(steps.given.shape):
            at = (start + column * steps.stride, start + row * steps.stride)
            ax.add_patch(Rectangle(at, 1, 1, facecolor=_DATA))
    for ax, side in ((padded, k), (rotated, k), (output, 1)):
        ax.add_patch(Rectangle((0, 0), side, side, fill=False, edgecolor=_WINDOW, linewidth=2, zorder=3, clip_on=False))
    return drawn


def learned_figures(model: Any, maps: Heatmaps) -> list[Drawing]:
    """The steps with the learned kernel of the strongest class, and that kernel beside the one training started from.

    Said are the norm of the change over the norm of the start, and the cosine between the two: 1 where only the scale
    has changed.
    """
    label_id = maps.strongest()[0]
    learned, start, steps = learned_kernel(model, maps, label_id)
    moved = number(100 * np.linalg.norm(learned - start) / np.linalg.norm(start), 0)
    likeness = number((learned * start).sum() / np.linalg.norm(learned) / np.linalg.norm(start), 3)
    titles = [
        text("explain.transposed_bilinear"),
        text("explain.transposed_learned", label=model.classes.label(label_id)),
        text("explain.transposed_change", moved=moved, likeness=likeness),
    ]
    grids = [start, learned, learned - start]
    return [steps_figure(steps), _grids(grids, titles, (_KERNEL, _KERNEL, _AROUND), slot=2.1)]


@matplotlib.rc_context(STYLE)
def _grids(grids: Sequence[np.ndarray], titles: Sequence[str], colors: Sequence[str], slot: float = _SLOT) -> Drawing:
    """Grids side by side, all cells alike, each under its title."""
    cell = min(_CELL, (_WIDTH - _GAP * len(grids)) / sum(grid.shape[1] for grid in grids))
    slots = [max(cell * grid.shape[1], slot) + _GAP for grid in grids]
    height = cell * max(len(grid) for grid in grids)
    drawn = Drawing(figsize=(sum(slots), height + _TITLE + 0.08))
    drawn.set_label("; ".join(titles).replace("\n", " "))
    wide, high = drawn.get_size_inches()
    for n, (grid, title, color) in enumerate(zip(grids, titles, colors, strict=True)):
        rows, columns = grid.shape
        left = sum(slots[:n]) + (slots[n] - cell * columns) / 2
        place = (left / wide, (height - cell * rows + 0.04) / high, cell * columns / wide, cell * rows / high)
        ax = drawn.add_axes(place, facecolor=color, xlim=(0, columns), ylim=(rows, 0), xticks=[], yticks=[])
        lines = [(x, y) for y in range(1, rows) for x in (0, columns, np.nan)]
        lines += [(x, y) for x in range(1, columns) for y in (0, rows, np.nan)]
        ax.plot(*zip(*lines, strict=True) if lines else ((), ()), color="#888888", linewidth=0.4)
        ax.set_title(title, fontsize=8, parse_math=False)
        _write(ax, grid, cell)
    return drawn


def _write(ax: Axes, grid: np.ndarray, cell: float) -> None:
    """The numbers, as large as the longest of them lets; none where nobody could read them."""
    digits = 0 if np.array_equal(grid, grid.round()) else 2 if np.abs(grid).max() < 1 else 1
    grid = grid.round(digits) + 0.0  # no "-0"
    words = {at: number(value, digits) if value else "0" for at, value in np.ndenumerate(grid)}
    size = min(9.0, 36 * cell, 100 * cell / max(map(len, words.values())))
    if size >= _SMALLEST_FONT:
        for (row, column), word in words.items():
            ax.text(column + 0.5, row + 0.54, word.replace("-", "−"), ha="center", va="center", fontsize=size)


def skip_trials(results: Mapping[int, Segmentation]) -> list[Trial]:
    """FCN-32s against FCN-16s, FCN-16s against FCN-8s, FCN-32s against FCN-8s, `off` naming each pair's two nets.

    `results` are the answers by the stride of the finest score that took part. Compared is the class of the largest
    segment of FCN-8s; boundary IoU sees what a skip adds to the contour, IoU hardly does.
    """
    masks = {stride: result.labels == largest_label(results[8]) for stride, result in results.items()}
    return [Trial((a, b), results[8], results[a], masks[b]) for a, b in ((32, 16), (16, 8), (32, 8))]


def skip_table(results: Mapping[int, Segmentation]) -> str:
    """IoU and boundary IoU of each pair of the three nets, in plain text."""
    trials = skip_trials(results)
    rows = [[trials[0].label, "IoU", text("explain.fcn_boundary")]]
    for one in trials:
        rows.append([" – ".join(f"FCN-{n}s" for n in one.off), number(one.iou, 2), number(one.boundary_iou, 2)])
    return plain_table(rows)


def skip_figure(results: Mapping[int, Segmentation]) -> Drawing:
    """The boundaries of FCN-32s and FCN-16s against that of FCN-8s: what they share, and what either has alone."""
    photo, images, titles, trials = results[8].photo, [], [], skip_trials(results)
    part = window(np.logical_or.reduce([mask for one in trials for mask in one.masks]))
    for one in (trials[2], trials[1]):
        coarse, fine = (boundary(mask)[part] for mask in one.masks)
        images.append(compared(photo.pixels[part], fine, coarse, _SKIP_PANEL))
        titles.append(f"FCN-{one.off[0]}s – FCN-8s: {number(one.boundary_iou, 2)}")
    legend = three_colors([text(f"explain.fcn_{key}") for key in ("both", "coarse", "fine")])
    return panels(images, titles, 2, _SKIP_PANEL, legend, photo.name)

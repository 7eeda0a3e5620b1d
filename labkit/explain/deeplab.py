"""DeepLab's lecture: the cells that a convolution sees at several rates, and the CRF of the first versions.

Chen et al., 2017, arXiv:1606.00915, section 3.1: a kernel of k weights a side whose rate is r spans k + (k - 1)(r - 1)
cells, with as many weights as before. Section 3.3: in a fully connected CRF (Krähenbühl and Koltun, 2011,
arXiv:1210.5644) every pixel asks all others, near or alike.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle
from PIL import Image
from torch.nn import functional as F

from labkit.evaluation.annotations import ground_truth_of
from labkit.explain.drawing import Sliders
from labkit.explain.measures import boundary_iou, on_photo, photo_part
from labkit.figures import AGREED, CHANGES, LOST, STYLE, Drawing, overlay_image, painted, panels, small
from labkit.locale import number, text
from labkit.models.base import Setting, checked
from labkit.models.semantic import SMALLEST_SIDE
from labkit.photos import Photo
from labkit.segmentation import Segmentation

__all__ = ["CRF_SETTINGS", "DenseCRF", "answers", "boundary_scores"]
__all__ += ["crf_figure", "crf_sliders", "fields_figure", "refine"]

_FIELD, _LINE, _DARK = 2.25, "#bbbbbb", "#222222"


@matplotlib.rc_context(STYLE)
def fields_figure(
    photo: Photo, fields: Mapping[str, Any], size: tuple[int, int], part: tuple[float, float] = (1.0, 1.0)
) -> Drawing:
    """The photo's feature map of `size` (rows, columns), and on it the cells that the output in its middle depends on.

    `fields`: by title, `SxS` bool, S odd, the output in the middle. The photo is `part` of the map's height and width.
    """
    fields = {title: np.asarray(field) for title, field in fields.items()}
    drawn = Drawing(figsize=(_FIELD * len(fields) + 0.2, _FIELD + 0.85), layout="constrained")
    drawn.set_label(f"{photo.name}: {'; '.join(fields)}".replace("\n", ", "))
    for ax, (title, field) in zip(drawn.subplots(1, len(fields), squeeze=False)[0], fields.items(), strict=True):
        _draw_field(ax, photo, field, size, part)
        ax.set_title(title, fontsize=9)
    keys = ((AGREED, "seen"), (LOST, "beyond"))
    handles = [Patch(facecolor=c, edgecolor=_DARK, label=text(f"explain.atrous_{key}")) for c, key in keys]
    drawn.legend(handles=handles, loc="outside lower left", ncols=2, frameon=False)
    return drawn


def _draw_field(ax: Axes, photo: Photo, field: np.ndarray, size: tuple[int, int], part: tuple[float, float]) -> None:
    """The photo under the cells of its map, paper around it, and the cells of the field, its output in the origin."""
    top, left = (-(length // 2) - 0.5 for length in size)
    height, width = size
    grey = small(photo.pixels, 0.3 * _FIELD).convert("L")
    right, bottom = left + width * part[1], top + height * part[0]
    ax.imshow(grey, cmap="gray", vmin=-300, vmax=300, extent=(left, right, bottom, top), interpolation="none")
    ax.add_patch(Rectangle((left, top), width, height, facecolor="none", edgecolor=_DARK, linewidth=1))
    reach = max(field.shape[0] // 2 + 0.5, height - height // 2, width - width // 2)
    lines = np.arange(-np.floor(reach) - 0.5, reach + 1)
    for rows in (True, False):  # one line there and back is one path, not one a row
        along, across = np.tile([-reach, reach, reach, -reach], len(lines))[: 2 * len(lines)], np.repeat(lines, 2)
        ax.plot(*((along, across) if rows else (across, along)), color=_LINE, linewidth=0.3, zorder=1.5)
    for row, column in np.argwhere(field) - field.shape[0] // 2:
        on_map = top < row < top + height and left < column < left + width
        square = Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=AGREED if on_map else LOST, edgecolor=_DARK)
        ax.add_patch(square).set(linewidth=0.5, zorder=3)
    ax.set(xlim=(-reach, reach), ylim=(reach, -reach), aspect="equal")
    ax.set_axis_off()


CRF_SETTINGS = {
    "appearance": Setting(6.0, 0.0, 20.0),
    "alpha": Setting(30.0, 2.0, 100.0),
    "beta": Setting(12.0, 2.0, 60.0),
    "smoothness": Setting(3.0, 0.0, 20.0),
    "gamma": Setting(1.5, 0.5, 10.0),
    "iterations": Setting(5, 0, 20),
}
"""The weights w1 and w2 and the widths θα, θβ (of 255 levels of colour) and θγ of equation 3, and the iterations.

θα and θγ are in pixels of the CRF's grid. What stands here was chosen with our DeepLab on the photos of data/outlines.
"""

_SIDE, _STEP, _WIDTH, _DETAIL = 192, 8, 2.7, 1.9
_Pair = tuple[Segmentation, Segmentation]  # an answer before and after the CRF


class DenseCRF:
    """The pairwise part of the CRF for one photo; called with logits it gives probabilities.

    With the labels' disagreement as compatibility (Potts), the kernel of two pixels is (equation 3)
    w1 exp(-|p - p'|²/2θα² - |I - I'|²/2θβ²) + w2 exp(-|p - p'|²/2θγ²), p the places, I the colours.
    Each of both kernels is divided by the roots of its sums at both pixels, as in the authors' code, so that the
    weights mean the same for any size of photo.

    The sum over all others is computed as it stands for the second kernel, which falls apart into rows and columns.
    For the first every `step`-th pixel of every `step`-th row speaks for `step`² pixels; with 1 nothing is left out.
    """

    def __init__(self, pixels: np.ndarray, step: int = _STEP, **settings: float):
        """`pixels` is `HxWx3` uint8; settings as in `CRF_SETTINGS`, LabkitError for another one or one out of range."""
        self.settings = checked(CRF_SETTINGS, settings)
        self.size = pixels.shape[:2]
        rows, columns = (torch.arange(min(step // 2, (n - 1) // 2), n, step) for n in self.size)
        self._speakers = (rows[:, None] * self.size[1] + columns).flatten()  # of the flattened photo
        places, alpha = np.moveaxis(np.indices(self.size), 0, -1), self.settings["alpha"]
        points = np.dstack([places / alpha, pixels / self.settings["beta"]]).reshape(-1, 5)
        points = torch.from_numpy((points - points.mean(0)).astype(np.float32))
        self._near_or_alike = _kernel(points, points[self._speakers]).mul_(step**2)
        self._near_or_alike[self._speakers, torch.arange(len(self._speakers))] -= 1  # nobody asks himself
        lines = (torch.arange(n, dtype=torch.float32)[:, None] / self.settings["gamma"] for n in self.size)
        self._rows, self._columns = (_kernel(line, line) for line in lines)
        self._alike_norm = (self._near_or_alike.sum(1) + 1).rsqrt()
        self._near_norm = (self._rows.sum(1)[:, None] * self._columns.sum(1)).rsqrt()

    @torch.inference_mode()
    def __call__(self, logits: torch.Tensor) -> torch.Tensor:
        """Mean field (algorithm 1): from `CxHxW` float32 logits to `CxHxW` probabilities that sum to 1 in each pixel.

        Equation 4: what a class has of the other pixels' probability, weighted by the kernels, is added to its logit.
        """
        unary = logits.float().log_softmax(0)
        q = unary.softmax(0)
        alike, near = self.settings["appearance"], self.settings["smoothness"]
        for _ in range(self.settings["iterations"]):
            said = q.flatten(1)[:, self._speakers] * self._alike_norm[self._speakers]
            from_alike = ((self._near_or_alike @ said.T).T * self._alike_norm).reshape(q.shape)
            said = q * self._near_norm
            from_near = (self._rows @ said @ self._columns - said) * self._near_norm
            q = (unary + alike * from_alike + near * from_near).softmax(0)
        return q


def answers(model: Any, photo: Photo, *working_sides: int) -> list[tuple[Segmentation, torch.Tensor]]:
    """The photo's answers at some working sides, each with its logits (`CxHxW` float32, without the padding).

    Without sides: the one at which the model sees the photo, and a third of it, where logits are coarse, as they were
    in DeepLab V1 and V2. Our network enlarges a photo to 256 pixels only, official ones to their working side.
    """
    usual, found = model.defaults["working_side"], []
    if not model.weights.release:
        usual = min(usual, max(SMALLEST_SIDE, *photo.pixels.shape))
    for side in working_sides or (usual, usual // 3):
        logits: list[torch.Tensor] = []
        keep = model.network.register_forward_hook(lambda module, given, output, kept=logits: kept.append(output[0]))
        with keep:
            result = model.segment(photo, working_side=side)
        found.append((result, on_photo(logits[-1].float().cpu(), photo_part(model, result))))
    return found


def refine(found: Sequence[tuple[Segmentation, torch.Tensor]], **settings: float) -> list[_Pair]:
    """The answers for one photo, before and after a CRF with `settings` (see `CRF_SETTINGS`).

    It runs on a grid whose longest side has 192 pixels; its probabilities, not its labels, are brought to the photo's
    size.
    """
    image = Image.fromarray(found[0][0].photo.pixels)
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    crf = DenseCRF(np.array(image), **settings)
    refined = []
    for before, logits in found:
        label_ids = torch.unique(logits.argmax(0))  # the classes that win somewhere: the others never do
        q = crf(F.interpolate(logits[None, label_ids], crf.size, mode="bilinear", antialias=True)[0])
        confidence, place = F.interpolate(q[None], before.ids.shape, mode="bilinear")[0].max(0)
        labels = label_ids.to(torch.uint8)[place].numpy()
        made_by = {**before.made_by, "crf": crf.settings}
        after = Segmentation.from_labels(before.photo, labels, confidence.numpy(), before.classes, made_by)
        refined.append((before, after))
    return refined


def crf_sliders(model: Any, photo: Photo) -> Sliders:
    """Sliders for the CRF's parameters (`CRF_SETTINGS`) and below them `crf_figure`; the network runs once."""
    found = answers(model, photo)
    return Sliders(
        lambda **settings: crf_figure(refine(found, **settings)),
        {name: (text(f"explain.crf_{name}"), one.value, one.low, one.high) for name, one in CRF_SETTINGS.items()},
        photo.name,
        words_width=20,
    )


def crf_figure(refined: Sequence[_Pair]) -> Drawing:
    """A row a working side: the answer before, after the CRF, and which pixels of its objects it changed.

    Where the photo has a reference, boundary IoU stands above each mask.
    """
    photo, images, titles = refined[0][0].photo, [], []
    reference = ground_truth_of(photo)
    for pair in refined:
        side, scores = pair[0].made_by["settings"]["working_side"], boundary_scores(pair, reference)
        for n, key in enumerate(("before", "after")):
            images.append(small(overlay_image(pair[n]), _DETAIL))
            score = f"\n{text('explain.crf_score', score=number(scores[n], 2))}" if scores else ""
            titles.append(text(f"explain.crf_{key}", side=side) + score)
        was, now = (one.labels for one in pair)
        masks = (was == now) & (now > 0), (was > 0) & (now == 0), (was != now) & (now > 0)
        images.append(painted(photo.pixels, list(zip(masks, CHANGES, strict=True)), _DETAIL))
        titles.append(text("explain.crf_share", share=number(100 * float((was != now).mean()), 1)))
    keys = ("kept", "lost", "gained")
    legend = [(color, text(f"explain.crf_{key}")) for color, key in zip(CHANGES, keys, strict=True)]
    return panels(images, titles, 3, _WIDTH, legend, photo.name)


def boundary_scores(pair: _Pair, reference: Segmentation | None) -> tuple[float, float] | None:
    """Boundary IoU with the reference before and after, for its largest segment's class; None without a reference."""
    if reference is None or reference.largest is None:
        return None
    label = reference.largest.label
    known, truth = reference.confidence > 0, reference.mask_of(label)
    return tuple(boundary_iou(result.mask_of(label) & known, truth) for result in pair)


def _kernel(points: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """exp(-|p - q|²/2) of each two points."""
    return torch.cdist(points, others).square_().div_(-2).exp_()

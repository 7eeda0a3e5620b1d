"""The fully connected CRF that refined the masks of DeepLab V1 and V2: every pixel asks all others, near or alike.

Krähenbühl and Koltun, 2011, arXiv:1210.5644; in DeepLab: Chen et al., 2017, arXiv:1606.00915, section 3.3. Below it the
sliders of a notebook and the table over its photos.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from labkit.evaluation.annotations import find_ground_truth
from labkit.explain.drawing import Sliders, changes, three_colors
from labkit.explain.measures import boundary_iou, on_photo, photo_part
from labkit.figures import Drawing, overlay_image, panels, plain_table, small
from labkit.io.progress import track
from labkit.locale import number, text
from labkit.models.base import Setting, checked
from labkit.photos import Photo
from labkit.segmentation import Segmentation

__all__ = ["CRF_SETTINGS", "DenseCRF", "answers", "crf_figure", "crf_sliders", "crf_table", "refine"]

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

_SIDE, _STEP = 192, 8
_WIDTH, _DETAIL = 2.7, 1.9
_Pair = tuple[Segmentation, Segmentation]
"""An answer before and after the CRF."""


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
        alpha, beta = self.settings["alpha"], self.settings["beta"]
        self._near_or_alike = _appearance(pixels, self._speakers, step**2, alpha, beta)
        self._rows, self._columns = (_gaussian(n, self.settings["gamma"]) for n in self.size)
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

    Without sides: the one at which the model sees the photo, which it does not enlarge, and a third of it, where logits
    are coarse, as they were in DeepLab V1 and V2.
    """
    usual, found = min(model.defaults["working_side"], max(192, *photo.pixels.shape)), []
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
    reference = find_ground_truth(photo)
    for pair in refined:
        scores = boundary_scores(pair, reference)
        for n, key in enumerate(("before", "after")):
            images.append(small(overlay_image(pair[n], 0.5), _DETAIL))
            score = text("explain.crf_score", score=number(scores[n], 2)) if scores else ""
            side = pair[0].made_by["settings"]["working_side"]
            titles.append(f"{text(f'explain.crf_{key}', side=side)}\n{score}".rstrip())
        was, now = (one.labels for one in pair)
        masks = (was == now) & (now > 0), (was > 0) & (now == 0), (was != now) & (now > 0)
        images.append(changes(photo.pixels, masks, _DETAIL))
        titles.append(text("explain.crf_share", share=number(100 * float((was != now).mean()), 1)))
    legend = three_colors([text(f"explain.crf_{key}") for key in ("kept", "lost", "gained")])
    return panels(images, titles, 3, _WIDTH, legend, photo.name)


def boundary_scores(pair: _Pair, reference: Segmentation | None) -> tuple[float, float] | None:
    """Boundary IoU with the reference before and after, for its largest segment's class; None without a reference."""
    if reference is None or reference.largest is None:
        return None
    label = reference.largest.label
    known, truth = reference.confidence > 0, reference.mask_of(label)
    return tuple(boundary_iou(result.mask_of(label) & known, truth) for result in pair)


def crf_table(model: Any, photos: Sequence[Photo]) -> str:
    """Boundary IoU before and after the CRF at each working side, in plain text, and the means over the photos.

    Of all photos that have a reference; where none has, that is said.
    """
    head = [text(f"explain.crf_{key}", side=side) for side in ("1", "1/3") for key in ("before", "after")]
    rows, scores = [], []
    for photo in track(photos, text("explain.crf_progress")):
        reference = find_ground_truth(photo)
        if reference is not None and reference.largest:
            refined = refine(answers(model, photo))
            scores.append([score for pair in refined for score in boundary_scores(pair, reference)])
            name = f"{photo.name}, {reference.classes.label(reference.largest.label_id)}"
            rows.append([name, *(number(x, 2) for x in scores[-1])])
    if not rows:
        return text("explain.crf_no_reference")
    rows.append([text("explain.crf_mean"), *(number(x, 2) for x in np.mean(scores, axis=0))])
    return f"{text('explain.crf_boundary')}\n{plain_table([['', *head], *rows])}"


def _gaussian(length: int, width: float) -> torch.Tensor:
    places = torch.arange(length, dtype=torch.float32)
    return torch.exp(-(places[:, None] - places).square() / (2 * width**2))


def _appearance(pixels: np.ndarray, speakers: torch.Tensor, each: int, alpha: float, beta: float) -> torch.Tensor:
    """The first kernel of every pixel with every speaker, times `each`, the pixels one speaks for; none with itself."""
    rows, columns = np.indices(pixels.shape[:2])
    points = np.dstack([rows / alpha, columns / alpha, pixels / beta]).reshape(-1, 5)
    points = torch.from_numpy((points - points.mean(0)).astype(np.float32))
    half = points.square().sum(1, keepdim=True) / 2
    one = torch.ones_like(half)  # -|p - q|²/2 = p·q - |p|²/2 - |q|²/2, a product of matrices
    products = torch.cat([points, half, one], 1) @ torch.cat([points, -one, -half], 1)[speakers].T
    kernel = products.clamp_(max=0).exp_().mul_(each)
    kernel[speakers, torch.arange(len(speakers))] -= 1
    return kernel

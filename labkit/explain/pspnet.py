"""PSPNet's pyramid pooling module: the pooled maps, what each level adds, and what the context of the photo decides.

Zhao et al., 2017, arXiv:1612.01105, section 3.2 and figure 3. Ours is segmentation_models_pytorch's, the official
networks' is pytorchcv's; the levels are found by their types.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
import torch
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, to_hex
from pytorchcv.models.pspnet import PyramidPoolingBranch
from segmentation_models_pytorch.decoders.pspnet.decoder import PSPBlock
from torch import nn

from labkit.explain.drawing import cells_over, changes, three_colors
from labkit.explain.hooks import Trial, largest_label, on_photo, photo_part, recorded, trial_without
from labkit.figures import Drawing, cut, legend_rows, note, overlay_image, panels, plain_table, small
from labkit.io.errors import LabkitError
from labkit.locale import number, text
from labkit.photos import Photo
from labkit.segmentation import MIN_SHARE, Segmentation

__all__ = ["Pyramid", "context_figure", "context_table", "pyramid", "pyramid_figure", "pyramid_table", "without"]

_WIDTH, _CONTEXT_WIDTH = 2.3, 3.0
_LEAST_VOTE = 0.05
"""Where no level adds this much to the probability, all stay pale."""


def swap(one: Trial) -> str:
    """The change that most pixels made: the class before and after, and its share of the photo."""
    pairs = Counter(zip(one.full.labels[one.moved].tolist(), one.result.labels[one.moved].tolist(), strict=True))
    if not pairs:
        return text("explain.pyramid_same")
    (label_ids, count), classes = pairs.most_common(1)[0], one.full.classes
    return f"{' → '.join(map(classes.label, label_ids))}: {number(100 * count / one.moved.size, 1)} %"


@dataclass(frozen=True, eq=False)
class Pyramid:
    """One photo's pyramid: `pooled` by size, each `CxSxS` float32 after pooling and 1x1 convolution.

    `votes`: what each level adds to the probability of the largest object's class in each pixel of the network's input
    that the photo fills, that of the full answer less that without the level, `HxW` float32 in [-1, 1]. `part` is the
    photo's share of the height and of the width of that input: the rest is padding. `trials`: each level switched off,
    then all.
    """

    full: Segmentation
    pooled: dict[int, torch.Tensor]
    votes: dict[int, np.ndarray]
    part: tuple[float, float]
    trials: tuple[Trial, ...]

    def strength(self, size: int) -> np.ndarray:
        """The Euclidean norm of the features in each cell of a level, `SxS`."""
        return self.pooled[size].norm(dim=0).numpy()


def find_pyramid(network: nn.Module) -> dict[int, tuple[nn.Module, nn.Module]]:
    """By size: the branch, which enlarges its map again, and the part of it that pools and convolves.

    LabkitError where the network has no pyramid.
    """
    found = {}
    for module in network.modules():
        if isinstance(module, PSPBlock):
            found[module.pool_size] = (module, module.pool)
        elif isinstance(module, PyramidPoolingBranch):
            found[module.pool.output_size] = (module, module.conv)
    if not found:
        raise LabkitError(text("explain.pyramid_missing", given=type(network).__name__))
    return dict(sorted(found.items()))


def without(model: Any, full: Segmentation, *sizes: int) -> Trial:
    """Segments the photo of the answer `full` once more, the levels of these sizes (none given: all) giving zeros."""
    levels = find_pyramid(model.network)
    if unknown := set(sizes) - set(levels):
        raise LabkitError(text("explain.pyramid_size", given=sorted(unknown), valid=", ".join(map(str, levels))))
    return trial_without(model, full, {size: branch for size, (branch, _) in levels.items()}, sizes or tuple(levels))


def pyramid(model: Any, photo: Photo) -> Pyramid:
    """The pooled maps of one photo, recorded by forward hooks, and its answers without each level and without all."""
    levels = find_pyramid(model.network)
    with recorded({"logits": model.network} | {size: pooling for size, (_, pooling) in levels.items()}) as seen:
        full = model.segment(photo)
        pooled = {size: seen[size][0][0] for size in levels}
        trials = (*(without(model, full, size) for size in levels), without(model, full))
    part = photo_part(model, full, seen["logits"][0].shape[2:])  # the logits are as large as the input
    label_id = largest_label(full)
    whole, *others = (on_photo(one[0].softmax(0)[label_id], part) for one in seen["logits"])
    votes = {size: (whole - other).numpy() for size, other in zip(levels, others, strict=False)}
    return Pyramid(full, pooled, votes, part, trials)


def pyramid_table(found: Pyramid) -> str:
    """A row a trial in plain text: what was off, how many pixels changed class, IoU with the full answer."""
    rows = [["", *(text(f"explain.pyramid_{key}") for key in ("changed", "iou"))]]
    for trial in found.trials:
        name = text("explain.pyramid_all")
        if len(trial.off) < len(found.pooled):
            name = text("explain.pyramid_without", sizes=", ".join(f"{size}×{size}" for size in trial.off))
        rows.append([name, f"{number(100 * trial.share, 1)} %", number(trial.iou, 2)])
    return (
        f"{text('explain.pyramid_photo', name=found.full.photo.name, label=found.trials[0].label)}\n{plain_table(rows)}"
    )


def pyramid_figure(found: Pyramid) -> Drawing:
    """The strength of each level over the photo, and below it what the level adds to the probability of the class."""
    photo, images, titles = small(found.full.photo.pixels, _WIDTH), [], []
    for size in found.pooled:
        strength = found.strength(size)
        low, high = strength.min(), strength.max()
        scale = ScalarMappable(Normalize(low, high) if high > low else Normalize(0, 2 * high), "cividis")
        images.append(cells_over(photo, strength, found.part, scale))
        values = number(low, 1) + (f" … {number(high, 1)}" if size > 1 else "")
        titles.append(text("explain.pyramid_map", size=size, values=values))
    most = max(_LEAST_VOTE, *(float(np.abs(vote).max()) for vote in found.votes.values()))
    scale = ScalarMappable(Normalize(-most, most), "PuOr_r")
    for size, vote in found.votes.items():
        images.append(cells_over(photo, vote, (1, 1), scale))
        low, high = (number(round(float(x), 2) + 0.0, 2) for x in (vote.min(), vote.max()))  # no -0,00
        titles.append(text("explain.pyramid_vote", size=size, values=f"{low} … {high}".replace("-", "−")))
    colors = [(to_hex(matplotlib.colormaps["PuOr_r"](end)), key) for end, key in ((0.9, "for"), (0.1, "against"))]
    legend = [(color, text(f"explain.pyramid_{key}", label=found.trials[0].label)) for color, key in colors]
    return panels(images, titles, len(found.pooled), _WIDTH, legend, found.full.photo.name)


def context_table(trials: Sequence[Trial]) -> str:
    """A row a photo in plain text, the most changed first: how many pixels changed class, and the commonest change."""
    rows = [[text(key) for key in ("figures.photo", "explain.pyramid_changed", "explain.pyramid_swap")]]
    for trial in sorted(trials, key=lambda one: -one.share):
        rows.append([trial.full.photo.name, f"{number(100 * trial.share, 1)} %", swap(trial)])
    return plain_table(rows)


def context_figure(trials: Sequence[Trial]) -> Drawing:
    """Of several photos the one that changes most, with the pyramid and without it: its classes and what changed."""
    if not trials:
        return note(text("figures.no_results"))
    trial = max(trials, key=lambda one: one.share)
    photo, was, images, titles = trial.full.photo, trial.masks[1], [], []
    for result, key in ((trial.full, "with"), (trial.result, "all")):
        images.append(small(overlay_image(result, 0.6), _CONTEXT_WIDTH))
        classes = [f"{name} {100 * share:.0f} %" for _, name, share, _ in legend_rows(result)[:2] if share >= MIN_SHARE]
        told = cut(", ".join(classes) or text("figures.nothing"))
        titles.append(f"{text(f'explain.pyramid_{key}')}\n{told}")
    images.append(changes(photo.pixels, (was & ~trial.moved, was & trial.moved, ~was & trial.moved), _CONTEXT_WIDTH))
    told = swap(trial)
    told = told if cut(told) == told else told.replace("→ ", "→\n")
    titles.append(f"{text('explain.pyramid_scores', share=number(100 * trial.share, 1))}\n{told}")
    legend = three_colors([text(f"explain.pyramid_{key}", label=trial.label) for key in ("kept", "lost", "other")])
    return panels(images, titles, 3, _CONTEXT_WIDTH, legend, photo.name)
